"""Keeps the account balances this writer has met in memory, as ``person_years`` keeps accumulators, and as truly."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ledger.known import KnownInts, grown, taken

if TYPE_CHECKING:
    from ledger.store import Reader

Ints = npt.NDArray[np.int64]

#: Past this many accounts the memory starts anew; each takes about 50 bytes.
MOST = 2_000_000


class Accounts:
    """Is personal account balances in fen by token, read through and told what is written; 0 where there is none."""

    def __init__(self) -> None:
        self._known = KnownInts()
        # What was written behind this position is in memory, so the runs behind it need not be looked through.
        self._since = -1
        self._fen = np.zeros(1024, np.int64)

    def reserve(self, count: int) -> None:
        """Takes the room that ``count`` accounts need, at most that of MOST."""
        count = min(count, MOST)
        self._known.reserve(count)
        self._fen = taken(self._fen, count)

    def load(self, tx: "Reader", tokens: Ints) -> Ints:
        """Returns the balances as the store has them; each token once."""
        rows = self._known.find(tokens)
        missing = rows < 0
        if self._since < 0:
            self._since = tx.size
        if missing.any():
            if len(self._known) + int(missing.sum()) > MOST:
                self._start_anew(tx.size)
                missing[:] = True
            self._take(tokens[missing], tx.load_accounts(tokens[missing], self._since))
            rows = self._known.find(tokens)
        return self._fen[rows]

    def remember(self, size: int, tokens: Ints, balances: Ints) -> None:
        """Remembers balances that a transaction writes, each token once; ``size`` is the position it comes to."""
        rows = self._known.find(tokens)
        fresh = rows < 0
        if len(self._known) + int(fresh.sum()) > MOST:
            self._start_anew(size)
            return
        self._fen[rows[~fresh]] = balances[~fresh]
        self._take(tokens[fresh], balances[fresh])

    def begin(self, size: int, tokens: Ints) -> None:
        """Notes tokens that a transaction gives which comes to ``size``: nothing stands in their accounts yet."""
        self.remember(size, tokens, np.zeros(len(tokens), np.int64))

    def _start_anew(self, size: int) -> None:
        self._known.clear()
        self._since = size

    def _take(self, tokens: Ints, balances: Ints) -> None:
        if not len(tokens):
            return
        rows = self._known.add(tokens)
        self._fen = grown(self._fen, rows.stop)
        self._fen[rows] = balances
