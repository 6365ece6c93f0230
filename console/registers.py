"""Commands on registers: register, touched, filings."""

from pathlib import Path

from cyclopts import App

import ledger
from console import output
from console.claims import readable
from console.options import NO_OPTIONS, AtLeastZero, Day, Options, Position
from console.output import Column, count, day_text


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(register_file, name="register")
    for command in (touched, filings):
        app.command(command)


def register_file(file: Path, /, *, options: Options = NO_OPTIONS) -> int:
    """Register members, institutions, filings (备案) and the like from a CSV file; its header says which.

    Rows the log already has change nothing. Exit status 1 if a filing was refused.

    Parameters
    ----------
    file
        The CSV file; docs/registers.md has the columns of each kind.
    """
    with ledger.open(options.store, actor=options.who) as book:
        registered = book.register(readable(file), reason=options.reason)
    if options.json:
        output.print_json(registered)
        return 1 if registered.refused else 0
    output.print_line(f"registered {registered.new:,} new of {registered.rows:,} {registered.kind} from {file}")
    if registered.position:
        output.print_line(f"for the settled claims it reaches back to, run: settlement touched {registered.position}")
    if registered.refused:
        columns = (Column("row", "行", count), Column("refused", "原因"), Column("why"))
        output.print_table(columns, [(each.row, each.reason, each.text) for each in registered.refused])
    return 1 if registered.refused else 0


def touched(position: Position | None = None, /, *, options: Options = NO_OPTIONS) -> None:
    """List the settled claims that a register command reaches back to; none of them is priced again.

    Parameters
    ----------
    position
        The position of the register command, as it printed it; the last one by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.touched(position)
    if options.json:
        output.print_json(found)
        return
    output.print_line(f"{found.source} reaches back to {len(found.claims):,} settled claims; none was priced again")
    if found.claims:
        columns = (
            Column("claim", "结算单"),
            Column("position", "位置", count),
            Column("from", "开始", day_text),
            Column("settled", "结算", day_text),
            Column("by"),
        )
        rows = [(each.key, each.claim, each.begndate, each.setl_day, each.by) for each in found.claims]
        output.print_table(columns, rows)


def filings(*, expiring: AtLeastZero, on: Day | None = None, options: Options = NO_OPTIONS) -> None:
    """List the off-site filings (备案) that expire soon, the first to end first.

    Parameters
    ----------
    expiring
        Within how many days.
    on
        The day to count from, as yyyy-mm-dd; today by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.expiring_filings(expiring, on)
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("person", "人员"),
        Column("type", "类型"),
        Column("region", "就医地", "{:06d}".format),
        Column("from", "开始", day_text),
        Column("to", "结束", day_text),
        Column("days left", "剩余天数", count),
    )
    rows = [(each.psn_no, each.type, each.region, each.begin, each.to, each.days_left) for each in found]
    output.print_table(columns, rows)
