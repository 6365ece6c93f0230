"""Settles periods under many policies in one pass: each batch is read once and decided under one after the other.

A person none of whose acts has another plan comes out as booked, so only the others are decided. What was not decided
as booked by its own policy is always decided again: a sweep finds, variant by variant, what ``whatif`` finds.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import AMOUNTS, FACT, FACTS
from core_ext.settling import SKIP
from ledger.events import BASIS_SOURCE
from ledger.replaying.changing import persons_of, picked, sums_of
from ledger.replaying.columns import Marks, acts_of, apart_of, kinds_of
from ledger.replaying.deciding import Decided, Decider, asked_about
from ledger.replaying.divided import Stays
from ledger.replaying.falling import falling, own_originals
from ledger.replaying.planning import CasePlans
from ledger.replaying.threads import in_order
from ledger.replaying.turning import Turns
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import DELTAS, Ints

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader


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

#: Variants settled in one call: their plans are a number an act and variant.
_TOGETHER = 64

#: Acts, acts by their source, booked totals and the figures of each variant.
_Part = tuple[int, int, list[int], list[list[int]]]


class _Worker:
    """Settles batches under every variant: unbroken histories by the replay kernel, those set apart in tables."""

    def __init__(self, own: CasePlans, variants: Sequence[CasePlans], stays: Stays) -> None:
        self._decider = Decider(unasked=("computed", "before", "how"))
        self._own = own
        self._variants, self._stays = variants, stays
        self._lanes = load("lanes")
        self._sweep = load("replay").sweep

    def work(self, batch: Batch) -> _Part:
        """Returns acts, acts by their source, booked totals, and what each variant came to, of one batch."""
        kind, lenient = kinds_of(batch)
        apart = self._stays.with_theirs(batch, apart_of(batch, kind))
        if apart is not None:
            kind[apart] = SKIP
        plan = self._own.of(batch)
        acts, totals, lines = 0, [0] * len(AMOUNTS), []
        for first in range(0, len(self._variants), _TOGETHER):
            wanted = [variant.of(batch) for variant in self._variants[first : first + _TOGETHER]]
            taken = acts_of(batch, plan, kind, lenient)
            acts, totals, some = self._sweep(self._own.packed, taken, np.array(wanted, np.int64))
            lines += some
        by_source = int(((kind != SKIP) & (np.asarray(batch.lane("basis")) == BASIS_SOURCE)).sum())
        found = [
            [changed, refused, *persons, *(a + b for a, b in zip(totals, moved, strict=True))]
            for changed, refused, persons, moved in lines
        ]
        part = acts, by_source, totals, found
        return part if apart is None else _added(part, self._by_tables(batch.of_rows(apart)))

    def _by_tables(self, batch: Batch) -> _Part:
        facts = self._decider.wide(batch, FACTS, "facts")
        given = self._decider.read(batch, facts, self._own.of(batch))
        kind, state, accounts = given.kind.copy(), given.state.copy(), given.accounts.copy()
        ref, case = given.ref, batch.ints("case")
        old, token = self._decider.wide(batch, AMOUNTS, "old"), np.ascontiguousarray(facts[:, FACT["token"]])
        own = asked_about(batch, kind)
        totals, lines = sums_of(old, own), []
        for plans in self._variants:
            given.kind, given.plan = kind.copy(), plans.of(batch)
            given.state[:], given.accounts[:] = state, accounts
            plan = given.plan
            asked = plans.other[case]
            given.ref, falls = own_originals(batch, ref, asked), falling(batch, asked)
            found = self._decider.decide(batch, given, plans.plans, falls)
            if self._stays.of(batch) is not None:
                turns = Turns(self._stays, batch, given, plan, partial(_always, plans), falls=falls)
                turns.decide(found, old, picked(batch, DELTAS, np.arange(len(batch))))
            lines.append(self._line(batch, found, own, old, token, totals))
        by_source = int((own & (batch.ints("basis") == BASIS_SOURCE)).sum())
        return int(own.sum()), by_source, totals, lines

    def _line(self, batch: Batch, found: Decided, own: Marks, old: Ints, token: Ints, totals: list[int]) -> list[int]:
        marks = np.zeros(len(batch), np.uint8)
        self._lanes.differing([batch.lane(name) for name in AMOUNTS], 0, len(batch), found.booked, marks)
        changed: Marks = own & ((marks != 0) | (found.code != 0))
        rows = np.flatnonzero(changed)
        refused = int((own & (found.code != 0)).sum())
        everyone = np.ones(len(rows), np.bool_)
        less, more = sums_of(old[rows], everyone), sums_of(found.booked[rows], everyone)
        moved = [total + new - was for total, new, was in zip(totals, more, less, strict=True)]
        return [len(rows), refused, *persons_of(token, old, found.booked, changed), *moved]


def _always(plans: CasePlans, _: int) -> CasePlans:
    return plans


def _added(one: _Part, other: _Part) -> _Part:
    """Returns two parts of a batch as one."""
    lines = [[a + b for a, b in zip(*each, strict=True)] for each in zip(one[3], other[3], strict=True)]
    return one[0] + other[0], one[1] + other[1], [a + b for a, b in zip(one[2], other[2], strict=True)], lines


def sweep(
    folder: Path,
    policies: "PolicyBook",
    questions: Sequence[Question],
    *,
    periods: Sequence[int],
    keys: Sequence[str] = (),
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    reader: "Reader | None" = None,
) -> Sweep:
    """Returns what a segment would be under each policy asked about; ``policies`` knows their documents.

    ``reader`` as in ``what_if``.
    """
    segment = Segment(folder)

    def plans(instead: Mapping[int, bytes] | None) -> CasePlans:
        return CasePlans(policies, segment.cases, segment.policies, instead)

    own, variants = plans(None), [plans(each.instead) for each in questions]
    stays = Stays(reader, policies, segment, variants)
    acts = by_source = 0
    totals = [0] * len(AMOUNTS)
    sums = [[0] * (_FIGURES + len(AMOUNTS)) for _ in questions]
    for part in in_order(folder, lambda _: _Worker(own, variants, stays), _Worker.work, [], threads, progress):
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
