"""Decides which off-site filings (备案) count on which days, and which new ones are refused (DOMAIN section 10)."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ledger.register_file import day_after, day_before

#: Behind every day of the calendar: where a filing without an end ends.
NEVER = 99991231

Span = tuple[int, int]


class Filing(NamedTuple):
    """Is a filing as registered: the position of its event, FILINGS type, region, both days included (to 0: no end)."""

    position: int
    filing: int
    region: int
    begin: int
    to: int


def rank(filing: Filing) -> tuple[int, int]:
    """Returns what orders filings that share a day: the smallest keeps it."""
    return filing.filing, -filing.position


def holdings(filings: Iterable[Filing]) -> dict[int, tuple[Span, ...]]:
    """Returns, by position, the (begin, to) on which each of one person's filings counts.

    In a region a day has one filing: the one of the better class (long_term, referral, emergency, temporary), among
    equals the one registered last. So no claim is decided otherwise than with all of them, and each day names one.

    >>> holdings([Filing(1, 4, 440100, 20240101, 20241231), Filing(2, 2, 440100, 20240301, 20240331)])
    {1: ((20240101, 20240229), (20240401, 20241231)), 2: ((20240301, 20240331),)}
    """
    held: dict[int, tuple[Span, ...]] = {}
    regions: dict[int, list[Filing]] = {}
    for filing in filings:
        held[filing.position] = ()
        regions.setdefault(filing.region, []).append(filing)
    for local in regions.values():
        held |= _of_region(local)
    return held


def _of_region(filings: Sequence[Filing]) -> dict[int, tuple[Span, ...]]:
    if len(filings) == 1:
        only = filings[0]
        return {only.position: ((only.begin, only.to),)}
    edges = sorted({day for each in filings for day in (each.begin, _behind(each.to))})
    spans: dict[int, list[Span]] = {each.position: [] for each in filings}
    last = (0, 0)
    for start, stop in pairwise(edges):
        covering = [each for each in filings if each.begin <= start and _behind(each.to) >= stop]
        if not covering:
            continue
        best = min(covering, key=rank)
        pieces = spans[best.position]
        to = 0 if stop > NEVER else day_before(stop)
        if last == (best.position, start):
            pieces[-1] = (pieces[-1][0], to)
        else:
            pieces.append((start, to))
        last = (best.position, stop)
    return {position: tuple(pieces) for position, pieces in spans.items()}


def _behind(to: int) -> int:
    return NEVER + 1 if to in (0, NEVER) else day_after(to)
