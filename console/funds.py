"""Commands on funds: fund open, income, list, ratio; receivables."""

from typing import Any, Literal

from cyclopts import App

import ledger
import projections
from console import failures, output
from console.options import NO_OPTIONS, Amount, Options, Period, Region, check_order
from console.output import Column, count
from ledger.money import yuan_display as yuan
from ledger.paying.reports import Income


def register(app: App) -> None:
    """Adds this family to the command line."""
    fund = App(name="fund", help="Open funds, book their income, and show what they have, by fund and by class.")
    fund.command(opening, name="open")
    fund.command(income)
    fund.command(listing, name="list")
    fund.command(ratio)
    app.command(fund)
    app.command(receivables)


def opening(fund: int, /, *, region: Region, amount: Amount, period: Period, options: Options = NO_OPTIONS) -> None:
    """Open a fund with what it had (累计结余); once, before any income.

    Parameters
    ----------
    fund
        The fund's code (fund_pay_type), such as 310100 or 390100; 310200 is the personal accounts.
    region
        The region whose fund it is.
    amount
        What it had, in yuan.
    period
        The first month it is kept here, as yyyymm.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _tell(book.open_fund(region, fund, amount, period=period, reason=options.reason), options)


def income(
    fund: int,
    /,
    *,
    region: Region,
    kind: Literal["contribution", "subsidy", "transfer", "interest", "other"],
    amount: Amount,
    period: Period,
    document: str,
    options: Options = NO_OPTIONS,
) -> None:
    """Book income of a fund: 保费, 财政补助, 转移, 利息 or other; a document is booked once.

    Parameters
    ----------
    fund
        The fund's code (fund_pay_type).
    region
        The region whose fund it is.
    kind
        What it is.
    amount
        In yuan; below zero it takes income back.
    period
        The month it is booked in, as yyyymm.
    document
        The number it came under.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.fund_income(region, fund, kind, amount, period=period, document=document, reason=options.reason)
    _tell(done, options)


def _tell(done: Income, options: Options) -> None:
    if options.json:
        output.print_json(done)
        return
    already = ", booked before" if done.already else ""
    output.print_line(
        f"fund {done.fund_pay_type} of {done.region:06d}: {done.kind} {yuan(done.amount_fen)} in {done.period}{already}"
    )


def listing(*, begin: Period, to: Period, region: Region | None = None, options: Options = NO_OPTIONS) -> int:
    """Show each fund's opening, income, spending and closing balance (收支结余), personal accounts apart.

    Also the months its balance would pay (可支付月数). Exit status 1 if a closing balance up to now is not what the
    books hold.

    Parameters
    ----------
    begin
        The first month, as yyyymm.
    to
        The last month, as yyyymm.
    region
        Only this region's funds.
    """
    from ledger.funds.decide import FUND_NAMES

    check_order(begin, to)
    with projections.open(options.store) as read:
        found = read.funds(begin, to, region)
        now = {(each.region, each.fund_pay_type): each.closing_fen for each in read.funds(begin, 999912, region)}
    wrong = [each for each in found if now[each.region, each.fund_pay_type] != each.booked_fen]
    status = failures.CHECK_FAILED if wrong else failures.OK
    if options.json:
        output.print_json(found)
        return status
    columns = (
        Column("region", "地区"), Column("fund", "基金"),
        Column("opening", "期初", yuan), Column("income", "收入", yuan),
        Column("spend", "支出", yuan), Column("recovered", "追回", yuan), Column("change", "当期结余", yuan),
        Column("closing", "累计结余", yuan), Column("months payable", "可支付月数", right=True),
    )  # fmt: skip
    for account, title in ((False, "Pooled funds 统筹基金"), (True, "Personal accounts 个人账户")):
        rows: list[tuple[Any, ...]] = [
            (
                f"{each.region:06d}",
                f"{each.fund_pay_type} {FUND_NAMES.get(each.fund_pay_type, '')}",
                *(each.opening_fen, each.income_fen, each.spend_fen, each.recovered_fen, each.change_fen),
                each.closing_fen,
                None if each.months_tenths is None else _tenths(each.months_tenths),
            )
            for each in found
            if each.account is account
        ]
        if rows:
            sums = [sum(row[at] for row in rows) for at in range(2, 8)]
            output.print_table(columns, rows, title=f"{title} {begin}–{to}", total=("total 合计", None, *sums, None))
    for each in wrong:
        output.print_line(
            f"fund {each.fund_pay_type} of {each.region:06d}: expected {yuan(each.booked_fen)} (the books),"
            f" got {yuan(now[each.region, each.fund_pay_type])}: run verify"
        )
    return status


