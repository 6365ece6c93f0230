"""A clearing goes from cut-off to signature by two people, back as a whole, and is paid only when signed."""

from pathlib import Path

import pytest

import ledger
from ledger.clearing.events import ClearingSigned, ClearingWithdrawn
from ledger.clearing.states import Clearing, State, decide_check, decide_sign, decide_withdraw
from ledger.refusals import Refusal, Refused, StoreError
from ledger.service import Ledger
from tests.ledger.worlds import claim, clock, opened, sign, write

SETTLED = {"fund_pay_sumamt": "6000.00", "hifp_pay": "6000.00", "psn_part_amt": "4000.00", "psn_cash_pay": "4000.00"}


def book_with(url: str, tmp_path: Path, *claims: dict[str, str]) -> Ledger:
    """Returns a ledger with claims of January treated elsewhere."""
    book = opened(url)
    rows = claims or tuple(claim(at, mdtrtarea_admvs="470101", **SETTLED) for at in range(1, 4))
    book.intake(write(tmp_path / "claims.csv", rows))
    return book


def test_every_step_needs_the_one_before(store_url: str, tmp_path: Path) -> None:
    """Nothing is drawn up before the cut-off, checked before the draft, signed before the check, paid before all."""
    with book_with(store_url, tmp_path) as book:
        director = Ledger(book.store, "director", book.clock_us)
        for step, refusal in (
            (lambda: book.draft(202401), Refusal.PERIOD_NOT_CLOSED),
            (lambda: book.pay(202401), Refusal.PERIOD_NOT_CLOSED),
        ):
            with pytest.raises(Refused) as refused:
                step()
            assert refused.value.refusal is refusal
        book.close(202401)
        for refused_step, refusal in (
            (lambda: book.check(202401), Refusal.CLEARING_NOT_DRAFTED),
            (lambda: director.sign(202401), Refusal.CLEARING_NOT_CHECKED),
            (lambda: book.pay(202401), Refusal.CLEARING_NOT_SIGNED),
        ):
            with pytest.raises(Refused) as refused:
                refused_step()
            assert refused.value.refusal is refusal
        assert book.draft(202401).state == "drafted"
        assert book.check(202401).checked_by == "tester"
        with pytest.raises(Refused, match="already"):
            book.draft(202401)
        with pytest.raises(Refused) as same:
            book.sign(202401)
        assert same.value.refusal is Refusal.SAME_PERSON
        signed = director.sign(202401)
        assert (signed.state, signed.checked_by, signed.signed_by) == ("signed", "tester", "director")
        assert (signed.acts, signed.fund_fen) == (3, 1_800_000)
        assert [period.state for period in book.periods()] == ["signed"]
        assert sum(payment.amount_fen for payment in book.pay(202401, "regions")) == 1_800_000
        assert book.clearing(202401).state == "paid"


def test_a_signature_is_taken_back_as_a_whole_by_its_reference(store_url: str, tmp_path: Path) -> None:
    """Withdrawing names the signature it takes back, leads to the cut-off, and is over once money moves."""
    with book_with(store_url, tmp_path) as book:
        book.close(202401)
        sign(book, 202401)
        signed = book.clearing(202401).position
        with pytest.raises(Refused) as other:
            book.withdraw(202401, of=signed - 1)
        assert other.value.refusal is Refusal.CLEARING_REFERENCE
        withdrawn = book.withdraw(202401, of=signed, reason="a file was missing")
        assert (withdrawn.state, withdrawn.checked_by, withdrawn.signed_by) == ("cut_off", "", "")
        with pytest.raises(Refused, match="draft, check and sign"):
            book.pay(202401)
        sign(book, 202401)
        book.pay(202401)
        with pytest.raises(Refused) as paid:
            book.withdraw(202401)
        assert paid.value.refusal is Refusal.CLEARING_PAID


def test_claims_carried_too_long_are_checked_only_with_a_reason(sqlite_url: str, tmp_path: Path) -> None:
    """A claim three periods late, or of a year already over, is listed with its amount and needs a reason on record."""
    with book_with(sqlite_url, tmp_path) as book:
        for period in (202401, 202402, 202403):
            if period > 202401:
                row = claim(period, setl_time=f"2024-{period % 100:02d}-05 08:00:00", **SETTLED)
                book.intake(write(tmp_path / f"{period}.csv", [row]))
            book.close(period)
        late = [claim(91, **SETTLED), claim(92, setl_time="2024-03-09 08:00:00", **SETTLED)]
        book.intake(write(tmp_path / "late.csv", late))
        book.close(202404)
        drafted = book.draft(202404)
        assert drafted.late == ((202401, 1, 1_000_000), (202403, 1, 1_000_000))
        assert (drafted.overdue_acts, drafted.overdue_medfee_fen) == (1, 1_000_000)
        with pytest.raises(Refused, match=r"1 claims, medfee 10,000\.00") as refused:
            book.check(202404)
        assert refused.value.refusal is Refusal.CARRIED_TOO_LONG
        assert book.check(202404, reason="agreed with the hospital").state == "checked"


def test_a_draft_of_an_altered_log_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """What is drawn up is summed from the log again, and must be what closing froze."""
    import sqlite3

    with book_with(sqlite_url, tmp_path) as book:
        book.close(202401)
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA recursive_triggers = OFF")
        at, state = raw.execute(
            "SELECT notification_id, state FROM stored_events WHERE topic = 'claim-settled/1' LIMIT 1"
        ).fetchone()
        fen = (600_000).to_bytes(4, "big")
        assert fen in bytes(state)
        altered = bytes(state).replace(fen, (600_001).to_bytes(4, "big"))
        raw.execute("UPDATE stored_events SET state = ? WHERE notification_id = ?", (altered, at))
    with (
        ledger.open(sqlite_url, actor="tester", clock_us=clock()) as book,
        pytest.raises(StoreError, match="run verify"),
    ):
        book.draft(202401)


def test_decisions_are_pure_and_the_last_confirmation_is_what_stands() -> None:
    """The same state and command give the same event; who checked may not sign; a sealed clearing is final."""
    checked = Clearing(202401, State.CHECKED, 40, 3, 30, checked_by="a")
    assert decide_sign(checked, "a", 50) is Refusal.SAME_PERSON
    assert decide_sign(checked, "b", 50) == ClearingSigned(50, 0, 202401, "b", 40)
    assert decide_check(checked, "b", 50, reasoned=True) is Refusal.CLEARING_STANDS
    assert decide_withdraw(checked, "c", 40, 50, paid=False) == ClearingWithdrawn(50, 0, 202401, "c", 40)
    sealed = Clearing(202401, State.SEALED, 60, 3, 30)
    assert decide_withdraw(sealed, "c", 60, 70, paid=True) is Refusal.CLEARING_SEALED
