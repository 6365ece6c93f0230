"""Settles a divided stay: each part as a stay of its own in its benefit year, one settlement of them all.

The parts are decided by the specification of the settle kernel itself (``core_ext.reference``), one after the other:
such stays are few, and their person's year of before is moved by them alone. What a source settled is booked as it was
settled, its amounts divided by days among the years they count in; the policy's own amounts stand beside it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.plan import PLAN
from core_ext.reference.benefit import Benefit, benefit, contribution
from core_ext.reference.settle import MONEY_FACTS, in_range, settled_by_source
from ledger.plan_rows import pools_of, resolved
from ledger.refusals import Refusal
from ledger.stays.dividing import part_facts, parts_of, share

if TYPE_CHECKING:
    from ledger.policy_terms import Header
    from ledger.stays.dividing import Part

Ints = NDArray[np.int64]


class Question(NamedTuple):
    """Is what a divided stay is decided from: facts and a source's amounts (None: the policy decides), one plan and
    one start a part, and the account's balance."""

    parts: "Sequence[Part]"
    facts: Sequence[int]
    given: Sequence[int] | None
    plans: Ints
    plan: Sequence[int]
    years: Sequence[Sequence[int]]
    balance: int


class PartSettled(NamedTuple):
    """Is what became of one part: amounts booked, what it adds to its year, and HOW as the kernel fills it."""

    amounts: list[int]
    delta: list[int]
    how: list[int]


class Settled(NamedTuple):
    """Is what became of a divided stay: a Refusal or 0, its amounts and the policy's, and each part."""

    code: int
    booked: list[int]
    computed: list[int]
    how: list[int]
    balance: int
    parts: list[PartSettled]


#: What of HOW registers gave.
_LOOKED_UP = [HOW.index(name) for name in ("assist_class", "hosp_lv", "psn_type", "age")]

#: What of HOW is a sum over the parts.
_SUMMED = [HOW.index(name) for name in ("first_selfpay", "over_ceiling", "hosp_part_amt")]


def refused(code: int) -> Settled:
    """Returns a stay that is not settled."""
    return Settled(code, [], [], [], 0, [])


def settle(asked: Question) -> Settled:
    """Returns what the parts of a stay settle to, or the Refusal they meet."""
    facts = dict(zip(FACTS, asked.facts, strict=True))
    source = {}
    if asked.given is not None:
        source = {name: fen for name, fen in zip(AMOUNTS, asked.given, strict=True) if fen != ABSENT}
    money = [facts[name] for name in MONEY_FACTS]
    if any(fen < 0 for fen in (*money, *source.values())):
        return refused(Refusal.NEGATIVE_WITHOUT_INIT)
    if not in_range((*money, *source.values(), asked.balance, *(fen for year in asked.years for fen in year))):
        return refused(Refusal.ARITHMETIC_OVERFLOW)
    if facts["medfee_sumamt"] != sum(money[1:5]):
        return refused(Refusal.IDENTITY_I1)
    terms = [dict(zip(PLAN, asked.plans[row].tolist(), strict=True)) for row in asked.plan]
    own = [dict(zip(FACTS, row, strict=True)) for row in part_facts(asked.facts, asked.parts)]
    years = [dict(zip(ACCUMULATORS, year, strict=True)) for year in asked.years]
    gives: list[Benefit] = []
    balance = asked.balance
    for of, fact, year in zip(terms, own, years, strict=True):
        gives.append(benefit(of, fact, year, balance))
        balance -= gives[-1].amounts["acct_pay"]
    computed = {name: sum(each.amounts[name] for each in gives) for name in AMOUNTS}
    if asked.given is None:
        if any(each.amounts["psn_part_amt"] < 0 for each in gives):
            return refused(Refusal.IDENTITY_I2)
        booked, amounts = computed, [each.amounts for each in gives]
    else:
        booked, broken = settled_by_source(facts, source, computed["act_pay_dedc"])
        if broken:
            return refused(broken)
        if terms[-1]["mulaid"]:
            computed["acct_mulaid_pay"] = min(booked["acct_mulaid_pay"], computed["acct_pay"])
        amounts = [{name: share(fen, part) for name, fen in booked.items()} for part in asked.parts]
    found = []
    for of, fact, year, paid, each in zip(terms, own, years, amounts, gives, strict=True):
        added = contribution(of, fact, year, paid, each)
        hospital = each.hospital if asked.given is None else 0
        how = [of["relation"], of["filing"], each.first_selfpay, each.over_ceiling, *(0,) * (len(HOW) - 4)]
        how[HOW.index("hosp_part_amt")] = hospital
        found.append(PartSettled([paid[n] for n in AMOUNTS], [added[n] for n in ACCUMULATORS], how))
    after = asked.balance - booked["acct_pay"]
    for held, part in zip(asked.years, found, strict=True):
        if not in_range((after, *(fen + added for fen, added in zip(held, part.delta, strict=True)))):
            return refused(Refusal.ARITHMETIC_OVERFLOW)
    how = list(found[-1].how)
    for at in _SUMMED:
        how[at] = sum(part.how[at] for part in found)
    return Settled(0, [booked[n] for n in AMOUNTS], [computed[n] for n in AMOUNTS], how, after, found)


def tables_of(header: "Header", facts: Ints, level: int, psn_type: int) -> "tuple[list[Part], Ints, Ints]":
    """Returns (parts, their facts, the same with what registers gave) of a stay; ``facts`` [FACTS] are the claim's."""
    begin, end = (int(facts[FACTS.index(name)]) for name in ("begndate", "enddate"))
    parts = parts_of(header, begin, end)
    table = np.array(part_facts(facts.tolist(), parts), np.int64)
    repeated = (np.full(len(parts), value, np.int64) for value in (level, psn_type))
    return parts, table, resolved(table, *repeated)


def hows_of(again: Settled, plans: Ints, plan: Sequence[int], facts: Ints, told: Ints) -> list[list[int]]:
    """Returns HOW of each part, of the last with the sums over all: with the pool that pays by its plan, and what
    registers gave as ``told`` [parts, HOW] has it; ``facts`` [FACTS] are the claim's."""
    found = np.array([*(part.how for part in again.parts[:-1]), again.how], np.int64)
    found[:, _LOOKED_UP] = told[:, _LOOKED_UP]
    found[:, HOW.index("pool")] = pools_of(plans, np.array(plan), np.tile(facts, (len(plan), 1)))
    hows: list[list[int]] = found.tolist()
    return hows
