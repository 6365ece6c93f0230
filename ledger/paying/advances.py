"""Decides advances: quotas between regions (预付金) and to institutions (周转金), never an expenditure.

A quota replaces the one before; only the difference moves, with its sign: a smaller quota is paid back.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ledger.clearing.figures import PeriodFigures, fold_period
from ledger.clearing.states import State, read_clearing
from ledger.events import PAYMENT_ADVANCE, PAYMENT_WORKING, Event
from ledger.keys import advance_stream, payment_stream
from ledger.mapper import decode_event
from ledger.money import round_half_up
from ledger.paying.events import ADVANCE_REGION, AdvanceSet
from ledger.payments import Due, instruction
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader

#: What each scope and each reason is called.
SCOPES = {1: "regions", 2: "institution"}
REASONS = {1: "yearly", 2: "adjusted", 3: "emergency"}

Headed = tuple[str, int, Event]


def read_advance(reader: "Reader", scope: int, payer: int, payee: str) -> tuple[AdvanceSet | None, int]:
    """Returns the quota in force of an advance and the version of its stream."""
    events = reader.stream(advance_stream(scope, payer, payee))
    if not events:
        return None, 0
    event = decode_event(events[-1][2], events[-1][3])
    assert isinstance(event, AdvanceSet)
    return event, len(events)


def decide_set(
    before: AdvanceSet | None,
    version: int,
    *,
    cause: int,
    period: int,
    scope: int,
    payer: int,
    payee: str,
    year: int,
    why: int,
    quota_fen: int,
    base: tuple[int, int, int] = (0, 0, 0),
) -> list[Headed] | Refusal:
    """Returns the quota set and the payment of its difference, or why not; ``base`` is (fen, its months, months).

    The payment stands under ``period`` (yyyymm) with the quota's number behind its key.
    """
    had = before.quota_fen if before else 0
    if quota_fen < 0:
        return Refusal.BAD_VALUE
    if quota_fen == had:
        return Refusal.QUOTA_UNCHANGED
    kind = PAYMENT_ADVANCE if scope == ADVANCE_REGION else PAYMENT_WORKING
    key = f"{payment_stream(kind, period, payer, payee)}-{version + 1}"
    event = AdvanceSet(cause, 0, scope, payer, payee, year, why, *base, quota_fen, had, key)
    due = Due(kind, payer, payee, 0, quota_fen - had, 0)
    return [(advance_stream(scope, payer, payee), version + 1, event), (key, 1, instruction(period, due, cause))]


def closed_figures(reader: "Reader", periods: Iterable[int], *, every: bool) -> list[PeriodFigures]:
    """Returns the figures of closed periods; ``every`` refuses (PERIOD_NOT_CLOSED) where one is not closed."""
    from ledger.acts import read_acts

    found = []
    for period in periods:
        state = read_clearing(reader, period)
        if state.state >= State.CUT_OFF:
            found.append(fold_period(read_acts(reader, after=state.opened, stop=state.closed), period))
        elif every and state.state == State.OPEN:
            raise Refused(
                Refusal.PERIOD_NOT_CLOSED, f"expected {period} closed before a quota is drawn from it, got it open"
            )
    if not found:
        raise Refused(
            Refusal.PERIOD_NOT_CLOSED, "expected closed periods in the year before to draw a quota from, got none"
        )
    return found


def between_provinces(figures: Iterable[PeriodFigures]) -> dict[tuple[int, int], int]:
    """Returns what was due per ordered pair of provinces (XX0000), fen; nothing inside one."""
    sums: dict[tuple[int, int], int] = {}
    for each in figures:
        for (insured, treatment), (_, fund, account) in each.regions.items():
            pair = (insured // 10_000 * 10_000, treatment // 10_000 * 10_000)
            if pair[0] != pair[1]:
                sums[pair] = sums.get(pair, 0) + fund + account
    return sums


def to_institutions(figures: Iterable[PeriodFigures], region: int | None) -> dict[tuple[int, str], int]:
    """Returns what institutions were owed, by (region of treatment, institution), fen."""
    sums: dict[tuple[int, str], int] = {}
    for each in figures:
        for key, (_, fund, account) in each.institutions.items():
            if region in (None, key[0]):
                sums[key] = sums.get(key, 0) + fund + account
    return sums


def quota(base_fen: int, base_months: int, months: int) -> int:
    """Returns so many times a monthly mean, half up to the fen, never below zero."""
    return max(0, round_half_up(base_fen * months, base_months))
