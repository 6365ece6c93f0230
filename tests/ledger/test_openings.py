"""What a member brings along: taken before the first claim, once, and refused behind it."""

from pathlib import Path

import pytest

import projections
from ledger.refusals import Refusal, Refused
from ledger.store import run_writer
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.test_runs import begin
from tests.ledger.worlds import claim, opened, rows_of, write

ACCOUNT = f"{MEMBERS},account_balance"
YEAR = f"{MEMBERS},acc_year,acc_hifp"


@pytest.mark.parametrize("fewest", [1, 2_048], ids=["in runs", "in the table"])
def test_an_account_is_opened_before_the_first_claim(
    store_url: str, tmp_path: Path, fewest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A balance told behind a person's claim is refused, whole file and all, wherever the claim's year stands: a
    replay begins with openings, and would not find the balances that were booked."""
    monkeypatch.setattr(run_writer, "RUN_ROWS", fewest)
    with opened(store_url) as book:
        registered(book, tmp_path, MEMBERS, "P1,某,260101,390,15,", "P2,另,260101,390,15,")
        taken = write(tmp_path / "claims.csv", [claim(i, psn_no="P1") for i in range(1, 6)])
        if fewest == 1:
            # Only while a job is under way runs stand.
            begin(book, taken, 1)
        else:
            book.intake(taken)
        assert len(rows_of(book, "person_year_run", "run")) == (fewest == 1)
        before = rows_of(book, "account", "token"), len(rows_of(book, "stored_events", "notification_id"))
        with pytest.raises(Refused, match="row 2: expected a person without claims") as refused:
            registered(book, tmp_path, ACCOUNT, "P2,另,260101,390,15,,12.00", "P1,某,260101,390,15,,900.00")
        assert refused.value.refusal is Refusal.STREAM_EXISTS
        assert (rows_of(book, "account", "token"), len(rows_of(book, "stored_events", "notification_id"))) == before
        registered(book, tmp_path, ACCOUNT, "P2,另,260101,390,15,,12.00")
        assert [fen for _, fen in rows_of(book, "account", "token") if fen] == [1_200]
        book.intake(taken)
        with projections.open(store_url) as read:
            assert read.verify() == []


def test_an_account_may_follow_what_the_year_brings_along(store_url: str, tmp_path: Path) -> None:
    """Accumulators taken over are no claim: the balance may come in a later file, and the same file again does
    nothing, also behind claims; an account that holds something else is refused, and one behind claims of such a
    year."""
    with opened(store_url) as book:
        years = [f"P{person},某,260101,390,15,,{year},5.00" for person in (1, 2) for year in (2023, 2024)]
        registered(book, tmp_path, YEAR, *years)
        registered(book, tmp_path, ACCOUNT, "P1,某,260101,390,15,,900.00")
        book.intake(write(tmp_path / "claims.csv", [claim(1, psn_no="P1"), claim(2, psn_no="P2")]))
        size = len(rows_of(book, "stored_events", "notification_id"))
        registered(book, tmp_path, ACCOUNT, "P1,某,260101,390,15,,900.00")
        assert len(rows_of(book, "stored_events", "notification_id")) - size <= 1
        with pytest.raises(Refused, match="an opening comes before the first claim and once"):
            registered(book, tmp_path, ACCOUNT, "P1,某,260101,390,15,,901.00")
        with pytest.raises(Refused, match="row 1: expected a person without claims"):
            registered(book, tmp_path, ACCOUNT, "P2,某,260101,390,15,,901.00")
        with projections.open(store_url) as read:
            assert read.verify() == []
