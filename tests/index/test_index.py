"""The index kernel and the memory of keys over it: both twins find alike, and never take one key for another."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_ext import _index
from core_ext.reference import index as reference
from core_ext.text import Texts, texts_from_list
from ledger.known import KnownInts, KnownTexts

KERNELS: tuple[Any, ...] = (_index, reference)
KEYS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60)
WORDS = st.lists(st.binary(max_size=20), max_size=60)


def size_for(count: int) -> int:
    """Returns the smallest table that holds so many keys: the fuller, the more of them meet in a slot."""
    return max(2, 1 << (2 * count - 1).bit_length())


@given(KEYS, KEYS, st.integers(0, 60))
def test_both_twins_find_numbers_alike(held: list[int], asked: list[int], cut: int) -> None:
    """A number is found in the first row it stands in, whether it was put in at once or later; no other is."""
    keys, wanted = np.array(held, np.int64), np.array([*asked, *held], np.int64)
    first = min(cut, len(held))
    tables = []
    for kernel in KERNELS:
        slots = np.zeros(size_for(len(held)), np.int64)
        kernel.put_ints(slots, keys[:first], 0)
        kernel.put_ints(slots, keys, first)
        rows = kernel.find_ints(slots, keys, wanted)
        assert rows.tolist() == [held.index(key) if key in held else -1 for key in wanted.tolist()]
        tables.append(slots.tolist())
    assert tables[0] == tables[1]


@given(WORDS, WORDS, st.integers(0, 60))
def test_both_twins_find_texts_alike(held: list[bytes], asked: list[bytes], cut: int) -> None:
    """A text is found in the first row it stands in, byte for byte; equal texts of a batch have one number."""
    texts, wanted = texts_from_list(held), texts_from_list([*asked, *held])
    first = min(cut, len(held))
    tables = []
    for kernel in KERNELS:
        slots = np.zeros(size_for(len(held)), np.int64)
        kernel.put_texts(slots, Texts(texts.offsets[: first + 1], texts.data), 0)
        kernel.put_texts(slots, texts, first)
        rows = kernel.find_texts(slots, texts, wanted)
        assert rows.tolist() == [held.index(text) if text in held else -1 for text in [*asked, *held]]
        tables.append(slots.tolist())
        numbers, firsts = kernel.number_texts(wanted)
        distinct = list(dict.fromkeys([*asked, *held]))
        assert [distinct[number] for number in numbers.tolist()] == [*asked, *held]
        assert firsts.tolist() == [[*asked, *held].index(text) for text in distinct]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("kernel", KERNELS, ids=["compiled", "reference"])
def test_keys_that_share_a_hash_stay_apart(kernel: Any) -> None:
    """Where a slot bears the hash of another key, the keys themselves decide."""
    slots = np.zeros(4, np.int64)
    kernel.put_ints(slots, np.array([7], np.int64), 0)
    assert kernel.find_ints(slots, np.array([7], np.int64), np.array([7], np.int64)).tolist() == [0]
    assert kernel.find_ints(slots, np.array([8], np.int64), np.array([7], np.int64)).tolist() == [-1]
    slots = np.zeros(4, np.int64)
    kernel.put_texts(slots, texts_from_list(["one"]), 0)
    assert kernel.find_texts(slots, texts_from_list(["two"]), texts_from_list(["one"])).tolist() == [-1]


@pytest.mark.parametrize("kernel", KERNELS, ids=["compiled", "reference"])
def test_a_table_too_small_is_refused(kernel: Any) -> None:
    """A table that would never have a free slot, or is no power of two, is refused, as are rows that are not there."""
    keys, texts = np.arange(3, dtype=np.int64), texts_from_list(["a", "b", "c"])
    for size in (0, 1, 4, 6, 7):
        slots = np.zeros(size, np.int64)
        with pytest.raises(ValueError, match="slots"):
            kernel.put_ints(slots, keys, 0)
        with pytest.raises(ValueError, match="slots"):
            kernel.find_ints(slots, keys, keys)
        with pytest.raises(ValueError, match="slots"):
            kernel.put_texts(slots, texts, 0)
        with pytest.raises(ValueError, match="slots"):
            kernel.find_texts(slots, texts, texts)
    for first in (-1, 4):
        with pytest.raises(ValueError, match="first row"):
            kernel.put_ints(np.zeros(8, np.int64), keys, first)
        with pytest.raises(ValueError, match="first row"):
            kernel.put_texts(np.zeros(8, np.int64), texts, first)


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=5), st.integers(0, 2**32))
def test_numbers_are_remembered_as_a_dictionary_would(sizes: list[int], seed: int) -> None:
    """However many batches came, every number has the row it was given, and one that never came has none."""
    known, expected = KnownInts(), dict[int, int]()
    random = np.random.default_rng(seed)
    for size in sizes:
        drawn = random.integers(1, 2 ** random.integers(8, 62), size).tolist()
        fresh = [key for key in dict.fromkeys(drawn) if key not in expected]
        rows = known.add(np.array(fresh, np.int64))
        expected.update(zip(fresh, range(rows.start, rows.stop), strict=True))
    wanted = [*expected, -5, 0]
    assert known.find(np.array(wanted, np.int64)).tolist() == [expected.get(key, -1) for key in wanted]
    assert len(known) == len(expected)
    known.clear()
    assert len(known) == 0 and known.find(np.array(wanted, np.int64)).tolist() == [-1] * len(wanted)


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=5), st.integers(0, 2**32))
def test_texts_are_remembered_as_a_dictionary_would(sizes: list[int], seed: int) -> None:
    """However many batches came, every text has its own number, and one that never came has 0."""
    known, expected = KnownTexts(), dict[str, int]()
    random = np.random.default_rng(seed)
    for size in sizes:
        drawn = [f"身{key:x}" * (key % 4) for key in random.integers(0, 5_000, size).tolist()]
        fresh = [text for text in dict.fromkeys(drawn) if text not in expected]
        numbers = [len(expected) + at for at in range(1, len(fresh) + 1)]
        # Texts are a part of a longer column as often as not.
        column = texts_from_list(["before", *fresh, "behind"])
        known.add(Texts(column.offsets[1:-1], column.data), np.array(numbers, np.int64))
        expected.update(zip(fresh, numbers, strict=True))
    wanted = [*expected, "never came"]
    assert known.find(texts_from_list(wanted)).tolist() == [expected.get(text, 0) for text in wanted]
    assert len(known) == len(expected)
    known.clear()
    assert known.find(texts_from_list(wanted)).tolist() == [0] * len(wanted)


IDS = st.lists(
    st.one_of(st.binary(max_size=20), st.from_regex(rb"[0-9]{6,9}[0-9a-zH]{0,24}", fullmatch=True)), max_size=40
)


@given(IDS)
def test_both_twins_number_ids_alike(ids: list[bytes]) -> None:
    """An id's number is its day above a part of its hash, never negative, whatever stands before and behind it."""
    texts = texts_from_list(ids)
    keys = _index.day_keys(texts)
    assert keys.dtype == np.int64 and keys.tolist() == reference.day_keys(texts).tolist()
    assert keys.tolist() == [int(_index.day_keys(texts_from_list([each]))[0]) for each in ids]
    for key, each in zip(keys.tolist(), ids, strict=True):
        day = int(each[:8]) if len(each) >= 8 and each[:8].isdigit() else 0
        assert key >> 36 == day


