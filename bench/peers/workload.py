"""Makes the pinned workload: 341 made-up policies (a smoke run has fewer), a third as many persons as claims.

Whole: stays, day surgeries, outpatient, chronic and pharmacy claims under every kind of term, 15 % settled by their
source. Narrow: stays under the first issue's formula only (V1 or V2, a deductible by level and ordinal with a floor,
segments, a yearly ceiling, a personal account), no further fund. Both: three segments or more, ceilings reached by more
than 1 % of stays, 1 % refunds, each right behind its person's claim, 0.5 % late claims. Drawn, not real.
"""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from bench.claims import provincial
from console.generate import SEED
from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.settling import COMPUTE, REFUND, SOURCE, Batch, Table
from ledger.events import PolicyEnacted
from ledger.plans import PolicyBook
from ledger.policy import digest_of

PROVINCES = (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66))
AREAS = np.array([province * 10_000 + city * 100 for province in PROVINCES for city in range(1, 12)], np.int64)
INPATIENT, DAY_SURGERY, OUTPATIENT, CHRONIC, PHARMACY = 21, 28, 11, 14, 41
LATE = 5  # of 1,000
REFUNDED = 15  # of 1,000, of the two claims in three that are not a person's first
SOURCE_SETTLED = 15  # of 100

_SEGMENT = re.compile(r'    \{ above = "0\.00", ratio = (.*) \},')
_RATIO = re.compile(r'"0\.(\d\d)"')


def city(number: int, narrow: bool) -> str:
    """Returns the policy of one city: a province's, with segments, a ceiling and positions of its own."""
    text = provincial(number % 31).replace("national-default", f"city-{number}")

    edges = ("0.00", f"{5_000 + 100 * (number % 40)}.00", f"{20_000 + 250 * (number % 60)}.00")

    def cut(match: re.Match[str]) -> str:
        return "\n".join(_segment(match[1], edges, at, number) for at in range(len(edges)))

    text = _SEGMENT.sub(cut, text)
    for ceiling in re.findall(r'ceiling_yearly_payment\]\n2000-01-01 = "(\d+)\.00"', text):
        text = text.replace(f'"{ceiling}.00"', f'"{int(ceiling) // 5}.00"')
    if number % 2:
        text = text.replace('position]\n2000-01-01 = "per_claim"', 'position]\n2000-01-01 = "year_to_date"')
    if narrow:
        text = re.sub(r'variant = "V\d"', f'variant = "V{1 + number % 2}"', text)
        text = re.sub(r"(further_funds_in_order\]\n2000-01-01 = )\[.*\]", r"\1[]", text)
        text = re.sub(r"(deductible_exempt_classes\]\n2000-01-01 = )\[.*\]", r"\1[]", text)
        text = text.replace('"uncovered_cost"', '"cut_payment"')
    return text


def _segment(ratio: str, edges: tuple[str, ...], at: int, number: int) -> str:
    """Returns the segment that begins at one of the edges, the last without an end."""
    up_to = f'up_to = "{edges[at + 1]}", ' if at + 1 < len(edges) else ""
    own = _RATIO.sub(lambda found: _points(found, at, number), ratio)
    return f'    {{ above = "{edges[at]}", {up_to}ratio = {own} }},'


def _points(ratio: re.Match[str], at: int, number: int) -> str:
    """Returns a ratio some points away, more of them in a higher segment, so that each city has its own."""
    return f'"0.{int(ratio[1]) * 100 - 300 + 200 * at + number % 97:04}"'


@cache
def book(narrow: bool, cities: int) -> PolicyBook:
    """Returns the book of the first cities' policies."""
    made = PolicyBook()
    for number, area in enumerate(AREAS[:cities].tolist()):
        text = city(number, narrow)
        made.enact(PolicyEnacted(1, 0, digest_of(text), f"city-{number}", text, (area,), False))
    return made


@dataclass(frozen=True)
class Workload:
    """Is the claims of one call, sorted by person, and what they are."""

    batch: Batch
    policies: int
    late: int


