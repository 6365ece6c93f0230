"""Holds events on their way into the log as columns, in log order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core_ext.codec_fields import Encoded
from core_ext.text import Texts, texts_from_list
from ledger.events import Event
from ledger.mapper import checked_state

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EventBlock:
    """Is a block of events to append: stream, version, topic and state of each, one column each.

    ``streams``: originator ids, UTF-8; ``versions``: int64[n], the first of a stream is 1; ``topics``: int64[n],
    indexes into ``topic_names``; ``states``: one msgpack state an event. Raises ValueError for columns of
    different lengths and for topics without a name.
    """

    streams: Texts
    versions: Ints
    topics: Ints
    topic_names: tuple[str, ...]
    states: Encoded

    def __post_init__(self) -> None:
        n = len(self.versions)
        lengths = (len(self.streams.offsets) - 1, len(self.topics), len(self.states.offsets) - 1)
        if lengths != (n, n, n):
            raise ValueError(f"expected {n} streams, topics and states, one a version, got {lengths}")
        if n and not 0 <= int(self.topics.min()) <= int(self.topics.max()) < len(self.topic_names):
            raise ValueError(
                f"expected topics from 0 to {len(self.topic_names) - 1}, got {self.topics.min()} to {self.topics.max()}"
            )

    def __len__(self) -> int:
        """Returns the number of events."""
        return len(self.versions)

    @property
    def columns(self) -> tuple[Texts, Ints, Ints, tuple[str, ...], Encoded]:
        """Returns the columns in the order that kernels take them in."""
        return self.streams, self.versions, self.topics, self.topic_names, self.states

    @classmethod
    def from_events(cls, events: Sequence[tuple[str, int, Event]]) -> "EventBlock":
        """Returns a block of (stream, version, event), in the order given."""
        names = tuple(dict.fromkeys(event.TOPIC for _, _, event in events))
        at = {name: i for i, name in enumerate(names)}
        states = texts_from_list([checked_state(event) for _, _, event in events])
        return cls(
            streams=texts_from_list([stream for stream, _, _ in events]),
            versions=np.array([version for _, version, _ in events], dtype=np.int64),
            topics=np.array([at[event.TOPIC] for _, _, event in events], dtype=np.int64),
            topic_names=names,
            states=Encoded(states.offsets, states.data),
        )
