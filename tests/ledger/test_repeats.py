"""Rows that meet a key of their own batch are decided with it, and come to what they come to one by one."""

import random
from pathlib import Path
from typing import Any

import pytest

import projections
from ledger import booking
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled, JobBatch
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.service import Ledger
from tests.ledger.test_drawn_ahead import drawn, office
from tests.ledger.test_intake import run
from tests.ledger.worlds import HEADER, claim, events_of, opened, refund, rows_of, write

#: Before any policy.
UNPLANNED = {"begndate": "1999-01-01", "enddate": "1999-01-02", "setl_time": "1999-01-02 08:00:00"}

Rows = list[dict[str, str]]
#: By row: booked amounts, the row a duplicate repeats, or the reason; and the number of batches.
Outcome = tuple[dict[int, object], int]


def outcome(book: Ledger, path: Path, batch_rows: int) -> Outcome:
    """Takes a file in and returns what became of every row of it."""
    report = run(book, path, batch_rows=batch_rows)
    filed: dict[int, int] = {}
    found: dict[int, object] = {}
    batches = 0
    for position, _, _, topic, state in events_of(book):
        event = decode_event(topic, state) if topic in {each.TOPIC for each in KINDS} else None
        if event is None or event.cause != report.job:
            continue
        if isinstance(event, ClaimFiled):
            filed[position] = event.row
        elif isinstance(event, JobBatch):
            batches += 1
            for row, reason, field in event.quarantined:
                found[row] = (Refusal(reason), field)
            for row, at in event.duplicates:
                found[row] = at
        else:
            assert isinstance(event, ClaimSettled | ClaimReversed)
            found[event.row] = (event.amounts, event.balc, event.period, event.flags, event.before, event.delta)
    # An earlier file's claim stays a position, one of this file is its row.
    known = {row: ("repeats", filed.get(at, 0)) for row, at in found.items() if isinstance(at, int)}
    assert sorted(found) == list(range(1, report.rows + 1))
    return found | known, batches


KINDS = (ClaimFiled, ClaimSettled, ClaimReversed, JobBatch)


def kept(book: Ledger) -> list[object]:
    """Returns who is known, and what the write side keeps beside the positions of the log."""
    with book.store.read() as reader:
        return [rows_of(book, "person", "token"), reader.query("SELECT token, balance_fen FROM account ORDER BY token")]


@pytest.mark.parametrize("seed", range(8))
def test_every_row_comes_to_what_it_comes_to_by_itself(tmp_path: Path, seed: int) -> None:
    """Repeated rows, keys and message ids, of rows that book and of rows that do not: whole batches or row by row."""
    draw = random.Random(seed)
    rows = drawn(seed, 60)
    for row in draw.sample(rows, 12):
        rows.insert(draw.randint(0, len(rows)), row | draw.choice(({}, {"medfee_sumamt": "1.00"}, {"hosp_lv": "1"})))
    found = []
    for batch_rows in (1, 2, 9, 200):
        folder = tmp_path / str(batch_rows)
        folder.mkdir()
        with office(f"sqlite:///{folder / 'ledger.db'}", folder) as book:
            path = write(folder / "rows.csv", rows, [*HEADER, "dise_codg"])
            found.append((outcome(book, path, batch_rows)[0], kept(book)))
            assert book.replay(202402).differences == ()
        with projections.open(f"sqlite:///{folder / 'ledger.db'}") as read:
            assert read.verify() == []
    for other in found[1:]:
        assert other == found[0]


def cases() -> dict[str, tuple[Rows, dict[int, object]]]:
    """Returns rows by name, and what becomes of some of them."""
    one, two = claim(1), claim(2)
    bad = one | {"inscp_scp_amt": "1.00"}
    other = one | {"hosp_lv": "1"}
    sent = two | {"medins_setl_id": one["medins_setl_id"]}
    return {
        "the same row": ([one, two, one, one], {3: ("repeats", 1), 4: ("repeats", 1)}),
        "another under the same key": ([one, other, one], {2: Refusal.SETL_ID_CONFLICT, 3: ("repeats", 1)}),
        "the same message": ([one, sent, two], {2: Refusal.MSGID_CONFLICT, 3: "booked"}),
        "both of two": ([one, two, sent | {"setl_id": two["setl_id"]}], {3: Refusal.SETL_ID_CONFLICT}),
        "a mended row behind a bad one": (
            [bad, one, two, one],
            {1: Refusal.IDENTITY_I1, 2: "booked", 4: ("repeats", 2)},
        ),
        "two bad ones, then mended": ([bad, bad, one], {1: Refusal.IDENTITY_I1, 2: Refusal.IDENTITY_I1, 3: "booked"}),
        "a refund between": ([one, refund(one, 9), one], {2: "booked", 3: ("repeats", 1)}),
        "a refund twice": ([one, refund(one, 9), refund(one, 9)], {2: "booked", 3: ("repeats", 2)}),
        "a refund of what is mended": ([bad, one, refund(one, 9)], {2: "booked", 3: "booked"}),
        "a refund of a refund, unplanned": (
            [one, refund(one, 9), refund(one, 10, init_setl_id="S000009", **UNPLANNED)],
            {3: Refusal.NO_POLICY},
        ),
        "a refund of a refund that fails, unplanned": (
            [one, refund(one, 9), refund(one, 11), refund(one, 12, init_setl_id="S000011", **UNPLANNED)],
            {3: Refusal.REFUND_TWICE, 4: Refusal.NO_POLICY},
        ),
        "somebody else under the key": ([one, one | {"psn_no": "P7"}], {2: Refusal.SETL_ID_CONFLICT}),
        "a new name": ([one, one | {"psn_name": "别人"}], {2: ("repeats", 1)}),
    }


