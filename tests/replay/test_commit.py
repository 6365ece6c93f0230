"""A replay booked: claims stand anew in the open period, in full in the books, the difference on the statement."""

from pathlib import Path

import pytest

import ledger
import projections
from core_ext.layout import AMOUNT
from ledger.mapper import decode_event
from ledger.postings import postings
from ledger.refusals import Refused
from ledger.replaying.events import ClaimResettled
from ledger.service import Ledger
from tests.ledger.test_divided_stays import stay
from tests.ledger.worlds import events_of, opened, sign, write
from tests.replay.stories import REGIONS, february, january, other_policy
from tests.replay.test_divided import LESS, policy
from tests.replay.test_divided import told as filed
from tests.replay.truth import sound, stands

CHANGES = (('"500.00"', '"700.00"'), ('2 = "0.87"', '2 = "0.84"'))


def resettled(book: Ledger) -> list[ClaimResettled]:
    """Returns every ClaimResettled of the log."""
    return [
        event
        for _, _, _, topic, state in events_of(book)
        if topic == ClaimResettled.TOPIC
        for event in (decode_event(topic, state),)
        if isinstance(event, ClaimResettled)
    ]


def corrected(url: str, tmp_path: Path) -> tuple[Ledger, Path]:
    """Returns a ledger whose January is closed and sealed, and the policy that should have been in force."""
    book = opened(url)
    book.segments = tmp_path / "segments"
    book.intake(january(tmp_path))
    book.close(202401)
    sign(book, 202401)
    book.seal(202401)
    policy = other_policy(tmp_path, *CHANGES)
    with pytest.raises(Refused, match="enact it first"):
        book.correct(policy, 202401, "too early")
    book.enact(policy, list(REGIONS), assumed=True)
    return book, policy


def test_a_correction_is_booked_once_and_everything_agrees(store_url: str, tmp_path: Path) -> None:
    """Books, statement, replay and verify agree after a correction, and booking it again books nothing."""
    book, policy = corrected(store_url, tmp_path)
    with book:
        dry = book.what_if(policy, 202401, diff=tmp_path / "dry.parquet")
        done = book.correct(policy, 202401, "court order 12", diff=tmp_path / "real.parquet")
        assert (tmp_path / "dry.parquet").read_bytes() == (tmp_path / "real.parquet").read_bytes()
        assert done.found == dry and done.booked > 20 and done.period == 202402 and done.reversed == 2
        events = resettled(book)
        assert len(events) == done.booked
        for event in events:
            assert event.replay.hex() == dry.digest and event.policy != event.replaced
            sums = sum(posting.amount_fen for posting in postings(event))
            assert sum(event.amounts[1:9]) == event.amounts[9] and sums == 0
        again = book.correct(policy, 202401, "once more")
        assert (again.booked, again.already) == (0, done.booked)
        assert book.replay(202402, from_log=True).differences == ()
        assert book.replay(202401).differences == ()
    with projections.open(store_url, segments=tmp_path / "segments") as read:
        line = read.statement(202402).totals
        assert (line.settlements, line.refunds, line.medfee_sumamt) == (0, 0, 0)
        assert line.fund_pay_sumamt == done.fund_fen and line.acct_pay == done.account_fen
        assert read.verify() == []
        assert read.verify() == []
        key = f"{events[0].insured_region:06d}/{events[0].setl_id}"
        (found,) = read.trace(key).found
        assert [each.decision for each in found.anew] and found.anew[0].fund_pay_sumamt == (
            events[0].amounts[AMOUNT["fund_pay_sumamt"]] - events[0].reversed[AMOUNT["fund_pay_sumamt"]]
        )


