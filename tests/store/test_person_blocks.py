"""Persons in blocks, on both databases: found by number and token, erased alone, and read as persons in rows are."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger.store
import projections
from core_ext.text import Texts, texts_from_list, to_list
from ledger.refusals import StoreError
from ledger.service import Ledger
from ledger.store import Store, person_blocks, text_runs, tidying
from ledger.store.person_blocks import Block, each_block, whole
from ledger.store.roles import WRITER, grant_roles
from ledger.store.seals import SALT, SEAL, Persons, cut, read_seals, seals_of
from ledger.store.text_runs import NUMBER_RUNS, fold_texts, merge_texts
from ledger.store.tidying import tidy_runs
from projections.findings import Findings
from projections.person_checks import check_numbers
from tests.ledger.worlds import claim, opened, write
from tests.projections.test_verify import unguarded
from tests.store.samples import block_of, many

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
PERSONS = st.lists(st.tuples(TEXT, TEXT), unique_by=lambda each: each[0], max_size=9)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes two persons a block, and a page of a folded run two numbers."""
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", 2)
    monkeypatch.setattr(text_runs, "PAGE_ROWS", 2)


def add(store: Store, *numbers: str) -> None:
    """Adds persons in a transaction with an event of its own; each is called as their number, turned round."""
    with store.begin() as tx:
        tx.append(block_of(many(f"claim-{tx.size}", 1)))
        tx.add_persons([(number, number[::-1]) for number in numbers])


def check(store: Store, tokens: dict[str, int], absent: tuple[str, ...] = ("", "x", "王")) -> None:
    """Checks that these and no others are found, alone and with all others, by number and by token."""
    persons = {token: (number, number[::-1]) for number, token in tokens.items()}
    with store.read() as reader:
        given = list(range(1, reader.tokens_given + 1))
        assert reader.tokens([*absent, *tokens]) == tokens
        assert reader.persons([0, *given, given[-1] + 1]) == persons
        for number, token in tokens.items():
            assert reader.tokens([number]) == {number: token}
            assert reader.persons([token]) == {token: persons[token]}
        for token in {*given} - {*persons}:
            assert reader.persons([token]) == {}


def counts(store: Store) -> list[int]:
    """Returns how many rows there are of persons, blocks, numbers and runs of numbers."""
    with store.read() as reader:
        names = ("person", "person_block", "person_number", "person_run")
        return [reader.query(f"SELECT COUNT(*) FROM {name}")[0][0] for name in names]


@given(PERSONS, st.binary(min_size=1, max_size=8))
def test_columns_are_sealed_as_rows_are(persons: list[tuple[str, str]], seed: bytes) -> None:
    """What a batch seals as columns is what each person's seal is by itself."""

    def random(size: int) -> bytes:
        return hashlib.shake_128(seed).digest(size)

    numbers, names = [number for number, _ in persons], [name for _, name in persons]
    made = Persons.of(7, texts_from_list(numbers), texts_from_list(names), random)
    salts = cut(random(SALT * len(persons)), SALT)
    assert made.seals == seals_of(range(7, 7 + len(persons)), numbers, names, salts)
    assert made.by_number() == dict(zip(numbers, range(7, 7 + len(persons)), strict=True))
    assert len(made) == len(persons) and made.last == 6 + len(persons) == 6 + len(made.tokens)


@given(PERSONS.filter(bool), st.data())
def test_a_block_without_somebody_has_all_others(persons: list[tuple[str, str]], data: st.DataObject) -> None:
    """Erased one after the other, each leaves nothing, and everybody else as they were."""
    numbers, names = (texts_from_list([person[at] for person in persons]) for at in (0, 1))
    block = Block(5, numbers, names, bytes(range(1, 17)) * len(persons))
    left = dict(enumerate(persons, 5))
    for token in data.draw(st.permutations(list(left))):
        assert {each: block.person(each) for each in block.tokens().tolist()} == left
        assert block.person(4) is block.person(5 + len(persons)) is None
        number, name = left.pop(token)
        block = block.without(token)
        assert block.person(token) is None and len(block) == len(persons)
        assert block.salts[SALT * (token - 5) : SALT * (token - 4)] == bytes(SALT)
        for texts, text, at in ((block.numbers, number, 0), (block.names, name, 1)):
            assert len(texts.data) == sum(len(each[at].encode()) for each in left.values()) and text
    assert block.tokens().tolist() == [] and to_list(block.numbers) == [""] * len(persons)


