"""A counterpart counts the hospital's share as the claim's answer states it, the policy's part in it."""

from pathlib import Path

from tests.ledger.test_benefit_year import enacted
from tests.ledger.worlds import claim, refund, write

SHARES = "[resident.account_pays]"
SHARED = '[resident.hospital_share]\n2023-01-01 = { ratio = "0.05", of = ["in_scope"] }\n' + SHARES


def test_the_share_a_policy_gives_is_compared(sqlite_url: str, tmp_path: Path) -> None:
    """A share that a policy adds agrees with a counterpart that states it, and breaks with one that does not."""
    shared, stated = claim(1), claim(2, hosp_part_amt="10.00")
    rows = [shared, stated, refund(claim(3), 4), claim(3)]
    with enacted(sqlite_url, tmp_path, (SHARES, SHARED)) as book:
        book.intake(write(tmp_path / "claims.csv", [rows[3], shared, stated, rows[2]]))
        # 84 % of 10,000.00 - 600.00 is paid: 5 % of 2,104.00.
        share = {"S000001": "105.20", "S000002": "10.00", "S000003": "105.20", "S000004": "-105.20"}
        theirs = [row | {"hosp_part_amt": share[row["setl_id"]], "fund_pay_sumamt": "7896.00"} for row in rows]
        theirs[2]["fund_pay_sumamt"] = "-7896.00"
        agreed = book.reconcile(write(tmp_path / "theirs.csv", theirs), "H26010100001", period=202401)
        assert agreed.agrees, agreed.breaks
        theirs[0]["hosp_part_amt"] = "0.00"
        (found,) = book.reconcile(write(tmp_path / "without.csv", theirs), "H26010100001", period=202401).breaks
        assert (found.claim, found.fields) == ("260100/S000001", (("hosp_part_amt", "10520", "0"),))
