"""Compares two sides row by row, and says of every row what became of it: exact, in columns, for a million a side."""

from dataclasses import dataclass

import numpy as np

from core_ext.kernels import load
from ledger.reconciling.scope import Bools, Int64s
from ledger.reconciling.sides import NUMBERS, TEXTS, Side
from ledger.refusals import Refusal, Refused


@dataclass(frozen=True, slots=True)
class Comparison:
    """Is what came of two sides.

    ``met`` is the row of ours each of their rows is compared with (-1: none), ``first`` the first of their rows with
    its key (-1: no key), ``alone`` our rows that none of theirs met. ``differing`` is a mask of NUMBERS and then of
    TEXTS for each of their rows that met one; ``readable`` says which of theirs could be read at all.
    """

    met: Int64s
    first: Int64s
    alone: Int64s
    differing: Int64s
    readable: Bools

    @property
    def repeated(self) -> Int64s:
        """Returns their rows whose key stood in an earlier row."""
        return np.flatnonzero((self.first >= 0) & (self.first < np.arange(len(self.first))))

    @property
    def leading(self) -> Bools:
        """Returns which of their rows are the first with their key."""
        return np.asarray(self.first == np.arange(len(self.first)))

    @property
    def matched(self) -> int:
        """Returns how many of their rows stand alike on both sides."""
        return int(np.count_nonzero(self.leading & (self.met >= 0) & (self.differing == 0) & self.readable))


def compare(ours: Side, theirs: Side, keyed: bool = True) -> Comparison:
    """Returns how the rows of two sides stand to each other: joined on exact keys, compared in every stated field.

    Without ``keyed`` their rows name no region and the settlement number alone is the key. Raises Refused where that
    is not enough to tell two claims of ours apart.
    """
    kernel = load("match")
    codes = ours.codes if keyed else np.zeros(len(ours), np.int64)
    first_ours, first, met = kernel.join(codes, ours.keys, theirs.codes, theirs.keys)
    if not keyed and (again := np.flatnonzero(first_ours != np.arange(len(ours)))).size:
        raise Refused(
            Refusal.KEYS_AMBIGUOUS,
            f"settlement {ours.key(int(again[0]))} stands here in two insured regions: expected a column insu_admdvs",
        )
    rows = np.flatnonzero(met >= 0)
    differing = np.zeros(len(theirs), np.int64)
    differing[rows] = differences(ours, theirs, met[rows], rows)
    seen = np.zeros(len(ours), np.bool_)
    seen[met[rows]] = True
    return Comparison(met, first, np.flatnonzero(~seen), differing, theirs.faults == 0)


def differences(ours: Side, theirs: Side, a: Int64s, b: Int64s) -> Int64s:
    """Returns for each pair of rows a mask of the NUMBERS, and behind them of the TEXTS, that differ."""
    kernel = load("match")
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    masks: Int64s = kernel.differ(ours.numbers, theirs.numbers, a, b)
    for at, name in enumerate(TEXTS, len(NUMBERS)):
        if name in ours.texts and name in theirs.texts:
            masks |= kernel.differ_texts(ours.texts[name], theirs.texts[name], a, b).astype(np.int64) << at
    return masks


def named(mask: int) -> tuple[list[str], list[str]]:
    """Returns the names of the numbers and of the texts in a mask of differences."""
    numbers = [name for at, name in enumerate(NUMBERS) if mask >> at & 1]
    return numbers, [name for at, name in enumerate(TEXTS, len(NUMBERS)) if mask >> at & 1]
