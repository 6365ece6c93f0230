"""The list of breaks is verified as every derived table is: none can be hidden from a statement, and none made up."""

from pathlib import Path

import pytest

import projections
from tests.ledger.worlds import write
from tests.reconcile.sides import TREATMENT, booked, month, settled


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE reconciliation_break SET open = 0",
        "UPDATE reconciliation_break SET ours_fen = ours_fen + 1",
        "UPDATE reconciliation_break SET owner = 'nobody'",
        "DELETE FROM reconciliation_break",
        "UPDATE reconciliation_break SET stream = 'break-made-up'",
    ],
)
def test_an_edited_break_is_named(store_url: str, tmp_path: Path, edit: str) -> None:
    """A break closed, changed, deleted or renamed behind the ledger's back is a finding by its stream."""
    rows = month(10)
    with booked(store_url, tmp_path / "ours.csv", rows) as book, projections.open(store_url) as read:
        report = book.reconcile(
            write(tmp_path / "theirs.csv", [*rows, settled(77, fund=500)]), str(TREATMENT), period=202403
        )
        assert report.breaks and len(read.breaks(202403).breaks) == len(report.breaks)
        assert read.verify() == []
        with book.store.write() as writer:
            assert writer.execute(edit) == len(report.breaks)
        found = read.verify()
        assert found and all(each.kind == "edited-row" for each in found)
        assert all(each.where.startswith("reconciliation_break stream=break-") for each in found)
