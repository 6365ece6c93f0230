"""The long bench runs at any size, and finds a run that slowed down or grew."""

import json
import subprocess
import sys
from pathlib import Path

from bench.large import Course, faults

ROOT = Path(__file__).resolve().parents[2]


def test_a_small_run_has_every_figure(tmp_path: Path) -> None:
    """Taken in, sealed, projected: rates and memory by tenths, the root, books that balance."""
    report = tmp_path / "large.json"
    command = [sys.executable, "-m", "bench.large", "--events=2000", f"--folder={tmp_path}", f"--report={report}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.stdout.startswith("{")
    figures = json.loads(report.read_text(encoding="utf-8"))
    for name in ("intake.claims", "seal.events", "project.events"):
        assert len(figures[f"{name}_per_s_by_tenth"]) == len(figures[f"{name}_memory_mib_by_tenth"]) == 10
        assert figures[f"{name}_per_s"] > 0
    assert figures["events"] > 1_800 and len(figures["root"]) == 64 and figures["accounts"] > 0
    assert list(tmp_path.iterdir()) == [report]


def test_the_store_it_leaves_is_worked_on(tmp_path: Path) -> None:
    """A day's and a month's work on a small store: every piece done, the month replayed, nothing found at the end."""
    url = f"sqlite:///{tmp_path / 'large.db'}"
    made = ["bench.large", "--events=2000", f"--url={url}", f"--folder={tmp_path}"]
    for module in (made, ["bench.usable", url, str(tmp_path)]):
        command = [sys.executable, "-m", *module]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["events"] > 1_800 and figures["acts"] > 10_000
    for name in ("catch_up", "settle_singly", "intake_10k", "sign", "replay", "verify"):
        assert figures[f"{name}_s"] > 0 and figures[f"{name}_mib"] > 0


def test_a_run_that_slows_down_or_grows_is_a_fault() -> None:
    """A second half at less than seven tenths of the first one's speed, or a tenth more memory, fails the run."""
    assert faults({"a_second_half_to_first": 0.7, "a_memory_growth": 1.1, "events": 0.1}) == []
    assert faults({"a_second_half_to_first": 0.69}) == ["a_second_half_to_first: expected at least 0.7, got 0.69"]
    assert faults({"a_slowest_to_first": 0.49}) == ["a_slowest_to_first: expected at least 0.5, got 0.49"]
    assert faults({"a_memory_growth": 1.11}) == ["a_memory_growth: expected at most 1.1, got 1.11"]


def test_a_course_notes_every_tenth_once() -> None:
    """A page that covers several tenths notes them together; what is beyond the end notes nothing more."""
    course = Course(100)
    for done in (5, 10, 35, 99, 100, 100):
        course(done)
    assert len(course.seconds) == len(course.memory_mib) == 10
    assert course.seconds == sorted(course.seconds)
