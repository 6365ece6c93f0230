"""The log, on both databases: positions without gaps, in commit order; nothing kept of what failed."""

from collections.abc import Iterator
from functools import partial

import pytest

import ledger.store
from ledger.refusals import StoreError
from ledger.store import Conflict, Store
from tests.store.samples import TOPICS, all_rows, append, block_of, many


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store


def test_positions_are_the_numbers_from_one(store: Store) -> None:
    """Events stand at 1, 2, 3, … in the order they were appended, whatever the size of a block."""
    first, second, third = many("claim-340100-a", 3), many("claim-340100-b", 1_201), many("claim-340100-c", 2)
    assert append(store, first) == 1
    assert append(store, second) == 4
    with store.begin() as tx:
        assert tx.size == 1_204
        assert tx.append(block_of(third)) == 1_205
        assert tx.append(block_of([])) == 1_207
        assert tx.size == 1_206
    expected = [(i, *row) for i, row in enumerate(first + second + third, 1)]
    assert all_rows(store) == expected


def test_both_databases_hold_the_same_rows(sqlite_url: str, postgres_url: str) -> None:
    """The same work leaves the same positions and the same bytes in SQLite and in PostgreSQL."""
    logs = []
    for url in (sqlite_url, postgres_url):
        with ledger.store.create(url) as store:
            append(store, many("claim-110000-é", 7))
            append(store, many("claim-110000-大", 1_500))
            with pytest.raises(Conflict):
                append(store, many("claim-110000-大", 4))
            append(store, [("py-2024-000000001", 1, TOPICS[1], b""), ("py-2024-000000001", 2, TOPICS[1], b"\0")])
            logs.append(all_rows(store))
    assert logs[0] == logs[1]
    assert len(logs[0]) == 1_509


@pytest.mark.parametrize("size", [2, 499, 500, 10_000])
def test_batches_of_two_are_one_batch(store: Store, size: int) -> None:
    """How a batch was cut does not show in the log."""
    rows = many("claim-340100", 1_000)
    for at in range(0, len(rows), size):
        append(store, rows[at : at + size])
    assert all_rows(store) == [(i, *row) for i, row in enumerate(rows, 1)]


@pytest.mark.parametrize("size", [1, 800])
def test_a_failed_transaction_leaves_no_gap(store: Store, size: int) -> None:
    """A block that raises writes nothing, and the next one takes the positions it would have had."""
    append(store, many("claim-1", 2))
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        assert tx.append(block_of(many("claim-2", size))) == 3
        raise ZeroDivisionError
    assert append(store, many("claim-3", size)) == 3
    assert [row[0] for row in all_rows(store)] == list(range(1, size + 3))


@pytest.mark.parametrize("before", [0, 10, 700])
def test_a_taken_version_is_a_conflict(store: Store, before: int) -> None:
    """A second event at one version of a stream is refused, the stream named, and nothing of its block is kept."""
    append(store, [("py-2024-000000007", 1, TOPICS[1], b"a"), ("py-2024-000000007", 2, TOPICS[1], b"b")])
    rows = [*many("claim-340100", before), ("py-2024-000000007", 2, TOPICS[1], b"c"), *many("claim-x", 3)]
    with pytest.raises(Conflict, match="version 2 of stream 'py-2024-000000007'") as caught:
        append(store, rows)
    assert (caught.value.stream, caught.value.version) == ("py-2024-000000007", 2)
    assert len(all_rows(store)) == 2


@pytest.mark.parametrize("between", [0, 600])
def test_a_block_can_conflict_with_itself(store: Store, between: int) -> None:
    """Two events at one version of a stream in one block are refused."""
    rows = [("claim-a, 1)", 1, TOPICS[0], b"a"), *many("claim-b", between), ("claim-a, 1)", 1, TOPICS[0], b"b")]
    with pytest.raises(Conflict) as caught:
        append(store, rows)
    assert (caught.value.stream, caught.value.version) == ("claim-a, 1)", 1)
    assert all_rows(store) == []


def test_a_swallowed_conflict_still_rolls_back(store: Store) -> None:
    """A transaction whose conflict was caught inside the block cannot commit what came before it."""
    append(store, many("claim-1", 2))
    with pytest.raises(StoreError), store.begin() as tx:
        tx.append(block_of(many("claim-2", 2)))
        with pytest.raises(Conflict):
            tx.append(block_of(many("claim-1", 2)))
            tx.query("SELECT 1")
    assert len(all_rows(store)) == 2


