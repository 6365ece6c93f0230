"""The command line on a store: figures agree from command to command, and a mistake is one line and a status."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.failures import failure_of
from console.main import main
from tests.console.documents import ROOT

EXAMPLE = ROOT / "docs" / "example"


class Shell:
    """Runs commands of one store in-process."""

    def __init__(self, url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.folder = folder
        self.capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        """Returns what a command printed on stdout; checks its exit status."""
        got = main([*words, "--store", self.url])
        self.said = self.capsys.readouterr()
        assert got == status, self.said
        return self.said.out

    def json(self, *words: str, status: int = 0) -> Any:
        """Returns what a command printed as JSON."""
        return json.loads(self(*words, "--json", status=status))

    def refused(self, *words: str) -> str:
        """Returns the one line on stderr with which a command is refused."""
        assert self(*words, status=2) == ""
        (line,) = self.said.err.splitlines()
        assert line.startswith("settlement: ")
        return line.removeprefix("settlement: ")

    def booked(self) -> "Shell":
        """Takes the example in."""
        self("init")
        self("policy", "enact", "qingyuan", "--regions", "441800")
        self("register", str(self.folder / "members.csv"))
        self("intake", str(self.folder / "claims.csv"))
        return self


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Gives a folder with the example's files."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def shell(sqlite_url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Gives a shell on a SQLite store that is not there yet."""
    return Shell(sqlite_url, folder, capsys)


def month_of(shell: Shell) -> dict[str, Any]:
    """Returns what every reading command says after a whole month, amounts and keys only."""
    shell.booked()
    statement = shell.json("statement", "--period", "202401")
    closed = shell.json("close", "--period", "202401")
    shell("draft", "--period", "202401")
    shell("check", "--period", "202401", "--actor", "checker")
    shell("sign", "--period", "202401", "--actor", "director")
    payments = shell.json("pay", "--period", "202401")
    confirmed = shell.json("pay", "confirm", payments[0]["key"], "--receipt", "R-1")
    raised = shell.json(
        "clawback", "raise", "CASE-1", "--claim", "441800/S0002", "--amount", "100.00", "--reason", "not justified"
    )
    collected = shell.json("clawback", "collect", "CASE-1", "--amount", "60", "--receipt", "R-2")
    shell("verify")
    return {
        "lines": statement["lines"],
        "closed": closed,
        "payments": payments,
        "confirmed": confirmed,
        "raised": raised,
        "collected": collected,
        "balances": shell.json("balances")["accounts"],
        "replay": shell.json("replay", "--period", "202401"),
        "trace": shell.json("trace", "CASE-1")["found"],
    }


def test_a_month_goes_from_file_to_signed_off_figures(shell: Shell) -> None:
    """Statement, close, payments, balances and clawback agree to the fen."""
    month = month_of(shell)
    assert month["closed"]["medfee_fen"] == sum(line["medfee_sumamt"] for line in month["lines"])
    off_site = [line for line in month["lines"] if line["section"] == "off_site"]
    regions = [payment for payment in month["payments"] if payment["kind"] == "region"]
    assert sum(payment["amount_fen"] for payment in regions) == sum(line["due_fen"] for line in off_site)
    assert month["collected"]["outstanding_fen"] == 4_000
    assert sum(month["balances"].values()) == 0
    assert month["replay"]["differences"] == []
    assert month["replay"]["acts"] == month["closed"]["acts"]


