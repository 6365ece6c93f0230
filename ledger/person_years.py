"""Keeps the person-years this writer has met in memory, so that a month's batches need not read them again.

It is right as long as nobody else writes: ``Knowledge`` drops it when the log's head has moved without it, and
after a rollback. What it holds is what the store holds, never more and never later.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import ACCUMULATORS
from ledger.known import KnownInts, grown, taken

if TYPE_CHECKING:
    from ledger.store import Reader, Transaction

Ints = npt.NDArray[np.int64]

#: Past this many person-years the memory starts anew; each takes about 120 bytes.
MOST = 1_000_000

#: Rows there is room for at first.
FEWEST = 1_024


class PersonYears:
    """Is accumulators and their versions by key (token * YEARS + year), read through and written through."""

    def __init__(self) -> None:
        self._known = KnownInts()
        # What was written behind this position is in memory, so the runs behind it need not be looked through.
        self._since = -1
        self._versions = np.zeros(FEWEST, np.int64)
        # Most accumulators move nowhere: only those that moved for somebody have a column.
        self._used = np.zeros(0, np.int64)
        self._values = np.zeros((FEWEST, 0), np.int64)

    def reserve(self, count: int) -> None:
        """Takes the room that ``count`` person-years need, at most that of MOST."""
        count = min(count, MOST)
        self._known.reserve(count)
        self._versions = taken(self._versions, count)
        self._values = taken(self._values, count)

    def load(self, tx: "Reader", keys: Ints) -> tuple[Ints, Ints]:
        """Returns (versions, values) of person-years as the store has them; zeros for one it has not."""
        rows = self._known.find(keys)
        missing = rows < 0
        if self._since < 0:
            self._since = tx.size
        if missing.any():
            if len(self._known) + int(missing.sum()) > MOST:
                self._start_anew(tx.size)
                missing[:] = True
            versions, values = tx.load_state(keys[missing], self._since)
            self._take(keys[missing], versions, values)
            rows = self._known.find(keys)
        values = np.zeros((len(rows), len(ACCUMULATORS)), np.int64)
        values[:, self._used] = self._values[rows]
        return self._versions[rows], values

    def save(self, tx: "Transaction", keys: Ints, versions: Ints, values: Ints) -> None:
        """Writes person-years to the store and remembers them, each key once."""
        tx.save_later(keys, versions, values)
        self.remember(tx.size, keys, versions, values)

    def remember(self, size: int, keys: Ints, versions: Ints, values: Ints) -> None:
        """Remembers person-years that a transaction writes, each key once; ``size`` is the position it comes to."""
        rows = self._known.find(keys)
        fresh = rows < 0
        if len(self._known) + int(fresh.sum()) > MOST:
            self._start_anew(size)
            return
        known = ~fresh
        self._put(rows[known], versions[known], values[known])
        if fresh.any():
            self._take(keys[fresh], versions[fresh], values[fresh])

    def _start_anew(self, size: int) -> None:
        self._known.clear()
        self._since = size

    def _take(self, keys: Ints, versions: Ints, values: Ints) -> None:
        rows = self._known.add(keys)
        self._versions = grown(self._versions, rows.stop)
        self._values = grown(self._values, rows.stop)
        self._put(rows, versions, values)

    def _put(self, rows: Ints | slice, versions: Ints, values: Ints) -> None:
        self._widen(values)
        self._versions[rows] = versions
        self._values[rows] = values[:, self._used]

    def _widen(self, values: Ints) -> None:
        """Gives every accumulator that moved a column; what stood before was 0 in it."""
        moved = np.asarray(values.any(axis=0), np.bool_)
        moved[self._used] = False
        if moved.any():
            wider = np.concatenate([self._used, np.flatnonzero(moved)])
            self._values = np.pad(self._values, ((0, 0), (0, len(wider) - len(self._used))))
            self._used = wider
