"""The split of fee lines: DOMAIN section 3 to the fen, refunds mirrored, the compiled twin equal to the reference."""

from decimal import ROUND_HALF_UP, Decimal
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _lines as compiled
from core_ext.layout import ABSENT
from core_ext.line_cells import LINE, LINES, NO_CAP, WINDOWS
from core_ext.reference import lines as reference

Int64s = np.ndarray
TWINS = pytest.mark.parametrize("twin", [compiled, reference], ids=["compiled", "reference"])


def table_of(*lines: tuple[int, int, int]) -> Int64s:
    """Returns lines of (price in 1e-6 yuan, count in 1e-4, ratio in basis points)."""
    table = np.zeros((len(lines), len(LINES)), np.int64)
    for at, name in enumerate(("pric", "cnt", "selfpay_prop")):
        table[:, LINE[name]] = [line[at] for line in lines]
    return table


def parts_of(
    twin: ModuleType,
    table: Int64s,
    full: list[int] | None = None,
    caps: list[int] | None = None,
    slots: list[list[int]] | None = None,
    maxima: tuple[list[int], list[int]] = ([], []),
) -> tuple[list[list[int]], list[int], list[int]]:
    """Returns (parts, used, what is taken afterwards)."""
    n = len(table)
    taken = np.array(maxima[0], np.int64)
    parts, used = twin.split(
        table,
        np.array(full or [0] * n, np.int64),
        np.array(caps or [NO_CAP] * n, np.int64),
        np.array(slots or [[-1] * WINDOWS] * n, np.int64).reshape(n, WINDOWS),
        taken,
        np.array(maxima[1], np.int64),
    )
    return parts.tolist(), used.tolist(), taken.tolist()


@TWINS
def test_the_worked_examples_come_out(twin: ModuleType) -> None:
    """4.52 x 1 at 5 % is 0.23 and 4.29; three lines of 0.05 at 10 % are 0.03, not 0.02."""
    assert parts_of(twin, table_of((4_520_000, 10_000, 500)))[0] == [[452, 0, 0, 23, 429]]
    three = parts_of(twin, table_of(*[(50_000, 10_000, 1_000)] * 3))[0]
    assert sum(part[3] for part in three) == 3


@TWINS
def test_a_price_above_its_cap_splits_at_the_cap(twin: ModuleType) -> None:
    """What is above the cap is the person's, unrounded until it meets the count; 999999 caps nothing."""
    table = table_of((12_345_678, 30_000, 1_000), (12_345_678, 30_000, 1_000))
    parts, _, _ = parts_of(twin, table, caps=[10_000_000, NO_CAP])
    assert parts == [[3704, 0, 704, 300, 2700], [3704, 0, 0, 370, 3334]]


@TWINS
def test_full_self_pay_leaves_nothing_in_scope(twin: ModuleType) -> None:
    """A line of class 丙 is the person's as a whole, whatever its cap and ratio say."""
    assert parts_of(twin, table_of((5_000_000, 20_000, 500)), full=[1], caps=[1])[0] == [[1000, 1000, 0, 0, 0]]


@TWINS
def test_a_refund_mirrors_its_line(twin: ModuleType) -> None:
    """The same line with a negative count, or a negative price, has the negative of every part."""
    line, caps = (4_525_000, 10_000, 500), [4_000_000]
    there = parts_of(twin, table_of(line), caps=caps)[0][0]
    for back in ((line[0], -line[1], line[2]), (-line[0], line[1], line[2])):
        assert parts_of(twin, table_of(back), caps=caps)[0][0] == [-part for part in there]


@TWINS
def test_a_drug_maximum_turns_the_excess_to_full_self_pay_in_line_order(twin: ModuleType) -> None:
    """Of 60, 60 and 60 against 100: 60, then 40, then nothing; a return gives back what it took."""
    table = table_of(*[(60_000_000, 10_000, 1_000)] * 3, (60_000_000, -10_000, 1_000))
    parts, used, taken = parts_of(
        twin, table, slots=[[0, -1], [0, 1], [0, 1], [0, 1]], maxima=([0, 0], [10_000, 5_000])
    )
    assert parts == [
        [6000, 0, 0, 600, 5400],
        [6000, 2000, 0, 400, 3600],
        [6000, 6000, 0, 0, 0],
        [-6000, -2000, 0, -400, -3600],
    ]
    assert used == [6000, 4000, 0, -4000]
    assert taken == [6000, 0]


