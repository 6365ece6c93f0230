"""Moves persons' years and accounts by claims that are booked anew, one after the other, and makes their events."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, FACTS, HOW, padded
from core_ext.plan import RANGE
from ledger.acts import ACT_TEXTS
from ledger.event import Event
from ledger.events import BASIS_RESETTLED, FLAG_DIVIDED, ClaimFiled, ClaimSettled
from ledger.keys import YEARS, stay_stream
from ledger.originals import hospital_of, pool_of
from ledger.refusals import Refusal, Refused
from ledger.replaying.events import ClaimResettled
from ledger.replaying.outcomes import PartAnew, moved_by_year
from ledger.stays.events import StayPartCounted

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.verbs.base import Base


class Change(msgspec.Struct):
    """Is one claim to be booked anew; ``parts`` are those of a divided stay in the years before ``year``."""

    claim: int
    period: int
    policy: bytes
    amounts: tuple[int, ...]
    start: tuple[int, ...]
    contribution: tuple[int, ...]
    balance_fen: int
    how: tuple[int, ...]
    year: int
    parts: tuple[PartAnew, ...] = ()

    def by_year(self) -> dict[int, list[int]]:
        """Returns what the claim adds to each year it counts in."""
        return {self.year: padded(self.contribution)} | {of.part.year: padded(of.added) for of in self.parts}


class Standing(NamedTuple):
    """Is a claim to be booked anew and what stands of it: its decision, the parts counted in other years, by which
    event it stands (``original``), and its stream with the last version."""

    change: Change
    filed: ClaimFiled
    decision: ClaimSettled
    parts: Sequence[StayPartCounted]
    original: int
    stream: str
    version: int

    def by_year(self) -> dict[int, list[int]]:
        """Returns what stands of the claim in each year it counts in."""
        return stood_by_year(self.decision, self.parts)

    def years(self) -> list[int]:
        """Returns the years in which the claim counts or will."""
        return sorted({*self.by_year(), *self.change.by_year()})


def stood_by_year(decision: ClaimSettled, parts: Sequence[StayPartCounted]) -> dict[int, list[int]]:
    """Returns what stands of a claim in each year it counts in."""
    return {decision.year: padded(decision.delta)} | {part.year: padded(part.added) for part in parts}


class Years:
    """Is the accumulators and accounts that the claims booked anew move, one after the other."""

    def __init__(self, ledger: "Base", tx: "Transaction", changes: Sequence[Standing]) -> None:
        self._ledger, self._tx = ledger, tx
        keys = sorted({each.filed.token * YEARS + year for each in changes for year in each.years()})
        tokens = sorted({each.filed.token for each in changes})
        self._keys, self._tokens = np.array(keys, np.int64), np.array(tokens, np.int64)
        self._versions, self._values = ledger.knowledge.person_years.load(tx, self._keys)
        self._values = self._values.copy()
        self._accounts = tx.load_accounts(self._tokens)
        self._row = {key: at for at, key in enumerate(keys)}
        self._holder = {token: at for at, token in enumerate(tokens)}
        streams = [stay_stream(token) for token in tokens]
        self._stays = dict.fromkeys(streams, 0) | tx.stream_heads(streams)

    def events(
        self, cause: int, position: int, each: Standing, period: int, replay: bytes
    ) -> list[tuple[str, int, Event]]:
        """Returns the events of one change, the first at ``position``, and moves its person's years and account."""
        change, filed, stands = each.change, each.filed, each.decision
        moves = moved_by_year(each.by_year(), change.by_year())
        at = AMOUNT["acct_pay"]
        holder = self._holder[filed.token]
        balance = int(self._accounts[holder]) - (change.amounts[at] - stands.amounts[at])
        before = {year: self._move(filed, year, delta) for year, delta in moves.items()}
        if not -RANGE <= balance < RANGE:
            raise _too_large(filed)
        self._accounts[holder] = balance
        facts = {name: getattr(filed, name) for name in (*FACTS, *ACT_TEXTS)}
        divided = FLAG_DIVIDED if len(moves) > 1 else stands.flags & FLAG_DIVIDED
        event = ClaimResettled(
            cause=cause, row=0, claim=change.claim, original=each.original, basis=BASIS_RESETTLED, period=period,
            policy=change.policy, flags=divided, amounts=change.amounts, balc=balance,
            before=tuple(before[change.year]), delta=tuple(moves[change.year]), how=change.how, year=change.year,
            **facts, reversed=stands.amounts, start=change.start, contribution=change.contribution,
            balance_fen=change.balance_fen, replay=replay, replaced=stands.policy,
            reversed_pool=pool_of(stands.how), reversed_hospital_fen=hospital_of(stands.how),
        )  # fmt: skip
        anew = {of.part.year: of for of in change.parts}
        stream = stay_stream(filed.token)
        events: list[tuple[str, int, Event]] = [(each.stream, each.version + 1, event)]
        for year in moves:
            if year != change.year:
                self._stays[stream] += 1
                head = (cause, 0, filed.token, position, year)
                part = _counted(head, anew.get(year), tuple(before[year]), tuple(moves[year]))
                events.append((stream, self._stays[stream], part))
        return events

    def _move(self, filed: ClaimFiled, year: int, delta: list[int]) -> list[int]:
        """Moves a year and returns what it held."""
        row = self._row[filed.token * YEARS + year]
        before: list[int] = self._values[row].tolist()
        after = [a + b for a, b in zip(before, delta, strict=True)]
        if any(not -RANGE <= fen < RANGE for fen in after):
            raise _too_large(filed)
        self._values[row] = after
        self._versions[row] += 1
        return before

    def save(self) -> None:
        """Writes the accumulators and accounts back."""
        self._ledger.knowledge.person_years.save(self._tx, self._keys, self._versions, self._values)
        self._tx.save_accounts(self._tokens, self._accounts)


def _too_large(filed: ClaimFiled) -> Refused:
    return Refused(Refusal.ARITHMETIC_OVERFLOW, f"claim {filed.setl_id}: its person's year leaves the range")


def _counted(
    head: tuple[int, int, int, int, int], of: PartAnew | None, before: tuple[int, ...], delta: tuple[int, ...]
) -> StayPartCounted:
    """Returns a part that is booked anew; None: the stay counts no more in that year.

    ``head`` is the event's cause, row, token, claim and year.
    """
    if of is None:
        none, nothing = (0,) * len(AMOUNTS), (0,) * len(ACCUMULATORS)
        return StayPartCounted(*head, 0, 0, 0, 0, none, before, delta, (0,) * len(HOW), nothing, nothing)
    part = of.part
    return StayPartCounted(
        *head, part.begin, part.end, part.days, part.of_days, tuple(of.amounts), before, delta,
        tuple(of.how), tuple(of.start), tuple(of.added),
    )  # fmt: skip
