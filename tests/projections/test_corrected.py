"""An event that cannot be read is one finding also where claims of its page, or it itself, were booked anew."""

from pathlib import Path

import pytest

import projections
from ledger.store import connect
from projections.reader import Projections
from tests.projections.test_verify import unguarded
from tests.replay.test_commit import corrected

FIRST = "SELECT MIN(notification_id) FROM stored_events WHERE topic = ?"


@pytest.mark.parametrize("topic", ["claim-filed/1", "claim-settled/1", "claim-resettled/1"])
@pytest.mark.parametrize("page_events", [16, 32_768])
def test_an_unreadable_event_among_corrections_is_one_finding(
    store_url: str, tmp_path: Path, topic: str, page_events: int
) -> None:
    """What was booked anew beside it, or after it, is not found wrong with it; its own effects stand beside it."""
    book, policy = corrected(store_url, tmp_path)
    with book:
        book.correct(policy, 202401, "court order 12")
    with projections.open(store_url) as read:
        read.catch_up()
    with unguarded(store_url) as writer:
        ((position,),) = writer.query(FIRST, (topic,))
        writer.execute("UPDATE stored_events SET state = ? WHERE notification_id = ?", (b"\x93", position))
    with Projections(connect(store_url), page_events) as read:
        (found,) = read.verify()
    assert found.kind == "altered-event" and found.where.startswith(f"position {position} ")
    assert any("undecodable-event" in also for also in found.also)
