"""Commands on advances, retention, suppliers and surpluses: advance …, retention release, supplier …, surplus grant."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

import ledger
import projections
from console import failures, output
from console.failures import UserError
from console.options import NO_OPTIONS, Amount, Day, DayOrNone, Options, Period, Region, Year
from console.output import Column
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.paying.reports import Advance, Guarantee
    from ledger.reports import Payment

Institution = Annotated[str, Parameter(help="The institution's code.")]
Paying = Annotated[Region, Parameter(help="The region whose agency pays.")]
MonthPaid = Annotated[Period, Parameter(help="The month it is paid under, as yyyymm.")]
Yuan = Annotated[Amount, Parameter(help="In yuan.")]


def register(app: App) -> None:
    """Adds this family to the command line."""
    advance = App(
        name="advance", help="Set advances between regions (预付金) and to institutions (周转金); show their use."
    )
    for command in (quota, working, adjust):
        advance.command(command)
    advance.command(listing, name="list")
    app.command(advance)
    retention = App(name="retention", help="Release what is retained of institutions (质量保证金).")
    retention.command(release)
    app.command(retention)
    supplier = App(name="supplier", help="Pay drug suppliers for institutions under a bank guarantee (第三方支付).")
    supplier.command(guarantee)
    supplier.command(pay_supplier, name="pay")
    app.command(supplier)
    surplus = App(name="surplus", help="Pay out retained surpluses (结余留用).")
    surplus.command(grant)
    app.command(surplus)


def quota(*, year: Year, period: Period, options: Options = NO_OPTIONS) -> None:
    """Set every pair of provinces' 预付金 from last year's fourth quarter, and instruct the differences.

    Parameters
    ----------
    year
        The year of the quotas.
    period
        The month the differences are paid under, as yyyymm; its terms say how many months.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_quotas(book.advance_quotas(year, period, reason=options.reason), options)


def working(*, year: Year, period: Period, region: Region | None = None, options: Options = NO_OPTIONS) -> None:
    """Set every institution's 周转金 from the closed months of last year, and instruct the differences.

    Parameters
    ----------
    year
        The year of the quotas.
    period
        The month the differences are paid under, as yyyymm.
    region
        Only institutions of this region.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_quotas(book.working_capital(year, period, region=region, reason=options.reason), options)


def adjust(
    payee: str,
    /,
    *,
    payer: Region,
    period: Period,
    quota: Amount | None = None,
    increase: Amount | None = None,
    institution: bool = False,
    options: Options = NO_OPTIONS,
) -> None:
    """Set one advance to another quota, or increase it in an emergency; the difference is instructed.

    Parameters
    ----------
    payee
        The region, or with `--institution` the institution, that has it.
    payer
        The region that gives it.
    period
        The month the difference is paid under, as yyyymm.
    quota
        The new quota, in yuan.
    increase
        By how much an emergency raises it, in yuan.
    institution
        The payee is an institution (周转金).
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.advance_adjust(
            payer, payee, period, quota_fen=quota, increase_fen=increase, institution=institution,
            reason=options.why("advance adjust"),
        )  # fmt: skip
    _print_quotas([done], options)


def _print_quotas(found: "list[Advance]", options: Options) -> None:
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("payer", "付款方"), Column("payee", "收款方"), Column("why", "原因"), Column("base", "基数", yuan),
        Column("before", "原额度", yuan), Column("quota", "额度", yuan), Column("to pay", "应付", yuan),
        Column("payment", "付款"),
    )  # fmt: skip
    rows = [
        (f"{each.payer:06d}", each.payee, each.why, each.base_fen, each.before_fen, each.quota_fen,
         each.quota_fen - each.before_fen, each.payment)
        for each in found
    ]  # fmt: skip
    sums = [
        sum(each.base_fen for each in found), sum(each.before_fen for each in found),
        sum(each.quota_fen for each in found), sum(each.quota_fen - each.before_fen for each in found),
    ]  # fmt: skip
    output.print_table(columns, rows, title="Advances 预付金、周转金", total=("total 合计", None, None, *sums, None))


def listing(*, period: Period, options: Options = NO_OPTIONS) -> int:
    """List every advance with what its payee has laid out, and warn; exit status 1 if one is red.

    Parameters
    ----------
    period
        The month whose terms say what is yellow and red, as yyyymm.
    """
    with projections.open(options.store) as read:
        found = read.advances(period)
    status = failures.CHECK_FAILED if any(each.warning == "red" for each in found) else failures.OK
    if options.json:
        output.print_json(found)
        return status
    columns = (
        Column("of", "类别"), Column("payer", "付款方"), Column("payee", "收款方"), Column("quota", "额度", yuan),
        Column("given", "已拨", yuan), Column("used", "已用", yuan), Column("use", "使用率", right=True),
        Column("warning", "预警"),
    )  # fmt: skip
    colours = {"none": "", "yellow": "yellow 黄", "red": "red 红"}
    rows = [
        (each.scope, f"{each.payer:06d}", each.payee, each.quota_fen, each.paid_fen, each.used_fen,
         None if each.used_bp is None else f"{yuan(each.used_bp)}%", colours[each.warning])
        for each in found
    ]  # fmt: skip
    sums = [
        sum(each.quota_fen for each in found), sum(each.paid_fen for each in found),
        sum(each.used_fen for each in found),
    ]  # fmt: skip
    output.print_table(
        columns, rows, title="Advances and their use", total=("total 合计", None, None, *sums, None, None)
    )
    return status


