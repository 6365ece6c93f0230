"""Sealing: what a sealed period holds, that it replays like the log, and that a crash leaves before or after."""

from pathlib import Path

import pytest

from ledger.refusals import Refused
from tests.ledger.worlds import claim, opened, refund, write


def month(tmp_path: Path, name: str = "month.csv") -> Path:
    """Returns a file of forty claims of ten persons, two of them refunded."""
    rows = [
        claim(i, psn_no=f"P{i % 10:06d}", medfee_sumamt=f"{900 + 37 * i}.05", inscp_scp_amt=f"{900 + 37 * i}.05")
        for i in range(1, 41)
    ]
    return write(tmp_path / name, [*rows, refund(rows[3], 51), refund(rows[17], 52)])


def test_a_sealed_period_replays_like_its_log(store_url: str, tmp_path: Path) -> None:
    """A closed period is sealed and replays without a difference, from its segment and from the log."""
    with opened(store_url) as book:
        book.segments = tmp_path / "segments"
        book.intake(month(tmp_path))
        with pytest.raises(Refused):
            book.seal(202401)
        closed = book.close(202401)
        sealed = book.seal(202401)
        assert (sealed.rows, sealed.refunds, sealed.medfee_fen) == (closed.acts, 2, closed.medfee_fen)
        assert sealed.totals == closed.totals
        report, from_log = book.replay(202401), book.replay(202401, from_log=True)
        assert (report.read, report.acts, report.differences) == ("segment", 42, ())
        assert (from_log.read, from_log.acts, from_log.differences) == ("log", 42, ())
