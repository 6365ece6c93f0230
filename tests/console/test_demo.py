"""The demo is a whole month, and leaves something to look around in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from console.main import main
from tests.console.documents import ROOT

CLAIMS = "600"


def test_the_demo_goes_through_every_step_without_a_finding(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A generated month passes from file to replay on both databases: 0 differ, 0 findings."""
    assert main(["demo", "--claims", CLAIMS, "--store", store_url, "--keep", str(tmp_path / "files"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    steps = {step["step"]: step["text"] for step in told["steps"]}
    assert (told["differing"], told["findings"]) == (0, 0)
    assert steps["replay"].startswith("0 of ")
    assert "late" in steps["late claim"]
    assert (tmp_path / "files" / "claims.csv").exists()


def test_the_commands_the_demo_ends_with_work(
    sqlite_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the demo says to try next can be tried."""
    assert main(["demo", "--claims", CLAIMS, "--store", sqlite_url]) == 0
    text = capsys.readouterr().out
    _, _, ending = text.partition("What to try next:")
    export, *commands = [line.strip() for line in ending.splitlines() if line.strip()]
    assert export == f"export SETTLEMENT_STORE={sqlite_url}"
    monkeypatch.setenv("SETTLEMENT_STORE", sqlite_url)
    assert len(commands) >= 7
    for command in commands:
        assert main(command.split()[1:]) == 0, command
        assert capsys.readouterr().err == ""


def test_the_demo_never_touches_a_ledger_that_is_there(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A store with a ledger is refused by name, and so is a month too small to have everything."""
    assert main(["init", "--store", sqlite_url]) == 0
    assert main(["demo", "--claims", CLAIMS, "--store", sqlite_url]) == 2
    assert "settlement: store_not_empty: " in capsys.readouterr().err
    assert main(["demo", "--claims", "5"]) == 2
    assert "settlement: usage: " in capsys.readouterr().err


def test_without_a_store_the_demo_leaves_one_folder_behind(tmp_path: Path) -> None:
    """The store stays where the last lines say; nothing is written to the folder one works in."""
    work, scratch = tmp_path / "work", tmp_path / "scratch"
    work.mkdir()
    scratch.mkdir()
    environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "SETTLEMENT_STORE": "sqlite:///mine.db"}
    done = subprocess.run(
        [sys.executable, "-m", "console", "demo", "--claims", CLAIMS, "--actor", "newcomer"],
        capture_output=True,
        text=True,
        cwd=work,
        env=environment,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(work.iterdir()) == []
    (folder,) = scratch.iterdir()
    assert [path.name for path in folder.iterdir()] == ["demo.db"]
    assert f"sqlite:///{folder}/demo.db" in done.stdout
