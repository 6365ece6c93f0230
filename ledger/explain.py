"""Puts refusals of commands into words: expected, got, and what to do. The code is the API, the text is not."""

from collections.abc import Iterable, Mapping, Sequence

from core_ext.layout import AMOUNT
from ledger.clawbacks import ClawbackState
from ledger.clearing.states import Clearing
from ledger.money import yuan_display
from ledger.payments import PaymentState
from ledger.periods import Periods
from ledger.refusals import Refusal, Refused


def key(what: str, text: str) -> str:
    """Returns a natural key that may name a stream; raises Refused for one that is empty, long or not printable."""
    if not text or len(text.encode(errors="replace")) > 64 or not text.isprintable() or any(c in " ,\t" for c in text):
        raise Refused(
            Refusal.BAD_KEY, f"expected a {what} number of 1 to 64 printable characters without spaces, got {text!r}"
        )
    return text


def unfinished(jobs: Mapping[str, int]) -> str:
    """Returns what to do about jobs that did not complete."""
    named = ", ".join(f"{position} ({stream})" for stream, position in sorted(jobs.items()))
    return f"expected every job to be complete, got unfinished job {named}: take its file in again to complete it"


def period(refusal: Refusal, wanted: int, state: Periods, jobs: Mapping[str, int]) -> str:
    """Returns why a period cannot close or be read."""
    if refusal == Refusal.JOB_UNFINISHED:
        return unfinished(jobs)
    if refusal == Refusal.PERIOD_CLOSED:
        return f"period {wanted} is closed already"
    if refusal == Refusal.PERIOD_OUT_OF_ORDER:
        earlier = ", ".join(str(p) for p in state.open if p < wanted)
        return f"period {earlier} is still open before {wanted}: close it first"
    return f"expected a period with claims, as an integer ({_listed(state.opened)}), got {wanted!r}"


def payment(refusal: Refusal, wanted: int) -> str:
    """Returns why a period is not paid."""
    return {
        Refusal.POSTINGS_EMPTY: f"period {wanted} owes nobody anything",
        Refusal.ALREADY_PAID: f"every payment of period {wanted} is instructed already",
    }[refusal]


def clearing(refusal: Refusal, state: Clearing, of: int) -> str:
    """Returns why a clearing does not move."""
    period = state.period
    if refusal == Refusal.CARRIED_TOO_LONG:
        assert state.drafted is not None
        return (
            f"period {period}: {state.drafted.overdue_acts:,} claims, medfee"
            f" {yuan_display(state.drafted.overdue_medfee_fen)}, are carried beyond the terms:"
            " expected a reason on record (--reason), got none"
        )
    return {
        Refusal.PERIOD_NOT_CLOSED: f"expected a closed period, got {period} {state.state.code}: close it first",
        Refusal.CLEARING_NOT_DRAFTED: f"expected a clearing drawn up, got {period} {state.state.code}: draft it first",
        Refusal.CLEARING_NOT_CHECKED: f"expected a checked clearing, got {period} {state.state.code}: check it first",
        Refusal.CLEARING_NOT_SIGNED: f"expected a signed clearing, got {period} {state.state.code}:"
        " draft, check and sign it first",
        Refusal.CLEARING_STANDS: f"the clearing of {period} is {state.state.code} already:"
        " withdraw it to draw it up anew",
        Refusal.SAME_PERSON: f"expected another person than {state.checked_by}, who checked {period}, to sign it",
        Refusal.CLEARING_PAID: f"the clearing of {period} is paid: a negative claim in a later one corrects it",
        Refusal.CLEARING_SEALED: f"the clearing of {period} is sealed: a negative claim in a later one corrects it",
        Refusal.CLEARING_REFERENCE: f"the clearing of {period} stands on position {state.position}, got {of}",
    }[refusal]


def confirmation(refusal: Refusal, stream: str, state: PaymentState, amount_fen: int) -> str:
    """Returns why a payment is not confirmed."""
    if refusal == Refusal.NOT_INSTRUCTED:
        return f"expected the key of an instructed payment (payment-…), got {stream!r}"
    if refusal == Refusal.ALREADY_PAID:
        return f"{stream} has had {', '.join(state.receipts) or 'everything withheld'} already: state {state.code}"
    if refusal == Refusal.NOT_IN_TRANSIT:
        return f"{stream}: expected money in transit, got none ({state.code}): resend it first"
    if refusal == Refusal.BAD_KEY:
        return "expected the bank's receipt number, got nothing"
    assert state.instructed is not None
    return f"{stream}: expected {yuan_display(state.transit_fen)} (in transit), got {yuan_display(amount_fen)}"


def clawback(
    refusal: Refusal, case: str, claim: str, amount_fen: int, amounts: Sequence[int], recovered: Sequence[int]
) -> str:
    """Returns why a clawback is not raised."""
    if refusal == Refusal.STREAM_EXISTS:
        return f"case {case} has a clawback already: another one needs a case number of its own"
    if refusal == Refusal.ALREADY_REVERSED:
        return f"claim {claim} is reversed (or is itself a refund): its funds have their money back"
    if refusal == Refusal.POSTINGS_EMPTY:
        return f"expected an amount above zero, got {yuan_display(amount_fen)}"
    left = amounts[AMOUNT["fund_pay_sumamt"]] - sum(recovered)
    return (
        f"claim {claim}: expected at most {yuan_display(left)} (what its funds paid, less earlier clawbacks),"
        f" got {yuan_display(amount_fen)}"
    )


def collection(refusal: Refusal, case: str, amount_fen: int, receipt: str, state: ClawbackState) -> str:
    """Returns why a collection is refused."""
    return {
        Refusal.UNKNOWN_KEY: f"expected the case number of a clawback that was raised, got {case!r}",
        Refusal.BAD_KEY: "expected the receipt that brought the money, got nothing",
        Refusal.STREAM_EXISTS: f"case {case}: receipt {receipt} is collected already",
        Refusal.POSTINGS_EMPTY: f"expected an amount above zero, got {yuan_display(amount_fen)}",
        Refusal.OVER_COLLECTED: f"case {case}: expected at most {yuan_display(state.outstanding_fen)}"
        f" (what is outstanding), got {yuan_display(amount_fen)}",
    }[refusal]


def _listed(values: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(values))) or "none yet"
