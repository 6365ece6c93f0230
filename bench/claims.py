"""Makes the settle kernel's workload: a generated file as the tables of one call, by person, under many policies."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from console.generate import SEED, generate, generate_members
from console.places import regions
from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, HOW
from core_ext.settling import COMPUTE, REFUND, SOURCE, Batch, Table
from core_ext.text import to_list
from ledger.events import PolicyEnacted
from ledger.money import fen_from_text
from ledger.plans import PolicyBook
from ledger.policy import digest_of, shipped
from ledger.profile import load_profile
from ledger.source import ClaimColumns, open_source

OWN_POLICIES = {"qingyuan": 441800, "taian": 370900}
#: Filing types that count, as a mask, and their shares: none, long term, referral, emergency, temporary.
FILINGS, FILED_PERCENT = np.array([0, 1, 2, 4, 8]), np.array([30, 30, 25, 5, 10])
#: What is generated for what is kept: two regions' own policies have no rule for outpatients.
SPARE = 20


def policy_book() -> tuple[PolicyBook, int]:
    """Returns a book of the shipped policies and of one made up for every province, and how many documents it has."""
    book = PolicyBook()
    for event in enactments():
        book.enact(event)
    return book, len(book.digests)


def enactments() -> Iterator[PolicyEnacted]:
    """Yields what puts the book's policies in force, in order."""
    for name, region in OWN_POLICIES.items():
        yield _enacted(name, shipped(name), [region])
    provinces = sorted({place.province for place in regions()})
    for number, province in enumerate(provinces):
        areas = [p.code for p in regions() if p.province == province and p.code not in OWN_POLICIES.values()]
        if areas:
            yield _enacted(f"province-{province}", provincial(number), areas)


def provincial(number: int) -> str:
    """Returns the default policy with another province's figures: off-site rule, deductibles, ratios, ceilings."""
    document = shipped("national-default")
    for found, instead in (
        ('variant = "V2"', f'variant = "{("V1", "V2", "V3")[number % 3]}"'),
        ('amount = "500.00"', f'amount = "{300 + 25 * number}.00"'),
        ('amount = "200.00"', f'amount = "{100 + 10 * number}.00"'),
        ('3 = "800.00"', f'3 = "{800 + 20 * number}.00"'),
        ('3 = "1000.00"', f'3 = "{900 + 20 * number}.00"'),
        ('2 = "0.87"', f'2 = "0.{8600 + 3 * number}"'),
        ('"300000.00"', f'"{200_000 + 5_000 * number}.00"'),
        ('threshold = "15000.00"', f'threshold = "{12_000 + 250 * number}.00"'),
    ):
        if found not in document:
            raise ValueError(f"national-default: expected {found} to vary, got a document without it")
        document = document.replace(found, instead)
    return document


def _enacted(name: str, document: str, areas: list[int]) -> PolicyEnacted:
    return PolicyEnacted(1, 0, digest_of(document), name, document, tuple(areas), False)


@dataclass(frozen=True, slots=True)
class Workload:
    """Is a month's claims as the tables of one call of the kernel, and what chose their plans: by row, by claim."""

    batch: Batch
    book: PolicyBook
    enactment: Table
    filed: Table
    assist: Table


def settle_claims(folder: Path, claims: int) -> tuple[Batch, int]:
    """Returns the tables of ``claims`` claims and refunds, sorted by person, and the number of policies behind them."""
    made = workload(folder, claims)
    return made.batch, len(made.book.digests)


