"""Puts refusals of acts on cases into words: expected, got, what to do."""

from ledger.casework.acts import Act
from ledger.casework.cases import CaseState
from ledger.casework.events import KINDS, STAGES
from ledger.casework.recoveries import RecoveryState
from ledger.money import yuan_display as yuan
from ledger.refusals import Refusal, Refused


def stage_name(stage: int) -> str:
    """Returns a stage's name, nothing for none."""
    return next((name for name, number in STAGES.items() if number == stage), "")


def times(multiple_bp: int) -> str:
    """Returns a multiple in basis points as it is typed: 1.50 for 15,000."""
    return yuan(multiple_bp // 100)


def on_case(refusal: Refusal, act: Act, state: CaseState) -> Refused:
    """Returns the refusal of an act on a case."""
    texts = {
        Refusal.UNKNOWN_KEY: "expected the number of a case, got one that was never opened",
        Refusal.STREAM_EXISTS: "expected a new number, got one that is open already",
        Refusal.CASE_STAGE: f"{act.act}: expected a stage that allows it, got {stage_name(state.stage)}",
        Refusal.CASE_DAY: f"expected a day from {state.last_day} on, got {act.on}",
        Refusal.CASE_SAME_PERSON: "expected somebody who has decided no review of this case, got"
        f" {', '.join(sorted(set(state.deciders.values())))} again",
        Refusal.CASE_AMOUNT: "expected on every claim 0 to what stands or can come back"
        f" (in all {yuan(state.amount_fen)}), got more",
        Refusal.CASE_EVIDENCE: "expected a document (--evidence) and, for an appeal, its grounds (--reason)",
        Refusal.CASE_LATE: f"expected an appeal until {state.due}, got one on {act.on}",
        Refusal.CASE_OWNER: "expected who owns the next stage (--owner), got nobody",
        Refusal.CASE_PANEL: f"expected more members of the panel (--members), got {len(set(act.members))}",
        Refusal.CASE_NOT_CLOSED: f"expected a closed case, got stage {stage_name(state.stage) or 'none'}",
    }
    return Refused(refusal, f"case {act.case}: {texts[refusal]}")


def on_money(refusal: Refusal, act: Act, state: RecoveryState, allowed: tuple[int, int] = (0, 0)) -> Refused:
    """Returns the refusal of an act on money."""
    outstanding = yuan(sum(state.outstanding)) if state.raised else "nothing"
    texts = {
        Refusal.UNKNOWN_KEY: "expected money of this kind raised before",
        Refusal.STREAM_EXISTS: f"expected it once, got {act.receipt or 'the same kind'} again",
        Refusal.POSTINGS_EMPTY: f"expected an amount above zero, got {yuan(act.amount_fen)}",
        Refusal.OVER_COLLECTED: f"expected at most {outstanding} (what is outstanding), got {yuan(act.amount_fen)}",
        Refusal.BAD_KEY: "expected the receipt that brought the money",
        Refusal.BAD_VALUE: f"expected a kind of money ({', '.join(KINDS)}), and the reason for giving it up",
        Refusal.CASE_MIXED: "a fine, a penalty or a person's debt meets no payment of an institution: collect it",
        Refusal.INSTALMENTS_WRONG: f"expected days ahead in order and amounts that sum to {outstanding}",
        Refusal.FINE_OUT_OF_RANGE: f"expected {times(allowed[0])} to {times(allowed[1])} times what is"
        f" upheld, got {times(act.multiple)}",
        Refusal.REVERSED_TOO_MUCH: "expected at most what was raised and neither written off nor reversed,"
        f" got {yuan(act.amount_fen)}",
        Refusal.CLAWBACK_TOO_LARGE: "expected at most what the claims' funds paid and the case upheld, got more",
    }
    return Refused(refusal, f"case {act.case}, {act.kind}: {texts[refusal]}")