def test_what_stands_is_refunded_clawed_back_and_sealed(store_url: str, tmp_path: Path) -> None:
    """After a correction refund and clawback go by what stands, and the month closes and seals."""
    book, policy = corrected(store_url, tmp_path)
    with book:
        book.correct(policy, 202401, "court order 12")
        first, second = [event for event in resettled(book) if event.amounts[9] > 0][:2]
        back = book.reverse(f"{first.insured_region:06d}/{first.setl_id}", "wrong person", setl_id="BACK")
        assert back.amounts["fund_pay_sumamt"] == -first.amounts[9]
        funds = second.amounts[9]
        with pytest.raises(Refused):
            book.clawback_raise("C1", f"{second.insured_region:06d}/{second.setl_id}", funds + 1, "found")
        book.clawback_raise("C2", f"{second.insured_region:06d}/{second.setl_id}", funds, "found")
        book.intake(february(tmp_path))
        assert book.replay(202402).differences == ()
        book.close(202402)
        later = book.periods()[-1].period
        assert later >= 202402
        sign(book, 202402)
        sealed = book.seal(202402)
        report, from_log = book.replay(202402), book.replay(202402, from_log=True)
        assert report.read == "segment" and report.acts == sealed.rows == from_log.acts
        assert report.differences == from_log.differences == ()
        book.pay(202402)
    with projections.open(store_url, segments=tmp_path / "segments") as read:
        assert read.verify() == []


@pytest.mark.parametrize("change", [LESS, ("2023-01-01 = true", "2023-01-01 = false")])
def test_a_month_corrected_twice_stands_as_in_a_fresh_store(
    store_url: str, tmp_path: Path, change: tuple[str, str]
) -> None:
    """A correction behind a correction counts it once; a stay whose amounts stay, but which counts no more, is booked
    anew too: claims filed in between and afterwards are what a store filed under the policy has."""
    ceiling = ('2023-01-01 = "none"\n[resident.over', '2023-01-01 = "20000.00"\n[resident.over')
    was, then = (policy(tmp_path, name, ceiling, *changes) for name, changes in (("was", ()), ("then", (change,))))
    days = [("02", "04"), ("05", "07"), ("10", "12"), ("14", "16"), ("18", "20")]
    small = {"medfee_sumamt": "500.00", "inscp_scp_amt": "500.00"}
    taken = [
        write(
            tmp_path / f"{at}.csv",
            [stay(at, *(f"2024-01-{day}" for day in span)), stay(at + 10, "2024-01-21", "2024-01-22", **small)],
        )
        for at, span in enumerate(days, 1)
    ]
    with filed(store_url, was, taken[:2]) as book:
        book.enact(then, [260100])
        for file in taken[2:]:
            assert book.correct(then, 202401, "letter 12").booked == (3 if file == taken[2] else 0)
            book.intake(file)
        assert book.correct(then, 202401, "letter 12").booked == 0
        found = stands(book, store_url)
        sound(book, store_url)
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    with filed(fresh, then, taken) as other:
        assert found == stands(other, fresh)


def test_altered_corrections_are_found(tmp_path: Path) -> None:
    """A correction whose amounts were altered does not come out again."""
    import sqlite3

    import msgspec

    from ledger.mapper import encode_event

    book, policy = corrected(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    with book:
        book.correct(policy, 202401, "court order 12")
    connection = sqlite3.connect(tmp_path / "ledger.db")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    position, state = connection.execute(
        "SELECT notification_id, state FROM stored_events WHERE topic = ?", (ClaimResettled.TOPIC,)
    ).fetchone()
    event = decode_event(ClaimResettled.TOPIC, state)
    assert isinstance(event, ClaimResettled)
    amounts = list(event.amounts)
    amounts[AMOUNT["hifp_pay"]] += 1
    connection.execute(
        "UPDATE stored_events SET state = ? WHERE notification_id = ?",
        (encode_event(msgspec.structs.replace(event, amounts=tuple(amounts))), position),
    )
    connection.commit()
    connection.close()
    with ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", actor="auditor") as altered:
        (found,) = [each for each in altered.replay(202402).differences if each.position == position]
        assert (found.step, found.got - found.expected) == ("hifp_pay", 1)
