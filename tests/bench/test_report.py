"""The committed report is one that the bench wrote, and only a run of the real size replaces it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.machine import PACKAGES, source_digest
from bench.report import COMMITTED, DESCRIBED, PROMISED, Figure, faults, write
from bench.sizes import SIZES

ROOT = Path(__file__).resolve().parents[2]


def committed() -> dict[str, Figure]:
    report: dict[str, Figure] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return report


def run_bench(server: str, *options: str) -> "subprocess.CompletedProcess[str]":
    # The server of this session serves: starting another one would only take time.
    # It times, so it is no worker of the run that asks for it.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, "-m", "bench", *options],
        cwd=ROOT,
        env=own | {"LEDGER_TEST_POSTGRES": server},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def smoke(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Returns the report of a smoke run, written beside the committed one's place."""
    path = tmp_path_factory.mktemp("bench") / "smoke.json"
    before = COMMITTED.read_bytes()
    run = run_bench(postgres_server, "--smoke", f"--report={path}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert COMMITTED.read_bytes() == before
    report: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return report


def test_the_committed_report_names_every_promised_figure() -> None:
    """It is a flat map with each promised figure above zero, the machine, the sizes and the hashes."""
    assert faults(committed()) == []


def test_the_committed_report_is_of_the_real_size() -> None:
    """Its figures are of a million claims settled, a month of a hundred thousand, 16,384 events a transaction."""
    report, size = committed(), SIZES["real"]
    assert report["size"] == size.name
    assert report["settle.claims"] == size.settle_claims == 1_000_000
    assert report["month.claims"] == size.month_claims == 100_000
    assert report["append.events_per_transaction"] == size.append_events == 16_384


def test_the_committed_report_says_that_both_databases_hold_the_same_events() -> None:
    """What was appended to SQLite and to PostgreSQL reads back as the rows that were given."""
    report = committed()
    results = {report["append.sqlite.result_sha256"], report["append.postgres.result_sha256"]}
    assert results == {report["append.workload_sha256"]}


def test_a_smoke_run_measures_every_figure_and_leaves_the_committed_report_alone(smoke: dict[str, object]) -> None:
    """It has every name the committed report has, and says that it is a smoke run."""
    assert faults(smoke) == []
    assert smoke.keys() == committed().keys()
    assert smoke["size"] == "smoke"


def test_a_smoke_run_may_not_take_the_committed_place(postgres_server: str) -> None:
    """Naming the committed report for smoke figures is refused before anything runs."""
    before = COMMITTED.read_bytes()
    run = run_bench(postgres_server, "--smoke", f"--report={COMMITTED}")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "expected figures of the real size" in run.stderr
    assert COMMITTED.read_bytes() == before


def test_a_part_of_the_bench_writes_no_report(postgres_server: str, tmp_path: Path) -> None:
    """A run of some benches prints their figures and what is missing, and writes nothing."""
    path = tmp_path / "part.json"
    run = run_bench(postgres_server, "--smoke", f"--report={path}", "-k", "fold")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "fold.ns_per_claim" in run.stdout
    assert "no report written: settle.ns_per_claim: expected in the report, got nothing" in run.stdout
    assert not path.exists()


def test_a_report_tells_apart_the_code_it_is_of(tmp_path: Path) -> None:
    """Another byte in a source, another name of a file: each is other code, and figures of both make no report."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
    source = tmp_path / "ledger" / "money.py"
    source.write_bytes(b"FEN = 1")
    seen = {source_digest(tmp_path)}
    source.write_bytes(b"FEN = 2")
    seen.add(source_digest(tmp_path))
    source.rename(tmp_path / "ledger" / "fen.py")
    seen.add(source_digest(tmp_path))
    assert len(seen) == 3


@pytest.mark.parametrize("name", [*PROMISED, *DESCRIBED])
def test_a_report_without_a_figure_is_none(name: str, tmp_path: Path) -> None:
    """Each missing name is found, and such a report is not written."""
    report = {each: value for each, value in committed().items() if each != name}
    assert faults(report) == [f"{name}: expected in the report, got nothing"]
    with pytest.raises(ValueError, match=name):
        write(report, tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()


def test_a_report_with_a_figure_that_is_none_is_found() -> None:
    """A nested map, a figure of nothing and a hash cut short are each named."""
    broken = committed() | {
        "settle.plans": {"many": 1},
        "month.claims_per_s": 0,
        "month.x10_growth": "11",
        "settle.result_sha256": "cafe",
    }
    assert sorted(fault.partition(":")[0] for fault in faults(broken)) == [
        "month.claims_per_s",
        "month.x10_growth",
        "settle.plans",
        "settle.result_sha256",
    ]
