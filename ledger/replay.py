"""Recomputes every settlement from the log, in commit order, and compares it to the fen.

Each act is decided again from its recorded facts, accumulators and account; that these are what the act before it
left behind is checked beside it. So one wrong act is one difference, not the tail of acts that followed it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, HOW, padded
from core_ext.text import text_at
from ledger.booking import COMPUTE, REFUND, SKIP, SOURCE, UNCHECKED
from ledger.events import (
    BASIS_KERNEL,
    BASIS_REFUND,
    BASIS_RESETTLED,
    FLAG_DIVIDED,
    FLAG_NOT_CHECKED,
    ClaimFiled,
    ClaimSettled,
)
from ledger.keys import YEARS
from ledger.mapper import decode_event
from ledger.originals import assumed_by_kernel, pool_of
from ledger.plan_rows import pools_of, with_limits
from ledger.refusals import Refusal
from ledger.resettled import standing_of
from ledger.upcasting import topics_of

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.plans import PolicyBook
    from ledger.stays.replaying import Counted
    from ledger.store import Reader

Ints = npt.NDArray[np.int64]
Settle = Callable[..., None]

#: What a decision took from registers, as it recorded it: replay decides by the same.
LOOKED_UP = [HOW.index(name) for name in ("assist_class", "hosp_lv", "psn_type", "age", "limit")]
_POOL = HOW.index("pool")


class Difference(msgspec.Struct, frozen=True):
    """Is one act that replay does not reproduce: the first step that differs, what it should be and what is booked.

    Amounts are fen; ``claim`` is the position of its ClaimFiled, ``position`` that of the decision.
    """

    position: int
    claim: int
    setl_id: str
    step: str
    expected: int
    got: int


class ReplayReport(msgspec.Struct, frozen=True):
    """Is what replay found: ``differences`` among the ``acts`` settlements and refunds of the period."""

    period: int
    acts: int
    differences: tuple[Difference, ...]
    #: ``segment`` or ``log``: what was read.
    read: str = "log"
    #: The statement that comes out again: a segment's lines (``shape.LINE_INTS``, then settlements, refunds, total fee
    #: and every amount); nothing where the log was read.
    lines: tuple[tuple[int, ...], ...] = ()


@dataclass(slots=True)
class Again:
    """Is a page of acts decided again; one row an act."""

    code: Ints
    booked: Ints
    delta: Ints
    how: Ints
    balc: Ints
    start: Ints
    year: Ints


def replay(
    reader: "Reader",
    pages: Iterable["Acts"],
    policies: "PolicyBook",
    period: int,
    *,
    openings: "Openings",
    progress: Callable[[int], None] | None = None,
    settle: Settle | None = None,
) -> ReplayReport:
    """Returns every act of a period that does not come out again; ``pages`` are all acts of the log in order.

    ``settle`` is the kernel to decide with, the chosen back end's unless another is given.
    """
    kernel: Settle = settle or load("settle").settle
    from ledger.replaying.anew import anew_differences as anew
    from ledger.stays.replaying import counted_parts, divided_differences

    chain = Chain(openings, counted_parts(reader))
    altered: dict[int, tuple[Ints, Ints]] = {}
    differences: list[Difference] = []
    count = seen = 0
    for acts in pages:
        again = decide_again(partial(_originals, reader), acts, policies, kernel)
        found = compare(acts, again)
        altered |= {int(acts.claim[row]): (again.booked[row], again.delta[row]) for row in found}
        excuse_refunds(acts, found, altered)
        found.update({row: broken for row, broken in chain.check(acts, again, found).items() if row not in found})
        inside = acts.period == period
        again_at = acts.position[inside & (acts.basis == BASIS_RESETTLED)].tolist()
        differences += anew(reader, again_at, policies, kernel)
        divided = inside & ((acts.flags & FLAG_DIVIDED) != 0) & (acts.basis != BASIS_RESETTLED)
        differences += divided_differences(reader, acts.claim[divided].tolist(), policies)
        count += int(inside.sum())
        differences += [found[row] for row in sorted(found) if inside[row]]
        seen += len(inside)
        if progress is not None:
            progress(seen)
    return ReplayReport(period, count, tuple(sorted(differences, key=lambda each: each.position)))


def decide_again(
    originals: "Callable[[Acts, Ints, Ints], list[Tail]]", acts: "Acts", policies: "PolicyBook", settle: Settle
) -> Again:
    """Returns a page's acts decided again, each from its own recorded start.

    ``originals`` returns what the refunds refund, given the acts and the refunds' rows, and fills where each stands.
    """
    n = len(acts.position)
    refund = acts.basis == BASIS_REFUND
    unchecked = (acts.flags & FLAG_NOT_CHECKED) != 0
    anew = acts.basis == BASIS_RESETTLED
    kind = np.where(
        refund, REFUND, np.where(unchecked, UNCHECKED, np.where(acts.basis == BASIS_KERNEL, COMPUTE, SOURCE))
    )
    ref = np.full(n, -1, np.int64)
    # A divided stay is decided part by part, apart (``ledger.stays.replaying``).
    anew |= ((acts.flags & FLAG_DIVIDED) != 0) & ~refund
    kind[anew] = SKIP
    tails = originals(acts, np.flatnonzero(refund), ref)
    m = len(tails)
    facts = np.concatenate([acts.facts, _rows([tail[0] for tail in tails], len(FACTS))])
    booked = np.concatenate([np.zeros((n, len(AMOUNTS)), np.int64), _rows([tail[1] for tail in tails], len(AMOUNTS))])
    delta = np.concatenate(
        [np.zeros((n, len(ACCUMULATORS)), np.int64), _rows([tail[2] for tail in tails], len(ACCUMULATORS))]
    )
    given = np.concatenate([acts.given, booked[n:]])
    lenient = np.array([0] * n + [int(tail[3]) for tail in tails], np.int64)
    plan = policies.resolve_pinned(acts.facts, acts.policies(), acts.how)
    own = np.arange(n, dtype=np.int64)
    start = acts.balance_before
    state, accounts = acts.before.copy(), start.copy()
    code, balc = np.zeros(n, np.int64), np.zeros(n, np.int64)
    # Nobody asks what the policy gives beside a source, nor for the years before: the acts have them.
    computed, before = np.zeros((0, len(AMOUNTS)), np.int64), np.zeros((0, len(ACCUMULATORS)), np.int64)
    how = np.zeros((n, len(HOW)), np.int64)
    plans, plan = with_limits(policies.plans, plan, acts.how[:, HOW.index("limit")])
    settle(
        plans, plan, facts, given, kind.astype(np.int64), ref, np.zeros(n + m, np.int64), lenient,
        own, state, own, accounts, code, booked, computed, before, delta, balc, how,
    )  # fmt: skip
    how[:, LOOKED_UP] = acts.how[:, LOOKED_UP]
    refunded_pool = np.array([*(tail[4] for tail in tails), 0], np.int64)[np.where(ref >= n, ref - n, m)]
    # A refund gives back to the pool that paid.
    how[:, _POOL] = np.where(refund, refunded_pool, pools_of(plans, plan, acts.facts))
    # A refund moves the year its original moved, which nothing but the log knows.
    year = np.where(refund, acts.year, policies.pinned_years(acts.facts, acts.policies()))
    again = Again(code, booked[:n], delta[:n], how, balc, start, year)
    # What was booked anew, or divided, is decided apart; here it moves the person's year as it says.
    for own, recorded in (
        (again.booked, acts.booked), (again.delta, acts.delta), (again.how, acts.how), (again.balc, acts.balc),
        (again.year, acts.year),
    ):  # fmt: skip
        own[anew] = recorded[anew]
    return again


#: What a refund refunds: its facts, amounts and contribution, whether they are assumed, the pool that paid.
Tail = tuple[list[int], list[int], list[int], bool, int]


def _originals(reader: "Reader", acts: "Acts", refunds: Ints, ref: Ints) -> list[Tail]:
    """Returns what refunds of a page refund, read from the log by position; fills ``ref``."""
    positions = acts.original[refunds].tolist()
    events = reader.events_at(sorted({at for p in positions for at in (p, p + 1)})) if positions else {}
    found: dict[int, tuple[ClaimFiled, ClaimSettled]] = {}
    for position in positions:
        filed, decided = events.get(position), events.get(position + 1)
        if filed is None or decided is None or decided[2] != ClaimSettled.TOPIC:
            continue
        claim, decision = decode_event(filed[2], filed[3]), decode_event(decided[2], decided[3])
        if isinstance(claim, ClaimFiled) and isinstance(decision, ClaimSettled):
            found[position] = claim, decision
    now = standing_of(reader, found)
    tails: list[Tail] = []
    for row, position in zip(refunds.tolist(), positions, strict=True):
        if position in found:
            ref[row] = len(acts.position) + len(tails)
            facts = [getattr(found[position][0], name) for name in FACTS]
            stands, _ = now[position]
            assumed = stands.amounts != found[position][1].amounts or assumed_by_kernel(stands)
            tails.append((facts, list(stands.amounts), list(stands.delta), assumed, pool_of(stands.how)))
    return tails


def _rows(rows: list[list[int]], width: int) -> Ints:
    return np.array(rows, np.int64).reshape(len(rows), width)


def compare(acts: "Acts", again: Again) -> dict[int, Difference]:
    """Returns, by row, the first step of each act that comes out otherwise."""
    differs = (
        (again.code != 0)
        | (again.booked != acts.booked).any(axis=1)
        | (again.delta != acts.delta).any(axis=1)
        | (again.how[:, 2:] != acts.how[:, 2:]).any(axis=1)
        | (again.balc != acts.balc)
        | (again.year != acts.year)
    )
    return {row: _first_difference(acts, again, row) for row in np.flatnonzero(differs).tolist()}


def excuse_refunds(acts: "Acts", found: dict[int, Difference], altered: Mapping[int, tuple[Ints, Ints]]) -> None:
    """Drops refunds that negate what their original should be: the original alone is wrong."""
    for row in [row for row in found if acts.basis[row] == BASIS_REFUND]:
        original = altered.get(int(acts.original[row]))
        if original is not None:
            booked, delta = original
            if bool((acts.booked[row] == -booked).all() and (acts.delta[row] == -delta).all()):
                del found[row]


def _first_difference(acts: "Acts", again: Again, row: int) -> Difference:
    if again.code[row]:
        return difference(acts, row, f"refused.{Refusal(int(again.code[row])).code}", int(again.code[row]), 0)
    for names, expected, got in (
        (AMOUNTS, again.booked[row], acts.booked[row]),
        (tuple(f"delta.{name}" for name in ACCUMULATORS), again.delta[row], acts.delta[row]),
        (tuple(f"how.{name}" for name in HOW), again.how[row], acts.how[row]),
        (("balc",), again.balc[row : row + 1], acts.balc[row : row + 1]),
        (("year",), again.year[row : row + 1], acts.year[row : row + 1]),
    ):
        for name, one, other in zip(names, expected.tolist(), got.tolist(), strict=True):
            if one != other:
                return difference(acts, row, name, one, other)
    raise AssertionError("compare called for an act that is equal")


def difference(acts: "Acts", row: int, step: str, expected: int, got: int) -> Difference:
    """Returns one difference, named by the claim's own id."""
    return Difference(
        int(acts.position[row]),
        int(acts.claim[row]),
        text_at(acts.texts["setl_id"], row),
        step,
        int(expected),
        int(got),
    )


