"""Folds acts into clearing lines: gross sums per period, month, ordered pair, insurance type, care and basis.

Everything a statement says of many claims is a sum over these lines; care (med_type) becomes a clearing type by the
terms in force when the statement is drawn up, never here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS, FACT, FUND_PARTS, HOW
from ledger.acts import read_acts
from ledger.events import BASIS_REFUND, BASIS_RESETTLED, ClaimSettled
from ledger.mapper import decode_event
from ledger.originals import pool_of
from projections.findings import Findings, unlike
from projections.grouping import group_sums
from projections.statement import tallies
from projections.tables import Change, Mode, ReadModel, Table, apply, change_of, read_table

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.store import Reader
    from projections.pages import Page

_PAID = (*FUND_PARTS, AMOUNT["fund_pay_sumamt"], AMOUNT["acct_pay"], AMOUNT["psn_cash_pay"])

#: The amounts of a line, in order: total fee, in-scope part, each fund, their total, account, cash, hospital's share.
MONEY = ("medfee_sumamt", "inscp_scp_amt", *(AMOUNTS[at] for at in _PAID), "hosp_part_amt")

#: The single funds among them.
FUNDS = tuple(AMOUNTS[at] for at in FUND_PARTS)

LINE = Table(
    "clearing_line",
    ("period", "insured_region", "treatment_region", "insutype", "med_type", "month", "basis"),
    (
        *("settlements", "refunds", *MONEY, "late_acts", "late_medfee_fen"),
        *("assumed_claims", "assumed_medfee_fen", "unchecked_claims", "unchecked_medfee_fen"),
    ),
    Mode.ADD,
    clustered=True,
)

#: What the pool of another insurance type paid of claims, as that of employees does of births (DOMAIN section 6).
POOL = Table("other_pool", ("period", "insured_region", "insutype", "pool"), ("hifp_pay",), Mode.ADD)


def fold(reader: "Reader", page: "Page") -> list[Change]:
    """Returns a page's acts summed per clearing line, and what other pools paid of them.

    Raises OverflowError where a sum leaves 64 bits.
    """
    return [*fold_acts(reader, page.acts), *_of_other_pools(page)]


def _of_other_pools(page: "Page") -> list[Change]:
    """Returns what pools of other insurance types paid; a booking anew gives back to the pool that paid."""
    acts, part = page.acts, AMOUNT["hifp_pay"]
    pool, own = acts.how[:, HOW.index("pool")], acts.facts[:, FACT["insutype"]]
    rows = np.flatnonzero((pool > 0) & (pool != own))
    changes = []
    if len(rows):
        keys = np.column_stack([acts.period, acts.facts[:, FACT["insured_region"]], own, pool])[rows]
        first, sums = group_sums(keys, acts.booked[rows][:, [part]])
        changes.append(Change(POOL, [*keys[first].T, *sums.T]))
    moved: list[tuple[int, ...]] = []
    for _, event in page.resettled:
        now, stood = (each or event.insutype for each in (pool_of(event.how), event.reversed_pool))
        for paid_by, fen in ((now, event.reversed[part]), (stood, -event.reversed[part])):
            if now != stood and paid_by != event.insutype and fen:
                moved.append((event.period, event.insured_region, event.insutype, paid_by, fen))
    return changes + ([change_of(POOL, moved)] if moved else [])


def fold_acts(reader: "Reader", acts: "Acts") -> list[Change]:
    """Returns acts summed per clearing line; refunds and bookings anew stand under the basis of their settlement."""
    if not len(acts):
        return []
    facts = acts.facts
    counts, marks = tallies(acts)
    dimensions = [facts[:, FACT[name]] for name in ("insured_region", "treatment_region", "insutype", "med_type")]
    keys = np.column_stack([acts.period, *dimensions, facts[:, FACT["setl_time"]] // 10**8, basis_of(reader, acts)])
    values = np.column_stack(
        [
            *(*counts, facts[:, FACT["medfee_sumamt"]], facts[:, FACT["inscp_scp_amt"]], acts.booked[:, _PAID]),
            *(facts[:, FACT["hosp_part_amt"]], *marks),
        ]
    )
    first, sums = group_sums(keys, values)
    return [Change(LINE, [*keys[first].T, *sums.T])]


def basis_of(reader: "Reader", acts: "Acts") -> np.ndarray[Any, np.dtype[np.int64]]:
    """Returns each act's basis, of a refund and of a booking anew that of the claim they are about.

    A refund whose original is not here keeps its own.
    """
    basis = acts.basis.copy()
    rows = np.flatnonzero((basis == BASIS_REFUND) | (basis == BASIS_RESETTLED))
    if not len(rows):
        return basis
    originals = acts.original[rows].tolist()
    here = dict(zip(acts.claim.tolist(), acts.basis.tolist(), strict=True))
    away = sorted({original for original in originals if original not in here})
    for position, (_, _, topic, state) in reader.events_at([at + 1 for at in away]).items():
        event = decode_event(topic, state) if topic == ClaimSettled.TOPIC else None
        if isinstance(event, ClaimSettled):
            here[position - 1] = event.basis
    own = basis[rows].tolist()
    basis[rows] = [here.get(original, kept) for original, kept in zip(originals, own, strict=True)]
    return basis


MODEL = ReadModel("clearing", 3, (LINE, POOL), fold)


def as_of(reader: "Reader", period: int, after: int, stop: int) -> list[tuple[int, ...]]:
    """Returns a period's lines out of the log itself, from behind ``after`` up to a past position."""
    tables: dict[str, Any] = {}
    for acts in read_acts(reader, after=after, stop=stop):
        apply(tables, fold_acts(reader, acts))
    rows = tables.get(LINE.name, {})
    return sorted(key + values for key, values in rows.items() if key[0] == period)


