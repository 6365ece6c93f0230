"""Folds a clearing period's acts into what it freezes and what it owes, straight from the log."""

import hashlib
from collections.abc import ItemsView, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.layout import AMOUNT, AMOUNTS, FACT
from core_ext.text import to_list
from ledger.events import BASIS_REFUND, BASIS_RESETTLED, FLAG_LATE, PAYMENT_INSTITUTION, PAYMENT_REGION
from ledger.payments import Due

if TYPE_CHECKING:
    from ledger.acts import Acts

Ints = npt.NDArray[np.int64]

_PAIR = ("insured_region", "treatment_region", "insutype")
#: What a statement line sums: settlements, refunds, total fee and every amount.
_WIDTH = 3 + len(AMOUNTS)
#: Rows of page sums kept before they are added up: some tens of megabytes.
_FLUSHED_ROWS = 262_144


@dataclass(slots=True)
class PeriodFigures:
    """Is one period folded: sums per (insured region, treatment region, insutype), dues per payee, late acts."""

    period: int
    acts: int = 0
    late_acts: int = 0
    late_medfee_fen: int = 0
    lines: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    regions: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    institutions: dict[tuple[int, str], list[int]] = field(default_factory=dict)

    @property
    def totals(self) -> list[int]:
        """Returns settlements, refunds, total fee and every amount summed over all lines (fen, exact)."""
        return [sum(column) for column in zip(*self.lines.values(), strict=True)] if self.lines else [0] * _WIDTH

    @property
    def person_times(self) -> int:
        """Returns settlements minus refunds."""
        return self.totals[0] - self.totals[1]

    def digest(self) -> bytes:
        """Returns SHA-256 over the sorted lines, each its key and sums as decimal text: the frozen statement."""
        text = "\n".join(",".join(map(str, (*key, *sums))) for key, sums in sorted(self.lines.items()))
        return hashlib.sha256(f"{self.period}\n{text}".encode()).digest()

    def dues(self, kinds: Iterable[int]) -> list[Due]:
        """Returns what the period owes: insured to treatment region, and treatment region to institution."""
        dues: list[Due] = []
        if PAYMENT_REGION in kinds:
            for (insured, treatment), (acts, fund, account) in sorted(self.regions.items()):
                if insured != treatment:
                    dues.append(Due(PAYMENT_REGION, insured, f"{treatment:06d}", acts, fund, account))
        if PAYMENT_INSTITUTION in kinds:
            for (treatment, institution), (acts, fund, account) in sorted(self.institutions.items()):
                dues.append(Due(PAYMENT_INSTITUTION, treatment, institution, acts, fund, account))
        return dues


def fold_period(pages: Iterable["Acts"], period: int) -> PeriodFigures:
    """Returns the figures of one clearing period out of pages of acts; sums as in ``Folding``."""
    folding = Folding(period)
    folding.add(pages)
    return folding.figures()


class Folding:
    """Is a clearing period being folded: what one reads before it takes the log, and the rest once it has it.

    Sums are checked 64-bit a page and a flush of pages, then exact.
    """

    def __init__(self, period: int) -> None:
        self._figures = PeriodFigures(period)
        self._names: dict[str, int] = {}
        self._lines, self._regions, self._institutions = _Sums(3, _WIDTH), _Sums(2, 3), _Sums(2, 3)

    def add(self, pages: Iterable["Acts"]) -> None:
        """Adds the acts of the period; those of others are passed over."""
        figures, names = self._figures, self._names
        for acts in pages:
            rows = np.flatnonzero(acts.period == figures.period)
            if not len(rows):
                continue
            facts, booked = acts.facts[rows], acts.booked[rows]
            refund = (acts.basis[rows] == BASIS_REFUND).astype(np.int64)
            settled = np.where(acts.basis[rows] == BASIS_RESETTLED, 0, 1 - refund)
            medfee = facts[:, FACT["medfee_sumamt"]]
            figures.acts += len(rows)
            late = (acts.flags[rows] & FLAG_LATE) != 0
            figures.late_acts += int(late.sum())
            figures.late_medfee_fen += sum(medfee[late].tolist())
            keys = facts[:, [FACT[name] for name in _PAIR]]
            self._lines.add(keys, np.column_stack([settled, refund, medfee, booked]))
            moved = np.column_stack(
                [np.ones(len(rows), np.int64), booked[:, AMOUNT["fund_pay_sumamt"]], booked[:, AMOUNT["acct_pay"]]]
            )
            self._regions.add(keys[:, :2], moved)
            codes = to_list(acts.texts["fixmedins_code"])
            institution = [names.setdefault(codes[row], len(names)) for row in rows.tolist()]
            self._institutions.add(np.column_stack([keys[:, 1], institution]), moved)

    def figures(self) -> PeriodFigures:
        """Returns the figures of every act added."""
        figures, listed = self._figures, list(self._names)
        figures.lines = {(insured, place, kind): sums for (insured, place, kind), sums in self._lines.items()}
        figures.regions = {(insured, place): sums for (insured, place), sums in self._regions.items()}
        figures.institutions = {(place, listed[number]): sums for (place, number), sums in self._institutions.items()}
        return figures


class _Sums:
    """Is sums by key, kept as columns until there are enough of them to be worth adding up one by one."""

    def __init__(self, width: int, values: int) -> None:
        self._kernel: Any = load("fold")
        self._width, self._values = width, values
        self._held: list[Ints] = []
        self._rows = 0
        self._exact: dict[tuple[int, ...], list[int]] = {}

    def add(self, keys: Ints, values: Ints) -> None:
        """Adds a page's rows; raises OverflowError where a key's sum of the page leaves 64 bits."""
        self._held.append(self._summed(np.column_stack([keys, values])))
        self._rows += len(self._held[-1])
        if self._rows >= _FLUSHED_ROWS:
            self._flush()

    def items(self) -> ItemsView[tuple[int, ...], list[int]]:
        """Returns every key and its sums, exact."""
        self._flush()
        return self._exact.items()

    def _flush(self) -> None:
        if not self._held:
            return
        for row in self._summed(np.concatenate(self._held)).tolist():
            key, line = tuple(row[: self._width]), row[self._width :]
            have = self._exact.get(key)
            self._exact[key] = line if have is None else [a + b for a, b in zip(have, line, strict=True)]
        self._held, self._rows = [], 0

    def _summed(self, rows: Ints) -> Ints:
        """Returns a row for each distinct key of rows, its values added up, in order of first appearance."""
        group, first = self._kernel.group(np.ascontiguousarray(rows[:, : self._width]))
        sums = np.zeros((len(first), self._values), np.int64)
        self._kernel.fold(group, np.ascontiguousarray(rows[:, self._width :]), sums)
        return np.column_stack([rows[first, : self._width], sums])
