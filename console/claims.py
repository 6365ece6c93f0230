"""Commands on files of claims: intake, reverse, jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

import ledger
from console import output
from console.failures import UserError
from console.options import NO_OPTIONS, Claim, Options
from console.output import Column, count
from ledger.as_csv import PARQUET
from ledger.file_kinds import check_at_rest
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.intake import IntakeReport

Taken = TypeVar("Taken")

#: What to do about rows that are right in themselves: reasons for which something else is missing.
NEXT_STEPS = {
    "no_policy": "enact a policy for their regions (settlement policy enact --regions), then retry them as they are",
    "unknown_psn_no": "register their persons (settlement register FILE), then retry them as they are",
    "institution_unknown": "register their institutions (settlement register FILE), then retry them as they are",
    "refund_unknown": "take in what they refund first, then retry them as they are",
    "line_claim_unknown": "take their claims in first, then retry them as they are",
}
DryRun = Annotated[bool, Parameter(help="Do everything but write: the same report, no event.")]


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (intake, reverse, jobs, abandon):
        app.command(command)


def intake(
    files: list[Path],
    /,
    *,
    profile: str = "national",
    dry_run: DryRun = False,
    retry: bool = False,
    quarantine: Path | None = None,
    lines: Path | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Take in claims in the national field names, book them, and put bad rows into a quarantine file.

    The same file twice books once. A job that was interrupted completes when its file is taken in again.

    Parameters
    ----------
    files
        Files of claims, one job each: CSV, Parquet, or JSON lines.
    profile
        The source's profile: what its columns and codes mean.
    retry
        The files are mended rows of a quarantine file.
    quarantine
        Where the bad rows go; beside each file by default.
    lines
        A file of the claims' fee lines (费用明细), filed behind them: what does not agree is a finding.
    """
    if lines is not None and (len(files) > 1 or dry_run or retry):
        raise UserError("usage", "--lines goes with one file of claims, expected neither --dry-run nor --retry")
    if quarantine is not None and len(files) > 1:
        raise UserError("usage", f"--quarantine names one file, expected one input file, got {len(files)}")
    reports = []
    with ledger.open(options.store, actor=options.who) as book:
        for file in files:
            reports.append(
                take_in(
                    book.intake, file, options, profile=profile, retry=retry, dry_run=dry_run, quarantine=quarantine
                )
            )
        filed = None
        if lines is not None:
            filed = take_in(book.lines_that_differ, lines, options, profile=profile)
    if options.json:
        output.print_json(reports if filed is None else {"claims": reports, "lines": filed[0], "differing": filed[1]})
        return
    for report in reports:
        print_intake(report)
    if filed is not None:
        print_intake(filed[0], "lines' amount 明细金额")
        output.print_line(f"claims whose lines do not agree: {count(filed[1])}{', see findings' if filed[1] else ''}")


def take_in(run: Callable[..., Taken], file: Path, options: Options, **how: str | bool | Path | None) -> Taken:
    """Runs the job of one file, with a progress bar over its lines, and returns what became of every row."""
    with output.progress(file.name, _line_ends(readable(file))) as done:
        return run(file, reason=options.reason, progress=done, **how)


def print_intake(report: "IntakeReport", amount: str = "medfee 医疗费总额") -> None:
    """Prints one job's outcome: rows by what became of them, reasons of the quarantined ones."""
    booked = [("periods 清算期", " ".join(str(period) for period in report.periods)), ("late 跨期", count(report.late))]
    output.print_fields(
        [
            ("source 文件", f"{report.source}{'  (dry run: nothing was written)' if report.dry_run else ''}"),
            ("rows 行数", count(report.rows)),
            ("booked 入账", f"{count(report.booked)}, {amount} {yuan(report.medfee_fen)}"),
            ("duplicate 重复", count(report.duplicate)),
            ("quarantined 隔离", count(report.quarantined)),
            *(booked if report.periods else ()),
        ]
    )
    if report.reasons:
        columns = (Column("reason", "原因"), Column("rows", "行数", count))
        output.print_table(columns, sorted(report.reasons.items(), key=lambda each: (-each[1], each[0])))
    if report.quarantine_path:
        output.print_line(
            f"bad rows: {report.quarantine_path}; mend them and take them in with: settlement intake --retry"
            f" {report.quarantine_path}"
        )
    for reason, text in NEXT_STEPS.items():
        if report.reasons.get(reason):
            output.print_line(f"{reason}: {text}")


def reverse(claim: Claim, /, *, setl_id: str | None = None, options: Options = NO_OPTIONS) -> None:
    """Reverse a settled claim in full; nobody else's settlement changes.

    Parameters
    ----------
    setl_id
        The number of the new, negated settlement; the claim's own with -R behind it by default.
    """
    reason = options.why("reverse")
    with ledger.open(options.store, actor=options.who) as book:
        reversed_ = book.reverse(claim, reason, setl_id=setl_id)
    output.answer(options, reversed_, f"reversed {reversed_.claim} by {reversed_.setl_id} in period {reversed_.period}")


def abandon(job: int, /, *, options: Options = NO_OPTIONS) -> None:
    """End a job that can never complete, because its file is lost or was changed; what it booked stays booked.

    Parameters
    ----------
    job
        The job's number, as `jobs` lists it.
    """
    reason = options.why("abandon")
    with ledger.open(options.store, actor=options.who) as book:
        ended = book.abandon(job, reason)
    output.answer(options, ended, f"abandoned job {ended.job} over {ended.source}: {ended.booked:,} rows stay booked")


def jobs(*, options: Options = NO_OPTIONS) -> None:
    """List the jobs: what each took in, and whether it is complete."""
    with ledger.open(options.store, actor=options.who) as book:
        found = book.jobs()
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("job", "作业", count),
        Column("verb", "动作"),
        Column("source", "文件"),
        Column("state", "状态"),
        Column("rows", "行数", count),
        Column("booked", "入账", count),
        Column("duplicate", "重复", count),
        Column("quarantined", "隔离", count),
    )
    output.print_table(
        columns,
        [
            (
                each.job,
                each.verb,
                each.source,
                "complete" if each.completed else "abandoned" if each.abandoned else "unfinished",
                each.rows,
                each.booked,
                each.duplicate,
                each.quarantined,
            )
            for each in found
        ],
    )


def readable(file: Path) -> Path:
    """Returns ``file`` if it can be read as a file; raises OSError that names it, SourceError for a pipe."""
    check_at_rest(file)
    with file.open("rb"):
        return file


def _line_ends(file: Path) -> int | None:
    """Returns how many line ends a file has, the length of a progress bar, not a count of records; None if not text."""
    total = 0
    with file.open("rb") as stream:
        if stream.read(len(PARQUET)) == PARQUET:
            return None
        stream.seek(0)
        while chunk := stream.read(1 << 20):
            total += chunk.count(b"\n")
    return total
