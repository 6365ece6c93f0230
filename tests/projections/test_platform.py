"""The platform's three months, read: the expected statement, payments that trace to file rows, and a clean verify."""

import csv
import io
from pathlib import Path

import pytest

import projections
from core_ext.layout import AMOUNTS
from ledger.events import PaymentInstructed
from ledger.mapper import decode_event
from ledger.money import fen_from_text
from projections.statement import statement_csv
from projections.trace_tree import ClaimTrace, PaymentTrace, RowTrace
from tests.ledger.test_platform import expected, taken_in
from tests.ledger.worlds import events_of, sign
from tests.samples import shared


@pytest.mark.samples
def test_the_platform_statement_is_the_expected_one_and_traces_to_its_rows(store_url: str, tmp_path: Path) -> None:
    """Line by line the expected clearing statement; closed and paid, every payment is the sum of traced claims."""
    book, job = taken_in(store_url, tmp_path, True)
    with book, projections.open(store_url) as read:
        found = read.statement()
        wanted = shared("platform", "expected_statement.csv").read_text(encoding="utf-8")
        columns = wanted.splitlines()[0].split(",")
        assert statement_csv(found.lines, columns) == wanted
        for line in csv.DictReader(io.StringIO(statement_csv(found.lines))):
            funds = [fen_from_text(line[name]) for name in AMOUNTS[1:9]]
            total, account = fen_from_text(line["fund_pay_sumamt"]), fen_from_text(line["acct_pay"])
            assert sum(funds) == total and fen_from_text(line["due"]) == total + account
        period = found.lines[0].period
        book.close(period)
        sign(book, period)
        book.pay(period, "all")
        case = next(line for line in expected() if line["outcome"] == "booked")
        row = read.trace(f"claims.csv#{case['row']}").found[0]
        assert isinstance(row, RowTrace) and row.claim is not None
        assert row.file.cause == job
        instructed = [
            stream for _, stream, _, topic, state in events_of(book)
            if topic == PaymentInstructed.TOPIC and decode_event(topic, state)
        ]  # fmt: skip
        assert instructed
        for stream in instructed:
            payment = read.trace(stream).found[0]
            assert isinstance(payment, PaymentTrace) and payment.agrees
            for claim in payment.claims[:2]:
                back = read.trace(claim.key).found[0]
                assert isinstance(back, ClaimTrace)
                assert stream in [each.stream for each in back.payments]
        book.confirm(instructed[0], "R-1")
        balances = read.balances()
        books: dict[str, int] = {}
        for account, amount_fen in balances.accounts.items():
            region = account.split(":")[1]
            books[region] = books.get(region, 0) + amount_fen
        assert set(books.values()) == {0}
        assert read.verify() == []
        assert read.rebuild() == balances.position
        assert read.balances() == balances
