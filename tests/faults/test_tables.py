"""A bit flips in one cell of any table, a row goes, or one is planted, through the database itself: no checksum tells,
and still it is found."""

import contextlib
import random
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import projections
from ledger.store.schema import GUARDS
from projections.checkpoint import Checkpoint
from projections.reader import MODELS
from tests.faults.plan import drawn, report, times
from tests.faults.test_flips import what_verify_says
from tests.faults.whole import whole_ledger

Cell = int | str | bytes
Row = tuple[Cell, ...]
Rows = dict[str, list[Row]]


def flipped(cell: Cell, rng: random.Random) -> Cell:
    """Returns a cell with one bit the other way round that its type still holds; an empty one as it is."""
    if isinstance(cell, int):
        raw = bytearray(cell.to_bytes(8, "little", signed=True))
        raw[rng.randrange(8)] ^= 1 << rng.randrange(8)
        return int.from_bytes(raw, "little", signed=True)
    if not cell:
        return cell
    while True:
        raw = bytearray(cell.encode() if isinstance(cell, str) else cell)
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        if isinstance(cell, bytes):
            return bytes(raw)
        # No database takes text that is none.
        with contextlib.suppress(UnicodeDecodeError):
            if (text := raw.decode()) and "\0" not in text:
                return text


def of_another_kind(cell: Cell, rng: random.Random) -> Cell | float | None:
    """Returns what a column of that type never holds, and SQLite, which types cells and not columns, takes all the
    same."""
    others = (None, 5, -(2**63), 0.5, "x", b"\xc1")
    return rng.choice([other for other in others if type(other) is not type(cell)])


def meant(rows: Rows) -> Rows:
    """Returns what rows mean: an empty account is none, one may have stood as it does at any position of the log, and a
    model that there is not is asked for nothing."""
    known = {model.name for model in MODELS}
    ((_, size, *_),) = rows["log_head"]
    within = range(int(size) + 1)
    return rows | {
        "account": [row[:2] if row[2] in within else row for row in rows["account"] if row[1]],
        "projection": [row for row in rows["projection"] if row[0] in known],
    }


class Whole(ABC):
    """Is a whole store, verified, with a checkpoint kept elsewhere, whose cells can be changed and put back."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        with whole_ledger(url, folder), projections.open(url) as read:
            assert read.verify() == []
            self.checkpoint: Checkpoint = read.checkpoint()
        self.before = self.rows()

    @abstractmethod
    def rows(self) -> Rows:
        """Returns every row of every table, in one order."""

    @abstractmethod
    def edit(self, table: str, before: Row | None, after: Row | None) -> bool:
        """Makes one row another, or nothing, or of nothing one; False where the database itself refuses it."""

    @abstractmethod
    def put_back(self) -> None:
        """Makes the store what it was."""


class OnSqlite(Whole):
    """Is a whole store in a file: putting it back is copying it."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self._path = Path(url.removeprefix("sqlite:///"))
        shutil.copy(self._path, f"{self._path}.kept")

    @contextlib.contextmanager
    def _raw(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as raw, raw:
            yield raw

    def rows(self) -> Rows:
        """Returns every row of every table, in one order."""
        with self._raw() as raw:
            names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: sorted(raw.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}

    def edit(self, table: str, before: Row | None, after: Row | None) -> bool:
        """Makes one row another, or nothing, or of nothing one; False where the database itself refuses it."""
        with self._raw() as raw:
            names = [each[1] for each in raw.execute(f"PRAGMA table_info({table})")]
            for guard in GUARDS["sqlite"]:
                raw.execute(f"DROP TRIGGER {guard}")
            where = " AND ".join(f"{name} = ?" for name in names)
            try:
                if before is None:
                    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})"
                elif after is None:
                    statement = f"DELETE FROM {table} WHERE {where}"
                else:
                    statement = (
                        f"UPDATE {table} SET ({', '.join(names)}) = ({', '.join('?' * len(names))}) WHERE {where}"
                    )
                assert raw.execute(statement, (*(after or ()), *(before or ()))).rowcount
            except sqlite3.IntegrityError:
                return False
            finally:
                for guard in GUARDS["sqlite"].values():
                    raw.execute(guard)
            return True

    def put_back(self) -> None:
        """Makes the store what it was."""
        for beside in ("-wal", "-shm"):
            Path(f"{self._path}{beside}").unlink(missing_ok=True)
        shutil.copy(f"{self._path}.kept", self._path)


