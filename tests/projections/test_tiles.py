"""Tiles are looked at some at a time, and whichever of them was touched is found wherever the cut falls."""

from pathlib import Path

import pytest

import projections
from projections import tree_checks
from tests.ledger.worlds import opened
from tests.replay.stories import january

TOUCHED = {
    "a tile gone": ("DELETE FROM proof_tile WHERE level = 0 AND number = 2", "proof_tile level=0 number=2"),
    "a root edited": (
        "UPDATE proof_tile SET root = hashes WHERE level = 0 AND number = 3",
        "proof_tile level=0 number=3",
    ),
    "a tile too many": (
        "INSERT INTO proof_tile SELECT level, 9, hashes, root FROM proof_tile WHERE level = 0 AND number = 1",
        "proof_tile level=0 number=9",
    ),
    "a level too many": (
        "INSERT INTO proof_tile SELECT 7, number, hashes, root FROM proof_tile WHERE level = 0 AND number = 1",
        "proof_tile level=7 number=1",
    ),
}


@pytest.mark.parametrize("touched", TOUCHED)
@pytest.mark.parametrize("together", [1, 2, 256])
def test_a_touched_tile_is_found(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: str, together: int
) -> None:
    """A tile that is gone, edited or too many is named, however many tiles are looked at together."""
    monkeypatch.setattr(tree_checks, "TILES", together)
    statement, where = TOUCHED[touched]
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(january(tmp_path, 520))
        read.catch_up()
        assert read.root()[0] > 4 * tree_checks.WIDTH
        assert read.verify() == []
        with book.store.write() as writer:
            writer.execute(statement)
        assert where in [found.where for found in read.verify()]
