"""Income − spending = change, fund by fund with personal accounts apart; what is owed is known by its age."""

from pathlib import Path

import pytest

import projections
from ledger.refusals import Refusal
from ledger.register_file import RegisterError
from tests.paying.test_payments import refused
from tests.paying.worlds import AWAY, HOME, HOST, PERIOD, accounts, signed


def test_a_fund_is_opened_and_takes_income_once_a_document(store_url: str, tmp_path: Path) -> None:
    """The same document again changes nothing, another content is refused, and the closing balance is in the books."""
    book = signed(store_url, tmp_path)
    book.open_fund(HOME, 390100, 5_000_000, period=PERIOD)
    assert book.open_fund(HOME, 390100, 5_000_000, period=PERIOD).already
    assert refused(book.open_fund, HOME, 390100, 1, period=PERIOD) is Refusal.STREAM_EXISTS
    book.fund_income(HOME, 390100, "subsidy", 900_000, period=PERIOD, document="D1")
    assert book.fund_income(HOME, 390100, "subsidy", 900_000, period=PERIOD, document="D1").already
    assert refused(book.fund_income, HOME, 390100, "subsidy", 1, period=PERIOD, document="D1") is Refusal.STREAM_EXISTS
    assert refused(book.fund_income, HOME, 1, "subsidy", 1, period=PERIOD, document="D2") is Refusal.BAD_CODE
    assert refused(book.fund_income, HOME, 390100, "gift", 1, period=PERIOD, document="D2") is Refusal.UNKNOWN_KEY
    book.clawback_raise("CASE-1", "260100/S000003", 20_000, "not justified")
    held = accounts(book)
    assert held[f"fund:{HOME}:390100"] == -5_000_000 and held[f"income:{HOME}:390100"] == -900_000
    with projections.open(store_url) as read:
        (fund,) = read.funds(PERIOD, 999912, HOME)
        assert (fund.opening_fen, fund.income_fen, fund.spend_fen, fund.recovered_fen) == (
            *(5_000_000, 900_000, 1_800_000, 20_000),
        )
        assert fund.closing_fen == 4_120_000 == fund.booked_fen
        assert fund.months_tenths == 23
        (before,) = read.funds(202312, 202312, HOME)
        assert (before.closing_fen, before.change_fen) == (5_000_000, 0)
        (ratio,) = read.in_scope(PERIOD, PERIOD, HOME)
        assert (ratio.inscp_fen, ratio.fund_fen, ratio.ratio_bp) == (3_000_000, 1_800_000, 6_000)


def test_a_fund_begins_with_what_the_books_open_with(sqlite_url: str, tmp_path: Path) -> None:
    """Opening balances of a fund's accounts are its opening, beside `fund open`; the books hold what it closes with."""
    book = signed(sqlite_url, tmp_path)
    file = tmp_path / "openings.csv"
    file.write_text(
        f"account,amount\nfund:{HOME}:390100,-700.00\nexpense:{HOME}:390100,100.00\nbank:{HOME},600.00\n", "utf-8"
    )
    book.register(file)
    with projections.open(sqlite_url) as read:
        (fund,) = read.funds(PERIOD, 999912, HOME)
        assert (fund.opening_fen, fund.closing_fen) == (60_000, 60_000 - 1_800_000)
        assert fund.booked_fen == fund.closing_fen
    book.open_fund(HOME, 390100, 5_000, period=PERIOD)
    with projections.open(sqlite_url) as read:
        (fund,) = read.funds(PERIOD, 999912, HOME)
        assert fund.opening_fen == 65_000 and fund.booked_fen == fund.closing_fen


@pytest.mark.parametrize(
    "account", ["nonsense", "fund:260100", "fund:260100:x", ":::", "bank", "bank:2601", "a b:260100"]
)
def test_an_opening_names_an_account(account: str, sqlite_url: str, tmp_path: Path) -> None:
    """An account that no book has is refused with its row."""
    book = signed(sqlite_url, tmp_path)
    file = tmp_path / "openings.csv"
    file.write_text(f"account,amount\nbank:{HOME},1.00\n{account},-1.00\n", "utf-8")
    with pytest.raises(RegisterError, match=r"row 2, account: expected an account as kind:region"):
        book.register(file)


def test_receivables_age_until_they_are_received(store_url: str, tmp_path: Path) -> None:
    """What is owed moves to older buckets month by month; a part received is off it, what came back is on it again."""
    book = signed(store_url, tmp_path)
    book.pay(PERIOD)

    def buckets(on: int) -> list[tuple[int, ...]]:
        with projections.open(store_url) as read:
            return [each.buckets for each in read.receivables(on, HOST)]

    assert buckets(202312) == []
    assert buckets(PERIOD) == buckets(202402) == [(1_200_000, 0, 0, 0, 0)]
    assert [buckets(on)[0].index(1_200_000) for on in (202403, 202404, 202405, 202407, 202408, 202501, 202502)] == [
        *(1, 1, 2, 2, 3, 3, 4),
    ]
    book.receive(AWAY, "R1", 200_000)
    assert buckets(PERIOD) == [(1_000_000, 0, 0, 0, 0)]
    book.confirm(AWAY, "R2")
    assert buckets(PERIOD) == []
    book.send_back(AWAY, 1, "B1", reason="came back")
    assert buckets(PERIOD) == [(1, 0, 0, 0, 0)]


@pytest.mark.parametrize("account", ["income:260100:390100", "fund:260100:390100"])
def test_a_fund_that_is_not_what_the_books_hold_is_seen(account: str, store_url: str, tmp_path: Path) -> None:
    """An edited balance differs from what income and claims give, and verify names the row."""
    book = signed(store_url, tmp_path)
    book.open_fund(HOME, 390100, 5_000_000, period=PERIOD)
    book.fund_income(HOME, 390100, "subsidy", 900_000, period=PERIOD, document="D1")
    accounts(book)
    with book.store.write() as writer:
        writer.execute("UPDATE balance SET amount_fen = amount_fen + 1 WHERE account = ?", (account,))
    with projections.open(store_url) as read:
        (fund,) = read.funds(PERIOD, 999912, HOME)
        assert fund.booked_fen == fund.closing_fen - 1
        assert [each.kind for each in read.verify()] == ["edited-row"]
