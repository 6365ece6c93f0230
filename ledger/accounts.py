"""Keeps the account balances this writer has met in memory, as ``person_years`` keeps accumulators, and as truly."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ledger.store import Transaction

Ints = npt.NDArray[np.int64]

#: Past this many accounts the memory starts anew; each takes about 150 bytes.
MOST = 2_000_000


class Accounts:
    """Is personal account balances in fen by token, read through and written through; 0 where there is no account."""

    def __init__(self) -> None:
        self._fen: dict[int, int] = {}

    def load(self, tx: "Transaction", tokens: Ints) -> Ints:
        """Returns the balances as the store has them."""
        wanted = tokens.tolist()
        found = list(map(self._fen.get, wanted))
        missing = [token for token, fen in zip(wanted, found, strict=True) if fen is None]
        if missing:
            self._make_room(len(missing))
            fresh = tx.load_accounts(np.array(missing, np.int64)).tolist()
            self._fen.update(zip(missing, fresh, strict=True))
            unseen = iter(fresh)
            found = [next(unseen) if fen is None else fen for fen in found]
        return np.array(found, np.int64)

    def save(self, tx: "Transaction", tokens: Ints, balances: Ints) -> None:
        """Writes balances to the store and remembers them, each token once."""
        tx.save_accounts(tokens, balances)
        self._fen.update(zip(tokens.tolist(), balances.tolist(), strict=True))

    def begin(self, tokens: Ints) -> None:
        """Notes tokens that this transaction has given: nothing stands in their accounts yet."""
        self._make_room(len(tokens))
        self._fen.update(dict.fromkeys(tokens.tolist(), 0))

    def _make_room(self, more: int) -> None:
        if len(self._fen) + more > MOST:
            self._fen.clear()
