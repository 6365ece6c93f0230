"""Stays over the turn of a benefit year, divided by days: amounts, both years, refunds, sources, replay, segments."""

from pathlib import Path

import pytest

import projections
from core_ext.layout import ACCUMULATOR, AMOUNT
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.events import SettlementDiffers
from ledger.policy_terms import Header
from ledger.service import Ledger
from ledger.stays.dividing import parts_of, share
from ledger.stays.events import StayPartCounted
from tests.ledger.registry import registered, told
from tests.ledger.test_benefit_year import SOURCE, enacted
from tests.ledger.worlds import claim, refund, sign, write

DIVIDES = (SOURCE, f'{SOURCE}\nstay_across_years = "split_by_days"')
COUNTED = (SOURCE, f'{SOURCE}\nstay_across_years = "split_by_days"\ndischarge_day_counts = true')


def stay(serial: int, begin: str, end: str, **cells: str) -> dict[str, str]:
    """Returns a stay of P1, settled on the day of discharge."""
    own = {"psn_no": "P1", "begndate": begin, "enddate": end, "setl_time": f"{end} 08:00:00"}
    return claim(serial, **own | cells)


def turning(serial: int, **cells: str) -> dict[str, str]:
    """Returns a stay of six days, four of them in the old year."""
    return stay(serial, "2023-12-28", "2024-01-03", **cells)


def booked(book: Ledger) -> dict[str, dict[str, int]]:
    """Returns what each act booked by its setl_id, once log and segments give every act again."""
    for period in book.periods():
        assert book.replay(period.period).differences == ()
    with book.store.read() as reader:
        return {
            text_at(acts.texts["setl_id"], row): {
                **{name: int(acts.booked[row, at]) for name, at in AMOUNT.items()},
                "year": int(acts.year[row]), "stays": int(acts.before[row, ACCUMULATOR["stays"]]),
            }
            for acts in read_acts(reader) for row in range(len(acts))
        }  # fmt: skip


def parts(book: Ledger) -> list[StayPartCounted]:
    """Returns the parts counted in other years."""
    return told(book, StayPartCounted)


def sound(url: str) -> None:
    """Asserts that log, books and tables agree."""
    with projections.open(url) as views:
        views.catch_up()
        assert views.verify() == []


def test_a_stay_is_paid_by_its_days_in_each_year(store_url: str, tmp_path: Path) -> None:
    """Four of six days are the old year's: its part meets that year's second deductible, the rest the new year's first.

    Of 10,000.00 the old year has 6,666.67: (6,666.67 - 500.00) x 84 % = 5,180.00; the new (3,333.33 - 600.00) x 84 %.
    """
    rows = [stay(1, "2023-05-01", "2023-05-03"), turning(2), stay(3, "2023-06-01", "2023-06-03"),
            stay(4, "2024-02-01", "2024-02-03")]  # fmt: skip
    with enacted(store_url, tmp_path, DIVIDES) as book:
        book.intake(write(tmp_path / "claims.csv", rows))
        found = booked(book)
        assert found["S000002"]["hifp_pay"] == 518_000 + 229_600
        assert found["S000002"]["act_pay_dedc"] == 50_000 + 60_000
        assert found["S000002"]["year"] == 2024
        (part,) = parts(book)
        assert (part.year, part.begin, part.end, part.days, part.of_days) == (2023, 20231228, 20231231, 4, 6)
        assert (part.amounts[AMOUNT["hifp_pay"]], part.amounts[AMOUNT["act_pay_dedc"]]) == (518_000, 50_000)
        # Both years have had the stay: the third of the old year, the second of the new one.
        assert found["S000003"]["stays"] == 2 and found["S000003"]["act_pay_dedc"] == 40_000
        assert found["S000004"]["stays"] == 1 and found["S000004"]["act_pay_dedc"] == 50_000
        told_parts = {step.part for step in book.explain("S000002").steps}
        assert told_parts == {"2023: 4 of 6 days", "2024: 2 of 6 days"}
        assert book.explain("S000002").sum_fen() == 1_000_000
    sound(store_url)


