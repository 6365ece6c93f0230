"""Pure decisions: every refusal of periods, payments and clawbacks, in order of precedence."""

import pytest

from ledger import clawbacks, payments
from ledger.events import (
    PAYMENT_REGION,
    ClawbackCollected,
    ClawbackRaised,
    PaymentConfirmed,
    PaymentInstructed,
    PeriodClosed,
    PeriodOpened,
)
from ledger.periods import Periods, decide_close, evolve
from ledger.refusals import Refusal

AMOUNTS = (0, 700, 0, 0, 200, 0, 0, 100, 0, 1000, 500, 50, 0, 450)


def periods(opened: dict[int, int], closed: dict[int, int]) -> Periods:
    state = Periods()
    for period, position in opened.items():
        evolve(state, position, PeriodOpened(1, 1, period))
    for period, position in closed.items():
        evolve(state, position, PeriodClosed(1, 0, period, 0, 0, 0, (), 0, 0, b""))
    return state


def test_claims_book_into_their_own_month_until_it_is_closed() -> None:
    """A claim books into its own month while that is open, then into the earliest open one, then into the next."""
    state = periods({202401: 1, 202402: 5, 202403: 9}, {})
    assert [state.period_for(month) for month in (202312, 202401, 202403, 202404)] == [202312, 202401, 202403, 202404]
    state = periods({202401: 1, 202402: 5, 202403: 9}, {202401: 20})
    assert [state.period_for(month) for month in (202312, 202401, 202403)] == [202402, 202402, 202403]
    state = periods({202412: 1}, {202412: 20})
    assert state.period_for(202412) == 202501


@pytest.mark.parametrize(
    ("period", "jobs", "expected"),
    [
        (202401, ["job-intake-00"], Refusal.JOB_UNFINISHED),
        (202312, [], Refusal.PERIOD_CLOSED),
        (202405, [], Refusal.PERIOD_EMPTY),
        (202402, [], Refusal.PERIOD_OUT_OF_ORDER),
        (202401, [], Refusal.NONE),
    ],
)
def test_a_period_closes_in_order(period: int, jobs: list[str], expected: Refusal) -> None:
    """A period closes once, after its jobs are complete and every earlier open period is closed."""
    assert decide_close(periods({202312: 1, 202401: 2, 202402: 3}, {202312: 9}), period, jobs) is expected


def due(fund: int, account: int) -> payments.Due:
    return payments.Due(PAYMENT_REGION, 260100, "470100", 3, fund, account)


def test_payments_are_instructed_once() -> None:
    """A closed period's dues are instructed once each; a zero due is no payment, a negative one keeps its sign."""
    dues = {"payment-a": due(100, 5), "payment-b": due(0, 0), "payment-c": due(-70, 0)}
    assert payments.decide_instruct(202401, {"payment-b": due(0, 0)}, {}, 7) is Refusal.POSTINGS_EMPTY
    paid = {"payment-a": 1, "payment-c": 1}
    assert payments.decide_instruct(202401, dues, paid, 7) is Refusal.ALREADY_PAID
    decided = payments.decide_instruct(202401, dues, {"payment-a": 1}, 7)
    assert decided == [("payment-c", 1, PaymentInstructed(7, 0, 202401, 1, 260100, "470100", 3, -70, 0, -70))]


def test_a_payment_is_confirmed_once_and_in_full() -> None:
    """A confirmation needs an instruction, a receipt and the very amount; a second one is refused."""
    state = payments.PaymentState()
    assert payments.decide_confirm(state, 1, "R1", 9) is Refusal.NOT_INSTRUCTED
    state = payments.evolve(state, PaymentInstructed(7, 0, 202401, 1, 260100, "470100", 3, 100, 5, 105))
    assert payments.decide_confirm(state, 105, "", 9) is Refusal.BAD_KEY
    assert payments.decide_confirm(state, 104, "R1", 9) is Refusal.WRONG_AMOUNT
    confirmed = payments.decide_confirm(state, 105, "R1", 9)
    assert confirmed == PaymentConfirmed(9, 0, 105, "R1")
    state = payments.evolve(state, confirmed)
    assert payments.decide_confirm(state, 105, "R1", 9) is Refusal.ALREADY_PAID


