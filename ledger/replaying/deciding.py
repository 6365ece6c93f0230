"""Runs the settle kernel over a batch of a segment: columns widened into tables that are used again and again."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, HOW
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE, SOURCE_UNCHECKED, Plans
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_RESETTLED, FLAG_ASSUMED, FLAG_NOT_CHECKED
from ledger.plan_rows import with_limits
from ledger.segments.reading import Batch
from ledger.segments.shape import DELTAS, Ints
from ledger.stays.replaying import divided_rows

if TYPE_CHECKING:
    from ledger.replaying.columns import Marks

Settle = Callable[..., None]

_OUT = (("booked", AMOUNTS), ("computed", AMOUNTS), ("before", ACCUMULATORS), ("delta", ACCUMULATORS), ("how", HOW))


@dataclass(slots=True)
class Decided:
    """Is a batch decided again, a row an act; rows that are no act of the period are not decided (``kind`` 0).

    ``state`` and ``accounts`` are what its person-years and persons have afterwards.
    """

    kind: Ints
    code: Ints
    booked: Ints
    computed: Ints
    before: Ints
    delta: Ints
    balc: Ints
    how: Ints
    state: Ints
    accounts: Ints
    facts: Ints


@dataclass(slots=True)
class Input:
    """Is what a batch is decided from; ``state`` and ``accounts`` are where its person-years and persons start."""

    kind: Ints
    plan: Ints
    facts: Ints
    given: Ints
    ref: Ints
    lenient: Ints
    slot: Ints
    holder: Ints
    state: Ints
    accounts: Ints


def limited(batch: Batch, given: Input, plans: Ints) -> Ints:
    """Returns plans in which an act under a disease's limit has one of its own: what it left is recorded with it."""
    if np.asarray(batch.lane("how_limit")).any():
        plans, given.plan = with_limits(plans, given.plan, batch.ints("how_limit"))
    return plans


