"""Books what a replay found: each changed claim anew, into the open period, in one transaction."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import AMOUNT
from ledger.events import BASIS_KERNEL, FLAG_DIVIDED, ClaimFiled, ClaimSettled, Event, PeriodOpened
from ledger.keys import claim_stream, period_stream
from ledger.manual.events import ManualOwed
from ledger.manual.owing import turned
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.replaying.asking import Asked, ask
from ledger.replaying.changing import Changes
from ledger.replaying.moving import Change, Standing, Years, stood_by_year
from ledger.replaying.outcomes import Outcome
from ledger.replaying.whatif import Correction, WhatIf
from ledger.resettled import COMMIT, resettlements, standing
from ledger.segments.shape import Ints
from ledger.stays.booking import parts_standing

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.verbs.base import Base


class Booked(msgspec.Struct, frozen=True):
    """Is a replay booked: the what-if, and what became of its changed claims.

    ``booked`` stand anew in ``period`` from ``position`` on (0: none), ``already`` stood so; ``reversed`` had been
    refunded, ``recovered`` have money back by clawback, ``refused`` have no rule: those stay as they are.
    ``fund_fen`` and ``account_fen`` are what the booked ones change; of ``by_hand`` of them, which
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
    by_hand: int = 0
    more_fen: int = 0
    less_fen: int = 0


class _Counts(msgspec.Struct):
    already: int = 0
    reversed: int = 0
    recovered: int = 0
    refused: int = 0
    fund_fen: int = 0
    account_fen: int = 0
    by_hand: int = 0
    more_fen: int = 0
    less_fen: int = 0


def commit(ledger: "Base", asked: Asked, reason: str, diff: Path | None) -> Booked:
    """Books what a what-if finds; twice books once. Refused where the document was never enacted.

    Every claim that the kernel decided and the policy decides otherwise gets a ClaimResettled, and the parts that a
    divided stay counts in other years a StayPartCounted each. What its source settled was paid at the counter and
    keeps its amounts; a stay is booked anew with them where it counts in other years.
    """
    changes: list[Change] = []
    counts = _Counts()
    correction = Correction(lambda some: _decided(some, changes, counts), lambda some: _beside(some, changes))
    found, digest, _ = ask(ledger, asked, diff, correction)
    with ledger.transaction() as tx:
        if asked.policy is not None and ledger.knowledge.policies.policy_named(digest) is None:
            raise Refused(
                Refusal.NOT_ALLOWED,
                f"{asked.policy}: expected a document that is enacted, got one the log does not have: enact it first,"
                " so that the log can say what the corrections stand under",
            )
        changes.sort(key=lambda change: change.claim)
        return _book(ledger, tx, asked, reason, found, changes, counts)


def _decided(some: Changes, into: list[Change], counts: _Counts) -> None:
    """Keeps what the kernel decided and would decide otherwise."""
    kernel = some.basis == BASIS_KERNEL
    counts.refused += int((kernel & (some.code != 0)).sum())
    _keep(some, np.flatnonzero(kernel & (some.code == 0)), into)


def _beside(some: Changes, into: list[Change]) -> None:
    """Keeps what would count in other years, and what was booked anew before."""
    _keep(some, np.arange(len(some)), into)


def _keep(some: Changes, rows: Ints, into: list[Change]) -> None:
    for row in rows.tolist():
        amounts, claim = tuple(some.new[row].tolist()), int(some.claim[row])
        year, how, parts, _ = some.outcomes.get(claim, Outcome(int(some.year[row]), None, (), False))
        into.append(
            Change(
                claim, int(some.period[row]), some.policy[row], amounts, tuple(some.before[row].tolist()),
                tuple(some.delta[row].tolist()), int(some.balc[row]) + amounts[AMOUNT["acct_pay"]],
                tuple(some.how[row].tolist() if how is None else how), year, parts,
            )
        )  # fmt: skip


