"""Books what a replay found: each changed claim anew, into the open period, in one transaction."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import AMOUNT, FACTS, padded
from core_ext.plan import RANGE
from ledger.acts import ACT_TEXTS
from ledger.events import BASIS_KERNEL, BASIS_RESETTLED, ClaimFiled, ClaimSettled, Event, PeriodOpened
from ledger.keys import YEARS, claim_stream, period_stream
from ledger.manual.events import ManualOwed
from ledger.manual.owing import turned
from ledger.mapper import decode_event
from ledger.originals import hospital_of, pool_of
from ledger.refusals import Refusal, Refused
from ledger.replaying.asking import Asked, ask
from ledger.replaying.changing import Changes
from ledger.replaying.events import ClaimResettled
from ledger.replaying.whatif import WhatIf
from ledger.resettled import resettlements, standing

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.verbs.base import Base


class Booked(msgspec.Struct, frozen=True):
    """Is a replay booked: the what-if, and what became of its changed claims.

    ``booked`` stand anew in ``period`` from ``position`` on (0: none), ``already`` stood so; ``reversed`` had been
    refunded, ``recovered`` have money back by clawback, ``refused`` have no rule: those stay as they are.
    ``divided`` are divided between benefit years, in the log or by the policy: a claim booked anew moves one year, so
    those stay as well. ``fund_fen`` and ``account_fen`` are what the booked ones change; of ``by_hand`` of them, which
    were reimbursed by hand, persons are owed ``more_fen``, and have been or would be paid ``less_fen`` too much.
    """

    found: WhatIf
    position: int
    period: int
    booked: int
    already: int
    reversed: int
    recovered: int
    refused: int
    fund_fen: int
    account_fen: int
    divided: int = 0
    by_hand: int = 0
    more_fen: int = 0
    less_fen: int = 0


class _Change(msgspec.Struct):
    """Is one claim to be booked anew."""

    claim: int
    period: int
    policy: bytes
    amounts: tuple[int, ...]
    start: tuple[int, ...]
    contribution: tuple[int, ...]
    balance_fen: int
    how: tuple[int, ...]
    year: int


class _Counts(msgspec.Struct):
    #: Claims that are divided between years.
    left: list[int] = msgspec.field(default_factory=list)
    already: int = 0
    reversed: int = 0
    recovered: int = 0
    refused: int = 0
    fund_fen: int = 0
    account_fen: int = 0
    divided: int = 0
    by_hand: int = 0
    more_fen: int = 0
    less_fen: int = 0


def commit(ledger: "Base", asked: Asked, reason: str, diff: Path | None) -> Booked:
    """Books what a what-if finds; twice books once. Refused where the document was never enacted.

    Every claim that the kernel decided and the policy decides otherwise gets a ClaimResettled. What its source
    settled was paid at the counter and stays.
    """
    changes: list[_Change] = []
    counts = _Counts()
    found, digest, _ = ask(ledger, asked, diff, [lambda some: _collect(some, changes, counts)])
    with ledger.transaction() as tx:
        if asked.policy is not None and ledger.knowledge.policies.policy_named(digest) is None:
            raise Refused(
                Refusal.NOT_ALLOWED,
                f"{asked.policy}: expected a document that is enacted, got one the log does not have: enact it first,"
                " so that the log can say what the corrections stand under",
            )
        changes.sort(key=lambda change: change.claim)
        return _book(ledger, tx, asked, reason, found, changes, counts)


def _collect(some: Changes, into: list[_Change], counts: _Counts) -> None:
    """Keeps what the kernel decided and would decide otherwise."""
    counts.refused += int(((some.basis == BASIS_KERNEL) & (some.code != 0)).sum())
    counts.left += some.claim[(some.basis == BASIS_KERNEL) & (some.code == 0) & some.divided].tolist()
    for row in np.flatnonzero((some.basis == BASIS_KERNEL) & (some.code == 0) & ~some.divided).tolist():
        amounts = tuple(some.new[row].tolist())
        into.append(
            _Change(
                int(some.claim[row]), int(some.period[row]), some.policy[row], amounts,
                tuple(some.before[row].tolist()), tuple(some.delta[row].tolist()),
                int(some.balc[row]) + amounts[AMOUNT["acct_pay"]], tuple(some.how[row].tolist()), int(some.year[row]),
            )
        )  # fmt: skip


def _book(
    ledger: "Base",
    tx: "Transaction",
    asked: Asked,
    reason: str,
    found: WhatIf,
    changes: Sequence[_Change],
    counts: _Counts,
) -> Booked:
    """Appends one ClaimResettled a change that is not booked yet, and moves accumulators and accounts with them."""
    refunded = tx.reversals(counts.left) if counts.left else {}
    counts.reversed, counts.divided = len(refunded), len(counts.left) - len(refunded)
    standing_claims = _standing(ledger, tx, changes, counts)
    if not standing_claims:
        return _report(found, counts, 0, 0, 0)
    periods = ledger.knowledge.periods
    targets = {
        period: periods.period_for(period) for period in sorted({change.period for change, *_ in standing_claims})
    }
    opened = set(targets.values()) - periods.opened.keys()
    arguments = {
        "register": asked.register,
        "period": asked.first,
        "to": asked.last,
        "regions": list(found.regions),
        "replay": found.digest,
    }
    cause, command = ledger.command(
        tx, "replay --commit", reason, arguments, str(found.policy), bytes.fromhex(found.digest)
    )
    events: list[tuple[str, int, Event]] = [command]
    events += [(period_stream(period), 1, PeriodOpened(cause, 0, period)) for period in sorted(opened)]
    years = _Years(ledger, tx, standing_claims)
    acts: dict[int, tuple[int, int, int, Sequence[int]]] = {}
    for change, filed, decision, original, stream, version in standing_claims:
        event = years.event(cause, change, filed, decision, original, targets[change.period], found)
        counts.fund_fen += event.amounts[AMOUNT["fund_pay_sumamt"]] - event.reversed[AMOUNT["fund_pay_sumamt"]]
        counts.account_fen += event.amounts[AMOUNT["acct_pay"]] - event.reversed[AMOUNT["acct_pay"]]
        events.append((stream, version + 1, event))
        moved = [new - old for new, old in zip(event.amounts, event.reversed, strict=True)]
        acts[change.claim] = (0, event.period, 0, moved)
    by_hand = turned(tx, cause, acts)
    for _, _, owed in by_hand:
        assert isinstance(owed, ManualOwed)
        counts.by_hand += 1
        counts.more_fen += max(0, owed.fund_fen + owed.account_fen)
        counts.less_fen += max(0, -owed.fund_fen - owed.account_fen)
    ledger.append(tx, [*events, *by_hand])
    years.save()
    return _report(found, counts, len(standing_claims), cause, max(targets.values()))


_Standing = tuple[_Change, ClaimFiled, ClaimSettled, int, str, int]


def _standing(ledger: "Base", tx: "Transaction", changes: Sequence[_Change], counts: _Counts) -> list[_Standing]:
    """Returns (change, claim, what stands, where decided, stream, its last version) of each claim to be booked."""
    claims = [change.claim for change in changes]
    rows = tx.events_at([at for claim in claims for at in (claim, claim + 1)]) if claims else {}
    reversed_by = tx.reversals(claims) if claims else {}
    streams = [rows[claim][0] for claim in claims]
    later = resettlements(tx, streams) if streams else {}
    heads = tx.stream_heads(streams) if streams else {}
    found: list[_Standing] = []
    for change in changes:
        filed = decode_event(rows[change.claim][2], rows[change.claim][3])
        decision = decode_event(rows[change.claim + 1][2], rows[change.claim + 1][3])
        assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled)
        before = later.get(change.claim, [])
        stands = standing(decision, before)
        if change.claim in reversed_by:
            counts.reversed += 1
        elif any(ledger.knowledge.recovered.get(change.claim, ())):
            counts.recovered += 1
        elif stands.amounts == change.amounts and stands.policy == change.policy:
            counts.already += 1
        else:
            original = before[-1][0] if before else change.claim + 1
            stream = claim_stream(filed.insured_region, filed.setl_id)
            found.append((change, filed, stands, original, stream, heads[stream]))
    return found


def _report(found: WhatIf, counts: _Counts, booked: int, position: int, period: int) -> Booked:
    return Booked(
        found, position, period, booked, counts.already, counts.reversed, counts.recovered, counts.refused,
        counts.fund_fen, counts.account_fen, counts.divided, counts.by_hand, counts.more_fen, counts.less_fen,
    )  # fmt: skip


class _Years:
    """Is the accumulators and accounts that the booked claims move, one after the other."""

    def __init__(self, ledger: "Base", tx: "Transaction", changes: Sequence[_Standing]) -> None:
        self._ledger, self._tx = ledger, tx
        keys = sorted({filed.token * YEARS + change.year for change, filed, *_ in changes})
        tokens = sorted({filed.token for _, filed, *_ in changes})
        self._keys, self._tokens = np.array(keys, np.int64), np.array(tokens, np.int64)
        self._versions, self._values = ledger.knowledge.person_years.load(tx, self._keys)
        self._values = self._values.copy()
        self._accounts = tx.load_accounts(self._tokens)
        self._row = {key: at for at, key in enumerate(keys)}
        self._holder = {token: at for at, token in enumerate(tokens)}

    def event(
        self,
        cause: int,
        change: _Change,
        filed: ClaimFiled,
        stands: ClaimSettled,
        original: int,
        period: int,
        found: WhatIf,
    ) -> ClaimResettled:
        """Returns the event of one change and moves its person's year and account."""
        row, holder = self._row[filed.token * YEARS + change.year], self._holder[filed.token]
        before = self._values[row].tolist()
        delta = [new - old for new, old in zip(change.contribution, padded(stands.delta), strict=True)]
        after = [a + b for a, b in zip(before, delta, strict=True)]
        at = AMOUNT["acct_pay"]
        balance = int(self._accounts[holder]) - (change.amounts[at] - stands.amounts[at])
        if any(not -RANGE <= fen < RANGE for fen in (*after, balance)):
            raise Refused(Refusal.ARITHMETIC_OVERFLOW, f"claim {filed.setl_id}: its person's year leaves the range")
        self._values[row], self._accounts[holder] = after, balance
        self._versions[row] += 1
        facts = {name: getattr(filed, name) for name in (*FACTS, *ACT_TEXTS)}
        return ClaimResettled(
            cause=cause, row=0, claim=change.claim, original=original, basis=BASIS_RESETTLED, period=period,
            policy=change.policy, flags=0, amounts=change.amounts, balc=balance, before=tuple(before),
            delta=tuple(delta), how=change.how, year=change.year, **facts, reversed=stands.amounts,
            start=change.start, contribution=change.contribution, balance_fen=change.balance_fen,
            replay=bytes.fromhex(found.digest), replaced=stands.policy,
            reversed_pool=pool_of(stands.how), reversed_hospital_fen=hospital_of(stands.how),
        )  # fmt: skip

    def save(self) -> None:
        """Writes the accumulators and accounts back."""
        self._ledger.knowledge.person_years.save(self._tx, self._keys, self._versions, self._values)
        self._tx.save_accounts(self._tokens, self._accounts)
