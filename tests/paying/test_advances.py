"""Advances, retention, guarantees and surpluses are accounts of their own: none of them is an expenditure."""

from pathlib import Path

import pytest

import projections
from ledger.refusals import Refusal
from ledger.service import Ledger
from tests.ledger.worlds import opened, sign, write
from tests.paying.test_payments import refused
from tests.paying.worlds import HOSPITAL, HOST, PERIOD, THERE, Centre, accounts, settled, signed

AWAY_CELLS = {"mdtrtarea_admvs": "470101", "fixmedins_code": HOSPITAL}


def quarter(url: str, folder: Path, funds: tuple[int, ...] = (3_000, 6_000, 9_000)) -> Ledger:
    """Returns a ledger whose months of 2023's last quarter are closed, one claim away in each, of so many yuan."""
    book = opened(url)
    rows = []
    for month, fund in enumerate(funds, 10):
        dates = {
            "begndate": f"2023-{month}-02",
            "enddate": f"2023-{month}-05",
            "setl_time": f"2023-{month}-05 08:00:00",
        }
        cells = {"medins_setl_id": f"{HOSPITAL}2023{month}05080000{month:04d}", **AWAY_CELLS, **dates}
        rows.append(settled(month, fund, **cells))
    book.intake(write(folder / "quarter.csv", rows))
    return book


def closed(book: Ledger) -> Ledger:
    """Returns the ledger with every open month closed."""
    for each in book.periods():
        book.close(each.period)
    return book


def spent(book: Ledger) -> dict[str, int]:
    """Returns what stands as expenditure."""
    return {name: fen for name, fen in accounts(book).items() if name.startswith(("expense:", "surplus_expense:"))}


def use_of(book: Ledger, period: int) -> list[tuple[int, int, int | None, str]]:
    """Returns (quota, used, share, warning) of every advance."""
    with projections.open(book.store.url) as read:
        return [(each.quota_fen, each.used_fen, each.used_bp, each.warning) for each in read.advances(period)]


def test_a_quota_is_twice_the_last_quarters_monthly_mean(store_url: str, tmp_path: Path) -> None:
    """(3,000 + 6,000 + 9,000) / 3 × 2 = 12,000; it is paid as an asset, and 18,000 outstanding of it is red."""
    book = quarter(store_url, tmp_path)
    assert refused(book.advance_quotas, 2024, PERIOD) is Refusal.PERIOD_NOT_CLOSED
    before = spent(closed(book))
    (quota,) = book.advance_quotas(2024, PERIOD)
    assert (quota.quota_fen, quota.base_fen, quota.months, quota.before_fen) == (1_200_000, 1_800_000, 2, 0)
    assert refused(book.advance_quotas, 2024, PERIOD) is Refusal.QUOTA_UNCHANGED
    assert use_of(book, PERIOD) == [(1_200_000, 1_800_000, 15_000, "red")]
    book.confirm(quota.payment, "R1")
    held = accounts(book)
    assert held["prefund:260000:470000"] == 1_200_000 == -held["prefunded:470000:260000"]
    assert spent(book) == before


def test_usage_warns_at_the_shares_of_the_terms(store_url: str, tmp_path: Path) -> None:
    """70 % of a quota is yellow and 90 % red, one fen below is not; other terms set other shares."""
    book = closed(quarter(store_url, tmp_path, (7_000,)))
    assert use_of(book, PERIOD) == []
    for quota, warning in ((1_000_001, "none"), (1_000_000, "yellow"), (777_778, "yellow"), (777_777, "red")):
        book.advance_adjust(260_000, "470000", PERIOD, quota_fen=quota, reason="adjusted")
        ((_, used, _, found),) = use_of(book, PERIOD)
        assert (used, found) == (700_000, warning)
    (tmp_path / "terms.toml").write_text('name = "lax"\n[advance]\nyellow = "0.95"\nred = "0.99"\n', encoding="utf-8")
    book.set_terms(tmp_path / "terms.toml", begin_period=PERIOD)
    book.advance_adjust(260_000, "470000", PERIOD, quota_fen=750_000, reason="adjusted")
    assert use_of(book, PERIOD)[0][3] == "none"


