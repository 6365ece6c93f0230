"""Builds read models anew beside the live ones and swaps them in: who asks meanwhile gets the live rows.

The log is folded from position 0 into tables of other names. Once they stand where the live ones stand, one transaction
puts their rows in place of the live rows, with their positions; a crash leaves the live rows, or the new ones.
Each run begins anew, so what a crash leaves of its own tables is thrown away by the next.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.refusals import StoreError
from projections import catch_up as following
from projections.indexing import build
from projections.pages import PAGE_EVENTS
from projections.tables import Change, ReadModel, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.store import Reader, Store, Writer
    from projections.pages import Page

#: What the names of models and tables that are being built begin with.
ANEW = "anew_"

COLUMNS = (
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position"
)
HEAD = "SELECT size FROM log_head"


def anew(model: ReadModel) -> ReadModel:
    """Returns a model over tables of other names, whose fold reads and changes those; nobody asks them by an index."""
    tables = {table.name: dataclasses.replace(table, name=f"{ANEW}{table.name}", indexes=()) for table in model.tables}
    names = {name: table.name for name, table in tables.items()}

    def fold(reader: "Reader", page: "Page") -> list[Change]:
        changes = model.fold(reader.renamed(names), page)
        return [Change(tables[change.table.name], change.data) for change in changes]

    return ReadModel(f"{ANEW}{model.name}", model.version, tuple(tables.values()), fold, model.wide, model.alone)


def rebuild(
    store: "Store",
    models: Sequence[ReadModel],
    progress: following.Progress | None = None,
    page_events: int = PAGE_EVENTS,
    before_swap: "Callable[[], None] | None" = None,
) -> int:
    """Folds the log anew beside the models' rows and puts the result in their place; returns the position reached.

    ``before_swap`` is called each time the new rows stand at the head. Raises StoreError where the log cannot be folded
    or another rebuild came between: the live rows are then as they were, or those of the other.
    """
    following.ensure(store, models)
    shadows = [anew(model) for model in models]
    following.create_anew(store, shadows)
    while True:
        reached = following.catch_up(store, shadows, progress, page_events)
        if before_swap is not None:
            before_swap()
        with store.write() as writer:
            if _swapped(writer, store.dialect, models, shadows, reached):
                return reached


def _swapped(
    writer: "Writer", dialect: str, models: Sequence[ReadModel], shadows: Sequence[ReadModel], reached: int
) -> bool:
    """Puts the new rows in place, unless a live model went on meanwhile; returns whether it did."""
    lock = following.LOCK_STATE[dialect]
    # In the order in which whoever catches up takes them.
    order = sorted(range(len(models)), key=lambda at: models[at].name)
    live = [position for at in order for (position,) in writer.query(lock, (models[at].name,))]
    built = [position for at in order for (position,) in writer.query(lock, (shadows[at].name,))]
    if built != [reached] * len(models):
        raise StoreError("rebuild: expected to be the only one, got another rebuild that came between: run it again")
    # A live model ahead of the log itself followed events that were cut off: it gives way.
    ((head,),) = writer.query(HEAD)
    if reached < min(max(live, default=0), int(head)):
        return False
    for at in order:
        for table, shadow in zip(models[at].tables, shadows[at].tables, strict=True):
            _empty(writer, dialect, table)
            columns = ", ".join(table.columns)
            ordered = ", ".join(table.key)
            writer.execute(
                f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {shadow.name} ORDER BY {ordered}"
            )
            build(writer, dialect, table.indexing().values())
            writer.execute(f"DROP TABLE {shadow.name}")
        writer.execute(following.DELETE_STATE, (shadows[at].name,))
        following.move_on(writer, models[at], reached)
    return True


def _empty(writer: "Writer", dialect: str, table: Table) -> None:
    """Empties a live table without standing in a reader's way, and mends its shape.

    On SQLite readers keep their snapshot while a table is made again. On PostgreSQL that would wait for every reader,
    and take a role's rights away: rows are deleted, the table is made again only where its columns are others.
    """
    if dialect == "postgres" and [name for (name,) in writer.query(COLUMNS, (table.name,))] == list(table.columns):
        writer.execute(f"DELETE FROM {table.name}")
        return
    writer.execute(f"DROP TABLE IF EXISTS {table.name}")
    for statement in (table.creation(dialect), *table.placing(dialect)):
        writer.execute(statement)
