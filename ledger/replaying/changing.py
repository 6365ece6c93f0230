"""Settles a batch of a segment under another policy: what it sums to, and every act that changes, as it would be."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core_ext.kernels import load
from core_ext.layout import AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.replaying import VALUES, Changed, changed_tables
from core_ext.settling import SKIP
from core_ext.text import Texts, texts_taken
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_SOURCE
from ledger.plan_rows import pools_of
from ledger.replaying.columns import Marks, acts_of, apart_of, kinds_of, persons_with
from ledger.replaying.deciding import Decided, Decider, Settle, asked_about
from ledger.replaying.falling import falling, own_originals
from ledger.replaying.outcomes import Outcome
from ledger.replaying.planning import CasePlans
from ledger.replaying.turning import Filed, Turns
from ledger.segments.reading import Batch, Segment
from ledger.segments.shape import CASE_INTS, DELTAS, Ints

if TYPE_CHECKING:
    from ledger.replaying.correcting import Touched
    from ledger.replaying.divided import Stays

#: What acts are told apart by: the name of each kind, and of its column of FACTS.
KEYS = {"region": "insured_region", "psn_type": "psn_type", "med_type": "med_type", "insutype": "insutype"}

#: The kinds that an act's case says; its class of person may be a register's, and not the claim's own.
_OF_CASE = {"region": "region", "med_type": "med_type", "insutype": "insutype"}

_FUND, _PART = AMOUNT["fund_pay_sumamt"], AMOUNT["psn_part_amt"]

Groups = dict[tuple[str, int], list[int]]


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
    #: What the acts of persons with divided stays come to in each of their years, by the position of the ClaimFiled.
    outcomes: dict[int, Outcome]

    def __len__(self) -> int:
        """Returns the number of changed acts."""
        return len(self.claim)


@dataclass(slots=True)
class Part:
    """Is what one batch came to; ``rows`` numbers its changed acts.

    ``beside`` is what a correction has to look at beside the changes that the kernel decided: claims that count
    otherwise than they did or were booked anew since, and of persons with divided stays those a source settled.
    """

    acts: int
    by_source: int
    refused: int
    totals: list[int]
    totals_new: list[int]
    persons: tuple[int, ...]
    rows: Ints
    changes: Changes
    beside: Changes | None = None


class _Apart(NamedTuple):
    """Is a batch decided in tables: plans, assistance classes and ages, which acts are asked about, and by row what
    acts come to by year and the policies of those that are decided by what they stand under."""

    found: Decided
    plan: Ints
    told: tuple[Ints, Ints]
    asked: Marks
    outcomes: dict[int, Outcome]
    under: dict[int, bytes]


class Worker:
    """Settles batches one after the other in tables of its own, and sums them by kind: one a thread.

    Unbroken histories are decided by the replay kernel, those set apart in tables; with a ``settle`` given, claims
    that registers ``touched``, or for a correction, all are. ``standing`` is the policies that claims booked anew
    stand under: of persons asked about also claims that no other policy stands in for are decided by them.
    ``correcting`` asks for what a correction has to look at beside.
    """

    def __init__(
        self,
        segment: Segment,
        plans: CasePlans,
        stays: "Stays",
        settle: Settle | None,
        touched: "Touched | None" = None,
        standing: Mapping[int, bytes] | None = None,
        correcting: bool = False,
    ) -> None:
        self._standing, self._correcting = standing or {}, correcting
        self._anew = np.array(sorted(self._standing), np.int64)
        self._under = {digest: plans.under(digest) for digest in sorted(set(self._standing.values()))}
        self._decider = Decider(settle, unasked=("computed",))
        self._touched, self._stays, self._own_settle = touched, stays, settle
        self._in_tables = settle is not None or touched is not None or correcting
        self._plans = plans
        self._lanes, self._fold = load("lanes"), load("fold")
        self._change = load("replay").change
        self._out = changed_tables(0)
        self.by_case = np.zeros((len(segment.cases), len(VALUES)), np.int64)
        self.groups: Groups = {}

    def work(self, batch: Batch) -> Part:
        """Returns what a batch would be under the other policy."""
        if self._in_tables:
            return self._by_tables(batch)
        kind, lenient = kinds_of(batch)
        apart = self._stays.with_theirs(batch, apart_of(batch, kind))
        if self._standing and (again := self._booked_anew(batch)).any():
            theirs = persons_with(batch.ints("token"), again)
            apart = theirs if apart is None else apart | theirs
        if apart is not None:
            kind[apart] = SKIP
        plan = self._plans.of(batch)
        out = self._tables(len(batch))
        acts, totals, (changed, refused, persons, moved) = self._change(
            self._plans.packed, acts_of(batch, plan, kind, lenient), out
        )
        self._fold.fold(batch.ints("case"), out.values, self.by_case)
        self._add("psn_type", batch.ints("psn_type"), out.values)
        rows = out.rows[:changed].copy()
        part = Part(
            acts,
            int(((kind != SKIP) & (np.asarray(batch.lane("basis")) == BASIS_SOURCE)).sum()),
            refused,
            totals,
            [a + b for a, b in zip(totals, moved, strict=True)],
            persons,
            rows,
            self._changes(batch, out, slice(changed), plan, _told(batch), rows),
        )
        return part if apart is None else _joined(part, self._by_tables(batch.of_rows(apart)), np.flatnonzero(apart))

    def _tables(self, n: int) -> Changed:
        if len(self._out.rows) < n:
            self._out = changed_tables(n + n // 4)
        return Changed(*(table[:n] for table in self._out))

    def _booked_anew(self, batch: Batch) -> Marks:
        """Returns the acts that were booked anew since."""
        return np.isin(np.asarray(batch.lane("claim")), self._anew)

    def _as_standing(self, batch: Batch, asked: Marks) -> dict[int, bytes]:
        """Returns the policies of acts that are decided by what they stand under, by row; they are asked about too."""
        if not len(self._anew) or not asked.any():
            return {}
        rows = self._booked_anew(batch) & (batch.ints("carried") == 0) & persons_with(batch.ints("token"), asked)
        rows &= ~self._plans.other[batch.ints("case")]
        asked |= rows
        claims = batch.ints("claim")
        return {row: self._standing[int(claims[row])] for row in np.flatnonzero(rows).tolist()}

    def _decided(self, batch: Batch) -> "_Apart":
        """Returns a batch decided in tables, acts of persons with divided stays in turn."""
        facts = self._decider.wide(batch, FACTS, "facts")
        plan, told = self._plans.of(batch), _told(batch)
        filed, asked = None, self._plans.other[batch.ints("case")]
        if self._touched is not None:
            asked[self._touched.rows(batch)] = True
        under = self._as_standing(batch, asked)
        for digest in set(under.values()):
            rows = np.array([row for row, own in under.items() if own == digest], np.int64)
            plan[rows] = self._under[digest].of(batch)[rows]
        if self._touched is not None:
            filed = Filed(self._touched.plan(batch, facts, plan, told, under), *told)
        given = self._decider.read(batch, facts, plan)
        given.ref, falls = own_originals(batch, given.ref, asked), falling(batch, asked)
        found = self._decider.decide(batch, given, self._plans.plans, falls)
        outcomes: dict[int, Outcome] = {}
        if self._stays.of(batch) is not None:

            def plans_of(row: int) -> CasePlans:
                return self._under[under[row]] if row in under else self._plans

            turns = Turns(
                self._stays, batch, given, plan, plans_of, settle=self._own_settle, filed=filed, falls=falls
            )  # fmt: skip
            every = np.arange(len(batch))
            turns.decide(found, picked(batch, AMOUNTS, every), picked(batch, DELTAS, every))
            outcomes = turns.outcomes
        return _Apart(found, plan, told, asked, outcomes, under)

    def _beside(self, batch: Batch, of: "_Apart", own: Marks, changed: Marks) -> Changes | None:
        """Returns what a correction looks at beside the changes that the kernel decided; None where none asks."""
        if not self._correcting:
            return None
        again, basis = self._booked_anew(batch), batch.ints("basis")
        mine = own & (of.asked | ~again) & (of.found.code == 0) & (basis != BASIS_REFUND)
        moved = np.zeros(len(batch), np.uint8)
        self._lanes.differing([batch.lane(name) for name in DELTAS], 0, len(batch), of.found.delta, moved)
        moved[basis != BASIS_KERNEL] = 0
        for row, outcome in of.outcomes.items():
            moved[row] = outcome.moved
        rows = np.flatnonzero(mine & (again | (moved != 0)) & (~changed | (basis == BASIS_SOURCE)))
        return self._changes(batch, of.found, rows, of.plan, of.told, rows, of)

    def _by_tables(self, batch: Batch) -> Part:
        n = len(batch)
        of = self._decided(batch)
        found, facts = of.found, of.found.facts
        marks = np.zeros(n, np.uint8)
        self._lanes.differing([batch.lane(name) for name in AMOUNTS], 0, n, found.booked, marks)
        own = asked_about(batch, found.kind)
        changed = own & ((marks != 0) | (found.code != 0))
        old, new = self._decider.wide(batch, AMOUNTS, "old"), found.booked
        ones = np.ones(n, np.int64)
        values = np.column_stack([ones, changed, old[:, _FUND], new[:, _FUND], old[:, _PART], new[:, _PART]])
        values[~own] = 0
        for by, name in KEYS.items():
            self._add(by, facts[:, FACT[name]], values)
        rows = np.flatnonzero(changed)
        return Part(
            int(own.sum()),
            int((own & (batch.ints("basis") == BASIS_SOURCE)).sum()),
            int((own & (found.code != 0)).sum()),
            sums_of(old, own),
            sums_of(new, own),
            persons_of(facts[:, FACT["token"]], old, new, changed),
            rows,
            self._changes(batch, found, rows, of.plan, of.told, rows, of),
            self._beside(batch, of, own, changed),
        )

    def _add(self, by: str, key: Ints, values: Ints) -> None:
        """Adds up acts by the values of a column."""
        keys = np.ascontiguousarray(key.reshape(-1, 1))
        group, first = self._fold.group(keys)
        sums = np.zeros((len(first), len(VALUES)), np.int64)
        self._fold.fold(group, values, sums)
        add_groups(self.groups, by, keys[first, 0].tolist(), sums.tolist())

    def _changes(
        self,
        batch: Batch,
        found: Any,
        at: "slice | Ints",
        plan: Ints,
        told: tuple[Ints, Ints],
        rows: Ints,
        of: "_Apart | None" = None,
    ) -> Changes:
        """Returns the rows ``at`` of the tables found as changes of the batch's ``rows``.

        ``of`` says of some rows what they come to by year, and which policy they stand under.
        """
        outcomes, under = (of.outcomes, of.under) if of is not None else ({}, {})
        how, facts = found.how[at].copy(), picked(batch, FACTS, rows)
        # What was looked up stays, and what a disease's limit left; the pool is the other policy's.
        for name in ("hosp_lv", "psn_type", "limit"):
            how[:, HOW.index(name)] = np.asarray(batch.lane(f"how_{name}"))[rows]
        for name, values in zip(("assist_class", "age"), told, strict=True):
            how[:, HOW.index(name)] = values[rows]
        how[:, HOW.index("pool")] = pools_of(self._plans.plans, plan[rows], facts)
        head = {name: np.asarray(np.asarray(batch.lane(name))[rows], np.int64) for name in _HEAD}
        return Changes(
            **head,
            facts=facts,
            old=picked(batch, AMOUNTS, rows),
            new=found.booked[at].copy(),
            code=found.code[at].copy(),
            before=found.before[at].copy(),
            delta=found.delta[at].copy(),
            balc=found.balc[at].copy(),
            how=how,
            policy=[
                under.get(row) or self._plans.digest_of(case)
                for row, case in zip(rows.tolist(), np.asarray(batch.lane("case"))[rows].tolist(), strict=True)
            ],
            setl_id=texts_taken(batch.text("setl_id"), rows),
            outcomes={int(head["claim"][at]): outcomes[row] for at, row in enumerate(rows.tolist()) if row in outcomes},
        )


_HEAD = ("claim", "position", "basis", "period", "year")


def picked(batch: Batch, names: tuple[str, ...], rows: Ints) -> Ints:
    """Returns some rows of columns of acts as a table."""
    out = np.empty((len(rows), len(names)), np.int64)
    for at, name in enumerate(names):
        out[:, at] = np.asarray(batch.lane(name))[rows]
    return out


def _joined(one: Part, other: Part, number: Ints) -> Part:
    """Returns two parts of a batch as one, changes in order of rows; ``number``: the rows of the other."""
    rows = np.concatenate([one.rows, number[other.rows]])
    order = np.argsort(rows)
    values: dict[str, Any] = {}
    for each in fields(Changes):
        a, b = getattr(one.changes, each.name), getattr(other.changes, each.name)
        if each.name == "policy":
            both = a + b
            values[each.name] = [both[at] for at in order.tolist()]
        elif each.name == "outcomes":
            values[each.name] = a | b
        elif each.name == "setl_id":
            table = np.repeat([0, 1], [len(one.rows), len(other.rows)])[order]
            index = np.concatenate([np.arange(len(one.rows)), np.arange(len(other.rows))])[order]
            values[each.name] = Texts(*load("gather").gather((a, b), table, index))
        else:
            values[each.name] = np.concatenate([a, b])[order]
    return Part(
        one.acts + other.acts,
        one.by_source + other.by_source,
        one.refused + other.refused,
        [a + b for a, b in zip(one.totals, other.totals, strict=True)],
        [a + b for a, b in zip(one.totals_new, other.totals_new, strict=True)],
        tuple(a + b for a, b in zip(one.persons, other.persons, strict=True)),
        rows[order],
        Changes(**values),
        other.beside,
    )


def add_groups(groups: Groups, by: str, codes: Sequence[int], sums: Sequence[list[int]]) -> None:
    """Adds lines of sums to the groups of one kind; codes that no act has are left out."""
    for code, line in zip(codes, sums, strict=True):
        if line[0]:
            have = groups.get((by, code))
            groups[by, code] = line if have is None else [a + b for a, b in zip(have, line, strict=True)]


def groups_of(workers: Iterable[Worker], cases: Ints) -> Groups:
    """Returns what every worker summed, by kind and code."""
    groups: Groups = {}
    for worker in workers:
        for (by, code), line in worker.groups.items():
            add_groups(groups, by, [code], [line])
        for by, name in _OF_CASE.items():
            codes, at = np.unique(cases[:, CASE_INTS.index(name)], return_inverse=True)
            sums = np.zeros((len(codes), len(VALUES)), np.int64)
            load("fold").fold(np.ascontiguousarray(at, np.int64), worker.by_case, sums)
            add_groups(groups, by, codes.tolist(), sums.tolist())
    return groups


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


def _told(batch: Batch) -> tuple[Ints, Ints]:
    """Returns the assistance classes and ages that acts were decided by."""
    return batch.ints("how_assist_class"), batch.ints("how_age")
