"""Settles a batch of claims in commit order: the specification of ``core_ext._settle``.

Both twins have the function ``settle`` and its signature. ``core_ext.reference.benefit`` has the benefit itself; here
is what surrounds it: what a source's own amounts book (DOMAIN section 1a), the identities every settlement
satisfies (section 5), refunds (sections 1b and 7), and the order in which a person's year advances.
"""

from collections.abc import Iterable

import numpy as np

from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACT, FACTS, HOW
from core_ext.plan import FUNDS_MAX, FURTHER_FUNDS, PLAN, RANGE, SEGMENTS_MAX, STAY_MED_TYPE, TIERS_MAX
from core_ext.reference.benefit import (
    FUND_PART_NAMES,
    Benefit,
    Row,
    benefit,
    contribution,
    further_funds,
    paid_contribution,
)
from core_ext.settling import (
    ARITHMETIC_OVERFLOW,
    COMPUTE,
    IDENTITY_I1,
    IDENTITY_I2,
    IDENTITY_I3,
    IDENTITY_I5,
    NEGATIVE_WITHOUT_INIT,
    NO_POLICY,
    REFUND,
    REFUND_MISMATCH,
    REFUND_TWICE,
    REFUND_UNKNOWN,
    SKIP,
    SOURCE,
    SOURCE_UNCHECKED,
    UNASKED,
    Batch,
    Table,
    check_plans,
    check_shapes,
)

MONEY_FACTS = FACTS[FACT["medfee_sumamt"] : FACT["hosp_part_amt"] + 1]


def packed(plans: Table) -> Table:
    """Returns plans [P, PLAN] as this twin settles by them, which ``settle`` takes in their place.

    Made once, it serves every call under these plans, on any number of threads. Raises ValueError for other columns.
    """
    check_plans(plans)
    return plans


def settle(
    plans: Table,
    plan: Table,
    facts: Table,
    given: Table,
    kind: Table,
    ref: Table,
    refunded: Table,
    lenient: Table,
    slot: Table,
    state: Table,
    account: Table,
    accounts: Table,
    code: Table,
    booked: Table,
    computed: Table,
    before: Table,
    delta: Table,
    balc: Table,
    how: Table,
) -> None:
    """Settles rows 0…n-1 in order; rows n… are originals from the log, already booked, that refunds name.

    In: ``plans`` [P, PLAN], or what ``packed`` made of them · ``plan`` [n] its row for each claim (-1: none) ·
    ``facts`` [n+m, FACTS] · ``given`` [n+m, AMOUNTS] the source's amounts (ABSENT where empty) · ``kind`` [n] SKIP,
    COMPUTE, SOURCE, REFUND, SOURCE_UNCHECKED · ``ref`` [n] the row of a refund's original (-1: unknown) · ``lenient``
    [n+m] 1 where an original stands under an assumed policy · ``slot`` [n] the person-year (a refund: its original's) ·
    ``account`` [n].
    In and out: ``refunded`` [n+m] · ``state`` [S, ACCUMULATORS] · ``accounts`` · ``code`` [n], in: a fault found
    before, out: 0 or the refusal · ``booked`` [n+m, AMOUNTS] and ``delta`` [n+m, ACCUMULATORS], rows n… filled.
    Out: ``computed`` [n, AMOUNTS] what the policy gives (equal to ``booked`` unless a source settled) · ``before``
    [n, ACCUMULATORS] · ``balc`` [n] · ``how`` [n, HOW], its first four columns and the hospital's share. Each of these
    four may have no row: then it is not asked for and not written.

    A row refused or skipped has no effect and its outputs are zero. Raises ValueError for a table of the wrong shape,
    IndexError where a row points outside its tables.
    """
    batch = Batch(
        plans, plan, facts, given, kind, ref, refunded, lenient, slot, state, account, accounts,
        code, booked, computed, before, delta, balc, how,
    )  # fmt: skip
    check_shapes(batch)
    check_indexes(batch)
    n = len(plan)
    # Nobody reads what was not asked for.
    unasked = [name for name in UNASKED if len(getattr(batch, name)) < n]
    batch = batch._replace(**{name: np.zeros((n, *getattr(batch, name).shape[1:]), np.int64) for name in unasked})
    for row in range(n):
        for table in (batch.booked, batch.computed, batch.before, batch.delta, batch.balc, batch.how):
            table[row] = 0
        if kind[row] == REFUND:
            code[row] = _refund(batch, row)
        elif kind[row] != SKIP:
            code[row] = code[row] or _settlement(batch, row)