def test_postgres_gives_the_same_month(
    shell: Shell, postgres_url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure, key and position is the same on SQLite and on PostgreSQL."""
    assert month_of(Shell(postgres_url, folder, capsys)) == month_of(shell)


def test_the_statement_shows_sections_funds_and_amounts(shell: Shell) -> None:
    """The table has Chinese terms beside English headings, and yuan with separators and two decimals."""
    text = shell.booked()("statement", "--period", "202401")
    for part in (
        "off site 异地",
        "same city 本市",
        "参保地",
        "就医地",
        "应付",
        "441800 清远",
        "8,700.00",
        "total 合计",
    ):
        assert part in text
    rows = list(csv.DictReader(shell("statement", "--period", "202401", "--format", "csv").splitlines()))
    assert {row["section"] for row in rows} == {"off_site", "same_city"}


def test_a_statement_of_one_pair_has_its_lines_alone(shell: Shell) -> None:
    """A region's statement with one counterpart holds both directions of the pair, with totals of its own."""
    shell.booked()
    told = shell.json("statement", "--period", "202401", "--region", "441800", "--counterpart", "440100")
    assert {(line["insured_region"], line["treatment_region"]) for line in told["lines"]} == {(441800, 440100)}
    assert told["totals"]["due_fen"] == sum(line["due_fen"] for line in told["lines"]) == 994_050
    turned = shell.json("statement", "--period", "202401", "--region", "440100", "--counterpart", "441800")
    assert turned["totals"] == told["totals"]
    own = shell.json("statement", "--period", "202401", "--region", "441800", "--counterpart", "441800")
    assert {line["section"] for line in own["lines"]} == {"same_city"}
    words = ["statement", "--period", "202401", "--counterpart", "440100"]
    assert "expected --region beside it" in shell.refused(*words)
    assert "issued statement" in shell.refused(*words, "--region", "441800", "--kind", "payable")
    assert "of region 441800 with 110000" in shell.refused(
        "statement", "--period", "202401", "--region", "441800", "--counterpart", "110000"
    )


def test_a_file_row_leads_to_its_claim_and_a_claim_to_its_file_row(shell: Shell) -> None:
    """Tracing works both ways, and a quarantined row says why."""
    shell.booked()
    assert "claims.csv row 2" in shell("trace", "441800/S0002")
    assert "441800/S0002" in shell("trace", "claims.csv#2")
    assert "identity_I1" in shell("trace", "claims.csv#6")


def test_the_same_file_twice_books_once(shell: Shell) -> None:
    """Taking a file in again changes no figure."""
    before = shell.booked().json("balances")
    (again,) = shell.json("intake", str(shell.folder / "claims.csv"))
    assert again["booked"] in (0, 5)
    assert shell.json("balances")["accounts"] == before["accounts"]


def test_a_dry_run_says_the_same_and_writes_nothing(shell: Shell) -> None:
    """A dry run reports what the real run would, and leaves the log as it was."""
    shell("init")
    shell("policy", "enact", "qingyuan", "--regions", "441800")
    shell("register", str(shell.folder / "members.csv"))
    (dry,) = shell.json("intake", str(shell.folder / "claims.csv"), "--dry-run")
    assert shell.json("jobs") == []
    (real,) = shell.json("intake", str(shell.folder / "claims.csv"))
    for name in ("rows", "booked", "duplicate", "quarantined", "medfee_fen", "reasons", "periods"):
        assert dry[name] == real[name]


def test_a_mended_row_comes_back_with_retry(shell: Shell) -> None:
    """A quarantined row, mended in the quarantine file, is booked."""
    shell.booked()
    path = shell.folder / "claims.quarantine.csv"
    text = path.read_text(encoding="utf-8")
    assert "identity_I1" in text
    path.write_text(text.replace("2900.00", "3000.00"), encoding="utf-8")
    (report,) = shell.json("intake", "--retry", str(path))
    assert (report["booked"], report["quarantined"]) == (1, 0)


def test_a_price_is_what_the_ledger_books(shell: Shell) -> None:
    """Pricing without a store gives, as text in yuan, what booking gives in fen."""
    shell.booked()
    words = ["price", str(shell.folder / "claims.csv"), "--policy", "qingyuan"]
    assert main(words) == 0
    table = shell.capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    priced = [json.loads(line) for line in shell.capsys.readouterr().out.splitlines()]
    (found,) = shell.json("trace", "441800/S0002")["found"]
    assert priced[1]["fund_pay_sumamt"] == "5000.00"
    assert found["claim"]["fund_pay_sumamt"] == 500_000
    assert re.search(r"S0002 +settled .* 5,000\.00 ", table)


def test_a_booked_claim_is_explained_from_the_log(shell: Shell) -> None:
    """The steps of a booked claim close; where its source settled otherwise both amounts are shown."""
    shell.booked()
    told = shell.json("explain", "441800/S0002")
    assert told["steps"][0]["field"] == "medfee_sumamt"
    assert told["amounts"] == told["booked"]
    parts = {step["field"]: step["amount_fen"] for step in told["steps"]}
    assert parts["medfee_sumamt"] == sum(parts[name] for name in ("fund_pay_sumamt", "acct_pay", "psn_cash_pay"))
    text = shell("explain", "S0002")
    assert "resident.inpatient.segments[0].ratio.resident.3, qingyuan, since 2020-01-01" in text
    assert "10,000.00 × 50 %" in text
    source = shell("explain", "441800/S0003")
    assert "decided by source" in source
    assert "a refund: every amount is the negative" in shell("explain", "441800/S0005")


def test_policies_are_shown_and_compared_from_the_log(shell: Shell) -> None:
    """A region's policy in force reads as its document does; a document that differs is named by key, status 1."""
    shell.booked()
    told = shell.json("policy", "show", "441800", "--on", "2024-01-01", "--insutype", "resident")
    assert (told["policy"], told["on"]) == ("qingyuan", "2024-01-01")
    assert {"key": "resident.inpatient.segments[0].ratio.resident.2", "since": "2020-01-01", "value": "75 %"} in told[
        "values"
    ]
    assert shell("policy", "diff", "441800", "qingyuan") == "no difference\n"
    found = shell.json("policy", "diff", "441800@2024-01-01", "taian@2024-01-01", status=1)
    assert {"key": "resident.inpatient.deductible.kind", "old": "none", "new": "by_level_and_ordinal"} in found
    assert shell("policy", "document", "qingyuan").startswith("# Qingyuan")


def test_a_faulty_policy_is_told_with_its_lines(shell: Shell) -> None:
    """Every fault is an object with file, line and key; status 1."""
    path = shell.folder / "own.toml"
    path.write_text('[policy]\nname = "own"\n[employee.maff]\n', encoding="utf-8")
    assert main(["policy", "check", str(path), "--json"]) == 1
    found = json.loads(shell.capsys.readouterr().out)
    assert {(each["line"], each["path"]) for each in found} >= {(1, "policy"), (3, "employee.maff")}
    assert {each["file"] for each in found} == {str(path)}


def test_cases_are_run_from_the_command_line(shell: Shell) -> None:
    """Files of cases run without a store; a wrong expectation is status 1."""
    path = ROOT / "tests" / "cases" / "taian.toml"
    assert main(["policy", "test", str(path), "--json"]) == 0
    results = json.loads(shell.capsys.readouterr().out)
    assert len(results) >= 4
    assert not any(each["missed"] for each in results)
    wrong = shell.folder / "wrong.toml"
    wrong.write_text(path.read_text(encoding="utf-8").replace("18370", "18371", 1), encoding="utf-8")
    assert main(["policy", "test", str(wrong)]) == 1
    assert "hifmi_pay: expected 18371.00, got 18370.00" in shell.capsys.readouterr().out


MISTAKES = {
    "an unknown command": (["setle"], "usage"),
    "an unknown option": (["balances", "--colour", "red"], "usage"),
    "a missing argument": (["trace"], "usage"),
    "a month that is none": (["close", "--period", "202413"], "usage"),
    "an amount that is none": (["clawback", "collect", "C", "--amount", "1.005", "--receipt", "R"], "usage"),
    "a region that is none": (["policy", "enact", "qingyuan", "--regions", "4418"], "usage"),
    "no reason": (["reverse", "441800/S0001"], "usage"),
    "a file that is not there": (["intake", "nowhere.csv"], "file"),
    "a folder for a file": (["register", "."], "file"),
    "a policy that is not there": (["policy", "enact", "atlantis", "--regions", "441800"], "policy_invalid"),
    "a period without claims": (["close", "--period", "209901"], "period_empty"),
    "a statement of nothing": (["statement", "--period", "209901"], "unknown_key"),
    "a period still open": (["pay", "--period", "202401"], "period_not_closed"),
    "a clearing not drawn up": (["check", "--period", "202401"], "clearing_not_drafted"),
    "a clearing not checked": (["sign", "--period", "202401"], "clearing_not_checked"),
    "a clearing still open": (["draft", "--period", "202401"], "period_not_closed"),
    "nothing to withdraw": (["withdraw", "--period", "202401", "--reason", "x"], "clearing_not_drafted"),
    "details of no region": (["statement", "--period", "202401", "--kind", "detail"], "statement"),
    "an issued statement of nothing": (["statement", "--period", "209901", "--kind", "net"], "statement"),
    "a year without a calendar": (["calendar", "--period", "209901"], "calendarunpublished"),
    "a file that is no statement": (["verify", str(EXAMPLE / "claims.csv")], "statement"),
    "terms that are none": (["terms", "set", str(EXAMPLE / "members.csv"), "--begin", "202401"], "terms_invalid"),
    "an unknown payment": (["pay", "confirm", "payment-x", "--receipt", "R"], "not_instructed"),
    "an unknown claim": (["reverse", "441800/NONE", "--reason", "x"], "unknown_key"),
    "an unknown key": (["trace", "nothing-has-this"], "unknown_key"),
    "bytes that are no text": (["trace", "x\udcff"], "usage"),
    "an unknown case": (["clawback", "collect", "NONE", "--amount", "1", "--receipt", "R"], "unknown_key"),
    "too much to claw back": (
        ["clawback", "raise", "C", "--claim", "441800/S0002", "--amount", "5000.01", "--reason", "x"],
        "clawback_too_large",
    ),
    "a moment without a zone": (["balances", "--as-of", "2024-02-05T18:00:00"], "usage"),
    "a position beyond the log": (["balances", "--as-of", "999999"], "usage"),
    "a day that is none": (["policy", "show", "qingyuan", "--on", "2024-02-30"], "usage"),
    "a day behind one policy only": (["policy", "diff", "qingyuan", "qingyuan@2024-01-01"], "usage"),
    "a day before any value": (["policy", "show", "qingyuan", "--on", "1999-01-01"], "unknown_key"),
    "a region without a policy": (["policy", "show", "110000"], "unknown_key"),
    "an unknown claim to explain": (["explain", "441800/NONE"], "unknown_key"),
    "a store that is there": (["init"], "store_not_empty"),
}


@pytest.mark.parametrize(("words", "code"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_and_writes_nothing(words: list[str], code: str, shell: Shell) -> None:
    """A user's mistake is a line with a stable code, or a JSON object, status 2, and no event."""
    before = shell.booked().json("balances")["position"]
    assert shell.refused(*words).startswith(f"{code}: ")
    told = shell.json(*words, status=2)
    assert (told["error"], bool(told["message"])) == (code, True)
    assert shell.said.err == ""
    assert shell.json("balances")["position"] == before


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite:ledger.db", "postgresql://nobody@127.0.0.1:1/none", "ledger.db"]
)
def test_a_store_that_cannot_be_opened_is_one_line(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad URL, or a server that is not there, is a line that begins with the code."""
    with pytest.raises(AssertionError, match="settlement: store: "):
        Shell(url, folder, capsys)("balances")


def test_a_reader_that_goes_away_is_no_error(shell: Shell) -> None:
    """Output into a closed pipe ends quietly."""
    shell.booked()
    done = subprocess.run(
        [sys.executable, "-c", PIPE, sys.executable, shell.url], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert (done.stdout.split(), done.stderr) == (["141"], "")


PIPE = """
import subprocess, sys
command = [sys.argv[1], "-m", "console", "balances", "--store", sys.argv[2]]
child = subprocess.Popen(command, stdout=subprocess.PIPE)
child.stdout.close()
print(child.wait())
"""


def test_a_bug_is_not_dressed_up_as_a_mistake() -> None:
    """What no user can cause has no one-line form: its traceback is shown."""
    assert failure_of(ZeroDivisionError("a bug")) is None
    assert failure_of(AssertionError("a bug")) is None