@pytest.mark.parametrize("asked", [False, True], ids=["at the commit", "at the next question"])
@pytest.mark.parametrize("size", [2, 150, 700])
def test_a_conflict_is_told_by_the_commit_at_the_latest(size: int, asked: bool, store: Store) -> None:
    """It names the stream and version that are taken, whether anything is asked behind the append or not; nothing of
    the transaction is kept, and the store goes on."""
    append(store, [("claim-1", 1, TOPICS[0], b"")])
    rows = [*many("claim-2", size - 1), ("claim-1", 1, TOPICS[0], b"")]
    with pytest.raises(Conflict, match="claim-1") as told, store.begin() as tx:
        tx.append(block_of(rows))
        if asked:
            tx.query("SELECT 1")
            raise AssertionError("a question was answered behind a conflict")
    assert (told.value.stream, told.value.version) == ("claim-1", 1)
    assert len(all_rows(store)) == 1
    assert append(store, many("claim-3", size)) == 2


@pytest.mark.parametrize("sizes", [(2, 150), (150, 2), (150, 150, 2, 700, 3), (512, 513)])
def test_blocks_of_one_transaction_stand_in_their_order(sizes: tuple[int, ...], store: Store) -> None:
    """However long each of them is, and whatever is asked and put between; what is asked sees all before it."""
    rows = [many(f"claim-{number}", size) for number, size in enumerate(sizes)]
    for between in (False, True):
        with store.begin() as tx:
            first = tx.size + 1
            for number, part in enumerate(rows):
                stream = f"{between}-{number}-"
                tx.append(block_of([(stream + of, version, topic, state) for of, version, topic, state in part]))
                if between:
                    found = tx.query("SELECT COUNT(*) FROM stored_events WHERE originator_id LIKE ?", (f"{stream}%",))
                    assert found == [(len(part),)]
        kept = [row for row in all_rows(store) if row[0] >= first]
        assert [row[0] for row in kept] == list(range(first, first + sum(sizes)))
        assert [row[1].partition("-")[2].partition("-")[2] for row in kept] == [of for part in rows for of, *_ in part]


def test_recorded_time_never_goes_back(store: Store) -> None:
    """The recorded time of a transaction is the clock's, or the last one's where the clock went back."""
    seen = []
    for clock, stream in ((100, "a"), (50, "b"), (200, "c")):
        with store.begin(clock_us=partial(int, clock)) as tx:
            tx.append(block_of([(stream, 1, TOPICS[0], b"")]))
            seen.append(tx.recorded_at)
    assert seen == [100, 100, 200]
    with store.read() as reader:
        assert reader.recorded_at == 200


def test_a_clock_that_counts_something_else_writes_nothing(store: Store) -> None:
    """Nanoseconds are refused before they are recorded: recorded time never goes back, and no date has such a year."""
    with (
        pytest.raises(
            StoreError, match="microseconds since 1970 UTC, before the year 9999, got 1,711,929,600,000,000,000"
        ),
        store.begin(clock_us=partial(int, 1_711_929_600_000_000_000)),
    ):
        pass
    with store.begin(clock_us=partial(int, 1_711_929_600_000_000)) as tx:
        assert tx.recorded_at == 1_711_929_600_000_000


def test_streams_are_read_by_thousands(store: Store) -> None:
    """Heads, first events and events at positions come in one call for thousands of keys, missing ones left out."""
    rows = many("claim-340100", 6_000)
    append(store, rows)
    streams = [f"claim-340100-{i:06d}" for i in range(2_990, 3_010)] + [f"claim-340100-{i:06d}" for i in range(2_000)]
    with store.begin() as tx:
        heads = tx.stream_heads(streams)
        assert heads == dict.fromkeys([s for s in streams if s < "claim-340100-003000"], 2)
        firsts = tx.first_events(streams)
        assert firsts == {stream: (2 * int(stream[-6:]) + 1, rows[2 * int(stream[-6:])][3]) for stream in heads}
        assert tx.stream_heads([]) == {} and tx.first_events([]) == {} and tx.events_at([]) == {}
        positions = [1, 6_000, 6_001, 0, -5, 3_000]
        assert tx.events_at(positions) == {p: rows[p - 1] for p in (1, 6_000, 3_000)}
        assert tx.stream("claim-340100-000001") == [(3, 1, *rows[2][2:]), (4, 2, *rows[3][2:])]
        assert tx.stream("claim-nowhere") == []


