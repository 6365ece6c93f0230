"""Tells what standing settlements would be had the refunded ones of their persons never been (DOMAIN section 4).

A refund re-prices nobody: what it leaves different is a finding, never a booking. Only settlements that the kernel
decided are asked; what a source paid stands as it was paid.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, HOW
from ledger.booking import COMPUTE, SOURCE, UNCHECKED
from ledger.events import BASIS_KERNEL, FLAG_DIVIDED, FLAG_NOT_CHECKED
from ledger.keys import YEARS
from ledger.plan_rows import with_limits

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.plans import PolicyBook


class Outdated(NamedTuple):
    """Is one amount of a standing settlement that would be another without the refunded ones before it; fen."""

    claim: int
    row: int
    field: str
    booked_fen: int
    would_be_fen: int


def outdated(acts: "Acts", policies: "PolicyBook") -> Iterator[Outdated]:
    """Yields what would be otherwise among all acts of some persons, in log order.

    ``acts`` are every act of those persons, in log order; each year begins with what it held before their first.
    """
    # Of a person with a stay divided between years nothing is asked: its parts are in no act.
    divided = np.isin(acts.facts[:, FACT["token"]], acts.facts[(acts.flags & FLAG_DIVIDED) != 0, FACT["token"]])
    standing = np.flatnonzero((acts.original == 0) & ~np.isin(acts.claim, acts.original) & ~divided)
    if not len(standing):
        return
    tokens = acts.facts[:, FACT["token"]]
    _, first, slot = np.unique(tokens * YEARS + acts.year, return_index=True, return_inverse=True)
    _, first_of, account = np.unique(tokens, return_index=True, return_inverse=True)
    state = np.ascontiguousarray(acts.before[first])
    accounts = acts.balance_before[first_of].copy()
    unchecked = (acts.flags[standing] & FLAG_NOT_CHECKED) != 0
    kernel = acts.basis[standing] == BASIS_KERNEL
    kind = np.where(unchecked, UNCHECKED, np.where(kernel, COMPUTE, SOURCE)).astype(np.int64)
    index, digests = acts.policies()
    how = np.ascontiguousarray(acts.how[standing])
    facts = np.ascontiguousarray(acts.facts[standing])
    plan = policies.resolve_pinned(facts, (index[standing], digests), how)
    plans, plan = with_limits(policies.plans, plan, how[:, HOW.index("limit")])
    n = len(standing)
    zeros = np.zeros(n, np.int64)
    code, booked, computed = zeros.copy(), np.zeros((n, len(AMOUNTS)), np.int64), np.zeros((n, len(AMOUNTS)), np.int64)
    before, delta = np.zeros((n, len(ACCUMULATORS)), np.int64), np.zeros((n, len(ACCUMULATORS)), np.int64)
    load("settle").settle(
        plans, plan, facts, np.ascontiguousarray(acts.given[standing]), kind, zeros - 1, zeros.copy(), zeros,
        slot[standing].astype(np.int64), state, account[standing].astype(np.int64), accounts,
        code, booked, computed, before, delta, zeros.copy(), np.zeros_like(how),
    )  # fmt: skip
    for at, row in enumerate(standing.tolist()):
        if kernel[at] and not code[at]:
            for field, stated, found in zip(AMOUNTS, acts.booked[row].tolist(), booked[at].tolist(), strict=True):
                if stated != found:
                    yield Outdated(int(acts.claim[row]), row, field, stated, found)
