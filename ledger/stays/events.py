"""Defines the event of a stay that is divided between benefit years."""

from ledger.event import Event


class StayPartCounted(Event, frozen=True):
    """Counts the part of a divided stay that lies in a benefit year before that of its discharge, or takes it back.

    ``claim`` is the position of the ClaimFiled, whose decision has the amounts of all parts together and the last
    part's accumulators; this event has its own part's. ``days`` of ``of_days`` lie in ``begin`` to ``end``. A refund's
    parts are the exact negatives of its original's.

    Of a stay booked anew ``claim`` is the position of its ClaimResettled. ``before`` and ``delta`` are then the
    accumulators now and what changes in them, ``start`` and ``contribution`` those the part was decided from and what
    it adds; a year in which the stay no longer counts has no days.
    """

    TOPIC = "stay-part-counted/1"
    cause: int
    row: int
    token: int
    claim: int
    year: int
    begin: int
    end: int
    days: int
    of_days: int
    amounts: tuple[int, ...]
    before: tuple[int, ...]
    delta: tuple[int, ...]
    how: tuple[int, ...]
    start: tuple[int, ...] = ()
    contribution: tuple[int, ...] = ()

    @property
    def added(self) -> tuple[int, ...]:
        """Returns what the part itself adds to its year, whatever stood there before."""
        return self.contribution or self.delta
