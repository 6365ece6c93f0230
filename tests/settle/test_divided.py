"""Divided stays over the whole policy language: each part is what the compiled kernel settles, the whole keeps all."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, FUND_PARTS, HOW
from core_ext.settling import COMPUTE, REFUND, SOURCE
from ledger.policy_terms import Header
from ledger.stays.dividing import part_facts, parts_of
from ledger.stays.settling import Question, Settled, settle
from tests.settle.claims import TWINS, run
from tests.settle.language import world
from tests.settle.test_twins import settled

ENDS = ((20231228, 20240103), (20231231, 20240101), (20231201, 20240229), (20220630, 20240102), (20240615, 20240715))


def asked(seed: int) -> Question | None:
    """Returns a stay over one or two turns of the year under drawn plans, or None where nothing drawn books."""
    rng = Random(seed)
    drawn = world(seed)
    out = settled(TWINS["compiled"], drawn)
    rows = np.flatnonzero((drawn.plan >= 0) & (drawn.kind != REFUND) & (out.code == 0)).tolist()
    if not rows:
        return None
    row = rng.choice(rows)
    begin, end = rng.choice(ENDS)
    starts = "07-01" if end == 20240715 else "01-01"
    header = Header("", "", "", (), (), benefit_year_starts=starts, discharge_day_counts=rng.random() < 0.5)
    facts = drawn.facts[row].copy()
    facts[FACT["begndate"]], facts[FACT["enddate"]] = begin, end
    parts = parts_of(header, begin, end)
    plan = [int(drawn.plan[rng.choice(rows)]) for _ in parts]
    years = [out.before[rng.choice(rows)].tolist() for _ in parts]
    source = out.booked[row].tolist() if drawn.kind[row] == SOURCE or rng.random() < 0.3 else None
    if source is not None:
        # Beside the claim's own share a source states no other of the hospital.
        facts[FACT["hosp_part_amt"]] += int(out.how[row, HOW.index("hosp_part_amt")])
        source = [ABSENT if name in ("psn_part_amt", "hifes_pay") and not source[AMOUNT["hifes_pay"]] else fen
                  for name, fen in zip(AMOUNTS, source, strict=True)]  # fmt: skip
    return Question(parts, facts.tolist(), source, drawn.plans, plan, years, int(drawn.accounts[0]))


def by_kernel(question: Question) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], ...]:
    """Returns (code, booked, delta) of the parts as claims of their own, one after the other, from the kernel."""
    n = len(question.parts)
    zeros, own = np.zeros(n, np.int64), np.arange(n, dtype=np.int64)
    facts = np.array(part_facts(question.facts, question.parts))
    out = run(
        TWINS["compiled"], question.plans, np.array(question.plan), facts,
        np.full((n, len(AMOUNTS)), ABSENT, np.int64), zeros + COMPUTE, zeros - 1, zeros.copy(), own,
        np.array(question.years, np.int64), zeros.copy(), np.array([question.balance], np.int64), zeros.copy(),
    )  # fmt: skip
    return out.code, out.booked, out.delta


def check(question: Question, found: Settled) -> None:
    """Asserts I2, I3 and I5 of the whole, and that the parts are the whole of it."""
    booked = dict(zip(AMOUNTS, found.booked, strict=True))
    facts = dict(zip(FACTS, question.facts, strict=True))
    hospital = found.how[HOW.index("hosp_part_amt")] + facts["hosp_part_amt"]
    assert facts["medfee_sumamt"] == booked["fund_pay_sumamt"] + booked["psn_part_amt"] + hospital
    assert booked["psn_part_amt"] == booked["acct_pay"] + booked["psn_cash_pay"]
    assert booked["fund_pay_sumamt"] == sum(found.booked[at] for at in FUND_PARTS)
    assert [sum(part.amounts[at] for part in found.parts) for at in range(len(AMOUNTS))] == found.booked
    scope = ACCUMULATORS.index("inscp_scp_amt")
    assert sum(part.delta[scope] for part in found.parts) == facts["inscp_scp_amt"]
    assert found.balance == question.balance - booked["acct_pay"]


@settings(max_examples=200)
@given(st.integers(min_value=0, max_value=2**48))
def test_parts_are_what_the_kernel_settles(seed: int) -> None:
    """A part the policy decides is to the fen what the kernel books for it; a source's parts are the source's whole."""
    question = asked(seed)
    if question is None:
        return
    found = settle(question)
    code, booked, delta = by_kernel(question)
    if question.given is None:
        assert bool(found.code) == bool(code.any())
        if not found.code:
            assert [part.amounts for part in found.parts] == booked.tolist()
            assert [part.delta for part in found.parts] == delta.tolist()
    if not found.code:
        check(question, found)


def test_draws_settle_both_kinds() -> None:
    """Most drawn stays settle, by the policy and by a source, in two and in three parts: the comparison can fail."""
    kinds = {(True, 2): 0, (True, 3): 0, (False, 2): 0, (False, 3): 0}
    for seed in range(150):
        question = asked(seed)
        if question is not None and len(question.parts) > 1 and not settle(question).code:
            kinds[question.given is None, len(question.parts)] += 1
    assert min(kinds.values()) > 3, kinds
