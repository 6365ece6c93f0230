"""Keeps the person-years this writer has met in memory, so that a month's batches need not read them again.

It is right as long as nobody else writes: ``Knowledge`` drops it when the log's head has moved without it, and
after a rollback. What it holds is what the store holds, never more and never later.
"""

from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import ACCUMULATORS

if TYPE_CHECKING:
    from ledger.store import Transaction

Ints = npt.NDArray[np.int64]

#: Past this many person-years the memory starts anew; each takes about 200 bytes.
MOST = 1_000_000


class PersonYears:
    """Is accumulators and their versions by key (token * YEARS + year), read through and written through."""

    def __init__(self) -> None:
        self._row: dict[int, int] = {}
        self._versions = np.zeros(1024, np.int64)
        self._values = np.zeros((1024, len(ACCUMULATORS)), np.int64)

    def load(self, tx: "Transaction", keys: Ints) -> tuple[Ints, Ints]:
        """Returns (versions, values) of person-years as the store has them; zeros for one it has not."""
        rows = self._rows(keys)
        missing = rows < 0
        if missing.any():
            if len(self._row) + int(missing.sum()) > MOST:
                self._row.clear()
                missing[:] = True
            versions, values = tx.load_state(keys[missing])
            self._take(keys[missing], versions, values)
            rows = self._rows(keys)
        return self._versions[rows], self._values[rows]

    def save(self, tx: "Transaction", keys: Ints, versions: Ints, values: Ints) -> None:
        """Writes person-years to the store and remembers them, each key once."""
        tx.save_state(keys, versions, values)
        rows = self._rows(keys)
        known = rows >= 0
        self._versions[rows[known]] = versions[known]
        self._values[rows[known]] = values[known]
        if not known.all() and len(self._row) < MOST:
            self._take(keys[~known], versions[~known], values[~known])

    def _rows(self, keys: Ints) -> Ints:
        return np.fromiter(map(self._row.get, keys.tolist(), repeat(-1)), np.int64, len(keys))

    def _take(self, keys: Ints, versions: Ints, values: Ints) -> None:
        first = len(self._row)
        last = first + len(keys)
        if last > len(self._versions):
            size = max(last, 2 * len(self._versions))
            self._versions = np.concatenate([self._versions, np.zeros(size - len(self._versions), np.int64)])
            more = np.zeros((size - len(self._values), len(ACCUMULATORS)), np.int64)
            self._values = np.concatenate([self._values, more])
        self._versions[first:last] = versions
        self._values[first:last] = values
        self._row.update(zip(keys.tolist(), range(first, last), strict=True))
