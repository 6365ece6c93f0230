"""Defines what every event of the log is: frozen, positional, with a topic for ever."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Is one immutable fact of the log."""

    TOPIC: ClassVar[str]
