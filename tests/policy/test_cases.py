"""Cases written as data: every file beside says what a domain reader expects, and the ledger books exactly that."""

from pathlib import Path

import pytest

from ledger.cases import CaseError, run_file
from ledger.policy import PolicyInvalidError

FOLDER = Path(__file__).resolve().parents[1] / "cases"
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_case_settles_as_its_file_says(path: Path) -> None:
    """Every claim of every case is settled, refunded or refused as expected, to the fen."""
    results = run_file(path)
    assert [str(missed) for result in results for missed in result.missed] == []
    assert all(result.claims for result in results)


def test_there_are_cases() -> None:
    """The files hold at least a dozen cases."""
    assert sum(path.read_text(encoding="utf-8").count("[[case]]") for path in FILES) >= 12


SMALLEST = """\
title = "one"
policy = "qingyuan"
[[case]]
name = "one stay"
members = [{ person = "Li", region = 441802 }]
[[case.claim]]
name = "level 3"
settled = 2024-01-10
money = { inscp_scp_amt = "10000.00" }
expect = { hifp_pay = "6000.00", outcome = "settled" }
"""


def run(folder: Path, text: str) -> list[str]:
    path = folder / "case.toml"
    path.write_text(text, encoding="utf-8")
    return [str(missed).removeprefix(f"{path}: ") for result in run_file(path) for missed in result.missed]


def test_a_wrong_expectation_is_named_by_case_claim_and_field(tmp_path: Path) -> None:
    """What is not met is reported with what was expected and what came, also where the claim was refused."""
    assert run(tmp_path, SMALLEST) == []
    assert run(tmp_path, SMALLEST.replace('"6000.00"', '"6000.01"')) == [
        "one stay: level 3: hifp_pay: expected 6000.01, got 6000.00"
    ]
    assert run(tmp_path, SMALLEST.replace("2024-01-10", "2019-01-10")) == [
        "one stay: level 3: hifp_pay: expected 6000.00, got nothing: refused no_policy",
        "one stay: level 3: outcome: expected settled, got refused",
    ]


@pytest.mark.parametrize(("old", "new", "error"), [
    ('title = "one"', "", ":1: the file: expected a value for title, got nothing"),
    ("level 3", "level 3\"\ncolour = \"red", ":8: case[0].claim[0].colour: expected one of name"),
    ("hifp_pay", "hifp", "one stay: level 3.expect.hifp: expected one of outcome"),
    ("inscp_scp_amt", "inscp", "level 3.money.inscp: expected one of medfee_sumamt"),
    ("region = 441802", 'region = 441802, status = "poor"', "Li.status: expected one of active, retired"),
    ("settled = 2024", 'kind = "dental"\nsettled = 2024', "level 3.kind: expected one of inpatient"),
    ("settled = 2024", 'refunds = "level 2"\nsettled = 2024', "level 3.refunds: expected an earlier claim"),
    ("settled = 2024", 'person = "Wu"\nsettled = 2024', "level 3.person: expected a member, got 'Wu'"),
    ('policy = "qingyuan"', "", "expected policy or policy_text, got neither"),
    ("[[case]]", "[[case]", "at line 3"),
])  # fmt: skip
def test_a_case_file_that_says_it_wrong_is_refused(old: str, new: str, error: str, tmp_path: Path) -> None:
    """A case file with a mistake of its own is one error that names file and key."""
    with pytest.raises(CaseError) as raised:
        run(tmp_path, SMALLEST.replace(old, new, 1))
    assert str(raised.value).startswith(str(tmp_path))
    assert error in str(raised.value)


def test_a_policy_beside_the_case_file(tmp_path: Path) -> None:
    """A case may name a policy file beside it; a policy that is none is refused by name."""
    from ledger.policy import shipped

    (tmp_path / "own.toml").write_text(shipped("qingyuan").replace("0.60", "0.61"), encoding="utf-8")
    assert run(tmp_path, SMALLEST.replace('"qingyuan"', '"own.toml"').replace("6000", "6100")) == []
    with pytest.raises(PolicyInvalidError, match="got 'qinyuan'"):
        run(tmp_path, SMALLEST.replace('"qingyuan"', '"qinyuan"'))
