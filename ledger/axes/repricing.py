"""Prices acts under other documents in commit order and yields, act by act, what that changes.

The acts are those of a segment that reaches back to the beginning of the log, so accumulators run from the openings.
What was booked anew falls away for the regions asked about: the corrected price is what is asked for. A refund takes
back in full what its claim is priced at; what a source settled stays as it was paid.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core_ext.kernels import load
from core_ext.layout import AMOUNTS, FACT, FACTS, HOW
from core_ext.settling import REFUND, SKIP, SOURCE, SOURCE_UNCHECKED
from ledger.acts import Acts
from ledger.events import BASIS_KERNEL, BASIS_RESETTLED
from ledger.plan_rows import pools_of
from ledger.refusals import StoreError
from ledger.replaying.comparing import acts_of_rows
from ledger.replaying.deciding import Decided, Decider, Input, Settle, limited
from ledger.replaying.divided import Stays
from ledger.replaying.falling import own_originals
from ledger.replaying.planning import CasePlans
from ledger.replaying.threads import in_order
from ledger.replaying.turning import Turns
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import DELTAS, Ints

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader

_POOLED = AMOUNTS.index("hifp_pay")
_MONEY = slice(FACT["medfee_sumamt"], len(FACTS))


@dataclass(slots=True)
class Counts:
    """Is how many acts were asked about, how many change, and how many settlements have no rule there."""

    acts: int = 0
    changed: int = 0
    unpriced: int = 0
    by_source: int = 0
    anew: int = 0


class _Worker:
    def __init__(
        self, segment: Segment, own: CasePlans, other: CasePlans, stays: Stays, only: int, settle: Settle | None
    ) -> None:
        self._stays = stays
        self._decider = Decider(settle)
        self._kernel: Settle = settle or load("settle").settle
        self._segment, self._own, self._other, self._only = segment, own, other, only

    def work(self, batch: Batch) -> tuple[list[Acts], Counts]:
        """Returns the changes of one batch as acts that book them (as a claim booked anew does), and the counts."""
        for row, odd in batch.odd.items():
            if odd.expected is not None:
                raise StoreError(
                    f"position {int(batch.ints('position')[row])}: expected its person as the act before left them,"
                    " got another start: run verify"
                )
        facts = self._decider.wide(batch, FACTS, "facts")
        case, claim = batch.ints("case"), batch.ints("claim")
        asked = self._other.other[case]
        plan = self._other.of(batch)
        if self._only:
            asked = asked & (claim == self._only)
            plan = np.where(asked, plan, self._own.of(batch))
        given = self._decider.read(batch, facts, plan)
        ref = own_originals(batch, given.ref)
        given.ref = ref
        # A refund negates what its claim is priced at here, not what it was once paid.
        given.lenient[:] = 1
        given.kind[batch.ints("carried") != 0] = SKIP
        given.kind[(given.kind == SOURCE) & (plan < 0)] = SOURCE_UNCHECKED
        plans = limited(batch, given, self._other.plans)
        found = self._decider.decide_at_once(given, plans)
        if self._stays.of(batch) is not None:
            self._turned(batch, given, plan, asked, found)
        own = batch.ints("carried") == 0
        anew = own & (batch.ints("basis") == BASIS_RESETTLED)
        stored = self._decider.wide(batch, AMOUNTS, "stored")
        change = found.booked - stored
        change[~own] = 0
        change[anew] = np.where(asked[anew, None], -stored[anew], 0)
        # Who pays may change with the policy too: then the whole amount moves from one pool to the other.
        pool, stood = pools_of(self._other.plans, plan, facts), batch.ints("how_pool")
        pool = np.where(ref >= 0, pool[ref], pool)
        moved = own & ~anew & (pool != stood) & ((found.booked != 0).any(axis=1) | (stored != 0).any(axis=1))
        change[moved] = found.booked[moved]
        rows = np.flatnonzero((change != 0).any(axis=1) | moved)
        settled = own & asked & ~anew
        counts = Counts(
            int(settled.sum()),
            len(rows),
            int((settled & (found.code != 0) & (given.kind != REFUND)).sum()),
            int((settled & (batch.ints("basis") != BASIS_KERNEL) & (given.kind != REFUND)).sum()),
            int((anew & asked).sum()),
        )
        pages = [self._acts(batch, rows, change, facts, ref, np.where(moved, pool, stood))] if len(rows) else []
        if moved.any():
            pages.append(self._acts(batch, np.flatnonzero(moved), -stored, facts, ref, stood))
        if len(last := _corrected_into_another_pool(batch, anew & asked)):
            # A correction that moved a claim to another pool gave all of it back to the one before.
            for rows, sign in ((last[:, 0], -1), (last[:, 1], 1)):
                table = np.zeros_like(stored)
                table[rows, _POOLED] = sign * last[:, 2]
                pages.append(self._acts(batch, rows, table, facts, ref, stood))
        return pages, counts

    def _turned(
        self,
        batch: Batch,
        given: Input,
        plan: Ints,
        asked: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
        found: Decided,
    ) -> None:
        """Decides the persons with stays that are divided between years again, act by act."""

        def plans_of(row: int) -> CasePlans:
            return self._other if not self._only or asked[row] else self._own

        turns = Turns(self._stays, batch, given, plan, plans_of, settle=self._kernel, from_start=True)
        stored = self._decider.wide(batch, AMOUNTS, "stored").copy()
        turns.decide(found, stored, self._decider.wide(batch, DELTAS, "own_delta"))

    def _acts(self, batch: Batch, rows: Ints, change: Ints, facts: Ints, ref: Ints, pool: Ints) -> Acts:
        acts = acts_of_rows(batch, rows, self._segment.policies, change)
        how = acts.how.copy()
        how[:, HOW.index("pool")] = pool[rows]
        kept = acts.facts.copy()
        kept[:, _MONEY] = 0
        # A refund counts with the service it takes back.
        of = ref[rows]
        kept[of >= 0, FACT["enddate"]] = facts[of[of >= 0], FACT["enddate"]]
        n = len(rows)
        return replace(
            acts,
            facts=kept,
            how=how,
            basis=np.full(n, BASIS_RESETTLED, np.int64),
            flags=np.zeros(n, np.int64),
            reversed=np.zeros(n, np.bool_),
        )


def _corrected_into_another_pool(batch: Batch, anew: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Ints:
    """Returns (row of the pool it went to, row of the pool it left, what that had paid, fen) of such corrections."""
    stood, found = batch.ints("how_pool"), []
    if not anew.any():
        return np.zeros((0, 3), np.int64)
    claim, original = batch.ints("claim"), batch.ints("original")
    paid = batch.ints(AMOUNTS[_POOLED])
    insutype = batch.ints("insutype")
    own = np.flatnonzero((batch.ints("carried") == 0) & (batch.ints("basis") != BASIS_RESETTLED))
    row_of = dict(zip(claim[own].tolist(), own.tolist(), strict=True))
    held: dict[int, tuple[int, int]] = {}
    for row in np.flatnonzero(anew).tolist():
        of = int(original[row])
        before, fen = held.get(of, (row_of[of], int(paid[row_of[of]])))
        if (stood[row] or insutype[row]) != (stood[before] or insutype[before]):
            found.append((row, before, fen))
        held[of] = (row, fen + int(paid[row]))
    return np.array(found, np.int64).reshape(len(found), 3)


def repriced(
    folder: Path,
    policies: "PolicyBook",
    instead: Mapping[int, bytes],
    counts: Counts,
    *,
    only: int = 0,
    settle: Settle | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    reader: "Reader | None" = None,
) -> Iterator[Acts]:
    """Yields what a segment's acts change by under other documents; ``instead`` gives the digest by region.

    An empty digest stands for no policy at all. Changes are acts that book them, fen, as a claim booked anew does.
    With ``only``, the position of a ClaimFiled, every other claim keeps its own policy. ``reader`` as in ``what_if``.
    """
    segment = Segment(folder)
    own = CasePlans(policies, segment.cases, segment.policies)
    other = CasePlans(policies, segment.cases, segment.policies, instead)
    stays = Stays(reader, policies, segment, [own, other])
    parts = in_order(
        folder, lambda mine: _Worker(mine, own, other, stays, only, settle), _Worker.work, [], threads, progress
    )
    for pages, part in parts:
        for name in Counts.__slots__:
            setattr(counts, name, getattr(counts, name) + getattr(part, name))
        yield from pages
