"""docs/embedding.md and docs/rules.md cannot lie: what they show runs here, as it stands there."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from console.main import main
from tests.console.documents import ROOT, blocks, differences, examples
from tests.console.test_commands import Shell


@pytest.mark.parametrize("back_end", ["sqlite", "postgres"])
def test_the_service_prints_what_the_document_says(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A service of forty lines books, meets a refusal, reads a balance and reverses, on both databases alike."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    (program,) = blocks("docs/embedding.md", "python")
    (shown,) = blocks("docs/embedding.md", "text")
    assert (
        len([line for line in program.splitlines() if line.strip() and not line.startswith(("import", "from"))]) <= 40
    )
    text = program.replace("sqlite:///book.db", request.getfixturevalue(f"{back_end}_url"))
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", shown)


def test_the_commands_on_rules_run_as_shown(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command of docs/rules.md works in order, on the example's month with its fee lines."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SETTLEMENT_STORE", sqlite_url)
    Shell(sqlite_url, tmp_path, capsys).booked()("lines", "lines.csv")
    commands = examples("docs/rules.md")
    assert commands, "expected commands in docs/rules.md, got none"
    for command, shown in commands:
        status = main(shlex.split(command)[1:])
        captured = capsys.readouterr()
        assert (status, captured.err) == (0, ""), command
        assert differences(shown, captured.out) == [], captured.out
