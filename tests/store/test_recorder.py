"""The recorders, held to the library's own suites, with text ids, on both databases."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder
from eventsourcing.tests import persistence as suites

import ledger.store
from ledger.store import Store
from tests.store.samples import all_rows, append, many


class OnSQLite:
    @pytest.fixture(autouse=True)
    def _store(self, sqlite_url: str) -> Iterator[None]:
        with ledger.store.create(sqlite_url) as self.store:
            yield

    def new_originator_id(self) -> str:
        return f"stream-{uuid4()}"

    def create_recorder(self) -> Any:
        return self.store.recorder


class OnPostgres(OnSQLite):
    @pytest.fixture(autouse=True)
    def _store(self, postgres_url: str) -> Iterator[None]:
        with ledger.store.create(postgres_url) as self.store:
            yield


class TestSQLiteRecorder(OnSQLite, suites.ApplicationRecorderTestCase[Any]):
    """The SQLite recorder does what the library asks of an application recorder."""


class TestPostgresRecorder(OnPostgres, suites.ApplicationRecorderTestCase[Any]):
    """The PostgreSQL recorder does what the library asks of an application recorder, subscriptions included."""

    def test_insert_subscribe(self) -> None:
        """A subscriber is woken and receives every event once, in order."""
        self.optional_test_insert_subscribe()


class TestSQLiteOrder(OnSQLite, suites.NonInterleavingNotificationIDsBaseCase):
    """Two writers at once: the positions of one insertion are consecutive."""


class TestPostgresOrder(OnPostgres, suites.NonInterleavingNotificationIDsBaseCase):
    """Two writers at once: the positions of one insertion are consecutive."""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store


def test_recorder_and_transactions_share_one_log(store: Store) -> None:
    """Positions are consecutive whoever appends, and a failed insertion leaves no gap."""
    recorder = store.recorder
    assert isinstance(recorder, ApplicationRecorder)
    assert isinstance(recorder, SQLiteApplicationRecorder | PostgresApplicationRecorder)
    append(store, many("claim-1", 3))
    small = [StoredEvent("s", version, "topic", b"\0state") for version in (1, 2)]
    large = [StoredEvent(f"l-{i}", 1, "topic", b"state") for i in range(700)]
    assert recorder.insert_events(small) == [4, 5]
    assert recorder.insert_events(large) == list(range(6, 706))
    for again in (small[1:], [*large[:600]]):
        with pytest.raises(IntegrityError):
            recorder.insert_events(again)
    assert recorder.insert_events([]) == []
    assert append(store, many("claim-2", 1)) == 706
    assert [row[0] for row in all_rows(store)] == list(range(1, 707))
    assert recorder.max_notification_id() == 706
    assert list(recorder.select_events("s")) == small
    assert recorder.select_notifications(start=4, limit=1)[0].state == b"\0state"


def test_creating_tables_through_the_library_changes_nothing(store: Store) -> None:
    """The library's create_table is harmless: the store has its own tables already."""
    recorder: Any = store.recorder
    recorder.create_table()
    with store.read() as reader:
        if store.dialect == "sqlite":
            sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        else:
            sql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
        names = {name for (name,) in reader.query(sql)}
    assert names == {
        "account",
        "account_run",
        "drug_cap",
        "drug_use",
        "enrolment_rule",
        "entitlement",
        "filing",
        "institution",
        "log_head",
        "member",
        "message",
        "message_run",
        "person",
        "person_block",
        "person_number",
        "person_run",
        "person_seal",
        "person_year",
        "person_year_run",
        "price_cap",
        "reversal",
        "schema_version",
        "stored_events",
        "trace_code",
        "visit",
    }