def ratio(*, begin: Period, to: Period, region: Region | None = None, options: Options = NO_OPTIONS) -> None:
    """Show the share of in-scope cost that funds paid (政策范围内支付比例), by insurance type and kind of care.

    Parameters
    ----------
    begin
        The first clearing period, as yyyymm.
    to
        The last clearing period, as yyyymm.
    region
        Only residents of this region.
    """
    check_order(begin, to)
    with projections.open(options.store) as read:
        found = read.in_scope(begin, to, region)
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("insutype", "险种"), Column("med_type", "医疗类别"), Column("person-times", "人次", count),
        Column("total fee", "总费用", yuan), Column("in scope", "政策范围内", yuan), Column("funds", "基金支付", yuan),
        Column("ratio", "支付比例", _percent, right=True),
    )  # fmt: skip
    rows = [
        (str(each.insutype), str(each.med_type), each.person_times, each.medfee_fen, each.inscp_fen, each.fund_fen,
         each.ratio_bp)
        for each in found
    ]  # fmt: skip
    summed = [(each.person_times, each.medfee_fen, each.inscp_fen, each.fund_fen) for each in found]
    sums = [sum(each[at] for each in summed) for at in range(4)]
    whole = (20_000 * sums[3] + sums[2]) // (2 * sums[2]) if sums and sums[2] > 0 else None
    title = f"In-scope ratio 政策范围内支付比例 {begin}–{to}"
    output.print_table(columns, rows, title=title, total=("total 合计", None, *sums, whole))


def _tenths(number: int) -> str:
    whole, rest = divmod(abs(number), 10)
    return f"{'-' if number < 0 else ''}{whole:,}.{rest}"


def _percent(ratio_bp: int) -> str:
    return f"{yuan(ratio_bp)}%"


def receivables(*, on: Period, region: Region | None = None, options: Options = NO_OPTIONS) -> None:
    """Show what regions are owed by counterparts, by age in months (应收账龄).

    Parameters
    ----------
    on
        The month asked about, as yyyymm: periods up to it, and their age in it.
    region
        Only what this region is owed.
    """
    from projections.funds.views import EDGES

    with projections.open(options.store) as read:
        found = read.receivables(on, region)
    if options.json:
        output.print_json(found)
        return
    lows = [0, *(edge + 1 for edge in EDGES)]
    names = [f"{low}–{high} months" for low, high in zip(lows, EDGES, strict=False)] + [f"over {EDGES[-1]}"]
    columns = (
        Column("region", "收款方"), Column("counterpart", "欠款方"), Column("oldest", "最早"),
        *(Column(name, "账龄", yuan) for name in names), Column("total", "合计", yuan),
    )  # fmt: skip
    rows = [
        (f"{each.region:06d}", f"{each.counterpart:06d}", str(each.oldest), *each.buckets, each.total_fen)
        for each in found
    ]
    sums = [sum(column) for column in zip(*(row[3:] for row in rows), strict=True)] or [0] * (len(EDGES) + 2)
    output.print_table(
        columns, rows, title=f"Receivables by age 应收账龄 {on}", total=("total 合计", None, None, *sums)
    )
