"""The write side's state, on both databases: persons, accumulators, accounts, messages, reversals."""

from collections.abc import Iterator

import numpy as np
import pytest

import ledger.store
from core_ext.layout import ABSENT, ACCUMULATORS
from ledger.refusals import StoreError
from ledger.store import Store
from ledger.store.faults import KeyTaken

WIDTH = len(ACCUMULATORS)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store


def test_tokens_are_given_in_order_from_one(store: Store) -> None:
    """Persons get consecutive tokens in the order given; a known person keeps the token."""
    with store.begin() as tx:
        assert tx.tokens(["身份-1"]) == {}
        assert tx.add_persons([("身份-1", "甲"), ("b", "乙"), ("身份-1", "丙")]) == {"身份-1": 1, "b": 2}
    with store.begin() as tx:
        fresh = [(f"p{i:05d}", "") for i in range(5_000)]
        given = tx.add_persons([("b", "不变"), *fresh])
        assert list(given.values()) == [2, *range(3, 5_003)]
    with store.read() as reader:
        wanted = ["p04999", "b", "nobody", "身份-1", *(f"p{i:05d}" for i in range(3_000))]
        assert reader.tokens(wanted) == {"p04999": 5_002, "b": 2, "身份-1": 1} | {
            f"p{i:05d}": i + 3 for i in range(3_000)
        }
        assert reader.query("SELECT psn_name FROM person WHERE token <= 2 ORDER BY token") == [("甲",), ("乙",)]


def test_a_token_is_never_given_twice(store: Store) -> None:
    """After the erasure of a person the token stays with the events; the next person gets another one."""
    with store.begin() as tx:
        tx.add_persons([("a", ""), ("b", "")])
        tx.execute("DELETE FROM person WHERE psn_no = ?", ("b",))
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        assert tx.add_persons([("undone", "")]) == {"undone": 3}
        raise ZeroDivisionError
    with store.begin() as tx:
        assert tx.add_persons([("c", "")]) == {"c": 3}


def test_person_years_come_back_as_saved(store: Store) -> None:
    """Versions and accumulators of thousands of person-years come back in the order asked for, zeros where none."""
    rng = np.random.default_rng(20240131)
    keys = rng.permutation(np.arange(1, 4_001, dtype=np.int64)) * 16_384 + 2024
    values = rng.integers(-(2**62), 2**62, size=(4_000, WIDTH))
    values[0] = ABSENT
    values[1::2] %= 2**31
    values[2, 0], values[4, 0] = 2**31, -(2**31) - 1
    versions = np.arange(1, 4_001, dtype=np.int64)
    with store.begin() as tx:
        tx.save_state(keys, versions, values)
    with store.begin() as tx:
        tx.save_state(keys[:3], versions[:3] + 1, values[:3] - np.int64(0) + (values[:3] == ABSENT))
    asked = np.concatenate([keys[::-1], np.array([5, 7], np.int64), keys[:2]])
    with store.read() as reader:
        got_versions, got = reader.load_state(asked)
    values[:3] += values[:3] == ABSENT
    versions[:3] += 1
    assert got_versions.dtype == got.dtype == np.int64
    assert np.array_equal(got, np.concatenate([values[::-1], np.zeros((2, WIDTH), np.int64), values[:2]]))
    assert np.array_equal(got_versions, np.concatenate([versions[::-1], [0, 0], versions[:2]]))


def test_a_person_year_of_fewer_accumulators_is_extended(store: Store) -> None:
    """State written before an accumulator existed reads as zero there; state of a later version is refused."""
    with store.begin() as tx:
        tx.put(
            "person_year",
            ("key", "version", "state"),
            ([16_384, 32_768], [3, 4], [b"\x08\7" + bytes(7), b"\x04" + b"\1" * 4 * WIDTH]),
        )
        versions, values = tx.load_state(np.array([16_384], np.int64))
        assert versions.tolist() == [3] and values.tolist() == [[7] + [0] * (WIDTH - 1)]
        tx.put("person_year", ("key", "version", "state"), ([49_152], [1], [b"\x08" + bytes(8 * WIDTH + 8)]))
        with pytest.raises(StoreError, match="later version"):
            tx.load_state(np.array([49_152], np.int64))
        tx.put("person_year", ("key", "version", "state"), ([65_536], [1], [b"\x02" + bytes(8)]))
        with pytest.raises(StoreError, match="another form"):
            tx.load_state(np.array([65_536], np.int64))


def test_no_keys_are_no_work(store: Store) -> None:
    """Empty arrays and lists are taken and give empty results."""
    none = np.zeros(0, np.int64)
    with store.begin() as tx:
        assert tx.tokens([]) == tx.add_persons([]) == tx.find_messages([]) == {}
        assert tx.reversals([]) == {}
        assert tx.load_state(none)[1].shape == (0, WIDTH) and tx.load_accounts(none).shape == (0,)
        tx.save_state(none, none, np.zeros((0, WIDTH), np.int64))
        tx.save_accounts(none, none)
        tx.add_reversals([])
        tx.add_messages([], [])


def test_accounts_come_back_as_saved(store: Store) -> None:
    """Balances in fen come back in the order asked for; a person without an account has none, which is 0."""
    tokens = np.arange(1, 3_001, dtype=np.int64)
    with store.begin() as tx:
        tx.save_accounts(tokens, tokens * 100)
        tx.save_accounts(tokens[:10], -tokens[:10])
    with store.read() as reader:
        assert reader.load_accounts(np.array([3_000, 1, 9_999, 1], np.int64)).tolist() == [300_000, -1, 0, -1]


def test_a_message_is_noted_once(store: Store) -> None:
    """A message already known, in the store or earlier in the list, is refused by name with all that came with it."""
    keys = [f"H34010000001{i:08d}" for i in range(3_000)]
    with store.begin() as tx:
        tx.add_messages(keys, list(range(1, 3_001)))
    for again in (["new-1", keys[7], "new-2"], ["new-1", "new-2", "new-1"]):
        with pytest.raises(KeyTaken), store.begin() as tx:
            tx.add_messages(again, [11, 12, 13])
    with store.begin() as tx:
        tx.add_messages(["new-2"], [13])
        assert tx.find_messages([keys[7], "none", "new-1", "new-2"]) == {keys[7]: 8, "new-2": 13}
    with store.read() as reader:
        assert reader.query("SELECT COUNT(*) FROM message") == [(3_001,)]


def test_a_claim_is_reversed_once(store: Store) -> None:
    """What reversed a claim is found by the claim's position; a second reversal is refused."""
    with store.begin() as tx:
        tx.add_reversals([(1, 4), (3, 6)])
        assert tx.reversals([1, 2, 3]) == {1: 4, 3: 6}
    with pytest.raises(StoreError), store.begin() as tx:
        tx.add_reversals([(9, 10), (3, 11)])
    with store.read() as reader:
        assert reader.reversals(np.array([1, 3, 9], np.int64)) == {1: 4, 3: 6}


def test_a_key_no_database_can_hold_is_refused(store: Store) -> None:
    """A NUL in a key is an error, never a key cut short."""
    with store.begin() as tx:
        tx.add_persons([("a", "")])
    with pytest.raises(StoreError), store.begin() as tx:
        tx.tokens(["a\0b"])
    with store.begin() as tx:
        assert tx.tokens(["a\\u0000b", 'quote"d', "a"]) == {"a": 1}
