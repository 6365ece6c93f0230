"""Commands on the store itself: init, rebuild."""

from typing import TYPE_CHECKING

from cyclopts import App

import ledger
import projections
from console import output
from console.options import NO_OPTIONS, Options, without_password
from ledger.refusals import Refusal, Refused, StoreError

if TYPE_CHECKING:
    from ledger.service import Ledger


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (init, rebuild):
        app.command(command)


def init(*, options: Options = NO_OPTIONS) -> None:
    """Create an empty ledger in a store that has none."""
    with create_only(options.store, options.who):
        pass
    if options.json:
        output.print_json({"store": options.shown_store, "created": True})
    else:
        output.print_line(f"created an empty ledger in {options.shown_store}")


def create_only(url: str, actor: str) -> "Ledger":
    """Returns a new, empty ledger; raises Refused where there is one already, StoreError where there can be none."""
    try:
        ledger.open(url, actor=actor).close_store()
    except StoreError:
        return ledger.create(url, actor=actor)
    raise Refused(
        Refusal.STORE_NOT_EMPTY, f"expected no ledger in {without_password(url)} yet, got one: open it, or name another"
    )


def rebuild(*, options: Options = NO_OPTIONS) -> None:
    """Throw the derived tables away and derive them again from the first event."""
    with projections.open(options.store) as read:
        read.rebuild()
        position = read.catch_up()
    if options.json:
        output.print_json({"position": position})
    else:
        output.print_line(f"rebuilt every derived table up to position {position:,}")