@TWINS
def test_an_amount_out_of_range_is_named(twin: ModuleType) -> None:
    """A product beyond the range of amounts raises with its line, it never wraps."""
    with pytest.raises(OverflowError, match="line 1: expected amounts of at most"):
        parts_of(twin, table_of((1, 1, 0), (10**15, 10**13, 0)))


def test_prices_of_six_decimals_round_once() -> None:
    """The amount is the exact product rounded half-up once, as Decimal says it."""
    price, count = Decimal("0.333335"), Decimal("3.0001")
    expected = (price * count * 100).quantize(Decimal(1), ROUND_HALF_UP)
    assert parts_of(compiled, table_of((333_335, 30_001, 0)))[0][0][0] == int(expected)


LINE_DRAWS = st.tuples(
    st.integers(-(10**11), 10**11) | st.sampled_from([0, 1, 5_000, 15_000, 10**15]),
    st.integers(-(10**6), 10**6) | st.sampled_from([0, 1, 10_000]),
    st.integers(0, 10_000),
    st.integers(0, 1),
    st.sampled_from([0, 1, 5_000, 10**9, NO_CAP - 1, NO_CAP, NO_CAP + 1]),
    st.sampled_from([[-1, -1], [0, -1], [-1, 1], [0, 1], [2, 0], [1, 2]]),
)


@settings(max_examples=200)
@given(lines=st.lists(LINE_DRAWS, max_size=12), maxima=st.lists(st.integers(0, 10**6), min_size=6, max_size=6))
def test_both_twins_split_alike_and_conserve(lines: list, maxima: list[int]) -> None:
    """Whatever the lines: both kernels agree, the parts sum to the amount, and mirrored lines mirror."""
    table = table_of(*[line[:3] for line in lines])
    rest = ([line[3] for line in lines], [line[4] for line in lines], [line[5] for line in lines])
    rooms = ([min(a, b) for a, b in zip(maxima[:3], maxima[3:], strict=True)], maxima[3:])
    parts, used, taken = parts_of(compiled, table, *rest, rooms)
    assert (parts, used, taken) == parts_of(reference, table, *rest, rooms)
    for amount, *four in parts:
        assert sum(four) == amount
        assert all(part * amount >= 0 for part in four)
    assert all(0 <= got <= most for got, most in zip(taken, rooms[1], strict=True))


@settings(max_examples=100)
@given(
    rows=st.lists(st.lists(st.sampled_from([0, 1, -1, 63, 64, ABSENT, 2**63 - 1, ABSENT + 1]), min_size=3, max_size=3)),
    cuts=st.lists(st.integers(0, 10), max_size=4),
)
def test_packed_lines_come_back(rows: list[list[int]], cuts: list[int]) -> None:
    """Lines are stored as the same bytes by both twins and read back to the number."""
    table = np.array(rows, np.int64).reshape(-1, 3)
    starts = np.array(sorted([0, *(min(cut, len(rows)) for cut in cuts)]), np.int64)
    offsets, data = compiled.pack(table, starts)
    expected = reference.pack(table, starts)
    assert (offsets.tolist(), data.tobytes()) == (expected[0].tolist(), expected[1].tobytes())
    for twin in (compiled, reference):
        assert twin.unpack(data.tobytes(), 3).tolist() == table.tolist()


@settings(max_examples=200)
@given(data=st.binary(max_size=24))
def test_damaged_bytes_are_refused_by_both_alike(data: bytes) -> None:
    """Bytes that no line packs to raise, or mean the same to both twins."""
    found = []
    for twin in (compiled, reference):
        try:
            found.append(twin.unpack(data, 2).tolist())
        except ValueError as error:
            found.append(str(error))
    assert found[0] == found[1]
