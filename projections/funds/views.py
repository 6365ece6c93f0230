"""Draws up in-scope ratios by class, receivables by age and counterpart, and advances with their use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ledger.clearing.terms import Terms
from ledger.events import PAYMENT_REGION
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import round_half_up
from ledger.paying.advances import SCOPES
from ledger.paying.events import ADVANCE_REGION, AdvanceSet
from ledger.payments import PaymentState, evolve
from projections.balance_at import balances_at
from projections.clearing.lines import LINE

if TYPE_CHECKING:
    from ledger.store import Reader

IN_SCOPE = (
    "SELECT insutype, med_type, CAST(SUM(settlements - refunds) AS BIGINT), CAST(SUM(medfee_sumamt) AS BIGINT),"
    f" CAST(SUM(inscp_scp_amt) AS BIGINT), CAST(SUM(fund_pay_sumamt) AS BIGINT) FROM {LINE.name}"
    " WHERE period >= ? AND period <= ?{} GROUP BY insutype, med_type ORDER BY insutype, med_type"
)
OWED = (
    "SELECT treatment_region, insured_region, period, CAST(SUM(fund_pay_sumamt + acct_pay) AS BIGINT)"
    f" FROM {LINE.name} WHERE treatment_region <> insured_region AND period <= ?"
    " GROUP BY treatment_region, insured_region, period"
)

#: Ages in months at which a bucket of receivables ends; what is older is the last.
EDGES = (1, 3, 6, 12)


class InScope(msgspec.Struct, frozen=True):
    """Is how much of the in-scope cost the funds paid (政策范围内支付比例), by insurance type and kind of care.

    ``ratio_bp`` is Σ fund / Σ in scope in basis points, None where nothing was in scope.
    """

    insutype: int
    med_type: int
    person_times: int
    medfee_fen: int
    inscp_fen: int
    fund_fen: int
    ratio_bp: int | None


class Receivable(msgspec.Struct, frozen=True):
    """Is what a counterpart still owes a region, by age: one bucket an edge, then what is older (fen)."""

    region: int
    counterpart: int
    oldest: int
    buckets: tuple[int, ...]
    total_fen: int


class AdvanceUse(msgspec.Struct, frozen=True):
    """Is an advance and its use: quota, what was paid of it, what it carries now, the share in basis points.

    ``warning`` is none, yellow or red, by the terms of the period asked about.
    """

    scope: str
    payer: int
    payee: str
    year: int
    quota_fen: int
    paid_fen: int
    used_fen: int
    used_bp: int | None
    warning: str


def in_scope(reader: "Reader", begin: int, to: int, region: int | None) -> list[InScope]:
    """Returns the ratio of every class, of one insured region where one is given."""
    also, params = ("", ()) if region is None else (" AND insured_region = ?", (region,))
    return [
        InScope(
            insutype, med_type, times, medfee, scope, fund, round_half_up(fund * 10_000, scope) if scope > 0 else None
        )
        for insutype, med_type, times, medfee, scope, fund in reader.query(IN_SCOPE.format(also), (begin, to, *params))
    ]


def receivables(reader: "Reader", on: int, region: int | None, edges: Sequence[int] = EDGES) -> list[Receivable]:
    """Returns what regions are owed by counterparts for periods up to a month, by its age; nothing that is settled.

    A period is 0 months old in itself. What is received of its payment or came off it is off it, were it for cases or
    for an earlier period below zero, which is settled by that; what came back is on it again.
    """
    owed = {(t, i, p): fen for t, i, p, fen in reader.query(OWED, (on,)) if region in (None, t)}
    states: dict[str, PaymentState] = {}
    for position, stream, _, topic, state in streams_with_prefix(reader, f"payment-{PAYMENT_REGION}"):
        states[stream] = evolve(states.get(stream, PaymentState()), decode_event(topic, state), position)
    for each in states.values():
        instructed = each.instructed
        assert instructed is not None
        key = (int(instructed.payee), instructed.payer, instructed.period)
        if key in owed:
            owed[key] -= each.received_fen + each.set_off_fen
            owed[key] -= instructed.withheld_fen + instructed.returned_fen + instructed.offset_fen
    found: dict[tuple[int, int], list[int]] = {}
    oldest: dict[tuple[int, int], int] = {}
    for (treatment, insured, period), fen in owed.items():
        if fen:
            age = 12 * (on // 100 - period // 100) + on % 100 - period % 100
            at = next((number for number, edge in enumerate(edges) if age <= edge), len(edges))
            found.setdefault((treatment, insured), [0] * (len(edges) + 1))[at] += fen
            oldest[treatment, insured] = min(period, oldest.get((treatment, insured), period))
    return [Receivable(*key, oldest[key], tuple(sums), sum(sums)) for key, sums in sorted(found.items())]


def advances(reader: "Reader", terms: Terms, stop: int) -> list[AdvanceUse]:
    """Returns every advance set up to a position with its use there, warned of by terms.

    Its use is what its payee laid out for its payer, or is owed by it, and has not got: between regions what the
    payer's province owes the payee's, to an institution what the agency owes it.
    """
    last: dict[tuple[int, int, str], AdvanceSet] = {}
    for position, _, _, topic, state in streams_with_prefix(reader, "advance"):
        event = decode_event(topic, state)
        assert isinstance(event, AdvanceSet)
        if position <= stop:
            last[event.scope, event.payer, event.payee] = event
    held = balances_at(reader, stop) if last else {}
    receivable: dict[tuple[int, int], int] = {}
    for account, fen in held.items():
        if account.startswith("receivable:"):
            _, treatment, insured = account.split(":")
            pair = (int(insured) // 10_000, int(treatment) // 10_000)
            receivable[pair] = receivable.get(pair, 0) + fen
    yellow, red = terms.advance.warnings_bp
    found = []
    for (scope, payer, payee), event in sorted(last.items()):
        if scope == ADVANCE_REGION:
            given = held.get(f"prefund:{payer:06d}:{payee}", 0)
            used = receivable.get((payer // 10_000, int(payee) // 10_000), 0)
        else:
            given = held.get(f"working:{payer:06d}:{payee}", 0)
            used = -held.get(f"payable:{payer:06d}:{payee}", 0)
        ratio = round_half_up(used * 10_000, event.quota_fen) if event.quota_fen > 0 else None
        share = used * 10_000  # exact: the ratio shown is rounded
        limits = ((red, "red"), (yellow, "yellow")) if event.quota_fen > 0 else ()
        warning = next((name for limit, name in limits if share >= limit * event.quota_fen), "none")
        found.append(AdvanceUse(SCOPES[scope], payer, payee, event.year, event.quota_fen, given, used, ratio, warning))
    return found
