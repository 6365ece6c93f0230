"""What a newcomer meets: figures stand aligned and readable, and what went wrong says what to do next."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len

from console.event_words import fields_in_words
from console.main import main
from core_ext.layout import ACCUMULATOR, ACCUMULATORS, AMOUNTS, HOW
from ledger.events import BASIS_KERNEL, ClaimSettled
from tests.console.documents import ROOT
from tests.console.test_commands import EXAMPLE, Shell
from tests.console.test_places import settlement


@pytest.fixture
def shell(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Gives a shell on a SQLite store that is not there yet, in a folder with the example's files."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    return Shell(sqlite_url, tmp_path, capsys)


def test_an_interrupted_intake_says_that_it_goes_on_when_run_again(shell: Shell) -> None:
    """Ctrl-C while a file is taken in: one line, status 130, and the same command again books it once."""
    shell("init")
    shell("policy", "enact", "qingyuan", "--regions", "441800")
    path = shell.url.removeprefix("sqlite:///")
    claims = str(shell.folder / "claims.csv")
    command = [sys.executable, "-m", "console", "intake", claims, "--store", shell.url, "--actor", "tester"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    turn = Path(f"{path}-turn")
    turn.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        while not turn.exists():
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, said = running.communicate(timeout=60)
        other.execute("ROLLBACK")
    assert (running.returncode, out) == (130, "")
    assert said == "settlement: interrupted: stopped by the keyboard; what is committed stands, run it again\n"
    again = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    (job,) = shell.json("jobs")
    assert (job["completed"], job["booked"]) == (True, 5)


def test_rows_without_a_policy_say_what_is_missing_and_come_back_as_they_are(shell: Shell) -> None:
    """A forgotten policy is named as the next step; the command that brings the rows back can be pasted."""
    shell("init")
    said = shell("intake", str(shell.folder / "claims.csv"))
    assert "no_policy: enact a policy for their regions (settlement policy enact --regions), then retry them" in said
    (words,) = re.findall(r"take them in with: settlement (.*)", said)
    shell("policy", "enact", "qingyuan", "--regions", "441800")
    (report,) = shell.json(*words.split())
    assert (report["booked"], report["reasons"]) == (5, {"identity_I1": 1})


def test_an_assumption_as_a_whole_is_enacted_as_one_only(shell: Shell) -> None:
    """A document that states no source is refused without --assumed, so that statements count what it decides."""
    shell("init")
    refused = shell.refused("policy", "enact", "national-default", "--regions", "440100")
    assert refused.startswith("usage: national-default: expected --assumed, as its source is 'none: ")
    assert shell.json("policy", "list") == []
    assert "assumed" in shell("policy", "enact", "national-default", "--regions", "440100", "--assumed")


def test_a_proof_is_read_without_a_table_of_fields(shell: Shell) -> None:
    """Amounts are in yuan under their national names with the Chinese term, days are days; JSON keeps integers."""
    shell.booked()
    proof = str(shell.folder / "proof.json")
    shell("proof", "441800/S0002", "--out", proof)
    assert main(["verify", "--proof", proof]) == 0
    lines = [" ".join(line.split()) for line in shell.capsys.readouterr().out.splitlines()]
    assert "medfee_sumamt 12,600.00" in lines
    assert "begndate 2024-01-08" in lines
    assert "setl_time 2024-01-15 16:05:12" in lines
    (amounts,) = [line for line in lines if line.startswith("amounts ")]
    assert "fund_pay_sumamt 基金支付总额 5,000.00" in amounts and "acct_pay" not in amounts
    assert main(["verify", "--proof", proof, "--json"]) == 0
    told = json.loads(shell.capsys.readouterr().out)
    assert told["events"][0]["event"]["medfee_sumamt"] == 1_260_000


def test_tables_in_an_event_are_named_column_by_column() -> None:
    """Counts stay counts and amounts become yuan, each under the column it stands in; all zero is said so."""
    before = [0] * len(ACCUMULATORS)
    before[ACCUMULATOR["stays"]], before[ACCUMULATOR["deductible"]] = 2, 123_456
    event = ClaimSettled(
        1, 1, 2, 0, BASIS_KERNEL, 202401, b"\x01", 0, (0,) * len(AMOUNTS), -5, tuple(before), (), (0,) * len(HOW), 2024
    )
    words = dict(fields_in_words(event))
    assert (words["before"], words["amounts"], words["delta"]) == ("stays 2, deductible 1,234.56", "all 0", "all 0")
    assert (words["balc"], words["policy"]) == ("-0.05", "01")


def test_a_price_that_is_refused_says_why(shell: Shell) -> None:
    """The claim is named, with field, expected and got, in the table and in JSON."""
    words = ["price", str(shell.folder / "claims.csv"), "--policy", "qingyuan"]
    assert main(words) == 0
    said = shell.capsys.readouterr().out
    assert re.search(r"^ +6  S0006 +identity_I1", said, re.MULTILINE)
    assert "row 6: identity_I1: medfee_sumamt: expected medfee_sumamt = 3200.00 = " in said
    assert main([*words, "--explain"]) == 0
    assert "row 6: identity_I1: medfee_sumamt: expected" in shell.capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    last = json.loads(shell.capsys.readouterr().out.splitlines()[-1])
    assert (last["setl_id"], last["reason"], last["field"], last["got"]) == (
        *("S0006", "identity_I1", "medfee_sumamt", "3300.00"),
    )


def _edges(table: str, *endings: str) -> set[int]:
    """Returns where lines that end in one of the texts end, in cells of a screen."""
    return {cell_len(line.rstrip()) for line in table.splitlines() if line.rstrip().endswith(endings)}


def test_money_of_cases_and_months_of_funds_stand_on_the_right(shell: Shell) -> None:
    """Figures that are text already, such as 万 yuan and months, align like amounts."""
    shell.booked()
    assert len(_edges(shell("recoveries", "--wan"), "missed", "逾期", "0.00")) == 1
    shell("fund", "open", "390100", "--region", "441800", "--amount", "1000000.00", "--period", "202401")
    funds = shell("fund", "list", "--begin", "202401", "--to", "202401").split("Personal accounts")[0]
    assert len(_edges(funds, "months payable", "可支付月数", "-1.0", "199.0")) == 1


def test_days_are_written_as_days(shell: Shell) -> None:
    """A case's limit reads 2024-03-11, not 20240311."""
    shell.booked()
    shell("case", "terms", "national-2021")
    shell(
        "case",
        "open",
        "C-1",
        "--source",
        "tip_off",
        "--claims",
        "441800/S0002=1.00",
        "--owner",
        "w",
        "--on",
        "2024-03-04",
    )
    assert " 2024-03-11 " in shell("cases", "--on", "2024-03-05")
    assert "2024-03-04" in shell("trace", "C-1")
    assert " 2024-01-01" in shell("rules", "enact", "national-2024-01")