class OnPostgres(Whole):
    """Is a whole store in a schema: putting it back is writing the rows that differ."""

    @contextlib.contextmanager
    def _raw(self) -> Iterator[psycopg.Connection[tuple[Cell, ...]]]:
        server, _, schema = self.url.rpartition("schema=")
        with psycopg.connect(server.rstrip("?&")) as raw:
            raw.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
            yield raw

    def rows(self) -> Rows:
        """Returns every row of every table, in one order."""
        with self._raw() as raw:
            names = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
            query = sql.SQL("SELECT * FROM {}")
            return {
                str(name): sorted(raw.execute(query.format(sql.Identifier(str(name)))).fetchall(), key=repr)
                for (name,) in names
            }

    @staticmethod
    def _unguarded(raw: psycopg.Connection[tuple[Cell, ...]]) -> None:
        # No trigger fires for a replica's own changes.
        raw.execute("SET LOCAL session_replication_role = replica")

    def _columns(self, raw: psycopg.Connection[tuple[Cell, ...]], table: str) -> list[sql.Identifier]:
        cursor = raw.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table)))
        return [sql.Identifier(column.name) for column in cursor.description or ()]

    def edit(self, table: str, before: Row | None, after: Row | None) -> bool:
        """Makes one row another, or nothing, or of nothing one; False where the database itself refuses it."""
        try:
            with self._raw() as raw:
                self._unguarded(raw)
                columns, named = self._columns(raw, table), sql.Identifier(table)
                where = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(name) for name in columns)
                places = sql.SQL(", ").join(sql.Placeholder() * len(columns))
                if before is None:
                    statement = sql.SQL("INSERT INTO {} VALUES ({})").format(named, places)
                elif after is None:
                    statement = sql.SQL("DELETE FROM {} WHERE {}").format(named, where)
                else:
                    every = sql.SQL(", ").join(columns)
                    statement = sql.SQL("UPDATE {} SET ({}) = ROW ({}) WHERE {}").format(named, every, places, where)
                assert raw.execute(statement, (*(after or ()), *(before or ()))).rowcount
        except psycopg.Error:
            return False
        return True

    def put_back(self) -> None:
        """Makes the store what it was."""
        now = self.rows()
        with self._raw() as raw:
            self._unguarded(raw)
            for table in [table for table, rows in self.before.items() if now[table] != rows]:
                named = sql.Identifier(table)
                raw.execute(sql.SQL("DELETE FROM {}").format(named))
                places = sql.SQL(", ").join(sql.Placeholder() * len(self._columns(raw, table)))
                insert = sql.SQL("INSERT INTO {} VALUES ({})").format(named, places)
                raw.cursor().executemany(insert, self.before[table])
        assert self.rows() == self.before


def as_before(whole: Whole) -> bool:
    """Returns whether the store's rows mean what they did."""
    return meant(whole.rows()) == meant(whole.before)


def judged(whole: Whole, table: str, fault: str, rng: random.Random, same: Callable[[Whole], bool] = as_before) -> str:
    """Returns what becomes of one fault in a table: who found it, or that nothing means anything else."""
    row = rng.choice(whole.before[table])
    at = rng.choice([at for at, cell in enumerate(row) if cell not in ("", b"")])
    other = (*row[:at], flipped(row[at], rng), *row[at + 1 :])
    before, after = {"flipped": (row, other), "taken away": (row, None), "planted": (None, other)}[fault]
    if not whole.edit(table, before, after):
        return "refused by the database"
    said = what_verify_says(whole.url, whole.checkpoint)
    if said == "nobody":
        said = "means the same" if same(whole) else f"SILENT {table} {before} {after}"
    whole.put_back()
    return said


def judged_all(
    whole: Whole, tables: Iterable[str], times_each: int, every: bool, same: Callable[[Whole], bool] = as_before
) -> Counter[str]:
    """Returns what becomes of faults of every kind in tables, or where not ``every``, of one kind drawn for each; each
    table's counts are reported."""
    name = type(whole).__name__.removeprefix("On").lower()
    rng, total = drawn(f"tables {name}"), Counter[str]()
    for table in sorted(tables):
        kinds = FAULTS if every else [rng.choice(FAULTS)]
        verdicts = Counter(judged(whole, table, fault, rng, same) for fault in kinds for _ in range(times_each))
        counts = {verdict.replace(" ", "_"): count for verdict, count in sorted(verdicts.items())}
        report(f"cells flipped, rows taken away or planted in {table}, {name}", tried=verdicts.total(), **counts)
        total += verdicts
    return total


FAULTS = ("flipped", "taken away", "planted")


def test_a_cell_of_another_kind_is_found(sqlite_url: str, tmp_path: Path) -> None:
    """A cell of a SQLite file that is not even of its column's type is found, and nothing falls over it."""
    whole = OnSqlite(sqlite_url, tmp_path / "files")
    rng, verdicts = drawn("cells of another kind"), Counter[str]()
    for table, rows in sorted(whole.before.items()):
        for _ in range(times(2, 60) if rows else 0):
            row = rng.choice(rows)
            at = rng.randrange(len(row))
            other = (*row[:at], of_another_kind(row[at], rng), *row[at + 1 :])
            if not whole.edit(table, row, other):
                verdicts["refused by the database"] += 1
                continue
            said = what_verify_says(whole.url, whole.checkpoint)
            if said == "nobody":
                said = "means the same" if as_before(whole) else f"SILENT {table} {row} {other}"
            verdicts[said] += 1
            whole.put_back()
    silent = [verdict for verdict in verdicts if verdict.startswith("SILENT")]
    counts = {verdict.replace(" ", "_"): count for verdict, count in sorted(verdicts.items())}
    report("cells of another kind, sqlite", tried=verdicts.total(), **counts)
    assert silent == []
    assert verdicts["found by verify"] > verdicts.total() // 2


@pytest.mark.parametrize(("made", "few", "many"), [(OnSqlite, 1, 100), (OnPostgres, 1, 10)])
def test_a_fault_in_any_table_is_found(
    made: type[Whole], few: int, many: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In every table that has rows, on both databases: opening or verifying finds the fault, or the database refuses
    it, or the store means what it did, derived anew where it is derived."""
    name = made.__name__.removeprefix("On").lower()
    whole = made(request.getfixturevalue(f"{name}_url"), tmp_path / "files")
    # In an ordinary run one fault of three a table: over the tables every kind comes up.
    total = judged_all(
        whole, [table for table, rows in whole.before.items() if rows], times(few, many), times(0, 1) > 0
    )
    assert [verdict for verdict in total if verdict.startswith("SILENT")] == []
    # The canary: faults that no constraint refuses do reach the store, and verifying is what finds most of them.
    assert total["found by verify"] > total.total() // 2
