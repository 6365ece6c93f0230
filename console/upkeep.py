"""Commands on the store itself: init, upgrade, copy, erase, rebuild."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App

import ledger
import projections
from console import failures, output
from console.failures import UserError
from console.options import NO_OPTIONS, Options, whole, without_password
from console.output import count
from ledger.refusals import Refusal, Refused, StoreError

if TYPE_CHECKING:
    from ledger.service import Ledger


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (init, upgrade, copy, erase, rebuild):
        app.command(command)


def init(*, roles: bool = False, options: Options = NO_OPTIONS) -> None:
    """Create an empty ledger in a store that has none.

    Parameters
    ----------
    roles
        On PostgreSQL, make the roles ledger_writer and ledger_reader and give them what they need on this ledger and
        no more; a ledger that is there already keeps what it holds.
    """
    if roles and options.store.startswith("sqlite"):
        raise UserError("usage", "expected a PostgreSQL store for --roles: a SQLite file is as safe as its folder")
    created = True
    try:
        create_only(options.store, options.who).close_store()
    except Refused:
        if not roles:
            raise
        created = False
    if roles:
        projections.grant_roles(options.store)
    done = "created an empty ledger in" if created else "kept the ledger in"
    granted = "; ledger_writer may append, ledger_reader may read all but persons" if roles else ""
    stated = {"store": options.shown_store, "created": created, "roles": roles}
    output.answer(options, stated, f"{done} {options.shown_store}{granted}")


def upgrade(*, options: Options = NO_OPTIONS) -> None:
    """Move a ledger that an earlier version made up to this version's schema; no event is touched."""
    from ledger import store

    before, now = store.upgrade(options.store)
    if options.json:
        output.print_json({"store": options.shown_store, "before": before, "now": now})
    elif before == now:
        output.print_line(f"{options.shown_store} is up to date: schema version {now}")
    else:
        output.print_line(f"moved {options.shown_store} from schema version {before} to {now}")


def create_only(url: str, actor: str) -> "Ledger":
    """Returns a new, empty ledger; raises Refused where there is one already, StoreError where there can be none."""
    try:
        ledger.open(url, actor=actor).close_store()
    except StoreError:
        return ledger.create(url, actor=actor)
    raise Refused(
        Refusal.STORE_NOT_EMPTY, f"expected no ledger in {without_password(url)} yet, got one: open it, or name another"
    )


def erase(
    person: str, /, *, retention_years: Annotated[int, whole(0, 1_000)] = 30, options: Options = NO_OPTIONS
) -> None:
    """Erase who a person was, once the retention period is over: number and name go, every event and proof stays.

    Parameters
    ----------
    person
        The person's number (psn_no).
    retention_years
        How many years identity is kept behind the last event about the person; refused within them.
    """
    reason = options.why("erase")
    with ledger.open(options.store, actor=options.who) as book:
        erased = book.erase(person, retention_years=retention_years, reason=reason)
    output.answer(
        options, erased, f"erased the number and name of person {erased.token}; every event and proof is as it was"
    )


def copy(*, to: str, options: Options = NO_OPTIONS) -> int:
    """Copy the ledger into an empty place on either database: same ids, bytes, state and root; all of it or nothing.

    Parameters
    ----------
    to
        Where the copy goes: sqlite:///file.db or postgresql://…, with nothing there yet.
    """
    from ledger import store

    with store.connect(options.store) as source:
        with source.read() as reader:
            events = reader.size
        with output.progress("copy", events) as told:
            events = store.copy(source, to, told)
    with projections.open(options.store) as mine, projections.open(to) as theirs:
        size, root = theirs.root()
        same = mine.root(size)[1] == root
    said = "the same root" if same else "ANOTHER ROOT: verify both"
    output.answer(
        options,
        {"to": without_password(to), "events": events, "root": root, "same": same},
        f"copied {count(events)} events to {without_password(to)}; {said} {root.hex()}",
    )
    return failures.OK if same else failures.CHECK_FAILED


def rebuild(*, options: Options = NO_OPTIONS) -> None:
    """Derive the derived tables again from the first event, beside the live ones, and swap them in at once.

    Queries keep answering meanwhile; a crash leaves the tables as they were, or the new ones.
    """
    with projections.open(options.store) as read:
        read.rebuild()
        position = read.catch_up()
    output.answer(options, {"position": position}, f"rebuilt every derived table up to position {position:,}")