def test_a_refund_gives_both_years_back(store_url: str, tmp_path: Path) -> None:
    """The refund takes each part off its own year and re-prices nobody; the next stay of either year begins anew."""
    with enacted(store_url, tmp_path, DIVIDES) as book:
        book.intake(write(tmp_path / "claims.csv", [turning(1)]))
        back = refund(turning(1), 2)
        book.intake(write(tmp_path / "more.csv", [back, stay(3, "2023-06-01", "2023-06-03"), claim(4, psn_no="P1")]))
        found = booked(book)
        assert [found["S000002"][name] for name in ("hifp_pay", "act_pay_dedc")] == [
            -found["S000001"][name] for name in ("hifp_pay", "act_pay_dedc")
        ]
        assert found["S000003"]["act_pay_dedc"] == found["S000004"]["act_pay_dedc"] == 60_000
        one, other = parts(book)
        assert tuple(-fen for fen in one.delta) == other.delta and other.claim != one.claim
        book.intake(write(tmp_path / "again.csv", [turning(5)]))
        again = book.reverse("S000005", "wrong")
        assert again.amounts["hifp_pay"] == -booked(book)["S000005"]["hifp_pay"] != 0
        assert [sum(fen) for fen in zip(*(part.delta for part in parts(book)), strict=True)] == [0] * len(ACCUMULATOR)
    sound(store_url)


def test_a_source_is_booked_as_it_settled(sqlite_url: str, tmp_path: Path) -> None:
    """What was paid at the counter stands; its days say what each year counts, and the policy's sum is compared."""
    own = {"fund_pay_sumamt": "7000.01", "hifp_pay": "7000.01", "psn_part_amt": "2999.99", "psn_cash_pay": "2999.99"}
    right = {"fund_pay_sumamt": "7392.00", "hifp_pay": "7392.00", "psn_part_amt": "2608.00", "psn_cash_pay": "2608.00"}
    wrong = dict(own, psn_cash_pay="2999.98", acct_pay="0.00")
    rows = [turning(1, **own), turning(2, **wrong) | {"psn_no": "P2"}, turning(3, **right) | {"psn_no": "P3"}]
    with enacted(sqlite_url, tmp_path, DIVIDES) as book:
        report = book.intake(write(tmp_path / "claims.csv", rows))
        assert (report.booked, report.reasons) == (2, {"identity_I3": 1})
        found = booked(book)
        assert found["S000001"]["hifp_pay"] == 700_001
        part = parts(book)[0]
        assert part.amounts[AMOUNT["hifp_pay"]] == 466_667
        assert part.delta[ACCUMULATOR["inscp_scp_amt"]] == 666_667
        # Two deductibles of 600.00 leave 8,800.00 at 84 %: the third row says so, and is no finding.
        assert len(told(book, SettlementDiffers)) == 1
    sound(sqlite_url)


def test_sealed_months_come_out_again(sqlite_url: str, tmp_path: Path) -> None:
    """A segment takes a divided stay over as it is booked, and every other act of the person comes out of it again."""
    rows = [turning(1), stay(2, "2023-06-01", "2023-06-03"), claim(3, psn_no="P1")]
    late = {"setl_time": "2024-01-20 08:00:00"}
    rows[1] |= late
    with enacted(sqlite_url, tmp_path, DIVIDES, (SOURCE, f'{SOURCE}\nbenefit_year_date = "enddate"')) as book:
        book.intake(write(tmp_path / "claims.csv", rows))
        book.intake(write(tmp_path / "more.csv", [refund(turning(1), 4), stay(5, "2023-07-01", "2023-07-03", **late)]))
        found = booked(book)
        assert [found[f"S00000{at}"]["act_pay_dedc"] for at in (2, 3, 5)] == [50_000, 50_000, 50_000]
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        report = book.replay(202401)
        assert (report.read, report.differences) == ("segment", ())
        assert report.acts == 5
        totals = [sum(line[at] for line in report.lines) for at in (4, 5, 6)]
        assert totals == [4, 1, 3_000_000]
    sound(sqlite_url)


@pytest.mark.parametrize(
    ("begin", "end", "days"),
    [
        ("2023-12-31", "2024-01-01", [1]),  # one day, the old year's
        ("2023-12-31", "2024-01-02", [1, 1]),
        ("2022-12-01", "2024-01-11", [31, 365, 10]),
    ],
)
def test_the_days_of_a_stay(begin: str, end: str, days: list[int]) -> None:
    """The day of discharge is no day of the stay, unless the policy counts it; a stay may lie in three years."""
    header = Header("", "", "", (), (), stay_across_years="split_by_days")
    span = [int(day.replace("-", "")) for day in (begin, end)]
    found = parts_of(header, *span)
    assert [part.days for part in found] == days
    assert {part.of_days for part in found} == {sum(days)}
    counted = Header("", "", "", (), (), stay_across_years="split_by_days", discharge_day_counts=True)
    assert sum(part.days for part in parts_of(counted, *span)) == sum(days) + 1
    for fen in (0, 1, 2, 100_001, 10**15 - 1):
        assert sum(share(fen, part) for part in found) == fen


