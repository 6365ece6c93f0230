"""Explains a settlement step by step, from its total fee to the cash: rule, parameters, inputs and amount of each.

The steps are those of the settle kernel's specification, evaluated again from the recorded facts, accumulators and
balance, with its working shown. Step numbers are DOMAIN section 4's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, FACTS, HOW
from core_ext.plan import PLAN, RATIO_ONE
from core_ext.reference.benefit import FUND_PART_NAMES
from core_ext.reference.tracing import Evaluation, Working
from core_ext.text import text_at
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_SOURCE, FLAG_DIVIDED, FLAG_NOT_CHECKED
from ledger.plan_sources import Parameter, sources_of
from ledger.policy_leaves import per_cent
from ledger.regions import RELATIONS
from ledger.registers import FILING_CLASSES

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.plans import PolicyBook
    from ledger.policy import Policy
    from ledger.stays.events import StayPartCounted

#: The step of DOMAIN section 4 in which each amount is found.
STEP_OF = {
    "medfee_sumamt": 1,
    "act_pay_dedc": 3,
    "hifp_pay": 5,
    "hifob_pay": 6,
    "hifes_pay": 6,
    "hifmi_pay": 7,
    "cvlserv_pay": 8,
    "maf_pay": 9,
    "hifdm_pay": 10,
    "oth_pay": 10,
    "hosp_part_amt": 10,
    "fund_pay_sumamt": 11,
    "psn_part_amt": 11,
    "acct_pay": 12,
    "acct_mulaid_pay": 12,
    "psn_cash_pay": 12,
}

BASES = {BASIS_KERNEL: "kernel", BASIS_SOURCE: "source", BASIS_REFUND: "refund"}

SPLIT = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")


#: What the amounts that are sums and remainders are made of.
SUMMED = {
    "fund_pay_sumamt": FUND_PART_NAMES,
    "psn_part_amt": ("medfee_sumamt", "fund_pay_sumamt", "hosp_part_amt"),
    "psn_cash_pay": ("psn_part_amt", "acct_pay"),
}

#: What the specification reads that is no amount: facts before the money, stays, days.
COUNTED = {*FACTS[: FACT["medfee_sumamt"]], "year.stays", "year.last_discharge"}


class Product(msgspec.Struct, frozen=True):
    """Is one rounding: ``fen`` times ``ratio``, half-up, is ``paid_fen``."""

    fen: int
    ratio: str
    paid_fen: int


class Rule(msgspec.Struct, frozen=True):
    """Is one rule as the specification words it: what it read in fen, the parameters it hangs on, what it gave.

    Inputs named ``year.…`` are what the person's benefit year held before the claim; ``step`` is the one the
    specification names, 0 where it names none of its own.
    """

    step: int
    text: str
    inputs: dict[str, int]
    parameters: tuple[Parameter, ...]
    products: tuple[Product, ...]
    amount_fen: int


class Step(msgspec.Struct, frozen=True):
    """Is one amount of the settlement by its national name, the step that gives it, and the rules behind it.

    ``part`` says which part of a stay it is about that is divided between benefit years, empty where none is.
    """

    step: int
    field: str
    amount_fen: int
    rules: tuple[Rule, ...]
    inputs: dict[str, int] = {}
    part: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """Is how one settlement comes about.

    ``amounts`` are the policy's, ``booked`` what stands in the log: they differ where a source settled otherwise.
    A refund has no steps, it is the negative of ``original`` (the position of that claim); nor has a settlement that
    no policy checks.
    """

    claim: str
    position: int
    basis: str
    policy: str
    day: int
    insutype: int
    med_type: int
    relation: str
    filing: str
    assist_class: int
    original: int
    steps: tuple[Step, ...]
    amounts: dict[str, int]
    booked: dict[str, int]

    def sum_fen(self) -> int:
        """Returns funds, hospital share, account and cash of the steps together: the total fee, where they close."""
        parts = {*FUND_PART_NAMES, "hosp_part_amt", "acct_pay", "psn_cash_pay"}
        return sum(step.amount_fen for step in self.steps if step.field in parts)


class Explainer:
    """Explains settlements of one store, or of one price list; ``files`` names documents by digest where known."""

    def __init__(self, policies: "PolicyBook", files: Mapping[bytes, str] | None = None) -> None:
        self._policies = policies
        self._files = files or {}
        self._evaluation = Evaluation()
        self._sources: dict[tuple[bytes, int], Sources] = {}

    def explain(self, acts: "Acts", at: int, parts: "Sequence[StayPartCounted]" = ()) -> Explanation:
        """Returns the explanation of one act of a page; ``parts`` are what a divided stay counted in other years."""
        index, digests = acts.policies()
        digest = digests[int(index[at])]
        policy = self._policies.policy_named(digest)
        facts = dict(zip(FACTS, acts.facts[at].tolist(), strict=True))
        how = dict(zip(HOW, acts.how[at].tolist(), strict=True))
        booked = dict(zip(AMOUNTS, acts.booked[at].tolist(), strict=True))
        one = slice(at, at + 1)
        (day,) = self._policies.pinned_days(acts.facts[one], (index[one], digests)).tolist()
        original = int(acts.original[at])
        steps: tuple[Step, ...] = ()
        amounts = booked
        if policy is not None and not original and acts.flags[at] & FLAG_DIVIDED:
            steps, amounts = self._divided(acts, at, parts, policy, digest)
        elif policy is not None and not original and not acts.flags[at] & FLAG_NOT_CHECKED:
            (row,) = self._policies.resolve_pinned(acts.facts[one], (index[one], digests), acts.how[one]).tolist()
            year = dict(zip(ACCUMULATORS, acts.before[at].tolist(), strict=True))
            plan = dict(zip(PLAN, self._policies.plans[row].tolist(), strict=True)) | {"limit": how["limit"]}
            file = self._files.get(digest, policy.header.name)
            if (digest, row) not in self._sources:
                self._sources[digest, row] = sources_of(policy, file, day, acts.facts[at], acts.how[at])
            gives, written = self._evaluation.benefit(plan, facts, year, int(acts.balance_before[at]))
            amounts = gives.amounts
            sources = self._sources[digest, row]
            steps = tuple(_steps(facts, [(each.field, each.amount, each.workings) for each in written], sources))
        return Explanation(
            f"{facts['insured_region']:06d}/{text_at(acts.texts['setl_id'], at)}", int(acts.claim[at]),
            BASES[int(acts.basis[at])],
            "" if policy is None else policy.header.name, day, facts["insutype"], facts["med_type"],
            RELATIONS[how["relation"]], FILING_CLASSES[how["filing"]], how["assist_class"], original,
            steps, amounts, booked,
        )  # fmt: skip

    def _divided(
        self, acts: "Acts", at: int, parts: "Sequence[StayPartCounted]", policy: "Policy", digest: bytes
    ) -> tuple[tuple[Step, ...], dict[str, int]]:
        """Returns the steps of each part of a divided stay, and what the policy gives for all of them."""
        from ledger.stays.dividing import part_facts
        from ledger.stays.replaying import question
        from ledger.stays.settling import settle

        asked, hows = question(acts, at, parts, self._policies)
        if asked is None:
            return (), dict(zip(AMOUNTS, acts.booked[at].tolist(), strict=True))
        file = self._files.get(digest, policy.header.name)
        balance = asked.balance
        steps: list[Step] = []
        facts = part_facts(asked.facts, asked.parts)
        days = self._policies.pinned_days(np.array(facts), (np.zeros(len(facts), np.int64), [digest])).tolist()
        for number, part in enumerate(asked.parts):
            fact = dict(zip(FACTS, facts[number], strict=True))
            year = dict(zip(ACCUMULATORS, asked.years[number], strict=True))
            plan = dict(zip(PLAN, asked.plans[asked.plan[number]].tolist(), strict=True))
            sources = sources_of(policy, file, days[number], np.array(facts[number]), np.array(hows[number]))
            gives, written = self._evaluation.benefit(plan, fact, year, balance)
            balance -= gives.amounts["acct_pay"]
            named = f"{part.year}: {part.days} of {part.of_days} days"
            own = _steps(fact, [(each.field, each.amount, each.workings) for each in written], sources)
            steps += [msgspec.structs.replace(step, part=named) for step in own]
        return tuple(steps), dict(zip(AMOUNTS, settle(asked).computed, strict=True))


_STEP = re.compile(r" \(steps? (\d+)[^)]*\)")

Sources = Mapping[str, tuple[Parameter, ...]]
Found = tuple[str, int, tuple[Working, ...]]


def _steps(facts: Mapping[str, int], found: list[Found], sources: Sources) -> Iterator[Step]:
    """Yields the steps in order: the total fee, every amount the specification writes, the hospital's share."""
    yield Step(1, "medfee_sumamt", facts["medfee_sumamt"], (), {name: facts[name] for name in SPLIT})
    shares = [working for _, _, workings in found for working in workings if working.name == "hospital_share"]
    hospital = facts["hosp_part_amt"] + sum(working.amount for working in shares)
    so_far: dict[str, int] = {"medfee_sumamt": facts["medfee_sumamt"], "hosp_part_amt": hospital}
    for field, amount, workings in found:
        if field == "fund_pay_sumamt" and hospital:
            own = tuple(_rule(each, sources) for each in shares if each.amount)
            yield Step(STEP_OF["hosp_part_amt"], "hosp_part_amt", hospital, own)
        inputs = {name: so_far[name] for name in SUMMED.get(field, ()) if so_far.get(name)}
        so_far[field] = so_far.get(field, 0) + amount
        own = tuple(_rule(each, sources) for each in workings if each.name != "hospital_share")
        yield Step(STEP_OF[field], field, amount, own, inputs)


def _rule(working: Working, sources: Sources) -> Rule:
    parameters = dict.fromkeys(each for column in working.columns for each in sources.get(column, ()))
    products = tuple(Product(each.fen, per_cent(each.ratio, RATIO_ONE), each.paid) for each in working.products)
    named = _STEP.search(working.rule)
    text = _STEP.sub("", working.rule).rstrip(".")
    return Rule(int(named[1]) if named else 0, text, working.inputs, tuple(parameters), products, working.amount)