def test_many_are_a_block_and_few_are_rows(store: Store) -> None:
    """Both are found by number and by token, whatever becomes of the runs, and nobody is given a second token."""
    add(store, "A1", "B2")
    add(store, "C3")
    add(store, "张三", "B2", "E5", "F6", "C3")
    add(store, "G7")
    expected = {number: at for at, number in enumerate(("A1", "B2", "C3", "张三", "E5", "F6", "G7"), 1)}
    assert counts(store) == [2, 2, 0, 2]
    check(store, expected)
    fold_texts(store, NUMBER_RUNS)
    assert counts(store) == [2, 2, 0, 3]
    check(store, expected)
    add(store, *expected)
    assert counts(store) == [2, 2, 0, 3]
    merge_texts(store, NUMBER_RUNS)
    assert counts(store) == [2, 2, 5, 0]
    check(store, expected)
    add(store, "H8", "A1", "G7", "I9")
    check(store, expected | {"H8": 8, "I9": 9})
    with store.read() as reader:
        rows = [whole(row) for row in each_block(reader)]
        assert [(block.first, len(block)) for block in rows] == [(1, 2), (4, 3), (8, 2)]
        seals = dict(read_seals(reader))
        for block in rows:
            tokens = range(block.first, block.first + len(block))
            expected_seals = seals_of(tokens, to_list(block.numbers), to_list(block.names), cut(block.salts, SALT))
            assert seals[block.first] == expected_seals and len(expected_seals) == SEAL * len(block)


@pytest.mark.parametrize("stands", ["runs", "folded", "merged", "both"])
def test_somebody_erased_is_gone_from_the_block_and_from_the_numbers(store: Store, stands: str) -> None:
    """Wherever the number stands it goes; others stay, the token stays given, and the number may come back anew."""
    add(store, "A1", "B2", "C3")
    if stands == "both":
        merge_texts(store, NUMBER_RUNS)
    add(store, "D4", "E5")
    if stands in ("folded", "merged"):
        (fold_texts if stands == "folded" else merge_texts)(store, NUMBER_RUNS)
    tokens = {"A1": 1, "B2": 2, "C3": 3, "D4": 4, "E5": 5}
    for token, number in ((2, "B2"), (5, "E5"), (4, "D4")):
        with store.begin() as tx:
            tx.remove_person(token)
        del tokens[number]
        check(store, tokens, (number, "x"))
        with store.begin() as tx, pytest.raises(StoreError, match=f"a person of token {token}, got none"):
            tx.remove_person(token)
    with store.read() as reader:
        names = {"person_block": "numbers, names", "person_run": "psn_nos", "person_number": "psn_no"}
        for table, columns in names.items():
            assert not any(b"B2" in str(row).encode() for row in reader.query(f"SELECT {columns} FROM {table}"))
    for work in (fold_texts, merge_texts):
        work(store, NUMBER_RUNS)
        check(store, tokens, ("B2",))
    add(store, "B2", "F6")
    check(store, tokens | {"B2": 6, "F6": 7})


