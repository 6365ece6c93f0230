"""The maternity allowance: a payout without a claim, from grant to payment, with its own postings."""

from pathlib import Path
from typing import Any

import pytest

import ledger
import projections
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.worlds import clock

POLICY = """
[policy]
name = "births"
title = "Maternity allowance"
source = "worked check"
assumptions = []
clawback_order = ["oth_pay", "maf_pay", "hifdm_pay", "hifes_pay", "cvlserv_pay", "hifmi_pay", "hifob_pay", "hifp_pay"]
[employee]
off_site.2023-01-01 = { variant = "none", no_filing_needed = [] }
first_selfpay_counts_toward.2023-01-01 = []
deductible_exempt_classes.2023-01-01 = []
deductible_after_ceiling.2023-01-01 = "taken"
stay_below_deductible_counts.2023-01-01 = true
ceiling_yearly_payment.2023-01-01 = "none"
over_ceiling_amount.2023-01-01 = "cut_payment"
further_funds_in_order.2023-01-01 = []
account_pays.2023-01-01 = "nothing"
maternity_paid_from.2023-01-01 = "maternity_fund"
maternity_paid_from.2024-01-01 = "employee_pool"
maternity_allowance.2023-01-01 = { leaves = [{ leave = "birth", days = 98 }], further_child_days = 15 }
maternity_allowance.2025-01-01 = { leaves = [{ leave = "birth", days = 158 }], paid_to = "employer" }
"""


def opened(url: str, folder: Path) -> Ledger:
    """Returns a ledger with one employee, one resident and an employee whose insurance ended."""
    path = folder / "births.toml"
    path.write_text(POLICY, encoding="utf-8")
    book = ledger.create(url, actor="tester", clock_us=clock())
    book.enact(path, [260100])
    registered(book, folder, f"{MEMBERS},from,status", "E1,王,260101,310,11,,,", "R1,李,260101,390,15,,,",
               "E2,赵,260101,310,11,,2023-01-01,active", "E2,赵,260101,310,11,,2023-06-01,ended",
               "E3,吴,260201,310,11,,,")  # fmt: skip
    return book


def accounts(url: str) -> dict[str, int]:
    """Returns every account that holds something, once log, books and tables agree."""
    with projections.open(url) as views:
        views.catch_up()
        assert views.verify() == []
        return {name: fen for name, fen in views.balances().accounts.items() if fen}


def test_an_allowance_is_granted_and_paid(store_url: str, tmp_path: Path) -> None:
    """8,100.10 a month for 98 + 15 days is 30,510.38 from the employee pool, owed to the person until it is paid."""
    with opened(store_url, tmp_path) as book:
        granted = book.grant_allowance("E1", 260100, leave="birth", begin=20240301, wage_fen=810_010, children=2)
        assert (granted.days, granted.amount_fen, granted.state) == (113, 3_051_038, "granted")
        assert accounts(store_url) == {"expense:260100:310100": 3_051_038, "allowance:260100:000000001": -3_051_038}
        with pytest.raises(Refused, match=r"expected 30,510\.38, got 1\.00"):
            book.pay_allowance(granted.key, "B1", amount_fen=100)
        assert book.pay_allowance(granted.key, "B1").state == "paid"
        assert book.allowances()[0].receipt == "B1"
        with pytest.raises(Refused) as refused:
            book.pay_allowance(granted.key, "B2")
        assert refused.value.refusal is Refusal.ALREADY_PAID
    assert accounts(store_url) == {"expense:260100:310100": 3_051_038, "bank:260100": -3_051_038}


