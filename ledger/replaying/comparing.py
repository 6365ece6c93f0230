"""Replays a sealed period: decides every act of its segment again and names each one that does not come out again.

The whole history of a person is run through the kernel at once; only where something differs are that person's acts
decided one by one from what each records, so that one wrong act is one difference (``ledger.replay``).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.replaying import COUNTED
from core_ext.settling import SKIP
from core_ext.text import Texts, texts_from_list
from ledger.acts import ACT_TEXTS, Acts
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_RESETTLED, FLAG_ASSUMED, FLAG_DIVIDED
from ledger.keys import YEARS
from ledger.refusals import StoreError
from ledger.replay import (
    Chain,
    Difference,
    Openings,
    ReplayReport,
    Settle,
    Tail,
    compare,
    decide_again,
    excuse_refunds,
)
from ledger.replaying.anew import anew_differences
from ledger.replaying.columns import DECIDED, Marks, acts_of, apart_of, kinds_of, recorded_of
from ledger.replaying.deciding import Decided, Decider
from ledger.replaying.planning import CasePlans
from ledger.replaying.threads import each_batch
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import DELTAS, HEAD, HOWS, LINE_INTS, Ints
from ledger.stays.replaying import divided_differences, divided_rows

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader

_OUT = [HOW.index(name) for name in DECIDED]
_OUT_OF_THE_PLAN = tuple(f"how_{name}" for name in (*DECIDED, "pool"))


class Apart(NamedTuple):
    """Is positions of what a segment alone cannot decide: acts that book claims anew, and stays divided by days."""

    anew: list[int]
    divided: list[int]


class _Worker:
    """Is one thread's part of a replay: its tables, its sums, the differences it found.

    Unbroken histories are decided by the replay kernel, those set apart in tables, and with a ``settle`` given all.
    """

    def __init__(self, segment: Segment, plans: CasePlans, policies: "PolicyBook", settle: Settle | None) -> None:
        self.decider = Decider(settle, unasked=("computed", "before"))
        self.differences: list[Difference] = []
        self.acts = 0
        self.anew: list[int] = []
        self.divided: list[int] = []
        self.sums = np.zeros((len(segment.lines), len(COUNTED) + len(AMOUNTS)), np.int64)
        self._plans = plans
        self._policies = policies
        self._digests = segment.policies
        self._in_tables = settle is not None
        self._kernel: Settle = settle or load("settle").settle
        self._lanes, self._fold = load("lanes"), load("fold").fold
        self._again = load("replay").again

    def work(self, batch: Batch) -> None:
        """Decides a batch again, adds it to the statement and lists what differs."""
        if self._in_tables:
            self._by_tables(batch)
            return
        kind, lenient = kinds_of(batch)
        apart = apart_of(batch, kind)
        if apart is not None:
            kind[apart] = SKIP
        plan = self._plans.of(batch)
        marks = np.zeros(len(batch), np.uint8)
        self._again(self._plans.packed, acts_of(batch, plan, kind, lenient), recorded_of(batch), marks, self.sums)
        live = kind != SKIP
        self.acts += int(live.sum())
        self._other_pools(batch, plan, live, marks)
        if marks.any():
            self._list(batch, set(batch.ints("token")[marks != 0].tolist()))
        if apart is not None:
            self._by_tables(batch.of_rows(apart))

    def _other_pools(self, batch: Batch, plan: Ints, live: Marks, marks: "npt.NDArray[np.uint8]") -> None:
        """Marks acts that another pool pays than their plan says."""
        stood, pool = np.asarray(batch.lane("how_pool")), self._plans.pools[plan]
        if stood.any() or ((pool != 0) & (pool != np.asarray(batch.lane("insutype")))).any():
            marks[live & (self._pools(batch, plan) != stood)] = 1

    def _list(self, batch: Batch, suspects: set[int]) -> None:
        self.differences += by_act(batch, suspects, self._policies, self._digests, self._kernel)

    def _by_tables(self, batch: Batch) -> None:
        n = len(batch)
        facts = self.decider.wide(batch, FACTS, "facts")
        plan = self._plans.of(batch)
        found = self.decider.decide(batch, self.decider.read(batch, facts, plan), self._plans.plans)
        own = batch.ints("carried") == 0
        self.anew += batch.ints("position")[batch.ints("basis") == BASIS_RESETTLED].tolist()
        flagged = own & ((batch.ints("flags") & FLAG_DIVIDED) != 0) & (batch.ints("basis") != BASIS_RESETTLED)
        self.divided += batch.ints("claim")[flagged].tolist()
        self.acts += int(own.sum())
        marks = (own & (found.kind != SKIP) & (found.code != 0)).astype(np.uint8)
        balc = found.balc.reshape(n, 1)
        how = self.decider.table("how_out", n, len(_OUT_OF_THE_PLAN))
        how[:, :-1] = found.how[:, _OUT]
        how[:, -1] = self._pools(batch, plan)
        for names, table in (
            (AMOUNTS, found.booked), (DELTAS, found.delta), (_OUT_OF_THE_PLAN, how), (("balc",), balc)
        ):  # fmt: skip
            self._lanes.differing([batch.lane(name) for name in names], 0, n, table, marks)
        wrong = own & (found.kind != SKIP) & (marks != 0)
        suspects = set(batch.ints("token")[wrong].tolist())
        if batch.odd:
            token = batch.ints("token")
            suspects |= {int(token[row]) for row, odd in batch.odd.items() if odd.expected is not None}
        if suspects:
            self._list(batch, suspects)
        self._state(batch, found, own)

    def _pools(self, batch: Batch, plan: Ints) -> Ints:
        """Returns the pool that pays each act: by its plan, of a refund the one that paid what it refunds."""
        pool = self._plans.pools[plan]
        pool[pool == batch.ints("insutype")] = 0
        ref = batch.ints("ref")
        refunds = np.flatnonzero(batch.ints("basis") == BASIS_REFUND)
        stood = batch.ints("how_pool")
        pool[refunds] = np.where(ref[refunds] > 0, stood[refunds - ref[refunds]], 0)
        return pool

    def _state(self, batch: Batch, found: Decided, own: Marks) -> None:
        """Adds a batch to the statement: what came out again, and for what is not decided again what is booked."""
        counted = self.decider.table("counted", len(batch), self.sums.shape[1])
        refund, skipped = batch.ints("reversed"), found.kind == SKIP
        live = ~skipped | divided_rows(batch.ints("basis"), batch.ints("flags"))
        counted[:, 0], counted[:, 1] = live - refund, refund
        counted[:, 2], counted[:, 3:] = found.facts[:, FACT["medfee_sumamt"]] * live, found.booked
        counted[~own] = 0
        if (own & skipped).any():
            rows = np.flatnonzero(own & skipped)
            counted[rows, len(COUNTED) :] = self.decider.wide(batch, AMOUNTS, "stored")[rows]
        self._fold(batch.ints("line"), counted, self.sums)


def replay_segment(
    folder: Path,
    policies: "PolicyBook",
    *,
    reader: "Reader | None" = None,
    settle: Settle | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    some: Sequence[int] | None = None,
    apart: Apart | None = None,
) -> ReplayReport:
    """Returns every act of a segment that does not come out again, and the statement of those that do.

    What was booked anew or divided is decided from its own events: ``reader`` is of the log that has them, None where
    none was. With ``apart`` their positions are put there instead; ``some`` are the numbers of the batches to read,
    None all.
    """
    segment = Segment(folder)
    plans = CasePlans(policies, segment.cases, segment.policies)
    workers = each_batch(
        folder, lambda own: _Worker(own, plans, policies, settle), _Worker.work, threads, progress, some
    )
    found = [each for worker in workers for each in worker.differences]
    own = Apart([at for worker in workers for at in worker.anew], [at for worker in workers for at in worker.divided])
    if apart is not None:
        apart.anew.extend(own.anew)
        apart.divided.extend(own.divided)
    elif own.anew or own.divided:
        if reader is None:
            at = min(own.anew + own.divided)
            raise StoreError(f"position {at}: expected the log beside the segment, got the segment alone")
        found += apart_differences(reader, own, policies, settle)
    differences = sorted(found, key=lambda each: each.position)
    empty = np.zeros((len(segment.lines), len(COUNTED) + len(AMOUNTS)), np.int64)
    lines = np.hstack([segment.lines, checked_sums([empty, *(worker.sums for worker in workers)])])
    lines = lines[np.lexsort(segment.lines.T[::-1])]
    return ReplayReport(
        segment.period,
        sum(worker.acts for worker in workers),
        tuple(differences),
        "segment",
        tuple(map(tuple, lines.tolist())),
    )


def apart_differences(
    reader: "Reader", apart: Apart, policies: "PolicyBook", settle: Settle | None = None
) -> list[Difference]:
    """Returns the differences of what is decided from its own events of the log."""
    found = list(anew_differences(reader, sorted(apart.anew), policies, settle)) if apart.anew else []
    return found + (list(divided_differences(reader, sorted(apart.divided), policies)) if apart.divided else [])


def checked_sums(parts: Sequence[Ints]) -> Ints:
    """Returns the sum of tables; raises OverflowError where one leaves 64 bits."""
    total = parts[0].copy()
    for part in parts[1:]:
        summed = total + part
        if bool((((total ^ summed) & (part ^ summed)) < 0).any()):
            raise OverflowError("statement: expected sums within 64 bits of fen")
        total = summed
    return total


def by_act(
    batch: Batch, tokens: set[int], policies: "PolicyBook", digests: Sequence[bytes], settle: Settle
) -> list[Difference]:
    """Returns the differences of some persons of a batch, each act decided from what it records."""
    rows = np.flatnonzero(np.isin(batch.ints("token"), list(tokens)))
    booked = _stack(batch, AMOUNTS)
    acts = acts_of_rows(batch, rows, digests, booked)
    own = np.flatnonzero((batch.ints("carried")[rows] == 0) & (acts.basis <= 3))
    place = {row: at for at, row in enumerate(rows.tolist())}
    ref = batch.ints("ref")

    def originals(some: Acts, refunds: Ints, into: Ints) -> list[Tail]:
        tails: list[Tail] = []
        for at in refunds.tolist():
            row = int(rows[own[at]])
            if ref[row]:
                of = place[row - int(ref[row])]
                into[at] = len(some) + len(tails)
                assumed = acts.basis[of] == BASIS_KERNEL and bool(acts.flags[of] & FLAG_ASSUMED)
                pool = int(acts.how[of, HOW.index("pool")])
                tails.append(
                    (acts.facts[of].tolist(), acts.booked[of].tolist(), acts.delta[of].tolist(), assumed, pool)
                )
        return tails

    some = _picked(acts, own)
    again = decide_again(originals, some, policies, settle)
    found = compare(some, again)
    altered = {int(some.claim[row]): (again.booked[row], again.delta[row]) for row in found}
    excuse_refunds(some, found, altered)
    between = [int(at) for at in range(len(own)) if _lies_behind_others(batch, int(rows[own[at]]))]
    chain = Chain(_openings(batch, tokens))
    broken = chain.check(some, again, found)
    found |= {at: each for at, each in broken.items() if at not in found and at not in between}
    return list(found.values())


def _lies_behind_others(batch: Batch, row: int) -> bool:
    odd = batch.odd.get(row)
    return odd is not None and odd.before is not None and odd.expected is None


def _openings(batch: Batch, tokens: set[int]) -> Openings:
    token, year = np.asarray(batch.year("token"), np.int64), np.asarray(batch.year("benefit_year"), np.int64)
    account = np.asarray(batch.year("account"), np.int64)
    values = np.column_stack([np.asarray(batch.year(name), np.int64) for name in ACCUMULATORS])
    rows = np.flatnonzero(np.isin(token, list(tokens))).tolist()
    return Openings(
        {int(token[row]) * YEARS + int(year[row]): tuple(values[row].tolist()) for row in rows},
        {int(token[row]): int(account[row]) for row in rows},
    )


def _stack(batch: Batch, names: Sequence[str]) -> Ints:
    return np.column_stack([batch.ints(name) for name in names])


def acts_of_rows(batch: Batch, rows: Ints, digests: Sequence[bytes], booked: Ints) -> Acts:
    """Returns some rows of a batch as acts, their starts worked out from what each person-year began with."""
    given = batch.given(booked.copy())[rows]
    head = {name: batch.ints(name)[rows] for name in HEAD}
    none = np.zeros(len(rows), np.int64)
    gather = load("gather").gather
    texts = {name: Texts(*gather((batch.text(name),), none, rows)) for name in ACT_TEXTS}
    policy = texts_from_list([digests[at] for at in batch.ints("policy")[rows].tolist()])
    delta = _stack(batch, DELTAS)[rows]
    return Acts(
        **head | {"reversed": head["reversed"] != 0},
        facts=np.ascontiguousarray(_stack(batch, FACTS)[rows]),
        given=np.ascontiguousarray(given),
        present=(batch.ints("present")[rows] >= 0).astype(np.int64),
        booked=np.ascontiguousarray(booked[rows]),
        before=_befores(batch, rows, delta),
        delta=delta,
        how=_stack(batch, HOWS)[rows],
        policy=policy,
        texts=texts,
    )


def _befores(batch: Batch, rows: Ints, delta: Ints) -> Ints:
    """Returns the accumulators each act records as its start."""
    slot, carried = batch.ints("slot")[rows] - batch.first_year, batch.ints("carried")[rows]
    starts = np.column_stack([np.asarray(batch.year(name), np.int64) for name in ACCUMULATORS])
    now: dict[int, Ints] = {}
    out = np.zeros((len(rows), len(ACCUMULATORS)), np.int64)
    for at, row in enumerate(rows.tolist()):
        if carried[at]:
            continue
        key = int(slot[at])
        odd = batch.odd.get(row)
        start = now.get(key, starts[key]) if odd is None or odd.before is None else np.array(odd.before, np.int64)
        out[at] = start
        now[key] = start + delta[at]
    return out


def _picked(acts: Acts, rows: Ints) -> Acts:
    """Returns some of the acts."""
    none = np.zeros(len(rows), np.int64)
    gather = load("gather").gather
    arrays = (
        *HEAD, "facts", "given", "present", "booked", "before", "delta", "how"
    )  # fmt: skip
    return Acts(
        **{name: np.ascontiguousarray(getattr(acts, name)[rows]) for name in arrays},
        policy=Texts(*gather((acts.policy,), none, rows)),
        texts={name: Texts(*gather((each,), none, rows)) for name, each in acts.texts.items()},
    )


assert len(LINE_INTS) == 4 and len(HOW) == len(HOWS) and AMOUNT
