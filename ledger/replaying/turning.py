"""Decides stays over the turn of a benefit year under other policies, in turn with every other act of their persons.

Such a stay moves several person-years, so a batch's tables do not hold what it is decided from. Its person's acts are
decided one after the other: a stay that is divided by the specification (``ledger.stays.settling``), part by part, all
others by the kernel. Whether a stay is divided is what the policy asked about says, not what the one of its day said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, HOW, padded
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE
from ledger.events import BASIS_KERNEL, BASIS_RESETTLED
from ledger.plan_rows import with_limits
from ledger.refusals import Refusal
from ledger.replaying.outcomes import Outcome, PartAnew, moved_by_year
from ledger.segments.shape import HOWS, Ints
from ledger.stays.replaying import divided_rows
from ledger.stays.settling import Question, hows_of, settle, tables_of

if TYPE_CHECKING:
    from ledger.replaying.columns import Marks
    from ledger.replaying.deciding import Decided, Input, Settle
    from ledger.replaying.divided import Stays
    from ledger.replaying.planning import CasePlans
    from ledger.segments.reading import Batch
    from ledger.stays.dividing import Part

_ACCT = AMOUNT["acct_pay"]


@dataclass(slots=True)
class Filed:
    """Is what registers say now of claims they were told of late: filing types, assistance classes and ages by row."""

    mask: Mapping[int, int]
    assist: Ints
    age: Ints


@dataclass(slots=True)
class _Person:
    """Is one person on the way through the acts of a batch: what years and account hold, and what the log had then."""

    state: dict[int, list[int]] = field(default_factory=dict)
    recorded: dict[int, list[int]] = field(default_factory=dict)
    #: What the last ordinary act of a year left, as the log has it.
    left: dict[int, list[int]] = field(default_factory=dict)
    account: int | None = None
    held: int = 0
    #: What each act decided here moves, by year, and its year.
    moved: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    #: What corrections that fall away moved in years that no act here has met yet.
    fallen: dict[int, list[int]] = field(default_factory=dict)

    def meet(self, year: int, recorded: Sequence[int]) -> None:
        """Takes over what moved a year since its last act here, as the log has it."""
        if year not in self.state:
            fallen = self.fallen.pop(year, [0] * len(recorded))
            self.state[year] = [value - fell for value, fell in zip(recorded, fallen, strict=True)]
            self.recorded[year] = list(recorded)
        for at, value in enumerate(recorded):
            self.state[year][at] += value - self.recorded[year][at]
        self.recorded[year] = list(recorded)

    def meet_account(self, balance: int) -> None:
        """Takes over what moved the account since the last act here."""
        self.account = balance if self.account is None else self.account + balance - self.held
        self.held = balance

    def add(self, row: int, moves: dict[int, list[int]], paid: int) -> None:
        """Moves years and the account by what an act is decided to."""
        self.moved[row] = moves
        assert self.account is not None
        self.account -= paid
        for year, delta in moves.items():
            self.state[year] = [a + b for a, b in zip(self.state[year], delta, strict=True)]

    def book(self, moves: dict[int, list[int]], paid: int) -> None:
        """Moves what the log had by what it booked."""
        self.held -= paid
        for year, delta in moves.items():
            of = self.recorded if year in self.recorded else self.fallen
            of[year] = [a + b for a, b in zip(of.get(year, [0] * len(delta)), delta, strict=True)]


class Turns:
    """Decides the acts of such persons in a batch and puts the outcome into the tables of a ``Decided``.

    ``plans_of`` gives the policies asked about for a row, ``plan`` its plan under them, ``falls`` the corrections that
    fall away. With ``from_start`` all do: years and account move by the acts decided here alone.
    """

    def __init__(
        self,
        stays: "Stays",
        batch: "Batch",
        given: "Input",
        plan: Ints,
        plans_of: "Callable[[int], CasePlans]",
        *,
        settle: "Settle | None" = None,
        filed: Filed | None = None,
        falls: "Marks | None" = None,
        from_start: bool = False,
    ) -> None:
        self._stays, self._batch, self._given, self._plan, self._plans_of = stays, batch, given, plan, plans_of
        self._book, self._filed, self._falls, self._from_start = stays.policies, filed, falls, from_start
        self._settle: Callable[..., None] = settle or load("settle").settle
        self._basis = batch.ints("basis")
        self._case, self._claim, self._year = batch.ints("case"), batch.ints("claim"), batch.ints("year")
        self._was_divided = divided_rows(self._basis, batch.ints("flags"))
        self._token, self._carried = batch.ints("token"), batch.ints("carried")
        self._balc, self._limit = batch.ints("balc"), batch.ints("how_limit")
        self._years = [np.asarray(batch.year(name), np.int64) for name in ("token", "benefit_year", *ACCUMULATORS)]
        keys = zip(self._years[0].tolist(), self._years[1].tolist(), strict=True)
        self._starts = {key: at for at, key in enumerate(keys)}
        #: What settlements come to in each of their years, by row.
        self.outcomes: dict[int, Outcome] = {}

    def decide(self, found: "Decided", stored: Ints, moved: Ints) -> None:
        """Decides every act of the persons with such stays, in order.

        ``stored`` is what the log booked, ``moved`` what that added to the act's own year.
        """
        for person in np.intersect1d(self._token, self._stays.tokens).tolist():
            own, mine = _Person(), self._token == person
            rows = np.flatnonzero(mine & (self._carried == 0))
            for row in rows.tolist():
                if self._basis[row] != BASIS_RESETTLED:
                    self._act(own, row, found, stored[row].tolist(), moved[row].tolist())
                elif self._falls is not None and self._falls[row]:
                    own.book(self._booked(row, moved[row].tolist()), int(stored[row, _ACCT]))

    def _booked(self, row: int, moved: list[int]) -> dict[int, list[int]]:
        """Returns what the log has an act move, by year; ``moved`` is that of its own."""
        told = self._stays.recorded.get(int(self._claim[row]))
        return {int(self._year[row]): moved} | {part.year: padded(part.delta) for part in (told.parts if told else ())}

    def _act(self, own: _Person, row: int, found: "Decided", stored: list[int], moved: list[int]) -> None:
        year, claim = int(self._year[row]), int(self._claim[row])
        told = self._stays.recorded.get(claim)
        booked = self._booked(row, moved)
        starts = self._stays.started.get(claim, {}) | {year: self._before(own, row, year)}
        starts |= {part.year: padded(part.before) for part in (told.parts if told else ())}
        self._meet(own, starts, int(self._balc[row]) + stored[_ACCT])
        kind = int(self._given.kind[row])
        if self._was_divided[row]:
            kind = COMPUTE if self._basis[row] == BASIS_KERNEL else SOURCE
        facts, plans = found.facts[row : row + 1], self._plans_of(row)
        pinned = (plans.policy[self._case[row : row + 1]], plans.digests)
        divides = kind in (COMPUTE, SOURCE) and bool(self._book.pinned_divided(facts, pinned)[0])
        if kind == REFUND:
            self._refund(own, row, found, booked, stored)
        elif divides:
            self._stay(own, row, kind, found, plans, (stored, booked))
        elif kind != SKIP:
            if self._was_divided[row]:
                year = int(self._book.pinned_years(facts, pinned)[0])
            self._one(own, row, kind, year, found)
            self.outcomes[row] = Outcome(year, None, (), False)
        if row in self.outcomes and row in own.moved:
            changes = moved_by_year(booked, own.moved[row])
            self.outcomes[row] = self.outcomes[row]._replace(moved=any(map(any, changes.values())))
        own.book(booked, stored[_ACCT])
        if not self._was_divided[row]:
            own.left[int(self._year[row])] = own.recorded[int(self._year[row])]

    def _before(self, own: _Person, row: int, year: int) -> list[int]:
        """Returns the accumulators that an act records as its year's start."""
        if self._was_divided[row]:
            return self._stays.recorded[int(self._claim[row])].before
        odd = self._batch.odd.get(row)
        if odd is not None and odd.before is not None:
            return odd.before
        if year in own.left:
            return own.left[year]
        at = self._starts[int(self._token[row]), year]
        return [int(column[at]) for column in self._years[2:]]

    def _meet(self, own: _Person, starts: dict[int, list[int]], balance: int) -> None:
        """Takes over what moved the years and the account of an act since the acts decided here."""
        for year, start in starts.items():
            if not self._from_start or year not in own.state:
                own.meet(year, start)
        if not self._from_start or own.account is None:
            own.meet_account(balance)

    def _one(self, own: _Person, row: int, kind: int, year: int, found: "Decided") -> None:
        """Decides an act that moves one year by the kernel."""
        one, zero = np.ones(1, np.int64), np.zeros(1, np.int64)
        wide = {name: np.zeros((1, len(names)), np.int64) for name, names in _TABLES}
        state, account = np.array([own.state[year]], np.int64), np.array([own.account], np.int64)
        code, balc = zero.copy(), zero.copy()
        at = slice(row, row + 1)
        limit = np.array([int(self._limit[row])], np.int64)
        table, plan = with_limits(self._book.plans, self._plan[at].copy(), limit)
        self._settle(
            table, plan, found.facts[at].copy(), self._given.given[at].copy(), one * kind, -one,
            zero.copy(), self._given.lenient[at].copy(), zero.copy(), state, zero.copy(), account,
            code, wide["booked"], wide["computed"], wide["before"], wide["delta"], balc, wide["how"],
        )  # fmt: skip
        self._put(found, row, int(code[0]), {name: each[0].tolist() for name, each in wide.items()}, int(balc[0]))
        if not code[0]:
            own.add(row, {year: wide["delta"][0].tolist()}, int(wide["booked"][0, _ACCT]))

    def _refund(
        self, own: _Person, row: int, found: "Decided", booked: dict[int, list[int]], stored: list[int]
    ) -> None:
        """Takes back what the settlement that a refund names was decided to here, or was booked with elsewhere."""
        of = int(self._given.ref[row])
        amounts, moves, code = stored, booked, 0
        if of in own.moved:
            amounts = [-fen for fen in found.booked[of].tolist()]
            moves = {year: [-value for value in delta] for year, delta in own.moved[of].items()}
        elif of >= 0 and self._carried[of] == 0:
            amounts, moves, code = [0] * len(AMOUNTS), {}, int(Refusal.REFUND_UNKNOWN)
        last = max(moves, default=int(self._year[row]))
        before = list(own.state.get(last, ()))
        if not code:
            own.add(row, moves, amounts[_ACCT])
        delta = moves.get(last, [0] * len(ACCUMULATORS))
        outcome = {"booked": amounts, "computed": amounts, "before": before, "delta": delta}
        self._put(found, row, code, outcome, own.account or 0)

    def _stay(
        self,
        own: _Person,
        row: int,
        kind: int,
        found: "Decided",
        plans: "CasePlans",
        was: tuple[list[int], dict[int, list[int]]],
    ) -> None:
        """Decides a stay part by part; ``was`` is what it is booked with, which a source's keeps without a rule."""
        case = int(self._case[row])
        policy = self._book.policy_named(plans.digest_of(case))
        assert policy is not None, "a document that divides stays is known"
        how = np.array([int(np.asarray(self._batch.lane(name))[row]) for name in HOWS], np.int64)
        if self._filed is not None:
            how[HOW.index("assist_class")], how[HOW.index("age")] = self._filed.assist[row], self._filed.age[row]
        level, psn_type = (int(how[HOW.index(name)]) for name in ("hosp_lv", "psn_type"))
        facts = found.facts[row]
        parts, table, _ = tables_of(policy.header, facts, level, psn_type)
        hows = self._hows(row, parts, table, how, plans)
        plan = plans.of_parts(case, table, hows, self._mask(row))
        if (plan < 0).any() and kind == SOURCE and self._from_start:
            amounts, moves = was
            own.add(row, moves, amounts[_ACCT])
            self._put(found, row, 0, {"booked": amounts, "computed": amounts}, own.account or 0)
            return
        if (plan < 0).any():
            self._put(found, row, int(Refusal.NO_POLICY), {}, 0)
            return
        given = self._given.given[row].tolist() if kind == SOURCE else None
        assert own.account is not None
        years = [list(own.state[part.year]) for part in parts]
        again = settle(Question(parts, facts.tolist(), given, self._book.plans, plan.tolist(), years, own.account))
        if again.code:
            self._put(found, row, again.code, {}, 0)
            return
        own.add(row, {part.year: each.delta for part, each in zip(parts, again.parts, strict=True)},
                again.booked[_ACCT])  # fmt: skip
        named = hows_of(again, self._book.plans, plan.tolist(), facts, hows)
        before = tuple(
            PartAnew(part, each.amounts, start, each.delta, of)
            for part, each, start, of in zip(parts[:-1], again.parts, years, named, strict=False)
        )
        self.outcomes[row] = Outcome(parts[-1].year, named[-1], before, False)
        outcome = {"booked": again.booked, "computed": again.computed, "before": years[-1], "how": again.how}
        self._put(found, row, 0, outcome | {"delta": again.parts[-1].delta}, again.balance)

    def _mask(self, row: int) -> int | None:
        """Returns the filing types that registers say now counted for a claim; None: as the segment has it."""
        return None if self._filed is None else self._filed.mask.get(row)

    def _hows(self, row: int, parts: "Sequence[Part]", table: Ints, own: Ints, plans: "CasePlans") -> Ints:
        """Returns what each part is decided by: its own class of filing where it records one, the age of its last day.

        The age is that of the register's day of birth, where this gives the age recorded.
        """
        how = np.repeat(own.reshape(1, -1), len(parts), axis=0)
        told = self._stays.recorded.get(int(self._claim[row]))
        for at, part in enumerate(told.parts if told else ()):
            if at < len(parts) - 1 and part.year == parts[at].year:
                how[at, HOW.index("filing")] = part.how[HOW.index("filing")]
        ages = how[:, HOW.index("age")]
        born = self._stays.born.get(int(self._token[row]), 0)
        if ages.any() and born:
            digest = plans.digest_of(int(self._case[row]))
            day = self._book.pinned_days(table, (np.zeros(len(parts), np.int64), [digest]))
            found = 1 + day // 10_000 - born // 10_000 - (day % 10_000 < born % 10_000)
            if found[-1] == ages[-1]:
                how[:, HOW.index("age")] = found
        return how

    def _put(self, found: "Decided", row: int, code: int, outcome: Mapping[str, Sequence[int]], balance: int) -> None:
        found.code[row], found.balc[row] = code, balance
        for name, _ in _TABLES:
            table = getattr(found, name)
            if row < len(table):
                values = list(outcome.get(name, ()))
                table[row] = 0
                table[row, : len(values)] = values


_TABLES = (
    ("booked", AMOUNTS), ("computed", AMOUNTS), ("before", ACCUMULATORS), ("delta", ACCUMULATORS), ("how", HOW)
)  # fmt: skip
