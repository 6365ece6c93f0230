"""A block that goes to SQLite as one buffer is the block that goes there cell by cell."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import ledger.store
from core_ext.codec_fields import Encoded
from core_ext.text import texts_from_list
from ledger.block import EventBlock
from ledger.store import Conflict, Store, sqlite_packed
from tests.store.samples import TOPICS, all_rows, append, block_of, many

Rows = list[tuple[str, int, str, bytes]]


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with ledger.store.create(sqlite_url) as store:
        yield store


def plain(n: int = 100) -> Rows:
    return many("claim-470101-S", n)


def odd() -> Rows:
    """Returns states without bytes, of every byte, with NUL first and last, and streams beyond ASCII."""
    states = [b"", b"\0", bytes(range(256)), b"\0a\0", b"x" * (1 << 16)]
    return [(f"claim-城乡-é-{i}", 1 + i % 3, TOPICS[i % 3], states[i % 5]) for i in range(90)]


BEYOND: dict[str, Callable[[], Rows]] = {
    "a few rows": lambda: plain(sqlite_packed.PACKED_FROM - 1),
    "a long stream": lambda: [*plain(), ("s" * (1 << sqlite_packed.STREAM_BITS), 1, TOPICS[0], b"")],
    "a long state": lambda: [*plain(), ("long", 1, TOPICS[0], bytes(1 << sqlite_packed.STATE_BITS))],
    "huge versions": lambda: [(f"s{i}", 2**62 + i % 9, TOPICS[i % 3], b"x") for i in range(100)],
    "many versions": lambda: [("one", 1 + i, TOPICS[0], b"x") for i in range(1 + (1 << sqlite_packed.KIND_BITS))],
}
WITHIN: dict[str, Callable[[], Rows]] = {
    "plain rows": plain,
    "odd rows": odd,
    "the longest stream": lambda: [*plain(), ("s" * ((1 << sqlite_packed.STREAM_BITS) - 1), 1, TOPICS[0], b"")],
    "the longest state": lambda: [*plain(), ("long", 1, TOPICS[0], b"\xff" * ((1 << sqlite_packed.STATE_BITS) - 1))],
    "as many versions": lambda: [("one", 1 + i, TOPICS[0], b"x") for i in range(1 << sqlite_packed.KIND_BITS)],
    "large versions": lambda: [(f"s{i}", 2**40 - 1 - i % 9, TOPICS[0], b"x") for i in range(100)],
}


@pytest.mark.parametrize("rows", [*WITHIN, *BEYOND])
def test_what_is_appended_is_what_is_read(store: Store, rows: str) -> None:
    """Streams, versions, topics and states come back as they were given, of the very types they always had."""
    within = rows in WITHIN
    given = (WITHIN | BEYOND)[rows]()
    assert (sqlite_packed.packed(block_of(given), 1) is not None) == within
    append(store, [("before", 1, TOPICS[1], b"")])
    append(store, given)
    assert all_rows(store)[1:] == [(at, *row) for at, row in enumerate(given, 2)]
    with store.read() as reader:
        types = reader.query(
            "SELECT DISTINCT typeof(notification_id), typeof(originator_id), typeof(originator_version), typeof(topic),"
            " typeof(state) FROM stored_events"
        )
    assert types == [("integer", "text", "integer", "text", "blob")]


def test_a_buffer_beyond_its_bits_goes_cell_by_cell(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block larger than an offset can say is taken in all the same."""
    monkeypatch.setattr(sqlite_packed, "OFFSET_BITS", 10)
    assert sqlite_packed.packed(block_of(plain()), 1) is None
    append(store, plain())
    assert [row[1:] for row in all_rows(store)] == plain()


@pytest.mark.parametrize("taken", [0, 1, 57, 99])
def test_a_taken_version_is_named_and_nothing_is_written(store: Store, taken: int) -> None:
    """The first event in order whose place another has, in the log or in the block itself."""
    rows = plain()
    append(store, [rows[taken]])
    with pytest.raises(Conflict) as refused:
        append(store, rows)
    assert (refused.value.stream, refused.value.version) == rows[taken][:2]
    with pytest.raises(Conflict):
        append(store, [*many("other", 80), many("other", 80)[taken % 80]])
    assert [row[1:] for row in all_rows(store)] == [rows[taken]]


def test_a_stream_that_is_no_text_is_refused(store: Store, tmp_path: Path) -> None:
    """Bytes that are not UTF-8 never become a stream's name."""
    n = 100
    broken = EventBlock(
        texts_from_list([b"s%d" % i if i != 70 else b"\xff\xfe" for i in range(n)]),
        np.ones(n, np.int64),
        np.zeros(n, np.int64),
        (TOPICS[0],),
        Encoded(*texts_from_list([b"x"] * n)),
    )
    with pytest.raises(UnicodeDecodeError), store.begin() as tx:
        tx.append(broken)
    assert all_rows(store) == []
