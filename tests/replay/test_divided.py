"""Stays divided between benefit years under another policy: equal to a store filed under it, divided or not."""

import csv
from pathlib import Path

import pytest

import ledger
import projections
from console.main import main
from core_ext.layout import AMOUNTS
from ledger.service import Ledger
from ledger.touched import last_register
from tests.axes.test_axes import moved, under
from tests.ledger.registry import registered
from tests.ledger.test_benefit_year import SOURCE
from tests.ledger.test_divided_stays import stay, turning
from tests.ledger.worlds import claim, clock, refund, sign, write
from tests.replay.stories import booked
from tests.settle.test_worked_checks import TWO_STAYS

SPLIT = (SOURCE, f'{SOURCE}\nstay_across_years = "split_by_days"')
COUNTED = (SOURCE, f'{SOURCE}\nstay_across_years = "split_by_days"\ndischarge_day_counts = true')
ADMITTED = (SOURCE, f'{SOURCE}\nbenefit_year_date = "begndate"')
LESS = ('2 = "0.84"', '2 = "0.80"')
MORE_DUE = ('2 = "600.00"', '2 = "900.00"')
SOURCE_SETTLED = {
    "fund_pay_sumamt": "7000.01", "hifp_pay": "7000.01", "psn_part_amt": "2999.99", "psn_cash_pay": "2999.99"
}  # fmt: skip

PERIODS = (202305, 202401, 202402)


