"""Looking up by day agrees with the plain reading: the last value that began, the best filing of a stay's days."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.filings import NEVER, Filing, holdings
from ledger.registers import in_force, pairs

DAYS = [20231230, 20231231, 20240101, 20240131, 20240201, 20240228, 20240229, 20240301, 20241231]
day = st.sampled_from(DAYS)
span = st.tuples(day, st.one_of(day, st.just(0))).map(lambda s: (s[0], s[1] if not s[1] or s[1] >= s[0] else s[0]))
Drawn = list[tuple[int, int, tuple[int, int]]]
filings = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([470100, 990100]), span), max_size=7)


def shares(begin: int, to: int, start: int, stop: int) -> bool:
    """Returns whether a span, without end where ``to`` is 0, shares a day with a stay."""
    return begin <= stop and (to == 0 or to >= start)


@given(drawn=filings, stay=st.tuples(day, day).map(sorted))
def test_shared_out_days_decide_every_stay_alike(drawn: Drawn, stay: list[int]) -> None:
    """For any stay the best filing among shared-out days is the best among all filings; no day is held twice."""
    known = [Filing(at, kind, region, *days) for at, (kind, region, days) in enumerate(drawn, 1)]
    held = holdings(known)
    for region in (470100, 990100):
        local = [each for each in known if each.region == region]
        whole = min((each.filing for each in local if shares(each.begin, each.to, *stay)), default=0)
        pieces = [(each, begin, to or NEVER) for each in local for begin, to in held[each.position]]
        assert whole == min((each.filing for each, begin, to in pieces if shares(begin, to, *stay)), default=0)
        spans = sorted((begin, to) for _, begin, to in pieces)
        assert all(one[1] < other[0] for one, other in pairwise(spans))
        assert all(each.begin <= begin and (not each.to or to <= each.to) for each, begin, to in pieces)


keyed = st.lists(st.tuples(st.integers(0, 4), day), max_size=12, unique=True)


@given(rows=keyed, asked=st.lists(st.tuples(st.integers(0, 5), day), min_size=1, max_size=12))
def test_the_row_in_force_is_the_last_that_began(rows: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    """For every key and day it is the row of that key with the latest day up to it, or none."""
    table, wanted = np.array(rows, np.int64).reshape(-1, 2), np.array(asked, np.int64)
    got = in_force(table[:, 0], table[:, 1], wanted[:, 0], wanted[:, 1]).tolist()
    for (key, on), at in zip(asked, got, strict=True):
        begun = [row for row in rows if row[0] == key and row[1] <= on]
        assert (rows[at] if at >= 0 else None) == max(begun, default=None)


@given(keys=st.lists(st.integers(0, 4), max_size=9), wanted=st.lists(st.integers(0, 5), max_size=9))
def test_pairs_are_all_equal_keys(keys: list[int], wanted: list[int]) -> None:
    """Every pair of equal keys is there once."""
    one, other = pairs(np.array(keys, np.int64), np.array(wanted, np.int64))
    found = list(zip(one.tolist(), other.tolist(), strict=True))
    assert sorted(found) == [(i, j) for i, want in enumerate(wanted) for j, key in enumerate(keys) if key == want]
