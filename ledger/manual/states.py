"""Decides manual reimbursement: 受理 → 归档 → 录入 → 审核 → 结算 → 确认 → 拨付, and 追回 of what was paid wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from ledger.casework.recoveries import fill
from ledger.event import Event
from ledger.manual.events import (
    ACCEPTED,
    ARCHIVED,
    CONFIRMED,
    DECLINED,
    ENTERED,
    INSTRUCTED,
    PASSED,
    RECOVERED,
    REVIEWED,
    SENT_BACK,
    SETTLED,
    TURNED_DOWN,
    ManualAccepted,
    ManualArchived,
    ManualCollected,
    ManualCompleted,
    ManualConfirmed,
    ManualEntered,
    ManualInstructed,
    ManualRecovered,
    ManualRequested,
    ManualReviewed,
    ManualSetOff,
    ManualSettled,
)
from ledger.manual.terms import Terms, due_day, later_day, limit_day, paused_days
from ledger.refusals import Refusal

Parts = tuple[tuple[int, int], ...]

#: Whose earlier steps keep an actor from a step: nobody reviews what they entered, confirms what they entered or
#: reviewed, or pays what they did any of these for.
APART = {
    "review": (ENTERED,),
    "confirm": (ENTERED, REVIEWED),
    "pay": (ENTERED, REVIEWED, CONFIRMED),
}

#: The stages in which a step may be done.
STAGES_OF = {
    "archive": (ACCEPTED,),
    "enter": (ARCHIVED, ENTERED),
    "review": (ENTERED,),
    "settle": (REVIEWED,),
    "confirm": (SETTLED,),
    "pay": (CONFIRMED, INSTRUCTED),
    "recover": (SETTLED, CONFIRMED, INSTRUCTED),
    "collect": (RECOVERED,),
    "request": (ACCEPTED, ARCHIVED, ENTERED, REVIEWED),
    "complete": (ACCEPTED, ARCHIVED, ENTERED, REVIEWED),
}


@dataclass(slots=True)
class Application:
    """Is one application as its stream tells it; ``actors`` who did each stage last, lists hold fen per part.

    ``waiting`` is the day since which something is ``missing`` that the person was asked for (0: nothing is).
    """

    accepted: ManualAccepted | None = None
    stage: int = 0
    owner: str = ""
    due: int = 0
    last_day: int = 0
    limit: int = 0
    waiting: int = 0
    missing: str = ""
    actors: dict[int, str] = field(default_factory=dict)
    evidence: tuple[bytes, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    settled: ManualSettled | None = None
    instructions: list[ManualInstructed] = field(default_factory=list)
    recovered: ManualRecovered | None = None
    came_in: list[int] = field(default_factory=list)
    receipts: set[str] = field(default_factory=set)
    version: int = 0

    @property
    def instructed(self) -> ManualInstructed | None:
        """Returns the last instruction; a claim booked anew may have been paid by several."""
        return self.instructions[-1] if self.instructions else None

    @property
    def instructed_fen(self) -> int:
        """Returns what was instructed in all, what was set off against an earlier debt included."""
        return sum(each.amount_fen + each.withheld_fen for each in self.instructions)

    @property
    def outstanding(self) -> list[int]:
        """Returns what the person still owes of each part recovered."""
        parts = self.recovered.parts if self.recovered else ()
        return [fen - came for (_, fen), came in zip(parts, self.came_in, strict=True)]


class Doing(msgspec.Struct, frozen=True):
    """Is one act on an application: its cause, row, day, who acts, and who owns what follows (empty: the terms')."""

    cause: int
    row: int
    on: int
    by: str
    owner: str = ""


def evolve(state: Application, event: Event) -> Application:
    """Returns the state after an event of the application's stream."""
    state.version += 1
    match event:
        case ManualAccepted():
            state.accepted, state.limit = event, event.limit
            _move(state, ACCEPTED, event)
        case ManualArchived():
            state.evidence += event.evidence
            _move(state, ARCHIVED, event)
        case ManualEntered():
            state.cells = event.cells
            _move(state, ENTERED, event)
        case ManualReviewed():
            stages = {PASSED: REVIEWED, SENT_BACK: ARCHIVED, TURNED_DOWN: DECLINED}
            _move(state, stages[event.outcome], event)
            state.actors[REVIEWED] = event.by
        case ManualSettled():
            state.settled = event
            _move(state, SETTLED, event)
        case ManualConfirmed():
            _move(state, CONFIRMED, event)
        case ManualInstructed():
            state.instructions.append(event)
            _move(state, INSTRUCTED, event)
        case ManualRecovered():
            state.recovered, state.came_in = event, [0] * len(event.parts)
            state.stage, state.last_day, state.owner, state.due = RECOVERED, event.on, "", 0
        case ManualRequested():
            state.waiting, state.missing, state.last_day = event.on, event.missing, event.on
        case ManualCompleted():
            state.waiting, state.missing, state.last_day = 0, "", event.on
            state.evidence += event.evidence
            state.due, state.limit = event.due, event.limit
        case ManualCollected() | ManualSetOff():
            state.came_in = [a + b for a, b in zip(state.came_in, event.shares, strict=True)]
            state.last_day = max(state.last_day, event.on)
            if isinstance(event, ManualCollected):
                state.receipts.add(event.receipt)
    return state


_Step = (
    ManualAccepted
    | ManualArchived
    | ManualEntered
    | ManualReviewed
    | ManualSettled
    | ManualConfirmed
    | ManualInstructed
)


def _move(state: Application, stage: int, event: _Step) -> None:
    state.stage, state.last_day, state.owner, state.due = stage, event.on, event.owner, event.due
    state.actors[stage] = event.by


def refusal_of(state: Application, step: str, doing: Doing) -> Refusal:
    """Returns why a step may not be done (unknown, its stage, waiting, an earlier day, the same person), or NONE."""
    if state.accepted is None:
        return Refusal.UNKNOWN_KEY
    if state.stage not in STAGES_OF[step]:
        return Refusal.MANUAL_STAGE
    if bool(state.waiting) != (step == "complete"):
        return Refusal.MANUAL_WAITING
    if doing.on < state.last_day:
        return Refusal.MANUAL_DAY
    if doing.by in [state.actors.get(stage) for stage in APART.get(step, ())]:
        return Refusal.MANUAL_SAME_PERSON
    return Refusal.NONE


def following(terms: Terms, step: str, doing: Doing) -> tuple[str, int]:
    """Returns (owner, last day) of the step that begins on the day of an act."""
    return doing.owner or terms.step[step].owner, due_day(terms, step, doing.on)


def decide_accept(
    state: Application, doing: Doing, terms: Terms, application: str, token: int, region: int, follows: str
) -> Event | Refusal:
    """Returns the acceptance, which starts the clock, or why not; an application is accepted once."""
    if state.accepted is not None:
        return Refusal.STREAM_EXISTS
    said = (application, token, region, doing.on, doing.by, follows, limit_day(terms, doing.on))
    return ManualAccepted(doing.cause, doing.row, *said, *following(terms, "archive", doing))


def decide_archive(state: Application, doing: Doing, terms: Terms, evidence: tuple[bytes, ...]) -> Event | Refusal:
    """Returns the documents archived, or why not: there is at least one, each once."""
    if refusal := refusal_of(state, "archive", doing):
        return refusal
    if not evidence or len(set(evidence)) != len(evidence):
        return Refusal.MANUAL_EVIDENCE
    return ManualArchived(doing.cause, doing.row, doing.on, doing.by, evidence, *following(terms, "enter", doing))


def decide_request(state: Application, doing: Doing, missing: str) -> Event | Refusal:
    """Returns the request for what is missing, or why not; it says what, all of it at once (一次性告知)."""
    if refusal := refusal_of(state, "request", doing):
        return refusal
    if not missing.strip():
        return Refusal.BAD_VALUE
    return ManualRequested(doing.cause, doing.row, doing.on, doing.by, missing)


def decide_complete(state: Application, doing: Doing, evidence: tuple[bytes, ...]) -> Event | Refusal:
    """Returns what was missing taken in, or why not: the working days it took count in no limit."""
    if refusal := refusal_of(state, "complete", doing):
        return refusal
    if not evidence or len({*evidence, *state.evidence}) != len(evidence) + len(state.evidence):
        return Refusal.MANUAL_EVIDENCE
    paused = paused_days(state.waiting, doing.on)
    due, limit = (later_day(day, paused) for day in (state.due, state.limit))
    return ManualCompleted(doing.cause, doing.row, doing.on, doing.by, evidence, paused, due, limit)


def decide_enter(state: Application, doing: Doing, terms: Terms, cells: tuple[tuple[str, str], ...]) -> Event | Refusal:
    """Returns the claim entered, or why not; until it is reviewed a later entry takes its place."""
    if refusal := refusal_of(state, "enter", doing):
        return refusal
    return ManualEntered(doing.cause, doing.row, doing.on, doing.by, cells, *following(terms, "review", doing))


def decide_review(state: Application, doing: Doing, terms: Terms, outcome: int, reason: str) -> Event | Refusal:
    """Returns the review by another person than who entered, or why not; what does not pass has its reason."""
    if refusal := refusal_of(state, "review", doing):
        return refusal
    if outcome != PASSED and not reason.strip():
        return Refusal.BAD_VALUE
    following_step = {PASSED: "settle", SENT_BACK: "enter"}.get(outcome, "")
    ahead = following(terms, following_step, doing) if following_step else ("", 0)
    return ManualReviewed(doing.cause, doing.row, doing.on, doing.by, outcome, reason, *ahead)


def decide_settled(
    state: Application, doing: Doing, terms: Terms, claim: int, period: int, parts: Parts
) -> Event | Refusal:
    """Returns the link with the claim that the kernel settled, or why not."""
    if refusal := refusal_of(state, "settle", doing):
        return refusal
    said = (doing.on, doing.by, claim, period, sum(fen for _, fen in parts), parts)
    return ManualSettled(doing.cause, doing.row, *said, *following(terms, "confirm", doing))


def decide_confirm(state: Application, doing: Doing, terms: Terms, evidence: tuple[bytes, ...]) -> Event | Refusal:
    """Returns the confirmation of the amount, or why not; with nothing to pay nobody owns a further step."""
    if refusal := refusal_of(state, "confirm", doing):
        return refusal
    assert state.settled is not None
    ahead = following(terms, "pay", doing) if state.settled.amount_fen else ("", 0)
    return ManualConfirmed(doing.cause, doing.row, doing.on, doing.by, evidence, *ahead)


def decide_pay(
    state: Application, doing: Doing, payment: str, owed_fen: int, withheld_fen: int, account: str
) -> Event | Refusal:
    """Returns the instruction of what is still owed, or why not; until the bank confirms, who pays owns it.

    ``owed_fen`` is what stands of the claim less what was instructed: a claim booked anew since its payment is paid
    the difference, and one that was paid in full is not paid again.
    """
    if refusal := refusal_of(state, "pay", doing):
        return refusal
    if owed_fen <= 0:
        return Refusal.MANUAL_STAGE if state.instructions else Refusal.POSTINGS_EMPTY
    if not account:
        return Refusal.NO_ACCOUNT
    said = (doing.on, doing.by, payment, owed_fen - withheld_fen, withheld_fen, account)
    return ManualInstructed(doing.cause, doing.row, *said, doing.owner or doing.by, state.due)


def decide_recover(
    state: Application, doing: Doing, refund: int, paid_fen: int, reason: str, parts: Parts | None = None
) -> Event | Refusal:
    """Returns what the person owes now that the claim is refunded, or why not; ``paid_fen`` is what was paid.

    It falls on the parts in their order: ``parts`` are those the claim was booked anew with, None: those it settled
    to. What was set off against an earlier debt counts as paid; more than all parts falls on the first.
    """
    if refusal := refusal_of(state, "recover", doing):
        return refusal
    if not reason.strip():
        return Refusal.BAD_VALUE
    assert state.settled is not None
    held = parts or state.settled.parts
    shares = list(fill(paid_fen, [fen for _, fen in held]))
    if shares:
        shares[0] += paid_fen - sum(shares)
    owed = tuple((code, fen) for (code, _), fen in zip(held, shares, strict=True) if fen)
    return ManualRecovered(doing.cause, doing.row, doing.on, doing.by, refund, paid_fen, owed, reason)


def decide_collect(state: Application, doing: Doing, amount_fen: int, receipt: str) -> Event | Refusal:
    """Returns a collection by a receipt, part by part, or why not: never more than is owed, a receipt once."""
    if refusal := refusal_of(state, "collect", doing):
        return refusal
    if refusal := _within(amount_fen, state.outstanding):
        return refusal
    if not receipt:
        return Refusal.BAD_KEY
    if receipt in state.receipts:
        return Refusal.STREAM_EXISTS
    assert state.accepted is not None
    said = (doing.on, state.accepted.region, state.accepted.token, amount_fen)
    return ManualCollected(doing.cause, doing.row, *said, fill(amount_fen, state.outstanding), receipt)


def decide_set_off(state: Application, doing: Doing, amount_fen: int, application: str) -> Event | Refusal:
    """Returns the set-off of what is owed against the payment of another application, or why not."""
    if refusal := refusal_of(state, "collect", doing):
        return refusal
    if refusal := _within(amount_fen, state.outstanding):
        return refusal
    shares = fill(amount_fen, state.outstanding)
    return ManualSetOff(doing.cause, doing.row, doing.on, amount_fen, shares, application)


def _within(amount_fen: int, outstanding: Sequence[int]) -> Refusal:
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    return Refusal.OVER_COLLECTED if amount_fen > sum(outstanding) else Refusal.NONE
