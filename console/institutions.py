"""Commands on what institutions are paid instead of itemised fund parts: institutions set, institutions show."""

from cyclopts import App

import ledger
import projections
from console import failures, output
from console.options import NO_OPTIONS, Options, Period, Region
from console.output import Column, count
from ledger.money import yuan_display as yuan
from ledger.payment_terms import METHODS

NAMES = {number: name for name, number in METHODS.items()}


def register(app: App) -> None:
    """Adds this family to the command line."""
    family = App(name="institutions", help="Pay institutions by fixed amount, DRG, DIP or package (定额、打包付费).")
    family.command(set_amounts, name="set")
    family.command(show)
    app.command(family)


def set_amounts(*, period: Period, options: Options = NO_OPTIONS) -> int:
    """Set what agencies pay their institutions for a closed period, by policy and groupings, before they are paid.

    A person's benefit stays itemised; the difference is booked on an account of its own. Doing it again books what
    has changed since. Exit status 1 if a claim stays itemised because nothing gives its amount.

    Parameters
    ----------
    period
        The clearing period, as yyyymm; it must be closed.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.set_institutions(period, reason=options.reason)
    if options.json:
        output.print_json(found)
    else:
        output.print_line(
            f"set {count(found.changed)} amounts of {period}, difference account 差额 {yuan(found.change_fen)}"
        )
        if found.ungrouped:
            output.print_line(f"{count(len(found.ungrouped))} claims stay itemised: no group, weight or amount")
            columns = (Column("claim", "结算单"), Column("institution", "医疗机构"), Column("rule", "支付方式"))
            output.print_table(columns, [(each.setl_id, each.institution, each.rule) for each in found.ungrouped])
    return failures.CHECK_FAILED if found.ungrouped else failures.OK


def show(*, period: Period, region: Region | None = None, claims: bool = False, options: Options = NO_OPTIONS) -> None:
    """Show what each institution is paid for a period: itemised, standard and payable amounts, and the difference.

    Parameters
    ----------
    period
        The clearing period, as yyyymm.
    region
        Only the institutions of this region.
    claims
        One line a claim or package, not one an institution and rule.
    """
    with projections.open(options.store) as views:
        found = views.institution_payments(period, region, claims=claims)
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("region", "就医地"),
        Column("institution", "医疗机构"),
        Column("rule", "支付方式"),
        Column("method", "方式"),
        Column("clr_type", "清算类别"),
        Column("claim" if claims else "acts", "结算单" if claims else "笔数", str if claims else count),
        Column("group", "病组"),
        Column("itemised", "项目合计", yuan),
        Column("standard", "支付标准", yuan),
        Column("payable", "应付", yuan),
        Column("difference", "差额", yuan),
    )
    rows = [
        (f"{each.region:06d}", each.institution, each.rule, NAMES[each.method], str(each.clr_type or ""),
         (str(each.claim) if each.claim else "package") if claims else each.acts, each.group,
         each.itemised_fen, each.standard_fen, each.payable_fen, each.difference_fen)
        for each in found.lines
    ]  # fmt: skip
    totals = (found.itemised_fen, found.standard_fen, found.payable_fen, found.difference_fen)
    title = f"Institution payments 医疗机构支付 {period}"
    output.print_table(columns, rows, title=title, total=("total 合计", *[None] * 6, *totals))
    output.print_line(f"as of position {count(found.position)}")