def test_an_emergency_raises_a_quota_and_a_smaller_one_is_paid_back(store_url: str, tmp_path: Path) -> None:
    """Only the difference moves, with its sign; the account ends at the quota."""
    book = closed(quarter(store_url, tmp_path))
    book.advance_quotas(2024, PERIOD)
    raised = book.advance_adjust(260_000, "470000", PERIOD, increase_fen=300_000, reason="an epidemic")
    assert (raised.why, raised.quota_fen, raised.before_fen) == ("emergency", 1_500_000, 1_200_000)
    lower = book.advance_adjust(260_000, "470000", PERIOD, quota_fen=500_000, reason="over")
    paid = {each.key: each for each in book.payments(PERIOD)}
    assert paid[lower.payment].amount_fen == -1_000_000
    for at, key in enumerate(paid):
        book.confirm(key, f"R{at}")
    held = accounts(book)
    assert (held["prefund:260000:470000"], held["bank:260000"]) == (500_000, -500_000)
    assert refused(book.advance_adjust, 260_000, "470000", PERIOD, increase_fen=0) is Refusal.BAD_VALUE
    assert refused(book.advance_adjust, 260_000, "470000", PERIOD, quota_fen=-1) is Refusal.BAD_VALUE
    for nobody in ("260000", HOSPITAL, "47"):
        assert refused(book.advance_adjust, 260_000, nobody, PERIOD, quota_fen=5) is Refusal.BAD_VALUE


def test_working_capital_is_a_month_of_the_institution(store_url: str, tmp_path: Path) -> None:
    """The mean of last year's closed months, as an asset of the agency."""
    book = closed(quarter(store_url, tmp_path))
    (found,) = book.working_capital(2024, PERIOD)
    assert (found.scope, found.payer, found.payee, found.quota_fen) == ("institution", HOST, HOSPITAL, 600_000)
    book.confirm(found.payment, "R1")
    assert accounts(book)[f"working:{HOST}:{HOSPITAL}"] == 600_000
    assert book.advance_adjust(HOST, HOSPITAL, PERIOD, quota_fen=0, institution=True).quota_fen == 0


def test_retention_is_released_once_after_the_year(store_url: str, tmp_path: Path) -> None:
    """What was retained is paid or kept, never more, never twice; the payment goes the way of all payments."""
    book = signed(store_url, tmp_path, '[retention]\nratio = "0.10"\n')
    assert refused(book.release_retention, HOST, HOSPITAL, 2024, 202501, 1, 310100) is Refusal.NOTHING_RETAINED
    book.pay(PERIOD)
    assert refused(book.release_retention, HOST, HOSPITAL, 2024, 202501, 120_001, 310100) is Refusal.OVER_PAYABLE
    assert refused(book.release_retention, HOST, HOSPITAL, 2024, 202501, 90_000, -3) is Refusal.BAD_CODE
    done = book.release_retention(HOST, HOSPITAL, 2024, 202501, 90_000, 310100, reason="assessed at 75")
    assert (done.retained_fen, done.kept_fen) == (120_000, 30_000)
    assert refused(book.release_retention, HOST, HOSPITAL, 2024, 202501, 1, 310100) is Refusal.STREAM_EXISTS
    book.confirm(done.payment, "R1")
    held = accounts(book)
    assert f"retention:{HOST}:{HOSPITAL}" not in held
    assert held[f"expense:{HOST}:310100"] == -30_000


