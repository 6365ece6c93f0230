"""A store that cannot be opened for reading or writing is let go of at once: nothing of it stays open."""

import sqlite3
from pathlib import Path

import pytest

import ledger
import projections
from ledger.refusals import LedgerError


def beside(url: str) -> list[str]:
    """Returns what SQLite keeps beside a file while somebody has it open."""
    path = Path(url.removeprefix("sqlite:///"))
    return sorted(each.name for each in path.parent.glob(f"{path.name}-*"))


def test_a_store_whose_models_cannot_be_known_is_not_kept_open(sqlite_url: str) -> None:
    """Where the table of models is damaged, opening for reading says so, and whoever mends the file is alone."""
    ledger.create(sqlite_url, actor="test").close_store()
    projections.open(sqlite_url).close()
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as raw:
        assert raw.execute("UPDATE projection SET position = x'c1'").rowcount
    raw.close()
    with pytest.raises(LedgerError) as refused:
        projections.open(sqlite_url)
    assert refused.traceback and beside(sqlite_url) == []


def test_nobody_opens_a_store_and_none_is_made(sqlite_url: str) -> None:
    """A ledger without an actor is refused before anything is made or opened for it."""
    for asked in (ledger.create, ledger.open):
        with pytest.raises(LedgerError, match="expected the name of who acts"):
            asked(sqlite_url, actor=" ")
        assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()
