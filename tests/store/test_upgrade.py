"""Stores made by every earlier version move up: same events, same root, same state, with the new guards."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

import ledger
import projections
from ledger.refusals import StoreError
from ledger.store import connect, create, upgrade
from ledger.store.roles import grant_roles
from ledger.store.schema import SCHEMA_VERSION, STEPS
from tests.golden.make_store import HERE, summary
from tests.store.samples import append, many

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


def test_postgres_moves_up_too(postgres_url: str) -> None:
    """A PostgreSQL store without the latest guards gets them, and keeps its events."""
    with create(postgres_url) as store:
        append(store, many("claim-1", 5))
        with store.write() as writer:
            writer.execute("DROP TRIGGER log_head_refuse_back ON log_head")
            writer.execute("DROP TRIGGER log_head_refuse_delete ON log_head")
            writer.execute("DROP FUNCTION log_head_refuse()")
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
            writer.execute("DROP TABLE person_seal")
            writer.execute("ALTER TABLE person DROP COLUMN salt")
            writer.execute("UPDATE schema_version SET version = 3")
    assert upgrade(postgres_url) == (3, SCHEMA_VERSION)
    with connect(postgres_url) as store, store.write() as writer:
        writer.execute("DO $$BEGIN CREATE ROLE ledger_writer NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
        assert writer.query("SELECT has_table_privilege('ledger_writer', 'person_seal', 'INSERT')") == [(granted,)]


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