def test_a_transaction_reads_what_it_appended(store: Store) -> None:
    """Within a transaction its own events are already there."""
    with store.begin() as tx:
        tx.append(block_of(many("claim-1", 1_000)))
        assert tx.stream_heads(["claim-1-000000"]) == {"claim-1-000000": 2}
        assert sum(map(len, tx.pages())) == 1_000


def test_pages_end_at_the_snapshot(store: Store) -> None:
    """A reader sees the log as it was when its block began, page by page, also filtered by topic."""
    rows = many("claim-1", 2_500)
    append(store, rows)
    with store.read() as reader:
        append(store, many("claim-2", 10))
        assert reader.size == 2_500
        pages = list(reader.pages(after=3, limit=1_000))
        assert [len(page) for page in pages] == [1_000, 1_000, 497]
        assert pages[0][0] == (4, *rows[3]) and pages[-1][-1] == (2_500, *rows[-1])
        filtered = [row for page in reader.pages(topics=[TOPICS[1]], limit=7) for row in page]
        assert filtered == [(i, *row) for i, row in enumerate(rows, 1) if row[2] == TOPICS[1]]
        assert list(reader.pages(topics=[])) == [] == list(reader.pages(after=2_500))
        states = [row for page in reader.states(1, 5, TOPICS[0]) for row in page]
        assert states == [(3, rows[2][3]), (5, rows[4][3])]
        assert reader.query("SELECT COUNT(*), SUM(notification_id) FROM stored_events") == [(2_500, 2_500 * 2_501 // 2)]


def test_events_are_never_changed_or_deleted(store: Store) -> None:
    """The database itself refuses to change, delete or replace an event."""
    append(store, many("claim-1", 2))
    before = all_rows(store)
    changes = ["UPDATE stored_events SET state = state", "DELETE FROM stored_events WHERE notification_id = 1"]
    if store.dialect == "sqlite":
        changes.append("INSERT OR REPLACE INTO stored_events SELECT * FROM stored_events")
    else:
        changes.append("TRUNCATE stored_events")
        replace = "ON CONFLICT (notification_id) DO UPDATE SET state = ''"
        changes.append(f"INSERT INTO stored_events SELECT * FROM stored_events {replace}")
    for change in changes:
        with pytest.raises(StoreError, match="append-only"), store.write() as writer:
            writer.execute(change)
    assert all_rows(store) == before


def test_a_store_outlives_its_process_objects(store_url: str) -> None:
    """What was committed is there when the store is opened again, and appending goes on behind it."""
    with ledger.store.create(store_url) as store:
        append(store, many("claim-1", 600))
    with ledger.store.connect(store_url) as store:
        assert append(store, many("claim-2", 1)) == 601
        assert len(all_rows(store)) == 601


def test_tables_beside_the_log_are_written_in_their_own_transaction(store: Store) -> None:
    """A projection writes its tables with the same statements on both databases, all of a block or none of it."""
    with store.write() as writer:
        writer.execute("CREATE TABLE totals (name TEXT PRIMARY KEY, amount_fen BIGINT, note TEXT)")
        assert writer.executemany("INSERT INTO totals VALUES (?, ?, ?)", [("a", 1, None), ("b", 2, "50 %")]) == 2
        more = [f"n{i}" for i in range(3_000)]
        writer.put("totals", ("name", "amount_fen"), (more, list(range(3_000))))
        clause = "ON CONFLICT (name) DO UPDATE SET amount_fen = totals.amount_fen + excluded.amount_fen"
        writer.put("totals", ("name", "amount_fen"), (["a", "z"], [10, 20]), clause)
    with pytest.raises(StoreError), store.write() as writer:
        writer.execute("DELETE FROM totals")
        writer.execute("DELETE FROM totals_that_are_not_there")
    with store.read() as reader:
        assert reader.query("SELECT * FROM totals WHERE name IN (?, ?, ?) ORDER BY name", ("a", "b", "z")) == [
            ("a", 11, None),
            ("b", 2, "50 %"),
            ("z", 20, None),
        ]
        assert reader.query("SELECT COUNT(*), SUM(amount_fen) FROM totals") == [(3_003, 2_999 * 3_000 // 2 + 33)]
        assert reader.lookup("totals", "name", "amount_fen, note", ["b", "none", "n5"]) == [
            (0, 2, "50 %"),
            (2, 5, None),
        ]
        assert reader.query("SELECT name FROM totals WHERE name LIKE 'n299%' ORDER BY name LIMIT ?", (1,)) == [
            ("n299",)
        ]
