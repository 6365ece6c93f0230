"""Draws up the gross sheets: pairs at both grains, the chain of legs, summary, payable, receivable, net, two roles.

Payables and receivables are stated gross per ordered pair; audit deductions stand apart, since they are collected by
receipt or offset and never lower a claim (DOMAIN section 9); so do the personal accounts' legs. A claim reimbursed by
hand counts among them like any other, and what is paid to its person instead stands beside what is due.
"""

from collections.abc import Iterable
from typing import Any

from ledger.events import BASIS_KERNEL
from ledger.money import round_half_up
from projections.clearing.context import Context
from projections.clearing.lines import FUNDS
from projections.clearing.sheets import Sheet

_TIMES = ("settlements", "refunds")
_DUE = ("fund_pay_sumamt", "acct_pay")
#: The insurance types of employees; residents' births are under their own, 390.
EMPLOYEE = (310, 340, 510)

#: The legs of money in the order it takes them.
LEGS = (
    ("up", "上解表：参保市至参保省", "Up: insured city to its province"),
    ("across", "跨省清算表：参保省至就医省", "Across: insured province to treatment province"),
    ("down", "下拨表：就医省至就医市", "Down: treatment province to its city"),
    ("pay", "拨付表：就医市至医药机构", "Pay: treatment city to institutions"),
)


def pair_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns gross sums per ordered pair of cities, insurance type and clearing type; accounts apart."""
    by = ("insured_region", "treatment_region", "insutype", "clr_type")
    return (_gross(context, "pairs", "城市清算表", "Pairs of cities", by),)


def province_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns gross sums per ordered pair of provinces, insurance type and clearing type."""
    by = ("insured_province", "treatment_province", "insutype", "clr_type")
    return (_gross(context, "provinces", "省级清算表", "Pairs of provinces", by),)


def _gross(context: Context, name: str, zh: str, en: str, by: tuple[str, ...]) -> Sheet:
    found = context.lines().sums(by, (*_TIMES, "medfee_sumamt", *FUNDS, *_DUE), context.region)
    # The person-times are settlements less refunds; what is due is the last two, fund and account.
    rows = [(*row[:4], row[4] - row[5], *row[4:], row[-2] + row[-1]) for row in found]
    columns = (*by, "person_times", *_TIMES, "medfee_sumamt", *FUNDS, *_DUE, "due_fen")
    return Sheet(name, zh, en, columns, rows)


def _by_pair(context: Context) -> list[tuple[int, ...]]:
    """Returns (insured, treatment, insutype, person-times, total fee, fund, account) of every pair, own city too."""
    by = ("insured_region", "treatment_region", "insutype")
    found = context.lines().sums(by, (*_TIMES, "medfee_sumamt", *_DUE), context.region)
    return [(*row[:3], row[3] - row[4], *row[5:]) for row in found]


def chain_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns every leg money takes: 上解 to the insured province, between provinces, 下拨 to the city, 拨付.

    A region that is its own province (a municipality) has no leg to itself.
    """
    legs: dict[tuple[int, int, int], list[int]] = {}
    for insured, treatment, _, times, _, fund, account in _by_pair(context):
        home, host = insured // 10_000 * 10_000, treatment // 10_000 * 10_000
        taken = [(3, treatment, treatment)]
        if insured != treatment:
            taken += [(0, insured, home), (1, home, host), (2, host, treatment)]
        for order, payer, payee in taken:
            if order == 3 or payer != payee:
                sums = legs.setdefault((order, payer, payee), [0, 0, 0])
                for at, value in enumerate((times, fund, account)):
                    sums[at] += value
    columns = ("payer", "payee", "person_times", *_DUE, "due_fen")
    return tuple(
        Sheet(
            name,
            *(zh, en, columns),
            [
                (f"{payer:06d}", "*" if order == 3 else f"{payee:06d}", *sums, sums[1] + sums[2])
                for (of, payer, payee), sums in sorted(legs.items())
                if of == order
            ],
        )
        for order, (name, zh, en) in enumerate(LEGS)
    )


def summary_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns what each region owes and is owed off site, the same of provinces where of no region, and the breaks."""
    of_provinces = _summary(context, 10_000, ("分省汇总表", "Provinces"), "province_") if context.region is None else ()
    return (*_summary(context, 1, ("汇总表", "Summary"), ""), *of_provinces, carried_sheet(context))


