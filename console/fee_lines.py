"""Commands on fee lines (费用明细) and on what was found about claims: lines, findings."""

from pathlib import Path

from cyclopts import App

import ledger
import projections
from console import output
from console.claims import DryRun, print_intake, take_in
from console.options import NO_OPTIONS, Options, Period
from console.output import Column
from ledger.money import yuan_display as yuan


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (lines, findings):
        app.command(command)


def lines(
    file: Path,
    /,
    *,
    profile: str = "national",
    dry_run: DryRun = False,
    retry: bool = False,
    quarantine: Path | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Take in the fee lines of booked claims; what does not agree with a claim becomes a finding, never a refusal.

    The same file twice files once. A job that was interrupted completes when its file is taken in again.

    Parameters
    ----------
    file
        A file of fee lines (CSV, Parquet, or JSON lines), those of one claim beside each other.
    profile
        The source's profile: what its columns and codes mean, and how far its lines' amounts may be off.
    retry
        The file is mended rows of a quarantine file.
    quarantine
        Where the bad rows go; beside the file by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        report = take_in(
            book.lines, file, options, profile=profile, retry=retry, dry_run=dry_run, quarantine=quarantine
        )
    if options.json:
        output.print_json(report)
    else:
        print_intake(report, "lines' amount 明细金额")


def findings(*, period: Period | None = None, options: Options = NO_OPTIONS) -> None:
    """List what was found about claims: amounts unlike the policy's, lines unlike the split, trace codes settled twice.

    Settlements that a refund of an earlier one leaves different are listed with what they would be; none is re-priced.

    Parameters
    ----------
    period
        The clearing period (YYYYMM) whose claims to list; all by default.
    """
    with projections.open(options.store) as read:
        found = read.findings(period)
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("finding"),
        Column("claim", "结算单"),
        Column("period", "清算期"),
        Column("field", "字段"),
        Column("stated", "原金额", yuan),
        Column("found", "核算金额", yuan),
        Column("difference", "差额", yuan),
        Column("detail"),
    )
    rows = [
        (
            each.kind,
            each.claim,
            each.period,
            each.field,
            *((None, None, None) if each.code else (each.stated_fen, each.found_fen, each.difference_fen)),
            f"{each.code} settled by {each.first}" if each.code else f"{each.lines:,} lines" if each.lines else "",
        )
        for each in found
    ]
    output.print_table(columns, rows)
    output.print_line(f"{len(found):,} findings")
