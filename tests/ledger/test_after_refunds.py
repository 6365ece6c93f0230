"""What a refund leaves different is a finding: DOMAIN section 4's two stays, whoever decided them."""

from pathlib import Path

import pytest

import projections
from tests.ledger.test_benefit_year import enacted
from tests.ledger.worlds import claim, refund, write

STAY = {"psn_no": "P1", "medfee_sumamt": "8700.00", "inscp_scp_amt": "8700.00"}


def findings(url: str, period: int | None = None) -> list[tuple[str, str, str, int]]:
    """Returns (kind, claim, field, difference) of every finding, once log, books and tables agree."""
    with projections.open(url) as views:
        found = views.findings(period)
        assert views.verify() == []
    return [(each.kind, each.claim, each.field, each.difference_fen) for each in found]


def test_cancelling_the_first_stay_finds_84_yuan_on_the_second(store_url: str, tmp_path: Path) -> None:
    """6,804.00 + 6,888.00; cancelling the first re-prices nobody, and 84.00 of the second is found, by field."""
    with enacted(store_url, tmp_path) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1, **STAY), claim(2, **STAY), claim(3)]))
        assert findings(store_url) == []
        book.reverse("S000001", "billed to the wrong person")
        assert book.explain("S000002").booked["hifp_pay"] == 688_800
    assert findings(store_url) == [
        ("settled_before_refund", "260100/S000002", field, difference)
        for field, difference in (
            ("act_pay_dedc", 10_000), ("hifp_pay", -8_400), ("fund_pay_sumamt", -8_400), ("psn_part_amt", 8_400),
            ("psn_cash_pay", 8_400),
        )
    ]  # fmt: skip
    assert len(findings(store_url, 202401)) == 5
    assert findings(store_url, 202402) == []


def test_a_refund_of_the_last_stay_or_beside_a_sources_leaves_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """The second stay taken back leaves the first as it was; what a source paid is not asked."""
    paid = {"hifp_pay": "6888.00", "fund_pay_sumamt": "6888.00"}
    rows = [claim(1, **STAY), claim(2, **STAY), refund(claim(2, **STAY), 3)]
    other = {**STAY, "psn_no": "P2"}
    rows += [claim(4, **other), claim(5, **other, **paid), refund(claim(4, **other), 6)]
    with enacted(sqlite_url, tmp_path) as book:
        assert book.intake(write(tmp_path / "claims.csv", rows)).booked == 6
    assert findings(sqlite_url) == []


def test_persons_are_asked_a_few_at_a_time_and_listed_in_log_order(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many acts are decided again together, the findings are the same, in the order of their claims."""
    with enacted(sqlite_url, tmp_path) as book:
        # Persons take turns, a file each, so that the order of the log is not that of the persons.
        for stay in range(3):
            rows = [claim(2 * stay + person, **STAY | {"psn_no": f"P{person}"}) for person in (1, 2)]
            book.intake(write(tmp_path / f"claims-{stay}.csv", rows))
        for first in (1, 2):
            book.reverse(f"S{first:06d}", "billed to the wrong person")
    whole = findings(sqlite_url)
    claims = [name for _, name, _, _ in whole]
    assert len(set(claims)) == 4 and claims == sorted(claims)
    monkeypatch.setattr("projections.claim_findings.CHUNK_ACTS", 1)
    assert findings(sqlite_url) == whole
