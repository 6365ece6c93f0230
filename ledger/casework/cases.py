"""Decides cases: 机审 → 初审 → 申诉 → 复审 → 合议 → 关闭, each stage with owner, evidence and a working-day limit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from ledger.casework.events import (
    APPEAL,
    CLOSED,
    CONCLUDED,
    EFFECTS,
    FIRST,
    MACHINE,
    PANEL,
    SECOND,
    CaseAppealed,
    CaseClosed,
    CaseDecided,
    CaseOpened,
    CaseStageExpired,
    CaseSubmitted,
    TipRewarded,
)
from ledger.casework.terms import Terms, day_of
from ledger.event import Event
from ledger.refusals import Refusal
from ledger.register_file import number_of
from ledger.working_days import add_working_days

#: Where a stage goes when it passes with what stands.
PASSES_TO = {MACHINE: FIRST, FIRST: APPEAL, APPEAL: CONCLUDED, SECOND: PANEL, PANEL: CONCLUDED}


@dataclass(slots=True)
class CaseState:
    """Is one case as its stream tells it; ``shares`` are the fen that stand now on each item."""

    opened: CaseOpened | None = None
    stage: int = 0
    owner: str = ""
    due: int = 0
    last_day: int = 0
    shares: tuple[int, ...] = ()
    deciders: dict[int, str] = field(default_factory=dict)
    noted_late: int = 0
    rewarded_fen: int = 0

    @property
    def amount_fen(self) -> int:
        """Returns what stands now over all items."""
        return sum(self.shares)


class Step(msgspec.Struct, frozen=True):
    """Is one act on a case: the day, who acts, who owns what follows, digests of documents."""

    cause: int
    on: int
    by: str
    owner: str = ""
    evidence: tuple[bytes, ...] = ()


def evolve(state: CaseState, event: Event) -> CaseState:
    """Returns the state after an event of the case's stream."""
    match event:
        case CaseOpened():
            state.opened, state.shares = event, tuple(fen for _, fen in event.items)
            _move(state, event.opened, MACHINE, event.owner, event.due)
        case CaseSubmitted():
            state.shares = event.shares
            _move(state, event.on, FIRST, event.owner, event.due)
        case CaseDecided():
            state.shares = event.shares
            state.deciders[event.stage] = event.by
            _move(state, event.on, event.next, event.owner, event.due)
        case CaseAppealed():
            _move(state, event.on, SECOND, event.owner, event.due)
        case CaseStageExpired():
            if event.effect == EFFECTS["dismiss"]:
                state.shares = (0,) * len(state.shares)
            if event.next == event.stage:
                state.noted_late, state.last_day = event.stage, event.on
            else:
                _move(state, event.on, event.next, event.owner, event.due)
        case CaseClosed():
            _move(state, event.on, CLOSED, "", 0)
        case TipRewarded():
            state.rewarded_fen += event.amount_fen
    return state


def _move(state: CaseState, on: int, stage: int, owner: str, due: int) -> None:
    state.last_day, state.stage, state.owner, state.due, state.noted_late = on, stage, owner, due, 0


def due_day(terms: Terms, stage: int, on: int) -> int:
    """Returns the last day of a stage that begins on a day; 0 where it has no limit.

    Raises CalendarUnpublishedError where that lies in a year without a published calendar.
    """
    if stage in (CONCLUDED, CLOSED):
        return 0
    return number_of(add_working_days(day_of(on), terms.limit(stage).days))


def refusal_of(state: CaseState, stages: Sequence[int], step: Step) -> Refusal:
    """Returns why an act may not be at all: an unknown case, another stage, an earlier day, or NONE."""
    if state.opened is None:
        return Refusal.UNKNOWN_KEY
    if state.stage not in stages:
        return Refusal.CASE_STAGE
    if step.on < state.last_day:
        return Refusal.CASE_DAY
    return Refusal.NONE


