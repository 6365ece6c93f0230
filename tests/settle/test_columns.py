"""Claims under the basic formula come out of columns as out of tables, and plans packed once serve any call."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core_ext import _basic, _settle
from core_ext.basic import BASIC_AMOUNTS, BASIC_FACTS, BASIC_YEAR
from core_ext.layout import ABSENT, ACCUMULATOR, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.plan import NO_LIMIT, PLAN, PLAN_AT, RANGE, RATIO_ONE
from core_ext.reference import basic as basic_reference
from core_ext.reference import settle as reference
from core_ext.settling import COMPUTE, REFUND, SKIP
from ledger.refusals import Refusal
from tests.settle.claims import TWINS, Ints, Outcome, Settle, run
from tests.settle.drawn import Batch, batch

SEEDS = st.integers(min_value=0, max_value=2**48)
COLUMN_TWINS = {"reference": basic_reference.settle, "compiled": _basic.settle}


class Came(NamedTuple):
    """Is what came out of columns: refusals, the five amounts, and the years and accounts that moved."""

    code: NDArray[np.uint8]
    booked: Ints
    years: Ints
    accounts: Ints


def basic(drawn: Batch) -> Batch:
    """Returns a drawn batch as the basic formula can settle it: basic plans, nothing of a source's, fresh other funds.

    Accumulators that the columns do not hold are zero, and what all funds paid is what the basic one paid.
    """
    plans, at = drawn.plans.copy(), PLAN_AT
    plans[:, [at[name] for name in ("funds", "readmission", "transfer", "on_payment")]] = 0
    plans[:, at["ceiling_cost"]] = plans[:, at["deductible_cap"]] = NO_LIMIT
    plans[:, at["deductible_factor"]] = RATIO_ONE
    for name in ("limit", "hospital"):
        if name in at:
            plans[:, at[name]] = 0
    kind = np.where(np.isin(drawn.kind, (SKIP, REFUND)), drawn.kind, COMPUTE)
    state = np.zeros_like(drawn.state)
    for name in BASIC_YEAR:
        state[:, ACCUMULATOR[name]] = drawn.state[:, ACCUMULATOR[name]]
    state[:, ACCUMULATOR["fund_pay_sumamt"]] = state[:, ACCUMULATOR["hifp_pay"]]
    # One account a person-year, which is also who its person is.
    slots = len(state)
    slot = np.where(drawn.kind == SKIP, 0, drawn.slot)
    facts = drawn.facts.copy()
    facts[:, FACT["token"]] = slot
    accounts = np.resize(drawn.accounts, slots).copy()
    return drawn._replace(
        plans=plans, facts=facts, kind=kind, state=state, slot=slot, account=slot.copy(), accounts=accounts,
        given=np.full_like(drawn.given, ABSENT), code=np.zeros_like(drawn.code), lenient=np.zeros_like(drawn.lenient),
    )  # fmt: skip


def tables(settle: Settle, drawn: Batch) -> Outcome:
    """Returns a drawn batch settled from tables."""
    return run(settle, drawn.plans, drawn.plan, drawn.facts, drawn.given, drawn.kind, drawn.ref, drawn.lenient,
               drawn.slot, drawn.state, drawn.account, drawn.accounts, drawn.code)  # fmt: skip


def columns(twin: str, drawn: Batch) -> Came:
    """Returns a drawn batch settled from columns."""
    n = len(drawn.plan)
    money = [np.ascontiguousarray(drawn.facts[:n, FACT[name]]) for name in BASIC_FACTS]
    years = np.ascontiguousarray(drawn.state[:, [ACCUMULATOR[name] for name in BASIC_YEAR]])
    accounts, code = drawn.accounts.copy(), np.full(n, 9, np.uint8)
    booked = [np.full(n, -7, np.int64) for _ in BASIC_AMOUNTS]
    COLUMN_TWINS[twin](
        drawn.plans, drawn.plan, drawn.kind, drawn.ref, drawn.slot, money, years, np.arange(len(years)), accounts, code,
        booked,
    )  # fmt: skip
    return Came(code, np.stack(booked, axis=1), years, accounts)


def check_columns(drawn: Batch) -> Came:
    """Checks that both twins' columns are what the tables of the specification are; returns them."""
    expected = tables(TWINS["reference"], drawn)
    for twin in COLUMN_TWINS:
        came = columns(twin, drawn)
        assert (came.code == expected.code).all(), twin
        assert (came.booked == expected.booked[: len(drawn.plan), [AMOUNT[name] for name in BASIC_AMOUNTS]]).all(), twin
        assert (came.years == expected.state[:, [ACCUMULATOR[name] for name in BASIC_YEAR]]).all(), twin
        assert (came.accounts == expected.accounts).all(), twin
    return came


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_columns_are_what_the_tables_are(seed: int) -> None:
    """Whatever a basic claim is, from columns comes out what the specification writes to its tables."""
    check_columns(basic(batch(seed)))


