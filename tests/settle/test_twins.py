"""Both twins settle alike whatever they are given, in one batch or in many, and what they book adds up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext.layout import ACCUMULATORS, AMOUNTS, HOW
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE, SOURCE_UNCHECKED
from ledger.refusals import Refusal
from tests.settle.claims import TWINS, Ints, Outcome, Settle, run
from tests.settle.drawn import Batch, batch, ordinary
from tests.settle.identities import check_identities

SEEDS = st.integers(min_value=0, max_value=2**48)


def settled(settle: Settle, drawn: Batch) -> Outcome:
    """Returns a drawn batch settled at once."""
    return run(settle, drawn.plans, drawn.plan, drawn.facts, drawn.given, drawn.kind, drawn.ref, drawn.lenient,
               drawn.slot, drawn.state, drawn.account, drawn.accounts, drawn.code)  # fmt: skip


@settings(max_examples=150)
@given(SEEDS)
def test_twins_are_equal(seed: int) -> None:
    """The compiled kernel writes what its specification writes, in every table."""
    drawn = batch(seed)
    reference, compiled = (settled(TWINS[name], drawn) for name in ("reference", "compiled"))
    for name, expected, got in zip(Outcome._fields, reference, compiled, strict=True):
        assert (expected == got).all(), f"{name}: rows {np.unique(np.argwhere(expected != got)[:, 0])}"


def test_draws_reach_every_outcome() -> None:
    """The draws of these tests book most rows and meet every refusal the kernel knows: they can fail."""
    counts: dict[int, int] = {}
    booked = rows = 0
    for seed in range(150):
        drawn = batch(seed)
        out = settled(TWINS["compiled"], drawn)
        rows += ordinary(drawn)
        booked += int(((out.code == 0) & np.isin(drawn.kind, (COMPUTE, SOURCE, SOURCE_UNCHECKED))).sum())
        for code in out.code.tolist():
            counts[code] = counts.get(code, 0) + 1
    assert booked > rows // 2
    reasons = ("NO_POLICY", "NEGATIVE_WITHOUT_INIT", "REFUND_UNKNOWN", "REFUND_TWICE", "REFUND_MISMATCH",
               "IDENTITY_I1", "IDENTITY_I2", "IDENTITY_I3", "IDENTITY_I5", "ARITHMETIC_OVERFLOW")  # fmt: skip
    assert {Refusal[name] for name in reasons} <= set(counts)


def in_batches_of_two(settle: Settle, drawn: Batch) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Returns (code, booked, delta, state, accounts) of a batch settled two rows at a time.

    What a refund names in an earlier batch comes back as a row behind the two, as it would from the log.
    """
    n = len(drawn.plan)
    code, refunded = drawn.code.copy(), np.zeros(n, np.int64)
    booked, delta = np.zeros((n, len(AMOUNTS)), np.int64), np.zeros((n, len(ACCUMULATORS)), np.int64)
    state, accounts = drawn.state.copy(), drawn.accounts.copy()
    for first in range(0, n, 2):
        rows = np.arange(first, min(first + 2, n))
        ref = drawn.ref[rows].copy()
        tail: list[int] = []
        for at, original in enumerate(ref.tolist()):
            if first <= original <= rows[-1]:
                ref[at] = original - first
            elif 0 <= original < first and code[original] == 0 and drawn.kind[original] not in (SKIP, REFUND):
                tail = tail if original in tail else [*tail, original]
                ref[at] = len(rows) + tail.index(original)
            else:
                ref[at] = -1
        both = np.concatenate([rows, np.array(tail, np.int64)])
        flags = refunded[both]
        slices = (np.zeros((len(rows), width), np.int64) for width in (len(AMOUNTS), len(ACCUMULATORS)))
        computed, before = slices
        out_code, out_booked, out_delta = code[rows], booked[both], delta[both]
        settle(
            drawn.plans, drawn.plan[rows], drawn.facts[both], drawn.given[both], drawn.kind[rows], ref, flags,
            drawn.lenient[both], drawn.slot[rows], state, drawn.account[rows], accounts, out_code, out_booked,
            computed, before, out_delta, np.zeros(len(rows), np.int64), np.zeros((len(rows), len(HOW)), np.int64),
        )  # fmt: skip
        refunded[both], code[rows] = flags, out_code
        booked[rows], delta[rows] = out_booked[: len(rows)], out_delta[: len(rows)]
    return code, booked, delta, state, accounts


@settings(max_examples=60)
@given(SEEDS)
def test_batches_of_two_are_one_batch(seed: int) -> None:
    """Where a batch is cut changes nothing: not what is booked, not the years, not the accounts."""
    drawn = batch(seed, rows=21)
    whole = settled(TWINS["compiled"], drawn)
    code, booked, delta, state, accounts = in_batches_of_two(TWINS["compiled"], drawn)
    assert (code == whole.code).all()
    assert (booked == whole.booked).all()
    assert (delta == whole.delta).all()
    assert (state == whole.state).all()
    assert (accounts == whole.accounts).all()


def test_a_batch_too_long_for_the_caches_is_one_batch() -> None:
    """Seventy thousand rows, which leave past the caches, come out as the forty they repeat, refunds among them."""
    drawn, times = batch(21), 1_750
    n, turn = len(drawn.plan), np.repeat(np.arange(times), len(drawn.plan))
    once = settled(TWINS["reference"], drawn)
    many = {name: np.concatenate([table] * times) for name, table in drawn._asdict().items() if name != "plans"}
    many["slot"] += turn * len(drawn.state)
    many["account"] += turn * len(drawn.accounts)
    many["ref"] = np.where(many["ref"] >= 0, many["ref"] + turn * n, -1)
    got = settled(TWINS["compiled"], drawn._replace(**many))
    assert (once.code[drawn.kind == REFUND] == 0).any()
    assert once.how[drawn.kind == REFUND, HOW.index("hosp_part_amt")].any()
    for name, expected, found in zip(Outcome._fields, once, got, strict=True):
        assert (found == np.concatenate([expected] * times)).all(), name


@settings(max_examples=60)
@given(SEEDS)
def test_identities_hold_on_every_booked_row(seed: int) -> None:
    """Whatever is booked satisfies I2, I3 and I5 exactly, and the years are the sum of what their claims added."""
    drawn = batch(seed)
    check_identities(drawn, settled(TWINS["compiled"], drawn))


@settings(max_examples=60)
@given(SEEDS)
def test_refunds_negate_their_originals(seed: int) -> None:
    """A booked refund is the exact negative of its original, in amounts and in what it adds to the year (I7)."""
    drawn = batch(seed)
    out = settled(TWINS["compiled"], drawn)
    for row in np.flatnonzero((out.code == 0) & (drawn.kind == REFUND)).tolist():
        original = int(drawn.ref[row])
        assert (out.booked[row] == -out.booked[original]).all()
        assert (out.delta[row] == -out.delta[original]).all()


def test_rows_of_nobody_change_nothing() -> None:
    """A batch of skipped rows leaves every year and account as it was."""
    drawn = batch(1)
    idle = drawn._replace(kind=np.zeros_like(drawn.kind))
    out = settled(TWINS["compiled"], idle)
    assert (out.state == drawn.state).all()
    assert (out.accounts == drawn.accounts).all()
    assert not out.booked.any()


@pytest.mark.parametrize("twin", TWINS)
def test_an_empty_batch_is_settled(twin: str) -> None:
    """No rows at all is a batch like any other."""
    drawn = batch(1, rows=0)
    assert len(settled(TWINS[twin], drawn).code) == 0
