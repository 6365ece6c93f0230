"""Opening and creating stores: connect never creates, create never spoils, a newer store is refused."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ledger.store
from ledger.refusals import StoreError
from ledger.store.schema import SCHEMA_VERSION
from tests.store.samples import all_rows, append, many

HOSTILE = {
    "APP_SQLITE_DBNAME": "/nowhere/elsewhere.db",
    "SQLITE_DBNAME": "/nowhere/elsewhere.db",
    "PERSISTENCE_MODULE": "eventsourcing.popo",
    "COMPRESSOR_TOPIC": "zlib",
    "CIPHER_TOPIC": "nowhere:Cipher",
    "CIPHER_KEY": "x",
    "TRANSCODER_TOPIC": "nowhere:Transcoder",
    "ORIGINATOR_ID_TYPE": "uuid",
    "POSTGRES_DBNAME": "elsewhere",
    "POSTGRES_HOST": "elsewhere.invalid",
    "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
    "POSTGRES_SCHEMA": "elsewhere",
    "PGHOST": "elsewhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGDATABASE": "elsewhere",
    "PGUSER": "nobody_at_all",
    "PGPASSWORD": "wrong",
    "PGPASSFILE": "/nowhere",
    "PGSERVICE": "elsewhere",
    "PGSERVICEFILE": "/nowhere",
    "PGOPTIONS": "-c default_transaction_read_only=on -c search_path=elsewhere",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "nonsense",
    "PGTZ": "Nowhere/Else",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nowhere",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "nobody_at_all",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCONNECT_TIMEOUT": "never",
    "PGMINPROTOCOLVERSION": "9.9",
    "PGMAXPROTOCOLVERSION": "0.1",
    "PGAPPNAME": "elsewhere",
}


def test_connect_never_creates(store_url: str, tmp_path: Path) -> None:
    """Where no store is, connect says so, says what to do, and leaves everything as it was."""
    with pytest.raises(StoreError, match=r"expected a ledger at .*settlement init"):
        ledger.store.connect(store_url)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError):
        ledger.store.connect(store_url)


def test_create_keeps_an_existing_store(store_url: str) -> None:
    """Creating a store that is there opens it with all it holds; the keyword of connect does the same."""
    with ledger.store.create(store_url) as store:
        append(store, many("claim-1", 5))
    with ledger.store.create(store_url) as store:
        assert len(all_rows(store)) == 5
    with ledger.store.connect(store_url, create=True) as store:
        assert len(all_rows(store)) == 5


def test_create_refuses_a_place_of_other_tables(store_url: str) -> None:
    """A database or schema that holds something else is named and not touched."""
    if store_url.startswith("sqlite"):
        with sqlite3.connect(store_url.removeprefix("sqlite:///")) as raw:
            raw.execute("CREATE TABLE theirs (x)")
    else:
        with ledger.store.create(store_url) as store, store.write() as writer:
            names = [
                name for (name,) in writer.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
            ]
            for name in names:
                writer.execute(f"DROP TABLE {name} CASCADE")
            writer.execute("CREATE TABLE theirs (x int)")
    with pytest.raises(StoreError, match="got the tables theirs"):
        ledger.store.create(store_url)
    with pytest.raises(StoreError, match="expected a ledger at"):
        ledger.store.connect(store_url)


@pytest.mark.parametrize(
    ("version", "advice"),
    [(SCHEMA_VERSION + 1, "later version of this package"), (SCHEMA_VERSION - 1, "settlement upgrade")],
)
def test_a_store_of_another_version_is_refused(store_url: str, version: int, advice: str) -> None:
    """A store of a newer schema needs a newer package, an older one an upgrade; neither is opened."""
    with ledger.store.create(store_url) as store, store.write() as writer:
        writer.execute("UPDATE schema_version SET version = ?", (version,))
    for opening in (ledger.store.connect, ledger.store.create):
        with pytest.raises(
            StoreError, match=rf"expected schema version {SCHEMA_VERSION} .* got \[{version}\].*{advice}"
        ):
            opening(store_url)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of something else, a folder, a missing folder: each is an error of its own, nothing is overwritten."""
    other = tmp_path / "letter.txt"
    other.write_text("dear auditor, " * 100)
    for opening in (ledger.store.connect, ledger.store.create):
        with pytest.raises(StoreError, match="not a database"):
            opening(f"sqlite:///{other}")
    assert other.read_text() == "dear auditor, " * 100
    with pytest.raises(StoreError):
        ledger.store.create(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match="folder"):
        ledger.store.create(f"sqlite:///{tmp_path / 'none' / 'ledger.db'}")


def test_a_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    """Without a server the store says so at once."""
    with pytest.raises(StoreError, match="expected a PostgreSQL server"):
        ledger.store.create(f"postgresql://me@/db?host={tmp_path}")


def test_the_environment_changes_nothing(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the library, of libpq and of the host in the environment neither move nor alter the store."""
    rows = many("claim-1", 600)
    with ledger.store.create(store_url) as store:
        append(store, rows)
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    with ledger.store.create(store_url) as store:
        append(store, [("claim-2", 1, "topic", b"raw")])
        recorder: Any = store.recorder
        assert recorder.max_notification_id() == 601
        assert recorder.select_notifications(start=601, limit=1)[0].state == b"raw"
    for name in HOSTILE:
        assert os.environ[name] == HOSTILE[name]
        monkeypatch.delenv(name)
    with ledger.store.connect(store_url) as store:
        assert [row[1:] for row in all_rows(store)] == [*rows, ("claim-2", 1, "topic", b"raw")]


def test_every_commit_reaches_the_disk(sqlite_url: str) -> None:
    """A SQLite store is in write-ahead mode and syncs every commit, whatever the build's default is."""
    with ledger.store.create(sqlite_url) as store, store.write() as writer:
        settings = [
            writer.query(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "recursive_triggers")
        ]
    assert settings == ["wal", 2, 1]


def test_positions_survive_a_vacuum(sqlite_url: str) -> None:
    """VACUUM does not renumber events."""
    with ledger.store.create(sqlite_url) as store:
        append(store, many("claim-1", 50))
        before = all_rows(store)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as raw:
        raw.execute("VACUUM")
    with ledger.store.connect(sqlite_url) as store:
        assert all_rows(store) == before


def test_the_connection_factory_can_be_replaced(sqlite_url: str) -> None:
    """A caller may put another maker of connections in the place of sqlite3's."""
    made = []

    def connector(*args: Any, **options: Any) -> sqlite3.Connection:
        made.append(args)
        connection: sqlite3.Connection = sqlite3.connect(*args, **options)
        return connection

    with ledger.store.create(sqlite_url, connector=connector) as store:
        append(store, many("claim-1", 2))
    assert made


def test_sqlite_needs_no_postgresql_driver(sqlite_url: str) -> None:
    """Importing the package loads neither numpy nor a driver; a SQLite store loads no psycopg."""
    code = (
        "import sys, ledger.store\n"
        "assert not {'numpy', 'psycopg', 'pyarrow', 'eventsourcing'} & set(sys.modules)\n"
        "store = ledger.store.create(sys.argv[1])\n"
        "with store.begin() as tx: tx.add_persons([('a', 'b')])\n"
        "assert not {'psycopg', 'psycopg_pool', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, sqlite_url], check=True)
