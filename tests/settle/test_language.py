"""Over the whole policy language: whatever a document says, both twins settle alike and every identity holds.

``LEDGER_EXAMPLES`` says how many documents are drawn; ``make faults`` draws 100,000 from its seed and says so.
"""

import os

import numpy as np
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from core_ext.layout import ACCUMULATOR, AMOUNT, AMOUNTS, FACT, FUND_PARTS
from core_ext.plan import NO_LIMIT, PLAN_AT
from core_ext.settling import COMPUTE, REFUND
from tests.faults.plan import SEED, report
from tests.settle.claims import TWINS, Outcome
from tests.settle.drawn import Batch, amount_of
from tests.settle.identities import check_identities
from tests.settle.language import world
from tests.settle.test_twins import settled

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "2000"))
#: Which share of the policies this process draws: each share has a seed of its own.
SHARE = int(os.environ.get("LEDGER_FAULT_SHARE", "0"))


def test_twins_are_equal_over_the_language() -> None:
    """A drawn policy's claims come out of both twins to the fen, and satisfy I1, I2, I3, I5 and I7."""
    counts = {"policies": 0, "claims": 0, "booked": 0, "refunds": 0}

    @seed(SEED + SHARE * 2**40)
    @settings(max_examples=EXAMPLES)
    @given(st.integers(min_value=0, max_value=2**48))
    def settles_alike(number: int) -> None:
        drawn = world(number)
        compiled = _compare(drawn)
        booked = compiled.code == 0
        counts["policies"] += 1
        counts["claims"] += len(booked)
        counts["booked"] += int(booked.sum())
        counts["refunds"] += int((booked & (drawn.kind == REFUND)).sum())

    settles_alike()
    report("policies drawn over the language, both twins", **counts)
    assert counts["policies"] >= EXAMPLES


def _compare(drawn: Batch) -> Outcome:
    """Settles a drawn world with both twins and holds them and the identities against each other."""
    reference, compiled = (settled(TWINS[name], drawn) for name in ("reference", "compiled"))
    for name, expected, got in zip(Outcome._fields, reference, compiled, strict=True):
        assert (expected == got).all(), f"{name}: rows {np.unique(np.argwhere(expected != got)[:, 0])}"
    check_identities(drawn, compiled)
    rows = np.flatnonzero((compiled.code == 0) & (drawn.kind == COMPUTE))
    booked, facts = compiled.booked[rows], drawn.facts[rows]
    assert (booked >= 0).all(), "what a policy gives is nowhere below zero"
    fund = amount_of(booked, "fund_pay_sumamt")
    assert (fund <= facts[:, FACT["inscp_scp_amt"]]).all(), "no funds pay more than is in scope"
    ceiling = drawn.plans[drawn.plan[rows], PLAN_AT["ceiling"]]
    year = compiled.before[rows][:, ACCUMULATOR["hifp_pay"]]
    assert (amount_of(booked, "hifp_pay") <= np.maximum(0, ceiling - year)).all(), "the basic fund keeps its ceiling"
    for row in np.flatnonzero((compiled.code == 0) & (drawn.kind == REFUND)).tolist():
        original = int(drawn.ref[row])
        assert (compiled.booked[row] == -compiled.booked[original]).all()
        assert (compiled.delta[row] == -compiled.delta[original]).all()
    return compiled


def test_draws_reach_the_whole_language() -> None:
    """The drawn documents use every switch, every fund pays, and most claims book: the comparison can fail."""
    used = np.zeros(len(PLAN_AT), bool)
    pays = np.zeros(len(AMOUNTS), bool)
    rows = booked = continued = above_cost = shared = 0
    for number in range(300):
        drawn = world(number)
        out = settled(TWINS["compiled"], drawn)
        used |= (drawn.plans != 0).any(axis=0)
        done = (out.code == 0) & (drawn.kind == COMPUTE)
        pays |= (out.booked[: len(done)][done] > 0).any(axis=0)
        rows, booked = rows + len(done), booked + int((out.code == 0).sum())
        plans = drawn.plans[np.maximum(drawn.plan, 0)]
        stay = done & (plans[:, PLAN_AT["stay"]] == 1)
        continued += int((stay & (out.delta[:, 0] == 0) & (plans[:, PLAN_AT["stay_below_counts"]] == 1)).sum())
        above_cost += int((done & (plans[:, PLAN_AT["ceiling_cost"]] < NO_LIMIT) & (out.how[:, 3] > 0)).sum())
        shared += int((out.computed[:, AMOUNT["acct_mulaid_pay"]] != 0).sum())
    assert booked > rows // 2
    assert continued > 5
    assert min(above_cost, shared) > 20
    unused = {name for name, at in PLAN_AT.items() if not used[at]}
    assert not unused, f"no draw uses {sorted(unused)}"
    assert all(pays[at] for at in FUND_PARTS)
