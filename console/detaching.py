"""Commands that move sealed months out of PostgreSQL and back: detach and attach."""

from typing import TYPE_CHECKING

from cyclopts import App

import ledger
import projections
from console import output
from console.options import NO_OPTIONS, ClearingPeriod, Options
from console.output import count

if TYPE_CHECKING:
    from ledger.segments.detaching import Detached


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (detach, attach):
        app.command(command)


def detach(*, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Move the bytes of a sealed period's acts from PostgreSQL to an archive beside the segments.

    Replay, trace, verify and proof read the archive; without it they say which file they want. Only the owner may.
    """
    with projections.open(options.store, segments=options.segments) as read:
        read.catch_up()
    with ledger.open(options.store, actor=options.who, segments=options.segments) as book:
        found = book.detach(period, reason=options.reason)
    _told(found, "already detached" if found.already else "detached", options)


def attach(*, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Put the bytes of a detached period back into the log, as they were."""
    with ledger.open(options.store, actor=options.who, segments=options.segments) as book:
        found = book.attach(period, reason=options.reason)
    _told(found, "attached", options)


def _told(found: "Detached", what: str, options: Options) -> None:
    if options.json:
        output.print_json(found)
        return
    output.print_line(f"{what} {found.period}: {count(found.events)} events, {count(found.state_bytes)} bytes")
    output.print_fields((("archive", str(found.archive)), ("digest", found.digest)))