def check_indexes(batch: Batch) -> None:
    """Raises IndexError, naming the row, where a row to settle points outside a table, or its plan outside itself."""
    for row, kind in enumerate(batch.kind):
        if kind == SKIP:
            continue
        if not (
            0 < kind <= SOURCE_UNCHECKED
            and -1 <= batch.plan[row] < len(batch.plans)
            and -1 <= batch.ref[row] < len(batch.booked)
            and 0 <= batch.slot[row] < len(batch.state)
            and 0 <= batch.account[row] < len(batch.accounts)
        ):
            raise IndexError(f"row {row}: its kind, plan, ref, slot or account points outside its table")
        terms = _named(PLAN, batch.plans[batch.plan[row]]) if batch.plan[row] >= 0 else None
        if terms is not None and not (
            0 <= terms["placed"] < len(ACCUMULATORS)
            and 0 <= terms["segments"] <= SEGMENTS_MAX
            and 0 <= terms["funds"] <= FUNDS_MAX
            and all(
                0 < fund["code"] < len(FURTHER_FUNDS) and 0 <= fund["tiers"] <= TIERS_MAX
                for fund in further_funds(terms)
            )
        ):
            raise IndexError(f"row {row}: its plan {batch.plan[row]} points outside itself")


def _settlement(batch: Batch, row: int) -> int:
    """Books one settlement, decided by the policy or by its source; returns 0, or why it is refused."""
    kind = batch.kind[row]
    fact = _named(FACTS, batch.facts[row])
    year = _named(ACCUMULATORS, batch.state[batch.slot[row]])
    balance = int(batch.accounts[batch.account[row]])
    source = {} if kind == COMPUTE else _present(batch.given[row])
    if kind != SOURCE_UNCHECKED and batch.plan[row] < 0:
        return NO_POLICY
    refusal = _fault(fact, source, (*year.values(), balance))
    if refusal:
        return refusal
    if kind == SOURCE_UNCHECKED:
        amounts, refusal = settled_by_source(fact, source, 0)
        policy_amounts, added = amounts, unchecked_contribution(fact, amounts)
        how = (relation_of(fact), 0, 0, 0)
        hospital = 0
    else:
        terms = _named(PLAN, batch.plans[batch.plan[row]])
        gives = benefit(terms, fact, year, balance)
        amounts, refusal = _decided(terms, fact, source, gives) if kind == SOURCE else _computed(gives)
        policy_amounts, added = gives.amounts, contribution(terms, fact, year, amounts, gives)
        how = (terms["relation"], terms["filing"], gives.first_selfpay, gives.over_ceiling)
        hospital = gives.hospital if kind == COMPUTE else 0
    if refusal:
        return refusal
    after = [year[name] + added[name] for name in ACCUMULATORS]
    balance_after = balance - amounts["acct_pay"]
    # Facts in range and the identities keep every amount and every part of ``added`` in range: sums alone can leave it.
    if not in_range((*after, balance_after)):
        return ARITHMETIC_OVERFLOW
    batch.booked[row] = [amounts[name] for name in AMOUNTS]
    batch.computed[row] = [policy_amounts[name] for name in AMOUNTS]
    batch.before[row] = [year[name] for name in ACCUMULATORS]
    batch.delta[row] = [added[name] for name in ACCUMULATORS]
    batch.how[row, : len(how)] = how
    batch.how[row, HOW.index("hosp_part_amt")] = hospital
    batch.state[batch.slot[row]] = after
    batch.accounts[batch.account[row]] = batch.balc[row] = balance_after
    return 0


