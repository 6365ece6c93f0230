"""Folds a clearing period's acts into what it freezes and what it owes, straight from the log."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

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
Key = TypeVar("Key")

_PAIR = ("insured_region", "treatment_region", "insutype")
#: What a statement line sums: settlements, refunds, total fee and every amount.
_WIDTH = 3 + len(AMOUNTS)


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
    """Returns the figures of one clearing period out of pages of acts; sums are checked 64-bit a page, then exact."""
    figures = PeriodFigures(period)
    kernel = load("fold")
    for acts in pages:
        rows = np.flatnonzero(acts.period == period)
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
        values = np.column_stack([settled, refund, medfee, booked])
        keys = np.ascontiguousarray(facts[:, [FACT[name] for name in _PAIR]])
        for (insured, treatment, insutype), sums in _summed(kernel, keys, values):
            _into(figures.lines, (insured, treatment, insutype), sums)
        moved = np.column_stack(
            [np.ones(len(rows), np.int64), booked[:, AMOUNT["fund_pay_sumamt"]], booked[:, AMOUNT["acct_pay"]]]
        )
        for (insured, treatment), sums in _summed(kernel, keys[:, :2], moved):
            _into(figures.regions, (insured, treatment), sums)
        names: dict[str, int] = {}
        codes = to_list(acts.texts["fixmedins_code"])
        institution = np.array([names.setdefault(codes[row], len(names)) for row in rows.tolist()], np.int64)
        listed = list(names)
        for (region, number), sums in _summed(kernel, np.column_stack([keys[:, 1], institution]), moved):
            _into(figures.institutions, (region, listed[number]), sums)
    return figures


def _summed(kernel: ModuleType, keys: Ints, values: Ints) -> Iterator[tuple[list[int], list[int]]]:
    """Yields each key of a page and the sums of its values, checked in the kernel; ``_into`` is exact across pages."""
    group, first = kernel.group(np.ascontiguousarray(keys))
    sums = np.zeros((len(first), values.shape[1]), np.int64)
    kernel.fold(group, np.ascontiguousarray(values), sums)
    yield from zip(keys[first].tolist(), sums.tolist(), strict=True)


def _into(into: dict[Key, list[int]], key: Key, line: list[int]) -> None:
    have = into.get(key)
    into[key] = line if have is None else [a + b for a, b in zip(have, line, strict=True)]
