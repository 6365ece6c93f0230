"""What was paid by hand wrongly is recovered fund by fund, and paid anew."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import projections
from ledger.manual import states
from ledger.manual.docket import read_application
from ledger.manual.events import ManualRecovered, ManualSettled
from ledger.manual.states import Application, Doing
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.ledger.worlds import claim, refund, write
from tests.manual.test_workflow import PERSON, balances
from tests.manual.worlds import OFF_SITE, ON, STEPS, act, do, handed_in, office, payment_of, refused, take_to


def settled_of(book: Ledger, application: str = "A1") -> ManualSettled:
    """Returns what an application settled to."""
    with book.store.read() as reader:
        settled = read_application(reader, application).settled
    assert settled is not None
    return settled


def owed(book: Ledger, application: str = "A1") -> list[int]:
    """Returns what the person still owes of each fund."""
    with book.store.read() as reader:
        return read_application(reader, application).outstanding


def paid(book: Ledger, application: str = "A1", serial: int = 1, **cells: str) -> int:
    """Takes an application to a payment that the bank has confirmed, and returns its amount."""
    take_to(book, "pay", application, serial, **cells)
    book.confirm(payment_of(book, application), f"BANK-{application}")
    return settled_of(book, application).amount_fen


@pytest.mark.parametrize("cells", [{}, OFF_SITE])
def test_recovering_refunds_the_claim_and_the_person_owes(store_url: str, cells: dict[str, str]) -> None:
    """The claim is refunded in full, every fund is owed what it paid, and nothing is owed by or to the institution."""
    region = "470100" if cells else "260100"
    with office(store_url) as book:
        amount = paid(book, **cells)
        do(book, act("recover"))
        settled = settled_of(book)
        assert owed(book) == [fen for _, fen in settled.parts] and sum(owed(book)) == amount
        left = balances(store_url)
        assert left == {f"manual:{region}:person-000000001": amount, f"bank:{region}": -amount}
        refused(book, act("recover"), Refusal.MANUAL_STAGE)
        refused(book, act("collect", amount_fen=amount + 1, receipt="R"), Refusal.OVER_COLLECTED)
        refused(book, act("collect", amount_fen=0, receipt="R"), Refusal.POSTINGS_EMPTY)
        refused(book, act("collect", amount_fen=1), Refusal.BAD_KEY)
        do(book, act("collect", amount_fen=1_000, receipt="R-1"))
        refused(book, act("collect", amount_fen=1, receipt="R-1"), Refusal.STREAM_EXISTS)
        do(book, act("collect", amount_fen=amount - 1_000, receipt="R-2"))
        assert sum(owed(book)) == 0 and balances(store_url) == {}
    with projections.open(store_url) as read:
        assert read.verify() == []


def test_a_recovered_application_is_paid_anew_less_what_is_owed(store_url: str) -> None:
    """The next application pays the difference, the rest is set off, and the person's account ends at nil."""
    with office(store_url) as book:
        first = paid(book)
        refused(book, act("accept", "A2", follows="A1"), Refusal.MANUAL_NOT_RECOVERED)
        do(book, act("recover"))
        refused(
            book, act("accept", "A2", follows="A1", psn_no="P000002", insu_admdvs=260101), Refusal.MANUAL_NOT_RECOVERED
        )
        corrected = handed_in(
            1, setl_id="S000001B", medins_setl_id="", medfee_sumamt="20000.00", inscp_scp_amt="20000.00"
        )
        own = {"accept": {"follows": "A1"}, "enter": {"claim": corrected}}
        do(book, *(act(step, "A2", **own.get(step, {})) for step in STEPS))
        second = settled_of(book, "A2").amount_fen
        assert second > first and owed(book) == [0] * len(owed(book))
        payment = book.confirm(payment_of(book, "A2"), "BANK-2")
        assert (payment.amount_fen, payment.withheld_fen) == (second - first, first)
        assert balances(store_url) == {
            "bank:260100": -second,
            **{name: fen for name, fen in balances(store_url).items() if name.startswith(("expense", "account"))},
        }
        with projections.open(store_url) as read:
            assert [line.stage for line in read.applications(ON).lines] == ["recovered", "paid"]
            assert read.verify() == []


def test_paid_anew_with_less_the_rest_stays_owed(store_url: str) -> None:
    """Where less is due than was paid the payment is withheld whole, and what is over is collected."""
    with office(store_url) as book:
        first = paid(book)
        do(book, act("recover"))
        lower = handed_in(1, setl_id="S000001B", medins_setl_id="", medfee_sumamt="4000.00", inscp_scp_amt="4000.00")
        own = {"accept": {"follows": "A1"}, "enter": {"claim": lower}}
        do(book, *(act(step, "A2", **own.get(step, {})) for step in STEPS))
        second = settled_of(book, "A2").amount_fen
        assert 0 < second < first and sum(owed(book)) == first - second
        do(book, act("collect", amount_fen=first - second, receipt="R-1"))
        assert PERSON not in balances(store_url)
        with projections.open(store_url) as read:
            assert [line.stage for line in read.applications(ON).lines] == ["recovered", "paid"]
            assert read.verify() == []
        do(book, act("recover", "A2"))
        assert sum(owed(book, "A2")) == second