def test_suppliers_are_paid_within_the_guarantee_and_taken_off_the_next_clearing(
    store_url: str, tmp_path: Path
) -> None:
    """No guarantee, another day or a fen above the limit is refused; what a clearing withheld frees the guarantee."""
    book = signed(store_url, tmp_path)
    words = {"period": PERIOD, "invoice": "I1", "on": 20240401}
    assert refused(book.pay_supplier, HOST, HOSPITAL, "S1", 1, **words) is Refusal.GUARANTEE_EXCEEDED
    terms = {"bank": "一家银行", "code": "G-1", "begin": 20240101, "to": 20241231}
    book.set_guarantee(HOST, HOSPITAL, 500_000, **terms)
    late = words | {"on": 20250101}
    assert refused(book.pay_supplier, HOST, HOSPITAL, "S1", 1, **late) is Refusal.GUARANTEE_EXCEEDED
    paid = book.pay_supplier(HOST, HOSPITAL, "S1", 400_000, **words)
    assert refused(book.pay_supplier, HOST, HOSPITAL, "S1", 1, **words) is Refusal.STREAM_EXISTS
    second = words | {"invoice": "I2"}
    assert refused(book.pay_supplier, HOST, HOSPITAL, "S1", 100_001, **second) is Refusal.GUARANTEE_EXCEEDED
    assert refused(book.set_guarantee, HOST, HOSPITAL, 399_999, **terms) is Refusal.BAD_VALUE
    book.confirm(paid.key, "R1")
    assert accounts(book)[f"supplied:{HOST}:{HOSPITAL}"] == 400_000
    found = {each.key: each for each in book.pay(PERIOD)}
    assert (found[THERE].amount_fen, found[THERE].offset_fen) == (800_000, 400_000)
    assert [each.used_fen for each in book.guarantees()] == [0]
    assert not [name for name in accounts(book) if name.startswith(("supplied:", "offset:", "payable:"))]


def test_a_retained_surplus_is_its_own_item_and_paid_once_a_year(store_url: str, tmp_path: Path) -> None:
    """A fund spends it apart from claims, and the institution has it."""
    book = signed(store_url, tmp_path)
    done = book.grant_surplus(HOST, HOSPITAL, 2023, PERIOD, 70_000, 390100, reason="a package in balance")
    again = (HOST, HOSPITAL, 2023, PERIOD, 1, 390100)
    assert refused(book.grant_surplus, *again) is Refusal.STREAM_EXISTS
    assert refused(book.grant_surplus, *again[:5], 390101) is Refusal.BAD_CODE
    book.confirm(done.key, "R1")
    held = accounts(book)
    assert held[f"surplus_expense:{HOST}:390100"] == 70_000 == -held[f"bank:{HOST}"]


def test_the_money_beside_claims_at_the_command_line(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command of these families runs, prints its figures and refuses in one line."""
    book = closed(quarter(sqlite_url, tmp_path))
    sign(book, 202312)
    book.close_store()
    centre = Centre(sqlite_url, capsys)
    period = ("--period", str(PERIOD))
    assert "12,000.00" in centre("advance", "quota", "--year", "2024", *period)
    assert "6,000.00" in centre("advance", "working", "--year", "2024", *period)
    assert "red 红" in centre("advance", "list", *period, status=1)
    raised = ("advance", "adjust", "470000", "--payer", "260000", *period, "--increase", "90000.00")
    assert "--reason" in centre(*raised, status=2)
    assert "emergency" in centre(*raised, "--reason", "an epidemic")
    assert {each["warning"] for each in centre.json("advance", "list", *period, status=1)} == {"none", "red"}
    host = ("--region", f"{HOST}")
    guarantee = ("supplier", "guarantee", HOSPITAL, *host, "--limit", "5000", "--bank", "B", "--code", "G-1")
    assert "5,000.00" in centre(*guarantee, "--begin", "20240101")
    paid = ("supplier", "pay", "S1", "--institution", HOSPITAL, *host, *period, "--on", "20240401", "--invoice", "I1")
    assert "guarantee_exceeded" in centre(*paid, "--amount", "5000.01", status=2)
    assert "4,000.00" in centre(*paid, "--amount", "4000.00")
    assert "4,000.00" in centre("supplier", "guarantee")
    granted = ("surplus", "grant", HOSPITAL, *host, "--year", "2023", *period, "--amount", "7", "--fund", "390100")
    assert "7.00" in centre(*granted, "--reason", "in balance")
    released = ("retention", "release", HOSPITAL, *host, "--year", "2023", *period, "--amount", "1", "--reason", "x")
    assert "nothing_retained" in centre(*released, status=2)
    centre("pay", "--period", "202312")
    assert "4,000.00" in centre("pay", "list", "--period", "202312")
    centre("verify")
