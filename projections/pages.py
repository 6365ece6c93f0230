"""Reads the log in pages for the folds: acts as columns, every other event decoded, nothing left out or twice.

A page is a range of positions that ends behind a whole act. A position without an event is an error, not a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core_ext.codec_fields import Chosen, Encoded, Int64s, joined_states, state_at
from core_ext.kernels import load
from ledger.acts import ACT_TOPICS, OTHER, Acts, Codes, act_codes, acts_of, no_acts
from ledger.events import ClaimFiled, Event, SettlementDiffers
from ledger.line_events import LinesDiffer, LinesFiled, TraceCodeRepeated
from ledger.mapper import decode_event, present_state
from ledger.refusals import StoreError
from ledger.replaying.events import ClaimResettled
from projections.act_postings import act_postings

if TYPE_CHECKING:
    from ledger.store import Reader

#: Events a page of catching up: a transaction of this many is durable in a fraction of a second.
PAGE_EVENTS = 32_768

#: Rows a query: so many, packed, stay in a processor's cache until they are part of a page.
CHUNK_ROWS = 8_192

#: Of so many events fewer than one is looked up by its position: to look for them passes over all.
SELDOM = 8

#: Bytes of a leaf of the tree.
LEAF = 32

PLACES = (
    "SELECT notification_id, originator_id, originator_version FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? AND topic NOT IN (?, ?, ?, ?, ?, ?, ?, ?)"
    " ORDER BY notification_id"
)
#: What stands beside acts, as many as they are; with them these topics are nearly all of a log.
BESIDE_TOPICS = (SettlementDiffers.TOPIC, LinesFiled.TOPIC, LinesDiffer.TOPIC, TraceCodeRepeated.TOPIC)
BULK_TOPICS = (*ACT_TOPICS, *BESIDE_TOPICS)
_BESIDE = frozenset(BESIDE_TOPICS)


class Placed(NamedTuple):
    """Is an event and where it stands; ``state`` is that of its present version."""

    position: int
    stream: str
    version: int
    event: Event
    state: bytes


@dataclass
class Page:
    """Is the events behind ``after`` up to ``stop`` as columns; only wide pages have ``leaves``, for the tree.

    ``topics`` are numbers into ``names``, an event each. A page read for the tree alone has nothing else.
    """

    reader: "Reader | None"
    after: int
    stop: int
    topics: Int64s
    names: Sequence[str]
    states: Encoded
    leaves: bytes = b""

    @cached_property
    def acts(self) -> Acts:
        """Returns the page's acts as columns; raises StoreError where one is not whole."""
        codes = self._codes
        mask = codes != OTHER
        if not mask.any():
            return no_acts()
        rows = np.flatnonzero(mask)
        return acts_of(self._first + rows, codes[rows], Chosen(self.states, rows))

    @cached_property
    def posted(self) -> dict[str, int]:
        """Returns what its acts post, summed per account."""
        return act_postings(self.acts)

    @cached_property
    def beside(self) -> list[tuple[int, str, bytes]]:
        """Returns (position, topic, state) of what stands beside acts: differences, fee lines and their findings."""
        return [(self._first + row, topic, state_at(self.states, row)) for row, topic in self._rest if topic in _BESIDE]

    @cached_property
    def others(self) -> list[Placed]:
        """Returns every event that is neither part of an act nor beside one."""
        rows = [(row, topic) for row, topic in self._rest if topic not in _BESIDE]
        if not rows:
            return []
        places = self.places([row for row, _ in rows])
        states = [state_at(self.states, row) for row, _ in rows]
        events = [decode_event(topic, state) for (_, topic), state in zip(rows, states, strict=True)]
        return [
            Placed(self._first + row, *place, event, present_state(topic, state, event))
            for (row, topic), place, event, state in zip(rows, places, events, states, strict=True)
        ]

    @cached_property
    def resettled(self) -> list[tuple[int, ClaimResettled]]:
        """Returns (position, event) of every claim booked anew."""
        if ClaimResettled.TOPIC not in self.names:
            return []
        rows = np.flatnonzero(self.topics == self.names.index(ClaimResettled.TOPIC)).tolist()
        events = ((row, decode_event(ClaimResettled.TOPIC, state_at(self.states, row))) for row in rows)
        return [(self._first + row, event) for row, event in events if isinstance(event, ClaimResettled)]

    def places(self, rows: Sequence[int]) -> list[tuple[str, int]]:
        """Returns stream and version of ``rows``: of every event that is neither part of an act nor beside one."""
        assert self.reader is not None
        if len(rows) * SELDOM < self.stop - self.after:
            positions = self._first + np.array(rows, np.int64)
            found = self.reader.lookup(
                "stored_events", "notification_id", "originator_id, originator_version", positions
            )
        else:
            found = self.reader.query(PLACES, (self.after, self.stop, *BULK_TOPICS))
        return [(str(stream), int(version)) for _, stream, version in sorted(found)]

    @property
    def _first(self) -> int:
        """Returns the position of row 0: a page has an event at every position."""
        return self.after + 1

    @cached_property
    def _rest(self) -> list[tuple[int, str]]:
        """Returns (row, topic) of every event that is not part of an act."""
        rows = np.flatnonzero(self._codes == OTHER)
        return [
            (row, self.names[number]) for row, number in zip(rows.tolist(), self.topics[rows].tolist(), strict=True)
        ]

    @cached_property
    def _codes(self) -> Codes:
        try:
            return act_codes(self.names)[self.topics]
        except KeyError as error:
            at = self._first + int(np.flatnonzero(self.topics == self.names.index(error.args[0]))[0])
            raise StoreError(f"position {at}: expected a topic of ledger.topics, got {error.args[0]!r}") from None


def read_page(
    reader: "Reader", after: int, stop: int, wide: bool, page_events: int = PAGE_EVENTS, narrow: bool = True
) -> Page:
    """Returns the page behind ``after``, at most ``page_events`` (at least 2) and never past ``stop``.

    ``wide`` pages carry the tree's leaves of every event, hashed chunk by chunk while a chunk is still in the cache;
    ``narrow`` ones the columns. Raises StoreError naming a position without an event.
    """
    high = min(after + max(2, page_events), stop)
    names: list[str] = []
    topics: list[Int64s] = []
    states: list[Encoded] = []
    leaves: list[bytes] = []
    last = ""
    for low in range(after, high, CHUNK_ROWS):
        chunk = reader.columns(low, min(low + CHUNK_ROWS, high), names, wide)
        last = names[int(chunk.topics[-1])]
        if wide:
            columns = (chunk.streams, chunk.versions, chunk.topics, names, chunk.states)
            leaves.append(load("tree").leaf_columns(*columns, low + 1))
        if narrow:
            topics.append(chunk.topics)
            states.append(chunk.states)
    if last == ClaimFiled.TOPIC and high < stop:
        high -= 1
    count = high - after
    numbers, whole = np.concatenate([np.zeros(0, np.int64), *topics]), joined_states(states)
    return Page(
        reader,
        after,
        high,
        numbers[:count],
        names,
        Encoded(whole.offsets[: count + 1], whole.data),
        b"".join(leaves)[: count * LEAF],
    )
