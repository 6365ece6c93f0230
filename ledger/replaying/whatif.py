"""Settles a period under another policy and says what changes: totals, who gains and loses, every claim.

Acts keep their order and what was filed and registered; the accumulators start where they stood and are carried through
every period asked for. What a source settled stays what was paid at the counter. A claim the other policy has no rule
for is refused, as it would be in a store filed under it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS, FACT
from core_ext.text import text_at
from ledger.replaying.changing import Changes, Part, Worker, groups_of
from ledger.replaying.consulting import Consulted, changed_keys, never_consulted
from ledger.replaying.deciding import Settle
from ledger.replaying.divided import Stays
from ledger.replaying.planning import CasePlans
from ledger.replaying.threads import in_order
from ledger.resettled import booked_anew
from ledger.segments.reading import Segment

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.replaying.correcting import Touched
    from ledger.store import Reader

#: How many of the largest changes are listed.
LARGEST = 20

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


class Correction(NamedTuple):
    """Is who books what is found: given every batch's changes, and ``beside`` them acts that change no amount but move
    other years than they did, and claims that were booked anew before."""

    changed: Callable[[Changes], None]
    beside: Callable[[Changes], None]


@dataclass(slots=True)
class _Sum:
    acts: int = 0
    by_source: int = 0
    refused: int = 0
    changed: int = 0
    totals: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    totals_new: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    persons: list[int] = field(default_factory=lambda: [0] * 4)
    largest: list[ChangedClaim] = field(default_factory=list)

    def add(self, part: Part) -> None:
        self.acts += part.acts
        self.by_source += part.by_source
        self.refused += part.refused
        self.changed += len(part.changes)
        self.totals = [a + b for a, b in zip(self.totals, part.totals, strict=True)]
        self.totals_new = [a + b for a, b in zip(self.totals_new, part.totals_new, strict=True)]
        self.persons = [a + b for a, b in zip(self.persons, part.persons, strict=True)]
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
    reader: "Reader | None" = None,
    correction: Correction | None = None,
) -> WhatIf:
    """Returns what a segment would be with other documents in force; ``instead`` gives the digest by region.

    ``policies`` knows the documents. ``touched`` decides some claims by what registers say now. Each of ``sinks`` is
    given every batch's changes, in order. Stays divided between years are decided from what the log records of them:
    ``reader`` is of the log that has them; raises StoreError where there are such, and none is given. A ``correction``
    is given the changes, and what it has to look at beside them.
    """
    segment = Segment(folder)
    plans = CasePlans(policies, segment.cases, segment.policies, instead)
    # Where every act is asked about under other documents, only a correction looks at what was booked anew.
    looks = correction is not None or not plans.other.all()
    standing = booked_anew(reader) if reader is not None and looks else {}
    stays = Stays(reader, policies, segment, [plans], standing)
    total = _Sum()
    asked = f"{sorted(periods)} {sorted((region, digest.hex()) for region, digest in instead.items())} {kernel.hex()}"
    asked += f" register {touched.position}" if touched is not None else ""
    # A hash a table, so that it is of no account how a segment is cut into batches.
    hashes = [hashlib.sha256() for _ in range(3)]
    workers: list[Worker] = []
    correcting = correction is not None
    parts = in_order(
        folder, lambda own: Worker(own, plans, stays, settle, touched, standing, correcting), Worker.work, workers,
        threads, progress,
    )  # fmt: skip
    for part in parts:
        total.add(part)
        tables = (part.changes.claim, part.changes.code, part.changes.new)
        for taken, table in zip(hashes, tables, strict=True):
            taken.update(np.ascontiguousarray(table, "<i8").data)
        for sink in sinks:
            sink(part.changes)
        if correction is not None:
            correction.changed(part.changes)
            if part.beside is not None:
                correction.beside(part.beside)
    digest = hashlib.sha256(" ".join([asked, *(each.hexdigest() for each in hashes)]).encode()).hexdigest()
    groups = tuple(Group(by, code, *line) for (by, code), line in sorted(groups_of(workers, segment.cases).items()))
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
        groups, tuple(total.largest), digest, tuple(changed), tuple(never),
    )  # fmt: skip
