"""Draws up notices and the checker's list: payment notices with capitals, advances (预付金), variances."""

from collections.abc import Callable, Mapping
from typing import Any

from ledger.events import BASIS_RESETTLED
from ledger.money import round_half_up
from ledger.paying.advances import SCOPES
from ledger.paying.events import ADVANCE_INSTITUTION, ADVANCE_REGION
from projections.clearing.capitals import capitals
from projections.clearing.context import Context
from projections.clearing.lines import FUNDS
from projections.clearing.sheets import Sheet
from projections.clearing.views import carried_sheet
from projections.funds.views import advances

#: What each period's institutions had, from the index of acts. A booking anew ends at its own position.
_SUMMED = (
    "SELECT fixmedins_code, CAST(SUM(fund_pay_sumamt + acct_pay) AS BIGINT) FROM trace_act"
    f" WHERE period = ? AND claim + (CASE WHEN basis = {BASIS_RESETTLED} THEN 0 ELSE 1 END) <= ?"
)
OF_INSTITUTIONS = f"{_SUMMED} GROUP BY fixmedins_code"
OF_REGION = f"{_SUMMED} AND ? IN (insured_region, treatment_region) GROUP BY fixmedins_code"


def notice_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns the payment and receipt notices: per ordered pair fund, account, the amount in digits and capitals.

    What was reimbursed by hand is paid to the persons: it stands beside, and is not in the amount.
    """
    by = ("insured_region", "treatment_region")
    found = context.lines().sums(by, ("fund_pay_sumamt", "acct_pay"), context.region)
    by_hand, rows = context.by_hand(), []
    for insured, treatment, fund, account in found:
        reimbursed = by_hand.get((insured, treatment), 0)
        amount = fund + account - reimbursed
        if insured != treatment and (amount or reimbursed):
            said = (fund, account, reimbursed, amount, capitals(amount))
            rows.append((f"{insured:06d}", f"{treatment:06d}", *said))
    columns = ("payer", "payee", "fund_pay_sumamt", "acct_pay", "reimbursed_fen", "amount_fen", "capitals")
    return (Sheet("notices", "付款、收款通知书", "Payment and receipt notices", columns, rows),)


def advance_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns the advances in force: between provinces (预付金) and to institutions (周转金), what of each is in use.

    The figures are those of ``advance list``, as of the statement's position and by its terms.
    """
    found = advances(context.reader, context.terms, context.position)
    province = None if context.region is None else context.region // 10_000 * 10_000
    between = [
        each for each in found
        if each.scope == SCOPES[ADVANCE_REGION] and province in (None, each.payer, int(each.payee))
    ]  # fmt: skip
    to = [
        each for each in found
        if each.scope == SCOPES[ADVANCE_INSTITUTION] and context.region in (None, each.payer)
    ]  # fmt: skip
    columns = ("payer", "payee", "year", "quota_fen", "capitals", "given_fen", "used_fen", "used_ratio", "warning")
    return tuple(
        Sheet(name, zh, en, columns, [
            (
                *(f"{each.payer:06d}", each.payee, each.year, each.quota_fen, capitals(each.quota_fen)),
                *(each.paid_fen, each.used_fen, each.used_bp, each.warning),
            )
            for each in listed
        ])
        for name, zh, en, listed in (
            ("advances", "预付金通知书", "Advance notices", between),
            ("working", "周转金通知书", "Working capital notices", to),
        )
    )  # fmt: skip


def variance_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns what a checker looks at: what is out of line with the periods before, open breaks, the quarantine.

    By counterpart, fund and institution; listed is what differs by more than both thresholds of the terms, against a
    mean of nil by more than the amount; nothing is listed where no earlier period is cut off.
    """
    before = context.closed_before(context.terms.variance.periods)
    rows: list[tuple[Any, ...]] = []
    if before:
        views: tuple[tuple[str, Callable[[Context, int], Mapping[str, int]]], ...] = (
            ("counterpart", _by_counterpart),
            ("fund", _by_fund),
            ("institution", _by_institution),
        )
        for what, view in views:
            rows += _out_of_line(context, what, view(context, context.period), [view(context, p) for p in before])
    columns = ("what", "counterpart_key", "amount_fen", "mean_fen", "difference_fen", "difference_ratio")
    return (
        Sheet("variance", "异常变动表", "Out of line with the periods before", columns, rows),
        carried_sheet(context),
        quarantine_sheet(context),
    )


def quarantine_sheet(context: Context) -> Sheet:
    """Returns the rows quarantined while the period was open, by file and reason, with what they amount to."""
    columns = ("content", "source", "reason", "rows", "amount_fen", "unread")
    rows = [tuple(each) for each in context.quarantine.refused]
    return Sheet("quarantine", "隔离表", "Quarantined", columns, rows)


def _out_of_line(
    context: Context, what: str, now: Mapping[str, int], before: list[Mapping[str, int]]
) -> list[tuple[Any, ...]]:
    limit = context.terms.variance
    rows: list[tuple[Any, ...]] = []
    for key in sorted(now.keys() | {key for period in before for key in period}):
        amount = now.get(key, 0)
        mean = round_half_up(sum(period.get(key, 0) for period in before), len(before))
        difference = amount - mean
        if abs(difference) > limit.amount_fen and abs(difference) * 10_000 > abs(mean) * limit.ratio_bp:
            ratio = round_half_up(difference * 10_000, abs(mean)) if mean else None
            rows.append((what, key, amount, mean, difference, ratio))
    return rows


def _by_counterpart(context: Context, period: int) -> Mapping[str, int]:
    by = ("insured_region", "treatment_region")
    found = context.lines(period).sums(by, ("fund_pay_sumamt", "acct_pay"), context.region)
    return {f"{insured:06d}-{treatment:06d}": fund + account for insured, treatment, fund, account in found}


def _by_fund(context: Context, period: int) -> Mapping[str, int]:
    names = (*FUNDS, "acct_pay")
    return dict(zip(names, context.lines(period).sums((), names, context.region)[0], strict=True))


def _by_institution(context: Context, period: int) -> Mapping[str, int]:
    params = [period, context.position]
    sql = OF_INSTITUTIONS if context.region is None else OF_REGION
    params += [] if context.region is None else [context.region]
    return {str(name): int(fen) for name, fen in context.reader.query(sql, params)}
