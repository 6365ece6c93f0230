"""Settles a batch of a segment under another policy: what it sums to, and every act that changes, as it would be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.kernels import load
from core_ext.layout import AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.replaying import VALUES, Changed, changed_tables
from core_ext.settling import SKIP
from core_ext.text import Texts, texts_taken
from ledger.events import BASIS_REFUND, BASIS_SOURCE
from ledger.plan_rows import pools_of
from ledger.replaying.columns import Marks, acts_of, apart_of, kinds_of, persons_with
from ledger.replaying.deciding import Decider, Settle, asked_about
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

    ``beside`` is what a correction has to look at beside the changes that the kernel decided: acts that move other
    years than they did, or were booked anew since, whether their amounts change or a source settled them.
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


class Worker:
    """Settles batches one after the other in tables of its own, and sums them by kind: one a thread.

    Unbroken histories are decided by the replay kernel, those set apart in tables; with a ``settle`` given, or claims
    that registers ``touched``, all are. ``anew``, claims that were booked anew, are given where a correction asks.
    """

    def __init__(
        self,
        segment: Segment,
        plans: CasePlans,
        stays: "Stays",
        settle: Settle | None,
        touched: "Touched | None" = None,
        anew: Ints | None = None,
    ) -> None:
        self._anew = anew
        self._decider = Decider(settle, unasked=("computed",))
        self._touched, self._stays, self._own_settle = touched, stays, settle
        self._in_tables = settle is not None or touched is not None
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
        if (again := self._booked_anew(batch)) is not None and again.any():
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
            self._changes(batch, out, slice(changed), plan, _told(batch), rows, {}),
        )
        return part if apart is None else _joined(part, self._by_tables(batch.of_rows(apart)), np.flatnonzero(apart))

    def _tables(self, n: int) -> Changed:
        if len(self._out.rows) < n:
            self._out = changed_tables(n + n // 4)
        return Changed(*(table[:n] for table in self._out))

    def _booked_anew(self, batch: Batch) -> Marks | None:
        """Returns the acts that were booked anew since; None where no correction asks."""
        return None if self._anew is None else np.isin(np.asarray(batch.lane("claim")), self._anew)

    def _by_tables(self, batch: Batch) -> Part:
        n = len(batch)
        facts = self._decider.wide(batch, FACTS, "facts")
        plan, told = self._plans.of(batch), _told(batch)
        filed, asked = None, self._plans.other[batch.ints("case")]
        if self._touched is not None:
            filed = Filed(self._touched.plan(batch, facts, plan, *told), *told)
            asked[list(filed.mask)] = True
        given = self._decider.read(batch, facts, plan)
        given.ref, falls = own_originals(batch, given.ref, asked), falling(batch, asked)
        found = self._decider.decide(batch, given, self._plans.plans, falls)
        outcomes: dict[int, Outcome] = {}
        if self._stays.of(batch) is not None:
            turns = Turns(
                self._stays,
                batch,
                given,
                plan,
                lambda _: self._plans,
                settle=self._own_settle,
                filed=filed,
                falls=falls,
            )
            turns.decide(found, picked(batch, AMOUNTS, np.arange(n)), picked(batch, DELTAS, np.arange(n)))
            outcomes = turns.outcomes
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
        beside = None
        if (again := self._booked_anew(batch)) is not None:
            again[[row for row, outcome in outcomes.items() if outcome.moved]] = True
            basis = batch.ints("basis")
            again &= own & asked & (found.code == 0) & (basis != BASIS_REFUND)
            others = np.flatnonzero(again & (~changed | (basis == BASIS_SOURCE)))
            beside = self._changes(batch, found, others, plan, told, others, outcomes)
        return Part(
            int(own.sum()),
            int((own & (batch.ints("basis") == BASIS_SOURCE)).sum()),
            int((own & (found.code != 0)).sum()),
            sums_of(old, own),
            sums_of(new, own),
            persons_of(facts[:, FACT["token"]], old, new, changed),
            rows,
            self._changes(batch, found, rows, plan, told, rows, outcomes),
            beside,
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
        outcomes: dict[int, Outcome],
    ) -> Changes:
        """Returns the rows ``at`` of the tables found as changes of the batch's ``rows``; ``outcomes`` by row."""
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
            policy=[self._plans.digest_of(each) for each in np.asarray(batch.lane("case"))[rows].tolist()],
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
