"""Stores made by every earlier version move up: same events, same root, same state, with the new guards."""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

import ledger
import projections
from core_ext.layout import ACCUMULATORS
from ledger.keys import YEARS
from ledger.refusals import StoreError
from ledger.store import connect, create, upgrade
from ledger.store.roles import grant_roles
from ledger.store.schema import SCHEMA_VERSION, STEPS
from ledger.store.session import Writer
from ledger.store.tidying import merge_runs
from tests.golden.make_store import HERE, summary
from tests.store.samples import append, block_of, many

FIXTURES = sorted(HERE.glob("store-*.db"), key=lambda path: int(path.stem.removeprefix("store-")))


def copied(fixture: Path, folder: Path) -> str:
    """Returns the URL of a copy of a fixture."""
    shutil.copy(fixture, folder / "ledger.db")
    return f"sqlite:///{folder / 'ledger.db'}"


def shape(path: str) -> list[tuple[str, str]]:
    """Returns the name and statement of everything a SQLite file declares beside derived tables."""
    with sqlite3.connect(path) as raw:
        rows = raw.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return [(name, " ".join(statement.split())) for name, statement in rows]


def test_there_is_a_fixture_of_every_version_before() -> None:
    """Every schema that a step leads away from has its stored fixture, this one's included."""
    assert [path.name for path in FIXTURES] == [f"store-{version}.db" for version in (*STEPS, SCHEMA_VERSION)]
    assert [*STEPS] == [*range(1, SCHEMA_VERSION)]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_stored_fixture_opens_with_all_it_held(fixture: Path, tmp_path: Path) -> None:
    """An old store is refused with what to do, moves up, and then holds the same events, root and state."""
    url = copied(fixture, tmp_path)
    before = int(fixture.stem.removeprefix("store-"))
    if before != SCHEMA_VERSION:
        with pytest.raises(StoreError, match="settlement upgrade"):
            connect(url)
    assert upgrade(url) == (before, SCHEMA_VERSION)
    assert upgrade(url) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert summary(url) == json.loads(fixture.with_suffix(".json").read_text(encoding="utf-8"))
    with projections.open(url) as read:
        assert read.verify() == []
        assert len(list(read.events())) == read.root()[0]
        assert read.statement(202401).lines
    with ledger.open(url, actor="later") as book:
        assert not book.replay(202401).differences
        assert book.clawback_collect("CASE-1", 4_000, "RECEIPT-3").outstanding_fen == 0


def test_a_store_moved_up_has_the_shape_of_a_new_one(tmp_path: Path) -> None:
    """Table by table and trigger by trigger, an upgraded store is declared as a new one is."""
    url = copied(FIXTURES[0], tmp_path)
    upgrade(url)
    create(f"sqlite:///{tmp_path / 'new.db'}").close()
    assert shape(str(tmp_path / "ledger.db")) == shape(str(tmp_path / "new.db"))


def unrun(writer: Writer, dialect: str = "postgres") -> None:
    """Gives a store the runs of version 4 again, as its own steps make them, and takes away what came later."""
    for table in ("person_block", "person_number", "person_run", "person_year_run", "account_run", "message_run"):
        writer.execute(f"DROP TABLE {table}")
    writer.execute("ALTER TABLE account DROP COLUMN version")
    for statement in STEPS[2][dialect]:
        writer.execute(statement)


def test_runs_of_a_job_under_way_move_up(store_url: str) -> None:
    """Person-years that stand in runs of version 4 read the same behind the upgrade, and merge."""
    keys = np.arange(1, 3_001, dtype=np.int64) * YEARS + 2024
    values = np.tile(np.arange(len(ACCUMULATORS), dtype=np.int64), (len(keys), 1)) * keys[:, None]
    with create(store_url) as store:
        for at, part in enumerate((keys, keys[:2_500])):
            with store.begin() as tx:
                tx.append(block_of(many(f"claim-{at}", 1)))
                tx.save_later(part, np.full(len(part), at + 1, np.int64), values[: len(part)] + at)
        with store.write() as writer:
            rows = writer.query("SELECT run, keys, versions, used, width, amounts FROM person_year_run ORDER BY run")
            unrun(writer, store.dialect)
            for row in rows:
                writer.execute("INSERT INTO person_year_run VALUES (?, ?, ?, ?, ?, ?)", row)
            writer.execute("UPDATE schema_version SET version = 4")
    assert len(rows) == 2 and upgrade(store_url) == (4, SCHEMA_VERSION)
    with connect(store_url) as store:
        for _ in range(2):
            with store.read() as reader:
                versions, found = reader.load_state(keys)
            assert versions.tolist() == [2] * 2_500 + [1] * 500
            assert np.array_equal(found, values + (versions == 2)[:, None])
            merge_runs(store)


def test_postgres_moves_up_too(postgres_url: str) -> None:
    """A PostgreSQL store without the latest guards gets them, and keeps its events."""
    with create(postgres_url) as store:
        append(store, many("claim-1", 5))
        with store.write() as writer:
            writer.execute("DROP TRIGGER log_head_refuse_back ON log_head")
            writer.execute("DROP TRIGGER log_head_refuse_delete ON log_head")
            writer.execute("DROP FUNCTION log_head_refuse()")
            unrun(writer)
            writer.execute("DROP TABLE person_year_run")
            writer.execute("DROP TABLE person_seal")
            writer.execute("ALTER TABLE person DROP COLUMN salt")
            writer.execute("UPDATE schema_version SET version = 1")
    assert upgrade(postgres_url) == (1, SCHEMA_VERSION)
    with connect(postgres_url) as store:
        with pytest.raises(StoreError, match="append-only"), store.write() as writer:
            writer.execute("UPDATE log_head SET size = 0")
        assert append(store, many("claim-2", 5)) == 6


@pytest.mark.parametrize("granted", [True, False])
def test_roles_may_use_what_an_upgrade_adds(postgres_url: str, granted: bool) -> None:
    """Whoever could append before can append persons with their seals behind it; nobody else is let in."""
    with create(postgres_url) as store:
        if granted:
            grant_roles(store)
        with store.write() as writer:
            unrun(writer)
            writer.execute("DROP TABLE person_seal")
            writer.execute("ALTER TABLE person DROP COLUMN salt")
            writer.execute("UPDATE schema_version SET version = 3")
    assert upgrade(postgres_url) == (3, SCHEMA_VERSION)
    with connect(postgres_url) as store, store.write() as writer:
        writer.execute("DO $$BEGIN CREATE ROLE ledger_writer NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
        for table in ("person_seal", "person_block", "person_run", "person_year_run", "account_run", "message_run"):
            assert writer.query(f"SELECT has_table_privilege('ledger_writer', '{table}', 'INSERT')") == [(granted,)]


def test_an_upgrade_is_whole_or_not_at_all(store_url: str) -> None:
    """Where a step fails nothing has moved; a newer store, or none, is refused."""
    with pytest.raises(StoreError, match="settlement init"):
        upgrade(store_url)
    with create(store_url) as store, store.write() as writer:
        writer.execute("UPDATE schema_version SET version = 1")
    with pytest.raises(StoreError, match="log_head_refuse"):
        upgrade(store_url)
    with pytest.raises(StoreError, match="settlement upgrade"):
        connect(store_url)
    # The guards are still there, and once.
    with pytest.raises(StoreError, match="log_head_refuse"):
        upgrade(store_url)