def decide_submit(
    state: CaseState, step: Step, terms: Terms, shares: Sequence[int], most: Sequence[int]
) -> Event | Refusal:
    """Returns the material handed to the first review; ``most`` are the fen that funds can get back on each item."""
    if refusal := refusal_of(state, (MACHINE,), step):
        return refusal
    if not step.owner:
        return Refusal.CASE_OWNER
    if any(not 0 <= share <= limit for share, limit in zip(shares, most, strict=True)):
        return Refusal.CASE_AMOUNT
    due = due_day(terms, FIRST, step.on)
    return CaseSubmitted(step.cause, 0, step.on, step.by, tuple(shares), step.evidence, step.owner, due)


def decide_stage(
    state: CaseState, step: Step, terms: Terms, shares: Sequence[int], members: tuple[str, ...] = ()
) -> Event | Refusal:
    """Returns the decision of the first review, the second or the panel, or why not.

    What is upheld is at most what stands on each item: an appeal never costs more. Nobody decides both the first
    and the second review, and who decided one of them sits on no panel.
    """
    if refusal := refusal_of(state, (FIRST, SECOND, PANEL), step):
        return refusal
    if not step.evidence:
        return Refusal.CASE_EVIDENCE
    earlier = set(state.deciders.values())
    if step.by in earlier or earlier & set(members):
        return Refusal.CASE_SAME_PERSON
    if state.stage == PANEL and len(set(members)) < terms.panel_members:
        return Refusal.CASE_PANEL
    if any(not 0 <= share <= stands for share, stands in zip(shares, state.shares, strict=True)):
        return Refusal.CASE_AMOUNT
    following = PASSES_TO[state.stage]
    assert state.opened is not None
    owner = step.owner or (state.opened.debtor if following == APPEAL else step.by)
    due = due_day(terms, following, step.on)
    said = (step.on, step.by, tuple(shares), step.evidence, members, following, owner, due)
    return CaseDecided(step.cause, 0, state.stage, *said)


def decide_appeal(state: CaseState, step: Step, terms: Terms, grounds: str) -> Event | Refusal:
    """Returns the appeal against the first review, or why not: only until its last day, and with grounds."""
    if refusal := refusal_of(state, (APPEAL,), step):
        return refusal
    if step.on > state.due:
        return Refusal.CASE_LATE
    if not step.evidence or not grounds.strip():
        return Refusal.CASE_EVIDENCE
    if not step.owner or step.owner in state.deciders.values():
        return Refusal.CASE_OWNER if not step.owner else Refusal.CASE_SAME_PERSON
    due = due_day(terms, SECOND, step.on)
    return CaseAppealed(step.cause, 0, step.on, step.by, grounds, step.evidence, step.owner, due)


def decide_expiry(state: CaseState, step: Step, terms: Terms) -> Event | None:
    """Returns what the expiry of the present stage does on a day, None where nothing is due or it is noted already."""
    if state.opened is None or not state.due or step.on <= state.due or state.noted_late == state.stage:
        return None
    stage, effect = state.stage, terms.effect(state.stage)
    following = {EFFECTS["remind"]: stage, EFFECTS["dismiss"]: CONCLUDED}.get(effect, PASSES_TO[stage])
    due = state.due if following == stage else due_day(terms, following, step.on)
    owner = state.owner
    if stage == APPEAL and following != APPEAL:
        owner = state.deciders.get(FIRST, state.opened.owner)
    elif following == APPEAL and stage != APPEAL:
        owner = state.opened.debtor
    return CaseStageExpired(step.cause, 0, stage, step.on, effect, following, owner, due)


def decide_close(state: CaseState, step: Step, accepted: bool) -> Event | Refusal:
    """Returns the closing of a case, or why not.

    A concluded case closes; one that waits for an appeal closes only where the debtor ``accepted`` in writing, and
    one before the panel where the debtor accepted the second review.
    """
    if refusal := refusal_of(state, (APPEAL, PANEL, CONCLUDED), step):
        return refusal
    if state.stage != CONCLUDED and not (accepted and step.evidence):
        return Refusal.CASE_EVIDENCE if accepted else Refusal.CASE_STAGE
    return CaseClosed(step.cause, 0, step.on, step.by, step.evidence)