def _fault(fact: Row, source: Row, held: Iterable[int]) -> int:
    """Returns why amounts cannot be settled at all: one below zero, one out of range, or I1; else 0."""
    money = [fact[name] for name in MONEY_FACTS]
    if any(fen < 0 for fen in (*money, *source.values())):
        return NEGATIVE_WITHOUT_INIT
    if not in_range((*money, *source.values(), *held)):
        return ARITHMETIC_OVERFLOW
    medfee, fulamt, overlmt, preself, inscp, _ = money
    return 0 if medfee == fulamt + overlmt + preself + inscp else IDENTITY_I1


def _computed(gives: Benefit) -> tuple[dict[str, int], int]:
    """Returns what the policy gives, and I2 where the hospital's share leaves no personal part to satisfy it."""
    return gives.amounts, IDENTITY_I2 if gives.amounts["psn_part_amt"] < 0 else 0


def _decided(terms: Row, fact: Row, source: Row, gives: Benefit) -> tuple[dict[str, int], int]:
    """Returns what the source's amounts book, and the identity they break or 0."""
    amounts, refusal = settled_by_source(fact, source, gives.amounts["act_pay_dedc"])
    # A policy says whether a relative's account may pay, not how much: that a source says so is then no difference.
    if terms["mulaid"]:
        gives.amounts["acct_mulaid_pay"] = min(amounts["acct_mulaid_pay"], gives.amounts["acct_pay"])
    return amounts, refusal


def settled_by_source(fact: Row, source: Row, policy_dedc: int) -> tuple[dict[str, int], int]:
    """Returns every amount of a settlement its source decided, and the identity they break (I2, I3, I5) or 0.

    An empty amount is derived, it is not 0: the fund total is the sum of its parts and the basic fund what the
    other parts leave of it (I5), the personal part what the funds and the hospital leave (I2), cash or account
    what the other leaves of the personal part (I3). The deductible, in no identity, is then the policy's. What
    nothing gives (another fund, the family's part of the account, the account where cash is empty too) is 0.
    """
    amounts = dict.fromkeys(AMOUNTS, 0) | dict(source)
    if "act_pay_dedc" not in source:
        amounts["act_pay_dedc"] = policy_dedc
    if "fund_pay_sumamt" not in source:
        amounts["fund_pay_sumamt"] = sum(amounts[part] for part in FUND_PART_NAMES)
    elif "hifp_pay" not in source:
        amounts["hifp_pay"] = amounts["fund_pay_sumamt"] - sum(amounts[part] for part in FUND_PART_NAMES)
    if "psn_part_amt" not in source:
        amounts["psn_part_amt"] = fact["medfee_sumamt"] - amounts["fund_pay_sumamt"] - fact["hosp_part_amt"]
    if "acct_pay" not in source and "psn_cash_pay" in source:
        amounts["acct_pay"] = amounts["psn_part_amt"] - amounts["psn_cash_pay"]
    if "psn_cash_pay" not in source:
        amounts["psn_cash_pay"] = amounts["psn_part_amt"] - amounts["acct_pay"]
    return amounts, identity_broken(fact, amounts)


def identity_broken(fact: Row, amounts: Row) -> int:
    """Returns the first identity (I2, I3, I5) that amounts of a settlement break, 0 where they hold.

    No part of a settlement is below zero: where a derived one is, the identity that derived it is broken.
    """
    psn_part, acct, cash = amounts["psn_part_amt"], amounts["acct_pay"], amounts["psn_cash_pay"]
    if psn_part < 0 or fact["medfee_sumamt"] != amounts["fund_pay_sumamt"] + psn_part + fact["hosp_part_amt"]:
        return IDENTITY_I2
    if acct < 0 or cash < 0 or psn_part != acct + cash or not 0 <= amounts["acct_mulaid_pay"] <= acct:
        return IDENTITY_I3
    if amounts["hifp_pay"] < 0 or amounts["fund_pay_sumamt"] != sum(amounts[part] for part in FUND_PART_NAMES):
        return IDENTITY_I5
    return 0


def unchecked_contribution(fact: Row, amounts: Row) -> dict[str, int]:
    """Returns what a settlement that no policy checks adds to its person's year: what was paid, and a stay.

    Deductible, placed, catastrophic and assistance amounts exist only under a policy and do not advance.
    """
    added = dict.fromkeys(ACCUMULATORS, 0) | paid_contribution(fact, amounts)
    added["stays"] = 1 if fact["med_type"] == STAY_MED_TYPE else 0
    return added


