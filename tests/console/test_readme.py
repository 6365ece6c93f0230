"""The README cannot lie: its commands and its program run, here, as they stand there."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from console.main import main
from tests.console.documents import ROOT, blocks, differences, examples


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives a folder with the files of the tour, and works in it."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SETTLEMENT_STORE", raising=False)
    return tmp_path


def test_the_tour_runs_from_the_first_command_to_the_last(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command of the README works in order and prints what is shown."""
    tour = examples("README.md")
    assert len(tour) >= 20
    for command, shown in tour:
        words = shlex.split(command)
        assert words[0] == "settlement"
        status = main(words[1:])
        captured = capsys.readouterr()
        assert (status, captured.err) == (0, ""), f"{command}: {captured.err}"
        assert captured.out, command
        assert differences(shown, captured.out) == [], command


@pytest.mark.parametrize("back_end", ["sqlite", "postgres"])
def test_the_host_program_runs_on_both_databases(back_end: str, example: Path, request: pytest.FixtureRequest) -> None:
    """The README's program, its store's URL aside, is a whole host service on SQLite and on PostgreSQL."""
    (program,) = blocks("README.md", "python")
    assert len([line for line in program.splitlines() if line.strip()]) <= 15
    url = request.getfixturevalue(f"{back_end}_url")
    text = program.replace("sqlite:///book.db", url)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=example, timeout=120, env=_environment()
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first == "5 booked"
    assert lines == [
        "441800 440100 310 494050",
        "441800 440100 390 500000",
        "441800 441800 310 970000",
    ]


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}


def test_a_shown_line_that_is_not_printed_is_found() -> None:
    """The comparison of documents with output can fail."""
    assert differences(("0 of … differ",), "0 of 12 differ\n") == []
    assert differences(("0 of … differ",), "1 of 12 differ\n") == ["0 of … differ"]
