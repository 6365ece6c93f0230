"""A claim reimbursed by hand and booked anew: its person is paid the difference, or owes it."""

from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.manual.docket import read_application
from ledger.money import yuan_display
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.manual.test_recovering import owed, paid, settled_of
from tests.manual.test_workflow import PERSON, balances
from tests.manual.worlds import ON, STEPS, act, do, handed_in, office, payment_of, refused, take_to
from tests.replay.stories import REGIONS, other_policy

MORE = ('2 = "0.75"', '2 = "0.85"')
LESS = ('2 = "0.75"', '2 = "0.60"')


def corrected(book: Ledger, tmp_path: Path, change: tuple[str, str]) -> int:
    """Books January anew under a changed policy; returns what the claims' persons are owed more, or below zero less."""
    policy = other_policy(tmp_path, change)
    book.enact(policy, list(REGIONS), assumed=True)
    done = book.correct(policy, 202401, "the province's letter 12")
    assert done.by_hand == done.booked > 0 and min(done.more_fen, done.less_fen) == 0
    assert done.more_fen - done.less_fen == done.fund_fen + done.account_fen != 0
    return done.more_fen - done.less_fen


@pytest.mark.parametrize("step", ["settle", "confirm"])
@pytest.mark.parametrize("change", [MORE, LESS])
def test_before_the_payment_what_stands_is_paid(
    sqlite_url: str, tmp_path: Path, step: str, change: tuple[str, str]
) -> None:
    """Booked anew between settlement and payment, the person is paid what stands, in one payment."""
    with office(sqlite_url) as book:
        take_to(book, step)
        difference = corrected(book, tmp_path, change)
        do(book, *(act(each) for each in ("confirm", "pay")[step == "confirm" :]))
        stands = settled_of(book).amount_fen + difference
        assert book.confirm(payment_of(book), "BANK-1").amount_fen == stands
        assert PERSON not in balances(sqlite_url) and balances(sqlite_url)["bank:260100"] == -stands
        with projections.open(sqlite_url) as read:
            (found,) = read.trace(payment_of(book)).found
            assert found.agrees and found.claims_fen == stands


def test_behind_the_payment_the_difference_is_paid(store_url: str, tmp_path: Path) -> None:
    """Booked anew behind the payment the application is open again, and a further payment brings the difference."""
    with office(store_url) as book:
        first = paid(book)
        refused(book, act("pay"), Refusal.MANUAL_STAGE)
        difference = corrected(book, tmp_path, MORE)
        assert difference > 0
        with projections.open(store_url) as read:
            (line,) = read.applications(ON).lines
            assert (line.stage, line.further_fen) == ("instructed", difference)
        do(book, act("pay"))
        refused(book, act("pay"), Refusal.MANUAL_STAGE)
        payment = book.confirm(payment_of(book), "BANK-2")
        assert payment.amount_fen == difference
        assert PERSON not in balances(store_url) and balances(store_url)["bank:260100"] == -first - difference
        with projections.open(store_url) as read:
            (line,) = read.applications(ON).lines
            assert (line.stage, line.further_fen) == ("paid", 0)
            assert read.verify() == []
            (found,) = read.trace(payment.key).found
            assert found.application == "A1" and found.agrees
            (found,) = read.trace("260100/S000001").found
            assert [each.stream for each in found.payments][1:] == [payment.key]
            (found,) = read.trace(found.payments[0].stream).found
            assert found.agrees and found.claims_fen == first
        do(book, act("recover"))
        assert sum(owed(book)) == first + difference
        book.send_back(payment.key, difference, "RET-1", reason="bounced")
        with pytest.raises(Refused, match="it is recovered"):
            book.resend(payment.key)


def test_paid_too_much_the_person_owes_what_was_paid(sqlite_url: str, tmp_path: Path) -> None:
    """Booked anew with less, the list says what was paid too much; recovered, all that was paid is owed."""
    with office(sqlite_url) as book:
        first = paid(book)
        difference = corrected(book, tmp_path, LESS)
        assert difference < 0
        with projections.open(sqlite_url) as read:
            (line,) = read.applications(ON).lines
            assert (line.stage, line.further_fen) == ("paid", difference)
        refused(book, act("pay"), Refusal.MANUAL_STAGE)
        assert balances(sqlite_url)[PERSON] == -difference
        do(book, act("recover"))
        with book.store.read() as reader:
            recovered = read_application(reader, "A1").recovered
        assert recovered is not None and recovered.amount_fen == first == sum(fen for _, fen in recovered.parts)
        assert balances(sqlite_url) == {PERSON: first, "bank:260100": -first}


def test_a_refunded_claim_is_not_paid(sqlite_url: str) -> None:
    """A claim refunded between its confirmation and its payment owes its person nothing, and none is instructed."""
    with office(sqlite_url) as book:
        take_to(book, "confirm")
        book.reverse("260100/S000001", "billed twice")
        refused(book, act("pay"), Refusal.POSTINGS_EMPTY)


def test_the_replay_says_what_persons_are_owed(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`replay --commit` names how many claims were reimbursed by hand, and what their persons are owed."""
    with office(sqlite_url) as book:
        paid(book)
        policy = other_policy(tmp_path, MORE)
        book.enact(policy, list(REGIONS), assumed=True)
    where = ["--store", sqlite_url, "--reason", "letter 12", "--actor", "tester"]
    assert main(["replay", "--period", "202401", "--policy", str(policy), "--commit", *where]) == 0
    with projections.open(sqlite_url) as read:
        (line,) = read.applications(ON).lines
    owes = f"persons are owed {yuan_display(line.further_fen)} more (manual pay), 0.00 less"
    assert line.further_fen > 0
    assert f"1 of them reimbursed by hand (手工报销): {owes}" in capsys.readouterr().out


def test_a_failed_payment_of_more_than_stands_is_paid_anew(sqlite_url: str, tmp_path: Path) -> None:
    """Booked anew with less behind a payment that failed, it is not resent: recovered, it is paid anew as it stands."""
    with office(sqlite_url) as book:
        take_to(book, "pay")
        payment = payment_of(book)
        book.fail(payment, reason="closed account")
        refused(book, act("recover"), Refusal.MANUAL_TRANSIT)
        corrected(book, tmp_path, LESS)
        with pytest.raises(Refused, match="recover"):
            book.resend(payment)
        do(book, act("recover"))
        assert owed(book) == [] and balances(sqlite_url) == {}


def test_a_further_payment_is_not_taken_for_another_application(sqlite_url: str, tmp_path: Path) -> None:
    """An application whose number reads like another one's further payment keeps its own payment, and both are paid."""
    with office(sqlite_url) as book:
        paid(book)
        claim = handed_in(2, psn_no="P000001")
        do(book, *(act(step, "A1+2", **({"claim": claim} if step == "enter" else {})) for step in STEPS))
        book.confirm(payment_of(book, "A1+2"), "BANK-2")
        corrected(book, tmp_path, MORE)
        do(book, act("pay"), act("pay", "A1+2"))
        payments = [payment_of(book, name) for name in ("A1", "A1+2")]
        assert [each.rpartition("-")[2] for each in payments] == ["A1+3", "A1+2+2"]
        for at, each in enumerate(payments):
            book.fail(each, reason="closed account")
            book.resend(each)
            book.confirm(each, f"BANK-{3 + at}")
        assert PERSON not in balances(sqlite_url)
        with projections.open(sqlite_url) as read:
            found = [read.trace(each).found[0] for each in payments]
            assert [(each.application, each.agrees) for each in found] == [("A1", True), ("A1+2", True)]
            assert read.verify() == []
