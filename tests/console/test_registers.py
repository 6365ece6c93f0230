"""Registers on the command line: a refused filing shows its reason, a late change what it reaches back to."""

from pathlib import Path

import pytest

from tests.console.test_commands import Shell


@pytest.fixture
def shell(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Gives a store with one member whose benefits are suspended since March 2024."""
    shell = Shell(sqlite_url, tmp_path, capsys)
    shell("init")
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,from,status\n"
    members = "P1,某,441802,390,15,,,\nP1,某,441802,390,15,,2024-03-01,suspended\n"
    (tmp_path / "members.csv").write_text(header + members, encoding="utf-8")
    shell("register", str(tmp_path / "members.csv"))
    return shell


def test_a_refused_filing_shows_row_and_reason(shell: Shell) -> None:
    """A file with a filing that may not be made registers the others, prints the reason and ends with status 1."""
    path = shell.folder / "filings.csv"
    rows = "P1,referral,440100,2024-03-05,\nP1,referral,440100,2024-02-05,2024-04-30\n"
    path.write_text("psn_no,type,region,from,to\n" + rows, encoding="utf-8")
    said = shell.json("register", str(path), status=1)
    assert (said["new"], [(row["row"], row["reason"]) for row in said["refused"]]) == (1, [(1, "filing_suspended")])
    again = shell("register", str(path), status=1)
    assert "registered 0 new of 2 filings" in again and "filing_suspended" in again
    assert shell.json("touched", str(said["position"]))["claims"] == []
    (listed,) = shell.json("filings", "--expiring", "31", "--on", "2024-04-01")
    assert (listed["psn_no"], listed["to"], listed["days_left"]) == ("P1", 20240430, 29)
    assert "2024-04-30" in shell("filings", "--expiring", "29", "--on", "2024-04-01")
    assert shell.json("filings", "--expiring", "28", "--on", "2024-04-01") == []


def test_a_flag_is_shown_beside_its_claim(shell: Shell) -> None:
    """A trace of a paid claim says which register would have refused it, and the derived tables verify."""
    from tests.ledger.worlds import claim, write

    shell("policy", "enact", "qingyuan", "--regions", "441800")
    cells = {"fund_pay_sumamt": "6000.00", "hifp_pay": "6000.00", "psn_part_amt": "4000.00", "psn_cash_pay": "4000.00"}
    cells |= {"psn_no": "P1", "insu_admdvs": "441802", "mdtrtarea_admvs": "441802"}
    path = write(shell.folder / "claims.csv", [claim(1, **cells)])
    assert shell.json("intake", str(path), "--profile", "registered")[0]["booked"] == 1
    assert "institution_unknown: a register would have refused it unpaid" in shell("trace", "S000001")
    assert shell.json("trace", "S000001")["found"][0]["flags"] == ["institution_unknown"]
    shell("verify")
    shell("rebuild")
    shell("verify")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("touched", "2"), "expected the position of a register command, got 2"),
        (("filings", "--expiring", "30", "--on", "2024-02-30"), "expected a day such as 2024-01-01"),
    ],
)
def test_a_position_or_day_that_is_none_is_one_line(words: tuple[str, ...], says: str, shell: Shell) -> None:
    """What cannot be meant is refused on one line."""
    assert says in shell.refused(*words)
