"""Runs brought together or merged, on both databases: whoever does it, and wherever they stop, the same is read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import ledger.store
from core_ext.layout import ACCUMULATORS
from core_ext.text import texts_from_list
from ledger.refusals import StoreError
from ledger.store import Store, Transaction, person_blocks, run_writer, runs, text_runs, tidying
from ledger.store.runs import ACCOUNT_RUNS, YEAR_RUNS, read_runs
from ledger.store.text_runs import MESSAGE_RUNS, NUMBER_RUNS, each_run, text_rows
from ledger.store.tidying import merge_runs, tidy_runs
from tests.store.samples import block_of, many

Ints = npt.NDArray[np.int64]
Known = tuple[dict[int, int], dict[int, int], dict[str, int]]

WIDTH = len(ACCUMULATORS)
NAMES = ("person_year_run", "account_run", "message_run", "person_run")
TEXTS = {"message_run": MESSAGE_RUNS, "person_run": NUMBER_RUNS}
NUMBERS = {"person_year_run": YEAR_RUNS, "account_run": ACCOUNT_RUNS}
DAYS = (20240105, 20240106, 20240107)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every batch of two rows a run, a page three rows, and has two runs that lie over each other folded."""
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(run_writer, "ACCOUNTS_FEWER", 1)
    monkeypatch.setattr(runs, "PAGE_ROWS", 3)
    monkeypatch.setattr(text_runs, "PAGE_ROWS", 3)
    monkeypatch.setattr(text_runs, "MERGED_ROWS", 3)
    monkeypatch.setattr(tidying, "FEW_RUNS", 1)
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", 2)


def msgid(number: int) -> str:
    """Returns a message's key, as ``message_key`` forms it, of one of three days."""
    return f"{DAYS[number % 3]}080000H26010100001{number:04d}"


def person(number: int) -> str:
    """Returns a person's number."""
    return f"4418001990{number * 7919 % 10_000:04d}"


class World:
    """Is a store whose batches move persons and bring new ones, and what it must read as."""

    def __init__(self, store: Store, seed: int = 1) -> None:
        self.store = store
        self.years: dict[int, int] = {}
        self.fen: dict[int, int] = {}
        self.messages: dict[str, int] = {}
        self.tokens: dict[str, int] = {}
        self._rng = np.random.default_rng(seed)
        self._next = 0

    def move(self, rows: int) -> None:
        """Appends a batch that moves so many of twenty persons and bears as many new messages."""
        tokens = self._rng.permutation(20)[:rows].astype(np.int64) + 1
        versions = np.array([self.years.get(token, 0) + 1 for token in tokens.tolist()], np.int64)
        named = [msgid(self._next + i) for i in range(rows)]
        self._next += rows
        with self.store.begin() as tx:
            position = tx.append(block_of(many(f"claim-{tx.size}", 2)))
            values = np.zeros((rows, WIDTH), np.int64)
            values[:, 0], values[:, 3] = tokens, -versions
            at = np.arange(position, position + rows, dtype=np.int64)
            tx.save_later(tokens, versions, values)
            tx.save_accounts_later(tokens, 100 * tokens + versions)
            tx.save_messages(text_rows(texts_from_list(named), at))
            numbers = texts_from_list([person(self._next - i) for i in range(rows)])
            persons = tx.new_persons(numbers, numbers)
            tx.put_persons(persons)
        self.tokens |= persons.by_number()
        self.years |= dict(zip(tokens.tolist(), versions.tolist(), strict=True))
        self.fen |= dict(zip(tokens.tolist(), (100 * tokens + versions).tolist(), strict=True))
        self.messages |= dict(zip(named, at.tolist(), strict=True))

    def check(self) -> None:
        """Checks that everything reads as it was written last, and nothing else is there."""
        tokens, named = np.arange(1, 21, dtype=np.int64), [msgid(number) for number in range(self._next + 3)]
        with self.store.read() as reader:
            versions, values = reader.load_state(tokens)
            assert versions.tolist() == [self.years.get(token, 0) for token in tokens.tolist()]
            assert values[:, 3].tolist() == (-versions).tolist()
            assert reader.load_accounts(tokens).tolist() == [self.fen.get(token, 0) for token in tokens.tolist()]
            assert reader.find_messages(named) == self.messages
            numbers = [person(number) for number in range(self._next + 3)]
            assert reader.tokens(numbers) == self.tokens
            persons = {token: (number, number) for number, token in self.tokens.items()}
            assert reader.persons([*persons, len(persons) + 1]) == persons
            held = [each for run in each_run(reader, MESSAGE_RUNS) for each in run.listed()]
            held += reader.query("SELECT msgid, position FROM message")
        # No message stands twice, be it in two runs or in a run and the table.
        assert sorted(held) == sorted(self.messages.items())
        with self.store.read() as reader:
            led = [each for run in each_run(reader, NUMBER_RUNS) for each in run.listed()]
            led += reader.query("SELECT psn_no, token FROM person_number")
            alone = reader.query("SELECT psn_no, token FROM person")
        assert sorted(led + alone) == sorted(self.tokens.items()) and (led or not self.tokens)

    def standing(self) -> list[int]:
        """Returns how many runs of each table stand."""
        with self.store.read() as reader:
            return [reader.query(f"SELECT COUNT(*) FROM {name}")[0][0] for name in NAMES]


