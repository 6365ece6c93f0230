"""Divides what a claim states between benefit years by the days of its stay: pure arithmetic, exact to the fen.

An amount's share of the first d of n days is rounded half-up to fen; a part is what its share is more than the part's
before it, so the parts of each amount are its whole. The days of a stay are those from admission up to the day before
discharge, or up to the discharge where the policy counts that day; an admission on the day of discharge is one day.
"""

from typing import TYPE_CHECKING, NamedTuple

from core_ext.layout import FACTS
from core_ext.reference.benefit import day_number
from ledger.register_file import day_before

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.policy_terms import Header

#: The facts that are divided; the total fee is the sum of its parts (I1).
_SPLIT = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
_MONEY = (*_SPLIT, "hosp_part_amt")

_LAST_SECOND = 235_959


class Part(NamedTuple):
    """Is the part of a stay in one benefit year: its days (yyyymmdd), how many, and how many behind which others."""

    year: int
    begin: int
    end: int
    days: int
    behind: int
    of_days: int


def benefit_year(day: int, starts: int) -> int:
    """Returns the benefit year of a day (yyyymmdd) where the year starts on a day (mmdd)."""
    return day // 10_000 - (day % 10_000 < starts)


def parts_of(header: "Header", begin: int, end: int) -> list[Part]:
    """Returns the parts of a stay from ``begin`` to ``end`` (yyyymmdd), in order; each has a day at least."""
    starts = int(header.benefit_year_starts.replace("-", ""))
    first, last = benefit_year(begin, starts), benefit_year(end, starts)
    turns = [year * 10_000 + starts for year in range(first + 1, last + 1)]
    stop = day_number(end) + header.discharge_day_counts
    of_days = max(1, stop - day_number(begin))
    found: list[Part] = []
    for year, at, to in zip(range(first, last + 1), [begin, *turns], [*turns, 0], strict=True):
        days = (day_number(to) if to else stop) - day_number(at)
        if days > 0:
            behind = day_number(at) - day_number(begin)
            found.append(Part(year, at, day_before(to) if to else end, days, behind, of_days))
    return found


def share(fen: int, part: Part) -> int:
    """Returns the part of an amount, zero or above, that falls on a part of the stay."""
    return _until(fen, part.behind + part.days, part.of_days) - _until(fen, part.behind, part.of_days)


def _until(fen: int, days: int, of_days: int) -> int:
    return (2 * fen * days + of_days) // (2 * of_days)


def part_facts(facts: "Sequence[int]", parts: "Sequence[Part]") -> list[list[int]]:
    """Returns the facts of each part: a stay of its own from its first day to its last, settled at that day's end."""
    found = []
    for part in parts:
        row = dict(zip(FACTS, facts, strict=True))
        row |= {name: share(row[name], part) for name in _MONEY}
        row["medfee_sumamt"] = sum(row[name] for name in _SPLIT)
        row |= {"begndate": part.begin, "enddate": part.end, "setl_time": part.end * 1_000_000 + _LAST_SECOND}
        found.append([row[name] for name in FACTS])
    return found
