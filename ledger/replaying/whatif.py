"""Settles a period under another policy and says what changes: totals, who gains and loses, every claim.

Acts keep their order and what was filed and registered; the accumulators start where they stood and are carried through
every period asked for. What a source settled stays what was paid at the counter. A claim the other policy has no rule
for is refused, as it would be in a store filed under it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.settling import SKIP
from core_ext.text import Texts, text_at
from ledger.events import BASIS_SOURCE
from ledger.plans import pools_of
from ledger.replaying.consulting import Consulted, changed_keys, never_consulted
from ledger.replaying.deciding import Decided, Decider, Settle
from ledger.replaying.planning import CasePlans
from ledger.replaying.threads import in_order
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import Ints

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.replaying.correcting import Touched

#: How many of the largest changes are listed.
LARGEST = 20

_KEYS = {"region": "insured_region", "psn_type": "psn_type", "med_type": "med_type", "insutype": "insutype"}
_PART, _FUND = AMOUNT["psn_part_amt"], AMOUNT["fund_pay_sumamt"]


class Group(msgspec.Struct, frozen=True):
    """Is the acts of one kind, as they are and as they would be: ``by`` what, its code, how many and how many change,
    what funds pay in all and what persons pay themselves, fen."""

    by: str
    code: int
    acts: int
    changed: int
    fund_fen: int
    fund_new_fen: int
    personal_fen: int
    personal_new_fen: int


class ChangedClaim(msgspec.Struct, frozen=True):
    """Is one claim that would be settled otherwise, fen; ``refusal`` where the policy has no rule for it."""

    claim: int
    setl_id: str
    region: int
    fund_fen: int
    fund_new_fen: int
    personal_fen: int
    personal_new_fen: int
    refusal: int


class WhatIf(msgspec.Struct, frozen=True):
    """Is what a period would be under another policy, or by what registers say now (``policy`` is then empty).

    ``totals`` and ``totals_new`` are in the order of AMOUNTS, fen.
    A person gains where their own part falls: ``gained_fen`` and ``lost_fen`` are sums over persons of what they pay
    less and more. ``by_source`` acts are what their source settled, which no policy changes; ``refused`` claims have
    no rule there. ``digest`` names this replay: what was asked, and every changed claim's new amounts.
    """

    periods: tuple[int, ...]
    policy: str
    regions: tuple[int, ...]
    acts: int
    changed: int
    refused: int
    by_source: int
    totals: tuple[int, ...]
    totals_new: tuple[int, ...]
    persons_gaining: int
    persons_losing: int
    gained_fen: int
    lost_fen: int
    groups: tuple[Group, ...]
    largest: tuple[ChangedClaim, ...]
    digest: str
    #: The keys in which the policies differ, and whether any act consults them; parameters no act can consult.
    keys: tuple[Consulted, ...]
    never_consulted: tuple[str, ...]


@dataclass(slots=True)
class Changes:
    """Is the changed acts of one batch: rows of tables, in order of persons, then of the log."""

    claim: Ints
    position: Ints
    basis: Ints
    period: Ints
    facts: Ints
    old: Ints
    new: Ints
    code: Ints
    before: Ints
    delta: Ints
    balc: Ints
    how: Ints
    year: Ints
    policy: list[bytes]
    setl_id: Texts

    def __len__(self) -> int:
        """Returns the number of changed acts."""
        return len(self.claim)


@dataclass(slots=True)
class _Batched:
    """Is what one batch came to."""

    acts: int
    by_source: int
    refused: int
    totals: list[int]
    totals_new: list[int]
    persons: tuple[int, int, int, int]
    groups: dict[tuple[str, int], list[int]]
    changes: Changes


class _Worker:
    def __init__(
        self, segment: Segment, plans: CasePlans, settle: Settle | None, touched: "Touched | None" = None
    ) -> None:
        self._decider = Decider(settle)
        self._touched = touched
        self._plans = plans
        self._lanes, self._fold = load("lanes"), load("fold")
        self._segment = segment

    def work(self, batch: Batch) -> _Batched:
        """Returns what a batch would be under the other policy."""
        n = len(batch)
        facts = self._decider.wide(batch, FACTS, "facts")
        case = batch.ints("case")
        plan, assist = self._plans.of(batch), batch.ints("how_assist_class")
        if self._touched is not None:
            self._touched.plan(batch, facts, plan, assist)
        found = self._decider.decide(batch, self._decider.read(batch, facts, plan), self._plans.plans)
        marks = np.zeros(n, np.uint8)
        self._lanes.differing([batch.lane(name) for name in AMOUNTS], 0, n, found.booked, marks)
        own = (batch.ints("carried") == 0) & (found.kind != SKIP)
        changed = own & ((marks != 0) | (found.code != 0))
        old = self._decider.wide(batch, AMOUNTS, "old")
        return _Batched(
            int(own.sum()),
            int((own & (batch.ints("basis") == BASIS_SOURCE)).sum()),
            int((own & (found.code != 0)).sum()),
            sums_of(old, own),
            sums_of(found.booked, own),
            persons_of(facts[:, FACT["token"]], old, found.booked, changed),
            self._groups(facts, old, found.booked, own, changed),
            self._changes(batch, found, facts, case, assist, plan, np.flatnonzero(changed)),
        )

    def _groups(
        self, facts: Ints, old: Ints, new: Ints, own: "Marks", changed: "Marks"
    ) -> dict[tuple[str, int], list[int]]:
        rows = slice(None) if own.all() else np.flatnonzero(own)
        values = np.column_stack(
            [np.ones(len(old), np.int64), changed, old[:, _FUND], new[:, _FUND], old[:, _PART], new[:, _PART]]
        )[rows]
        found: dict[tuple[str, int], list[int]] = {}
        for by, name in _KEYS.items():
            keys = np.ascontiguousarray(facts[rows, FACT[name]].reshape(-1, 1))
            group, first = self._fold.group(keys)
            sums = np.zeros((len(first), values.shape[1]), np.int64)
            self._fold.fold(group, np.ascontiguousarray(values, np.int64), sums)
            for code, line in zip(keys[first, 0].tolist(), sums.tolist(), strict=True):
                found[by, code] = line
        return found

    def _changes(
        self, batch: Batch, found: Decided, facts: Ints, case: Ints, assist: Ints, plan: Ints, rows: Ints
    ) -> Changes:
        none = np.zeros(len(rows), np.int64)
        setl_id = Texts(*load("gather").gather((batch.text("setl_id"),), none, rows))
        head = {name: batch.ints(name)[rows] for name in ("claim", "position", "basis", "period", "year")}
        how = found.how[rows]
        # What was looked up stays, and what a disease's limit left; the pool is the other policy's.
        for name in ("hosp_lv", "psn_type", "age", "limit"):
            how[:, HOW.index(name)] = batch.ints(f"how_{name}")[rows]
        how[:, HOW.index("assist_class")] = assist[rows]
        how[:, HOW.index("pool")] = pools_of(self._plans.plans, plan[rows], facts[rows])
        return Changes(
            **head,
            facts=facts[rows],
            old=np.column_stack([batch.ints(name)[rows] for name in AMOUNTS]),
            new=found.booked[rows],
            code=found.code[rows],
            before=found.before[rows],
            delta=found.delta[rows],
            balc=found.balc[rows],
            how=how,
            policy=[self._plans.digest_of(each) for each in case[rows].tolist()],
            setl_id=setl_id,
        )


Marks = np.ndarray[tuple[int], np.dtype[np.bool_]]


def sums_of(table: Ints, own: Marks) -> list[int]:
    """Returns column sums, exact beyond 64 bits."""
    rows = table if own.all() else table[own]
    return [sum(column.tolist()) if np.abs(column).max(initial=0) >= 2**46 else int(column.sum()) for column in rows.T]


def persons_of(token: Ints, old: Ints, new: Ints, changed: Marks) -> tuple[int, int, int, int]:
    """Returns how many persons pay less, how many more, and how much less and more they pay."""
    rows = np.flatnonzero(changed)
    if not len(rows):
        return 0, 0, 0, 0
    persons, at = np.unique(token[rows], return_inverse=True)
    gains = np.zeros(len(persons), np.int64)
    np.add.at(gains, at, old[rows, _PART] - new[rows, _PART])
    return int((gains > 0).sum()), int((gains < 0).sum()), int(gains[gains > 0].sum()), int(-gains[gains < 0].sum())


@dataclass(slots=True)
class _Sum:
    acts: int = 0
    by_source: int = 0
    refused: int = 0
    changed: int = 0
    totals: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    totals_new: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    persons: list[int] = field(default_factory=lambda: [0] * 4)
    groups: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    largest: list[ChangedClaim] = field(default_factory=list)

    def add(self, part: _Batched) -> None:
        self.acts += part.acts
        self.by_source += part.by_source
        self.refused += part.refused
        self.changed += len(part.changes)
        self.totals = [a + b for a, b in zip(self.totals, part.totals, strict=True)]
        self.totals_new = [a + b for a, b in zip(self.totals_new, part.totals_new, strict=True)]
        self.persons = [a + b for a, b in zip(self.persons, part.persons, strict=True)]
        for key, line in part.groups.items():
            have = self.groups.get(key)
            self.groups[key] = line if have is None else [a + b for a, b in zip(have, line, strict=True)]
        self.largest = sorted(self.largest + _largest(part.changes), key=_size)[:LARGEST]


def _size(each: ChangedClaim) -> tuple[int, int]:
    return -abs(each.personal_new_fen - each.personal_fen), each.claim


def _largest(changes: Changes) -> list[ChangedClaim]:
    moved = np.abs(changes.new[:, _PART] - changes.old[:, _PART])
    rows = np.lexsort((changes.claim, -moved))[:LARGEST]
    return [
        ChangedClaim(
            int(changes.claim[row]), text_at(changes.setl_id, row), int(changes.facts[row, FACT["insured_region"]]),
            int(changes.old[row, _FUND]), int(changes.new[row, _FUND]), int(changes.old[row, _PART]),
            int(changes.new[row, _PART]), int(changes.code[row]),
        )
        for row in rows.tolist()
    ]  # fmt: skip


def what_if(
    folder: Path,
    policies: "PolicyBook",
    instead: Mapping[int, bytes],
    *,
    periods: Sequence[int],
    kernel: bytes,
    sinks: Sequence[Callable[[Changes], None]] = (),
    settle: Settle | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    touched: "Touched | None" = None,
) -> WhatIf:
    """Returns what a segment would be with other documents in force; ``instead`` gives the digest by region.

    ``policies`` knows the documents. ``touched`` decides some claims by what registers say now. Each of ``sinks`` is
    given every batch's changes, in order.
    """
    segment = Segment(folder)
    plans = CasePlans(policies, segment.cases, segment.policies, instead)
    total = _Sum()
    asked = f"{sorted(periods)} {sorted((region, digest.hex()) for region, digest in instead.items())} {kernel.hex()}"
    asked += f" register {touched.position}" if touched is not None else ""
    digest = hashlib.sha256(asked.encode())
    parts = in_order(folder, lambda own: _Worker(own, plans, settle, touched), _Worker.work, [], threads, progress)
    for part in parts:
        total.add(part)
        for table in (part.changes.claim, part.changes.code, part.changes.new):
            digest.update(np.ascontiguousarray(table, "<i8").data)
        for sink in sinks:
            sink(part.changes)
    groups = tuple(Group(by, code, *line) for (by, code), line in sorted(total.groups.items()))
    gaining, losing, gained, lost = total.persons
    changed, never = [], []
    for document in dict.fromkeys(instead.values()):
        new = policies.policy_named(document)
        assert new is not None, "the documents asked about are known to the book"
        changed += changed_keys(segment, policies, plans, new, document)
        never += never_consulted(segment.cases[plans.other], new)
    return WhatIf(
        tuple(sorted(periods)), next(iter(instead.values()), b"").hex(), tuple(sorted(instead)), total.acts,
        total.changed,
        total.refused, total.by_source, tuple(total.totals), tuple(total.totals_new), gaining, losing, gained, lost,
        groups, tuple(total.largest), digest.hexdigest(), tuple(changed), tuple(never),
    )  # fmt: skip
