"""Gathers rows on their way into PostgreSQL's tables, so that one trip to the server takes in several of them."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

#: Tables' rows that one statement takes in at most, and from how many bytes on it takes in no more.
MOST_PUTS = 16
MOST_BYTES = 1 << 24


class _Put(NamedTuple):
    table: str
    sql: str
    arrays: Sequence[bytes]
    clause: bool


class Puts:
    """Is the rows that wait: what each statement that puts some in would be, and its arrays."""

    def __init__(self) -> None:
        self._waiting: list[_Put] = []

    def takes(self, table: str, clause: bool) -> bool:
        """Returns whether rows of a table may wait with these; ``clause`` says whether they have one for a conflict.

        No part of a statement sees what another writes, which a conflict's clause would have to.
        """
        if sum(map(len, chain.from_iterable(each.arrays for each in self._waiting))) >= MOST_BYTES:
            return False
        same = [each for each in self._waiting if each.table == table]
        return len(self._waiting) < MOST_PUTS and not (same and (clause or any(each.clause for each in same)))

    def add(self, table: str, sql: str, arrays: Sequence[bytes], clause: bool) -> None:
        """Has rows wait."""
        self._waiting.append(_Put(table, sql, arrays, clause))

    def taken(self) -> tuple[str, list[bytes]] | None:
        """Returns one statement that puts all of them in, and its arrays; None where there are none, as behind it."""
        if not self._waiting:
            return None
        waiting, self._waiting = self._waiting, []
        *before, last = waiting
        named = ", ".join(f"put_{at} AS ({each.sql})" for at, each in enumerate(before))
        return f"WITH {named} {last.sql}" if named else last.sql, [array for each in waiting for array in each.arrays]