@dataclass(slots=True)
class Openings:
    """Is what persons started with: accumulators by token * YEARS + year, account balances by token."""

    accumulators: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    accounts: Mapping[int, int] = field(default_factory=dict)


class Chain:
    """Carries each person-year's accumulators and each account from act to act."""

    def __init__(self, openings: Openings, counted: "Counted | None" = None) -> None:
        self.openings = openings
        self.counted = counted or {}
        # What the last act left. Behind a wrong one a successor may rest on what is recorded, on what comes out
        # again, or on what the act before it left: one wrong act is one difference.
        self.state: dict[int, list[list[int]]] = {}
        self.account: dict[int, list[int]] = {}

    def check(self, acts: "Acts", again: Again, found: Mapping[int, Difference]) -> dict[int, Difference]:
        """Returns, by row, the acts whose recorded start is not what the act before left behind."""
        broken: dict[int, Difference] = {}
        before, after = acts.before.tolist(), (acts.before + acts.delta).tolist()
        after_again, delta = (acts.before + again.delta).tolist(), acts.delta.tolist()
        paid = acts.booked[:, AMOUNT["acct_pay"]].tolist()
        tokens, years = acts.facts[:, FACT["token"]].tolist(), acts.year.tolist()
        start, balc = again.start.tolist(), acts.balc.tolist()
        paid_again = again.booked[:, AMOUNT["acct_pay"]].tolist()
        for row, (token, year) in enumerate(zip(tokens, years, strict=True)):
            key = token * YEARS + year
            left = self.state.get(key)
            if left is None:
                left = [padded(self.openings.accumulators.get(key, ()))]
            if before[row] not in left:
                at = next(i for i, (one, other) in enumerate(zip(left[0], before[row], strict=True)) if one != other)
                broken[row] = difference(acts, row, f"before.{ACCUMULATORS[at]}", left[0][at], before[row][at])
            balances = self.account.get(token)
            if balances is None:
                opened = self.openings.accounts.get(token, 0)
                balances = [opened]
            if start[row] not in balances and row not in broken:
                broken[row] = difference(acts, row, "balc", balances[0], start[row])
            wrong = row in found or row in broken
            self.state[key], self.account[token] = [after[row]], [balc[row]]
            if wrong:
                self.state[key] += [after_again[row], [a + b for a, b in zip(left[0], delta[row], strict=True)]]
                self.account[token] += [balances[0] - paid_again[row], balances[0] - paid[row]]
            if self.counted:
                self._count(acts, row, token, broken)
        return broken

    def _count(self, acts: "Acts", row: int, token: int, broken: dict[int, Difference]) -> None:
        """Moves the years that a divided stay, or its refund, counts in beside its own."""
        for _, part in self.counted.get(int(acts.claim[row]), ()):
            key = token * YEARS + part.year
            before, delta = (padded(values) for values in (part.before, part.delta))
            left = self.state.get(key) or [padded(self.openings.accumulators.get(key, ()))]
            if before not in left and row not in broken:
                at = next(i for i, (one, other) in enumerate(zip(left[0], before, strict=True)) if one != other)
                step = f"{part.year}.before.{ACCUMULATORS[at]}"
                broken[row] = difference(acts, row, step, left[0][at], before[at])
            self.state[key] = [[a + b for a, b in zip(before, delta, strict=True)]]


def read_openings(reader: "Reader") -> Openings:
    """Returns every opening accumulator and account balance of the log."""
    from ledger.events import OpeningAccount, OpeningAccumulator

    accumulators: dict[int, tuple[int, ...]] = {}
    accounts: dict[int, int] = {}
    topics = topics_of(OpeningAccount, OpeningAccumulator)
    rows: list[tuple[Any, ...]] = reader.query(
        f"SELECT topic, state FROM stored_events WHERE topic IN ({', '.join('?' * len(topics))})", topics
    )
    for topic, state in rows:
        event = decode_event(str(topic), bytes(state))
        if isinstance(event, OpeningAccumulator):
            accumulators[event.token * YEARS + event.year] = event.values
        elif isinstance(event, OpeningAccount):
            accounts[event.token] = event.balance_fen
    return Openings(accumulators, accounts)
