"""Commands that clear a period: draft, check, sign, withdraw, calendar, terms set, terms show."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

import ledger
import projections
from console import failures, output
from console.clearing_statements import print_sheets
from console.options import NO_OPTIONS, ClearingPeriod, Day, Options, Period
from console.output import Column, count, day_text
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.reports import ClearingReport

STEPS = {
    "reconcile": ("reconcile", "对账"),
    "cut_off": ("cut off (close)", "截止"),
    "draft": ("draw up (draft)", "制表"),
    "check": ("check", "复核"),
    "sign": ("sign", "签章"),
    "notices": ("notices (pay)", "下达通知书"),
    "submit": ("submit payment", "提交付款"),
    "transfer": ("transfer", "资金划拨"),
    "record": ("record (pay confirm)", "入账确认"),
    "late_claims": ("last late claims", "跨期截止"),
    "year_end": ("year end", "年度清算截止"),
}


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (draft, check, sign, withdraw, calendar):
        app.command(command)
    terms = App(name="terms", help="Set and show the terms of clearing: days, limits, thresholds, types.")
    terms.command(terms_set, name="set")
    terms.command(terms_show, name="show")
    app.command(terms)


def draft(*, period: Period, options: Options = NO_OPTIONS) -> None:
    """Draw up the clearing tables (清算表) of a closed period, under the terms in force.

    Parameters
    ----------
    period
        The clearing period, as yyyymm; it must be closed.
    """
    with ledger.open(options.store, actor=options.who) as book:
        report = book.draft(period, reason=options.reason)
    _print_report(report, options, f"drawn up {report.period}")


def check(*, period: ClearingPeriod, lang: Literal["zh", "en"] = "zh", options: Options = NO_OPTIONS) -> None:
    """Confirm a clearing drawn up, and show what a signer must know.

    That is what is out of line with the periods before, the open breaks carried and the rows quarantined, claims
    under an assumed policy. `statement --kind variance` shows it without confirming, and `withdraw` takes the
    confirmation back. Claims carried beyond the terms are refused without `--reason`.

    Parameters
    ----------
    lang
        The language of the list: zh or en.
    """
    with ledger.open(options.store, actor=options.who) as book:
        report = book.check(period, reason=options.reason)
    import msgspec

    from projections.clearing.writing import as_object

    with projections.open(options.store) as read:
        found = read.issue("variance", period)
    if options.json:
        output.print_json({**msgspec.to_builtins(report), "variance": as_object(found, lang)})
        return
    print_sheets(found, lang)
    _print_report(report, options, f"checked {report.period} by {report.checked_by}")


def sign(*, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Sign a checked clearing (签章), as another person than the one who checked it; only then is it paid."""
    with ledger.open(options.store, actor=options.who) as book:
        report = book.sign(period, reason=options.reason)
    at = count(report.position)
    _print_report(report, options, f"signed {report.period} by {report.signed_by}, at position {at}")


def withdraw(*, period: ClearingPeriod, of: int | None = None, options: Options = NO_OPTIONS) -> None:
    """Take a clearing back to the cut-off as a whole, until it is paid; it is then drawn up anew.

    Parameters
    ----------
    of
        The position of the confirmation taken back, as `sign` printed it; the last one by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        report = book.withdraw(period, of=of, reason=options.why("withdraw"))
    _print_report(report, options, f"withdrawn {report.period}: it is cut off again")


def _print_report(report: "ClearingReport", options: Options, text: str) -> None:
    if options.json:
        output.print_json(report)
        return
    output.print_line(text)
    if report.terms:
        output.print_line(
            f"{report.acts:,} acts, {report.person_times:,} person-times (人次), medfee {yuan(report.medfee_fen)},"
            f" funds {yuan(report.fund_fen)}, accounts {yuan(report.account_fen)}"
        )
    for month, acts, fen in report.late:
        output.print_line(f"{acts:,} claims of {month}, medfee {yuan(fen)}: carried into the period 跨期")
    if report.overdue_acts:
        overdue = f"{report.overdue_acts:,} of them, medfee {yuan(report.overdue_medfee_fen)}"
        output.print_line(f"{overdue}: beyond the terms 超期")


def calendar(*, period: Period, on: Day | None = None, options: Options = NO_OPTIONS) -> int:
    """Show what is due when for a month's clearing, and what is overdue; exit status 1 if anything is.

    Working days are those the State Council published; a year without a published calendar is an error by name.

    Parameters
    ----------
    period
        The month cleared, as yyyymm.
    on
        The day asked about, as yyyy-mm-dd; today by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.calendar(period, on)
    if options.json:
        output.print_json(found)
    else:
        columns = (Column("step", "环节"), Column("", ""), Column("due", "截止日"), Column("status", "状态"))
        rows = [(*STEPS[each.step], day_text(each.due), each.status) for each in found]
        output.print_table(columns, rows, title=f"Clearing calendar 清算日历 {period}")
    return failures.CHECK_FAILED if any(each.status == "overdue" for each in found) else failures.OK


def terms_set(file: Path, /, *, begin: Period, options: Options = NO_OPTIONS) -> None:
    """Set the terms of clearing from a period on; drafts made before keep theirs.

    Parameters
    ----------
    file
        A TOML document; what it leaves out is as in the shipped one, which `terms show` prints.
    begin
        The first clearing period they hold for, as yyyymm.
    """
    with ledger.open(options.store, actor=options.who) as book:
        report = book.set_terms(file, begin_period=begin, reason=options.reason)
    output.answer(options, report, f"{report.name}: in force from {report.period}, digest {report.digest}")


def terms_show(*, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Print the document of the terms in force for a period."""
    with ledger.open(options.store, actor=options.who) as book:
        report = book.terms(period)
    output.answer(options, report, report.document.removesuffix("\n"))
