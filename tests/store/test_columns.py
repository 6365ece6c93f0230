"""A range of the log read as columns is what it is row by row, whatever bytes it holds and whatever was damaged."""

import random
import sqlite3
from collections.abc import Iterator

import apsw
import pytest

import ledger.store
from core_ext.codec_fields import state_at
from core_ext.text import to_list
from ledger.refusals import StoreError
from ledger.store import Store, connect, session
from ledger.store.schema import sqlite_statements
from ledger.store.session import Reader
from ledger.store.sqlite import PACKED
from tests.store.samples import TOPICS, all_rows, append, many

Row = tuple[int, str, int, str, bytes]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store


def any_rows(seed: int, n: int) -> list[tuple[str, int, str, bytes]]:
    """Returns events whose states are empty, of NULs, no text, text, newlines and commas, or of any bytes."""
    chance = random.Random(seed)
    odd = [b"", b"\0", b"\0\0a\0", b"\xff\xfe", b"\xc1\0", "城乡,居民\n".encode(), b",", b"\n", bytes(range(256))]
    states = [
        chance.choice(odd) if chance.random() < 0.5 else chance.randbytes(chance.choice([1, 20, 300, 5_000]))
        for _ in range(n)
    ]
    return [(f"stream,{seed}-é-{i}", 1 + i % 3, chance.choice(TOPICS), state) for i, state in enumerate(states)]


def columns(reader: Reader, after: int, stop: int, wide: bool, names: list[str]) -> list[tuple[object, ...]]:
    """Returns what a range is as columns: topic and state, and with ``wide`` stream and version."""
    found = reader.columns(after, stop, names, wide)
    n = len(found.topics)
    parts: list[list[object]] = [
        [names[topic] for topic in found.topics.tolist()],
        [state_at(found.states, row) for row in range(n)],
    ]
    if wide:
        assert found.streams is not None and found.versions is not None
        parts += [list(to_list(found.streams)), found.versions.tolist()]
    assert len(found.states.offsets) == n + 1
    return list(zip(*parts, strict=True))


def expected(rows: list[Row], wide: bool) -> list[tuple[object, ...]]:
    return [(topic, state, stream, version) if wide else (topic, state) for _, stream, version, topic, state in rows]


