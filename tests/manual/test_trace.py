"""From every key to every event that touched it, in order."""

import itertools
import json
from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.service import Ledger
from projections.evidence import check_proof
from projections.reader import Projections
from projections.trace_tree import ClaimsTrace, ClaimTrace, CodeTrace, ManualTrace, PaymentTrace, Step, ViolationTrace
from tests.casework.worlds import act as case_act
from tests.casework.worlds import closed
from tests.ledger.worlds import claim, opened, write
from tests.lines.files import line, write_lines
from tests.manual.worlds import act, do, office, payment_of, take_to

PACK = """
[pack]
name = "one"
title = "one rule"
begin = "2024-01-01"
source = "test"
cases = false

[[rule]]
code = "R1"
title = "dear"
kind = "over_standard"
by = "price"
result = "definite"
items = ["XJ01CAA040A001"]
limit = "1.00"
"""
CODE = "81234567890123456789"


def whats(steps: tuple[Step, ...]) -> list[str]:
    """Returns what the events are, in order."""
    return [step.what for step in steps]


def sound(steps: tuple[Step, ...]) -> None:
    """Checks that events stand in log order, once each, with who and when."""
    positions = [step.position for step in steps]
    assert positions == sorted(set(positions)) and positions
    assert all(step.actor and step.recorded_at for step in steps if step.what != "job-started")


@pytest.fixture
def supervised(store_url: str, tmp_path: Path) -> Ledger:
    """Returns a ledger with lines that violate a rule, trace codes on them, and a case that took the violation up."""
    book = opened(store_url)
    rows = [claim(serial) for serial in (1, 2)]
    book.intake(write(tmp_path / "claims.csv", rows))
    lines = [line(1, 1, drug_trac_codg=CODE), line(2, 1)]
    assert book.lines(write_lines(tmp_path / "lines.csv", lines)).booked == 2
    pack = tmp_path / "pack.toml"
    pack.write_text(PACK.replace("XJ01CAA040A001", lines[0]["med_list_codg"]), encoding="utf-8")
    book.enact_rules(pack)
    assert book.review_period(202401).found == 2
    book.enact_case_terms("national-2021")
    book.cases_from_review(202401, "wang", on=20240401)
    return book


def test_a_violation_leads_to_its_case_and_back(supervised: Ledger, store_url: str) -> None:
    """Violation → claims and case → violation and trace code → claim → violation: every link is there both ways."""
    with projections.open(store_url) as read:
        (case,) = [each.case for each in read.cases(20240401)]
        (found,) = read.trace(case).found
        assert len(found.violations) == 2 and found.codes == (CODE,)
        for stream in found.violations:
            (violation,) = read.trace(stream).found
            assert isinstance(violation, ViolationTrace)
            assert (violation.rule, violation.stands, violation.cases) == ("R1", True, (case,))
            (act_,) = violation.claims
            (booked,) = read.trace(act_.key).found
            assert isinstance(booked, ClaimTrace)
            assert (booked.violations, booked.cases) == ((stream,), (case,))
            (at,) = read.trace(read.violations(202401)[0].position).found
            assert isinstance(at, ViolationTrace)
        (code,) = read.trace(CODE).found
        assert isinstance(code, CodeTrace) and code.claims[0].cases == (case,)
        assert len(code.claims[0].violations) == 1
        institution = read.trace("H26010100001").found[0]
        assert isinstance(institution, ClaimsTrace)
        assert institution.cases == (case,) and set(institution.violations) == set(found.violations)
        person = read.trace("P000001").found[0]
        assert isinstance(person, ClaimsTrace) and person.cases == (case,) and len(person.violations) == 1


def test_every_key_lists_the_events_that_touched_it(supervised: Ledger, store_url: str) -> None:
    """A claim's life is the same from claim, code, violation and person: filed to clawed back."""
    closed(supervised, "C2", ("260100/S000001", 100_000))
    supervised.case_acts([case_act("raise", "C2", kind="clawed_back")], reason="found")
    with projections.open(store_url) as read:
        one = whats(read.trace("260100/S000001", events=True).steps)
        assert one[:3] == ["claim-filed", "claim-settled", "lines-filed"]
        for what in ("violation-found", "case-opened", "case-closed", "recovery-raised"):
            assert what in one
        for key in (CODE, "C2", "P000001", "H26010100001", read.violations(202401)[0].stream):
            steps = read.trace(key, events=True).steps
            sound(steps)
            assert "claim-filed" in whats(steps) or key == "C2"
        filed_step = read.trace("260100/S000001", events=True).steps[0]
        assert (filed_step.source, filed_step.row, filed_step.amount_fen) == ("claims.csv", 1, 1_000_000)
        assert read.trace("260100/S000001").steps == ()


def test_an_application_is_traced_from_every_key(store_url: str) -> None:
    """Application, claim, payment, person and any position of it lead to it; what pays it anew is linked both ways."""
    with office(store_url) as book:
        take_to(book, "pay")
        payment = payment_of(book)
        book.confirm(payment, "BANK-1")
        do(book, act("recover"), act("accept", "A2", follows="A1"))
    with projections.open(store_url) as read:
        (found,) = read.trace("A1").found
        assert isinstance(found, ManualTrace)
        assert (found.stage, found.followed_by) == ("recovered", ("A2",))
        assert found.payment is not None and found.payment.receipt == "BANK-1"
        (following,) = read.trace("A2").found
        assert isinstance(following, ManualTrace) and following.follows == "A1"
        (booked,) = read.trace("S000001").found
        assert isinstance(booked, ClaimTrace) and booked.application == "A1"
        assert [paid.stream for paid in booked.payments] == [payment]
        (paid,) = read.trace(payment).found
        assert isinstance(paid, PaymentTrace) and paid.agrees and paid.application == "A1"
        (person,) = read.trace("P000001").found
        assert isinstance(person, ClaimsTrace) and person.applications == ("A1", "A2")
        steps = read.trace("A1", events=True).steps
        sound(steps)
        assert [what for what, _ in itertools.groupby(whats(steps))] == [
            "manual-accepted", "manual-archived", "manual-entered", "manual-reviewed", "claim-filed", "claim-settled",
            "manual-claim-accepted", "manual-owed", "manual-settled", "manual-confirmed", "manual-instructed",
            "payment-instructed", "payment-confirmed", "receipt-noted", "receipt-used", "claim-filed", "claim-reversed",
            "manual-owed", "manual-recovered", "manual-accepted",
        ]  # fmt: skip
        for step in steps:
            if step.what.startswith("manual-") and step.stream.startswith("reimbursement-A1"):
                assert read.trace(step.position).found == (found,)
        proven(read, "A1", len(steps))


def proven(read: Projections, key: str, events: int) -> None:
    """Checks that every event a key leads to is proven against a checkpoint."""
    proof = read.prove(key, read.checkpoint())
    assert len(proof.events) == events
    assert check_proof(proof) == []


def test_trace_prints_the_events_with_who_and_why(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`trace KEY --events` lists position, time, event, amount, who and why; as JSON the same events."""
    with office(sqlite_url) as book:
        take_to(book, "pay")
    assert main(["trace", "A1", "--events", "--store", sqlite_url]) == 0
    said = capsys.readouterr().out
    assert "manual-settled" in said and "qian" in said and "sun" in said
    assert main(["trace", "A1", "--events", "--json", "--store", sqlite_url]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [step["what"] for step in steps][-1] == "payment-instructed"
