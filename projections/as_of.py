"""Finds the log position that stands for a moment: recorded time never decreases along the log."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ledger.events import CommandRecorded, JobBatch, JobCompleted, JobStarted
from ledger.mapper import decode_event

if TYPE_CHECKING:
    from ledger.store import Reader

#: The events that carry recorded time; each is the first of its transaction.
TIMED = (CommandRecorded, JobStarted, JobBatch, JobCompleted)

SELECT_TIMED = "SELECT position, topic, state FROM trace_event WHERE topic IN (?, ?, ?, ?) ORDER BY position"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def position_at(reader: "Reader", as_of: int | datetime) -> int:
    """Returns the last position recorded at or before a moment, or the position itself; needs the trace model.

    Raises ValueError for a position outside the log and for a moment without a time zone.
    """
    if not isinstance(as_of, datetime):
        if not 0 <= as_of <= reader.size:
            raise ValueError(f"expected a position from 0 to {reader.size}, the head of the log, got {as_of}")
        return as_of
    if as_of.tzinfo is None:
        raise ValueError(f"expected a moment with a time zone, got {as_of.isoformat()}")
    moment_us = (as_of - _EPOCH) // timedelta(microseconds=1)
    for position, topic, state in reader.query(SELECT_TIMED, [event.TOPIC for event in TIMED]):
        event = decode_event(topic, state)
        assert isinstance(event, TIMED)
        if event.recorded_at > moment_us:
            return int(position) - 1
    return reader.size