@pytest.mark.parametrize("seed", range(4))
def test_a_range_as_columns_is_its_rows(store: Store, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte of every state comes back, of one event and of many, and no row is made of any of them."""
    append(store, any_rows(seed, 60))
    append(store, [(f"empty-{i}", 1, TOPICS[0], b"") for i in range(5)])
    append(store, many("claim", 1_400))
    rows = all_rows(store)

    def never(*_: object) -> None:
        raise AssertionError("read row by row")

    monkeypatch.setattr(session, "listed", never)
    chance = random.Random(seed)
    ranges = [(0, len(rows)), (0, 1), (59, 65), (60, 65), (60, 61), (len(rows) - 2, len(rows))]
    ranges += [tuple(sorted(chance.sample(range(len(rows) + 1), 2))) for _ in range(12)]
    names: list[str] = []
    with store.read() as reader:
        for after, stop in ranges:
            for wide in (False, True):
                assert columns(reader, after, stop, wide, names) == expected(rows[after:stop], wide)
    assert sorted(names) == sorted(TOPICS)


def test_what_does_not_pack_is_read_as_rows(sqlite_url: str) -> None:
    """A newline in a name, an unknown topic, more bytes than one value holds, another order: the same events."""
    given = [*any_rows(7, 20), ("two\nlines", 1, TOPICS[0], b"x"), ("s", 1, "a\ntopic", b"y"), *any_rows(8, 20)]
    with ledger.store.create(sqlite_url) as store:
        append(store, given)
        rows = all_rows(store)
        with store.read() as reader:
            for wide in (False, True):
                assert columns(reader, 0, 42, wide, []) == expected(rows, wide)
                assert columns(reader, 0, 20, wide, []) == expected(rows[:20], wide)
        with store.read() as reader:
            reader.query("PRAGMA reverse_unordered_selects = ON")
            states = reader.query(PACKED[False], (0, 20))[0][0]
            assert states == b"".join(state for *_, state in reversed(rows[:20]))
            assert columns(reader, 0, 20, True, []) == expected(rows[:20], True)
    with connect(sqlite_url) as store, store.read() as reader:
        raw = reader._link._cursor.connection
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 8_000)
        assert reader._link.packed(0, 42, False) is None
        assert columns(reader, 0, 42, False, []) == expected(rows, False)


def test_bytes_a_database_cut_off_are_found_missing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a database puts less together than it says, as one that ends a text at its first NUL, rows are read."""
    cut = {
        wide: sql.replace(
            "CAST(group_concat(state, '') AS BLOB)", "substr(CAST(group_concat(state, '') AS BLOB), 1, 3)"
        )
        for wide, sql in PACKED.items()
    }
    with ledger.store.create(sqlite_url) as store:
        append(store, any_rows(3, 30))
        rows = all_rows(store)
        monkeypatch.setattr("ledger.store.sqlite.PACKED", cut)
        with store.read() as reader:
            assert reader._link.packed(0, 30, False)[0] == b"".join(row[4] for row in rows)[:3]
            assert columns(reader, 0, 30, True, []) == expected(rows, True)


def test_another_sqlite_packs_alike() -> None:
    """The newer SQLite that comes with apsw puts bytes together as the one of this interpreter does."""
    given = any_rows(11, 80)
    found = []
    for raw in (apsw.Connection(":memory:"), sqlite3.connect(":memory:")):
        for statement in sqlite_statements():
            if "stored_events" in statement:
                raw.execute(statement)
        for position, row in enumerate(given, 1):
            raw.execute("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", (position, *row))
        found.append([list(raw.execute(PACKED[wide], (3, 70))) for wide in (False, True)])
    assert found[0] == found[1] and found[0][0][0][0] == b"".join(state for *_, state in given[3:70])


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE stored_events SET state = 'text' WHERE notification_id = 9", "a state of type bytes, got str"),
        ("UPDATE stored_events SET state = 8 WHERE notification_id = 9", "a state of type bytes, got int"),
        (
            "UPDATE stored_events SET originator_version = 0.5 WHERE notification_id = 9",
            "a version of type int, got flo",
        ),
        ("UPDATE stored_events SET originator_id = x'00' WHERE notification_id = 9", "a stream of type str, got bytes"),
        ("UPDATE stored_events SET topic = x'61' WHERE notification_id = 9", "a topic of type str, got bytes"),
        ("UPDATE stored_events SET topic = CAST(x'ff' AS TEXT) WHERE notification_id = 9", None),
        ("UPDATE stored_events SET originator_id = CAST(x'ff' AS TEXT) WHERE notification_id = 9", None),
        ("DELETE FROM stored_events WHERE notification_id = 9", "an event, got none"),
        ("DELETE FROM stored_events WHERE notification_id >= 9", "an event, got none"),
    ],
)
def test_a_damaged_range_is_named(sqlite_url: str, statement: str, named: str | None) -> None:
    """What is no event of a log is an error that says where, not bytes taken for a state; text that is no UTF-8 is
    refused as the database's module refuses it."""
    with ledger.store.create(sqlite_url) as store:
        append(store, many("claim", 40))
        with store.write() as writer:
            for (trigger,) in writer.query("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                writer.execute(f"DROP TRIGGER {trigger}")
            writer.execute(statement)
        with store.read() as reader:
            match = f"position 9: expected {named}" if named else "Could not decode to UTF-8"
            with pytest.raises(StoreError, match=match):
                reader.columns(0, 40, [], True)
            assert len(reader.columns(0, 8, [], True).topics) == 8
