"""The working-day clock of manual reimbursement: who owns a step, until when, and who is late."""

import json
from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.manual.terms import read_terms
from ledger.refusals import Refusal, Refused
from tests.manual.worlds import DOCUMENTS, act, do, office, payment_of, refused, take_to

TERMS = """
name = "elsewhere"
begin = 2024-01-01
source = "test"
days = 4
regions = [470100]
[step]
archive = {{ days = 1, owner = "a" }}
enter = {{ days = 1, owner = "b" }}
review = {{ days = {review}, owner = "{owner}" }}
settle = {{ days = 1, owner = "d" }}
confirm = {{ days = 1, owner = "e" }}
pay = {{ days = 1, owner = "f" }}
"""


def test_ten_working_days_skip_the_holidays(store_url: str) -> None:
    """Accepted on 1 April 2024 an application has until the 16th: ten working days over Qingming and its Sunday."""
    with office(store_url) as book:
        take_to(book, "accept")
        with projections.open(store_url) as read:
            (line,) = read.applications(20240402).lines
            assert (line.limit, line.due, line.owner, line.late) == (20240416, 20240402, "归档岗", False)
            (late,) = read.applications(20240403).late
            assert (late.owner, late.applications, late.since) == ("归档岗", 1, 20240402)
        do(book, act("archive", owner="chen"), act("enter", on=20240402), act("review", on=20240403))
        with projections.open(store_url) as read:
            (line,) = read.applications(20240403).lines
            assert (line.stage, line.owner, line.due) == ("reviewed", "结算岗", 20240407)


def test_the_clock_stands_still_while_something_is_missing(store_url: str) -> None:
    """补正: from the request to the day the documents come no working day counts, nobody is late and no step is taken.

    Accepted on 1 April, asked on the 2nd, completed on the 9th: the 3rd, 7th (worked), 8th and 9th are four days.
    """
    with office(store_url) as book:
        take_to(book, "accept")
        refused(book, act("complete", evidence=DOCUMENTS[:1]), Refusal.MANUAL_WAITING)
        refused(book, act("request", on=20240402), Refusal.BAD_VALUE)
        do(book, act("request", on=20240402, reason="the invoice's second page"))
        assert "second page" in refused(book, act("archive", on=20240403), Refusal.MANUAL_WAITING)
        refused(book, act("request", on=20240403, reason="and the seal"), Refusal.MANUAL_WAITING)
        with projections.open(store_url) as read:
            (line,) = read.applications(20240430).lines
            assert (line.late, line.waiting, line.owner, line.due) == (False, 20240402, "", 0)
        refused(book, act("complete", on=20240409, evidence=()), Refusal.MANUAL_EVIDENCE)
        do(book, act("complete", on=20240409, evidence=(b"\x09" * 32,)))
        with projections.open(store_url) as read:
            (line,) = read.applications(20240409).lines
            assert (line.due, line.limit, line.owner, line.late) == (20240409, 20240422, "归档岗", False)
            assert [each.late for each in read.applications(20240410).lines] == [True]
        do(book, act("archive", on=20240409), act("enter", on=20240410))
        refused(book, act("complete", on=20240410, evidence=(b"\x08" * 32,)), Refusal.MANUAL_WAITING)
        do(book, act("request", on=20240410, reason="the prescription"))
        do(book, act("complete", on=20240410, evidence=(b"\x08" * 32,)))
        do(book, *(act(each, on=20240411) for each in ("review", "settle")))
        refused(book, act("request", on=20240411, reason="too late"), Refusal.MANUAL_STAGE)
        with projections.open(store_url) as read:
            assert read.applications(20240411).lines[0].limit == 20240422
            assert read.verify() == []


def test_asking_when_it_is_late_makes_nobody_punctual(sqlite_url: str) -> None:
    """A step late when something was asked for stays late, with its owner; asked on its last day it is not."""
    with office(sqlite_url) as book:
        take_to(book, "accept")
        take_to(book, "accept", "A2", serial=2)
        do(book, act("request", "A1", on=20240403, reason="the seal"), act("request", "A2", on=20240402, reason="it"))
        with projections.open(sqlite_url) as read:
            late, other = read.applications(20240430).lines
            assert (late.late, late.owner, late.due, late.waiting) == (True, "归档岗", 20240402, 20240403)
            assert (other.late, other.owner, other.due, other.waiting) == (False, "", 0, 20240402)
            (owner,) = read.applications(20240430).late
            assert (owner.owner, owner.applications, owner.since) == ("归档岗", 1, 20240402)


def test_the_whole_clock_runs_until_the_bank_has_paid(store_url: str) -> None:
    """An instructed payment is late until it is confirmed; a paid application is late with nobody."""
    with office(store_url) as book:
        take_to(book, "pay")
        with projections.open(store_url) as read:
            assert [line.late for line in read.applications(20240430).lines] == [True]
            assert [each.owner for each in read.applications(20240430).late] == ["sun"]
        book.confirm(payment_of(book), "BANK-1")
        with projections.open(store_url) as read:
            assert read.applications(20240430).late == ()
            assert read.applications(20240430, late=True).lines == ()


def test_a_region_has_its_own_clock(store_url: str, tmp_path: Path) -> None:
    """A document for a region goes before the one for all, from its day on; others keep theirs."""
    path = tmp_path / "elsewhere.toml"
    path.write_text(TERMS.format(review=2, owner="c"), encoding="utf-8")
    with office(store_url) as book:
        assert book.enact_handling_terms(path) == book.enact_handling_terms(path)
        take_to(book, "accept", "A1")
        take_to(book, "accept", "A2", serial=2, insu_admdvs="470101")
    with projections.open(store_url) as read:
        assert [line.limit for line in read.applications(20240401).lines] == [20240416, 20240408]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (TERMS.format(review=0, owner="c"), "step.review"),
        (TERMS.format(review=9, owner="c"), "days"),
        (TERMS.format(review=1, owner=" "), "step.review"),
        (TERMS.format(review=1, owner="c").replace("settle", "settel"), "step"),
        ("days = ", "terms.toml"),
        ("days = 1", "terms.toml"),
    ],
)
def test_terms_that_cannot_be_are_refused_naming_the_key(document: str, where: str) -> None:
    """A document with a step without days, without owner or unknown, or a clock shorter than a step, is refused."""
    with pytest.raises(Refused, match=where) as caught:
        read_terms(document, "terms.toml")
    assert caught.value.refusal == Refusal.MANUAL_TERMS


def test_late_owners_on_the_command_line(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`manual list --late` names who is late, with how much, and as JSON the same."""
    with office(sqlite_url) as book:
        take_to(book, "settle")
        take_to(book, "accept", "A2", serial=2)
    assert main(["manual", "list", "--on", "2024-04-10", "--store", sqlite_url]) == 0
    said = capsys.readouterr().out
    assert "复核岗" in said and "归档岗" in said and "2 applications, 2 late" in said
    assert main(["manual", "list", "--late", "--on", "2024-04-10", "--json", "--store", sqlite_url]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [line["application"] for line in found["lines"]] == ["A1", "A2"]
    assert {each["owner"]: each["applications"] for each in found["late"]} == {"复核岗": 1, "归档岗": 1}
