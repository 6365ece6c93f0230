"""An application for manual reimbursement from acceptance to payment, on both stores."""

from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.manual.docket import read_application
from ledger.manual.events import PASSED, ManualEntered, ManualOwed
from ledger.mapper import decode_event
from ledger.money import yuan_display
from ledger.refusals import Refusal, Refused
from tests.ledger.worlds import claim, events_of, sign, write
from tests.manual.worlds import (
    DOCUMENTS,
    OFF_SITE,
    ON,
    WHO,
    act,
    do,
    handed_in,
    office,
    payment_of,
    refused,
    take_to,
)

PERSON = "manual:260100:person-000000001"


def balances(url: str) -> dict[str, int]:
    """Returns every account that is not zero."""
    with projections.open(url) as read:
        return {account: fen for account, fen in read.balances().accounts.items() if fen}


def test_what_an_application_settles_to_is_paid_to_the_person(store_url: str) -> None:
    """The kernel settles what was entered, the institution is owed nothing, and the person's account ends at nil."""
    with office(store_url) as book:
        take_to(book, "settle")
        with book.store.read() as reader:
            settled = read_application(reader, "A1").settled
        assert settled is not None and settled.amount_fen > 0
        assert sum(fen for _, fen in settled.parts) == settled.amount_fen
        assert balances(store_url)[PERSON] == -settled.amount_fen
        assert not [name for name in balances(store_url) if name.startswith("payable:")]
        do(book, act("confirm"), act("pay"))
        assert balances(store_url)["transit:260100:person-000000001"] == -settled.amount_fen
        book.confirm(payment_of(book), "BANK-1")
        left = balances(store_url)
        assert PERSON not in left and left["bank:260100"] == -settled.amount_fen
    with projections.open(store_url) as read:
        (line,) = read.applications(ON).lines
        assert (line.stage, line.late, line.amount_fen) == ("paid", False, settled.amount_fen)
        assert read.verify() == []


def test_it_settles_as_the_same_claim_of_a_file_does(store_url: str, tmp_path: Path) -> None:
    """Entered by hand or taken in from a file, the same facts settle to the same amounts, fund by fund."""
    with office(store_url) as book:
        take_to(book, "settle", serial=1)
        assert book.intake(write(tmp_path / "c.csv", [claim(2)])).booked == 1
        with projections.open(store_url) as read:
            one, other = (read.trace(f"260100/S{serial:06d}").found[0].claim for serial in (1, 2))
        assert (one.fund_pay_sumamt, one.acct_pay, one.medfee_sumamt) == (
            other.fund_pay_sumamt, other.acct_pay, other.medfee_sumamt,
        )  # fmt: skip


def test_off_site_nothing_is_due_between_regions(store_url: str, tmp_path: Path) -> None:
    """A claim of another region's person is owed by it to the person: no region pays, no institution is paid."""
    with office(store_url) as book:
        take_to(book, "pay", **OFF_SITE)
        book.intake(write(tmp_path / "c.csv", [claim(2, **OFF_SITE, fund_pay_sumamt="")]))
        book.close(202401)
        sign(book, 202401)
        by_kind = {(each.kind, each.payee): each for each in book.pay(202401)}
        with projections.open(store_url) as read:
            manual, direct = (read.trace(f"470100/S{serial:06d}").found[0].claim for serial in (1, 2))
            region = by_kind["region", "260100"]
            assert region.withheld_fen == manual.due_fen and region.amount_fen == direct.due_fen
            institution = by_kind["institution", "H26010100001"]
            assert (institution.withheld_fen, institution.amount_fen) == (manual.due_fen, direct.due_fen)
            (found,) = read.trace(region.key).found
            assert found.agrees
            assert read.verify() == []


def test_statements_say_what_is_paid_by_hand(sqlite_url: str, tmp_path: Path) -> None:
    """Payable, receivable and notice show the gross due and the part that goes to persons: the rest is paid."""
    with office(sqlite_url) as book:
        take_to(book, "pay", **OFF_SITE)
        take_to(book, "settle", "A2", serial=4)
        book.intake(write(tmp_path / "c.csv", [claim(2, **OFF_SITE, fund_pay_sumamt="")]))
        book.close(202401)
        sign(book, 202401)
        paid = {each.payee: each for each in book.pay(202401)}["260100"]
    with projections.open(sqlite_url) as read:
        issued = {kind: read.issue(kind, 202401) for kind in ("payable", "receivable", "notices")}
        sums = {what: (count, fen) for what, count, fen in issued["payable"].remarks}
        local = read.trace("260100/S000004").found[0].claim.due_fen
        assert read.verify() == []
    due = {"payable": "due_fen", "receivable": "receivable_fen"}
    for kind, name in due.items():
        (sheet,) = issued[kind].sheets
        (row,) = [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]
        assert row[name] - row["reimbursed_fen"] == row["after_deductions_fen"] == paid.amount_fen
        assert row["reimbursed_fen"] == paid.withheld_fen > 0
    (sheet,) = issued["notices"].sheets
    (notice,) = [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]
    assert (notice["amount_fen"], notice["reimbursed_fen"]) == (paid.amount_fen, paid.withheld_fen)
    assert sums["by_hand"] == (2, paid.withheld_fen + local)


