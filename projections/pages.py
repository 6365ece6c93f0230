"""Reads the log in pages for the folds: acts as columns, every other event decoded, nothing left out or twice.

A page is a range of positions that ends behind a whole act. A position without an event is an error, not a gap.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ledger.acts import ACT_TOPICS, Acts, acts_of_rows, no_acts
from ledger.events import ClaimFiled, Event, SettlementDiffers
from ledger.mapper import decode_event
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.store import Reader

#: Events a page of catching up: a transaction of this many is durable in a fraction of a second.
PAGE_EVENTS = 65_536

NARROW = (
    "SELECT notification_id, topic, state FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id"
)
WIDE = (
    "SELECT notification_id, topic, state, originator_id, originator_version FROM stored_events"
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
    """Is the events behind ``after`` up to ``stop`` as (position, topic, state), in wide pages (…, stream, version)."""

    reader: "Reader"
    after: int
    stop: int
    rows: list[tuple[int, str, bytes, str, int]]
    wide: bool

    @cached_property
    def acts(self) -> Acts:
        """Returns the page's acts as columns; raises StoreError where one is not whole."""
        rows = [row for row in self.rows if row[1] in _ACTS]
        return acts_of_rows(self.reader, rows) if rows else no_acts()

    @cached_property
    def others(self) -> list[Placed]:
        """Returns every event that is neither part of an act nor a difference beside one."""
        rows = [row for row in self.rows if row[1] not in _BULK]
        if not rows:
            return []
        if self.wide:
            places = {row[0]: (row[3], row[4]) for row in rows}
        else:
            found = self.reader.query(PLACES, (self.after, self.stop, *BULK_TOPICS))
            places = {int(at): (str(stream), int(version)) for at, stream, version in found}
        return [Placed(row[0], *places[row[0]], decode_event(row[1], bytes(row[2])), bytes(row[2])) for row in rows]


def read_page(reader: "Reader", after: int, stop: int, wide: bool, page_events: int = PAGE_EVENTS) -> Page:
    """Returns the page behind ``after``, at most ``page_events`` (at least 2) and never past ``stop``.

    ``wide`` pages carry streams and versions of every event. Raises StoreError naming a position without event.
    """
    high = min(after + max(2, page_events), stop)
    rows = reader.query(WIDE if wide else NARROW, (after, high))
    if len(rows) != high - after:
        missing = next(at for at, row in enumerate([*rows, (0,)], after + 1) if row[0] != at)
        raise StoreError(f"position {missing}: expected an event, got none: run verify")
    if rows and rows[-1][1] == ClaimFiled.TOPIC and high < stop:
        rows.pop()
        high -= 1
    return Page(reader, after, high, rows, wide)
