"""Describes the tables of a read model and writes what a fold found: added to, replaced in, or appended.

A fold is pure: it returns Changes. They are written here, and applied to plain dictionaries where the log is
folded again to compare (``verify``) or up to a past position (``as_of``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import repeat
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from projections.grouping import group_sums

if TYPE_CHECKING:
    from ledger.store import Reader, Writer
    from ledger.store.link import Column
    from projections.pages import Page

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = dict[Row, Row]

TYPES = {
    "sqlite": {"int": "INTEGER", "text": "TEXT", "blob": "BLOB"},
    "postgres": {"int": "BIGINT", "text": 'TEXT COLLATE "C"', "blob": "BYTEA"},
}

#: SQLite turns an integer sum that overflows into a float; no amount may come near it.
LARGEST = 9_000_000_000_000_000_000


class Mode(Enum):
    """Is how a changed row meets the row of its key: its values add up, replace, or are the first.

    A run holds sums of another table, to be added to its rows where they are read.
    """

    ADD = 1
    REPLACE = 2
    APPEND = 3
    RUN = 4


@dataclass(frozen=True, slots=True)
class Table:
    """Is a table of a read model: key columns first, then values; a column not in ``types`` is an integer.

    ``indexes`` are (suffix, columns, condition); an empty condition indexes every row. They are built once the rows
    are there (projections.indexing).
    ``clustered`` rows lie in the order of their key where the database can (SQLite): whole periods are read at once.
    """

    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    mode: Mode
    types: dict[str, str] = field(default_factory=dict)
    indexes: tuple[tuple[str, str, str], ...] = ()
    clustered: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns every column, the key's first."""
        return self.key + self.values

    def creation(self, dialect: str) -> str:
        """Returns the statement that creates the table, without its indexes, where it is missing."""
        types = TYPES[dialect]
        lines = [f"{name} {types[self.types.get(name, 'int')]} NOT NULL" for name in self.columns]
        lines.append(f"PRIMARY KEY ({', '.join(self.key)})")
        if self.mode is Mode.ADD:
            lines += [f"CHECK ({name} BETWEEN {-LARGEST} AND {LARGEST})" for name in self.values]
        placed = " WITHOUT ROWID" if self.clustered and dialect == "sqlite" else ""
        if self.mode is Mode.ADD and dialect == "postgres":
            # A sum that grows finds room beside its old self, and its index entry stays as it is.
            placed = " WITH (fillfactor = 50)"
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(lines)}){placed}"

    def indexing(self) -> dict[str, str]:
        """Returns its indexes by name, each with the statement that builds it where it is missing."""
        built = {}
        for suffix, columns, condition in self.indexes:
            where = f" WHERE {condition}" if condition else ""
            name = f"{self.name}_{suffix}"
            built[name] = f"CREATE INDEX IF NOT EXISTS {name} ON {self.name} ({columns}){where}"
        return built

    def placing(self, dialect: str) -> list[str]:
        """Returns the statements that say how a new table keeps its rows: no reader waits, as nobody has seen it."""
        if self.mode is not Mode.RUN or dialect != "postgres":
            return []
        # What is soon written anew is not worth compressing.
        return [f"ALTER TABLE {self.name} ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in self.values]

    @property
    def conflict(self) -> str:
        """Returns the clause that says what becomes of a row whose key is there already."""
        if self.mode is Mode.APPEND:
            return ""
        old = {name: f"{self.name}.{name} + " if self.mode is Mode.ADD else "" for name in self.values}
        sets = ", ".join(f"{name} = {old[name]}excluded.{name}" for name in self.values)
        return f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {sets}"

    def select(self, condition: str = "") -> str:
        """Returns the statement that reads whole rows in key order, those of ``condition`` only."""
        where = f" WHERE {condition}" if condition else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.name}{where} ORDER BY {', '.join(self.key)}"


@dataclass(frozen=True, slots=True)
class Change:
    """Is what one fold does to one table: a column (int64 array, or list) for each of its columns, each key once."""

    table: Table
    data: "Sequence[Column]"

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.data[0])

    def rows(self) -> list[Row]:
        """Returns the change row by row, cells in the order of the table's columns."""
        lists = [column.tolist() if isinstance(column, np.ndarray) else column for column in self.data]
        return list(zip(*lists, strict=True))


