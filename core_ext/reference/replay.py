"""Is the specification of the replay kernel: acts of a segment settled again, and what of them comes out otherwise.

``core_ext._replay`` does the same a few persons at a time, so that nothing but the segment's own columns and what is
asked for leaves the cache. Deciding is the settle kernel's, row by row.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, HOW
from core_ext.plan import PLAN
from core_ext.reference.lanes import Lane
from core_ext.reference.settle import settle
from core_ext.replaying import (
    COUNTED,
    Acts,
    Changed,
    Recorded,
    check_acts,
    check_rows,
    check_table,
    year_rows,
)
from core_ext.settling import COMPUTE, SKIP, SOURCE_UNCHECKED, Batch, Table

Persons = tuple[int, int, int, int]
Figures = tuple[int, int, Persons, list[int]]

_FUND, _PART = AMOUNT["fund_pay_sumamt"], AMOUNT["psn_part_amt"]


class Packed:
    """Holds plans for any number of calls; the compiled twin holds them as a claim reads them."""

    def __init__(self, plans: Table) -> None:
        check_table("plans", plans, len(plans), len(PLAN))
        self.table = plans
        self.plans = len(plans)


def _rows(lanes: Sequence[Lane], n: int) -> Table:
    """Returns the lanes as columns of a table."""
    out = np.zeros((n, len(lanes)), np.int64)
    for at, lane in enumerate(lanes):
        out[:, at] = lane if isinstance(lane, int) else lane[:n]
    return out


def _decided(packed: Packed, acts: Acts, n: int) -> Batch:
    """Returns the acts settled again, each person-year from its start; raises IndexError for a row that strays."""
    facts, given = _rows(acts.facts, n), _rows(acts.amounts, n)
    present, ref, slot, holder = _rows(acts.placed, n).T
    years = _rows(acts.years, year_rows(acts))
    for row in range(n):
        above = row - ref[row]
        if (
            not 0 <= acts.kind[row] <= SOURCE_UNCHECKED
            or not -1 <= acts.plan[row] < packed.plans
            or (ref[row] > 0 and (above < 0 or facts[above, FACT["token"]] != facts[row, FACT["token"]]))
            or not 0 <= slot[row] - acts.first_year < len(years)
            or not 0 <= holder[row] - acts.first_year < len(years)
        ):
            raise IndexError(
                f"row {row}: expected a kind, a plan, an original, a year and an account of these, got others"
            )
        if acts.kind[row] > COMPUTE and present[row] >= 0:
            for at in range(len(AMOUNTS)):
                if not present[row] >> at & 1:
                    given[row, at] = ABSENT

    def table(*shape: int) -> Table:
        return np.zeros(shape, np.int64)

    batch = Batch(
        plans=packed.table, plan=acts.plan, facts=facts, given=given, kind=acts.kind.astype(np.int64),
        ref=np.where(ref > 0, np.arange(n) - ref, -1), refunded=table(n), lenient=acts.lenient.astype(np.int64),
        slot=slot - acts.first_year, state=years[:, 1:].copy(), account=holder - acts.first_year,
        accounts=years[:, 0].copy(), code=table(n), booked=table(n, len(AMOUNTS)), computed=table(n, len(AMOUNTS)),
        before=table(n, len(ACCUMULATORS)), delta=table(n, len(ACCUMULATORS)), balc=table(n), how=table(n, len(HOW)),
    )  # fmt: skip
    settle(*batch)
    return batch


def again(packed: Packed, acts: Acts, recorded: Recorded, marks: NDArray[np.uint8], sums: Table) -> None:
    """Settles acts again, sets the mark of each that differs from what is recorded, and adds all of them up by line.

    An act differs where it is refused, or where an amount, a delta, a column of ``recorded.hows`` or the balance is
    another. ``sums`` [lines, COUNTED and AMOUNTS] receives what came out again. Acts of kind SKIP are neither marked
    nor added. Raises ValueError for a lane or table that does not fit, IndexError where a row points outside its
    person or the tables, OverflowError where a sum leaves 64 bits.
    """
    n = check_acts(acts)
    if marks.dtype != np.uint8 or marks.shape != (n,):
        raise ValueError(f"marks: expected {n} uint8, got {marks.dtype}{list(marks.shape)}")
    check_table("sums", sums, len(sums), len(COUNTED) + len(AMOUNTS))
    check_rows("deltas", recorded.deltas, len(ACCUMULATORS), n)
    check_rows("how", recorded.how, len(recorded.hows), n)
    check_rows("balc, reversed and line", (recorded.balc, recorded.reversed, recorded.line), 3, n)
    if not all(0 <= number < len(HOW) for number in recorded.hows):
        raise ValueError(f"hows: expected columns of HOW, got {list(recorded.hows)}")
    found = _decided(packed, acts, n)
    expected = (_rows(acts.amounts, n), _rows(recorded.deltas, n), _rows(recorded.how, n), _rows([recorded.balc], n))
    got = (found.booked, found.delta, found.how[:, list(recorded.hows)], found.balc.reshape(-1, 1))
    reversed_, line = _rows([recorded.reversed, recorded.line], n).T
    for row in range(n):
        if not 0 <= line[row] < len(sums):
            raise IndexError(
                f"row {row}: expected a kind, a plan, an original, a year and an account of these, got others"
            )
        if found.kind[row] == SKIP:
            continue
        if found.code[row] or any((a[row] != b[row]).any() for a, b in zip(expected, got, strict=True)):
            marks[row] = 1
        fee = int(found.facts[row, FACT["medfee_sumamt"]])
        added = [1 - int(reversed_[row]), int(reversed_[row]), fee, *found.booked[row].tolist()]
        summed = [a + b for a, b in zip(sums[line[row]].tolist(), added, strict=True)]
        if not all(-(2**63) <= each < 2**63 for each in summed):
            raise OverflowError(f"row {row}: expected sums within 64 bits of fen")
        sums[line[row]] = summed


def change(packed: Packed, acts: Acts, out: Changed) -> tuple[int, list[int], Figures]:
    """Settles acts under ``acts.plan`` and writes those that change to ``out``, in order.

    An act changes where it is refused or an amount is another. Returns how many acts there are, what each of AMOUNTS
    sums to as booked, and (changed, refused, persons, by how much each of AMOUNTS moves); persons are how many gain
    and lose by their own part, and how much in all, fen. Raises ValueError and IndexError as ``again`` does.
    """
    n = check_acts(acts)
    for name in ("booked", "before", "delta", "how", "values"):
        check_table(name, getattr(out, name), n, getattr(out, name).shape[-1])
    found, old = _decided(packed, acts, n), _rows(acts.amounts, n)
    changed = 0
    for row in range(n):
        live = found.kind[row] != SKIP
        moves = live and bool(found.code[row] or (old[row] != found.booked[row]).any())
        out.values[row] = 0
        if live:
            funds, parts = ((int(old[row, at]), int(found.booked[row, at])) for at in (_FUND, _PART))
            out.values[row] = (1, moves, *funds, *parts)
        if moves:
            out.rows[changed] = row
            for name in ("code", "booked", "before", "delta", "balc", "how"):
                getattr(out, name)[changed] = getattr(found, name)[row]
            changed += 1
    return figures(found, old)


def sweep(packed: Packed, acts: Acts, plans: Table) -> tuple[int, list[int], list[Figures]]:
    """Settles acts under each row of ``plans`` [variants, n] in turn and adds up what changes.

    Returns how many acts there are, what each of AMOUNTS sums to as booked, and of each variant what ``change`` says of
    it; ``acts.plan`` are the acts' own plans: a person with no other, who comes out as booked, need not be settled
    again. Raises ValueError and IndexError as ``again`` does.
    """
    n = check_acts(acts)
    check_table("plans", plans, len(plans), n)
    old = _rows(acts.amounts, n)
    own = figures(_decided(packed, acts, n), old)
    return own[0], own[1], [figures(_decided(packed, acts._replace(plan=plan), n), old)[2] for plan in plans]


def figures(found: Batch, old: Table) -> tuple[int, list[int], Figures]:
    """Returns what ``change`` returns of acts settled as ``found`` that are booked as ``old``."""
    acts = refused = changed = 0
    sums, moved = [0] * len(AMOUNTS), [0] * len(AMOUNTS)
    gains: dict[int, int] = {}
    for row in range(len(old)):
        if found.kind[row] == SKIP:
            continue
        was, now = old[row].tolist(), found.booked[row].tolist()
        acts += 1
        sums = [a + b for a, b in zip(sums, was, strict=True)]
        if found.code[row] or was != now:
            changed, refused = changed + 1, refused + bool(found.code[row])
            moved = [a + b - c for a, b, c in zip(moved, now, was, strict=True)]
            token = int(found.facts[row, FACT["token"]])
            gains[token] = gains.get(token, 0) + was[_PART] - now[_PART]
    less, more = [g for g in gains.values() if g > 0], [-g for g in gains.values() if g < 0]
    return acts, sums, (changed, refused, (len(less), len(more), sum(less), sum(more)), moved)
