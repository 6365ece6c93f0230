"""The database itself keeps the log append-only: what each role may not do, it tries here, connected as itself."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

import ledger
import projections
from ledger.intake import run_intake
from ledger.profile import load_profile
from ledger.refusals import StoreError
from ledger.store import connect, create, run_writer, tidying
from ledger.store.roles import GRANTS, READER, WRITER, grant_roles
from ledger.store.tidying import merge_runs
from projections.reader import MODELS
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.worlds import claim, opened, rows_of, sign, write
from tests.store.samples import all_rows, append, many

DERIVED = ["projection", *(table.name for model in MODELS for table in model.tables)]


@contextmanager
def login(server: str, role: str) -> Iterator[str]:
    """Gives the name of an account that may log in and has a role, and drops it afterwards."""
    name = sql.Identifier(f"{role}_test_{os.getpid()}")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'test' IN ROLE {}").format(name, sql.Identifier(role)))
    try:
        yield f"{role}_test_{os.getpid()}"
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP ROLE {}").format(name))


def as_account(url: str, name: str) -> str:
    """Returns a store's URL with another account in it."""
    found = re.fullmatch(r"(postgresql://)(?:[^@/]*@)?(.*)", url)
    assert found is not None
    return f"{found[1]}{quote(name)}:test@{found[2]}"


def refused(url: str, *statements: str) -> None:
    """Checks that each statement is refused, for want of a privilege or by the log's own triggers."""
    with connect(url) as store:
        for statement in statements:
            with pytest.raises(StoreError, match=r"permission denied|must be owner|append-only|unrecognized|not have"):
                with store.write() as writer:
                    writer.execute(statement)
                pytest.fail(f"{statement} was allowed")


CHANGES_OF_THE_LOG = (
    "UPDATE stored_events SET state = ''",
    "UPDATE stored_events SET topic = topic WHERE notification_id = 1",
    "DELETE FROM stored_events",
    "TRUNCATE stored_events",
    "TRUNCATE stored_events CASCADE",
    "DROP TABLE stored_events",
    "DROP TRIGGER stored_events_refuse_change ON stored_events",
    "ALTER TABLE stored_events DISABLE TRIGGER ALL",
    "ALTER TABLE stored_events ADD COLUMN more int",
    "DROP FUNCTION stored_events_refuse()",
    "CREATE OR REPLACE FUNCTION stored_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
    "SET session_replication_role = replica",
    "CREATE RULE nothing AS ON INSERT TO stored_events DO INSTEAD NOTHING",
    "INSERT INTO stored_events SELECT * FROM stored_events"
    " ON CONFLICT (notification_id) DO UPDATE SET state = excluded.state",
    "DELETE FROM log_head",
    "TRUNCATE log_head",
    "UPDATE log_head SET one = 1",
    "DROP TRIGGER log_head_refuse_back ON log_head",
    "UPDATE schema_version SET version = 99",
    "DELETE FROM person",
    "UPDATE person SET psn_name = 'somebody else'",
    "TRUNCATE person",
    "DROP SCHEMA {} CASCADE",
    "CREATE TABLE theirs (x int)",
    "DELETE FROM message",
    "DELETE FROM reversal",
    "DELETE FROM person_year",
    "TRUNCATE person_year",
    "DROP TABLE balance",
    "TRUNCATE proof_tile",
)


@pytest.fixture
def granted(postgres_url: str, tmp_path: Path) -> str:
    """Returns a store with a claim in it and the roles made."""
    with opened(postgres_url) as book:
        book.intake(write(tmp_path / "first.csv", [claim(1)]))
    projections.grant_roles(postgres_url)
    projections.grant_roles(postgres_url)
    return postgres_url


def test_every_table_is_closed_or_granted_on_purpose(granted: str) -> None:
    """No table of the store is without a line that says what each role may do with it."""
    with connect(granted) as store, store.read() as reader:
        tables = {
            name for (name,) in reader.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        }
        public = reader.query(
            "SELECT table_name FROM information_schema.role_table_grants"
            " WHERE table_schema = current_schema() AND grantee = 'PUBLIC'"
        )
    assert tables == {*GRANTS, *DERIVED}
    assert public == []


def test_the_writer_appends_and_cannot_change_what_is_there(granted: str, postgres_server: str, tmp_path: Path) -> None:
    """The writer takes claims in, closes and pays; it can neither change the log nor take its guards away."""
    with login(postgres_server, WRITER) as name:
        url = as_account(granted, name)
        with ledger.open(url, actor="writer") as book:
            assert book.intake(write(tmp_path / "second.csv", [claim(2), claim(3)])).booked == 2
            book.close(202401)
            sign(book, 202401)
            book.pay(202401)
        with projections.open(url) as read:
            assert read.balances().accounts
            assert read.trace("P000002").found
            assert read.verify() == []
        with connect(url) as store:
            before = all_rows(store)
            with store.read() as reader:
                schema = reader.query("SELECT current_schema()")[0][0]
        refused(url, *(statement.format(schema) for statement in CHANGES_OF_THE_LOG))
        refused(url, "UPDATE log_head SET size = size - 1", "UPDATE log_head SET recorded_at = 0")
        with connect(url) as store:
            assert all_rows(store) == before


