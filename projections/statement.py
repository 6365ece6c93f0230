"""Folds acts into clearing statements: one line a period, business month, pair of regions and insurance type."""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import islice, starmap
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS, FACT, FUND_PARTS
from ledger.events import BASIS_RESETTLED, FLAG_ASSUMED, FLAG_LATE, FLAG_NOT_CHECKED
from ledger.money import yuan_text
from projections.grouping import Int64s, group_sums
from projections.pages import Page
from projections.tables import Change, Mode, ReadModel, Row, Rows, Table

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.store import Reader

_PAID = (*FUND_PARTS, AMOUNT["fund_pay_sumamt"], AMOUNT["acct_pay"])

LINE = Table(
    "statement_line",
    ("period", "month", "insured_region", "treatment_region", "insutype"),
    (
        *("settlements", "refunds", "medfee_sumamt"),
        *(AMOUNTS[at] for at in _PAID),
        *("late_acts", "late_medfee_fen"),
        *("assumed_claims", "assumed_medfee_fen"),
        *("unchecked_claims", "unchecked_medfee_fen"),
    ),
    Mode.ADD,
)

#: The columns of the exported statement: every fund, the account and what is due; then what a signer asks about.
CSV_COLUMNS = (
    *("period", "section", "insured_region", "treatment_region", "insutype"),
    *("person_times", "settlements", "refunds", "medfee_sumamt"),
    *(AMOUNTS[at] for at in _PAID),
    *("due_fen", "late_acts", "late_medfee_fen", "assumed_claims", "assumed_medfee_fen"),
    *("unchecked_claims", "unchecked_medfee_fen"),
)
_COUNTS = ("person_times", "settlements", "refunds", "late_acts", "assumed_claims", "unchecked_claims")


class StatementTotals(msgspec.Struct, frozen=True):
    """Is what a statement sums: counts, and amounts in fen under their national names.

    ``late_acts`` booked into a later period than their business month; ``assumed_claims`` stand under an assumed
    policy and ``unchecked_claims`` under none (both settlements minus refunds), with their total fee beside them.
    """

    settlements: int
    refunds: int
    medfee_sumamt: int
    hifp_pay: int
    cvlserv_pay: int
    hifes_pay: int
    hifmi_pay: int
    hifob_pay: int
    hifdm_pay: int
    maf_pay: int
    oth_pay: int
    fund_pay_sumamt: int
    acct_pay: int
    late_acts: int
    late_medfee_fen: int
    assumed_claims: int
    assumed_medfee_fen: int
    unchecked_claims: int
    unchecked_medfee_fen: int

    @property
    def person_times(self) -> int:
        """Returns settlements minus refunds."""
        return self.settlements - self.refunds

    @property
    def due_fen(self) -> int:
        """Returns what is owed: the fund and account parts."""
        return self.fund_pay_sumamt + self.acct_pay


class StatementLine(StatementTotals, frozen=True):
    """Is one line: a clearing period and a business month (yyyymm), an ordered pair of regions, an insurance type."""

    period: int
    month: int
    insured_region: int
    treatment_region: int
    insutype: int

    @property
    def section(self) -> str:
        """Returns same_city for a pair inside one region, off_site for any other."""
        return "same_city" if self.insured_region == self.treatment_region else "off_site"


class Statement(msgspec.Struct, frozen=True):
    """Is a clearing statement as of a log position: lines in order, and their totals; ``period`` None means all."""

    period: int | None
    region: int | None
    position: int
    lines: tuple[StatementLine, ...]
    totals: StatementTotals


