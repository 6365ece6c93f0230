"""Reads the log in pages for the folds: acts as columns, every other event decoded, nothing left out or twice.

A page is a range of positions that ends behind a whole act. A position without an event is an error, not a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ledger.acts import ACT_TOPICS, Acts, acts_of, no_acts
from ledger.events import ClaimFiled, Event, SettlementDiffers
from ledger.mapper import decode_event
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.store import Reader

#: Events a page of catching up: a transaction of this many is durable in a fraction of a second.
PAGE_EVENTS = 65_536

NARROW = (
    "SELECT topic, state FROM stored_events WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id"
)
WIDE = (
    "SELECT topic, state, originator_id, originator_version FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id"
)
POSITIONS = (
    "SELECT notification_id FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id"
)
PLACES = (
    "SELECT notification_id, originator_id, originator_version FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? AND topic NOT IN (?, ?, ?, ?) ORDER BY notification_id"
)
#: The states acts do not consist of are few; these four topics are nearly all of a log.
BULK_TOPICS = (*ACT_TOPICS, SettlementDiffers.TOPIC)
_BULK = frozenset(BULK_TOPICS)
_ACTS = frozenset(ACT_TOPICS)


class Placed(NamedTuple):
    """Is an event and where it stands."""

    position: int
    stream: str
    version: int
    event: Event
    state: bytes


@dataclass
class Page:
    """Is the events behind ``after`` up to ``stop`` as columns; only wide pages have streams and versions."""

    reader: "Reader"
    after: int
    stop: int
    positions: Sequence[int]
    topics: Sequence[str]
    states: Sequence[bytes]
    streams: Sequence[str] = ()
    versions: Sequence[int] = ()

    @cached_property
    def acts(self) -> Acts:
        """Returns the page's acts as columns; raises StoreError where one is not whole."""
        rows = [row for row, topic in enumerate(self.topics) if topic in _ACTS]
        if not rows:
            return no_acts()
        topics, states = self.topics, self.states
        if len(rows) < len(topics):
            topics, states = [topics[row] for row in rows], [states[row] for row in rows]
        return acts_of(self.reader, np.array(self.positions, np.int64)[rows], topics, states)

    @cached_property
    def others(self) -> list[Placed]:
        """Returns every event that is neither part of an act nor a difference beside one."""
        rows = [row for row, topic in enumerate(self.topics) if topic not in _BULK]
        if not rows:
            return []
        if self.streams:
            places = [(self.streams[row], self.versions[row]) for row in rows]
        else:
            found = self.reader.query(PLACES, (self.after, self.stop, *BULK_TOPICS))
            places = [(str(stream), int(version)) for _, stream, version in found]
        return [
            Placed(self.positions[row], *place, decode_event(self.topics[row], self.states[row]), self.states[row])
            for row, place in zip(rows, places, strict=True)
        ]


def read_page(reader: "Reader", after: int, stop: int, wide: bool, page_events: int = PAGE_EVENTS) -> Page:
    """Returns the page behind ``after``, at most ``page_events`` (at least 2) and never past ``stop``.

    ``wide`` pages carry streams and versions of every event. Raises StoreError naming a position without event.
    """
    high = min(after + max(2, page_events), stop)
    rows = reader.query(WIDE if wide else NARROW, (after, high))
    # Positions are unique, so as many events as positions means one at each.
    if len(rows) != high - after:
        there = [at for (at,) in reader.query(POSITIONS, (after, high))]
        missing = next(at for at, found in enumerate([*there, 0], after + 1) if found != at)
        raise StoreError(f"position {missing}: expected an event, got none: run verify")
    if rows and rows[-1][0] == ClaimFiled.TOPIC and high < stop:
        rows.pop()
        high -= 1
    return Page(reader, after, high, range(after + 1, high + 1), *zip(*rows, strict=True))