def _summary(context: Context, grain: int, title: tuple[str, str], prefix: str) -> tuple[Sheet, ...]:
    """Returns person-times, employees, residents, account, total and deductions of both sides, and their net.

    ``grain`` is 1 for regions, 10,000 for provinces; what stays inside one of them is not in it.
    """
    sums: dict[int, list[int]] = {}

    def sides(insured: int, treatment: int) -> list[tuple[int, int]]:
        home, host = insured // grain * grain, treatment // grain * grain
        return [each for each in ((home, 0), (host, 6)) if home != host and context.region in (None, each[0])]

    for insured, treatment, insutype, times, _, fund, account in _by_pair(context):
        kind = 1 if insutype in EMPLOYEE else 2
        for region, side in sides(insured, treatment):
            line = sums.setdefault(region, [0] * 12)
            line[side] += times
            line[side + kind] += fund
            line[side + 3] += account
            line[side + 4] += fund + account
    for (insured, treatment), amount_fen in context.deducted().items():
        for region, side in sides(insured, treatment):
            sums.setdefault(region, [0] * 12)[side + 5] += amount_fen
    columns = ("person_times", "employee_fen", "resident_fen", "acct_pay", "due_fen", "deducted_fen")
    owes = [(region, *line[:6]) for region, line in sorted(sums.items())]
    owed = [(region, *line[6:]) for region, line in sorted(sums.items())]
    net = [(region, line[4], line[10], line[10] - line[4]) for region, line in sorted(sums.items())]
    received = tuple("receivable_fen" if name == "due_fen" else name for name in columns)
    zh, en = title
    return (
        Sheet(f"{prefix}payable", f"{zh}：应付", f"{en}: payable", ("region", *columns), owes),
        Sheet(f"{prefix}receivable", f"{zh}：应收", f"{en}: receivable", ("region", *received), owed),
        Sheet(f"{prefix}net", f"{zh}：净额", f"{en}: net", ("region", "due_fen", "receivable_fen", "net_fen"), net),
    )


def carried_sheet(context: Context) -> Sheet:
    """Returns the open breaks the statement carries: found when, against whom, whose turn, what each side states."""
    rows = [
        (
            each.key, each.period, each.counterpart, each.claim, each.kind, each.status, each.owner, each.carried,
            each.ours_fen, each.theirs_fen, each.difference_fen,
        )
        for each in context.carried
    ]  # fmt: skip
    columns = (
        *("break_key", "period", "counterpart_key", "setl_id", "kind", "status", "owner", "carried_periods"),
        *("ours_fen", "theirs_fen", "difference_fen"),
    )
    return Sheet("carried", "对账差异结转表", "Open breaks carried", columns, rows)


def payable_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns what each insured region owes, counterpart by counterpart."""
    return (_sided(context, "payable", "应付表", "Payable", insured_first=True),)


def receivable_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns what each treatment region is owed, counterpart by counterpart."""
    return (_sided(context, "receivable", "应收表", "Receivable", insured_first=False),)


def _sided(context: Context, name: str, zh: str, en: str, *, insured_first: bool) -> Sheet:
    sums: dict[tuple[int, int], list[int]] = {}
    for insured, treatment, insutype, times, medfee, fund, account in _by_pair(context):
        pair = (insured, treatment) if insured_first else (treatment, insured)
        if insured != treatment and context.region in (None, pair[0]):
            line = sums.setdefault(pair, [0] * 7)
            employee = fund if insutype in EMPLOYEE else 0
            _add(line, (times, medfee, employee, fund - employee, fund, account, fund + account))
    deducted, by_hand = context.deducted(), context.by_hand()
    rows = []
    for pair in sorted(sums.keys() | {_turned(p, insured_first) for p in deducted}):
        amount_fen, reimbursed = (each.get(_turned(pair, insured_first), 0) for each in (deducted, by_hand))
        if pair[0] != pair[1] and context.region in (None, pair[0]):
            line = sums.get(pair, [0] * 7)
            left = line[6] - amount_fen - reimbursed
            rows.append((*pair, *line[:6], amount_fen, line[6], reimbursed, left))
    own = "insured_region" if insured_first else "treatment_region"
    columns = (
        *(own, "counterpart", "person_times", "medfee_sumamt", "employee_fen", "resident_fen", *_DUE, "deducted_fen"),
        *("due_fen" if insured_first else "receivable_fen", "reimbursed_fen", "after_deductions_fen"),
    )
    return Sheet(name, zh, en, columns, rows)