@pytest.fixture
def world(store: Store) -> World:
    """Returns a store with four runs that lie over each other, and some rows in the tables."""
    world = World(store)
    for rows in (1, 8, 12, 1, 9, 7):
        world.move(rows)
    assert world.standing() == [4, 4, 4, 4]
    world.check()
    return world


class Stopped(Exception):
    """Is the end of a process in the middle of its work."""


@contextmanager
def before_each(monkeypatch: pytest.MonkeyPatch, then: Callable[[int], None]) -> Iterator[None]:
    """Calls ``then`` with 0, 1, … before every transaction that anybody else begins."""
    begin, count, inside = Store.begin, 0, False

    def begun(self: Store, *arguments: Any) -> Any:
        nonlocal count, inside
        if not inside:
            inside = True
            try:
                then(count)
            finally:
                inside = False
                count += 1
        return begin(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "begin", begun)
        yield


def fold(store: Store) -> None:
    """Folds what lies over each other."""
    tidy_runs(store)


def merge_where_many(store: Store) -> None:
    """Tidies where the rows are too many to be folded."""
    before, tidying.FOLDED_ROWS = tidying.FOLDED_ROWS, 3
    try:
        tidy_runs(store)
    finally:
        tidying.FOLDED_ROWS = before


WORKS = pytest.mark.parametrize("work", [fold, merge_runs, merge_where_many])


@WORKS
def test_tidying_changes_nothing_that_is_read(world: World, work: Callable[[Store], None]) -> None:
    """Folded or merged, once or again, a store reads as before, and no key could be in more runs than one."""
    for rows in (0, 5, 6, 1, 8):
        if rows:
            world.move(rows)
        work(world.store)
        world.check()
        with world.store.read() as reader:
            for name in NAMES:
                found = reader.query(f"SELECT first, last, LENGTH(keys) / 8 FROM {name}")
                assert tidying._most_beside(found) <= 1 and (work is not merge_runs or found == [])