def test_a_detail_sheet_has_its_days_as_the_national_interface_writes_them(shell: Shell) -> None:
    """The first and last day of care read YYYY-MM-DD beside the time of settlement, on screen and in CSV."""
    shell.booked()
    words = ["statement", "--period", "202401", "--kind", "detail", "--region", "441800"]
    assert re.search(r" 2024-01-08 +2024-01-15 +2024-01-15 16:05:12 ", shell(*words))
    assert ",2024-01-08,2024-01-15,2024-01-15 16:05:12," in shell(*words, "--format", "csv")


def test_an_explanation_has_no_marks_of_code(shell: Shell) -> None:
    """Rules are sentences for a domain reader."""
    shell.booked()
    assert "`" not in shell("explain", "441800/S0002")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["policy", "show", "nothere"], r"one that ships \(national-default, qingyuan, taian\), or the name or digest"),
        (
            ["policy", "show", "999999"],
            "expected a region with a policy in force, got 999999: see settlement policy list",
        ),
    ],
)
def test_an_unknown_policy_says_which_there_are(words: list[str], said: str, shell: Shell) -> None:
    """A reader who mistypes a policy is told what can stand there."""
    assert re.search(said, shell.booked().refused(*words))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ledger.db", "got 'ledger.db': write sqlite:///ledger.db"),
        ("sqlite:///{folder}", "got a folder: name a file in it"),
    ],
)
def test_a_store_that_is_no_store_says_how_to_name_one(url: str, said: str, shell: Shell) -> None:
    """A file name without sqlite:/// and a folder are told apart from a ledger that is not there."""
    for command in ("init", "balances"):
        assert main([command, "--store", url.format(folder=shell.folder)]) == 2
        assert said in shell.capsys.readouterr().err


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_store_that_may_only_be_read_says_what_to_do(what: str, shell: Shell) -> None:
    """An auditor on a read-only share is told to copy the file, and why."""
    shell.booked()
    path = Path(shell.url.removeprefix("sqlite:///"))
    (path if what == "file" else path.parent).chmod(0o444 if what == "file" else 0o555)
    done = settlement("balances", "--store", shell.url)
    path.parent.chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"expected to be allowed to (read and )?write .*: even a query brings derived tables", done.stderr)


def test_an_interrupt_while_commands_are_loaded_shows_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C in the moment before a command begins: one line, status 130."""
    (tmp_path / "cyclopts.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "console", "--version"]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert (found.returncode, found.stdout) == (130, "")
    assert found.stderr == "settlement: interrupted: stopped by the keyboard, nothing had begun\n"
