"""Days, limits and types are terms: dated, written into the log, kept by the drafts made under them."""

from pathlib import Path

import pytest

from ledger.clearing.calendar import due_days
from ledger.clearing.terms import read_terms, shipped
from ledger.refusals import Refusal, Refused
from ledger.working_days import CalendarUnpublishedError
from tests.ledger.worlds import claim, opened, sign, write

TERMS = read_terms(shipped(), "national.toml")


def test_a_claim_slips_two_periods_and_a_year_ends_with_the_next_first_quarter() -> None:
    """Late beyond the periods allowed, or of a year whose clearing is over, is overdue."""
    assert not TERMS.overdue(202401, 202401)
    assert not TERMS.overdue(202401, 202403)
    assert TERMS.overdue(202401, 202404)
    assert not TERMS.overdue(202312, 202402)
    longer = read_terms("name = 'x'\n[late]\nperiods = 12", "x")
    assert not longer.overdue(202301, 202401)
    assert not longer.overdue(202312, 202403)
    assert longer.overdue(202312, 202404)
    assert longer.overdue(202206, 202301) is False
    assert longer.overdue(202206, 202307)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("late = 3", "late"),
        ("name = 'x'\n[late]\nperiod = 2", "period"),
        ("name = 'x'\n[calendar]\nsign_day = 32", "sign_day"),
        ("name = 'x'\n[variance]\nratio = '0.33333'", "decimals"),
        ("name = 'x'\n[clearing_types]\nabc = 11", "med_type"),
        ("name = ", "invalid"),
    ],
)
def test_terms_with_a_fault_are_refused_by_name(document: str, named: str) -> None:
    """A document that says what cannot be is refused, and the text says where."""
    with pytest.raises(Refused, match=f"(?i){named}") as refused:
        read_terms(document, "mine.toml")
    assert refused.value.refusal is Refusal.TERMS_INVALID
    assert str(refused.value).startswith("mine.toml: ")


def test_terms_hold_from_their_period_and_a_draft_keeps_its_own(sqlite_url: str, tmp_path: Path) -> None:
    """What is set for later leaves earlier periods alone; what shipped is in the log once it was used."""
    mine = tmp_path / "mine.toml"
    mine.write_text("name = 'mine'\n[calendar]\nsign_day = 27\n", encoding="utf-8")
    with opened(sqlite_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1)]))
        book.close(202401)
        sign(book, 202401)
        assert book.clearing(202401).terms == book.terms(202401).digest
        assert book.terms(202401).document == shipped()
        size = book.clearing(202401).position
        assert book.set_terms(mine, begin_period=202402).name == "mine"
        book.set_terms(mine, begin_period=202403)
        with book.store.read() as reader:
            assert reader.size == size + 2  # the second is in force already: nothing is written
        assert [book.terms(period).name for period in (202401, 202402, 202403)] == ["national", "mine", "mine"]
        assert {step.step: step.due for step in book.calendar(202402, 20240301)}["sign"] == 20240327


def test_the_calendar_counts_published_working_days() -> None:
    """Around Labour Day 2024: five working days behind 30 April skip the holiday and count the Saturday worked."""
    days = due_days(202403, TERMS)
    assert {name: f"{day:%m%d}" for name, day in days.items() if name in ("draft", "sign", "notices", "submit")} == {
        "draft": "0421",
        "sign": "0425",
        "notices": "0430",
        "submit": "0510",
    }
    assert f"{days['late_claims']:%Y%m%d} {days['year_end']:%Y%m%d}" == "20240531 20250331"
    with pytest.raises(CalendarUnpublishedError, match="2098"):
        due_days(209801, TERMS)


def test_what_is_done_what_is_due_and_what_is_overdue(sqlite_url: str, tmp_path: Path) -> None:
    """A step is done when the log says so, due until its day, overdue behind it."""
    with opened(sqlite_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1, mdtrtarea_admvs="470101")]))

        def status(on: int) -> dict[str, str]:
            return {step.step: step.status for step in book.calendar(202401, on)}

        assert status(20240220)["cut_off"] == "due"
        assert status(20240221)["cut_off"] == "overdue"
        book.close(202401)
        book.draft(202401)
        assert [status(20240401)[name] for name in ("cut_off", "draft", "check", "sign", "notices")] == [
            *("done", "done", "overdue", "overdue", "overdue")
        ]
        book.check(202401)
        book.withdraw(202401)
        sign(book, 202401)
        payments = book.pay(202401)
        assert (status(20240601)["notices"], status(20240601)["record"]) == ("done", "overdue")
        for payment in payments:
            book.confirm(payment.key, f"R-{payment.key}")
        assert "overdue" not in status(20240601).values()