@WORKS
def test_tidying_that_is_killed_between_any_two_transactions_loses_nothing(
    world: World, work: Callable[[Store], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever transaction is the last that is begun, the same is read, and the next to tidy up finishes."""
    stop, ended = 0, False
    while not ended:

        def then(count: int, stop: int = stop) -> None:
            if count == stop:
                raise Stopped

        with before_each(monkeypatch, then):
            try:
                work(world.store)
                ended = True
            except Stopped:
                stop += 1
        world.check()
        # Somebody else goes on in between.
        world.move(1 + stop % 4)
        world.check()
    assert stop >= 3
    work(world.store)
    world.check()


@pytest.mark.parametrize("other", [fold, merge_runs], ids=["fold", "merge"])
@WORKS
@pytest.mark.parametrize("moved", [0, 1, 9])
def test_two_who_tidy_up_at_once_lose_nothing(
    world: World,
    work: Callable[[Store], None],
    other: Callable[[Store], None],
    moved: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between any two transactions of one who tidies up another may book, fold and merge: nobody's rows are lost."""
    for at in range(8):

        def then(count: int, at: int = at) -> None:
            if count == at:
                if moved:
                    world.move(moved)
                other(world.store)
                world.check()

        with before_each(monkeypatch, then):
            work(world.store)
        world.check()
        for rows in (8, 12, 7):
            world.move(rows)
    merge_runs(world.store)
    world.check()
    assert world.standing() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("first", [0, 1], ids=["merge", "fold"])
def test_a_run_folded_into_one_of_the_same_rows_is_another_run(
    store: Store, kind: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has read a lone run, while somebody folds it with a newer one, does not take what they folded for it."""
    monkeypatch.setattr(runs, "PAGE_ROWS", 99)
    monkeypatch.setattr(text_runs, "PAGE_ROWS", 99)
    monkeypatch.setattr(text_runs, "MERGED_ROWS", 99)
    world = World(store)
    world.move(8)

    def then(count: int) -> None:
        world.move(8)
        tidying.KINDS[kind][1](store)
        world.check()

    done: list[int] = []
    with before_each(monkeypatch, lambda count: None if done or done.append(count) else then(count)):
        tidying.KINDS[kind][first](store)
    world.check()


def test_folded_runs_are_never_called_as_others_were(world: World) -> None:
    """A name tells a run from all that ever stood, so that whoever read some knows whether these still stand."""
    seen: set[tuple[str, int]] = set()
    for rows in (7, 8, 5, 9, 6, 9):
        with world.store.read() as reader:
            before = {(name, run) for name in NAMES for (run,) in reader.query(f"SELECT run FROM {name}")}
        fold(world.store)
        with world.store.read() as reader:
            after = {(name, run) for name in NAMES for (run,) in reader.query(f"SELECT run FROM {name}")}
        seen |= before
        assert not (after - before) & seen and all(run < 0 for _, run in after - before)
        if rows == 9:
            merge_runs(world.store)
        world.move(rows)
        world.move(rows)


def test_what_is_read_before_tidying_stays_as_it_was(world: World) -> None:
    """A reader whose view is older than a fold or a merge reads on in the runs it began with."""
    tokens = np.arange(1, 21, dtype=np.int64)
    with world.store.read() as reader:
        expected = (reader.load_accounts(tokens).tolist(), reader.load_state(tokens)[0].tolist())
        fold(world.store)
        assert (reader.load_accounts(tokens).tolist(), reader.load_state(tokens)[0].tolist()) == expected
        world.move(9)
        merge_runs(world.store)
        assert (reader.load_accounts(tokens).tolist(), reader.load_state(tokens)[0].tolist()) == expected
        assert all(number in reader.find_messages([msgid(0), msgid(9)]) for number in (msgid(0), msgid(9)))
    world.check()


def test_a_copy_of_folded_runs_reads_alike(world: World, tmp_path: Path) -> None:
    """A store copied with runs, folded or as a job left them, reads the same on the other side."""
    for work in (None, fold):
        if work is not None:
            work(world.store)
        world.move(9)
        url = f"sqlite:///{tmp_path / f'{work is None}.db'}"
        ledger.store.copy(world.store, url)
        with ledger.store.connect(url) as copied:
            mine, world.store = world.store, copied
            assert min(world.standing()) > 0
            world.check()
            merge_runs(copied)
            world.check()
            world.store = mine


def test_what_a_rolled_back_transaction_saved_is_in_no_run(world: World) -> None:
    """Accounts and messages of a batch that is rolled back stand nowhere."""
    before = world.standing()
    with pytest.raises(Stopped), world.store.begin() as tx:
        tx.append(block_of(many("claim", 2)))
        two = np.array([1, 2], np.int64)
        tx.save_accounts_later(two, two)
        tx.save_messages(text_rows(texts_from_list([msgid(900), msgid(901)]), two))
        assert set(tx.find_messages([msgid(900), msgid(901)])) == {msgid(900), msgid(901)}
        assert tx.load_accounts(two).tolist() == [1, 2]
        raise Stopped
    assert world.standing() == before
    world.check()


def test_the_last_of_several_balances_in_a_transaction_stands(store: Store) -> None:
    """Whether a transaction saves an account in a run, in the table or in both, the last balance is read and kept."""
    tokens = np.arange(1, 6, dtype=np.int64)

    def save(tx: Transaction, rows: int, fen: int, appends: bool) -> None:
        if appends:
            tx.append(block_of(many(f"claim-{tx.size}", 2)))
        tx.save_accounts_later(tokens[:rows], np.full(rows, fen, np.int64))
        assert tx.load_accounts(tokens[:rows]).tolist() == [fen] * rows

    pieces = [(1, True), (5, True), (1, False), (5, False), (3, True), (1, True), (4, False), (5, True)]
    fen, expected = 0, np.zeros(5, np.int64)
    for first in range(len(pieces)):
        with store.begin() as tx:
            for rows, appends in pieces[first:] + pieces[:first]:
                fen += 1
                save(tx, rows, fen, appends)
                expected[:rows] = fen
        with store.read() as reader:
            assert reader.load_accounts(tokens).tolist() == expected.tolist()
        if first % 2:
            (merge_runs if first % 4 == 1 else fold)(store)
        with store.read() as reader:
            assert reader.load_accounts(tokens).tolist() == expected.tolist()


NINE = b"\1" * 9


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("account_run", "keys", NINE, "numbers of 8 bytes"),
        ("account_run", "keys", b"", "numbers of 8 bytes"),
        ("account_run", "versions", b"\1" * 8, "columns of one length"),
        ("account_run", "amounts", NINE, "columns of one length"),
        ("account_run", "width", 2, "columns of one length"),
        ("account_run", "used", 2, "later version"),
        ("message_run", "keys", NINE, "numbers of 8 bytes"),
        ("message_run", "positions", b"\1" * 8, "columns of one length"),
        ("message_run", "ends", b"\1" * 8, "columns of one length"),
        ("message_run", "ends", b"", "numbers of 8 bytes"),
        ("message_run", "msgids", b"20240105", "columns of one length"),
        ("person_run", "tokens", b"\1" * 8, "columns of one length"),
        ("person_run", "psn_nos", b"20240105", "columns of one length"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(world: World, table: str, column: str, value: object, says: str) -> None:
    """What cannot be read as accounts or messages is refused by its table's name, never read as nothing."""
    with world.store.write() as writer:
        writer.execute(f"UPDATE {table} SET {column} = ?", (value,))
    with world.store.read() as reader, pytest.raises(StoreError, match=f"{table} .*{says}"):
        list(each_run(reader, TEXTS[table])) if table in TEXTS else read_runs(reader, NUMBERS[table])
    with pytest.raises(StoreError, match=f"{table} .*{says}"):
        merge_runs(world.store)


@pytest.mark.parametrize("statement", ["SET first = first + 1", "SET last = last - 1", "SET last = last + 1"])
@pytest.mark.parametrize("table", NAMES)
def test_a_run_that_its_keys_would_not_find_is_refused(world: World, table: str, statement: str) -> None:
    """A run edited to seem to end before its last key would hide it from whoever asks: such a one is named."""
    with world.store.write() as writer:
        writer.execute(f"UPDATE {table} {statement}")
    for work in (fold, merge_runs):
        with pytest.raises(StoreError, match=f"{table} .*edited"):
            work(world.store)
    with world.store.read() as reader, pytest.raises(StoreError, match=f"{table} .*edited"):
        list(each_run(reader, TEXTS[table])) if table in TEXTS else read_runs(reader, NUMBERS[table])


@pytest.mark.parametrize("table", NAMES)
def test_keys_in_no_order_are_refused(world: World, table: str) -> None:
    """A run whose keys are not in order is searched in vain: it is named before it is merged."""
    with world.store.write() as writer:
        ((run, keys),) = writer.query(f"SELECT run, keys FROM {table} ORDER BY run LIMIT 1")
        numbers = np.frombuffer(keys, "<i8").copy()
        numbers[[1, 2]] = numbers[[2, 1]]
        writer.execute(f"UPDATE {table} SET keys = ? WHERE run = ?", (numbers.tobytes(), run))
    with pytest.raises(StoreError, match=f"{table} .*order"):
        merge_runs(world.store)


@pytest.mark.parametrize("other", [b"\xff", b"9"])
def test_message_ids_that_their_numbers_would_not_find_are_refused(world: World, other: bytes) -> None:
    """An edited id in a run, be it text or not, is named before anything is made of it."""
    with world.store.write() as writer:
        ((run, msgids),) = writer.query("SELECT run, msgids FROM message_run ORDER BY run LIMIT 1")
        writer.execute("UPDATE message_run SET msgids = ? WHERE run = ?", (msgids[:20] + other + msgids[21:], run))
    for work in (fold, merge_runs):
        with pytest.raises(StoreError, match=r"message_run .*numbers"):
            work(world.store)
