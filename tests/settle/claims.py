"""Builds the kernel's tables from claims written as a reader would: yuan text, names, and what refunds what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext import _settle
from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.reference import settle as reference
from core_ext.settling import COMPUTE, REFUND, SOURCE, SOURCE_UNCHECKED
from ledger.events import PolicyEnacted
from ledger.plans import PolicyBook
from ledger.policy import digest_of, shipped

Settle = Callable[..., None]
Ints = NDArray[np.int64]

TWINS = {"reference": reference.settle, "compiled": _settle.settle}


@dataclass(frozen=True)
class Claim:
    """Is one claim; amounts are yuan text. The whole fee is in scope unless parts say otherwise."""

    fee: str
    insutype: int = 390
    psn_type: int = 15
    med_type: int = 21
    hosp_lv: int = 1
    insured: int = 441802
    treatment: int = 441802
    setl_time: int = 20240115_120000
    person: int = 1
    assist: int = 0
    filings: int = 0
    fulamt: str = "0"
    overlmt: str = "0"
    preself: str = "0"
    hosp_part: str = "0"
    given: Mapping[str, str] | None = None
    refunds: int | None = None
    checked: bool = True
    facts: Mapping[str, int] = field(default_factory=dict)


class Outcome(NamedTuple):
    """Is what the kernel wrote, row by row, and the tables it advanced."""

    code: Ints
    booked: Ints
    computed: Ints
    before: Ints
    delta: Ints
    balc: Ints
    how: Ints
    state: Ints
    accounts: Ints
    refunded: Ints

    def amount(self, row: int, name: str) -> str:
        """Returns a booked amount as yuan text."""
        return yuan(int(self.booked[row, AMOUNTS.index(name)]))

    def expected(self, row: int, name: str) -> str:
        """Returns what the policy gives, as yuan text."""
        return yuan(int(self.computed[row, AMOUNTS.index(name)]))

    def year(self, slot: int, name: str) -> int:
        """Returns an accumulator of a person-year."""
        return int(self.state[slot, ACCUMULATORS.index(name)])


def fen(text: str) -> int:
    """Returns decimal yuan as fen."""
    sign = -1 if text.startswith("-") else 1
    whole, _, cents = text.lstrip("-").partition(".")
    return sign * (int(whole) * 100 + int(cents.ljust(2, "0")))


def yuan(amount: int) -> str:
    """Returns fen as decimal yuan."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02}"


def book_of(*policies: tuple[str, int], assumed: bool = False) -> PolicyBook:
    """Returns a book in which each (document text, or name of a shipped one; region) is enacted in turn."""
    book = PolicyBook()
    for document, region in policies:
        text = document if "\n" in document else shipped(document)
        book.enact(PolicyEnacted(0, 0, digest_of(text), "policy.toml", text, (region,), assumed))
    return book


def fact_row(claim: Claim, book: PolicyBook) -> list[int]:
    """Returns a claim's facts in the order of FACTS."""
    medfee, fulamt, overlmt, preself = (fen(t) for t in (claim.fee, claim.fulamt, claim.overlmt, claim.preself))
    regions = book.region_of(np.array([claim.insured, claim.treatment], np.int64)).tolist()
    values = {
        "token": claim.person, "insu_admdvs": claim.insured, "mdtrtarea_admvs": claim.treatment,
        "insured_region": regions[0], "treatment_region": regions[1], "hosp_lv": claim.hosp_lv,
        "insutype": claim.insutype, "psn_type": claim.psn_type, "med_type": claim.med_type,
        "begndate": claim.setl_time // 10**6, "enddate": claim.setl_time // 10**6, "setl_time": claim.setl_time,
        "medfee_sumamt": medfee, "fulamt_ownpay_amt": fulamt, "overlmt_selfpay": overlmt, "preselfpay_amt": preself,
        "inscp_scp_amt": medfee - fulamt - overlmt - preself, "hosp_part_amt": fen(claim.hosp_part),
    }  # fmt: skip
    return [(values | dict(claim.facts))[name] for name in FACTS]


def given_row(claim: Claim) -> list[int]:
    """Returns the source's amounts in the order of AMOUNTS, ABSENT where it gives none."""
    given = claim.given or {}
    return [fen(given[name]) if name in given else ABSENT for name in AMOUNTS]


def settle_claims(
    settle: Settle, book: PolicyBook, claims: Sequence[Claim], *, balance: str = "0", lenient: bool = False
) -> Outcome:
    """Returns the claims settled as one batch from empty years; persons are numbered from 1."""
    n = len(claims)
    facts = np.array([fact_row(claim, book) for claim in claims], np.int64)
    given = np.array([given_row(claim) for claim in claims], np.int64)
    kind, ref = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    slots: dict[tuple[int, int], int] = {}
    slot = np.zeros(n, np.int64)
    for row, claim in enumerate(claims):
        kind[row] = COMPUTE if claim.given is None else (SOURCE if claim.checked else SOURCE_UNCHECKED)
        slot[row] = slots.setdefault((claim.person, claim.setl_time // 10**10), len(slots))
        if claim.refunds is not None:
            kind[row], ref[row] = REFUND, claim.refunds
            slot[row] = slot[claim.refunds] if 0 <= claim.refunds < row else slot[row]
    plan, _ = book.resolve(
        facts,
        np.array([claim.filings for claim in claims], np.int64),
        np.array([claim.assist for claim in claims], np.int64),
    )
    account = np.array([claim.person - 1 for claim in claims], np.int64)
    accounts = np.full(int(account.max()) + 1, fen(balance), np.int64)
    return run(
        settle, book.plans, plan, facts, given, kind, ref, np.full(n, int(lenient), np.int64), slot,
        np.zeros((len(slots), len(ACCUMULATORS)), np.int64), account, accounts, np.zeros(n, np.int64),
    )  # fmt: skip


def run(
    settle: Settle, plans: Ints, plan: Ints, facts: Ints, given: Ints, kind: Ints, ref: Ints, lenient: Ints,
    slot: Ints, state: Ints, account: Ints, accounts: Ints, code: Ints,
    *, tail_booked: Any = None, tail_delta: Any = None,
) -> Outcome:  # fmt: skip
    """Returns one call of a twin on copies; outputs begin as rubbish, so that a cell left unwritten shows."""
    n, total = len(plan), len(facts)
    out = Outcome(
        code.copy(),
        np.full((total, len(AMOUNTS)), 7, np.int64),
        np.full((n, len(AMOUNTS)), 7, np.int64),
        np.full((n, len(ACCUMULATORS)), 7, np.int64),
        np.full((total, len(ACCUMULATORS)), 7, np.int64),
        np.full(n, 7, np.int64),
        np.full((n, len(HOW)), 7, np.int64),
        state.copy(),
        accounts.copy(),
        np.zeros(total, np.int64),
    )
    if tail_booked is not None:
        out.booked[n:], out.delta[n:] = tail_booked, tail_delta
    settle(
        plans, plan, facts, given, kind, ref, out.refunded, lenient, slot, out.state, account, out.accounts,
        out.code, out.booked, out.computed, out.before, out.delta, out.balc, out.how,
    )  # fmt: skip
    return out