def raise_on(state: clawbacks.ClawbackState, amount: int, recovered: list[int], reversed_: bool) -> object:
    return clawbacks.decide_raise(
        state,
        cause=3,
        claim=11,
        regions=(260100, 470100),
        institution="H1",
        amount_fen=amount,
        amounts=AMOUNTS,
        recovered=recovered,
        reversed_=reversed_,
        order=clawbacks.DEFAULT_FUND_ORDER,
    )


def test_a_clawback_splits_over_the_funds_that_paid() -> None:
    """A clawback takes from each fund in the configured order what it paid and nobody took back yet, to the fen."""
    none = [0] * 8
    raised = ClawbackRaised(3, 0, 11, 260100, 470100, "H1", 350, (50, 0, 0, 200, 0, 0, 100, 0))
    assert raise_on(clawbacks.ClawbackState(), 350, none, False) == raised
    again = ClawbackRaised(3, 0, 11, 260100, 470100, "H1", 650, (650, 0, 0, 0, 0, 0, 0, 0))
    assert raise_on(clawbacks.ClawbackState(), 650, list(raised.funds), False) == again
    assert raise_on(clawbacks.ClawbackState(), 651, list(raised.funds), False) is Refusal.CLAWBACK_TOO_LARGE
    assert raise_on(clawbacks.ClawbackState(raised), 1, none, False) is Refusal.STREAM_EXISTS
    assert raise_on(clawbacks.ClawbackState(), 0, none, True) is Refusal.POSTINGS_EMPTY
    assert raise_on(clawbacks.ClawbackState(), 1, none, True) is Refusal.ALREADY_REVERSED


def test_a_clawback_is_never_over_collected() -> None:
    """Receipts count once and never add up to more than was raised."""
    state = clawbacks.ClawbackState()
    assert clawbacks.decide_collect(state, cause=4, amount_fen=1, receipt="R") is Refusal.UNKNOWN_KEY
    state = clawbacks.evolve(state, ClawbackRaised(3, 0, 11, 260100, 470100, "H1", 350, (350, 0, 0, 0, 0, 0, 0, 0)))
    assert clawbacks.decide_collect(state, cause=4, amount_fen=1, receipt="") is Refusal.BAD_KEY
    assert clawbacks.decide_collect(state, cause=4, amount_fen=0, receipt="R") is Refusal.POSTINGS_EMPTY
    assert clawbacks.decide_collect(state, cause=4, amount_fen=351, receipt="R") is Refusal.OVER_COLLECTED
    collected = clawbacks.decide_collect(state, cause=4, amount_fen=300, receipt="R")
    assert collected == ClawbackCollected(4, 0, 300, "R")
    state = clawbacks.evolve(state, collected)
    assert clawbacks.decide_collect(state, cause=4, amount_fen=50, receipt="R") is Refusal.STREAM_EXISTS
    assert clawbacks.decide_collect(state, cause=4, amount_fen=51, receipt="S") is Refusal.OVER_COLLECTED
    assert state.outstanding_fen == 50


def test_refusals_are_one_ordered_enum_with_stable_codes() -> None:
    """Every refusal has a number of its own and a code; row refusals keep the order of precedence of the domain."""
    assert len({int(refusal) for refusal in Refusal}) == len(Refusal)
    order = [
        "not_utf8", "unsafe_text", "setl_id_conflict", "msgid_conflict", "missing_psn_no", "unknown_psn_no", "bad_date",
        "end_before_begin", "unknown_insutype", "no_policy", "amount_text", "amount_precision", "amount_range",
        "negative_without_init", "refund_unknown", "refund_twice", "refund_mismatch", "identity_I1", "identity_I2",
        "identity_I3", "identity_I5",
    ]  # fmt: skip
    numbers = {refusal.code: int(refusal) for refusal in Refusal}
    assert sorted(order, key=numbers.__getitem__) == order
