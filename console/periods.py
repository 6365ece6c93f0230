"""Commands on clearing periods: close, periods."""

from cyclopts import App

import ledger
from console import output
from console.options import NO_OPTIONS, ClearingPeriod, Options
from console.output import Column, count
from ledger.money import yuan_display as yuan


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (close, periods):
        app.command(command)


def close(*, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Close a clearing period (清算期) and freeze its statement; later claims of it go to the next one."""
    with ledger.open(options.store, actor=options.who) as book:
        closed = book.close(period, reason=options.reason)
    output.answer(
        options,
        closed,
        f"closed {closed.period}: {closed.acts:,} acts, {closed.person_times:,} person-times (人次), "
        f"medfee_sumamt {yuan(closed.medfee_fen)}, of which {closed.late_acts:,} late",
    )


def periods(*, options: Options = NO_OPTIONS) -> None:
    """List the clearing periods with their state: open, closed, drafted, checked, signed or paid."""
    with ledger.open(options.store, actor=options.who) as book:
        found = book.periods()
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("period", "清算期"),
        Column("state", "状态"),
        Column("opened at", "开启", count),
        Column("closed at", "关闭", count),
    )
    output.print_table(columns, [(each.period, each.state, each.opened, each.closed or None) for each in found])
