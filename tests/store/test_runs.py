"""Person-years in runs, on both databases: what is true of one is its highest version, wherever it stands."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import ledger.store
import ledger.store.runs
from core_ext.layout import ACCUMULATORS
from ledger.refusals import StoreError
from ledger.store import Store, Transaction
from ledger.store.runs import COLUMNS, RUN_ROWS, YEAR_RUNS, read_runs
from ledger.store.tidying import merge_runs
from tests.store.samples import block_of, many

Ints = npt.NDArray[np.int64]

WIDTH = len(ACCUMULATORS)
HELD = "SELECT (SELECT COUNT(*) FROM person_year), (SELECT COUNT(*) FROM person_year_run)"
N = 3 * RUN_ROWS
KEYS = np.random.default_rng(7).permutation(np.arange(1, N + 1, dtype=np.int64)) * 16_384 + 2024


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store


def values_of(keys: Ints, version: int) -> Ints:
    """Returns accumulators that say which version of which person-year they are of; some are all zero."""
    values = np.zeros((len(keys), WIDTH), np.int64)
    values[:, 0], values[:, 3], values[:, WIDTH - 1] = keys // 16_384, -version, version * 2**33 * (version % 2)
    return values


def batch(store: Store, rows: slice, version: int) -> None:
    """Appends an event and leaves a version of some person-years behind, as a batch of an intake does."""
    with store.begin() as tx:
        tx.append(block_of(many(f"claim-{tx.size}", 1)))
        tx.save_later(KEYS[rows], np.full(len(KEYS[rows]), version, np.int64), values_of(KEYS[rows], version))


def held(store: Store) -> tuple[int, int]:
    """Returns how many rows the table has, and how many runs stand."""
    with store.read() as reader:
        ((rows, runs),) = reader.query(HELD)
    return int(rows), int(runs)


def check(store: Store, versions: list[tuple[slice, int]]) -> None:
    """Checks that person-years read as the last of ``versions`` that names them, in any order asked for."""
    expected, values = np.zeros(N, np.int64), np.zeros((N, WIDTH), np.int64)
    for rows, version in versions:
        expected[rows], values[rows] = version, values_of(KEYS[rows], version)
    asked = np.random.default_rng(8).permutation(N)
    with store.read() as reader:
        found, got = reader.load_state(KEYS[asked])
    assert np.array_equal(found, expected[asked]) and np.array_equal(got, values[asked])


def test_a_large_batch_is_a_run_until_it_is_merged(store: Store) -> None:
    """Thousands of person-years are one row and read as if they stood in their table; merged, they do."""
    written = [(slice(0, 2 * RUN_ROWS), 1), (slice(RUN_ROWS, N), 2), (slice(0, RUN_ROWS), 3), (slice(50, 60), 4)]
    for at, (rows, version) in enumerate(written):
        batch(store, rows, version)
        check(store, written[: at + 1])
    assert held(store) == (10, 3)
    merge_runs(store, beyond=3)
    assert held(store) == (10, 3)
    merge_runs(store)
    assert held(store) == (N, 0)
    check(store, written)
    merge_runs(store)
    batch(store, slice(100, 100 + RUN_ROWS), 5)
    check(store, [*written, (slice(100, 100 + RUN_ROWS), 5)])


def test_few_person_years_and_a_second_batch_of_a_position_are_no_run(store: Store) -> None:
    """A run is worth its reading only where it is large, and bears a position that no other run bears."""
    batch(store, slice(0, RUN_ROWS - 1), 1)
    assert held(store) == (RUN_ROWS - 1, 0)
    with store.begin() as tx:
        ones = np.ones(RUN_ROWS, np.int64)
        tx.save_later(KEYS[:RUN_ROWS], ones * 2, values_of(KEYS[:RUN_ROWS], 2))
        assert tx.query("SELECT COUNT(*) FROM person_year_run") == [(0,)]
        tx.append(block_of(many("claim", 1)))
        tx.save_later(KEYS[:RUN_ROWS], ones * 3, values_of(KEYS[:RUN_ROWS], 3))
        tx.save_later(KEYS[-RUN_ROWS:], ones, values_of(KEYS[-RUN_ROWS:], 1))
    assert held(store) == (2 * RUN_ROWS, 1)
    check(store, [(slice(0, RUN_ROWS), 3), (slice(N - RUN_ROWS, N), 1)])


def test_runs_behind_a_position_are_left_out_where_asked(store: Store) -> None:
    """Who remembers what was written behind a position reads the runs before it alone."""
    batch(store, slice(0, RUN_ROWS), 1)
    with store.read() as reader:
        before = reader.size
    batch(store, slice(0, RUN_ROWS), 2)
    with store.read() as reader:
        assert set(reader.load_state(KEYS[:RUN_ROWS], before)[0].tolist()) == {1}
        assert set(reader.load_state(KEYS[:RUN_ROWS], 0)[0].tolist()) == {0}


def test_merging_that_stops_anywhere_changes_nothing_that_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever transaction of merging is the last, and whoever writes between two of them, the same is read."""
    monkeypatch.setattr(ledger.store.runs, "PAGE_ROWS", RUN_ROWS // 2)
    written = [(slice(0, 2 * RUN_ROWS), 1), (slice(RUN_ROWS, N), 2)]
    for rows, version in written:
        batch(store, rows, version)
    begin, left = Store.begin, 0

    class Stopped(Exception):
        pass

    def begun(self: Store) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped
        return begin(self)

    for left_now in range(6):
        left = left_now
        monkeypatch.setattr(Store, "begin", begun)
        with pytest.raises(Stopped):
            merge_runs(store)
        monkeypatch.setattr(Store, "begin", begin)
        check(store, written)
        # A single command in between: its person-year is newer than the runs that are still to be merged.
        written.append((slice(left_now, left_now + 1), 10 + left_now))
        batch(store, *written[-1])
        check(store, written)
    merge_runs(store)
    assert held(store) == (N, 0)
    check(store, written)


def test_a_rolled_back_batch_leaves_no_run(store: Store) -> None:
    """A run is written in the transaction of its events: without them there is none."""
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        tx.append(block_of(many("claim", 1)))
        tx.save_later(KEYS, np.ones(N, np.int64), values_of(KEYS, 1))
        raise ZeroDivisionError
    assert held(store) == (0, 0)


def test_a_copy_has_the_runs_too(store: Store, tmp_path: Path) -> None:
    """A store that is copied in the middle of a job reads the same."""
    batch(store, slice(0, N), 1)
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    assert ledger.store.copy(store, url) == 1
    with ledger.store.connect(url) as copied:
        assert held(copied) == (0, 1)
        check(copied, [(slice(0, N), 1)])


NINE = b"\1" * 9


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("keys", NINE, "numbers of 8 bytes"),
        ("keys", b"", "numbers of 8 bytes"),
        ("versions", b"\1" * 8, "columns of one length"),
        ("amounts", NINE, "columns of one length"),
        ("width", 2, "columns of one length"),
        ("used", 1 << 60, "columns of one length"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(store: Store, column: str, value: object, says: str) -> None:
    """What cannot be read as person-years is refused by name, never read as zeros."""
    batch(store, slice(0, RUN_ROWS), 1)
    with store.write() as writer:
        writer.execute(f"UPDATE person_year_run SET {column} = ?", (value,))
    with store.read() as reader, pytest.raises(StoreError, match=says):
        reader.load_state(KEYS[:1])
        read_runs(reader, YEAR_RUNS)


def test_accumulators_of_a_later_version_are_refused(store: Store) -> None:
    """A run with an accumulator that this version does not know is not read without it."""

    def later(tx: Transaction) -> None:
        row = ([1], [1], [1], [b"\1" * 8], [b"\1" * 8], [1 << WIDTH], [8], [b"\1" * 8])
        tx.put("person_year_run", COLUMNS, row)

    with store.begin() as tx:
        later(tx)
        with pytest.raises(StoreError, match="later version"):
            read_runs(tx, YEAR_RUNS)