def policy(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Returns the policy of the worked checks with changes to its text, as a file."""
    text = TWO_STAYS.replace('1 = "600.00"', '2 = "600.00"').replace('1 = "0.84"', '2 = "0.84"')
    text = text.replace("2024-01-01", "2023-01-01")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def told(url: str, document: Path, files: list[Path]) -> Ledger:
    """Returns a store filed under a policy."""
    book = ledger.create(url, actor="tester", clock_us=clock())
    book.enact(document, [260100])
    for file in files:
        book.intake(file)
    return book


def files(folder: Path) -> list[Path]:
    """Returns a year before, January's stays over the turn with acts of both years between, and February's refunds."""
    before = [stay(1, "2023-05-01", "2023-05-03"), stay(2, "2023-05-04", "2023-05-06", psn_no="P2")]
    mine = [
        turning(11), stay(12, "2023-06-01", "2023-06-03", setl_time="2024-01-05 08:00:00"),
        stay(13, "2024-01-10", "2024-01-12"), turning(14, psn_no="P2"), refund(turning(14, psn_no="P2"), 15),
        turning(16, psn_no="P2", inscp_scp_amt="1999.97", medfee_sumamt="1999.97"), claim(17, psn_no="P2"),
        turning(18, psn_no="P3", **SOURCE_SETTLED), stay(19, "2024-01-20", "2024-01-22", psn_no="P3"),
        stay(20, "2023-12-31", "2024-01-01", psn_no="P4"), stay(21, "2024-01-21", "2024-01-22", psn_no="P4"),
        stay(22, "2024-01-20", "2024-01-22", psn_no="P5"),
    ]  # fmt: skip
    after = [
        refund(turning(11), 31) | {"setl_time": "2024-02-02 09:00:00"},
        stay(32, "2024-02-03", "2024-02-05"),
        stay(33, "2023-08-03", "2023-08-05", setl_time="2024-02-05 08:00:00"),
        turning(34, psn_no="P4", setl_time="2024-02-07 08:00:00"),
    ]
    parts = (("may", before), ("january", mine), ("february", after))
    return [write(folder / f"{name}.csv", rows) for name, rows in parts]


CASES = {
    "another ratio": ((SPLIT,), (SPLIT, LESS, MORE_DUE)),
    "whole instead": ((SPLIT,), (MORE_DUE,)),
    "divided instead": ((), (SPLIT, LESS)),
    "the day of discharge counts": ((SPLIT,), (COUNTED,)),
    "by the day of admission, and divided instead": ((ADMITTED,), (ADMITTED, SPLIT)),
    "by the day of admission, and whole instead": ((ADMITTED, SPLIT), (ADMITTED, LESS)),
}


def as_listed(path: Path) -> dict[str, tuple[int, ...]]:
    """Returns the new amounts of each claim that a listing has."""
    with path.open(encoding="utf-8") as stream:
        return {row["setl_id"]: tuple(int(row[f"{name}_new"]) for name in AMOUNTS) for row in csv.DictReader(stream)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("first", [202305, 202401])
def test_stays_come_out_as_a_fresh_store_books_them(tmp_path: Path, case: str, first: int) -> None:
    """Each stay over the turn, and every act around it, is what a store filed under the other policy books."""
    was, would_be = (policy(tmp_path, name, *each) for name, each in zip(("was", "then"), CASES[case], strict=True))
    taken = files(tmp_path)
    periods = [period for period in PERIODS if period >= first]
    with told(f"sqlite:///{tmp_path / 'ledger.db'}", was, taken) as book:
        before = booked(book, periods)
        found = book.what_if(would_be, first, to=PERIODS[-1], diff=tmp_path / "diff.csv")
        swept = book.sweep(would_be, first, to=PERIODS[-1]).variants[0]
    # What lies before the months asked about stands as it was booked.
    with told(f"sqlite:///{tmp_path / 'fresh.db'}", would_be if first == PERIODS[0] else was, taken[:1]) as other:
        other.enact(would_be, [260100])
        for file in taken[1:]:
            other.intake(file)
        after = booked(other, periods)
    listed = as_listed(tmp_path / "diff.csv")
    assert listed == {name: amounts for name, amounts in after.items() if amounts != before[name]}
    assert "S000016" in listed and found.changed == len(listed)
    assert found.totals_new == tuple(map(sum, zip(*after.values(), strict=True)))
    assert (swept.changed, swept.totals) == (found.changed, found.totals_new)


def test_a_refund_without_amounts_follows_its_claim(sqlite_url: str, tmp_path: Path) -> None:
    """What a refund's source left open is its claim's negative under the other policy too: by command or by a file,
    of a claim that is whole or whose person has a divided stay."""
    was, would_be = policy(tmp_path, "was", SPLIT), policy(tmp_path, "then", SPLIT, LESS)
    rows = [stay(1, "2024-01-02", "2024-01-04"), refund(stay(1, "2024-01-02", "2024-01-04"), 2),
            stay(3, "2024-01-02", "2024-01-04", psn_no="P2"), turning(4, psn_no="P3"),
            stay(5, "2024-01-05", "2024-01-07", psn_no="P3"),
            refund(stay(5, "2024-01-05", "2024-01-07", psn_no="P3"), 6)]  # fmt: skip
    with told(sqlite_url, was, [write(tmp_path / "claims.csv", rows)]) as book:
        book.reverse("260100/S000003", "billed twice")
        found = book.what_if(would_be, 202401, to=202404, diff=tmp_path / "diff.csv")
        swept = book.sweep(would_be, 202401, to=202404).variants[0]
    listed = as_listed(tmp_path / "diff.csv")
    assert found.refused == 0
    for claim_of, back in (("S000001", "S000002"), ("S000003", "S000003-R"), ("S000005", "S000006")):
        assert listed[back] == tuple(-fen for fen in listed[claim_of]) and any(listed[back])
    assert (swept.refused, swept.changed, swept.totals) == (0, found.changed, found.totals_new)


def test_a_sealed_month_and_a_month_alone(sqlite_url: str, tmp_path: Path) -> None:
    """From a sealed segment as from the log; February alone takes what January booked as it stands."""
    was, would_be = policy(tmp_path, "was", SPLIT), policy(tmp_path, "then", SPLIT, LESS)
    taken = files(tmp_path)
    with told(sqlite_url, was, taken[:2]) as book:
        book.segments = tmp_path / "segments"
        for period in PERIODS[:2]:
            book.close(period)
            sign(book, period)
        book.seal(202401)
        found = book.what_if(would_be, 202401)
        assert found == book.what_if(would_be, 202401, from_log=True)
        book.intake(taken[2])
        book.enact(would_be, [260100])
        alone = book.what_if(would_be, 202402, diff=tmp_path / "diff.csv")
        # The refund of a claim of January takes back what was booked of it.
        assert "S000031" not in as_listed(tmp_path / "diff.csv") and alone.changed


def test_what_lies_between_is_taken_over(sqlite_url: str, tmp_path: Path) -> None:
    """A month alone takes over, where they lie, the stays of another month and the openings: deductibles stay."""
    was, would_be = policy(tmp_path, "was", SPLIT), policy(tmp_path, "then", SPLIT, LESS)
    rows = [
        turning(1), stay(2, "2024-02-01", "2024-02-03"), stay(3, "2023-08-03", "2023-08-05"),
        stay(4, "2024-01-10", "2024-01-12"), stay(5, "2023-06-01", "2023-06-03", setl_time="2024-02-05 08:00:00"),
        stay(6, "2023-07-01", "2023-07-03", setl_time="2024-01-05 08:00:00"), refund(turning(1), 7),
        stay(8, "2024-01-14", "2024-01-16"), turning(9),
    ]  # fmt: skip
    with told(sqlite_url, was, [write(tmp_path / "claims.csv", rows)]) as book:
        before = booked(book, [202401])
        book.enact(would_be, [260100])
        found = book.what_if(would_be, 202401, diff=tmp_path / "diff.csv")
    listed, dedc = as_listed(tmp_path / "diff.csv"), AMOUNTS.index("act_pay_dedc")
    assert set(listed) == set(before) and found.refused == 0
    assert {name: amounts[dedc] for name, amounts in listed.items()} == {
        name: amounts[dedc] for name, amounts in before.items()
    }
    assert len({amounts[dedc] for amounts in before.values()}) > 3


@pytest.mark.parametrize("case", CASES)
def test_figures_under_another_policy_are_those_of_a_store_filed_under_it(tmp_path: Path, case: str) -> None:
    """Statement and balances priced under another policy version are those of its own store, divided stays and all."""
    was, would_be = (policy(tmp_path, name, *each) for name, each in zip(("was", "then"), CASES[case], strict=True))
    taken = files(tmp_path)
    with told(f"sqlite:///{tmp_path / 'fresh.db'}", would_be, taken) as other:
        expected = booked(other, PERIODS)
    with projections.open(f"sqlite:///{tmp_path / 'fresh.db'}") as read:
        then = read.statement().lines, moved(read.balances())
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with told(url, was, taken) as book:
        assert under(url, book, str(would_be)) == then
        book.enact(would_be, [260100])
        fund = AMOUNTS.index("fund_pay_sumamt")
        for name in ("S000012", "S000016"):
            position = book.explain(f"260100/{name}").position
            with projections.open(url) as read:
                person = read.acts_of_person(position)
            own, version = book.answers(position, person).versions
            assert own.fund_fen == booked(book, PERIODS)[name][fund]
            assert (version.fund_fen, version.priced) == (expected[name][fund], True)


def test_the_order_of_service_leaves_divided_stays_and_says_so(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--reprice` prices nobody with a divided stay, and says how many settlements it left."""
    with told(sqlite_url, policy(tmp_path, "was", SPLIT), files(tmp_path)) as book:
        found = book.reprice(202401)
        assert (found.divided, found.acts, found.changed) == (8, 1, 0)
    assert main(["replay", "--period", "202401", "--reprice", "--store", sqlite_url]) == 0
    assert "LEFT AS BOOKED: 8 settlements of persons with a stay DIVIDED" in capsys.readouterr().out


def test_a_late_register_reprices_a_divided_stay(sqlite_url: str, tmp_path: Path) -> None:
    """A day of birth told late gives each part the age of its own year, as if it had been told in time."""
    aged = ('2 = "0.84" } }', '2 = "0.84" } }, exceptions = [{ age_from = 70, ratio = { 2 = "0.90" } }]')
    document, rows = policy(tmp_path, "aged", SPLIT, aged), [turning(1), stay(2, "2024-01-10", "2024-01-12")]
    with told(f"sqlite:///{tmp_path / 'fresh.db'}", document, []) as other:
        registered(other, tmp_path, "psn_no,gend,brdy", "P1,1,1954-01-02")
        other.intake(write(tmp_path / "claims.csv", rows))
        in_time = booked(other, [202401])
    with told(sqlite_url, document, [tmp_path / "claims.csv"]) as book:
        before = booked(book, [202401])
        registered(book, tmp_path, "psn_no,gend,brdy", "P1,1,1954-01-02")
        with book.store.read() as reader:
            position = last_register(reader)
        found = book.what_if(None, 202401, register=position, diff=tmp_path / "diff.csv")
    assert as_listed(tmp_path / "diff.csv") == {n: a for n, a in in_time.items() if a != before[n]}
    assert found.changed == 2
