"""Gives the benches their size, their workloads and their stores, and gathers their figures into the report."""

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.machine import describe, source_digest
from bench.report import COMMITTED, Figure, faults, write
from bench.sizes import SIZES
from bench.stores import PostgresStores, SQLiteStores, Stores
from bench.workbench import Workbench
from core_ext.kernels import BACKEND, digest
from tests.conftest import SETTING, postgres_server

__all__ = ["postgres_server"]

FIGURES = pytest.StashKey[dict[str, Figure]]()


#: Where rates are asked for as they are, not as a share of another taken in the same minutes.
ABSOLUTE = "test_projecting.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the absolute rates: some machines are slower once all their processors were busy for minutes."""
    items.sort(key=lambda item: item.path.name != ABSOLUTE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the bench."""
    group = parser.getgroup("bench")
    group.addoption("--bench-size", choices=sorted(SIZES), default="smoke", help="how much is measured")
    group.addoption("--bench-report", type=Path, help="where the report goes; without it none is written")
    group.addoption("--bench-folder", type=Path, help="where stores and files go; a temporary folder otherwise")


def pytest_configure(config: pytest.Config) -> None:
    """Begins with no figures; raises UsageError where the report would not be what its place says."""
    config.stash[FIGURES] = {}
    report, size = config.getoption("--bench-report"), config.getoption("--bench-size")
    if report is not None and report.resolve() == COMMITTED and size != "real":
        raise pytest.UsageError(f"{COMMITTED.name}: expected figures of the real size, got --bench-size={size}")
    if BACKEND != "compiled":
        raise pytest.UsageError(f"LEDGER_KERNELS: expected the compiled kernels to measure, got {BACKEND}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Prints the figures, and writes the report where every bench ran and none failed."""
    figures = config.stash[FIGURES]
    for name, value in sorted(figures.items()):
        terminalreporter.write_line(f"{name:<44} {value}")
    path = config.getoption("--bench-report")
    if path is None or not figures:
        return
    if why := _no_report(figures, exitstatus):
        terminalreporter.write_line(f"no report written: {why}")
        return
    write(figures, path)
    terminalreporter.write_line(f"report written: {path.name}")


def _no_report(figures: dict[str, Figure], exitstatus: int) -> str:
    """Returns why figures make no report, nothing where they do."""
    if figures["source_sha256"] != source_digest():
        return "the sources changed while the bench ran; run it again with the tree at rest"
    if exitstatus:
        return "a bench failed"
    return next(iter(faults(figures)), "")


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Gives a folder that is gone afterwards."""
    parent = request.config.getoption("--bench-folder")
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", dir=parent) as made:
        yield Path(made)


@pytest.fixture(scope="session")
def workbench(request: pytest.FixtureRequest, folder: Path) -> Workbench:
    """Returns what every bench works with; the report begins with the machine."""
    size = SIZES[request.config.getoption("--bench-size")]
    figures = request.config.stash[FIGURES]
    figures |= describe(folder)
    figures |= {
        "date": datetime.now(UTC).date().isoformat(),
        "size": size.name,
        "source_sha256": source_digest(),
        "kernel.digest": digest().hex(),
    }
    return Workbench(size, folder, figures)


@pytest.fixture(scope="session")
def sqlite_stores(folder: Path) -> SQLiteStores:
    """Returns where stores on SQLite are made."""
    return SQLiteStores(folder)


@pytest.fixture(scope="session")
def postgres_stores(postgres_server: str, workbench: Workbench) -> Iterator[PostgresStores]:
    """Gives where stores on PostgreSQL are made: commits are durable, a server of ours is set up as recommended."""
    stores = PostgresStores(postgres_server)
    if not os.environ.get(SETTING):
        stores.set_up()
    workbench.note({"version.postgres": stores.version(), "postgres.wal_writer_delay": stores.wal_writer_delay()})
    yield stores
    stores.clear()


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """Gives stores on each database in turn."""
    found: Stores = request.getfixturevalue(f"{request.param}_stores")
    yield found
    found.clear()