def release(
    institution: Institution,
    /,
    *,
    region: Region,
    year: Year,
    period: MonthPaid,
    amount: Amount,
    fund: int = 310100,
    options: Options = NO_OPTIONS,
) -> None:
    """End a year's retention of an institution after its assessment: a part is paid, the rest stays with a fund.

    Parameters
    ----------
    region
        The region whose agency retained it.
    year
        The year it was retained in.
    amount
        What is paid, in yuan; the rest is kept.
    fund
        The fund that keeps the rest.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.release_retention(
            region, institution, year, period, amount, fund, reason=options.why("retention release")
        )
    output.answer(
        options,
        done,
        f"{institution} {year}: retained {yuan(done.retained_fen)}, released {yuan(done.released_fen)}"
        f" ({done.payment or 'nothing to pay'}), kept {yuan(done.kept_fen)}",
    )


def guarantee(
    institution: str = "",
    /,
    *,
    region: Region | None = None,
    limit: Amount = 0,
    bank: str = "",
    code: str = "",
    begin: Day = 0,
    to: DayOrNone = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Set the bank guarantee of an institution and its limit; without an institution, list them with their use.

    Parameters
    ----------
    institution
        The institution whose suppliers are paid under it.
    region
        The region whose agency pays.
    limit
        The most that may be in use at a time, in yuan.
    bank
        The bank that guarantees.
    code
        The guarantee's number.
    begin
        Its first day, as yyyymmdd.
    to
        Its last day, as yyyymmdd; 0 for none.
    """
    with ledger.open(options.store, actor=options.who) as book:
        if not institution:
            _print_guarantees(book.guarantees(), options)
            return
        if region is None or not bank or not code or not begin:
            raise UserError("usage", "expected --region, --limit, --bank, --code and --begin beside an institution")
        done = book.set_guarantee(
            region, institution, limit, bank=bank, code=code, begin=begin, to=to, reason=options.reason
        )
    _print_guarantees([done], options)


def _print_guarantees(found: "list[Guarantee]", options: Options) -> None:
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("region", "地区"), Column("institution", "机构"), Column("bank", "担保银行"), Column("number", "保函号"),
        Column("from", "起", output.day_text), Column("to", "止", output.day_text), Column("limit", "限额", yuan),
        Column("in use", "已用", yuan),
    )  # fmt: skip
    rows = [
        (f"{each.region:06d}", each.payee, each.bank, each.code, each.begin, each.to, each.limit_fen,
         each.used_fen)
        for each in found
    ]  # fmt: skip
    sums = [sum(each.limit_fen for each in found), sum(each.used_fen for each in found)]
    title, blank = "Guarantees 保函", [None] * 5
    output.print_table(columns, rows, title=title, total=("total 合计", *blank, *sums))


def pay_supplier(
    supplier: str,
    /,
    *,
    institution: str,
    region: Paying,
    amount: Yuan,
    invoice: str,
    period: MonthPaid,
    on: Day,
    options: Options = NO_OPTIONS,
) -> None:
    """Pay a drug supplier for an institution under its guarantee; the next clearings pay the institution less by it.

    Parameters
    ----------
    supplier
        The supplier's code.
    institution
        The institution it delivered to.
    invoice
        The invoice's number; it is paid once.
    on
        The day, as yyyymmdd, on which the guarantee must hold.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.pay_supplier(
            region, institution, supplier, amount, period=period, invoice=invoice, on=on, reason=options.reason
        )
    _tell(done, options)


def grant(
    institution: Institution,
    /,
    *,
    region: Paying,
    year: Year,
    period: MonthPaid,
    amount: Yuan,
    fund: int,
    options: Options = NO_OPTIONS,
) -> None:
    """Grant an institution the surplus it retains of a year's package or DRG budget, and instruct it; once a year.

    Parameters
    ----------
    year
        The budget year.
    fund
        The fund it is spent from.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.grant_surplus(region, institution, year, period, amount, fund, reason=options.why("surplus grant"))
    _tell(done, options)


def _tell(done: "Payment", options: Options) -> None:
    output.answer(options, done, f"instructed {done.key}: {yuan(done.amount_fen)}")
