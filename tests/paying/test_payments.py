"""Every fen of a payment is in transit, received or sent back, and no receipt confirms more than it brought."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import payments
from ledger.events import PAYMENT_INSTITUTION, Event, PaymentInstructed
from ledger.payments import PaymentState, decide_fail, decide_receive, decide_resend, decide_return, evolve
from ledger.postings import checked_postings
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.paying.worlds import AWAY, HERE, HOME, HOSPITAL, HOST, PERIOD, THERE, accounts, signed


@pytest.fixture
def book(store_url: str, tmp_path: Path) -> Ledger:
    """Gives a signed month on each database, all of it instructed."""
    book = signed(store_url, tmp_path)
    book.pay(PERIOD)
    return book


def refused(call: Callable[..., object], *args: object, **named: object) -> Refusal:
    """Returns why a command is refused."""
    with pytest.raises(Refused) as caught:
        call(*args, **named)
    return caught.value.refusal


def test_a_payment_is_received_in_parts_until_nothing_is_left(book: Ledger) -> None:
    """Three receipts bring it; a fourth finds nothing to bring, and the books of payer and payee agree throughout."""
    assert book.receive(AWAY, "R1", 500_000).state == "part"
    held = accounts(book)
    assert held[f"transit:{HOME}:{HOST}"] == -700_000
    assert held[f"receivable:{HOST}:{HOME}"] == 700_000
    assert book.receive(AWAY, "R2", 1).transit_fen == 699_999
    done = book.confirm(AWAY, "R3")
    assert (done.state, done.received_fen, done.transit_fen) == ("confirmed", 1_200_000, 0)
    assert refused(book.receive, AWAY, "R4", 1) is Refusal.ALREADY_PAID
    held = accounts(book)
    assert held[f"bank:{HOME}"] == -1_200_000 and held[f"bank:{HOST}"] == 1_200_000
    assert f"receivable:{HOST}:{HOME}" not in held


def test_a_failed_payment_is_owed_again_and_sent_again_by_reference(book: Ledger) -> None:
    """A failure leaves the debt, not a payment; only the failure itself can be sent again, and once."""
    assert refused(book.resend, THERE) is Refusal.NOTHING_TO_RESEND
    failed = book.fail(THERE, reason="no such account")
    assert (failed.state, failed.back_fen) == ("failed", 1_200_000)
    assert accounts(book)[f"payable:{HOST}:{HOSPITAL}"] == -1_200_000
    assert refused(book.confirm, THERE, "R1") is Refusal.NOT_IN_TRANSIT
    assert refused(book.resend, THERE, of=1) is Refusal.STALE_ATTEMPT
    again = book.resend(THERE, of=failed.failure)
    assert (again.state, again.attempt, again.transit_fen) == ("resent", 2, 1_200_000)
    assert refused(book.resend, THERE, of=failed.failure) is Refusal.NOTHING_TO_RESEND
    assert book.confirm(THERE, "R1").state == "confirmed"
    assert f"payable:{HOST}:{HOSPITAL}" not in accounts(book)


def test_returned_money_is_owed_again_in_both_books(book: Ledger) -> None:
    """A part that comes back is back at the bank, and the receivable of the payee stands again."""
    book.confirm(AWAY, "R1")
    back = book.send_back(AWAY, 300_000, "B1", reason="account closed")
    assert (back.state, back.back_fen, back.received_fen) == ("returned", 300_000, 900_000)
    assert accounts(book)[f"receivable:{HOST}:{HOME}"] == 300_000
    assert refused(book.send_back, AWAY, 300_000, "B1", reason="again") is Refusal.RECEIPT_CONFLICT
    assert refused(book.send_back, AWAY, 900_001, "B2", reason="too much") is Refusal.WRONG_AMOUNT
    book.resend(AWAY)
    assert book.confirm(AWAY, "R2").received_fen == 1_200_000


def test_a_receipt_confirms_no_more_than_its_amount(book: Ledger) -> None:
    """A receipt that confirmed one payment has nothing left for another; another bank has its own numbers."""
    book.confirm(AWAY, "R1")
    assert refused(book.receive, HERE, "R1", 1) is Refusal.RECEIPT_EXHAUSTED
    assert book.receive(THERE, "R1", 1).received_fen == 1
    assert refused(book.receive, THERE, "R1", 1) is Refusal.ALREADY_PAID


def test_a_receipt_of_two_payments_is_used_to_the_fen(book: Ledger) -> None:
    """Stated at 1,500,000 fen it pays one of 1,200,000 and 300,000 of the next; the 300,001st is refused."""
    book.confirm(AWAY, "R1", receipt_fen=1_500_000)
    assert refused(book.receive, HERE, "R1", 300_001) is Refusal.RECEIPT_EXHAUSTED
    assert refused(book.receive, HERE, "R1", 1, receipt_fen=9) is Refusal.RECEIPT_CONFLICT
    assert book.receive(HERE, "R1", 300_000, receipt_fen=1_500_000).transit_fen == 300_000
    assert len(book.payments(PERIOD)) == 3


def test_money_nobody_can_place_waits_in_suspense(book: Ledger) -> None:
    """It is in the bank and owed to somebody; matched, it is what it turned out to be, and no more."""
    book.suspend(HOST, "S1", 1_000_000, sender="somebody")
    assert book.suspend(HOST, "S1", 1_000_000, sender="somebody").left_fen == 1_000_000
    assert refused(book.suspend, HOST, "S1", 5) is Refusal.RECEIPT_CONFLICT
    held = accounts(book)
    assert (held[f"bank:{HOST}"], held[f"suspense:{HOST}"]) == (1_000_000, -1_000_000)
    assert refused(book.match, HOST, "S1", THERE) is Refusal.WRONG_PARTY
    assert refused(book.match, HOST, "S1", AWAY, amount_fen=1_000_001) is Refusal.RECEIPT_EXHAUSTED
    assert refused(book.match, HOST, "S2", AWAY) is Refusal.UNKNOWN_KEY
    assert book.match(HOST, "S1", AWAY, amount_fen=900_000).left_fen == 100_000
    held = accounts(book)
    assert (held[f"bank:{HOST}"], held[f"suspense:{HOST}"]) == (1_000_000, -100_000)
    assert held[f"receivable:{HOST}:{HOME}"] == 300_000
    raised = book.clawback_raise("CASE-1", "260100/S000003", 200_000, "not justified")
    assert raised.outstanding_fen == 200_000
    assert refused(book.match, HOST, "S1", "CASE-1") is Refusal.WRONG_PARTY
    book.suspend(HOME, "S3", 50_000)
    book.match(HOME, "S3", "CASE-1")
    assert f"suspense:{HOME}" not in accounts(book)
    assert [each.left_fen for each in book.suspended()] == [100_000, 0]


def test_retention_and_offsets_are_withheld_from_institutions(store_url: str, tmp_path: Path) -> None:
    """Nine tenths are paid, a clawback is taken off the rest first; what is withheld is owed, or collected."""
    book = signed(store_url, tmp_path, '[retention]\nratio = "0.10"\n')
    book.clawback_raise("CASE-1", "260100/S000003", 20_000, "not justified")
    paid = {each.key: each for each in book.pay(PERIOD, offset=True)}
    assert (paid[AWAY].amount_fen, paid[AWAY].retained_fen) == (1_200_000, 0)
    here = paid[HERE]
    assert (here.amount_fen, here.retained_fen, here.withheld_fen) == (520_000, 60_000, 20_000)
    assert paid[THERE].amount_fen == 1_080_000
    held = accounts(book)
    assert held[f"retention:{HOST}:{HOSPITAL}"] == -120_000
    assert not [name for name in held if name.startswith(("offset:", "clawback:", "payable:"))]
    assert refused(book.clawback_collect, "CASE-1", 1, "R9") is Refusal.OVER_COLLECTED


@given(st.integers(1, 1_000), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 1_000)), max_size=12), st.booleans())
def test_whatever_the_bank_does_every_fen_is_somewhere(
    amount: int, steps: list[tuple[int, int]], negative: bool
) -> None:
    """In transit, received and sent back sum to the instruction, each with its sign; all postings close."""
    sign = -1 if negative else 1
    instructed = PaymentInstructed(1, 0, 202401, PAYMENT_INSTITUTION, 470100, "X", 1, 0, 0, sign * amount)
    state, banks = evolve(PaymentState(), instructed), 0
    for at, (step, some) in enumerate(steps):
        decided: Event | Refusal = (
            decide_receive(state, sign * some, f"R{at}", 1),
            decide_fail(state, state.attempt, "failed", 1),
            decide_return(state, sign * some, f"B{at}", "came back", 1),
            decide_resend(state, state.failure, 1),
        )[step]
        if isinstance(decided, Refusal):
            continue
        posted = checked_postings(decided, instructed)
        banks += sum(fen for account, fen in posted if account.startswith("bank:"))
        state = evolve(state, decided, at + 1)
        parts = (state.transit_fen, state.received_fen, state.back_fen)
        assert sum(parts) == sign * amount
        assert all(part * sign >= 0 for part in parts)
    assert banks == -state.received_fen
    assert payments.KIND_NAMES[PAYMENT_INSTITUTION] == "institution"
