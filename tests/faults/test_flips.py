"""A bit flips, or the end is missing, anywhere in the store: it is found, or it was in bytes that mean nothing."""

import contextlib
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import projections
from ledger.refusals import LedgerError
from projections.checkpoint import Checkpoint
from tests.faults.plan import drawn, report, times
from tests.faults.servers import server
from tests.faults.whole import whole_ledger

#: What no event holds, so that it can be erased; a flip in it is a wrong letter of a name, and changes no answer.
NAMES = ("person", "psn_name")

Content = dict[str, list[tuple[object, ...]]]


def content_of(path: Path) -> Content:
    """Returns every row of every table of a SQLite file, and the statements that made them but for the case."""
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.text_factory = bytes
        made = raw.execute(
            "SELECT type, name, lower(sql) FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()
        names = [bytes(name).decode() for kind, name, _ in made if kind == b"table"]
        return {"schema": made} | {
            name: sorted(raw.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names
        }


def differing(before: Content, after: Content) -> set[str]:
    """Returns the tables that differ, but for the names of persons."""
    found = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    table, column = NAMES
    if table in found and len(before[table]) == len(after.get(table, [])):
        without = [[row[:2] for row in each[table]] for each in (before, after)]
        if sorted(without[0], key=repr) == sorted(without[1], key=repr):
            found = found - {table} | {f"{table}.{column}"}
    return found


def what_verify_says(url: str, kept: Checkpoint) -> str:
    """Returns who found a fault: opening the store, its verification, or nobody."""
    try:
        read = projections.open(url)
    except LedgerError:
        return "found by opening"
    try:
        with read:
            return "found by verify" if read.verify([kept]) else "nobody"
    except LedgerError:
        return "found by verify"


class Original:
    """Is a whole store in one SQLite file, verified, with a checkpoint kept elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "original.db"
        url = f"sqlite:///{self.path}"
        with whole_ledger(url, folder / "files"), projections.open(url) as read:
            assert read.verify() == []
            self.checkpoint = read.checkpoint()
            # While connections are open what was written lies in the write-ahead log, and nothing in the file.
            self.wal = Path(f"{self.path}-wal").read_bytes()
            self.unmerged = self.path.read_bytes()
        self.bytes = self.path.read_bytes()
        assert not Path(f"{self.path}-wal").exists()
        self.content = content_of(self.path)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("original"))


def judged(original: Original, folder: Path, data: bytes, wal: bytes = b"") -> str:
    """Returns what becomes of a store with these bytes: who found it, or that it means the same."""
    for old in folder.glob("flipped.db*"):
        old.unlink()
    path = folder / "flipped.db"
    path.write_bytes(data)
    if wal:
        Path(f"{path}-wal").write_bytes(wal)
    said = what_verify_says(f"sqlite:///{path}", original.checkpoint)
    if said != "nobody":
        return said
    changed = differing(original.content, content_of(path))
    if changed == {".".join(NAMES)}:
        return "a letter of a name"
    return f"SILENT {sorted(changed)}" if changed else "means the same"


def flipped(data: bytes, bit: int) -> bytes:
    """Returns bytes with one bit the other way round."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def told(what: str, verdicts: Counter[str]) -> None:
    """Reports the verdicts and fails where a fault changed something and nobody said so."""
    counts = {name.replace(" ", "_"): count for name, count in sorted(verdicts.items())}
    report(what, tried=verdicts.total(), **counts)
    assert not [name for name in verdicts if name.startswith("SILENT")], verdicts


def test_a_flipped_bit_never_changes_an_answer_silently(original: Original, tmp_path: Path) -> None:
    """One bit flipped anywhere in the file: opening or verifying the store finds it, or every table reads as before."""
    rng, verdicts = drawn("flips"), Counter[str]()
    used = [at for at, byte in enumerate(original.bytes) if byte]
    for trial in range(times(100, 3_000)):
        # Half of them where the file is not empty: most of a small store is room to grow.
        at = rng.choice(used) if trial % 2 else rng.randrange(len(original.bytes))
        verdicts[judged(original, tmp_path, flipped(original.bytes, 8 * at + rng.randrange(8)))] += 1
    told("bit flips in the file", verdicts)
    # The canary: flips do reach what answers are made of, so an opener that verifies nothing would give wrong ones.
    assert verdicts["found by verify"] > 0 and verdicts["means the same"] > 0


def test_a_missing_end_is_found(original: Original, tmp_path: Path) -> None:
    """The file cut off anywhere, at a page's end or inside a page, is found, unless only zeros of its last page go."""
    rng, verdicts = drawn("cuts"), Counter[str]()
    for trial in range(times(20, 600)):
        length = rng.randrange(len(original.bytes))
        cut = length - length % 4096 if trial % 2 else length
        verdict = judged(original, tmp_path, original.bytes[:cut])
        verdicts[verdict] += 1
        # SQLite reads zeros there anyway: an index built last, of rows there are none of, ends with an empty page.
        lost = any(original.bytes[cut:]) or len(original.bytes) - cut >= 4096
        assert verdict.startswith("found") or not lost, (cut, verdict)
    told("the end of the file missing", verdicts)


def test_a_damaged_write_ahead_log_is_found(original: Original, tmp_path: Path) -> None:
    """One bit flipped in the write-ahead log, or its end missing: SQLite stops reading there, and the checkpoint that
    somebody kept says that the log is shorter than it was."""
    rng, verdicts = drawn("wal"), Counter[str]()
    for trial in range(times(30, 1_500)):
        bit = rng.randrange(8 * len(original.wal))
        wal = flipped(original.wal, bit) if trial % 3 else original.wal[: bit // 8]
        verdicts[judged(original, tmp_path, original.unmerged, wal)] += 1
    told("bit flips and cuts in the write-ahead log", verdicts)
    assert verdicts["found by verify"] > 0


def test_the_harness_notices_a_silent_change(original: Original, tmp_path: Path) -> None:
    """The canary: a store changed behind the verification's back, here before anyone kept a checkpoint of it, is
    called silent."""
    path = tmp_path / "changed.db"
    path.write_bytes(original.bytes)
    changed = content_of(path)
    changed["account"] = [(1, 2)]
    assert differing(original.content, changed) == {"account"}
    with pytest.raises(AssertionError, match="SILENT"):
        told("canary", Counter({f"SILENT {sorted(differing(original.content, changed))}": 1}))


def _content(url: str) -> Content:
    every_row = sql.SQL("SELECT * FROM settlement_ledger.{}")
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'settlement_ledger'").fetchall()
        return {
            name: sorted(connection.execute(every_row.format(sql.Identifier(name))).fetchall(), key=repr)
            for (name,) in names
        }


def test_a_flipped_bit_in_a_postgres_table_is_found(tmp_path: Path) -> None:
    """One bit flipped in a file of the store's tables and indexes while the server is down: the server's checksums or
    the verification find it, or every table reads as before."""
    rng, verdicts = drawn("postgres flips"), Counter[str]()
    with server() as running:
        running.start()
        with whole_ledger(running.url, tmp_path / "files"), projections.open(running.url) as read:
            assert read.verify() == []
            checkpoint = read.checkpoint()
        with psycopg.connect(running.url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            paths = connection.execute(
                "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relnamespace = 'settlement_ledger'::regnamespace"
                " AND relkind IN ('r', 'i') AND pg_relation_size(oid) > 0 ORDER BY 1"
            ).fetchall()
        before = _content(running.url)
        for _ in range(times(1, 20)):
            running.stop()
            path = running.data / str(rng.choice(paths)[0])
            data = path.read_bytes()
            path.write_bytes(flipped(data, rng.randrange(8 * len(data))))
            running.start()
            said = what_verify_says(running.url, checkpoint)
            if said == "nobody":
                said = "means the same" if _content(running.url) == before else "SILENT"
            verdicts[said] += 1
            running.stop(signal.SIGQUIT)
            path.write_bytes(data)
            running.start()
    told("bit flips in PostgreSQL's files", verdicts)
    assert verdicts["found by verify"] + verdicts["found by opening"] > 0 or verdicts.total() == 1
