"""Commands of reconciliation (对账): reconcile, breaks, break assign, explain, carry, correct, write-off."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

import ledger
import projections
from console import failures, output
from console.options import NO_OPTIONS, AtLeastZero, Day, Options, Period, Region, check_new
from console.output import Column, count
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.reconciling.reports import Break as Found
    from ledger.service import Ledger

State = Literal["open", "all", "found", "explained", "carried", "corrected", "written_off"]
Break = Annotated[
    str,
    Parameter(help="The break as `settlement breaks` lists it, or its claim where one break alone is about it."),
]


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(reconcile)
    app.command(breaks)
    follow = App(name="break", help="Follow up a break of reconciliation: who owns it, why it is there, how it ends.")
    for command in (assign, explain, carry, correct):
        follow.command(command)
    follow.command(write_off, name="write-off")
    app.command(follow)


def reconcile(
    file: Path,
    /,
    *,
    counterpart: str,
    period: Period | None = None,
    day: Day | None = None,
    totals: Path | None = None,
    own: Region = 0,
    role: Literal["both", "insured", "treatment"] = "both",
    without_refunds: bool = False,
    profile: str = "national",
    mismatches: Path | None = None,
    options: Options = NO_OPTIONS,
) -> int:
    """Reconcile (对账) a counterpart's file with what is booked here: totals first, then every claim by field.

    Exit status 1 where anything does not stand alike on both sides. The same file again finds nothing new; a break
    that a later file no longer shows is marked corrected. See docs/reconcile.md for the files.

    Parameters
    ----------
    file
        The counterpart's details (message 3202), or its totals alone (message 3201), as CSV.
    counterpart
        Whose file it is: a region of six digits (one ending in 0000 is its province) or an institution's code.
    period
        The clearing period, as yyyymm (monthly reconciliation).
    day
        The day of setl_time, as yyyymmdd (daily reconciliation, T+1).
    totals
        The counterpart's totals file that belongs to the details; their sums where there is none.
    own
        The own region on the other side of each claim, where the store keeps several.
    role
        Where the counterpart stands in the claims: insured, treatment or both.
    without_refunds
        Leave refunds out on both sides (REFD_SETL_FLAG 0); a totals file with refd_setl_flag says so itself.
    profile
        How the file differs from the national layout: a shipped profile or a TOML file.
    mismatches
        Where the mismatch file goes, which is not there yet; beside the file by default, in place of the last one.
    """
    check_new(mismatches, "the rows that do not stand alike", "--mismatches")
    with ledger.open(options.store, actor=options.who) as book:
        report = book.reconcile(
            file, counterpart, period=period, day=day, totals=totals, own=own, role=role,
            refunds=not without_refunds, profile=profile, mismatches=mismatches, reason=options.reason,
        )  # fmt: skip
    if options.json:
        output.print_json(report)
    else:
        _print_run(report)
    return failures.OK if report.agrees else failures.CHECK_FAILED


def _print_run(report: Any) -> None:
    columns = (
        Column("insutype", "险种"),
        Column("claims here", "本方笔数", count),
        Column("claims there", "对方笔数", count),
        Column("fee here", "本方总费用", yuan),
        Column("fee there", "对方总费用", yuan),
        Column("fund here", "本方基金", yuan),
        Column("fund there", "对方基金", yuan),
        Column("account here", "本方账户", yuan),
        Column("account there", "对方账户", yuan),
        Column("totals", "总额"),
    )
    rows = [
        (line.insutype or "all", *(side[name] for name in line.ours for side in (line.ours, line.theirs)),
         "agree" if line.agrees else "differ")
        for line in report.totals
    ]  # fmt: skip
    when = report.day or report.period
    output.print_table(columns, rows, title=f"{when} with {report.counterpart}: {report.source}")
    if not report.adds_up:
        output.print_line("the totals file is not the sum of the rows: no break is taken for corrected")
    output.print_fields((name.replace("_", " "), count(number)) for name, number in report.outcomes.items())
    if report.breaks:
        _print_breaks(report.breaks)
    said = "nothing new" if report.already else f"{count(report.found)} found, {count(report.resolved)} corrected"
    output.print_line(f"run at {report.position}: {said}")
    if report.mismatch_path:
        output.print_line(f"rows that do not stand alike: {report.mismatch_path}")


def breaks(
    *,
    period: Period | None = None,
    counterpart: str = "",
    owner: str = "",
    state: State = "open",
    options: Options = NO_OPTIONS,
) -> None:
    """List the breaks of reconciliation: open ones by default, with what is at stake.

    Parameters
    ----------
    period
        Only those found in this clearing period or carried into it, as yyyymm.
    counterpart
        Only those with this region or institution.
    owner
        Only those of this owner.
    state
        Only those in this state; open is found, explained or carried.
    """
    with projections.open(options.store) as reader:
        found = reader.breaks(period, counterpart, owner, state)
    if options.json:
        output.print_json(found)
        return
    if found.breaks:
        _print_breaks(found.breaks)
    totals = found.totals
    output.print_line(
        f"as of {found.position}: {count(totals.count)} breaks, they state {yuan(totals.theirs_more_fen)} beyond us,"
        f" we {yuan(totals.ours_more_fen)} beyond them, net {yuan(totals.difference_fen)}"
    )


def _print_breaks(found: Sequence[Any]) -> None:
    columns = (
        Column("break", "差异"),
        Column("kind", "类型"),
        Column("state", "状态"),
        Column("owner", "责任人"),
        Column("stands in", "列示期"),
        Column("ours", "本方应付", yuan),
        Column("theirs", "对方应付", yuan),
        Column("theirs less ours", "差额", yuan),
        Column("fields", "字段"),
    )
    rows = [
        (
            each.key, each.kind, each.status, each.owner, each.standing, each.ours_fen, each.theirs_fen,
            each.difference_fen, " ".join(name for name, _, _ in each.fields),
        )
        for each in found
    ]  # fmt: skip
    net = sum(each.difference_fen for each in found)
    output.print_table(columns, rows, total=("total", *[None] * 6, net, None))


def assign(key: Break, /, *, owner: str, options: Options = NO_OPTIONS) -> None:
    """Give an open break an owner.

    Parameters
    ----------
    owner
        Who follows it up.
    """
    _follow(options, "break assign", lambda book, reason: book.break_assign(key, owner, reason))


def explain(key: Break, /, *, options: Options = NO_OPTIONS) -> None:
    """Say why a break is there; it stays open."""
    _follow(options, "break explain", lambda book, reason: book.break_explain(key, reason))


def carry(key: Break, /, *, at_most: AtLeastZero = 2, options: Options = NO_OPTIONS) -> None:
    """Carry an open break into the next period, on whose statement it is listed.

    Parameters
    ----------
    at_most
        How many periods a break may be carried.
    """
    _follow(options, "break carry", lambda book, reason: book.break_carry(key, reason, most=at_most))


def correct(key: Break, /, *, options: Options = NO_OPTIONS) -> None:
    """End a break as corrected; another file that still shows it opens it again."""
    _follow(options, "break correct", lambda book, reason: book.break_correct(key, reason))


def write_off(key: Break, /, *, options: Options = NO_OPTIONS) -> None:
    """Write a break off: nobody pursues it any more. What is booked stays booked."""
    _follow(options, "break write-off", lambda book, reason: book.break_write_off(key, reason))


def _follow(options: Options, verb: str, act: Callable[["Ledger", str], "Found"]) -> None:
    """Does something to a break, which is never recorded without a reason, and prints what it has become."""
    reason = options.why(verb)
    with ledger.open(options.store, actor=options.who) as book:
        found = act(book, reason)
    owner = f", owner {found.owner}" if found.owner else ""
    output.answer(
        options,
        found,
        f"{found.key}: {found.status.replace('_', ' ')}{owner}, stands in {found.standing},"
        f" theirs less ours {yuan(found.difference_fen)}",
    )