def test_the_writer_leaves_runs_folds_and_merges_them_and_the_reader_reads_them(
    granted: str, postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's batches leave runs, which the job's end folds or merges; the reader holds them against the log."""
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(tidying, "FEW_RUNS", 1)
    members = [f"{MEMBERS},account_balance", *(f"P{i},某,260101,310,11,,9{i}000.00" for i in range(5))]
    rows = [claim(10 + i, psn_no=f"P{i % 5}", insutype="310", psn_type="11") for i in range(20)]
    with login(postgres_server, WRITER) as writer, login(postgres_server, READER) as reader:
        url = as_account(granted, writer)
        for at, folded in enumerate((999, 1)):
            monkeypatch.setattr(tidying, "FOLDED_ROWS", folded)
            with ledger.open(url, actor="writer") as book:
                if not at:
                    registered(book, tmp_path, *members)
                path = write(tmp_path / f"{at}.csv", rows[10 * at : 10 * at + 10])
                run_intake(
                    book, path, load_profile(), reason="", retry=False, dry_run=False, progress=None, quarantine=None,
                    batch_rows=4,
                )  # fmt: skip
                standing = [len(rows_of(book, f"{name}_run", "run")) for name in ("person_year", "account")]
                assert standing == ([0, 0] if at else [1, 1])
            with projections.open(as_account(granted, reader)) as read:
                assert read.verify() == []
        with ledger.open(url, actor="writer") as book:
            merge_runs(book.store)
            assert rows_of(book, "message_run", "run") == []


def test_the_reader_reads_all_but_persons_and_appends_nothing(
    granted: str, postgres_server: str, tmp_path: Path
) -> None:
    """The reader gets statements, traces, proofs, a verification; persons and every way to write are closed."""
    with login(postgres_server, READER) as name:
        url = as_account(granted, name)
        with projections.open(url) as read:
            assert read.statement().lines
            assert read.trace("260100/S000001").found
            assert read.verify() == []
            assert read.prove("260100/S000001", read.checkpoint()).events
            with pytest.raises(StoreError, match="may read persons"):
                read.trace("P000001")
        with connect(url) as store:
            for statement in ("SELECT * FROM person", "SELECT psn_name FROM person", "SELECT count(*) FROM person"):
                with pytest.raises(StoreError, match="permission denied"), store.read() as reader:
                    reader.query(statement)
            with pytest.raises(StoreError, match="permission denied"):
                append(store, many("claim-x", 1))
            with store.read() as reader:
                schema = reader.query("SELECT current_schema()")[0][0]
        with pytest.raises(StoreError), ledger.open(url, actor="reader") as book:
            book.intake(write(tmp_path / "second.csv", [claim(2)]))
        refused(url, *(statement.format(schema) for statement in CHANGES_OF_THE_LOG))
        refused(
            url,
            "UPDATE log_head SET size = size + 1",
            "INSERT INTO person VALUES (99, 'x', 'y')",
            "UPDATE account SET balance_fen = 0",
            "INSERT INTO stored_events VALUES (99, 'x', 1, 'claim-filed/1', '')",
            "COPY stored_events FROM STDIN",
            "CREATE VIEW persons AS SELECT * FROM person",
        )


def test_a_stranger_sees_nothing(granted: str, postgres_server: str) -> None:
    """An account with neither role cannot even open the store."""
    name = f"stranger_test_{os.getpid()}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'test'").format(sql.Identifier(name)))
    try:
        with pytest.raises(StoreError):
            connect(as_account(granted, name))
    finally:
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_the_head_never_goes_back(store_url: str) -> None:
    """Not even the owner moves the head of the log back or takes it away, on either database."""
    with create(store_url) as store:
        append(store, many("claim-1", 5))
        for statement in (
            "UPDATE log_head SET size = size - 1",
            "UPDATE log_head SET recorded_at = recorded_at - 1",
            "UPDATE log_head SET tokens = -1",
            "DELETE FROM log_head",
        ):
            with pytest.raises(StoreError, match="append-only"), store.write() as writer:
                writer.execute(statement)
        append(store, many("claim-2", 5))
        assert len(all_rows(store)) == 10


def test_a_file_has_no_roles(sqlite_url: str) -> None:
    """Roles are PostgreSQL's: asked of a SQLite store they are refused, not passed over."""
    with create(sqlite_url) as store, pytest.raises(StoreError, match="expected a PostgreSQL store"):
        grant_roles(store)
