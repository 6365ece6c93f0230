"""A register told late takes the path of a policy change, for the claims it reaches back to."""

import csv
from pathlib import Path

import projections
from core_ext.layout import AMOUNT, AMOUNTS
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.test_benefit_year import enacted
from tests.ledger.worlds import claim, opened, sign, write
from tests.replay.stories import booked

AWAY = {"mdtrtarea_admvs": "470101", "fixmedins_code": "H47010100001"}
FILINGS = ("psn_no,type,region,from,to", "P000001,referral,470100,2024-01-01,2024-12-31")
ENROLLED = (MEMBERS, "P000001,某人,260101,390,15,0")
MEMBER = (MEMBERS, "P000002,某人,260101,390,15,2")


def january(tmp_path: Path) -> Path:
    """Returns stays at home and away of three persons."""
    rows = [claim(i, psn_no=f"P{1 + i % 3:06d}", **(AWAY if i % 2 else {})) for i in range(1, 13)]
    return write(tmp_path / "month.csv", rows)


def test_a_late_filing_and_a_late_enrolment_are_corrected_as_if_told_in_time(tmp_path: Path) -> None:
    """What is found and booked for the touched persons is what a store books that was told before the claims."""
    file, listing = january(tmp_path), tmp_path / "diff.csv"
    for number, lines in enumerate((FILINGS, MEMBER)):
        with opened(f"sqlite:///{tmp_path / f'told-{number}.db'}") as told:
            registered(told, tmp_path, *ENROLLED)
            registered(told, tmp_path, *lines)
            told.intake(file)
            after = booked(told, [202401])
        url = f"sqlite:///{tmp_path / f'late-{number}.db'}"
        with opened(url) as book:
            registered(book, tmp_path, *ENROLLED)
            book.intake(file)
            before = booked(book, [202401])
            book.close(202401)
            sign(book, 202401)
            book.seal(202401)
            late = registered(book, tmp_path, *lines)
            found = book.what_if(None, 202401, register=late.position, diff=listing)
            with listing.open(encoding="utf-8") as stream:
                rows = list(csv.DictReader(stream))
            listed = {row["setl_id"]: tuple(int(row[f"{name}_new"]) for name in AMOUNTS) for row in rows}
            assert listed == {name: amounts for name, amounts in after.items() if amounts != before[name]}
            assert found.changed == len(listed) > 0
            done = book.correct(None, 202401, "told late", register=late.position)
            assert (done.booked, done.found.digest) == (found.changed, found.digest)
            assert book.correct(None, 202401, "again", register=late.position).booked == 0
            assert book.replay(202402).differences == book.replay(202401).differences == ()
        with projections.open(url) as read:
            assert read.statement(202402).totals.fund_pay_sumamt == done.fund_fen
            assert read.verify() == []


BIRTHS = ("psn_no,gend,brdy", "P000001,1,1940-05-06", "P000002,2,1990-05-06")


def test_a_birth_told_late_is_corrected_as_if_told_in_time(tmp_path: Path) -> None:
    """A day of birth reaches the claims it gives another age, and changes them to what a birth told in time gave."""
    own = 'ratio = { resident = { 2 = "0.84" } }'
    aged = (own, f'{own}, exceptions = [{{ age_from = 70, ratio = {{ 2 = "0.90" }} }}]')
    file = write(tmp_path / "month.csv", [claim(i, psn_no=f"P{1 + i % 3:06d}") for i in range(1, 13)])
    with enacted(f"sqlite:///{tmp_path / 'told.db'}", tmp_path, aged) as told:
        registered(told, tmp_path, *BIRTHS)
        told.intake(file)
        after = booked(told, [202401])
    url = f"sqlite:///{tmp_path / 'late.db'}"
    with enacted(url, tmp_path, aged) as book:
        book.intake(file)
        before = booked(book, [202401])
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        late = registered(book, tmp_path, *BIRTHS)
        touched = book.touched(late.position).claims
        assert {each.by for each in touched} == {"person"} and len(touched) == 8
        done = book.correct(None, 202401, "told late", register=late.position)
        assert done.booked == sum(after[name] != before[name] for name in after) == 4
        fund = AMOUNT["fund_pay_sumamt"]
        assert done.fund_fen == sum(after[name][fund] - before[name][fund] for name in after)
        assert book.replay(202402).differences == ()
    with projections.open(url) as read:
        assert read.verify() == []