def test_the_fund_and_the_payee_are_the_policys(sqlite_url: str, tmp_path: Path) -> None:
    """Before the merger the maternity fund pays; a policy may pay the employer, or another person be the payee."""
    with opened(sqlite_url, tmp_path) as book:
        before = book.grant_allowance("E1", 260100, leave="birth", begin=20230301, wage_fen=300_000, payee="R1")
        assert (before.fund, before.amount_fen, before.payee) == (510100, 980_000, "person 000000002")
        with pytest.raises(Refused, match="expected --employer and no --payee, got nothing"):
            book.grant_allowance("E1", 260100, leave="birth", begin=20250301, wage_fen=300_000)
        after = book.grant_allowance("E1", 260100, leave="birth", begin=20250301, wage_fen=300_000, employer="ACME")
        assert (after.fund, after.days, after.payee) == (310100, 158, "ACME")
    assert accounts(sqlite_url) == {
        "expense:260100:510100": 980_000, "allowance:260100:000000002": -980_000,
        "expense:260100:310100": 1_580_000, "allowance:260100:ACME": -1_580_000,
    }  # fmt: skip


def test_a_revoked_allowance_is_owed_back(sqlite_url: str, tmp_path: Path) -> None:
    """Revoking takes the expense back: the payee owes what was paid; what was not paid may be granted anew."""
    with opened(sqlite_url, tmp_path) as book:
        paid = book.grant_allowance("E1", 260100, leave="birth", begin=20240301, wage_fen=300_000)
        book.pay_allowance(paid.key, "B1")
        assert book.revoke_allowance(paid.key, reason="error").state == "revoked"
        assert accounts(sqlite_url) == {"allowance:260100:000000001": 980_000, "bank:260100": -980_000}
        other = book.grant_allowance("E1", 260100, leave="birth", begin=20240401, wage_fen=300_000)
        book.revoke_allowance(other.key, reason="error")
        for act in (book.pay_allowance, book.revoke_allowance):
            with pytest.raises(Refused) as refused:
                act(other.key, **({"receipt": "B2"} if act == book.pay_allowance else {"reason": "again"}))
            assert refused.value.refusal is Refusal.ALLOWANCE_REVOKED
        again = book.grant_allowance("E1", 260100, leave="birth", begin=20240401, wage_fen=600_000)
        assert (again.key, again.amount_fen) == (other.key, 1_960_000)


@pytest.mark.parametrize(
    ("cells", "refusal"),
    [
        ({"psn_no": "X"}, Refusal.UNKNOWN_PSN_NO),
        ({"psn_no": "R1"}, Refusal.ALLOWANCE_NOT_ENTITLED),
        ({"psn_no": "E2"}, Refusal.ALLOWANCE_NOT_ENTITLED),
        ({"psn_no": "E3"}, Refusal.ALLOWANCE_NOT_ENTITLED),
        ({"payee": "X"}, Refusal.UNKNOWN_PSN_NO),
        ({"leave": "holiday"}, Refusal.ALLOWANCE_WITHOUT_RULE),
        ({"begin": 20220101}, Refusal.NO_POLICY),
        ({"region": 260200}, Refusal.NO_POLICY),
        ({"wage_fen": 0}, Refusal.BAD_VALUE),
        ({"children": 0}, Refusal.BAD_VALUE),
        ({"begin": 20240302}, Refusal.STREAM_EXISTS),
    ],
)
def test_what_is_not_due_is_refused(sqlite_url: str, tmp_path: Path, cells: dict[str, Any], refusal: Refusal) -> None:
    """Somebody who is no employee there on the day, a leave without rule, a second grant: nothing is written."""
    asked: dict[str, Any] = {"leave": "birth", "begin": 20240301, "wage_fen": 300_000}
    with opened(sqlite_url, tmp_path) as book:
        book.grant_allowance("E1", 260100, leave="birth", begin=20240302, wage_fen=300_000)
        with book.store.read() as reader:
            head = reader.size
        asked |= cells
        person, region = asked.pop("psn_no", "E1"), asked.pop("region", 260100)
        with pytest.raises(Refused) as refused:
            book.grant_allowance(person, region, **asked)
        assert refused.value.refusal is refusal
        with book.store.read() as reader:
            assert reader.size == head