def workload(claims: int, *, narrow: bool, cities: int) -> Workload:
    """Returns so many claims by person, each person's in the order they came; ``cities`` is a multiple of eleven."""
    random = np.random.Generator(np.random.PCG64(SEED + narrow))
    persons = max(1, claims // 3)
    person = np.sort(random.integers(0, persons, claims))
    first = np.concatenate([[True], person[1:] != person[:-1]])
    # A refund stands right behind what it refunds: never first, and never behind another.
    refund = (random.integers(0, 1_000, claims) < REFUNDED) & ~first
    refund[1:] &= ~refund[:-1]
    facts = _facts(random, person, persons, cities, narrow)
    before = np.flatnonzero(refund) - 1
    facts[refund] = facts[before]
    money = slice(FACT["medfee_sumamt"], FACT["hosp_part_amt"] + 1)
    facts[refund, money] = -facts[before, money]
    made = book(narrow, cities)
    filing = random.choice(np.array([0, 2]), claims)
    assist = np.where(random.integers(0, 100, persons)[person] < 10 * (1 - narrow), 2, 0)
    plan, _ = made.resolve(facts, filing, assist)
    kind = np.where(refund, REFUND, COMPUTE)
    given = np.full((claims, len(AMOUNTS)), ABSENT, np.int64)
    if not narrow:
        source = ~refund & (random.integers(0, 100, claims) < SOURCE_SETTLED)
        kind[source] = SOURCE
        paid = facts[source, FACT["inscp_scp_amt"]] * 6 // 10
        given[source, AMOUNT["hifp_pay"]] = given[source, AMOUNT["fund_pay_sumamt"]] = paid
        given[source, AMOUNT["acct_pay"]] = 0
    ref = np.where(refund, np.arange(claims) - 1, -1)
    late = int((facts[:, FACT["setl_time"]] < 2024_03_01_000000).sum())
    batch = _batch(random, made.plans.copy(), plan, facts, given, kind, ref, person)
    return Workload(batch, cities, late)


def repeated(batch: Batch, times: int) -> Batch:
    """Returns as many times the claims, each time of other persons; plans are the same."""
    n, slots, holders = len(batch.plan), len(batch.state), len(batch.accounts)
    more = {name: np.concatenate([table] * times) for name, table in batch._asdict().items() if name != "plans"}
    turn = np.repeat(np.arange(times), n)
    more["facts"][:, FACT["token"]] += turn * slots
    more["slot"] += turn * slots
    more["account"] += turn * holders
    more["ref"] = np.where(more["ref"] >= 0, more["ref"] + turn * n, -1)
    return batch._replace(**more)


def _facts(random: np.random.Generator, person: Table, persons: int, cities: int, narrow: bool) -> Table:
    """Returns facts of claims, refunds not yet among them; amounts are skewed as fees are."""
    claims = len(person)
    facts = np.zeros((claims, len(FACTS)), np.int64)

    def put(name: str, values: Table | int) -> None:
        facts[:, FACT[name]] = values

    area = random.integers(0, cities, persons)[person]
    away = random.integers(0, 100, claims)
    # 70 % at home, 15 % in the province, 15 % anywhere.
    city_of = np.where(away < 70, area, area // 11 * 11 + random.integers(0, 11, claims))
    treated = np.where(away < 85, city_of, random.integers(0, cities, claims))
    # A resident's catastrophic fund counts its base even where no policy lets it pay: the narrow formula has none.
    employee = random.integers(narrow, 2, persons)[person]
    kinds = np.array([INPATIENT, DAY_SURGERY, OUTPATIENT, CHRONIC, PHARMACY])
    med_type = INPATIENT if narrow else random.choice(kinds, claims, p=(0.4, 0.05, 0.35, 0.1, 0.1))
    late = random.integers(0, 1_000, claims) < LATE
    day = np.where(late, 2024_02_01, 2024_03_01) + random.integers(0, 28, claims)
    put("token", person + 1)
    put("insu_admdvs", AREAS[area])
    put("insured_region", AREAS[area])
    put("mdtrtarea_admvs", AREAS[treated])
    put("treatment_region", AREAS[treated])
    put("hosp_lv", random.integers(1, 4, claims))
    put("insutype", np.where(employee == 1, 310, 390))
    put("psn_type", np.where(employee == 1, 11 + random.integers(0, 2, persons)[person], 15))
    put("med_type", med_type)
    put("begndate", day)
    put("enddate", day)
    put("setl_time", day * 1_000_000 + 120_000)
    fee: Table = np.where(
        facts[:, FACT["med_type"]] == INPATIENT,
        200_000 + random.pareto(1.4, claims).clip(0, 60) * 500_000,
        2_000 + random.integers(0, 80_000, claims),
    ).astype(np.int64)
    parts = [fee * random.integers(0, most, claims) // 1_000 for most in (100, 40, 80)]
    for name, part in zip(("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt"), parts, strict=True):
        put(name, part)
    put("medfee_sumamt", fee)
    put("inscp_scp_amt", fee - sum(parts))
    return facts


def _batch(
    random: np.random.Generator, plans: Table, plan: Table, facts: Table, given: Table, kind: Table, ref: Table,
    person: Table,
) -> Batch:  # fmt: skip
    claims = len(plan)
    if (plan < 0).any():
        raise RuntimeError(f"expected a plan for every claim, got none for {int((plan < 0).sum())}")
    held, slot = np.unique(person, return_inverse=True)
    slot = slot.astype(np.int64)
    tables: dict[str, Table] = {
        name: np.full((claims, width), -7, np.int64)
        for name, width in (
            ("booked", len(AMOUNTS)), ("computed", len(AMOUNTS)), ("before", len(ACCUMULATORS)),
            ("delta", len(ACCUMULATORS)), ("how", len(HOW)),
        )
    }  # fmt: skip
    return Batch(
        plans=plans, plan=plan, facts=facts, given=given, kind=kind.astype(np.int64), ref=ref.astype(np.int64),
        refunded=np.zeros(claims, np.int64), lenient=np.zeros(claims, np.int64), slot=slot,
        state=np.zeros((len(held), len(ACCUMULATORS)), np.int64), account=slot.copy(),
        accounts=random.integers(0, 500_000, len(held)), code=np.zeros(claims, np.int64),
        balc=np.full(claims, -7, np.int64), **tables,
    )  # fmt: skip


def in_order(batch: Batch, order: Table) -> Batch:
    """Returns the same claims in another order, references and all; a refund must stay behind its original."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    whole = ("plans", "state", "accounts")
    moved = {name: np.ascontiguousarray(t[order]) for name, t in batch._asdict().items() if name not in whole}
    moved["ref"] = np.where(moved["ref"] >= 0, place[moved["ref"]], -1)
    return batch._replace(**moved)


def arrival(batch: Batch) -> tuple[Batch, Table]:
    """Returns claims as they come, persons at random, each person's in order; and whose row each one was."""
    random = np.random.Generator(np.random.PCG64(SEED + 7))
    drawn = random.permutation(len(batch.plan))
    # The places a person drew, in order, are that person's: so each person's claims keep theirs.
    by_person = np.lexsort((drawn, batch.slot))
    order = np.empty(len(drawn), np.int64)
    order[drawn[by_person]] = np.arange(len(drawn))
    return in_order(batch, order), order
