"""Says what an act decided in turn comes to in each year it counts in: more than the one row of a table can say."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledger.stays.dividing import Part


class PartAnew(NamedTuple):
    """Is a part of a stay in a year before its last: amounts, what the year held, what the part adds, and HOW."""

    part: "Part"
    amounts: Sequence[int]
    start: Sequence[int]
    added: Sequence[int]
    how: Sequence[int]


class Outcome(NamedTuple):
    """Is what an act of such a person comes to beside its row: its year, the HOW of its last part where it is divided,
    and the parts before. ``moved``: it adds to its years otherwise than the log has it."""

    year: int
    how: Sequence[int] | None
    parts: tuple[PartAnew, ...]
    moved: bool


def moved_by_year(was: Mapping[int, Sequence[int]], now: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Returns what changes in each year that an act counted in or counts in now, by year ascending."""
    zeros = [0] * max(map(len, [*was.values(), *now.values()]), default=0)
    found = {}
    for year in sorted({*was, *now}):
        found[year] = [b - a for a, b in zip(was.get(year, zeros), now.get(year, zeros), strict=True)]
    return found
