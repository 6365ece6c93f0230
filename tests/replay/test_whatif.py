"""Another policy: equal to a store filed under it, claim by claim, and loud where nothing changes."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import ledger
from core_ext.layout import AMOUNTS
from ledger.refusals import Refused
from ledger.service import Ledger
from tests.ledger.worlds import clock, opened
from tests.replay.stories import REGIONS, booked, february, january, other_policy

CHANGES = (('"500.00"', '"700.00"'), ('2 = "0.87"', '2 = "0.84"'))


def fresh(url: str, policy: Path, files: list[Path]) -> Ledger:
    """Returns a store filed under a policy from the start."""
    book = ledger.create(url, actor="tester", clock_us=clock())
    book.enact(policy, list(REGIONS), assumed=True)
    for file in files:
        book.intake(file)
    return book


@pytest.mark.parametrize("from_log", [False, True])
def test_a_month_under_another_policy_is_what_a_fresh_store_books(tmp_path: Path, from_log: bool) -> None:
    """Every claim and refund of the month comes out as a store filed under the other policy books it."""
    policy, file = other_policy(tmp_path, *CHANGES), january(tmp_path)
    listing = tmp_path / "diff.parquet"
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(file)
        book.close(202401)
        book.seal(202401)
        before = booked(book, [202401])
        found = book.what_if(policy, 202401, diff=listing, from_log=from_log)
    with fresh(f"sqlite:///{tmp_path / 'fresh.db'}", policy, [file]) as other:
        after = booked(other, [202401])
    table = pq.read_table(listing).to_pylist()
    listed = {row["setl_id"]: tuple(row[f"{name}_new"] for name in AMOUNTS) for row in table}
    assert listed == {name: amounts for name, amounts in after.items() if amounts != before[name]}
    assert found.changed == len(listed) > 20
    assert found.totals_new == tuple(map(sum, zip(*after.values(), strict=True)))
    assert found.totals == tuple(map(sum, zip(*before.values(), strict=True)))
    assert len(found.largest) == 20
    assert found.persons_losing and {each.by for each in found.groups} == {"region", "psn_type", "med_type", "insutype"}
    assert {each.key: each.consulted for each in found.keys}


def test_two_months_carry_what_the_first_would_have_left(tmp_path: Path) -> None:
    """Accumulators are carried across months in commit order, late claims and all."""
    policy, files = other_policy(tmp_path, *CHANGES), [january(tmp_path), february(tmp_path)]
    listing = tmp_path / "diff.csv"
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        for file in files:
            book.intake(file)
        before = booked(book, [202401, 202402])
        found = book.what_if(policy, 202401, to=202402, diff=listing)
        alone = book.what_if(policy, 202402)
    with fresh(f"sqlite:///{tmp_path / 'fresh.db'}", policy, files) as other:
        after = booked(other, [202401, 202402])
    with listing.open(encoding="utf-8") as stream:
        listed = {row["setl_id"]: tuple(int(row[f"{name}_new"]) for name in AMOUNTS) for row in csv.DictReader(stream)}
    assert listed == {name: amounts for name, amounts in after.items() if amounts != before[name]}
    assert found.periods == (202401, 202402) and alone.digest != found.digest


def test_an_equal_policy_changes_no_claim_and_says_what_was_never_consulted(tmp_path: Path) -> None:
    """A change no act consults leaves every claim as it is, and is named."""
    policy = other_policy(tmp_path, ('threshold = "15000.00"', 'threshold = "16000.00"'))
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(january(tmp_path, 3))
        found = book.what_if(policy, 202401)
    assert (found.changed, found.totals) == (0, found.totals_new)
    assert found.keys and "employee.chronic.deductible" in found.never_consulted


def test_another_benefit_year_is_refused(tmp_path: Path) -> None:
    """A policy whose benefit year starts on another day cannot take accumulators over."""
    policy = other_policy(tmp_path, ("[policy]", '[policy]\nbenefit_year_starts = "07-01"'))
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(january(tmp_path, 3))
        with pytest.raises(Refused, match="benefit year"):
            book.what_if(policy, 202401)
