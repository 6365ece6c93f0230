"""Keeps price caps and drug maxima: dated registers, looked up by day, and what each claim counted toward a maximum.

What was counted is a row a claim, so a refund takes back its own by being a reversal: nothing is recomputed.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core_ext.line_cells import NO_CAP, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Transaction

Int64s = NDArray[np.int64]

QUARTER, YEAR = 1, 2
FOR_EVER = 99_999_999

ANY_CAP = "SELECT 1 FROM price_cap UNION ALL SELECT 1 FROM drug_cap LIMIT 1"


def any_cap(tx: "Transaction") -> bool:
    """Returns whether any price cap or drug maximum is set at all."""
    return bool(tx.query(ANY_CAP))


def price_caps(tx: "Transaction", items: "Sequence[str]", days: Int64s, stated: Int64s) -> Int64s:
    """Returns each line's price cap in 1e-6 yuan: the register's of its day (the latest set), else the stated one.

    No ``items`` at all: no cap is set (``any_cap``).
    """
    if not items:
        return stated
    names = list(dict.fromkeys(items))
    caps: dict[str, list[tuple[int, int, int, int]]] = {}
    for at, position, begin, to, cap in tx.lookup("price_cap", "med_list_codg", "position, begin, to_, cap", names):
        caps.setdefault(names[at], []).append((position, begin, to or FOR_EVER, cap))
    found = stated.copy()
    for row, item in enumerate(items) if caps else ():
        day = int(days[row])
        ruling = max((each for each in caps.get(item, ()) if each[1] <= day <= each[2]), default=None)
        if ruling is not None:
            found[row] = min(ruling[3], NO_CAP)
    return found


class DrugRoom:
    """Is the room that lines of a batch have under drug maxima: ``slots`` of each line, ``taken`` and ``maximum``."""

    def __init__(self, lines: int) -> None:
        self.slots = np.full((lines, WINDOWS), -1, np.int64)
        self._keys: dict[tuple[object, ...], int] = {}
        self._taken: list[int] = []
        self._maximum: list[int] = []

    def arrays(self) -> tuple[Int64s, Int64s]:
        """Returns (taken, maximum) of every slot, fen."""
        return np.array(self._taken, np.int64), np.array(self._maximum, np.int64)

    def put(self, row: int, window: int, key: tuple[object, ...], taken: int, maximum: int) -> None:
        """Gives a line the slot of a key; the first line of a key says how much room it has."""
        if key not in self._keys:
            self._keys[key] = len(self._taken)
            self._taken.append(min(max(taken, 0), maximum))
            self._maximum.append(maximum)
        self.slots[row, window - 1] = self._keys[key]


def window_of(window: int, day: int) -> int:
    """Returns the quarter (yyyyq) or the year (yyyy) a day is in."""
    year, month = day // 10_000, day // 100 % 100
    return year * 10 + (month + 2) // 3 if window == QUARTER else year


class DrugCaps:
    """Is the maxima of the drugs of a batch and what its persons have had of them, by claims not reversed.

    No ``items`` at all: no maximum is set (``any_cap``).
    """

    def __init__(self, tx: "Transaction", items: "Sequence[str]", tokens: Int64s) -> None:
        self.caps: dict[str, list[tuple[int, int, int, int, int]]] = {}
        self.used: dict[tuple[int, str], list[tuple[int, int]]] = {}
        self._of_claim: dict[tuple[int, str], int] = {}
        names = list(dict.fromkeys(items))
        columns = "position, window_, begin, to_, maximum_fen"
        for at, position, window, begin, to, maximum in (
            tx.lookup("drug_cap", "med_list_codg", columns, names) if names else ()
        ):
            self.caps.setdefault(names[at], []).append((position, window, begin, to or FOR_EVER, maximum))
        if not self.caps:
            return
        persons = np.unique(tokens)
        found = tx.lookup("drug_use", "token", "token, med_list_codg, day, claim, used_fen", persons)
        uses = [row[1:] for row in found if row[2] in self.caps]
        claims = sorted({claim for _, _, _, claim, _ in uses})
        reversed_ = tx.reversals(claims) if claims else {}
        for token, item, day, claim, fen in uses:
            self._of_claim[claim, item] = self._of_claim.get((claim, item), 0) + fen
            if claim not in reversed_:
                self.used.setdefault((token, item), []).append((day, fen))

    def maxima(self, item: str, day: int) -> list[tuple[int, int]]:
        """Returns (window, maximum in fen) of a drug on a day, the latest set of each window."""
        ruling: dict[int, tuple[int, int]] = {}
        for position, window, begin, to, maximum in self.caps.get(item, ()):
            if begin <= day <= to and position > ruling.get(window, (0, 0))[0]:
                ruling[window] = (position, maximum)
        return [(window, maximum) for window, (_, maximum) in sorted(ruling.items())]

    def room(
        self,
        tx: "Transaction",
        items: "Sequence[str]",
        days: Int64s,
        tokens: Int64s,
        claims: Int64s,
        originals: Int64s,
    ) -> DrugRoom:
        """Returns the room of lines under the maxima; ``originals`` are the claims that refunds refund, 0 for others.

        A refund's lines give back what the refunded claim took, in the same order, and no more. Those of a claim that
        was refunded already count for nobody but themselves.
        """
        room = DrugRoom(len(days))
        rows = [row for row, item in enumerate(items) if item in self.caps] if self.caps else []
        reversed_ = tx.reversals(np.unique(claims[rows])) if rows else {}
        for row in rows:
            item, day, token, original = items[row], int(days[row]), int(tokens[row]), int(originals[row])
            alone = int(claims[row]) if int(claims[row]) in reversed_ else 0
            for window, maximum in self.maxima(item, day):
                if original:
                    taken = self._of_claim.get((original, item), 0)
                    room.put(row, window, (original, item, window), taken, taken)
                    continue
                at = window_of(window, day)
                uses = self.used.get((token, item), ())
                taken = sum(fen for used, fen in uses if window_of(window, used) == at)
                room.put(row, window, (token, item, window, at, alone), taken, maximum)
        return room