def test_a_night_over_new_year_is_the_old_years(sqlite_url: str, tmp_path: Path) -> None:
    """A stay of one day, the old year's last, counts in the old year alone, and so does its refund."""
    night = stay(1, "2023-12-31", "2024-01-01")
    with enacted(sqlite_url, tmp_path, DIVIDES) as book:
        book.intake(write(tmp_path / "claims.csv", [night, claim(2, psn_no="P1"), refund(night, 3)]))
        found = booked(book)
        assert [(act["year"], act["act_pay_dedc"]) for act in found.values()] == [
            (2023, 60_000), (2024, 60_000), (2023, -60_000),
        ]  # fmt: skip
        assert parts(book) == []
        assert {step.part for step in book.explain("S000001").steps} == {"2023: 1 of 1 days"}
    sound(sqlite_url)


def test_only_stays_over_the_turn_are_divided(sqlite_url: str, tmp_path: Path) -> None:
    """A stay that begins and ends in one year divides nothing, nor does a policy that does not say so."""
    rows = [claim(1), turning(2, med_type="21") | {"begndate": "2024-01-01"}]
    with enacted(sqlite_url, tmp_path, DIVIDES) as book:
        book.intake(write(tmp_path / "claims.csv", rows))
        assert parts(book) == []
    with enacted(f"{sqlite_url}.other", tmp_path) as book:
        book.intake(write(tmp_path / "turning.csv", [turning(3)]))
        assert booked(book)["S000003"]["act_pay_dedc"] == 60_000
        assert parts(book) == []


def test_a_part_without_a_policy_refuses_the_stay(sqlite_url: str, tmp_path: Path) -> None:
    """Where no version was in force in the old year the stay cannot be divided, and is not booked."""
    with enacted(sqlite_url, tmp_path, DIVIDES) as book:
        report = book.intake(write(tmp_path / "claims.csv", [stay(1, "2022-12-30", "2023-01-03"), turning(2)]))
        assert (report.booked, report.reasons) == (1, {"no_policy": 1})


def test_an_altered_part_is_found(sqlite_url: str, tmp_path: Path) -> None:
    """A part that counts other than its stay's days is a difference of replay, named by year and amount."""
    import sqlite3

    import msgspec

    with enacted(sqlite_url, tmp_path, DIVIDES) as book:
        book.intake(write(tmp_path / "claims.csv", [turning(1)]))
    path = sqlite_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        ((state,),) = connection.execute("SELECT state FROM stored_events WHERE topic = 'stay-part-counted/1'")
        fields = msgspec.msgpack.decode(state)
        at = list(StayPartCounted.__struct_fields__).index("delta")
        fields[at][ACCUMULATOR["hifp_pay"]] += 1
        connection.execute("UPDATE stored_events SET state = ? WHERE topic = 'stay-part-counted/1'",
                           (msgspec.msgpack.encode(fields),))  # fmt: skip
    import ledger

    with ledger.open(sqlite_url, actor="tester") as book:
        (found,) = book.replay(202401).differences
        assert (found.step, found.got - found.expected) == ("2023.delta.hifp_pay", 1)


def test_a_part_has_the_age_and_version_of_its_year(sqlite_url: str, tmp_path: Path) -> None:
    """Each part is decided by the values in force in its year and by the age of its last day."""
    aged = ('2 = "0.84" } }', '2 = "0.84" } }, exceptions = [{ age_from = 70, ratio = { 2 = "0.90" } }]')
    with enacted(sqlite_url, tmp_path, DIVIDES, aged) as book:
        registered(book, tmp_path, "psn_no,gend,brdy", "P1,1,1954-01-02")
        book.intake(write(tmp_path / "claims.csv", [turning(1)]))
        found = booked(book)["S000001"]
        # (6,666.67 - 600.00) x 84 % at 69, (3,333.33 - 600.00) x 90 % at 70.
        assert found["hifp_pay"] == 509_600 + 246_000
