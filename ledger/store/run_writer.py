"""Writes what a batch leaves behind of the write side's state: few rows to their tables, many as one row, a run."""

from typing import TYPE_CHECKING

import numpy as np

from ledger.store.runs import ACCOUNT_RUNS, RUN_ROWS, YEAR_RUNS, Packed, Runs, packed_run, put_run
from ledger.store.state import REPLACE_OLDER_ACCOUNT, REPLACE_OLDER_STATE, StateWriter
from ledger.store.text_runs import MESSAGE_RUNS, TextRows, TextRuns, put_texts

if TYPE_CHECKING:
    from ledger.store.link import Ints


#: Accounts are fewer than claims, a row of theirs is written anew each time, and a run of them is read in no time: they
#: are a run from a part of RUN_ROWS on.
ACCOUNTS_FEWER = 8


class RunWriter(StateWriter):
    """Writes the state as ``StateWriter`` does, and runs of it, which ``ledger.store.tidying`` keeps few.

    A run bears the position its transaction has come to, so one without an event of its own since the last has none.
    Those of persons' numbers bear the first token.
    """

    #: Where the transaction began, and the position of the last rows it has saved of each table.
    _head: tuple[int, int]
    _runs: dict[str, int]

    def save_later(self, keys: "Ints", versions: "Ints", values: "Ints", packed: Packed | None = None) -> None:
        """Saves person-years as ``save_state`` does; ``packed`` are the same, where somebody has packed them."""
        if self._begins_run(YEAR_RUNS.name, len(keys), RUN_ROWS):
            self.put_run(YEAR_RUNS, self._size, packed or packed_run(keys, versions, values))
        else:
            self.save_state(keys, versions, values)

    def save_accounts_later(self, tokens: "Ints", balances: "Ints") -> None:
        """Saves account balances as ``save_accounts`` does."""
        if self._begins_run(ACCOUNT_RUNS.name, len(tokens), RUN_ROWS // ACCOUNTS_FEWER):
            versions = np.full(len(tokens), self._size, np.int64)
            self.put_run(ACCOUNT_RUNS, self._size, packed_run(tokens, versions, balances[:, None]))
        else:
            self.save_accounts(tokens, balances)

    def save_messages(self, messages: TextRows) -> None:
        """Notes messages that no run has; raises KeyTaken where the table has one of few."""
        if self._begins_run(MESSAGE_RUNS.name, len(messages.keys), RUN_ROWS):
            self.put_texts(MESSAGE_RUNS, self._size, messages)
        else:
            self.add_messages([msgid for msgid, _ in messages.listed()], messages.values)

    def put_run(self, runs: Runs, run: int, packed: Packed) -> None:
        """Writes numbers as a run."""
        put_run(self._link, runs, run, packed)

    def put_texts(self, runs: TextRuns, run: int, rows: TextRows) -> None:
        """Writes texts as a run."""
        put_texts(self._link, runs, run, rows)

    def save_merged(self, runs: Runs, keys: "Ints", versions: "Ints", values: "Ints") -> None:
        """Writes numbers out of runs to their table, where it has no later version."""
        if runs is YEAR_RUNS:
            self.save_state(keys, versions, values, REPLACE_OLDER_STATE)
        else:
            self._put_accounts(keys, versions, values[:, 0], REPLACE_OLDER_ACCOUNT)

    def _begins_run(self, name: str, rows: int, fewest: int) -> bool:
        """Returns whether so many rows are a run; what is no run stands at this position in the table."""
        begins = rows >= max(1, fewest) and self._runs.get(name, self._head[0]) != self._size
        self._runs[name] = self._size
        return begins