#: What SQL computes a dimension by that is no column. Kinds of care stay in the key's order, which needs no sorting.
EXPRESSIONS = {
    "clr_type": "med_type",
    "insured_province": "insured_region / 10000 * 10000",
    "treatment_province": "treatment_region / 10000 * 10000",
}


class Lines:
    """Answers sums over one period's lines, from the table or from lines read out of the log (``rows``)."""

    def __init__(self, reader: "Reader", period: int, types: dict[int, int], rows: Sequence[tuple[int, ...]] | None):
        self._reader = reader
        self._period = period
        self._types = types
        self._rows = rows

    def sums(self, by: Sequence[str], values: Sequence[str], region: int | None = None) -> list[tuple[int, ...]]:
        """Returns the values summed by columns or by what is derived of them, in the order of the keys; exact.

        ``by`` are columns of the key, ``clr_type`` (of med_type, by the terms), ``insured_province`` and
        ``treatment_province``. With a ``region`` only the lines it stands in, insured or treatment.
        """
        if self._rows is not None:
            return self._folded(by, values, region)
        keys = ", ".join(EXPRESSIONS.get(name, name) for name in by)
        sums = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in values)
        where, params = "period = ?", [self._period]
        if region is not None:
            where += " AND (insured_region = ? OR treatment_region = ?)"
            params += [region, region]
        places = ", ".join(str(at + 1) for at in range(len(by)))
        group = f" GROUP BY {places} ORDER BY {places}" if by else ""
        comma = ", " if by else ""
        rows = self._reader.query(f"SELECT {keys}{comma}{sums} FROM {LINE.name} WHERE {where}{group}", params)
        if not by:
            # The sum over no rows at all is null.
            return [tuple(cell or 0 for cell in row) for row in rows]
        return self._typed(rows, by) if "clr_type" in by else rows

    def _typed(self, rows: list[tuple[int, ...]], by: Sequence[str]) -> list[tuple[int, ...]]:
        """Returns rows summed by kind of care as rows by clearing type; most kinds are their own type."""
        at, width = list(by).index("clr_type"), len(by)
        if not any(row[at] in self._types for row in rows):
            return rows
        found: dict[tuple[int, ...], tuple[int, ...]] = {}
        for row in rows:
            key = (*row[:at], self._types.get(row[at], row[at]), *row[at + 1 : width])
            old = found.get(key)
            found[key] = row[width:] if old is None else tuple(a + b for a, b in zip(old, row[width:], strict=True))
        return [key + values for key, values in sorted(found.items())]

    def _folded(self, by: Sequence[str], values: Sequence[str], region: int | None) -> list[tuple[int, ...]]:
        assert self._rows is not None
        found: dict[tuple[int, ...], list[int]] = {} if by else {(): [0] * len(values)}
        for row in self._rows:
            line = dict(zip(LINE.columns, row, strict=True))
            if region is not None and region not in (line["insured_region"], line["treatment_region"]):
                continue
            line["clr_type"] = self._types.get(line["med_type"], line["med_type"])
            line["insured_province"] = line["insured_region"] // 10_000 * 10_000
            line["treatment_province"] = line["treatment_region"] // 10_000 * 10_000
            key = tuple(line[name] for name in by)
            sums = found.setdefault(key, [0] * len(values))
            for at, name in enumerate(values):
                sums[at] += line[name]
        return [key + tuple(sums) for key, sums in sorted(found.items())]


def check_rows(reader: "Reader", tables: Mapping[str, Mapping[Any, Any]], found: Findings) -> None:
    """Names the rows of this model's tables that are not what the log gives; for a log that is whole itself."""
    for table in MODEL.tables:
        expected, held = tables.get(table.name, {}), read_table(reader, table)
        for key, ours, theirs in unlike(expected, held):
            where = " ".join(f"{name}={cell}" for name, cell in zip(table.key, key, strict=True))
            sides = _differing(table, ours, theirs), _differing(table, theirs, ours)
            found.other("edited-row", f"{table.name} {where}", *sides)


def _differing(table: Table, row: tuple[int, ...] | None, other: tuple[int, ...] | None) -> str:
    if row is None:
        return "no row"
    beside = other or (None,) * len(row)
    return " ".join(f"{name}={a}" for name, a, b in zip(table.values, row, beside, strict=True) if a != b)
