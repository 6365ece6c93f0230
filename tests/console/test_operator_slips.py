"""What an operator types by a slip is refused in one line, by name of its option, and nothing is written."""

import os
import shutil
from pathlib import Path

import pytest

from console.main import main
from tests.console.test_commands import EXAMPLE, Shell

WORKING = ("supplier", "guarantee", "H1", "--region", "441800", "--limit", "5", "--bank", "B", "--code", "G-1")
PAID = ("H1", "--region", "441800", "--period", "202401", "--amount", "5", "--reason", "r")


@pytest.fixture
def shell(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Gives a shell on an empty ledger."""
    made = Shell(sqlite_url, tmp_path, capsys)
    made("init")
    return made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("filings", "--expiring", "-5"), "from 0 to"),
        (("filings", "--expiring", "99999999999"), "from 0 to"),
        (("statement", "--top", "-1"), "from 1 to"),
        (("trace", "A1", "--listed", "-1"), "from 0 to"),
        (("touched", "9" * 23), "from 0 to"),
        (("replay", "--period", "202401", "--register", "9" * 23), "from 0 to"),
        (("erase", "P1", "--reason", "r", "--retention-years", "9" * 23), "from 0 to"),
        (("rules", "generate", "r.toml", "--rules", "-1"), "from 1 to"),
        (("rules", "generate", "r.toml", "--items", "0"), "from 10 to"),
        (("break", "carry", "x", "--reason", "r", "--at-most", "-1"), "from 0 to"),
        (("case", "sample", "--period", "202401", "--seed", "1", "--owner", "w", "--size", "-3"), "from 1 to"),
        (("fund", "list", "--begin", "202402", "--to", "202401"), "--to: expected 202402"),
        (("fund", "ratio", "--begin", "202402", "--to", "202401"), "--to: expected 202402"),
        (("advance", "quota", "--period", "202401", "--year", "-5"), "--year: expected a year"),
        (("advance", "working", "--period", "202401", "--year", "99999"), "--year: expected a year"),
        (("surplus", "grant", *PAID, "--year", "-5", "--fund", "310100"), "--year: expected a year"),
        (("retention", "release", *PAID, "--year", "20"), "--year: expected a year"),
        ((*WORKING, "--begin", "20240230"), "--begin: expected a day"),
        ((*WORKING, "--begin", "20240201", "--to", "20240299"), "--to: expected a day"),
    ],
)
def test_a_number_or_day_that_makes_no_sense_is_refused_by_its_option(
    shell: Shell, words: tuple[str, ...], said: str
) -> None:
    """No number below what counts, beyond what there is, no day off the calendar and no range backwards is taken."""
    line = shell.refused(*words)
    assert line.startswith("usage: ") and said in line
    assert shell.json("jobs") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class\nP1,A,4418,310,11,\n",
            "row 1, insu_admdvs: expected a six-digit code, got '4418'",
        ),
        ("psn_no,gend,brdy\nP1,3,1975-03-02\n", "gend: expected one of 1, 2, 9, or nothing, got '3'"),
        ("account,amount\nbank:441800,1234.56\nfund:441800:310100,-1.00\n", "expected a sum of 0.00, got 1,233.56"),
    ],
)
def test_a_register_names_what_it_expects(shell: Shell, text: str, said: str) -> None:
    """A member's place has six digits; cells, and a sum that is not zero, are told as they are typed."""
    file = shell.folder / "register.csv"
    file.write_text(text, encoding="utf-8")
    assert said in shell.refused("register", str(file))


def test_a_kind_of_care_without_a_rule_is_named(shell: Shell) -> None:
    """Where the policy of the area has no rule for the kind of treatment, the quarantine file says which."""
    shutil.copytree(EXAMPLE, shell.folder, dirs_exist_ok=True)
    shell("policy", "enact", "qingyuan", "--regions", "441800")
    claims = shell.folder / "claims.csv"
    claims.write_text(claims.read_text(encoding="utf-8").replace("H44180200001,3,21,", "H44180200001,3,14,"), "utf-8")
    shell("intake", str(claims))
    said = (shell.folder / "claims.quarantine.csv").read_text(encoding="utf-8")
    assert "no_policy" in said and "that has a rule for med_type 14 of insutype 310" in said


def test_filings_that_end_are_listed_up_to_the_end_of_the_calendar(shell: Shell) -> None:
    """However far ahead is asked, and from the last day there is, what ends is listed."""
    assert shell.json("filings", "--expiring", "1000000000", "--on", "9999-12-31") == []
    assert shell.json("filings", "--expiring", "1000000000", "--on", "2024-01-01") == []


def test_a_guarantee_ends_after_it_begins(shell: Shell) -> None:
    """A bank guarantee whose last day lies before its first is refused; without a last day it has no end."""
    line = shell.refused(*WORKING, "--begin", "20240201", "--to", "20230101")
    assert line.startswith("bad_value: ") and "20240201 or later, got 20230101" in line
    assert shell.json("supplier", "guarantee") == []
    (made,) = shell.json(*WORKING, "--begin", "2024-02-01", "--to", "0")
    assert (made["begin"], made["to"]) == (20240201, 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("intake", ()),
        ("lines", ()),
        ("reconcile", ("--counterpart", "440100", "--period", "202401")),
    ],
)
def test_a_pipe_is_refused_before_it_is_waited_for(shell: Shell, command: str, words: tuple[str, ...]) -> None:
    """A file is read more than once; nobody waits for a pipe's other end."""
    pipe = shell.folder / "claims.jsonl"
    os.mkfifo(pipe)
    expected = f"{pipe}: expected a file, which is read more than once, got a pipe: write it to a file first"
    assert expected in shell.refused(command, str(pipe), *words)
    assert main(["price", str(pipe), "--policy", "qingyuan"]) == 2
    assert expected in shell.capsys.readouterr().err


def test_no_file_that_is_there_is_written_over(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command is to write, a file that is there stays as it is: claims, statements, the ledger itself."""
    monkeypatch.chdir(shell.folder)
    kept = shell.folder / "kept.csv"
    kept.write_text("precious", encoding="utf-8")
    month = ("--period", "202401")
    for words in (
        ("export", "kept.csv", *month),
        ("replay", *month, "--policy", "qingyuan", "--diff", "kept.csv"),
        ("sweep", *month, "--policies", "grid.toml", "--out", "kept.csv"),
        ("rules", "generate", "kept.csv"),
        ("reconcile", "details.csv", "--counterpart", "440100", *month, "--mismatches", "kept.csv"),
    ):
        if words[0] == "rules":
            assert main([*words]) == 2
            assert "kept.csv: is there already" in shell.capsys.readouterr().err
        else:
            assert "kept.csv: is there already, and nothing is overwritten: name another" in shell.refused(*words)
    nowhere = shell.refused("export", "nowhere/month.parquet", *month)
    assert "expected a folder for the month's acts, got none there: name another place with --parquet FILE" in nowhere
    assert kept.read_text(encoding="utf-8") == "precious"