def workload(folder: Path, claims: int) -> Workload:
    """Returns ``claims`` claims and refunds, sorted by person.

    The tables the kernel fills hold what no settlement gives, so that a row it leaves out shows.
    """
    file, members = folder / "settle.csv", folder / "members.csv"
    generated = claims + claims // SPARE
    made = generate(file, generated, SEED, faults=0)
    generate_members(members, made.persons, SEED)
    parts = [_part(columns) for columns in open_source(file, load_profile()).batches(65_536)]
    facts, given, settled, refund = (np.concatenate([part[at] for part in parts]) for at in range(4))
    setl_ids, inits, numbers = ([text for part in parts for text in part[at]] for at in range(4, 7))
    file.unlink()
    persons = list(_members(members))
    members.unlink()
    number_of = {number: at for at, (number, _, _) in enumerate(persons)}
    person = np.array([number_of[number] for number in numbers], np.int64)
    row_of = {setl_id: row for row, setl_id in enumerate(setl_ids)}
    original = np.array([row_of[init] if init else -1 for init in inits], np.int64)

    book, _ = policy_book()
    facts[:, FACT["token"]] = person + 1
    facts[:, FACT["insured_region"]] = book.region_of(facts[:, FACT["insu_admdvs"]])
    facts[:, FACT["treatment_region"]] = book.region_of(facts[:, FACT["mdtrtarea_admvs"]])
    # A refund is not priced, so its filing is of no account.
    drawn = np.random.Generator(np.random.PCG64(SEED)).choice(FILINGS, len(facts), p=FILED_PERCENT / 100)
    assist = np.array([assist for _, assist, _ in persons], np.int64)[person]
    plan, enactment = book.resolve(facts, drawn, assist)
    kept = np.flatnonzero(plan >= 0)[:claims]
    if len(kept) != claims:
        raise RuntimeError(f"expected {claims} claims under a policy, got {len(kept)} of {generated}")
    order = kept[np.argsort(person[kept], kind="stable")]
    place = np.full(len(facts), -1, np.int64)
    place[order] = np.arange(claims)
    kind = np.where(refund > 0, REFUND, np.where(settled > 0, SOURCE, COMPUTE))[order]
    ref = np.where(original[order] >= 0, place[original[order]], -1)
    balances = np.array([balance for _, _, balance in persons], np.int64)
    tables = (book.plans.copy(), plan[order], facts[order], given[order], kind, ref, person[order])
    batch = _batch(tables, balances)
    return Workload(batch, book, enactment[order], drawn[order], assist[order])


def _part(columns: ClaimColumns) -> tuple[Table, Table, Table, Table, list[str], list[str], list[str]]:
    if columns.faults.any():
        raise RuntimeError(f"expected a file without faults, got some in rows from {columns.first_row}")
    setl_id, init, psn_no = (to_list(columns.texts[name]) for name in ("setl_id", "init_setl_id", "psn_no"))
    return columns.facts, columns.given, columns.settled, columns.refund, setl_id, init, psn_no


def _members(path: Path) -> Iterator[tuple[str, int, int]]:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row["psn_no"], int(row["assist_class"] or 0), fen_from_text(row["account_balance"])


def _batch(tables: tuple[Table, Table, Table, Table, Table, Table, Table], balances: Table) -> Batch:
    plans, plan, facts, given, kind, ref, person = tables
    n = len(plan)

    def unfilled(*shape: int) -> NDArray[np.int64]:
        return np.full(shape, -7, np.int64)

    # All claims are of one year, so a person-year is a person's.
    held, slot = np.unique(person, return_inverse=True)
    return Batch(
        plans=plans,
        plan=plan,
        facts=facts,
        given=given,
        kind=kind.astype(np.int64),
        ref=ref,
        refunded=np.zeros(n, np.int64),
        lenient=np.zeros(n, np.int64),
        slot=slot.astype(np.int64),
        state=np.zeros((len(held), len(ACCUMULATORS)), np.int64),
        account=slot.astype(np.int64),
        accounts=balances[held],
        code=np.zeros(n, np.int64),
        booked=unfilled(n, len(AMOUNTS)),
        computed=unfilled(n, len(AMOUNTS)),
        before=unfilled(n, len(ACCUMULATORS)),
        delta=unfilled(n, len(ACCUMULATORS)),
        balc=unfilled(n),
        how=unfilled(n, len(HOW)),
    )
