"""What a job remembers takes its memory once: at the beginning, within its bounds, and finds what it was told."""

from pathlib import Path

import numpy as np
import pytest

import ledger.person_years
from core_ext.layout import ACCUMULATORS
from core_ext.text import texts_from_list
from ledger import store
from ledger.known import KnownInts, KnownTexts
from ledger.person_years import PersonYears


def room_of(known: KnownInts | KnownTexts) -> int:
    """Returns how many bytes the columns of a memory have."""
    return sum(column.nbytes for column in vars(known).values() if isinstance(column, np.ndarray))


@pytest.mark.parametrize("before", [0, 3, 5_000])
def test_room_taken_beforehand_changes_nothing_that_is_known(before: int) -> None:
    """Whether room was reserved early, late or never: the same keys are found at the same rows."""
    keys = np.arange(1, 9_001, dtype=np.int64) * 7_919
    names = texts_from_list([f"P{key}" for key in keys.tolist()])
    plain, roomy = KnownInts(), KnownInts()
    texts = KnownTexts()
    for known in (plain, roomy):
        known.add(keys[:before])
    roomy.reserve(9_000)
    texts.reserve(9_000)
    texts.add(names, keys)
    for known in (plain, roomy):
        known.add(keys[before:])
        assert known.find(keys).tolist() == list(range(9_000))
        assert known.find(keys + 1).tolist() == [-1] * 9_000
    assert texts.find(names).tolist() == keys.tolist()


def test_what_was_forgotten_is_not_found_and_leaves_its_room() -> None:
    """A memory that starts anew knows nothing of before, and takes in as much again without growing."""
    keys = np.arange(5_000, dtype=np.int64)
    names = texts_from_list([str(key) for key in keys.tolist()])
    numbers, texts = KnownInts(), KnownTexts()
    taken = set()
    for _ in range(3):
        numbers.add(keys)
        texts.add(names, keys + 1)
        taken.add((room_of(numbers), room_of(texts)))
        numbers.clear()
        texts.clear()
        assert set(numbers.find(keys).tolist()) == {-1}
        assert set(texts.find(names).tolist()) == {0}
    assert len(numbers) == len(texts) == 0
    assert len(taken) == 1 and min(*taken) > keys.nbytes


@pytest.mark.parametrize("reserved", [0, 2_000_000])
def test_person_years_keep_every_accumulator_that_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserved: int
) -> None:
    """Columns that move late, for one person only, are there, and those who moved nothing in them have zeros."""
    monkeypatch.setattr(ledger.person_years, "MOST", 5_000)
    width = len(ACCUMULATORS)
    keys = np.arange(1, 3_001, dtype=np.int64) << 14
    values = np.zeros((3_000, width), np.int64)
    values[:, 3] = np.arange(3_000)
    late = values.copy()
    late[17, width - 1] = -5
    late[2_999, 0] = 2**62
    ones = np.ones(3_000, np.int64)
    with store.create(f"sqlite:///{tmp_path / 'ledger.db'}") as opened, opened.begin() as tx:
        years = PersonYears()
        years.reserve(reserved)
        for version, table in enumerate((values, late), 1):
            years.save(tx, keys, ones * version, table)
            versions, found = years.load(tx, keys)
            assert versions.tolist() == [version] * 3_000
            assert np.array_equal(found, table)
            assert np.array_equal(tx.load_state(keys)[1], table)
