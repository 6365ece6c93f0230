"""Keeps keys in memory by the hundred thousand and finds the rows they have, a batch at a time."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.text import Texts

Ints = npt.NDArray[np.int64]

Cell = TypeVar("Cell", bound=np.generic)

SMALLEST = 1_024

#: What a text takes where nothing is known of it: a person's number is some twenty characters.
TEXT_BYTES = 20


def grown(column: npt.NDArray[Cell], size: int) -> npt.NDArray[Cell]:
    """Returns a column with room for ``size`` rows, twice as many as before where it had not; new ones are zero."""
    if size <= len(column):
        return column
    more = np.zeros((max(size, 2 * len(column)), *column.shape[1:]), column.dtype)
    more[: len(column)] = column
    return more


def taken(column: npt.NDArray[Cell], size: int) -> npt.NDArray[Cell]:
    """Returns a column with room for ``size`` rows whose memory is taken now, not when it is first used."""
    if size <= len(column):
        return column
    more = np.empty((size, *column.shape[1:]), column.dtype)
    more[: len(column)] = column
    more[len(column) :] = 0
    return more


def _slots_for(count: int) -> int:
    """Returns the size of a table: at most half of it is taken, and it is made anew before that."""
    return 1 << (2 * max(count, SMALLEST) - 1).bit_length()


class KnownInts:
    """Is integers and the row of each: 0 for the first one added, and so on."""

    def __init__(self) -> None:
        self._n = 0
        self._held = np.zeros(SMALLEST, np.int64)
        self._slots = np.zeros(_slots_for(SMALLEST), np.int64)

    def clear(self) -> None:
        """Forgets them all and keeps their room."""
        self._n = 0
        self._slots[:] = 0

    def reserve(self, count: int) -> None:
        """Takes the room that ``count`` of them need."""
        self._held = taken(self._held, count)
        if (size := _slots_for(count)) > len(self._slots):
            self._slots = taken(self._slots[:0], size)
            load("index").put_ints(self._slots, self._held[: self._n], 0)

    def __len__(self) -> int:
        """Returns how many there are."""
        return self._n

    @property
    def held(self) -> Ints:
        """Returns them in the order of their rows."""
        return self._held[: self._n]

    def find(self, keys: Ints) -> Ints:
        """Returns the row of each key, -1 where it is not known."""
        rows: Ints = load("index").find_ints(self._slots, self._held[: self._n], np.ascontiguousarray(keys))
        return rows

    def add(self, keys: Ints) -> slice:
        """Takes keys in that are not known, each once, and returns their rows."""
        first, last = self._n, self._n + len(keys)
        self._held = grown(self._held, last)
        self._held[first:last] = keys
        self._n = last
        whole = 2 * last > len(self._slots)
        if whole:
            self._slots = np.zeros(_slots_for(last), np.int64)
        load("index").put_ints(self._slots, self._held[:last], 0 if whole else first)
        return slice(first, last)


class KnownTexts:
    """Is texts and a number for each of them."""

    def __init__(self) -> None:
        self._n = 0
        self._offsets = np.zeros(SMALLEST + 1, np.int64)
        self._data = np.zeros(TEXT_BYTES * SMALLEST, np.uint8)
        self._numbers = np.zeros(SMALLEST + 1, np.int64)
        self._slots = np.zeros(_slots_for(SMALLEST), np.int64)

    def clear(self) -> None:
        """Forgets them all and keeps their room."""
        self._n = 0
        self._slots[:] = 0

    def reserve(self, count: int) -> None:
        """Takes the room that ``count`` of them need, if they are TEXT_BYTES long."""
        self._offsets = taken(self._offsets, count + 1)
        self._numbers = taken(self._numbers, count + 1)
        self._data = taken(self._data, TEXT_BYTES * count)
        if (size := _slots_for(count)) > len(self._slots):
            self._slots = taken(self._slots[:0], size)
            load("index").put_texts(self._slots, self._held(), 0)

    def __len__(self) -> int:
        """Returns how many there are."""
        return self._n

    def find(self, texts: Texts) -> Ints:
        """Returns the number of each text, 0 where it is not known."""
        rows = load("index").find_texts(self._slots, self._held(), texts)
        numbers: Ints = np.where(rows < 0, 0, self._numbers[rows])
        return numbers

    def add(self, texts: Texts, numbers: Ints) -> None:
        """Takes texts in that are not known, each once, with a number above 0 for each."""
        first, last = self._n, self._n + len(numbers)
        start, size = int(self._offsets[first]), int(texts.offsets[-1] - texts.offsets[0])
        self._offsets = grown(self._offsets, last + 1)
        self._numbers = grown(self._numbers, last + 1)
        self._data = grown(self._data, start + size)
        self._offsets[first + 1 : last + 1] = texts.offsets[1:] + (start - texts.offsets[0])
        self._numbers[first:last] = numbers
        self._data[start : start + size] = texts.data[texts.offsets[0] : texts.offsets[-1]]
        self._n = last
        whole = 2 * last > len(self._slots)
        if whole:
            self._slots = np.zeros(_slots_for(last), np.int64)
        load("index").put_texts(self._slots, self._held(), 0 if whole else first)

    def _held(self) -> Texts:
        return Texts(self._offsets[: self._n + 1], self._data)