def fold(_: "Reader", page: Page) -> list[Change]:
    """Returns a page's acts summed per statement line; raises OverflowError where a sum leaves 64 bits."""
    acts = page.acts
    if not len(acts):
        return []
    facts = acts.facts
    counts, marks = tallies(acts)
    regions = [facts[:, FACT[name]] for name in ("insured_region", "treatment_region", "insutype")]
    keys = np.column_stack([acts.period, facts[:, FACT["setl_time"]] // 10**8, *regions])
    values = np.column_stack([*counts, facts[:, FACT["medfee_sumamt"]], acts.booked[:, _PAID], *marks])
    first, sums = group_sums(keys, values)
    return [Change(LINE, [*keys[first].T, *sums.T])]


def tallies(acts: "Acts") -> tuple[list[Int64s], list[Int64s]]:
    """Returns what lines count of each act: (settlements, refunds), and what a signer asks about.

    The latter are late acts, then assumed and unchecked person-times, each with its total fee in fen beside it.
    """
    medfee = acts.facts[:, FACT["medfee_sumamt"]]
    refund = acts.reversed.astype(np.int64)
    # A claim booked anew was counted when it was settled: only the difference is stated.
    settled = np.where(acts.basis == BASIS_RESETTLED, 0, 1 - refund)
    person_time = settled - refund
    late, assumed, unchecked = (
        ((acts.flags & flag) != 0).astype(np.int64) for flag in (FLAG_LATE, FLAG_ASSUMED, FLAG_NOT_CHECKED)
    )
    marks = [late, late * medfee, assumed * person_time, assumed * medfee, unchecked * person_time, unchecked * medfee]
    return [settled, refund], marks


MODEL = ReadModel("statement", 1, (LINE,), fold, wide=False)


#: Lines as StatementLine takes their cells, section by section (false, off-site, is first), then by pair and type.
SELECT_LINES = (
    f"SELECT {', '.join((*LINE.values, *LINE.key))} FROM {LINE.name} WHERE {{}}"
    " ORDER BY period, insured_region = treatment_region, insured_region, treatment_region, insutype, month"
)


def read_statement(reader: "Reader", period: int | None, region: int | None, position: int) -> Statement:
    """Returns the statement of what the table holds, of one period and of one region's pairs where they are given."""
    conditions, params = ["1 = 1"], list[int]()
    if period is not None:
        conditions.append("period = ?")
        params.append(period)
    if region is not None:
        conditions.append("(insured_region = ? OR treatment_region = ?)")
        params += (region, region)
    rows = reader.query(SELECT_LINES.format(" AND ".join(conditions)), params)
    lines = tuple(starmap(StatementLine, rows))
    return Statement(period, region, position, lines, _sums(rows))


def statement_of(rows: Rows, period: int | None, region: int | None, position: int) -> Statement:
    """Returns the statement of lines folded in memory, as ``read_statement`` does of the table."""
    lines = [
        line
        for line in (StatementLine(*values, *key) for key, values in rows.items())
        if period in (None, line.period) and region in (None, line.insured_region, line.treatment_region)
    ]
    lines.sort(key=_place)
    return Statement(period, region, position, tuple(lines), totals_of(lines))


def of_pair(found: Statement, counterpart: int) -> Statement:
    """Returns what a statement of one region says of its pairs with a counterpart, in both directions."""
    pair = {found.region, counterpart}
    lines = tuple(line for line in found.lines if {line.insured_region, line.treatment_region} == pair)
    return Statement(found.period, found.region, found.position, lines, totals_of(lines))


def _place(line: StatementLine) -> tuple[int, ...]:
    """Returns what orders lines as SELECT_LINES does."""
    same_city = int(line.insured_region == line.treatment_region)
    return line.period, same_city, line.insured_region, line.treatment_region, line.insutype, line.month


def totals_of(lines: Sequence[StatementTotals]) -> StatementTotals:
    """Returns the sums of lines, exact beyond 64 bits."""
    return _sums([msgspec.structs.astuple(line) for line in lines])


def _sums(rows: Sequence[Row]) -> StatementTotals:
    """Returns the sums of rows whose first cells are a line's values."""
    columns = islice(zip(*rows, strict=True), len(LINE.values))
    return StatementTotals(*map(sum, columns)) if rows else StatementTotals(*[0] * len(LINE.values))


def statement_csv(lines: Iterable[StatementLine], columns: Sequence[str] = CSV_COLUMNS) -> str:
    """Returns lines as CSV in the national columns, amounts in yuan, business months of one period added up.

    ``columns`` begin with the five of the key; all there are unless others are asked for.
    """
    merged: dict[tuple[int, str, int, int, int], list[StatementLine]] = {}
    for line in lines:
        merged.setdefault(_order(line), []).append(line)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name.removesuffix("_fen") for name in columns])
    for (period, section, insured, treatment, insutype), parts in sorted(merged.items()):
        totals = totals_of(parts)
        cells: list[str | int] = [f"{period // 100:04d}-{period % 100:02d}", section]
        cells += [f"{insured:06d}", f"{treatment:06d}", insutype]
        for name in columns[5:]:
            value: int = getattr(totals, name)
            cells.append(value if name in _COUNTS else yuan_text(value))
        writer.writerow(cells)
    return out.getvalue()


def _order(line: StatementLine) -> tuple[int, str, int, int, int]:
    return line.period, line.section, line.insured_region, line.treatment_region, line.insutype
