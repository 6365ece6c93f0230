"""Defines the events of reconciliation (对账): what a run compared, the breaks it found, and what became of each.

Streams: ``reconciliation-<yyyymm or yyyymmdd>-<counterpart>`` has the runs; ``break-<yyyymm>-<counterpart>-<insured
region>-<setl_id>`` one break, ``break-<yyyymm>-<counterpart>-twice-<insured region>-<setl_id>`` one claim stated twice.
The insured region is 000000 where the counterpart's file names none and the claim is unknown here.
"""

from ledger.event import Event

MISSING_HERE, MISSING_THERE, DIFFERS, DUPLICATE, OTHER_PERIOD, UNREADABLE = range(1, 7)
#: What can become of a row, in the order of ``ReconciliationRun.outcomes``.
OUTCOMES = ("matched", "missing_here", "missing_there", "differs", "duplicate", "other_period", "unreadable")

#: In which role the counterpart stands in the claims compared.
ROLE_BOTH, ROLE_INSURED, ROLE_TREATMENT = 0, 1, 2
ROLES = ("both", "insured", "treatment")

#: How a break ended, and whose records were put right.
CORRECTED, WRITTEN_OFF = 1, 2
NOBODY, HERE, THERE = 0, 1, 2


class ReconciliationRun(Event, frozen=True):
    """Compares a counterpart's file with what stood here: totals of both sides, and how many rows came out how.

    ``day`` is 0 for a month, ``own`` the own region asked about (0: every one), ``role`` ROLE_* of the counterpart,
    ``refunds`` 1 where refunds count (REFD_SETL_FLAG), ``details`` 0 where the file had totals only. ``stood_at`` is
    the position up to which our side was read. ``ours``, ``theirs`` (the sums of their rows) and ``stated`` (what
    their totals file says; their sums where there is none) are TOTALS: claims, then fen. ``outcomes`` counts rows in
    the order of OUTCOMES; ``found`` and ``resolved`` count the breaks this run changed.
    """

    TOPIC = "reconciliation-run/1"
    cause: int
    row: int
    period: int
    day: int
    counterpart: str
    own: int
    role: int
    refunds: int
    details: int
    digest: bytes
    profile: bytes
    stood_at: int
    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    stated: tuple[int, ...]
    outcomes: tuple[int, ...]
    found: int
    resolved: int


class BreakFound(Event, frozen=True):
    """Finds that one claim does not stand alike on both sides; found again with other figures it is open again.

    ``kind`` is the outcome's place in OUTCOMES. ``ours_fen`` and ``theirs_fen`` are what each side states as due
    for this period (fund and account; 0 where it states none). ``fields`` has (column, ours, theirs) of numbers that
    differ, persons as tokens, ``texts`` the same of texts. ``booked_period`` is the clearing period it is booked into
    here (0: it is not), ``copies`` how often the counterpart states it beyond once. ``day`` is the day of its
    ``setl_time`` (0: not stated); ``own``, ``role`` and ``digest`` those of the run, ``refund`` 1 for a refund.
    """

    TOPIC = "break-found/1"
    cause: int
    row: int
    period: int
    day: int
    counterpart: str
    own: int
    role: int
    kind: int
    insured_region: int
    setl_id: str
    refund: int
    ours_fen: int
    theirs_fen: int
    booked_period: int
    copies: int
    fields: tuple[tuple[str, int, int], ...]
    texts: tuple[tuple[str, str, str], ...]
    digest: bytes


class BreakAssigned(Event, frozen=True):
    """Gives a break an owner, who follows it up."""

    TOPIC = "break-assigned/1"
    cause: int
    row: int
    owner: str
    reason: str


class BreakExplained(Event, frozen=True):
    """Says why a break is there; it stays open until it is corrected or written off."""

    TOPIC = "break-explained/1"
    cause: int
    row: int
    reason: str


class BreakCarried(Event, frozen=True):
    """Carries an open break into the next period ``into``, on whose statement it is listed."""

    TOPIC = "break-carried/1"
    cause: int
    row: int
    into: int
    reason: str


class BreakResolved(Event, frozen=True):
    """Ends a break: ``how`` CORRECTED or WRITTEN_OFF, ``side`` whose records were put right (NOBODY: not said).

    ``period`` is that of the run which no longer found it, 0 where a person ended it. ``amount_fen`` is what was at
    stake, theirs less ours. No money moves: a claim corrected here posts by its own refund or booking.
    """

    TOPIC = "break-resolved/1"
    cause: int
    row: int
    how: int
    side: int
    period: int
    amount_fen: int
    reason: str


RECONCILING_EVENTS = (ReconciliationRun, BreakFound, BreakAssigned, BreakExplained, BreakCarried, BreakResolved)
