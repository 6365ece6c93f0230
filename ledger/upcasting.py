"""Reads events of past versions: each past topic has its own class and one step towards the present.

An event is never rewritten: its bytes and its leaf in the tree stay as they are, and whoever decodes it gets the
present class. ``docs/events.md`` has the rule and a worked example. The four events of volume (ClaimFiled,
ClaimSettled, ClaimReversed, SettlementDiffers) are read as columns and have no past versions here.
"""

from collections.abc import Callable
from typing import NamedTuple

from ledger.events import Event, EventClass


class Past(NamedTuple):
    """Is a past version: the class its bytes have, and the step that makes of it an event of the next version."""

    event: EventClass
    step: Callable[[Event], Event]


#: Every past topic a log may hold; entries are only added. No topic has a second version yet.
PAST: dict[str, Past] = {}


def upcast(event: Event) -> Event:
    """Returns an event in its present version."""
    while (past := PAST.get(event.TOPIC)) is not None:
        event = past.step(event)
    return event


def topics_of(*events: EventClass) -> list[str]:
    """Returns the topics under which a log may hold events of these classes: the present ones, then the past ones."""
    present = [event.TOPIC for event in events]
    found = list(present)
    for topic in PAST:
        name = topic.rpartition("/")[0]
        if any(name == other.rpartition("/")[0] for other in present):
            found.append(topic)
    return found
