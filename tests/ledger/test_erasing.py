"""A person's identity goes when the law allows it, and nothing else goes with it."""

import itertools
from pathlib import Path

import pytest

import ledger
import projections
from ledger import knowledge
from ledger.erasing import RETENTION_YEARS
from ledger.events import CommandRecorded
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from ledger.store import person_blocks
from tests.golden.make_store import digests
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write
from tests.lines.files import line, write_lines

#: 2054-04-02, thirty years and a day behind the claims' intake.
LATER_US = 1_711_929_600_000_000 + (30 * 365 + 8 + 1) * 86_400_000_000


@pytest.fixture(params=[1, 1_000], ids=["blocks", "rows"], autouse=True)
def _kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps persons that an intake brings in blocks, or as rows."""
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", request.param)


def booked(url: str, folder: Path) -> None:
    first = claim(1, psn_name="张三丰")
    rows = [first, claim(2), claim(3), refund(first, 9, psn_name="张三丰")]
    with opened(url) as book:
        assert book.intake(write(folder / "claims.csv", rows)).booked == 4


def later(url: str, at: int = LATER_US) -> Ledger:
    """Returns the ledger as it is opened a generation later."""
    ticks = itertools.count(at, 1_000_000)
    return ledger.open(url, actor="archivist", clock_us=lambda: next(ticks))


def test_within_the_retention_period_nobody_is_erased(store_url: str, tmp_path: Path) -> None:
    """Refused by name while the period runs, with the day from which it may be; nothing is written."""
    booked(store_url, tmp_path)
    with later(store_url, LATER_US - 40 * 86_400_000_000) as book:
        before = events_of(book), rows_of(book, "person", "token")
        with pytest.raises(Refused, match="may be erased from 2054-04-01 on") as refused:
            book.erase("P000001", reason="the period is over")
        assert refused.value.refusal is Refusal.RETENTION
        assert (events_of(book), rows_of(book, "person", "token")) == before
        assert book.erase("P000001", retention_years=29, reason="a shorter period by decree").token == 1
    assert RETENTION_YEARS == 30


def test_fee_lines_are_about_the_person_of_their_claim(store_url: str, tmp_path: Path) -> None:
    """The period runs anew from the day on which lines of one of the person's claims were filed."""
    booked(store_url, tmp_path)
    with later(store_url) as book:
        assert book.lines(write_lines(tmp_path / "lines.csv", [line(2, 1)])).booked == 1
        with pytest.raises(Refused, match="may be erased from 2084"):
            book.erase("P000002", reason="over")
        assert book.erase("P000003", reason="over").token == 3


def test_identity_goes_and_everything_else_stays(store_url: str, tmp_path: Path) -> None:
    """Number and name are gone; events, balances, statement, proofs, accumulators and the replay are as before."""
    booked(store_url, tmp_path)
    with projections.open(store_url) as read:
        checkpoint, balances, statement = read.checkpoint(), read.balances(), read.statement()
        proof = read.prove("260100/S000001", checkpoint)
    with later(store_url) as book:
        before = events_of(book)
        with book.store.read() as reader:
            state = digests(reader)
        erased = book.erase("P000001", reason="thirty years are over")
        assert (erased.token, erased.position) == (1, len(before) + 1)
        after = events_of(book)
        assert after[:-1] == before
        command = decode_event(after[-1][3], after[-1][4])
        assert isinstance(command, CommandRecorded)
        assert (command.verb, command.arguments) == ("erase", '{"retention_years":30,"token":1}')
        assert all("P000001" not in str(row) and "张三丰" not in str(row) for row in rows_of(book, "person", "token"))
        with book.store.read() as reader:
            now = digests(reader)
        assert {table for table in state if state[table] != now[table]} <= {"person"}
        assert not book.replay(202401).differences
        with pytest.raises(Refused) as refused:
            book.erase("P000001", reason="again")
        assert refused.value.refusal is Refusal.UNKNOWN_PSN_NO
    with projections.open(store_url) as read:
        assert read.balances().accounts == balances.accounts
        assert read.statement().lines == statement.lines
        assert read.prove("260100/S000001", checkpoint) == proof
        assert read.verify([checkpoint]) == []
        assert not read.trace("P000001").found
        assert read.rebuild() == len(before) + 1
        assert read.verify([checkpoint]) == []


def test_a_number_that_comes_back_is_a_new_person(store_url: str, tmp_path: Path) -> None:
    """After an erasure the same number gets a token of its own: old claims are not tied to it again."""
    booked(store_url, tmp_path)
    with later(store_url) as book:
        book.erase("P000001", reason="thirty years are over")
        row = claim(77, psn_no="P000001", setl_time="2024-01-07 08:00:00")
        assert book.intake(write(tmp_path / "again.csv", [row])).booked == 1
        assert [token for token, number, _ in rows_of(book, "person", "token") if number == "P000001"] == [4]


def test_what_must_not_be_said_or_is_still_owed_is_refused(store_url: str, tmp_path: Path) -> None:
    """A reason that names the person, an outstanding clawback, an unknown number, a negative period: each refused."""
    booked(store_url, tmp_path)
    with later(store_url) as book:
        book.clawback_raise("CASE-1", "260100/S000002", 1_000, "not justified")
        for number, years, reason, text in (
            ("P000001", 30, "for P000001", "without the person's number or name"),
            ("P000001", 30, "asked by 张三丰", "without the person's number or name"),
            ("P000002", 30, "over", "outstanding clawback"),
            ("P999999", 30, "over", "nobody has"),
            ("P000001", -1, "over", "0 years or more"),
        ):
            with pytest.raises(Refused, match=text):
                book.erase(number, retention_years=years, reason=reason)
        book.clawback_collect("CASE-1", 1_000, "RECEIPT-1")
        with pytest.raises(Refused, match="may be erased from 2084"):
            book.erase("P000002", reason="over")
        assert book.erase("P000003", reason="over").token == 3


def test_a_files_bytes_forget_too(sqlite_url: str, tmp_path: Path) -> None:
    """Once the store is closed no byte of the file, nor of its log of writes, holds the number or the name."""
    booked(sqlite_url, tmp_path)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert b"P000001" in path.read_bytes() and "张三丰".encode() in path.read_bytes()
    with later(sqlite_url) as book:
        book.erase("P000001", reason="thirty years are over")
    left = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert b"P000001" not in left and "张三丰".encode() not in left
    assert b"P000002" in left


@pytest.mark.parametrize("looked_through", [0, 1_024])
@pytest.mark.parametrize("by_another", [False, True])
def test_whoever_comes_back_with_an_erased_number_is_somebody_new(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_another: bool, looked_through: int
) -> None:
    """A ledger that knew the number before it was erased, here or by another process, gives it a token of its own."""
    monkeypatch.setattr(knowledge, "LOOKED_THROUGH", looked_through)
    with opened(store_url) as book, later(store_url) as other:
        assert book.intake(write(tmp_path / "claims.csv", [claim(1), claim(2)])).booked == 2
        (other if by_another else book).erase("P000001", retention_years=0, reason="the period is over")
        again = [claim(3, psn_no="P000001"), claim(4, psn_no="P000002")]
        assert book.intake(write(tmp_path / "again.csv", again)).booked == 2
        assert [row[:2] for row in rows_of(book, "person", "token")] == [(2, "P000002"), (3, "P000001")]
    with projections.open(store_url) as read:
        assert read.verify() == []
