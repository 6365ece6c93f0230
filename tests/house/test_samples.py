"""Tests that need the sample data are left out where there is none, which the run says; nothing else is."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.samples import SETTING

ROOT = Path(__file__).resolve().parents[2]


def collected(*options: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "--collect-only", "tests", *options]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )


def test_without_sample_data_its_tests_alone_are_left_out() -> None:
    """As many are left out as the README says, and the run says that some are."""
    run = collected(**{SETTING: ""})
    assert run.returncode == 0, run.stdout + run.stderr
    counts = re.search(r"(\d+)/(\d+) tests collected \((\d+) deselected\)", run.stdout)
    assert counts is not None, run.stdout[-2000:]
    kept, every, left = map(int, counts.groups())
    said = re.search(r"(\d+) of the tests compare with sample data", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert kept == every - left and said is not None and left == int(said[1])
    assert f"left out: tests of the sample data, which is no part of the project ({SETTING} names" in run.stdout


def test_a_setting_that_names_no_sample_data_is_refused(tmp_path: Path) -> None:
    """Who says where it is has nothing left out."""
    run = collected(**{SETTING: str(tmp_path)})
    assert run.returncode == 4
    assert f"{SETTING}: expected a folder that holds data/, got {tmp_path}" in run.stderr + run.stdout