def hospital_of(fact: Row, amounts: Row) -> int:
    """Returns the hospital's share beside the claim's own: what I2 leaves."""
    return fact["medfee_sumamt"] - fact["hosp_part_amt"] - amounts["fund_pay_sumamt"] - amounts["psn_part_amt"]


def relation_of(fact: Row) -> int:
    """Returns 0 same city, 1 same province (the codes' first two digits), 2 cross province."""
    if fact["insured_region"] == fact["treatment_region"]:
        return 0
    return 1 if fact["insu_admdvs"] // 10_000 == fact["mdtrtarea_admvs"] // 10_000 else 2


def _refund(batch: Batch, row: int) -> int:
    """Books the exact negative of the settlement a refund names (I7) and takes its contribution off the year.

    Returns 0, or why it is refused: the smallest number of all that apply.
    """
    fault = int(batch.code[row])
    original = int(batch.ref[row])
    if 0 < fault < REFUND_UNKNOWN:
        return fault
    if not _names_a_settlement(batch, row, original):
        return REFUND_UNKNOWN
    if batch.refunded[original]:
        return REFUND_TWICE
    if not _negates(batch, row, original):
        return REFUND_MISMATCH
    if fault:
        return fault
    year = batch.state[batch.slot[row]].tolist()
    balance = int(batch.accounts[batch.account[row]])
    amounts, added = batch.booked[original].tolist(), batch.delta[original].tolist()
    if not in_range((*amounts, *added, *year, balance)):
        return ARITHMETIC_OVERFLOW
    after = [held - part for held, part in zip(year, added, strict=True)]
    balance_after = balance + amounts[AMOUNTS.index("acct_pay")]
    if not in_range((*after, balance_after)):
        return ARITHMETIC_OVERFLOW
    batch.booked[row] = batch.computed[row] = [-fen for fen in amounts]
    batch.before[row] = year
    batch.delta[row] = [-part for part in added]
    fact = _named(FACTS, batch.facts[row])
    batch.how[row, 0] = relation_of(fact)
    # What the funds and the person do not account for is the hospital's; the refund gives that back as well.
    batch.how[row, HOW.index("hosp_part_amt")] = hospital_of(fact, _named(AMOUNTS, batch.booked[row]))
    batch.state[batch.slot[row]] = after
    batch.accounts[batch.account[row]] = batch.balc[row] = balance_after
    batch.refunded[original] = 1
    return 0


def _names_a_settlement(batch: Batch, row: int, original: int) -> bool:
    """Returns whether ``original`` is a booked settlement: one from the log, or an earlier one of this batch."""
    if original < 0 or original >= len(batch.plan):
        return original >= 0
    return original < row and batch.code[original] == 0 and batch.kind[original] in (COMPUTE, SOURCE, SOURCE_UNCHECKED)


def _negates(batch: Batch, row: int, original: int) -> bool:
    """Returns whether a refund is its original's person, negates its facts, and every amount the refund carries.

    Amounts decided under an assumed policy were never the source's: a refund need not carry their negative.
    """
    fact, fact_of = _named(FACTS, batch.facts[row]), _named(FACTS, batch.facts[original])
    if fact["token"] != fact_of["token"] or any(fact[name] != -fact_of[name] for name in MONEY_FACTS):
        return False
    if batch.lenient[original]:
        return True
    booked = _named(AMOUNTS, batch.booked[original])
    return all(fen == -booked[name] for name, fen in _present(batch.given[row]).items())


def in_range(fen: Iterable[int]) -> bool:
    """Returns whether every amount is at least -RANGE and below RANGE, so that no sum of them leaves an int64."""
    return all(-RANGE <= amount < RANGE for amount in fen)


def _named(names: tuple[str, ...], row: Table) -> dict[str, int]:
    return dict(zip(names, row.tolist(), strict=True))


def _present(row: Table) -> dict[str, int]:
    return {name: fen for name, fen in _named(AMOUNTS, row).items() if fen != ABSENT}
