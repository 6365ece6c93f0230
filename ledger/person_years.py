"""Keeps the person-years this writer has met in memory, so that a month's batches need not read them again.

It is right as long as nobody else writes: ``Knowledge`` drops it when the log's head has moved without it, and
after a rollback. What it holds is what the store holds, never more and never later.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import ACCUMULATORS
from ledger.known import KnownInts, grown

if TYPE_CHECKING:
    from ledger.store import Transaction

Ints = npt.NDArray[np.int64]

#: Past this many person-years the memory starts anew; each takes about 250 bytes.
MOST = 1_000_000


class PersonYears:
    """Is accumulators and their versions by key (token * YEARS + year), read through and written through."""

    def __init__(self) -> None:
        self._known = KnownInts()
        # What was written behind this position is in memory, so the runs behind it need not be looked through.
        self._since = -1
        self._versions = np.zeros(1024, np.int64)
        self._values = np.zeros((1024, len(ACCUMULATORS)), np.int64)

    def load(self, tx: "Transaction", keys: Ints) -> tuple[Ints, Ints]:
        """Returns (versions, values) of person-years as the store has them; zeros for one it has not."""
        rows = self._known.find(keys)
        missing = rows < 0
        if self._since < 0:
            self._since = tx.size
        if missing.any():
            if len(self._known) + int(missing.sum()) > MOST:
                self._start_anew(tx)
                missing[:] = True
            versions, values = tx.load_state(keys[missing], self._since)
            self._take(keys[missing], versions, values)
            rows = self._known.find(keys)
        return self._versions[rows], self._values[rows]

    def save(self, tx: "Transaction", keys: Ints, versions: Ints, values: Ints) -> None:
        """Writes person-years to the store and remembers them, each key once."""
        tx.save_later(keys, versions, values)
        rows = self._known.find(keys)
        fresh = rows < 0
        if len(self._known) + int(fresh.sum()) > MOST:
            self._start_anew(tx)
            return
        known = ~fresh
        self._versions[rows[known]] = versions[known]
        self._values[rows[known]] = values[known]
        if fresh.any():
            self._take(keys[fresh], versions[fresh], values[fresh])

    def _start_anew(self, tx: "Transaction") -> None:
        self._known.clear()
        self._since = tx.size

    def _take(self, keys: Ints, versions: Ints, values: Ints) -> None:
        rows = self._known.add(keys)
        self._versions = grown(self._versions, rows.stop)
        self._values = grown(self._values, rows.stop)
        self._versions[rows] = versions
        self._values[rows] = values