def test_a_bank_file_says_which_persons_it_leaves_out(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in transit to persons is in no file, and the command says how many and how much; alone it is refused."""
    with office(sqlite_url) as book:
        take_to(book, "pay")
        book.intake(write(tmp_path / "c.csv", [claim(2)]))
        with pytest.raises(Refused, match="1 to persons alone"):
            book.pay_file(202401)
        book.payee_account("H26010100001", "6222000011112222", name="hospital")
        book.close(202401)
        sign(book, 202401)
        book.pay(202401)
        fen = next(each.amount_fen for each in book.payments(202401) if each.kind == "person")
    out = tmp_path / "bank.csv"
    assert main(["pay-file", "--period", "202401", "--out", str(out), "--store", sqlite_url]) == 0
    assert f"NOT IN THE FILE: 1 payments to persons, {yuan_display(fen)}" in capsys.readouterr().out
    assert "person-" not in out.read_text(encoding="utf-8")


def test_steps_come_in_order_and_days_do_not_go_back(store_url: str) -> None:
    """A step out of turn, before the last day, of an unknown application or again is refused and writes nothing."""
    with office(store_url) as book:
        refused(book, act("archive"), Refusal.UNKNOWN_KEY)
        take_to(book, "accept")
        refused(book, act("accept"), Refusal.STREAM_EXISTS)
        refused(book, act("enter"), Refusal.MANUAL_STAGE)
        refused(book, act("archive", on=20240331), Refusal.MANUAL_DAY)
        refused(book, act("archive", evidence=()), Refusal.MANUAL_EVIDENCE)
        refused(book, act("archive", evidence=DOCUMENTS[:1] * 2), Refusal.MANUAL_EVIDENCE)
        do(book, act("archive"), act("enter"))
        refused(book, act("settle"), Refusal.MANUAL_STAGE)
        do(book, act("review"), act("settle"))
        refused(book, act("settle"), Refusal.MANUAL_STAGE)
        refused(book, act("pay"), Refusal.MANUAL_STAGE)
        do(book, act("confirm"))
        refused(book, act("pay", account=""), Refusal.NO_ACCOUNT)
        do(book, act("pay"))
        refused(book, act("pay"), Refusal.MANUAL_STAGE)


@pytest.mark.parametrize(
    ("step", "who"),
    [("review", "enter"), ("confirm", "enter"), ("confirm", "review"), ("pay", "review"), ("pay", "confirm"),
     ("pay", "enter")],
)  # fmt: skip
def test_nobody_does_two_steps_that_are_kept_apart(store_url: str, step: str, who: str) -> None:
    """Who entered does not review, confirm or pay; who reviewed does not confirm or pay; who confirmed does not pay."""
    before = ("accept", "archive", "enter", "review", "settle", "confirm", "pay")
    with office(store_url) as book:
        take_to(book, before[before.index(step) - 1])
        assert WHO[who] in refused(book, act(step), Refusal.MANUAL_SAME_PERSON, WHO[who])
        do(book, act(step))


def test_what_is_entered_is_checked_as_in_a_file(store_url: str, tmp_path: Path) -> None:
    """A cell that would put a row into quarantine refuses the entry for the same reason, naming field and value."""
    with office(store_url) as book:
        take_to(book, "archive")
        said = refused(book, act("enter", claim=handed_in(begndate="2024-13-02")), Refusal.BAD_DATE)
        assert "begndate" in said and "2024-13-02" in said
        refused(book, act("enter", claim=handed_in(medfee_sumamt="9999.99")), Refusal.IDENTITY_I1)
        refused(book, act("enter", claim=handed_in(insutype="999")), Refusal.UNKNOWN_INSUTYPE)
        refused(book, act("enter", claim=handed_in(fixmedins_code="")), Refusal.BAD_CODE)
        refused(book, act("enter", claim=handed_in(insu_admdvs="470101")), Refusal.MANUAL_PERSON)
        refused(book, act("enter", claim=handed_in(psn_no="P000009")), Refusal.MANUAL_PERSON)
        refused(book, act("enter", claim=handed_in(fund_pay_sumamt="10.00")), Refusal.MANUAL_SOURCE_SETTLED)
        refused(book, act("enter", claim=handed_in(init_setl_id="S9")), Refusal.MANUAL_SOURCE_SETTLED)
        book.intake(write(tmp_path / "c.csv", [claim(7)]))
        refused(book, act("enter", claim=handed_in(setl_id="S000007")), Refusal.SETL_ID_CONFLICT)
        do(book, act("enter"))


def test_a_review_sends_back_or_turns_down(store_url: str) -> None:
    """What is sent back is entered and reviewed again; what is turned down ends, with its reason."""
    with office(store_url) as book:
        take_to(book, "enter")
        refused(book, act("review", outcome="return"), Refusal.BAD_VALUE)
        do(book, act("review", outcome="return", reason="the day is wrong"))
        do(book, act("enter", claim=handed_in(begndate="2024-01-03")), act("review"), act("settle"))
        with projections.open(store_url) as read:
            assert read.trace("S000001").found[0].claim.medfee_sumamt == 1_000_000
        take_to(book, "enter", "A2", serial=2)
        do(book, act("review", "A2", outcome="decline", reason="not covered"))
        refused(book, act("settle", "A2"), Refusal.MANUAL_STAGE)
        refused(book, act("enter", "A2"), Refusal.MANUAL_STAGE)


def test_nothing_to_pay_ends_with_the_confirmation(store_url: str) -> None:
    """An application of which nothing is in scope settles to nothing, moves no money and is late with nobody."""
    with office(store_url) as book:
        take_to(book, "confirm", fulamt_ownpay_amt="10000.00", inscp_scp_amt="0.00")
        refused(book, act("pay"), Refusal.POSTINGS_EMPTY)
    with projections.open(store_url) as read:
        (line,) = read.applications(20251231).lines
        assert (line.stage, line.late, line.amount_fen) == ("paid", False, 0)
        assert read.verify() == []


def test_the_log_names_no_person_and_no_account(store_url: str) -> None:
    """No event of an application holds the person's number, name or whole account number."""
    from ledger.manual.acts import account_of

    with office(store_url) as book:
        take_to(book, "confirm")
        do(book, act("pay", account=account_of("6222 0000 1111 6789", "ICBC")))
        states = [(topic, state) for _, _, _, topic, state in events_of(book)]
        assert not any(b"P000001" in state or "某人".encode() in state for _, state in states)
        assert not any(b"62220000" in state for _, state in states)
        (entered,) = [decode_event(*each) for each in states if each[0] == ManualEntered.TOPIC]
        assert isinstance(entered, ManualEntered) and dict(entered.cells)["medfee_sumamt"] == "10000.00"


def test_a_manual_claim_is_known_to_the_rules_as_such(store_url: str) -> None:
    """The day of acceptance reaches the rules of manual claims without a register."""
    from ledger.supervision.collecting import collect

    with office(store_url) as book:
        take_to(book, "settle")
        with book.store.read() as reader:
            collected = collect(reader, 202401, 0)
        assert collected.visits.manual.tolist() == [1] and collected.visits.applied.tolist() == [ON]


def test_a_store_without_terms_says_what_to_do(store_url: str) -> None:
    """Without a clock in force an application is refused by name."""
    from tests.ledger.worlds import opened

    with opened(store_url) as book:
        assert "manual terms taian" in refused(book, act("accept"), Refusal.MANUAL_TERMS)
        with pytest.raises(Exception, match="expected a file of terms"):
            book.enact_handling_terms("nowhere")


def test_only_the_owed_event_turns_the_debt(store_url: str) -> None:
    """An ordinary claim owes its institution: turning is an event of its own, once for each manual claim."""
    with office(store_url) as book:
        take_to(book, "settle")
        found = [decode_event(topic, state) for _, _, _, topic, state in events_of(book) if topic == ManualOwed.TOPIC]
        assert len(found) == 1 and isinstance(found[0], ManualOwed) and found[0].times == PASSED


def test_a_diagnosis_entered_by_hand_reaches_the_rules(store_url: str) -> None:
    """The disease of a claim is entered beside its facts, checked, and seen by whoever reviews it."""
    from ledger.supervision.collecting import collect

    with office(store_url) as book:
        take_to(book, "archive")
        assert "dise_codg" in refused(book, act("enter", claim=handed_in() | {"dise_codg": "E 11"}), Refusal.BAD_CODE)
        do(book, act("enter", claim=handed_in() | {"dise_codg": "E11.9"}), act("review"), act("settle"))
        take_to(book, "settle", "A2", serial=2)
        with book.store.read() as reader:
            assert collect(reader, 202401, 0).visits.diagnosis == ["E11.9", ""]


def test_a_person_is_not_erased_while_an_application_runs(store_url: str) -> None:
    """Until the bank has paid, and while the person owes, identity is kept; an erased person's refund still books."""
    with office(store_url) as book:
        take_to(book, "settle")
        with pytest.raises(Refused, match="A1"):
            book.erase("P000001", retention_years=0, reason="asked")
        do(book, act("confirm"), act("pay"))
        with pytest.raises(Refused, match="A1"):
            book.erase("P000001", retention_years=0, reason="asked")
        book.confirm(payment_of(book), "BANK-1")
        do(book, act("recover"))
        with pytest.raises(Refused, match="A1"):
            book.erase("P000001", retention_years=0, reason="asked")
        take_to(book, "settle", "A2", serial=2)
        do(book, act("confirm", "A2"), act("pay", "A2"))
        book.confirm(payment_of(book, "A2"), "BANK-2")
        book.erase("P000002", retention_years=0, reason="asked")
        do(book, act("recover", "A2"))
    with projections.open(store_url) as read:
        assert read.verify() == []