#: Stores keep these numbers: whoever changes how one is formed finds no id that was noted before.
NUMBERS = {
    "": 20680195047,
    "2024010": 19598590199,
    "20240105": 1390889424751134335,
    "20240105080000H260101000010001": 1390889436783397404,
    "202401050809589716729633919725": 1390889433821048135,
    "202401050229382214560495283314": 1390889433821048135,
    "99999999": 6871947610705776800,
    "2024010a080000": 25595038059,
    "é2024010": 63372261765,
    "２０２４０１０５": 61428340809,
    f"20240105{'x' * 50}": 1390889425297020810,
    "\n0240105x": 8603939021,
}


@pytest.mark.parametrize("kernel", KERNELS, ids=["compiled", "reference"])
def test_an_id_has_the_number_it_always_had(kernel: Any) -> None:
    """The number of an id is the same in every version: those that stand in stores are found by it."""
    assert kernel.day_keys(texts_from_list(list(NUMBERS))).tolist() == list(NUMBERS.values())


@pytest.mark.parametrize("kernel", KERNELS, ids=["compiled", "reference"])
def test_ids_outside_their_bytes_get_no_number(kernel: Any) -> None:
    """Offsets that lead out of the bytes, or back, are refused before anything is read there."""
    data = np.frombuffer(b"20240105", np.uint8)
    for offsets in ([0, 9], [0, 5, 4], [-1, 4]):
        with pytest.raises(ValueError, match="texts"):
            kernel.day_keys(Texts(np.array(offsets, np.int64), data))
    assert kernel.day_keys(Texts(np.zeros(1, np.int64), data)).tolist() == []
