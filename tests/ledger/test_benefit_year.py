"""Which date picks the version and the benefit year; what a year's turn and a change of class or pool carry over."""

from pathlib import Path

import pytest

import ledger
from core_ext.layout import ACCUMULATOR, AMOUNT
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.service import Ledger
from tests.ledger.worlds import claim, clock, refund, write
from tests.settle.test_worked_checks import TWO_STAYS

SOURCE = 'source = "worked check"'


def enacted(url: str, folder: Path, *changes: tuple[str, str], regions: tuple[int, ...] = (260100,)) -> Ledger:
    """Returns a fresh ledger under the plain policy of the worked checks with changes to its text."""
    text = TWO_STAYS.replace('1 = "600.00"', '2 = "600.00"').replace('1 = "0.84"', '2 = "0.84"')
    text = text.replace("2024-01-01", "2023-01-01")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    book = ledger.create(url, actor="tester", clock_us=clock())
    book.enact(path, list(regions))
    return book


def deductibles(book: Ledger) -> dict[str, tuple[int, int]]:
    """Returns each act's (deductible, stays before it) by its setl_id, once replay finds every one again."""
    for period in book.periods():
        assert book.replay(period.period).differences == ()
    with book.store.read() as reader:
        return {
            text_at(acts.texts["setl_id"], row): (
                int(acts.booked[row, AMOUNT["act_pay_dedc"]]), int(acts.before[row, ACCUMULATOR["stays"]]),
            )
            for acts in read_acts(reader) for row in range(len(acts))
        }  # fmt: skip


def over_new_year(serial: int, **cells: str) -> dict[str, str]:
    """Returns a stay from one year into the next, settled a day after discharge."""
    return (
        claim(serial, psn_no="P1", begndate="2023-12-28", enddate="2024-01-03", setl_time="2024-01-04 08:00:00") | cells
    )


@pytest.mark.parametrize(("key", "stays"), [("begndate", 1), ("enddate", 0), ("setl_time", 0)])
def test_the_named_date_picks_the_benefit_year(sqlite_url: str, tmp_path: Path, key: str, stays: int) -> None:
    """A stay over the year's end counts in the year of the date that the policy names, and so does its refund."""
    first = claim(1, psn_no="P1", begndate="2023-05-01", enddate="2023-05-03", setl_time="2023-05-03 08:00:00")
    turning = over_new_year(2)
    with enacted(sqlite_url, tmp_path, (SOURCE, f'{SOURCE}\nbenefit_year_date = "{key}"')) as book:
        book.intake(write(tmp_path / "claims.csv", [first, turning, refund(turning, 3)]))
        book.intake(write(tmp_path / "more.csv", [over_new_year(4), claim(5, psn_no="P1")]))
        book.intake(write(tmp_path / "back.csv", [refund(over_new_year(4), 6)]))
        found = deductibles(book)
    assert found["S000002"] == found["S000004"] == (60_000 - 10_000 * stays, stays)
    assert found["S000003"] == (-found["S000002"][0], stays + 1)
    assert found["S000005"][1] == 1 - stays
    assert found["S000006"] == (-found["S000004"][0], stays + 1 + (1 - stays))


@pytest.mark.parametrize(("key", "due"), [("begndate", 60_000), ("enddate", 30_000), ("setl_time", 30_000)])
def test_the_named_date_picks_the_version(sqlite_url: str, tmp_path: Path, key: str, due: int) -> None:
    """A stay that begins under one version and ends under the next is paid under that of the date the policy names."""
    changes = (
        (SOURCE, f'{SOURCE}\npolicy_date = "{key}"'),
        ('floor = "0"\n', 'floor = "0"\n[resident.inpatient.deductible.2024-01-01]\nkind = "by_level_and_ordinal"\n'
                          'first_stay = { 2 = "300.00" }\nless_per_later_stay = "100.00"\nfloor = "0"\n'),
    )  # fmt: skip
    with enacted(sqlite_url, tmp_path, *changes) as book:
        book.intake(write(tmp_path / "claims.csv", [over_new_year(1)]))
        assert deductibles(book)["S000001"] == (due, 0)


def test_a_benefit_year_may_start_in_july(sqlite_url: str, tmp_path: Path) -> None:
    """June and July are two years, December and January one."""
    days = ("2023-06-30", "2023-07-01", "2023-12-31", "2024-01-01", "2024-06-30", "2024-07-01")
    rows = [claim(1 + at, psn_no="P1", begndate=day, enddate=day, setl_time=f"{day} 23:59:59")
            for at, day in enumerate(days)]  # fmt: skip
    with enacted(sqlite_url, tmp_path, (SOURCE, f'{SOURCE}\nbenefit_year_starts = "07-01"')) as book:
        book.intake(write(tmp_path / "claims.csv", rows))
        assert [stays for _, (_, stays) in sorted(deductibles(book).items())] == [0, 0, 1, 2, 3, 0]


def test_a_year_turns_for_late_claims_too(sqlite_url: str, tmp_path: Path) -> None:
    """A claim of last year that comes after one of this year advances last year, and re-prices nobody."""
    last = {"begndate": "2023-12-01", "enddate": "2023-12-02", "setl_time": "2023-12-02 08:00:00"}
    rows = [claim(1, psn_no="P1", **last), claim(2, psn_no="P1"), claim(3, psn_no="P1", **last), claim(4, psn_no="P1")]
    with enacted(sqlite_url, tmp_path) as book:
        book.intake(write(tmp_path / "claims.csv", rows))
        assert [found for _, found in sorted(deductibles(book).items())] == [
            (60_000, 0), (60_000, 0), (50_000, 1), (50_000, 1),
        ]  # fmt: skip


def test_a_change_of_class_or_pool_keeps_the_year(sqlite_url: str, tmp_path: Path) -> None:
    """Each claim is paid by the class and pool of its own row; the stays of the year go on with the person."""
    changes = (('first_stay = { 2 = "600.00" }', 'first_stay = { 2 = "600.00" }\n'
                'exceptions = [{ psn_types = ["16"], first_stay = { 2 = "200.00" } }]'),)  # fmt: skip
    rows = [
        claim(1, psn_no="P1"), claim(2, psn_no="P1", psn_type="16"),
        claim(3, psn_no="P1", insu_admdvs="470101", mdtrtarea_admvs="470101"),
    ]  # fmt: skip
    with enacted(sqlite_url, tmp_path, *changes, regions=(260100, 470100)) as book:
        book.intake(write(tmp_path / "claims.csv", rows))
        assert [found for _, found in sorted(deductibles(book).items())] == [(60_000, 0), (10_000, 1), (40_000, 2)]