def test_draws_reach_every_refusal_and_both_ways_through() -> None:
    """The draws book and refund claims, refuse them for every reason there is, and hold plans that are not usual."""
    codes: set[int] = set()
    refunds = booked = 0
    for seed in range(200):
        drawn = basic(batch(seed))
        came = check_columns(drawn)
        codes |= set(came.code.tolist())
        booked += int(((came.code == 0) & (drawn.kind == COMPUTE)).sum())
        refunds += int(((came.code == 0) & (drawn.kind == REFUND)).sum())
    reasons = ("NO_POLICY", "NEGATIVE_WITHOUT_INIT", "REFUND_UNKNOWN", "REFUND_TWICE", "REFUND_MISMATCH",
               "IDENTITY_I1", "IDENTITY_I2", "ARITHMETIC_OVERFLOW")  # fmt: skip
    assert {Refusal[name] for name in reasons} <= codes
    assert booked > 1_000
    assert refunds > 50


def usual_plans() -> Ints:
    """Returns three plans of the usual kind: per claim, on the year to date, and with a first self-pay."""
    plan = dict.fromkeys(PLAN, 0)
    plan |= {
        "deductible_kind": 1, "deductible_amount": 50_000, "deductible_less": 20_000, "deductible_floor": 10_000,
        "deductible_factor": RATIO_ONE, "deductible_cap": NO_LIMIT, "deductible_waived": 1, "stay": 1,
        "stay_below_counts": 1, "placed": ACCUMULATOR["placed_inpatient"], "ceiling": 900_000, "ceiling_cost": NO_LIMIT,
        "account": 3, "segments": 3,
    }  # fmt: skip
    for at, (edge, ratio) in enumerate(((300_000, 7_001), (700_000, 8_003), (NO_LIMIT, 9_049))):
        plan[f"segment_edge_{at}"], plan[f"segment_ratio_{at}"] = edge, ratio * 10_000
    rows = [plan, plan | {"to_date": 1}, plan | {"first_ratio": RATIO_ONE // 10}]
    return np.array([[row[name] for name in PLAN] for row in rows], np.int64)


def usual(claims: int, seed: int) -> Batch:
    """Returns claims under the usual plans, a quarter of them refunds or close to the edge of what is counted."""
    random = np.random.default_rng(seed)
    slots = max(1, claims // 4)
    slot = np.sort(random.integers(0, slots, claims))
    facts = np.zeros((claims, len(FACTS)), np.int64)
    facts[:, FACT["token"]] = slot
    inscp = random.choice((0, 1, 49_999, 350_000, 1_000_000, 93_000_000_000, RANGE - 1), claims,
                          p=(0.05, 0.05, 0.1, 0.4, 0.35, 0.04, 0.01))  # fmt: skip
    preself = random.integers(0, 1_000, claims)
    facts[:, FACT["inscp_scp_amt"]], facts[:, FACT["preselfpay_amt"]] = inscp, preself
    facts[:, FACT["medfee_sumamt"]] = inscp + preself + (random.integers(0, 200, claims) == 0)
    kind, ref = np.full(claims, COMPUTE), np.full(claims, -1)
    for row in np.flatnonzero(random.integers(0, 8, claims) == 0).tolist():
        if row and slot[row] == slot[row - 1] and kind[row - 1] == COMPUTE:
            kind[row], ref[row] = REFUND, row - 1
            facts[row, FACT["medfee_sumamt"] :] = -facts[row - 1, FACT["medfee_sumamt"] :]
    kind[random.integers(0, 50, claims) == 0] = SKIP
    state = np.zeros((slots, len(ACCUMULATORS)), np.int64)
    zeros = np.zeros(claims, np.int64)
    return Batch(
        usual_plans(), random.integers(0, 3, claims), facts, np.full((claims, len(AMOUNTS)), ABSENT, np.int64),
        kind, ref, zeros, slot, state, slot.copy(), random.integers(0, 100_000, slots), zeros.copy(),
    )  # fmt: skip


@pytest.mark.parametrize("claims", [1, 63, 64, 65, 1_500])
def test_usual_claims_come_out_alike_wherever_blocks_end(claims: int) -> None:
    """Stays under usual plans, refunds and amounts at the edges among them, come out of columns as of tables."""
    came = check_columns(usual(claims, claims))
    assert claims < 1_500 or {0, Refusal.IDENTITY_I1, Refusal.ARITHMETIC_OVERFLOW} <= set(came.code.tolist())


def test_columns_too_long_for_the_caches_are_the_tables() -> None:
    """Seventy thousand claims, whose amounts leave past the caches, come out as the tables' kernel books them."""
    drawn = usual(70_000, 5)
    expected, came = tables(TWINS["compiled"], drawn), columns("compiled", drawn)
    assert (came.code == expected.code).all()
    assert (came.booked == expected.booked[:, [AMOUNT[name] for name in BASIC_AMOUNTS]]).all()
    assert (came.accounts == expected.accounts).all()


@pytest.mark.parametrize("twin", sorted(COLUMN_TWINS))
def test_a_plan_that_says_more_is_named_not_settled(twin: str) -> None:
    """A plan with a further fund, or segments on payment, is no basic one: the row that names it is an error."""
    for name, value in (("on_payment", 1), ("ceiling_cost", 5), ("deductible_factor", 1), ("first_ratio", -1)):
        drawn = usual(4, 1)
        drawn.plans[:, PLAN_AT[name]] = value
        drawn.kind[:2], drawn.kind[2:] = SKIP, COMPUTE
        with pytest.raises(ValueError, match=r"row 2: its plan \d says more than the basic formula"):
            columns(twin, drawn)


@pytest.mark.parametrize("twin", sorted(COLUMN_TWINS))
@pytest.mark.parametrize(("column", "value"), [("plan", 3), ("plan", -2), ("slot", 99), ("ref", 4), ("kind", 2)])
def test_a_row_that_points_outside_is_named(twin: str, column: str, value: int) -> None:
    """A row of another kind, or whose plan, person-year or original is in no table, is an error that names it."""
    drawn = usual(4, 1)
    drawn.kind[:], drawn.kind[2] = COMPUTE, REFUND
    drawn.ref[2] = 1
    getattr(drawn, column)[2] = value
    with pytest.raises(IndexError, match="row 2"):
        columns(twin, drawn)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_packed_plans_stand_in_for_plans(seed: int) -> None:
    """Plans packed once settle every call as the plans themselves do."""
    drawn = batch(seed)
    expected = tables(TWINS["reference"], drawn)
    for twin in (reference, _settle):
        got = tables(twin.settle, drawn._replace(plans=twin.packed(drawn.plans)))
        for name, one, other in zip(Outcome._fields, expected, got, strict=True):
            assert (one == other).all(), name


def test_a_packed_plan_that_points_outside_itself_is_named_when_it_is_used() -> None:
    """Packing refuses no plan; the first row that names an unsound one is an error, whether packed before or not."""
    drawn = usual(6, 2)
    drawn.kind[:] = COMPUTE
    drawn.plan[:] = (0, 0, 1, 2, 0, 0)
    drawn.plans[1, PLAN_AT["segments"]] = 99
    for plans in (drawn.plans, _settle.packed(drawn.plans)):
        for twin in (_settle.settle, lambda *call: reference.settle(drawn.plans, *call[1:])):
            with pytest.raises(IndexError, match="row 2: its plan 1 points outside itself"):
                tables(twin, drawn._replace(plans=plans))
    with pytest.raises(ValueError, match="plans: expected shape"):
        _settle.packed(drawn.plans[:, :-1])


@pytest.mark.parametrize("rows", [40, 70_000])
def test_tables_nobody_asks_for_change_nothing_else(rows: int) -> None:
    """Without the policy's amounts, the years before, balances and terms, what is booked is the same."""
    drawn = batch(11) if rows == 40 else usual(rows, 3)
    n = len(drawn.plan)
    for twin in ("reference", "compiled") if rows == 40 else ("compiled",):
        expected = tables(TWINS[twin], drawn)
        state, accounts, code = drawn.state.copy(), drawn.accounts.copy(), drawn.code.copy()
        booked, delta = (np.zeros((n, width), np.int64) for width in (len(AMOUNTS), len(ACCUMULATORS)))
        none = [np.zeros((0, width), np.int64) for width in (len(AMOUNTS), len(ACCUMULATORS), len(HOW))]
        TWINS[twin](
            drawn.plans, drawn.plan, drawn.facts, drawn.given, drawn.kind, drawn.ref, np.zeros(n, np.int64),
            drawn.lenient, drawn.slot, state, drawn.account, accounts, code, booked, none[0], none[1], delta,
            np.zeros(0, np.int64), none[2],
        )  # fmt: skip
        for got, name in (
            (code, "code"),
            (booked, "booked"),
            (delta, "delta"),
            (state, "state"),
            (accounts, "accounts"),
        ):
            assert (got == getattr(expected, name)).all(), (twin, name)