def test_who_reads_runs_while_somebody_is_erased_does_not_bring_them_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold that has read a run before a number was taken out of it leaves that run as it now is."""
    for numbers in (("A1", "B2"), ("C3", "D4"), ("E5", "F6")):
        add(store, *numbers)
    begin, erased = Store.begin, False

    def begun(self: Store, *arguments: Any) -> Any:
        nonlocal erased
        if not erased:
            erased = True
            with begin(self) as tx:
                tx.remove_person(3)
        return begin(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "begin", begun)
        fold_texts(store, NUMBER_RUNS)
    check(store, {"A1": 1, "B2": 2, "D4": 4, "E5": 5, "F6": 6}, ("C3",))
    merge_texts(store, NUMBER_RUNS)
    check(store, {"A1": 1, "B2": 2, "D4": 4, "E5": 5, "F6": 6}, ("C3",))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("number_ends", b"\1" * 8),
        ("number_ends", b"\1" * 7),
        ("name_ends", b""),
        ("names", b"x"),
        ("salts", b"x" * SALT),
    ],
)
def test_a_block_that_is_not_whole_is_refused(store: Store, column: str, value: bytes) -> None:
    """What cannot be read as persons is refused by the block's name, never read as nobody, and verify names it."""
    add(store, "A1", "B2", "C3")
    with store.write() as writer:
        writer.execute(f"UPDATE person_block SET {column} = ?", (value,))
    with store.read() as reader, pytest.raises(StoreError, match="person_block 1: expected columns of one length"):
        reader.persons([2])


def taken_in(url: str, folder: Path, merged: bool) -> Ledger:
    """Returns a ledger with eight claims of eight persons in two blocks, and one in a row."""
    book = opened(url)
    for name, serials in (("one", range(1, 5)), ("two", range(5, 9)), ("three", range(9, 10))):
        book.intake(write(folder / f"{name}.csv", [claim(serial) for serial in serials]))
    if merged:
        merge_texts(book.store, NUMBER_RUNS)
    return book


ATTACKS = {
    "a number": ("UPDATE person_block SET numbers = REPLACE_BYTES(numbers) WHERE first = 1", None),
    "a name": ("UPDATE person_block SET names = REPLACE_BYTES(names) WHERE first = 5", None),
    "a salt": ("UPDATE person_block SET salts = REPLACE_BYTES(salts) WHERE first = 5", None),
    "ends": ("UPDATE person_block SET name_ends = number_ends WHERE first = 1", None),
    "another first": ("UPDATE person_block SET first = 100 WHERE first = 5", None),
    "a block": ("DELETE FROM person_block WHERE first = 1", None),
    "a number that leads elsewhere": (
        "UPDATE person_run SET tokens = REPLACE_BYTES(tokens) WHERE run = 1",
        "UPDATE person_number SET token = token % 8 + 1",
    ),
    "two numbers of one token": (None, "UPDATE person_number SET token = 2 WHERE token IN (2, 3)"),
    "no number": (
        "DELETE FROM person_run WHERE run = 5",
        "DELETE FROM person_number WHERE token = 3",
    ),
    "one more": (
        None,
        "INSERT INTO person_number (psn_no, token) VALUES ('P77', 77)",
    ),
    "the number of a row": (
        None,
        "INSERT INTO person_number (psn_no, token) VALUES ('P000009', 9)",
    ),
    "another's number in a row": (None, "UPDATE person SET psn_no = 'P000003' WHERE token = 9"),
}


@pytest.mark.parametrize(
    ("merged", "statement"),
    [
        pytest.param(merged, both[merged] or both[0], id=f"{name}-{'merged' if merged else 'runs'}")
        for name, both in ATTACKS.items()
        for merged in (False, True)
        if both[merged] or both[0]
    ],
)
def test_what_is_edited_in_blocks_or_numbers_is_found(
    store_url: str, tmp_path: Path, statement: str, merged: bool
) -> None:
    """Whoever changes who a token is, or whom a number leads to, is found by seals and by the blocks."""
    with taken_in(store_url, tmp_path, merged), projections.open(store_url) as read:
        assert read.verify() == []
    with unguarded(store_url) as writer:
        if "REPLACE_BYTES" in statement:
            table, column, where = statement.split()[1], statement.split()[3], statement.split("WHERE ")[1]
            ((value,),) = writer.query(f"SELECT {column} FROM {table} WHERE {where}")
            changed = bytes([value[0] ^ 1]) + value[1:]
            assert writer.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (changed,)) == 1
        else:
            assert writer.execute(statement) >= 1
    with projections.open(store_url) as read:
        found = read.verify()
    assert found and {finding.kind for finding in found} <= {"edited-row", "missing-person"}
    assert not any("P00000" in str(finding) for finding in found)


