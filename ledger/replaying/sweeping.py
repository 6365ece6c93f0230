"""Settles periods under many policies in one pass: each batch is read once and decided under one after the other.

A person none of whose acts has another plan comes out as booked, so only the others are decided. What was not decided
as booked by its own policy is always decided again: a sweep finds, variant by variant, what ``whatif`` finds.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import AMOUNTS, FACT, FACTS
from core_ext.settling import SKIP
from ledger.events import BASIS_SOURCE
from ledger.replaying.changing import persons_of, sums_of
from ledger.replaying.columns import Marks, persons_with
from ledger.replaying.deciding import Decided, Decider, Input, interrupted, limited
from ledger.replaying.planning import CasePlans
from ledger.replaying.threads import in_order
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import Ints

if TYPE_CHECKING:
    from ledger.plans import PolicyBook


class Swept(msgspec.Struct, frozen=True):
    """Is what periods would be under one policy of a sweep; ``totals`` in the order of AMOUNTS, fen.

    ``settings`` are the grid's values of the sweep's ``keys``. Persons gain where their own part falls, as in WhatIf.
    """

    name: str
    settings: tuple[str, ...]
    policy: str
    regions: tuple[int, ...]
    changed: int
    refused: int
    totals: tuple[int, ...]
    persons_gaining: int
    persons_losing: int
    gained_fen: int
    lost_fen: int


class Sweep(msgspec.Struct, frozen=True):
    """Is what periods would be under each of many policies; ``totals`` are as booked, fen.

    ``digest`` names what was asked and every variant's totals.
    """

    periods: tuple[int, ...]
    keys: tuple[str, ...]
    acts: int
    by_source: int
    totals: tuple[int, ...]
    variants: tuple[Swept, ...]
    digest: str


class Question(msgspec.Struct, frozen=True):
    """Is one policy to settle by: its name, the grid's values, and the digest of its document by region."""

    name: str
    settings: tuple[str, ...]
    instead: dict[int, bytes]


#: What a batch adds to a variant: changed, refused, four figures of persons, then the amounts.
_FIGURES = 6


class _Worker:
    def __init__(self, own: CasePlans, variants: Sequence[CasePlans]) -> None:
        self._decider = Decider()
        self._own = own
        self._variants = variants
        self._lanes = load("lanes")

    def work(self, batch: Batch) -> tuple[int, int, list[int], list[list[int]]]:
        """Returns acts, acts by their source, booked totals, and what each variant came to, of one batch."""
        facts = self._decider.wide(batch, FACTS, "facts")
        before = self._own.of(batch)
        given = self._decider.read(batch, facts, before)
        start = (given.kind.copy(), given.state.copy(), given.accounts.copy())
        old = self._decider.wide(batch, AMOUNTS, "old")
        broken = interrupted(batch, given)
        found = self._decider.decide(batch, given, self._own.plans)
        own = (batch.ints("carried") == 0) & (found.kind != SKIP)
        differ = self._changed(batch, found, own)
        totals, token = sums_of(old, own), np.ascontiguousarray(facts[:, FACT["token"]])
        lines = []
        for plans in self._variants:
            plan = plans.of(batch)
            moved = differ | (plan != before)
            if not moved.any():
                lines.append([0] * _FIGURES + totals)
                continue
            rows = None if broken else persons_with(token, moved)
            found = self._again(batch, given, start, plan, rows, plans.plans)
            lines.append(self._line(batch, found, own if rows is None else own & rows, old, token, totals))
        by_source = int((own & (batch.ints("basis") == BASIS_SOURCE)).sum())
        return int(own.sum()), by_source, totals, lines

    def _again(
        self, batch: Batch, given: Input, start: tuple[Ints, Ints, Ints], plan: Ints, rows: Marks | None, plans: Ints
    ) -> Decided:
        """Returns a batch decided under another policy from the same start: wholly, or the persons of some rows."""
        kind, state, accounts = start
        given.kind, given.plan = kind.copy(), plan
        given.state[:], given.accounts[:] = state, accounts
        if rows is None:
            return self._decider.decide(batch, given, plans)
        given.kind[~rows] = SKIP
        return self._decider.decide_at_once(given, limited(batch, given, plans))

    def _changed(self, batch: Batch, found: Decided, own: Marks) -> Marks:
        marks = np.zeros(len(batch), np.uint8)
        self._lanes.differing([batch.lane(name) for name in AMOUNTS], 0, len(batch), found.booked, marks)
        changed: Marks = own & ((marks != 0) | (found.code != 0))
        return changed

    def _line(self, batch: Batch, found: Decided, own: Marks, old: Ints, token: Ints, totals: list[int]) -> list[int]:
        changed = self._changed(batch, found, own)
        rows = np.flatnonzero(changed)
        refused = int((own & (found.code != 0)).sum())
        everyone = np.ones(len(rows), np.bool_)
        less, more = sums_of(old[rows], everyone), sums_of(found.booked[rows], everyone)
        moved = [total + new - was for total, new, was in zip(totals, more, less, strict=True)]
        return [len(rows), refused, *persons_of(token, old, found.booked, changed), *moved]


def sweep(
    folder: Path,
    policies: "PolicyBook",
    questions: Sequence[Question],
    *,
    periods: Sequence[int],
    keys: Sequence[str] = (),
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Sweep:
    """Returns what a segment would be under each policy asked about; ``policies`` knows their documents."""
    segment = Segment(folder)

    def plans(instead: Mapping[int, bytes] | None) -> CasePlans:
        return CasePlans(policies, segment.cases, segment.policies, instead)

    own, variants = plans(None), [plans(each.instead) for each in questions]
    acts = by_source = 0
    totals = [0] * len(AMOUNTS)
    sums = [[0] * (_FIGURES + len(AMOUNTS)) for _ in questions]
    for part in in_order(folder, lambda _: _Worker(own, variants), _Worker.work, [], threads, progress):
        acts, by_source = acts + part[0], by_source + part[1]
        totals = [a + b for a, b in zip(totals, part[2], strict=True)]
        sums = [[a + b for a, b in zip(*each, strict=True)] for each in zip(sums, part[3], strict=True)]
    found = tuple(_swept(each, line) for each, line in zip(questions, sums, strict=True))
    said = msgspec.json.encode((sorted(periods), acts, by_source, totals, found))
    return Sweep(
        tuple(sorted(periods)), tuple(keys), acts, by_source, tuple(totals), found, hashlib.sha256(said).hexdigest()
    )


def _swept(asked: Question, line: Sequence[int]) -> Swept:
    changed, refused, gaining, losing, gained, lost = line[:_FIGURES]
    return Swept(
        asked.name, asked.settings, next(iter(asked.instead.values())).hex(), tuple(sorted(asked.instead)),
        changed, refused, tuple(line[_FIGURES:]), gaining, losing, gained, lost,
    )  # fmt: skip
