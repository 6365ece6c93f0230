"""What was recorded by a moment stays what it was then, whatever comes later."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import projections
from console.main import main
from projections.reader import Projections
from tests.ledger.worlds import opened
from tests.replay.stories import february, january


def moment(read: Projections) -> datetime:
    """Returns the recorded time of the log's end."""
    with read._store.read() as reader:
        return datetime.fromtimestamp(reader.recorded_at // 1_000_000, UTC)


def test_a_statement_as_of_a_moment_is_the_one_there_was(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Statements of all months, a month and a region, asked for behind later claims and refunds, are those of then."""
    asked: tuple[tuple[int | None, int | None], ...] = ((None, None), (202401, None), (None, 470100), (202402, 260100))
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(january(tmp_path))
        then = [read.statement(*each) for each in asked]
        when, position = moment(read), then[0].position
        book.reverse("260100/S000002", "cancelled")
        book.intake(february(tmp_path))
        later = [read.statement(*each) for each in asked]
        assert later[0] != then[0] and then[0].lines
        assert [read.statement(*each, as_of=position) for each in asked] == then
        assert [read.statement(*each, as_of=when) for each in asked] == then
        assert [read.statement(*each, as_of=later[0].position) for each in asked] == later
    command = ["statement", "--store", store_url, "--period", "202401", "--json"]
    assert main([*command, "--as-of", str(position)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["position"] == position
    assert said["totals"]["medfee_sumamt"] == then[1].totals.medfee_sumamt
    assert main([*command, "--as-of", "yesterday"]) == 2
    assert "expected a position or a moment" in capsys.readouterr().out
    assert main([*command, "--as-of", "3", "--kind", "pairs"]) == 2