def _turned(pair: tuple[int, int], insured_first: bool) -> tuple[int, int]:
    return pair if insured_first else (pair[1], pair[0])


def _add(into: list[int], values: Iterable[int]) -> None:
    for at, value in enumerate(values):
        into[at] += value


def net_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns an extra view: per pair of regions, smaller code first, both gross sides and their difference."""
    sums: dict[tuple[int, int], list[int]] = {}
    for insured, treatment, _, _, _, fund, account in _by_pair(context):
        if insured != treatment:
            side = 0 if insured < treatment else 1
            pair = (min(insured, treatment), max(insured, treatment))
            sums.setdefault(pair, [0, 0])[side] += fund + account
    rows = [(*pair, owes, owed, owed - owes) for pair, (owes, owed) in sorted(sums.items())]
    columns = ("region", "counterpart", "due_fen", "receivable_fen", "net_fen")
    return (Sheet("net", "轧差表（仅供参考）", "Net view, beside the gross tables", columns, rows),)


def late_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns the claims carried into the period by business month, and whether the terms still allow them."""
    found = context.lines().sums(("month",), ("late_acts", "late_medfee_fen"), context.region)
    rows = [
        (month, acts, fen, "overdue" if context.terms.overdue(month, context.period) else "within")
        for month, acts, fen in found
        if acts
    ]
    columns = ("month", "late_acts", "late_medfee_fen", "allowed")
    return (Sheet("late", "跨期结算表", "Claims carried into the period", columns, rows),)


def role_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns a city's off-site care in both roles: by scope and clearing type, direct counts, rates, avoided advances.

    A claim that its source settled was paid at the counter: it is direct. What its funds and account paid there the
    person did not have to advance. One reimbursed by hand counts among all, never among the direct ones.
    """
    region = context.region
    found = context.lines().sums(
        ("insured_region", "treatment_region", "clr_type", "basis"), (*_TIMES, "medfee_sumamt", *_DUE), region
    )
    sums: dict[tuple[int, int, int], list[int]] = {}
    for insured, treatment, clr_type, basis, settled, refunded, medfee, fund, account in found:
        if insured == treatment:
            continue
        times, paid = settled - refunded, fund + account
        direct = basis != BASIS_KERNEL or context.terms.channel.computed == "direct"
        scope = 0 if insured // 10_000 == treatment // 10_000 else 1
        line = sums.setdefault((0 if insured == region else 1, scope, clr_type), [0] * 7)
        _add(line, (times, times if direct else 0, medfee, fund, account, paid, paid if direct else 0))
    if context.terms.channel.computed == "direct":
        for owed in context.reimbursed:
            pair = (owed.insured_region, owed.treatment_region)
            if owed.period != context.period or pair[0] == pair[1] or region not in (None, *pair):
                continue
            # Counted above as what the city's own platform settled: by hand, it was not direct.
            scope = 0 if pair[0] // 10_000 == pair[1] // 10_000 else 1
            clr_type = context.terms.types.get(owed.med_type, owed.med_type)
            line = sums[0 if pair[0] == region else 1, scope, clr_type]
            _add(line, (0, -owed.times, 0, 0, 0, 0, -(owed.fund_fen + owed.account_fen)))
    rows: list[tuple[Any, ...]] = []
    for (role, scope, clr_type), line in sorted(sums.items()):
        ratio = round_half_up(line[1] * 10_000, line[0]) if line[0] > 0 else None
        words = (("insured", "treatment")[role], ("same_province", "cross_province")[scope])
        rows.append((*words, clr_type, line[0], line[1], ratio, *line[2:]))
    columns = (
        *("role", "scope", "clr_type", "person_times", "direct_times", "direct_ratio", "medfee_sumamt", *_DUE),
        *("due_fen", "avoided_fen"),
    )
    return (Sheet("roles", "异地就医双角色报告", "Off-site care in both roles", columns, rows),)
