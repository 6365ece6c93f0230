"""Brings read models up to the head of the log: some pages at a time, rows and position in one transaction.

They are read and folded without a lock and then written where the model still stands before it; two processes
that catch up at once do the same work, and one of them throws its own away.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ledger.refusals import StoreError
from ledger.store.follower import Beside
from projections.indexing import build, missing
from projections.pages import PAGE_EVENTS, Page, read_page
from projections.tables import Change, ReadModel, added_up, write

if TYPE_CHECKING:
    from ledger.store import Reader, Store, Writer

Progress = Callable[[int], None]

#: Pages a transaction where all that changes are sums: those of several pages are written as one.
PAGES_TOGETHER = 8

STATE_TABLE = "projection"
CREATE_STATE = {
    "sqlite": "CREATE TABLE IF NOT EXISTS projection"
    " (name TEXT PRIMARY KEY, position INTEGER NOT NULL, version INTEGER NOT NULL)",
    "postgres": 'CREATE TABLE IF NOT EXISTS projection (name TEXT COLLATE "C" PRIMARY KEY,'
    " position BIGINT NOT NULL, version BIGINT NOT NULL)",
}
# Two creators at once would both find nothing; the number is arbitrary, the lock ends with the transaction.
LOCK_CREATION = "SELECT pg_advisory_xact_lock(6962)"
HAS_STATE = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'projection'",
    "postgres": "SELECT 1 WHERE to_regclass('projection') IS NOT NULL",
}
SELECT_STATE = "SELECT name, position, version FROM projection ORDER BY name"
LOCK_STATE = {
    "sqlite": "SELECT position FROM projection WHERE name = ?",
    "postgres": "SELECT position FROM projection WHERE name = ? FOR UPDATE",
}
INSERT_STATE = "INSERT INTO projection (name, position, version) VALUES (?, 0, ?)"
STATE_COLUMNS = ("name", "position", "version")
MOVED_ON = "ON CONFLICT (name) DO UPDATE SET position = excluded.position"
DELETE_STATE = "DELETE FROM projection WHERE name = ?"


def move_on(writer: "Writer", model: ReadModel, stop: int) -> None:
    """Has a model that the store holds stand at ``stop``; that goes to the database with what is put before it."""
    writer.put(STATE_TABLE, STATE_COLUMNS, ([model.name], np.array([stop]), np.array([model.version])), MOVED_ON)


def positions(reader: "Reader", dialect: str) -> dict[str, tuple[int, int]]:
    """Returns (position, version) of every model the store holds; nothing where it holds none yet.

    Raises StoreError where the table says no numbers, as one in a damaged SQLite file may.
    """
    rows = reader.query(SELECT_STATE) if reader.query(HAS_STATE[dialect]) else []
    for name, position, version in rows:
        if not (isinstance(position, int) and isinstance(version, int)):
            raise StoreError(
                f"projection {name!r}: expected a position and a version, got {position!r} and {version!r}"
            )
    return {str(name): (position, version) for name, position, version in rows}


def ensure(store: "Store", models: Sequence[ReadModel]) -> None:
    """Creates the tables of models that the store does not hold in their present version; those start at 0."""
    with store.read() as reader:
        held = positions(reader, store.dialect)
    if any(held.get(model.name, (0, 0))[1] != model.version for model in models):
        with store.write() as writer:
            _create(writer, store.dialect, models)


def create_anew(store: "Store", models: Sequence[ReadModel]) -> None:
    """Throws the models' tables away and creates them empty, at position 0."""
    with store.write() as writer:
        _create(writer, store.dialect, models, anew=True)


def _create(writer: "Writer", dialect: str, models: Iterable[ReadModel], anew: bool = False) -> None:
    if dialect == "postgres":
        writer.query(LOCK_CREATION)
    writer.execute(CREATE_STATE[dialect])
    held = positions(writer, dialect)
    for model in models:
        if not anew and held.get(model.name, (0, 0))[1] == model.version:
            continue
        for table in model.tables:
            writer.execute(f"DROP TABLE IF EXISTS {table.name}")
            for statement in (table.creation(dialect), *table.placing(dialect)):
                writer.execute(statement)
        writer.execute(DELETE_STATE, (model.name,))
        writer.execute(INSERT_STATE, (model.name, model.version))


def build_indexes(store: "Store", models: Sequence[ReadModel]) -> None:
    """Builds the indexes that the models' tables should have and do not, each in a transaction.

    On SQLite whoever appends waits for as long as one of them takes, on PostgreSQL only who fills the same model.
    """
    if not any(table.indexes for model in models for table in model.tables):
        return
    with store.read() as reader:
        owed = missing(reader, store.dialect, models)
    for model, statement in owed:
        with store.write() as writer:
            # One at a time: the next one finds the index there.
            writer.query(LOCK_STATE[store.dialect], (model.name,))
            build(writer, store.dialect, [statement])


def _read_ahead(
    reader: "Reader", models: Sequence[ReadModel], after: int, stop: int, page_events: int, pages: int
) -> Iterator[Page]:
    """Yields up to so many pages; while what a page alone gives is found, the next is read in another thread."""
    wide, narrow = any(model.wide for model in models), not all(model.wide for model in models)

    def read() -> Page:
        return read_page(reader, after, stop, wide, page_events, narrow)

    page = read()
    for _ in range(1, pages):
        after = page.stop
        if after == stop:
            break
        with Beside(read) as beside:
            for model in models:
                model.alone(page)
        yield page
        # Where reading failed it does so again, and says how.
        page = beside.found or read()
    yield page


def catch_up(
    store: "Store",
    models: Sequence[ReadModel],
    progress: Progress | None = None,
    page_events: int = PAGE_EVENTS,
) -> int:
    """Folds into the models what the log holds beyond them and returns the head they reached, with their indexes.

    ``progress`` is told the position behind each transaction. Raises StoreError where a model is ahead of the log (the
    log was cut: verify says where) or an event is missing or not what its topic says.
    """
    while True:
        with store.read() as reader:
            head = reader.size
            held = {name: position for name, (position, _) in positions(reader, store.dialect).items()}
            if missing := [model.name for model in models if model.name not in held]:
                raise StoreError(
                    f"projection {missing[0]}: expected a position, got none: another process took its tables away"
                )
            at = {model.name: held[model.name] for model in models}
            if ahead := [name for name, position in at.items() if position > head]:
                raise StoreError(
                    f"projection {ahead[0]}: expected a position up to {head}, the head of the log,"
                    f" got {at[ahead[0]]}: run verify"
                )
            after = min(at.values())
            if after == head:
                break
            stop = min((position for position in at.values() if position > after), default=head)
            due = sorted((model for model in models if at[model.name] == after), key=lambda model: model.name)
            folded: dict[str, list[Change]] = {model.name: [] for model in due}
            pages = PAGES_TOGETHER if all(model.adds for model in due) else 1
            reached = after
            for page in _read_ahead(reader, due, after, stop, page_events, pages):
                for model in due:
                    folded[model.name] += model.fold(reader, page)
                reached = page.stop
        with store.write() as writer:
            for model in due:
                if writer.query(LOCK_STATE[store.dialect], (model.name,)) == [(after,)]:
                    write(writer, added_up(folded[model.name]))
                    move_on(writer, model, reached)
        if progress is not None:
            progress(reached)
    build_indexes(store, models)
    return head
