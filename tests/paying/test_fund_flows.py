"""A fund's closing balance is what the books hold, whatever moved it: cases, allowances, births of another pool."""

from pathlib import Path

import pytest

import projections
from ledger.service import Ledger
from projections.funds.accounts import FundAccount
from tests.casework.worlds import act, closed, key, month
from tests.ledger.test_allowance import opened as with_allowances
from tests.ledger.test_persons_and_limits import BIRTHS, RULES_OF_EMPLOYEES, enacted, taken
from tests.ledger.worlds import claim, refund


def funds(book: Ledger, begin: int = 202401, to: int = 999912) -> dict[int, FundAccount]:
    """Returns the funds of a region, once each closing balance is known to be what the books hold."""
    with projections.open(book.store.url) as read:
        found = {each.fund_pay_type: each for each in read.funds(begin, to, 260100)}
        if to == 999912:
            assert all(each.closing_fen == each.booked_fen for each in found.values()), found
        assert all(
            each.opening_fen + each.income_fen - each.spend_fen + each.recovered_fen == each.closing_fen
            for each in found.values()
        )
        assert read.verify() == []
        return found


def test_the_money_of_cases_comes_back_to_the_fund(store_url: str, tmp_path: Path) -> None:
    """Raised it is recovered, written off and reversed it is spent again, in the month each was recorded in."""
    with month(store_url, tmp_path) as book:
        before = funds(book)[390100]
        closed(book, "C1", (key(1), 100_000), (key(2), 50_000))
        book.case_act(act("raise", kind="deducted", claims=((key(1), 60_000),)))
        book.case_act(act("raise", kind="clawed_back"))
        raised = funds(book)[390100]
        assert (raised.recovered_fen - before.recovered_fen, raised.spend_fen) == (150_000, before.spend_fen)
        book.case_act(act("write_off", kind="clawed_back", amount_fen=20_000, reason="gone"))
        book.case_act(act("reverse", kind="deducted", amount_fen=10_000, reason="won"))
        after = funds(book)[390100]
        assert after.closing_fen == before.closing_fen + 120_000
        assert funds(book, to=202403)[390100].closing_fen == before.closing_fen


def test_an_allowance_is_spent_by_its_fund(sqlite_url: str, tmp_path: Path) -> None:
    """An allowance without a claim is an expense of the fund that owes it; revoked it comes back."""
    with with_allowances(sqlite_url, tmp_path) as book:
        granted = book.grant_allowance("E1", 260100, leave="birth", begin=20240301, wage_fen=810_010, children=2)
        assert (funds(book)[310100].spend_fen, granted.amount_fen) == (3_051_038, 3_051_038)
        book.revoke_allowance(granted.key, reason="twice")
        assert funds(book)[310100].closing_fen == 0


@pytest.mark.parametrize(("paid_from", "fund"), [("employee_pool", 310100), ("maternity_fund", 510100)])
def test_births_are_spent_by_the_pool_the_policy_names(
    paid_from: str, fund: int, store_url: str, tmp_path: Path
) -> None:
    """Births filed under 310 and under 510 are spent from one pool, with their refund and clawback."""
    rules = RULES_OF_EMPLOYEES.format(paid_from) + BIRTHS
    cells = {"psn_type": "11", "med_type": "52", "medfee_sumamt": "3000.00", "inscp_scp_amt": "3000.00"}
    rows = [claim(serial, insutype=of, **cells) for serial, of in ((1, "310"), (2, "510"), (3, "510"))]
    with enacted(store_url, tmp_path, ("[resident.off_site]", rules + "[resident.off_site]")) as book:
        taken(book, tmp_path, [*rows, refund(rows[2], 4)])
        book.clawback_raise("C1", "S000002", 10_000, "checked")
        found = funds(book)
        spent = {code: each.spend_fen for code, each in found.items() if each.spend_fen}
        assert spent == {fund: 600_000} and found[fund].recovered_fen == 10_000