@dataclass(frozen=True, slots=True)
class ReadModel:
    """Is one projection: its tables, and the pure fold from a page of the log to what changes in them.

    A new ``version`` has other tables or another meaning: what a store holds of an older one is built anew.
    ``wide`` folds need the leaf of every event, and nothing else of it. ``alone`` finds what a page alone is enough for
    and leaves it there for the fold: the next page is read from the store meanwhile.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    fold: "Callable[[Reader, Page], list[Change]]"
    wide: bool = False
    alone: "Callable[[Page], Any]" = lambda page: None

    @property
    def adds(self) -> bool:
        """Returns whether all its tables are sums, so that its fold hangs on nothing folded before."""
        return all(table.mode in (Mode.ADD, Mode.RUN) for table in self.tables)


def change_of(table: Table, rows: Iterable[Row]) -> Change:
    """Returns rows as a change."""
    listed = list(rows)
    return Change(table, list(zip(*listed, strict=True)) if listed else [()] * len(table.columns))


def added_up(changes: Sequence[Change]) -> list[Change]:
    """Returns changes with those to one table of sums added up to one, its rows in the order of their key.

    In that order a database meets each page of a table once. Raises OverflowError where a sum leaves 64 bits.
    """
    sums: dict[str, list[Change]] = {}
    kept = []
    for change in changes:
        if not len(change):
            continue
        if change.table.mode is Mode.ADD:
            sums.setdefault(change.table.name, []).append(change)
        else:
            kept.append(change)
    return kept + [_added(parts) for parts in sums.values()]


def _added(parts: Sequence[Change]) -> Change:
    table = parts[0].table
    width = len(table.key)
    if all(isinstance(column, np.ndarray) for part in parts for column in part.data):
        rows = np.concatenate([np.column_stack(part.data) for part in parts])
        first, added = group_sums(rows[:, :width], rows[:, width:])
        keys = rows[first, :width]
        order = np.lexsort(keys.T[::-1])
        return Change(table, [*keys[order].T, *added[order].T])
    if width == len(table.values) == 1:
        return _added_texts(table, [part.data for part in parts])
    found: dict[str, Rows] = {}
    apply(found, parts)
    return change_of(table, [(*key, *values) for key, values in sorted(found[table.name].items())])


def _added_texts(table: Table, parts: Sequence[Sequence[Any]]) -> Change:
    """Returns sums by a key of one column."""
    totals: dict[Any, int] = dict(zip(*parts[0], strict=True))
    for keys, values in parts[1:]:
        found = map(totals.get, keys, repeat(0))
        totals.update(zip(keys, map(add, found, values), strict=True))
    ordered = sorted(totals)
    sums = list(map(totals.__getitem__, ordered))
    if sums and not -(2**63) <= min(sums) <= max(sums) < 2**63:
        raise OverflowError(f"{table.name}: expected sums within 64 bits")
    return Change(table, [ordered, sums])


def write(writer: "Writer", changes: Iterable[Change]) -> None:
    """Writes changes inside the caller's transaction; a sum past 9e18 fen is refused by the table itself."""
    for change in changes:
        if len(change):
            table = change.table
            writer.put(table.name, table.columns, change.data, table.conflict)


def apply(tables: dict[str, Rows], changes: Iterable[Change]) -> None:
    """Applies changes to tables held in memory: table name to {key: values}."""
    for change in changes:
        rows = tables.setdefault(change.table.name, {})
        width = len(change.table.key)
        for row in change.rows():
            key, values = row[:width], row[width:]
            old = rows.get(key)
            if old is not None and change.table.mode is Mode.ADD:
                values = tuple(a + b for a, b in zip(old, values, strict=True))
            rows[key] = values


def read_table(reader: "Reader", table: Table) -> Rows:
    """Returns a whole table as {key: values}."""
    width = len(table.key)
    return {row[:width]: row[width:] for row in reader.query(table.select())}
