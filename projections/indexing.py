"""Builds the secondary indexes of read models once their rows are there: an index sorted and written at once takes
each of its pages once, one that grows beside the rows of a long log takes a page of its own for nearly every row.

Without them every answer is the same and only takes longer. So a model is filled without its indexes, and whoever finds
it at the head of the log and one of them missing builds that one, each in a transaction of its own: after a crash the
next one does.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.store import Reader, Writer
    from projections.tables import ReadModel

#: Which of the names of indexes (index, its table) the store does not have, of tables that this connection may index.
MISSING = {
    "sqlite": "WITH named (name, indexed) AS (VALUES {})"
    " SELECT name FROM named WHERE name NOT IN (SELECT name FROM sqlite_master WHERE type = 'index')",
    # An index is the owner's to build; `grant_roles` does it before it lets anybody else fill the table.
    "postgres": "WITH named (name, indexed) AS (VALUES {})"
    " SELECT name FROM named JOIN pg_class c ON c.oid = to_regclass(indexed)"
    " WHERE to_regclass(name) IS NULL AND pg_has_role(c.relowner, 'USAGE')",
}

#: What SQLite sorts goes to files, some tens of megabytes at a time, and not to memory as it is set elsewhere.
SORT_IN_FILES, SORT_IN_MEMORY = "PRAGMA temp_store = FILE", "PRAGMA temp_store = MEMORY"


def missing(reader: "Reader", dialect: str, models: "Sequence[ReadModel]") -> "list[tuple[ReadModel, str]]":
    """Returns (model, statement) of every index that the store should have and does not, and that may be built here."""
    indexed = [(model, table) for model in models for table in model.tables]
    owed = {name: (model, text) for model, table in indexed for name, text in table.indexing().items()}
    named = [f"('{name}', '{table.name}')" for _, table in indexed for name in table.indexing()]
    return [owed[name] for (name,) in reader.query(MISSING[dialect].format(", ".join(named)))]


def build(writer: "Writer", dialect: str, statements: Iterable[str]) -> None:
    """Builds indexes inside the caller's transaction."""
    if dialect == "sqlite":
        writer.execute(SORT_IN_FILES)
    try:
        for statement in statements:
            writer.execute(statement)
    finally:
        if dialect == "sqlite":
            writer.execute(SORT_IN_MEMORY)
