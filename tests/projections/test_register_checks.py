"""Holds what the write side looks up against the log, whatever profile a file came with."""

from pathlib import Path

import pytest

import ledger
import projections
from ledger.profile import load_profile, shipped_profiles
from tests.faults.whole import claims, lines, register
from tests.ledger.worlds import clock, write
from tests.lines.files import write_lines


@pytest.mark.parametrize("profile", shipped_profiles())
def test_a_trace_code_taken_away_is_named(tmp_path: Path, profile: str) -> None:
    """Whichever shipped profile a job names, verification knows which trace codes it had to hold."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with ledger.create(url, actor="tester", clock_us=clock()) as book, projections.open(url) as read:
        book.enact("national-default", [260100, 470100], assumed=True)
        register(book, tmp_path)
        book.intake(write(tmp_path / "claims.csv", claims()))
        file = write_lines(tmp_path / "lines.csv", lines())
        file.write_bytes(file.read_bytes().decode().encode(load_profile(profile).encoding))
        book.lines(file, profile)
        assert read.verify() == []
        with book.store.write() as writer:
            assert writer.execute("DELETE FROM trace_code WHERE code = '81000000000003'") == 1
        assert [finding.where for finding in read.verify()] == ["trace_code code=81000000000003"]