def _book(
    ledger: "Base",
    tx: "Transaction",
    asked: Asked,
    reason: str,
    found: WhatIf,
    changes: Sequence[Change],
    counts: _Counts,
) -> Booked:
    """Appends what books each change that is not booked yet, and moves accumulators and accounts with them."""
    standing_claims = _standing(ledger, tx, changes, counts)
    if not standing_claims:
        return _report(found, counts, 0, 0, 0)
    periods = ledger.knowledge.periods
    targets = {
        period: periods.period_for(period) for period in sorted({each.change.period for each in standing_claims})
    }
    opened = set(targets.values()) - periods.opened.keys()
    arguments = {
        "register": asked.register,
        "period": asked.first,
        "to": asked.last,
        "regions": list(found.regions),
        "replay": found.digest,
    }
    cause, command = ledger.command(tx, COMMIT, reason, arguments, str(found.policy), bytes.fromhex(found.digest))
    events: list[tuple[str, int, Event]] = [command]
    events += [(period_stream(period), 1, PeriodOpened(cause, 0, period)) for period in sorted(opened)]
    years = Years(ledger, tx, standing_claims)
    acts: dict[int, tuple[int, int, int, Sequence[int]]] = {}
    for each in standing_claims:
        period = targets[each.change.period]
        anew = years.events(cause, cause + len(events), each, period, bytes.fromhex(found.digest))
        events += anew
        moved = [new - old for new, old in zip(each.change.amounts, each.decision.amounts, strict=True)]
        counts.fund_fen += moved[AMOUNT["fund_pay_sumamt"]]
        counts.account_fen += moved[AMOUNT["acct_pay"]]
        if any(moved):
            acts[each.change.claim] = (0, period, 0, moved)
    by_hand = turned(tx, cause, acts)
    for _, _, owed in by_hand:
        assert isinstance(owed, ManualOwed)
        counts.by_hand += 1
        counts.more_fen += max(0, owed.fund_fen + owed.account_fen)
        counts.less_fen += max(0, -owed.fund_fen - owed.account_fen)
    ledger.append(tx, [*events, *by_hand])
    years.save()
    return _report(found, counts, len(standing_claims), cause, max(targets.values()))


def _standing(ledger: "Base", tx: "Transaction", changes: Sequence[Change], counts: _Counts) -> list[Standing]:
    """Returns what stands of each claim that is to be booked anew."""
    claims = [change.claim for change in changes]
    rows = tx.events_at([at for claim in claims for at in (claim, claim + 1)]) if claims else {}
    reversed_by = tx.reversals(claims) if claims else {}
    streams = [rows[claim][0] for claim in claims]
    later = resettlements(tx, streams) if streams else {}
    heads = tx.stream_heads(streams) if streams else {}
    found: list[Standing] = []
    for change in changes:
        filed = decode_event(rows[change.claim][2], rows[change.claim][3])
        decision = decode_event(rows[change.claim + 1][2], rows[change.claim + 1][3])
        assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled)
        before = later.get(change.claim, [])
        stands = standing(decision, before)
        act = before[-1][0] if before else change.claim
        parts = parts_standing(tx, filed.token, act) if stands.flags & FLAG_DIVIDED else []
        booked = stands.amounts == change.amounts and stands.policy == change.policy
        if change.claim in reversed_by:
            counts.reversed += 1
        elif any(ledger.knowledge.recovered.get(change.claim, ())):
            counts.recovered += 1
        elif booked and stood_by_year(stands, parts) == change.by_year():
            counts.already += 1
        else:
            original = before[-1][0] if before else change.claim + 1
            stream = claim_stream(filed.insured_region, filed.setl_id)
            found.append(Standing(change, filed, stands, parts, original, stream, heads[stream]))
    return found


def _report(found: WhatIf, counts: _Counts, booked: int, position: int, period: int) -> Booked:
    return Booked(
        found, position, period, booked, counts.already, counts.reversed, counts.recovered, counts.refused,
        counts.fund_fen, counts.account_fen, counts.by_hand, counts.more_fen, counts.less_fen,
    )  # fmt: skip