@pytest.mark.parametrize("name", list(cases()))
def test_what_becomes_of_repeats(store_url: str, tmp_path: Path, name: str) -> None:
    """In one batch, a duplicate names the row that stands, a conflict is refused, the mended one books."""
    rows, expected = cases()[name]
    with opened(store_url) as book:
        found, _ = outcome(book, write(tmp_path / "rows.csv", rows), 100)
    for row, becomes in expected.items():
        got = found[row]
        if becomes == "booked":
            assert isinstance(got, tuple) and len(got) == 6, got
        elif isinstance(becomes, Refusal):
            assert isinstance(got, tuple) and got[0] is becomes, got
        else:
            assert got == becomes
    assert {row for row, got in found.items() if isinstance(got, tuple) and len(got) == 6}


def test_many_repeats_are_one_batch(store_url: str, tmp_path: Path) -> None:
    """A file in which every row comes twice is not cut into as many pieces, and books each once."""
    rows = [claim(serial) for serial in range(1, 60)]
    with opened(store_url) as book:
        found, batches = outcome(book, write(tmp_path / "rows.csv", [*rows, *rows]), 200)
        assert batches == 1
        assert [found[59 + at] for at in range(1, 60)] == [("repeats", at) for at in range(1, 60)]
        again, batches = outcome(book, write(tmp_path / "again.csv", [*rows[:3], claim(90), claim(90)]), 200)
        assert batches == 1 and again[5] == ("repeats", 4) and again[1] == ("repeats", 0)


def test_a_row_behind_one_that_does_not_book_is_decided_with_it(tmp_path: Path) -> None:
    """Where an earlier row does not book after all, the later one does, in the same batch; others are duplicates."""
    one = claim(1)
    rows = [claim(5), one | {"inscp_scp_amt": "1.00"}, claim(6), claim(5), one, claim(6)]
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        found, batches = outcome(book, write(tmp_path / "rows.csv", rows), 100)
    assert batches == 1 and found[4] == ("repeats", 1) and found[6] == ("repeats", 3)
    assert str(found[2]).startswith("(<Refusal.IDENTITY_I1")


def test_rows_with_their_mended_ones_behind_them_are_not_decided_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad rows, or rows without a policy, each with another behind it: a batch is decided a few times at most."""
    calls, once = 0, booking._decide

    def counted(*arguments: Any) -> booking.Batch:
        nonlocal calls
        calls += 1
        return once(*arguments)

    monkeypatch.setattr(booking, "_decide", counted)
    mended = [row for at in range(1, 41) for row in (claim(at, inscp_scp_amt="1.00"), claim(at))]
    nowhere = [claim(at, insu_admdvs="990101", **more) for at in range(50, 80) for more in ({}, {"hosp_lv": "1"})]
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        found, batches = outcome(book, write(tmp_path / "mended.csv", mended), 200)
        assert (batches, calls) == (1, 1) and sum(len(str(got)) > 60 for got in found.values()) == 40
        found, batches = outcome(book, write(tmp_path / "nowhere.csv", nowhere), 200)
        assert (batches, calls) == (1, 3)
        assert {str(got)[:22] for got in found.values()} == {"(<Refusal.NO_POLICY: 1"}


def test_a_row_that_books_after_all_cuts_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is decided again changes which earlier rows book, the rows before the first repeat come first."""
    rows = [claim(1), claim(2, insu_admdvs="990101"), claim(2, insu_admdvs="990101"), claim(3), claim(3)]
    monkeypatch.setattr(booking, "fallen_and_risen", lambda batch: (set(), {1} if batch.repeats else set()))
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        found, batches = outcome(book, write(tmp_path / "rows.csv", rows), 100)
    assert batches == 3 and found[5] == ("repeats", 4)
