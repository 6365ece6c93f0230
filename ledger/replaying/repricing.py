"""Prices a period in the order of service: what if no claim had come late and none had been refunded; books nothing.

The ledger's own order is that of commitment (DOMAIN section 1b): there a refund takes back what its claim added and
re-prices nobody. This says, claim by claim, what that order is worth.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.settling import COMPUTE
from core_ext.text import text_at
from ledger.events import BASIS_KERNEL
from ledger.plan_rows import with_limits
from ledger.replaying.columns import persons_with
from ledger.replaying.deciding import Decider, Input, Settle
from ledger.replaying.planning import CasePlans
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import Ints
from ledger.stays.replaying import divided_rows

if TYPE_CHECKING:
    from ledger.plans import PolicyBook

_FUND = AMOUNT["fund_pay_sumamt"]


class RepricedClaim(msgspec.Struct, frozen=True):
    """Is one claim that the order of service would settle otherwise, fen."""

    claim: int
    setl_id: str
    fund_fen: int
    fund_new_fen: int


class Repriced(msgspec.Struct, frozen=True):
    """Is a period in the order of service: ``acts`` settlements that stand, and those that would differ.

    ``divided`` more are left as they are booked: those of persons with a stay that is divided between benefit years.
    """

    period: int
    acts: int
    changed: int
    fund_fen: int
    fund_new_fen: int
    claims: tuple[RepricedClaim, ...]
    divided: int = 0


def reprice(
    folder: Path,
    policies: "PolicyBook",
    *,
    settle: Settle | None = None,
    progress: Callable[[int], None] | None = None,
) -> Repriced:
    """Returns what a segment's kernel-decided settlements would be in the order of service, refunded ones left out."""
    segment = Segment(folder)
    plans = CasePlans(policies, segment.cases, segment.policies)
    decider = Decider(settle)
    kernel: Settle = settle or load("settle").settle
    acts = done = fund = fund_new = left = 0
    claims: list[RepricedClaim] = []
    for batch in segment.all():
        facts = decider.wide(batch, FACTS, "facts")
        plan = plans.of(batch)
        given = decider.read(batch, facts, plan)
        gone = set(batch.ints("original")[batch.ints("reversed") == 1].tolist())
        standing = ~np.isin(batch.ints("claim"), list(gone))
        asked = standing & (batch.ints("carried") == 0) & (batch.ints("basis") == BASIS_KERNEL)
        divided = persons_with(batch.ints("token"), divided_rows(batch.ints("basis"), batch.ints("flags")))
        left += int((asked & divided).sum())
        rows = np.flatnonzero(asked & ~divided & (given.kind == COMPUTE))
        # A stay is served when it begins; what began and ended together stays in the order of the log.
        order = np.lexsort(
            (batch.ints("position")[rows], facts[rows, FACT["enddate"]], facts[rows, FACT["begndate"]],
             facts[rows, FACT["token"]])
        )  # fmt: skip
        rows = rows[order]
        limits = batch.ints("how_limit")[rows]
        booked, stored = _priced(kernel, plans, given, rows, limits), decider.wide(batch, AMOUNTS, "stored")[rows]
        acts += len(rows)
        fund, fund_new = fund + sum(stored[:, _FUND].tolist()), fund_new + sum(booked[:, _FUND].tolist())
        differs = np.flatnonzero((booked != stored).any(axis=1))
        claims += _claims(batch, rows[differs], stored[differs, _FUND].tolist(), booked[differs, _FUND].tolist())
        done += len(batch)
        if progress is not None:
            progress(done)
    claims.sort(key=lambda each: each.claim)
    return Repriced(segment.period, acts, len(claims), fund, fund_new, tuple(claims), left)


def _priced(kernel: Settle, plans: CasePlans, given: Input, rows: Ints, limits: Ints) -> Ints:
    """Returns the amounts of settlements in the order given, each person-year from where the period found it."""
    n = len(rows)

    def table(width: int) -> Ints:
        return np.zeros((n, width), np.int64)

    def unasked(width: int) -> Ints:
        return np.zeros((0, width), np.int64)

    booked, code = table(len(AMOUNTS)), np.zeros(n, np.int64)
    own, plan = with_limits(plans.plans, given.plan[rows], limits)
    kernel(
        own, plan, given.facts[rows], table(len(AMOUNTS)), given.kind[rows],
        np.full(n, -1, np.int64), code.copy(), code.copy(), given.slot[rows], given.state, given.holder[rows],
        given.accounts, code, booked, unasked(len(AMOUNTS)), unasked(len(ACCUMULATORS)), table(len(ACCUMULATORS)),
        code[:0], unasked(len(HOW)),
    )  # fmt: skip
    return booked


def _claims(batch: Batch, rows: Ints, old: list[int], new: list[int]) -> list[RepricedClaim]:
    claim, texts = batch.ints("claim"), batch.text("setl_id")
    return [
        RepricedClaim(int(claim[row]), text_at(texts, row), a, b)
        for row, a, b in zip(rows.tolist(), old, new, strict=True)
    ]
