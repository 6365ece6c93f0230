"""Manual reimbursement in the statements: a claim in the denominator, never a direct one."""

from pathlib import Path

import pytest

import projections
from ledger.refusals import Refusal
from projections.clearing.sheets import Sheet, StatementError
from projections.reader import Projections
from tests.ledger.worlds import claim, write
from tests.manual.worlds import OFF_SITE, act, office, refused, take_to

SETTLED = {
    "act_pay_dedc": "0.00", "hifp_pay": "6000.00", "fund_pay_sumamt": "6000.00", "psn_part_amt": "4000.00",
    "acct_pay": "0.00", "psn_cash_pay": "4000.00",
}  # fmt: skip


def rows(sheet: Sheet) -> list[dict[str, object]]:
    """Returns a sheet's rows by column."""
    return [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]


@pytest.mark.parametrize("computed", ["manual", "direct"])
def test_a_manual_claim_counts_among_all_and_not_among_the_direct(
    store_url: str, tmp_path: Path, computed: str
) -> None:
    """Of three off-site claims two were settled at the counter: 66.67 %, whatever the terms say."""
    terms = tmp_path / "terms.toml"
    terms.write_text(f"name = 'mine'\n[channel]\ncomputed = '{computed}'\n", encoding="utf-8")
    with office(store_url) as book:
        book.set_terms(terms, begin_period=202401)
        book.intake(write(tmp_path / "c.csv", [claim(serial, **OFF_SITE, **SETTLED) for serial in (11, 12)]))
        take_to(book, "pay", **OFF_SITE)
        with projections.open(store_url) as read:
            (roles,) = rows(read.issue("roles", 202401, 470100).sheets[0])
            assert (roles["person_times"], roles["direct_times"], roles["direct_ratio"]) == (3, 2, 6_667)
            assert roles["avoided_fen"] == 1_200_000
            details = rows(read.issue("detail", 202401, 470100).sheets[0])
            assert sorted(str(row["channel"]) for row in details) == ["direct", "direct", "manual"]
        book.reverse("470100/S000001", "billed twice")
        with projections.open(store_url) as read:
            found = [row for period in (202401, 202404) for row in _roles(read, period)]
            times = [sum(int(str(row[name])) for row in found) for name in ("person_times", "direct_times")]
            assert times == [2, 2]


def _roles(read: Projections, period: int) -> list[dict[str, object]]:
    try:
        return rows(read.issue("roles", period, 470100).sheets[0])
    except StatementError:
        return []


def test_a_correction_of_a_manual_claim_falls_on_its_person(store_url: str, tmp_path: Path) -> None:
    """A case against the person of a manual claim takes back what the funds paid, as of any claim."""
    from ledger.casework.acts import Act
    from tests.casework.worlds import closed

    with office(store_url) as book:
        take_to(book, "pay")
        book.enact_case_terms("national-2021")
        closed(book, "C1", ("260100/S000001", 100_000), person=True)
        book.case_acts([Act(act="raise", case="C1", kind="clawed_back")])
        refused(book, act("recover"), Refusal.MANUAL_TRANSIT)
    with projections.open(store_url) as read:
        assert read.balances().accounts["clawback:260100:person-000000001"] == 100_000
        assert read.verify() == []