@pytest.mark.parametrize("change", ["token = 'x'", "psn_no = CAST(psn_no AS BLOB)"])
def test_a_number_of_another_type_is_named_without_itself(sqlite_url: str, tmp_path: Path, change: str) -> None:
    """Where SQLite took a cell of another type, the row is named by its table: its key says who somebody is."""
    taken_in(sqlite_url, tmp_path, True).close_store()
    with unguarded(sqlite_url) as writer:
        assert writer.execute(f"UPDATE person_number SET {change} WHERE token = 2") == 1
    with projections.open(sqlite_url) as read:
        (found,) = read.verify()
    assert (found.kind, found.where) == ("mistyped-row", "person_number")
    assert "P00000" not in str(found) and "503030" not in str(found)


def test_one_number_of_two_tokens_is_named(store_url: str, tmp_path: Path) -> None:
    """A number that two blocks have leads to one of them alone: whoever put it there twice is found."""
    with taken_in(store_url, tmp_path, False) as book, book.store.begin() as tx:
        tx.append(block_of(many("claim-x", 1)))
        twice = texts_from_list(["P000003", "QQ"])
        tx.put_persons(tx.new_persons(twice, twice))
    with ledger.store.connect(store_url) as store, store.read() as reader:
        found = Findings()
        check_numbers(reader, reader.tokens_given, found)
    assert [(each.where, each.got) for each in found.listed()] == [("person_block token=10", "one of 3 and 10")]


@pytest.mark.parametrize("column", ["numbers", "names"])
def test_a_block_that_is_no_text_is_refused(store: Store, column: str) -> None:
    """Bytes that are no UTF-8 are refused by the block's name."""
    add(store, "A1", "B2", "C3")
    with store.write() as writer:
        writer.execute(f"UPDATE person_block SET {column} = ?", (b"\xffxxxxx",))
    with store.read() as reader, pytest.raises(StoreError, match="person_block 1: expected text"):
        reader.persons([1])


def test_folded_numbers_of_many_batches_verify_and_copy(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose numbers were folded, merged in part and added to verifies, and so does its copy."""
    monkeypatch.setattr(tidying, "FEW_RUNS", 0)
    with taken_in(store_url, tmp_path, True) as book:
        for at in (20, 30, 40):
            book.intake(write(tmp_path / f"{at}.csv", [claim(at), claim(at + 1), claim(at + 2)]))
            tidy_runs(book.store)
        assert book.erase("P000021", retention_years=0, reason="over").token
        url = f"sqlite:///{tmp_path / 'copy.db'}"
        ledger.store.copy(book.store, url)
    for place in (store_url, url):
        with projections.open(place) as read:
            assert read.verify() == []
            assert read.trace("P000031").found and not read.trace("P000021").found


def test_a_role_may_add_blocks_and_fold_their_numbers_and_see_no_more(postgres_url: str) -> None:
    """The writer adds persons and tidies up; it changes no block and no number, and the reader sees neither."""
    with ledger.store.create(postgres_url) as store:
        grant_roles(store)
        may = "SELECT has_table_privilege(?, ?, ?)"
        with store.read() as reader:
            for table in ("person_block", "person_number"):
                assert [reader.query(may, (WRITER, table, what))[0][0] for what in ("INSERT", "UPDATE", "DELETE")] == [
                    True,
                    False,
                    False,
                ]
            for table in ("person_block", "person_number", "person_run"):
                assert reader.query(may, ("ledger_reader", table, "SELECT")) == [(False,)]


def test_a_block_is_its_columns() -> None:
    """A row taken apart is the block it was made of."""
    row = (3, np.array([1, 3], "<i4").tobytes(), b"abb", np.array([0, 2], "<i4").tobytes(), b"xy", bytes(2 * SALT))
    block = whole(row)
    assert isinstance(block.numbers, Texts) and to_list(block.numbers) == ["a", "bb"]
    assert block.person(3) == ("a", "") and block.person(4) == ("bb", "xy") and block.person(5) is None