def test_before_the_payment_nothing_is_owed(store_url: str) -> None:
    """Recovered before it was instructed, the claim is refunded and nothing is owed; in transit it is refused."""
    with office(store_url) as book:
        take_to(book, "settle")
        do(book, act("recover"))
        assert owed(book) == [] and balances(store_url) == {}
        take_to(book, "pay", "A2", serial=2)
        assert "instructed" in refused(book, act("recover", "A2"), Refusal.MANUAL_TRANSIT)
        book.fail(payment_of(book, "A2"), reason="closed account")
        refused(book, act("recover", "A2"), Refusal.MANUAL_TRANSIT)
        book.resend(payment_of(book, "A2"))
        book.confirm(payment_of(book, "A2"), "BANK-2")
        do(book, act("recover", "A2"))
        book.send_back(payment_of(book, "A2"), 1_000, "RET-1", reason="bounced")
        with pytest.raises(Refused) as caught:
            book.resend(payment_of(book, "A2"))
        assert caught.value.refusal == Refusal.MANUAL_STAGE


def test_any_refund_of_a_manual_claim_falls_on_its_person(store_url: str, tmp_path: Path) -> None:
    """Reversed by command or by a file, the person owes what was paid, never the institution; a payment says so."""
    with office(store_url) as book:
        amount = paid(book)
        book.reverse("260100/S000001", "billed twice")
        assert balances(store_url) == {PERSON: amount, "bank:260100": -amount}
        other = paid(book, "A2", serial=2)
        book.intake(write(tmp_path / "r.csv", [refund(claim(2), 9002)]))
        assert balances(store_url)["manual:260100:person-000000002"] == other
        assert not [name for name in balances(store_url) if name.startswith("payable:")]
    with projections.open(store_url) as read:
        assert read.verify() == []


PARTS = st.lists(st.tuples(st.sampled_from([310100, 390200, 610100, 310200]), st.integers(1, 10_000)), min_size=1)


@given(parts=PARTS, share=st.integers(0, 100), amounts=st.lists(st.tuples(st.booleans(), st.integers(-5, 12_000))))
def test_collecting_and_setting_off_never_take_more_than_was_paid(
    parts: list[tuple[int, int]], share: int, amounts: list[tuple[bool, int]]
) -> None:
    """Whatever is asked, every fund keeps raised = come in + outstanding, and never gets back more than it paid."""
    total = sum(fen for _, fen in parts)
    state, doing = Application(), Doing(1, 0, ON, "wang")
    state.stage, state.settled = states.SETTLED, ManualSettled(1, 0, ON, "w", 5, 202401, total, tuple(parts), "w", 0)
    state.accepted = states.ManualAccepted(1, 0, "A", 1, 260100, ON, "w", "", 0, "w", 0)
    recovered = states.decide_recover(state, doing, 9, total * share // 100, "wrong")
    assert isinstance(recovered, ManualRecovered)
    states.evolve(state, recovered)
    asked = [fen for _, fen in recovered.parts]
    assert sum(asked) == total * share // 100
    for number, (collected, fen) in enumerate(amounts):
        before = sum(state.outstanding)
        decided = (
            states.decide_collect(state, doing, fen, f"R{number}")
            if collected
            else states.decide_set_off(state, doing, fen, "B")
        )
        assert isinstance(decided, Refusal) == (not 0 < fen <= before)
        if not isinstance(decided, Refusal):
            states.evolve(state, decided)
            assert sum(state.outstanding) == before - fen
        assert all(0 <= came <= most for came, most in zip(state.came_in, asked, strict=True))
        assert [a + b for a, b in zip(state.came_in, state.outstanding, strict=True)] == asked


def test_a_claim_refunded_already_is_recovered_from_its_person(store_url: str) -> None:
    """Refunded by command behind its payment, recovering refunds it no second time: the person owes what was paid."""
    with office(store_url) as book:
        amount = paid(book)
        refunded = book.reverse("260100/S000001", "billed twice")
        do(book, act("recover"))
        with book.store.read() as reader:
            recovered = read_application(reader, "A1").recovered
        assert recovered is not None and (recovered.refund, sum(owed(book))) == (refunded.position, amount)
        do(book, act("collect", amount_fen=amount, receipt="R-1"))
        assert balances(store_url) == {}
    with projections.open(store_url) as read:
        assert read.verify() == []


def test_what_does_not_stand_is_not_sent_again(sqlite_url: str) -> None:
    """A payment that failed is not resent once its claim is refunded; recovered, nothing is owed by or to anybody."""
    with office(sqlite_url) as book:
        take_to(book, "pay")
        payment = payment_of(book)
        book.fail(payment, reason="closed account")
        book.reverse("260100/S000001", "billed twice")
        with pytest.raises(Refused, match="recover") as caught:
            book.resend(payment)
        assert caught.value.refusal == Refusal.MANUAL_STAGE
        do(book, act("recover"))
        assert owed(book) == [] and balances(sqlite_url) == {}
