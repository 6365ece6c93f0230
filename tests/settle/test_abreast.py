"""Persons settled abreast come to the fen out of every window as the specification settles them one by one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core_ext import _basic
from core_ext.basic import BASIC_AMOUNTS, BASIC_FACTS, BASIC_YEAR
from core_ext.layout import ACCUMULATOR
from core_ext.plan import NO_LIMIT, PLAN, RATIO_ONE
from core_ext.reference import basic as reference
from core_ext.settling import COMPUTE, REFUND, SKIP
from ledger.refusals import Refusal
from tests.settle.claims import Ints

SEEDS = st.integers(min_value=0, max_value=2**48)
LARGEST = 2**30 - 1  # what goes abreast; a fen more goes alone
WINDOW = 320  # so many rows are looked over at a time


class Claims(NamedTuple):
    """Is claims in the columns of the basic formula, sorted by person-year."""

    plans: Ints
    plan: Ints
    kind: Ints
    ref: Ints
    slot: Ints
    money: Ints
    years: Ints
    holder: Ints
    accounts: Ints


@pytest.fixture(params=[16, 8, 0], ids=["sixteen", "eight", "alone"])
def lanes(request: pytest.FixtureRequest) -> Iterator[int]:
    """Settles so many persons at a time, as far as the processor can."""
    _basic.use_lanes(request.param)
    yield request.param
    _basic.use_lanes(16)


def plans(random: np.random.Generator, count: int, usual: float) -> Ints:
    """Returns plans of every kind the basic formula knows, in ten one that no lane takes: finer than basis points.

    Such a part of them is usual: what most policies say of stays, which lanes settle with fewer operations.
    """
    rows = []
    for number in range(count):
        plan = dict.fromkeys(PLAN, 0)
        plan |= {
            "first_ratio": int(random.choice((0, 500, 10_000))) * 10_000,
            "deductible_kind": int(random.integers(0, 3)), "deductible_amount": int(random.integers(0, 200_000)),
            "deductible_less": int(random.choice((0, 10_000, 2**18 - 1, 2**18))),
            "deductible_floor": int(random.integers(0, 30_000)),
            "deductible_exempt": int(random.integers(0, 8) == 0), "deductible_waived": int(random.integers(0, 2)),
            "deductible_inside": int(random.integers(0, 2)), "deductible_factor": RATIO_ONE, "deductible_cap": NO_LIMIT,
            "to_date": int(random.integers(0, 3)),
            "placed": ACCUMULATOR["placed_inpatient"] + int(random.integers(0, 4)),
            "stay": int(random.integers(0, 2)), "stay_below_counts": int(random.integers(0, 2)),
            "ceiling": int(random.choice((0, 300_000, 5_000_000, NO_LIMIT))), "ceiling_cost": NO_LIMIT,
            "account": int(random.choice((0, 1, 2, 3, 17, 19, 31))), "segments": int(random.integers(0, 6)),
        }  # fmt: skip
        drawn_usual = random.random() < usual
        if drawn_usual:
            plan |= {
                "deductible_kind": int(random.integers(0, 2)), "deductible_waived": 1, "deductible_inside": 0,
                "to_date": int(random.integers(0, 2)), "placed": ACCUMULATOR["placed_inpatient"], "stay": 1,
                "stay_below_counts": 1, "account": int(random.choice((0, 3))), "segments": int(random.integers(0, 4)),
            }  # fmt: skip
        edges = np.sort(random.integers(0, 3_000_000, plan["segments"])).tolist()
        if edges and (drawn_usual or random.integers(0, 2)):
            edges[-1] = NO_LIMIT
        for at, edge in enumerate(edges):
            plan[f"segment_edge_{at}"] = edge
            plan[f"segment_ratio_{at}"] = int(random.integers(0, 10_001)) * 10_000 + (
                at == 0 and number % 10 == 9 and usual < 1
            )
        rows.append([plan[name] for name in PLAN])
    return np.array(rows, np.int64)


def claims(seed: int, persons: int) -> Claims:
    """Returns claims of so many person-years, one in ten of them with a row that wants a closer look."""
    random = np.random.default_rng(seed)
    often = random.choice((1, 2, 5, 40), p=(0.3, 0.4, 0.25, 0.05), size=persons)
    slot = np.repeat(np.arange(persons), random.poisson(often))
    n = len(slot)
    book = plans(random, 20, usual=float(random.choice((0, 0.9, 1))))
    parts = random.integers(0, random.choice((3, 10_003, 2_000_000), n)[:, None], (n, 4))
    money = np.zeros((len(BASIC_FACTS), n), np.int64)
    money[1:5] = parts.T
    money[5] = random.integers(0, 50, n) * (random.integers(0, 20, n) == 0)
    money[0] = money[1:5].sum(axis=0)
    kind, ref = np.full(n, COMPUTE), np.full(n, -1)
    plan = random.integers(0, len(book), n)
    for row in np.flatnonzero(random.integers(0, 12, n) == 0).tolist():
        if row and slot[row] == slot[row - 1]:
            back = int(random.integers(1, 3)) if random.integers(0, 4) == 0 else 1
            kind[row], ref[row] = REFUND, row - back
            money[:, row] = -money[:, row - back]
            plan[row] = -1
    strange = np.flatnonzero(random.integers(0, 60, n) == 0)
    for row, what in zip(strange.tolist(), random.integers(0, 6, len(strange)).tolist(), strict=True):
        if what == 0:
            kind[row] = SKIP
        elif what == 1:
            plan[row] = -1
        elif what == 2:
            money[0, row] += 1
        elif what == 3:
            money[4, row], money[0, row] = LARGEST + 1, LARGEST + 1 + int(money[1:4, row].sum())
        elif what == 4:
            money[5, row] = money[0, row] + 1
        else:
            money[:, row] = -money[:, row]
    years = random.integers(0, 300_000, (persons, len(BASIC_YEAR))) * random.integers(0, 2, (persons, 1))
    years[:, 0] %= 5
    rich = random.integers(0, 300, persons) == 0
    years[rich, 6] = LARGEST - 1_000
    holder = np.arange(persons)
    if persons > 1 and random.integers(0, 3) == 0:
        holder[1:][random.integers(0, 20, persons - 1) == 0] -= 1
    return Claims(book, plan, kind, ref, slot, money, years, holder, random.integers(0, 400_000, persons))


def settled(settle: object, given: Claims) -> tuple[NDArray[np.generic], ...]:
    """Returns the refusals, amounts, years and accounts that come of claims."""
    assert callable(settle)
    n = len(given.plan)
    years, accounts, code = given.years.copy(), given.accounts.copy(), np.full(n, 9, np.uint8)
    booked = [np.full(n, -7, np.int64) for _ in BASIC_AMOUNTS]
    settle(
        given.plans, given.plan, given.kind, given.ref, given.slot, list(given.money), years, given.holder, accounts,
        code, booked,
    )  # fmt: skip
    return code, np.stack(booked), years, accounts


def check(given: Claims) -> NDArray[np.generic]:
    """Checks that claims come out as the specification says; returns the refusals."""
    expected, came = settled(reference.settle, given), settled(_basic.settle, given)
    for name, one, other in zip(("code", "booked", "years", "accounts"), expected, came, strict=True):
        assert np.array_equal(one, other), name
    return came[0]


@pytest.mark.parametrize("persons", [*range(1, 21), 85, 400])
def test_any_number_of_persons_comes_out_as_one_by_one(lanes: int, persons: int) -> None:
    """One person or four hundred, with refunds, strange rows and shared accounts among them, come out to the fen."""
    for seed in range(3):
        check(claims(1_000 * persons + seed, persons))


def test_drawn_persons_come_out_as_one_by_one(lanes: int) -> None:
    """Whatever the persons of a month claim, sorted by person it comes out as the specification says."""

    @settings(max_examples=30, deadline=None)
    @given(SEEDS, st.integers(min_value=1, max_value=120))
    def drawn(seed: int, persons: int) -> None:
        check(claims(seed, persons))

    drawn()


def one_plan(**said: int) -> Ints:
    """Returns a plan that pays by one ratio of all, without a deductible, but for what is said."""
    plan = dict.fromkeys(PLAN, 0) | {
        "deductible_factor": RATIO_ONE, "deductible_cap": NO_LIMIT, "placed": ACCUMULATOR["placed_inpatient"],
        "stay": 1, "stay_below_counts": 1, "ceiling": NO_LIMIT, "ceiling_cost": NO_LIMIT, "account": 3, "segments": 1,
        "segment_edge_0": NO_LIMIT,
    }  # fmt: skip
    plan |= said
    return np.array([[plan[name] for name in PLAN]], np.int64)


def single_claims(amounts: Ints, book: Ints) -> Claims:
    """Returns a claim a person, of these amounts in scope, the plans in turn."""
    n = len(amounts)
    money = np.zeros((len(BASIC_FACTS), n), np.int64)
    money[0] = money[4] = amounts
    return Claims(
        book, np.arange(n) % len(book), np.full(n, COMPUTE), np.full(n, -1), np.arange(n), money,
        np.zeros((n, len(BASIC_YEAR)), np.int64), np.arange(n), np.full(n, LARGEST),
    )  # fmt: skip


@pytest.mark.parametrize("ratio", [0, 1, 4_999, 5_000, 5_001, 9_999, 10_000])
def test_halves_round_up_as_far_as_amounts_go(lanes: int, ratio: int) -> None:
    """Products a hair below, at and above a half fen, up to the largest amount of a lane, round as the statute says."""
    random = np.random.default_rng(ratio)
    wanted = np.concatenate(
        [random.integers(0, LARGEST // 10_000, 400) * 10_000 + rest for rest in (0, 1, 4_999, 5_000, 5_001, 9_999)]
    )
    amounts = np.concatenate([wanted, LARGEST - np.arange(40), np.arange(40)])
    given = single_claims(amounts, one_plan(segment_ratio_0=ratio * 10_000, first_ratio=0))
    came = settled(_basic.settle, given)
    assert came[1][1].tolist() == [(amount * ratio + 5_000) // 10_000 for amount in amounts.tolist()]
    given = single_claims(amounts, one_plan(segment_ratio_0=RATIO_ONE, first_ratio=ratio * 10_000))
    came = settled(_basic.settle, given)
    assert came[1][1].tolist() == [amount - (amount * ratio + 5_000) // 10_000 for amount in amounts.tolist()]


def test_what_outgrows_a_lane_is_settled_all_the_same(lanes: int) -> None:
    """A person whose year passes what lanes hold, in the middle of a window, is settled, and nobody else differs."""
    amounts = np.full(300, 100_000)
    given = single_claims(amounts, one_plan(segment_ratio_0=RATIO_ONE))
    given.slot[150:153], given.slot[153:] = 150, given.slot[153:] - 2
    given.money[:, 150:153] = 0
    given.money[0, 150:153] = given.money[4, 150:153] = LARGEST
    assert not check(given).any()


def test_an_overflow_names_its_row_among_persons_abreast(lanes: int) -> None:
    """A year that would leave what is counted refuses that claim alone; a plan that says more is named by its row."""
    given = single_claims(np.full(600, 100_000), one_plan(segment_ratio_0=RATIO_ONE))
    given.years[333, 6] = 2**56 - 1
    code = check(given)
    assert np.flatnonzero(code).tolist() == [333]
    assert code[333] == Refusal.ARITHMETIC_OVERFLOW
    more = np.concatenate([given.plans, one_plan(on_payment=1)])
    plan = given.plan.copy()
    plan[444] = 1
    for settle in (reference.settle, _basic.settle):
        with pytest.raises(ValueError, match="row 444: its plan 1 says more"):
            settled(settle, given._replace(plans=more, plan=plan))


def test_rows_of_one_year_that_lie_apart_are_settled_in_their_order(lanes: int) -> None:
    """A person-year whose rows are not neighbours counts on from row to row, as sorted ones do."""
    given = single_claims(np.full(700, 100_000), one_plan(
        segment_ratio_0=RATIO_ONE // 2, deductible_kind=1, deductible_amount=50_000, deductible_less=20_000,
    ))  # fmt: skip
    given.slot[:] = np.arange(700) % 90
    assert not check(given).any()


@pytest.mark.parametrize("begin", [(0,) * 5, (1,) * 5, (6,) * 5, range(5)], ids=["line", "second", "seventh", "apart"])
def test_many_claims_leave_past_the_caches_and_come_whole(lanes: int, begin: Sequence[int]) -> None:
    """Columns long enough to be written past the caches hold every claim's amounts wherever in memory each begins."""
    n = 70_000
    given = single_claims(np.arange(n) * 37 % 1_000_000, one_plan(segment_ratio_0=4_321 * 10_000, account=0))
    booked, columns = [], []
    for at, _ in zip(begin, BASIC_AMOUNTS, strict=True):
        booked.append(np.full(n + 16, -7, np.int64))
        first = -booked[-1].ctypes.data // 8 % 8 + at  # so many numbers behind the begin of a line of the cache
        columns.append(slice(first, first + n))
    code, years = np.full(n, 9, np.uint8), given.years.copy()
    _basic.settle(
        given.plans, given.plan, given.kind, given.ref, given.slot, list(given.money), years, given.holder,
        given.accounts.copy(), code, [whole[column] for whole, column in zip(booked, columns, strict=True)],
    )  # fmt: skip
    pays = (given.money[4] * 4_321 + 5_000) // 10_000
    part = given.money[0] - pays
    for whole, column, expected in zip(booked, columns, (0 * pays, pays, part, 0 * pays, part), strict=True):
        assert np.array_equal(whole[column], expected)
        assert (whole[: column.start] == -7).all()
        assert (whole[column.stop :] == -7).all()
    assert not code.any()
    assert np.array_equal(years[:, 6], pays)


@pytest.mark.parametrize("back", [1, 2, 8, 9])
def test_a_refund_finds_its_claim_in_the_window_before(lanes: int, back: int) -> None:
    """A refund takes back a claim up to nine rows before it, whether that one's amounts have left yet or not."""
    n = 70_000
    given = single_claims(np.arange(n) * 37 % 1_000_000, one_plan(segment_ratio_0=4_321 * 10_000, account=0))
    refunds = np.arange(WINDOW, n, WINDOW)
    refunds += np.arange(len(refunds)) % 3
    for at in range(back):
        given.slot[refunds - at] = refunds - back
    given.kind[refunds], given.ref[refunds], given.plan[refunds] = REFUND, refunds - back, -1
    given.money[:, refunds] = -given.money[:, refunds - back]
    code, booked, years, _ = settled(_basic.settle, given)
    assert not code.any()
    pays = (given.money[4] * 4_321 + 5_000) // 10_000
    pays[refunds] = -pays[refunds - back]
    assert np.array_equal(booked[1], pays)
    assert np.array_equal(booked[2], given.money[0] - pays)
    held = np.zeros(n, np.int64)
    np.add.at(held, given.slot, pays)
    assert np.array_equal(years[:, 6], held)