def asked_about(batch: Batch, kind: Ints) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Returns the acts of the period that stand in its sums: decided again, or divided stays as they are booked."""
    divided = divided_rows(batch.ints("basis"), batch.ints("flags"))
    return np.asarray((batch.ints("carried") == 0) & ((kind != SKIP) | divided))


def interrupted(batch: Batch, given: Input) -> bool:
    """Returns whether a batch is no unbroken history: acts of other periods, or none to decide, lie in between."""
    skipped = bool((given.kind == SKIP).any())
    return skipped or bool(batch.ints("carried").any()) or bool(batch.ints("gap").any())


class Decider:
    """Decides batches one after the other in tables of its own: one a thread.

    Tables of ``unasked`` are not written for unbroken histories, and have no row then.
    """

    def __init__(self, settle: Settle | None = None, unasked: Collection[str] = ()) -> None:
        self._settle: Settle = settle or load("settle").settle
        self._pack: Callable[[Ints], Plans] | None = load("settle").packed if settle is None else None
        self._unasked = frozenset(unasked)
        self._lanes = load("lanes")
        self._tables: dict[str, Ints] = {}
        self._plans: Ints | None = None
        self._packed: Plans | None = None

    def table(self, name: str, rows: int, width: int = 0) -> Ints:
        """Returns a table to be overwritten: the same memory for every batch that fits."""
        held = self._tables.get(name)
        if held is None or len(held) < rows:
            size = max(rows, 1024) + rows // 4
            held = self._tables[name] = np.zeros((size, width) if width else size, np.int64)
        return held[:rows]

    def wide(self, batch: Batch, names: tuple[str, ...], table: str) -> Ints:
        """Returns columns of acts as rows, in a table of this decider."""
        out = self.table(table, len(batch), len(names))
        self._lanes.rows([batch.lane(name) for name in names], 0, len(batch), out)
        return out

    def read(self, batch: Batch, facts: Ints, plan: Ints) -> Input:
        """Returns what a batch was decided from; ``plan`` is the row of each act's plan, ``facts`` theirs."""
        n = len(batch)
        basis, flags = batch.ints("basis"), batch.ints("flags")
        kind = np.where(basis == BASIS_KERNEL, COMPUTE, SOURCE)
        kind[(flags & FLAG_NOT_CHECKED) != 0] = SOURCE_UNCHECKED
        kind[basis == BASIS_REFUND] = REFUND
        kind[(basis == BASIS_RESETTLED) | divided_rows(basis, flags)] = SKIP
        lenient = ((flags & FLAG_ASSUMED) != 0) & (basis == BASIS_KERNEL)
        # What a policy decides alone is decided from nothing that a source gave.
        given = self.table("given", n, len(AMOUNTS))
        if (kind != COMPUTE).any():
            given = batch.given(self.wide(batch, AMOUNTS, "given"))
        ref = batch.ints("ref")
        ref = np.where(ref > 0, np.arange(n) - ref, -1)
        years = batch.years.num_rows
        state = self.table("state", years, len(ACCUMULATORS))
        self._lanes.rows([batch.year(name) for name in ACCUMULATORS], 0, years, state)
        accounts = np.array(batch.year("account"), np.int64)
        slot, holder = batch.ints("slot") - batch.first_year, batch.ints("holder") - batch.first_year
        return Input(kind, plan, facts, given, ref, lenient.astype(np.int64), slot, holder, state, accounts)

    def decide(self, batch: Batch, given: Input, plans: Ints, falls: "Marks | None" = None) -> Decided:
        """Returns a batch decided again, each person-year from its start, in commit order.

        Where acts of other periods lie between two acts of a person, what they moved is taken over as it was booked;
        so is what claims were booked anew with, but for those corrections that ``falls`` marks.
        """
        plans = limited(batch, given, plans)
        if interrupted(batch, given):
            out = self._out(len(batch), given, frozenset())
            self._in_turns(batch, given, plans, out, falls)
            return out
        return self.decide_at_once(given, plans)

    def decide_at_once(self, given: Input, plans: Ints) -> Decided:
        """Returns unbroken histories decided again; rows of kind SKIP come out as nothing."""
        out = self._out(len(given.kind), given, self._unasked)
        refunded = self.table("refunded", len(given.kind))
        refunded[:] = 0
        self._settle(
            self._terms(plans), given.plan, given.facts, given.given, given.kind, given.ref, refunded, given.lenient,
            given.slot, given.state, given.holder, given.accounts,
            out.code, out.booked, out.computed, out.before, out.delta, out.balc, out.how,
        )  # fmt: skip
        return out

    def _terms(self, plans: Ints) -> Plans:
        """Returns plans packed, from the second batch under the same ones on; a book's plans stay what they are."""
        held = self._plans
        if held is None or len(held) != len(plans) or held.ctypes.data != plans.ctypes.data:
            self._plans, self._packed = plans, None
            return plans
        if self._packed is None and self._pack is not None:
            self._packed = self._pack(plans)
        return plans if self._packed is None else self._packed

    def _out(self, n: int, given: Input, unasked: Collection[str]) -> Decided:
        rows = {name: 0 if name in unasked else n for name, _ in _OUT}
        tables = {name: self.table(f"out_{name}", rows[name], len(names)) for name, names in _OUT}
        code, balc = self.table("code", n), self.table("balc", n)
        code[:] = 0
        return Decided(
            kind=given.kind,
            code=code,
            balc=balc,
            state=given.state,
            accounts=given.accounts,
            facts=given.facts,
            **tables,
        )

    def _in_turns(self, batch: Batch, given: Input, plans: Ints, into: Decided, falls: "Marks | None") -> None:
        """Decides a batch that is not one unbroken history: what moved between is added before each turn."""
        token, carried, gap = batch.ints("token"), batch.ints("carried"), batch.ints("gap")
        stored = self.wide(batch, AMOUNTS, "stored")
        moved = self.wide(batch, DELTAS, "moved")
        recorded, held = given.state.copy(), given.accounts.copy()
        tables: dict[str, Ints] = {name: getattr(into, name) for name, _ in _OUT}
        for table in tables.values():
            table[:] = 0
        tables["booked"][:], tables["delta"][:] = stored, moved
        run = np.cumsum(gap)
        first = np.searchsorted(token, token, "left")
        turn = run - np.where(first > 0, run[np.maximum(first - 1, 0)], 0)
        live = (carried == 0) & (given.kind != SKIP)
        given.kind[~live] = SKIP
        refunded = np.zeros(len(batch), np.int64)
        for number in range(int(turn.max()) + 1):
            rows = np.flatnonzero(live & (turn == number))
            if number:
                self._take_over(batch, given, rows[gap[rows] == 1], recorded, held)
            # Originals stand behind the rows of a turn: those of other periods, and those of turns before.
            asked = given.ref[rows]
            behind = np.unique(asked[(asked >= 0) & ~np.isin(asked, rows)])
            place = np.full(len(batch) + 1, -1, np.int64)
            both = np.concatenate([rows, behind])
            place[both] = np.arange(len(both))
            out = {name: np.ascontiguousarray(tables[name][rows]) for name in ("computed", "before", "how")}
            out |= {name: np.ascontiguousarray(tables[name][both]) for name in ("booked", "delta")}
            found, balance, done = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64), refunded[both]
            self._settle(
                plans, given.plan[rows], given.facts[both], given.given[both], given.kind[rows], place[asked], done,
                given.lenient[both], given.slot[rows], given.state, given.holder[rows], given.accounts,
                found, out["booked"], out["computed"], out["before"], out["delta"], balance, out["how"],
            )  # fmt: skip
            for name, values in out.items():
                tables[name][rows] = values[: len(rows)]
            into.code[rows], into.balc[rows], refunded[both] = found, balance, done
            if falls is not None:
                rows = np.flatnonzero((live | falls) & (turn == number))
            np.add.at(recorded, given.slot[rows], moved[rows])
            np.subtract.at(held, given.holder[rows], stored[rows, AMOUNT["acct_pay"]])

    def _take_over(self, batch: Batch, given: Input, rows: Ints, recorded: Ints, held: Ints) -> None:
        """Adds to a person-year and an account what moved since the act before, as the log has it."""
        balances = batch.ints("balc") + batch.ints("acct_pay")
        for row in rows.tolist():
            before = batch.odd[row].before
            assert before is not None
            slot, holder = int(given.slot[row]), int(given.holder[row])
            given.state[slot] += np.array(before, np.int64) - recorded[slot]
            recorded[slot] = before
            given.accounts[holder] += int(balances[row]) - held[holder]
            held[holder] = balances[row]
