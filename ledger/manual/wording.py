"""Puts refusals of acts on applications into words: expected, got, what to do."""

from ledger.manual.acts import Act
from ledger.manual.events import STAGES
from ledger.manual.states import APART, STAGES_OF, Application
from ledger.money import yuan_display as yuan
from ledger.refusals import Refusal, Refused

STAGE_NAMES = {number: name for name, number in STAGES.items()}


def refused(refusal: Refusal, act: Act, state: Application) -> Refused:
    """Returns the refusal of an act on an application."""
    stage = STAGE_NAMES.get(state.stage, "none")
    wanted = " or ".join(STAGE_NAMES[each] for each in STAGES_OF.get(act.act, ()))
    others = ", ".join(sorted({state.actors[each] for each in APART.get(act.act, ()) if each in state.actors}))
    owed = yuan(sum(state.outstanding))
    texts = {
        Refusal.UNKNOWN_KEY: "expected the number of an application, got one that was never accepted",
        Refusal.STREAM_EXISTS: f"expected a new number, got {act.receipt or act.application} again",
        Refusal.MANUAL_STAGE: f"{act.act}: expected stage {wanted}, got {stage}",
        Refusal.MANUAL_WAITING: (
            f"{act.act}: expected everything that was asked for, got nothing since {state.waiting} (manual complete):"
            f" {state.missing}"
            if state.waiting
            else f"{act.act}: expected an application that waits for something, got one that was asked for nothing"
        ),
        Refusal.MANUAL_DAY: f"expected a day from {state.last_day} on, got {act.on}",
        Refusal.MANUAL_SAME_PERSON: f"{act.act}: expected somebody else than who did a step before it, got {others}",
        Refusal.MANUAL_EVIDENCE: "expected the documents' digests (--evidence), each once",
        Refusal.BAD_VALUE: f"{act.act}: expected a reason (--reason), got nothing: the log records why",
        Refusal.BAD_KEY: "expected the receipt that brought the money",
        Refusal.POSTINGS_EMPTY: f"{act.act}: expected an amount above zero, got {yuan(act.amount_fen)}",
        Refusal.OVER_COLLECTED: f"expected at most {owed} (what is owed), got {yuan(act.amount_fen)}",
        Refusal.NO_ACCOUNT: "expected the person's bank account (--account)",
    }
    return Refused(refusal, f"application {act.application}: {texts[refusal]}")
