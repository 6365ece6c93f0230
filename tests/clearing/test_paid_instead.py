"""Institutions' statements say what is paid instead of itemised amounts, and sum to what is then instructed."""

from pathlib import Path

import pytest

import projections
from ledger.refusals import Refusal, Refused
from projections.clearing.writing import as_json
from tests.ledger.test_institution_pay import booked, grouped, world
from tests.ledger.worlds import claim, sign


def test_the_statement_of_institutions_sums_to_what_they_are_paid(sqlite_url: str, tmp_path: Path) -> None:
    """Itemised dues and differences together are the payments; behind the draft nothing else may be set."""
    with world(sqlite_url, tmp_path) as book:
        booked(book, tmp_path, claim(1), claim(2, fixmedins_code="PKG"))
        grouped(book, tmp_path, "260100,S000001,FM19,")
        book.set_institutions(202401)
        sign(book, 202401)
        with projections.open(sqlite_url) as read:
            issued = read.issue("institutions", 202401)
            itemised, differences = issued.sheets
            due: dict[str, int] = {}
            for sheet, name in ((itemised, "due_fen"), (differences, "difference_fen")):
                code, at = sheet.columns.index("fixmedins_code"), sheet.columns.index(name)
                for row in sheet.rows:
                    due[row[code]] = due.get(row[code], 0) + row[at]
            grouped(book, tmp_path, "260100,S000001,FM19,2.0000")
            with pytest.raises(Refused) as caught:
                book.set_institutions(202401)
            assert caught.value.refusal == Refusal.CLEARING_STANDS
            assert as_json(read.issue("institutions", 202401), "zh") == as_json(issued, "zh")
            assert read.issue("institutions", 202401, 470100).sheets[1].rows == []
    assert due == {"H26010100001": 653_791, "PKG": 250_000, "IDLE": 750}
