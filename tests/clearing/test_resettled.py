"""A claim booked anew is on the statements of the period it was booked into: its difference, and no claim more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import projections
from ledger.clearing.states import read_clearing
from projections.clearing.issue import KINDS, OF_A_REGION
from projections.clearing.reissue import check_file
from projections.clearing.sheets import Issued, Sheet
from projections.clearing.workbook import write_workbook
from projections.clearing.writing import as_csv, as_json
from projections.reader import Projections
from tests.clearing.test_files import drawer
from tests.ledger.worlds import sign
from tests.replay.stories import february
from tests.replay.test_commit import corrected, resettled

INTO = 202402


def cells(sheet: Sheet, *names: str) -> list[tuple[Any, ...]]:
    """Returns the named columns of a sheet."""
    at = [sheet.columns.index(name) for name in names]
    return [tuple(row[i] for i in at) for row in sheet.rows]


def paid(sheet: Sheet) -> tuple[int, int]:
    """Returns what funds and accounts paid on a sheet, in fen."""
    rows = cells(sheet, "fund_pay_sumamt", "acct_pay")
    return sum(row[0] for row in rows), sum(row[1] for row in rows)


def everything(read: Projections, position: int | None = None) -> dict[str, Issued]:
    """Returns every kind of statement of the period booked into, those of a region for the insured one."""
    return {kind: read.issue(kind, INTO, 260100 if kind in OF_A_REGION else None, position=position) for kind in KINDS}


def test_both_statements_show_the_difference_of_a_correction(store_url: str, tmp_path: Path) -> None:
    """While the period is open both statements come to what was booked anew, with no claim counted again or late."""
    book, policy = corrected(store_url, tmp_path)
    with book:
        done = book.correct(policy, 202401, "court order 12")
        events = resettled(book)
    with projections.open(store_url, segments=tmp_path / "segments") as read:
        plain = read.statement(INTO).totals
        assert done.fund_fen != 0 and (plain.fund_pay_sumamt, plain.acct_pay) == (done.fund_fen, done.account_fen)
        found = everything(read)
        for kind in ("pairs", "provinces", "institutions"):
            sheet = found[kind].sheets[0]
            assert paid(sheet) == (done.fund_fen, done.account_fen), kind
            assert set(cells(sheet, "person_times", "medfee_sumamt")) == {(0, 0)}, kind
        assert sum(fen for (fen,) in cells(found["chain"].sheets[3], "due_fen")) == done.fund_fen + done.account_fen
        assert not any(each.remarks for each in found.values())
        assert found["late"].sheets[0].rows == []
        abroad = [event for event in events if event.insured_region != event.treatment_region]
        detail = found["detail"].sheets[0]
        assert sorted(name for (name,) in cells(detail, "setl_id")) == sorted(event.setl_id for event in abroad) != []
        assert paid(detail)[0] == sum(event.amounts[9] - event.reversed[9] for event in abroad)
        # The kernel decided them: by the terms such claims came by hand, and still do.
        assert {channel for (channel,) in cells(detail, "channel")} == {"manual"}
        assert {times for (times,) in cells(found["roles"].sheets[0], "direct_times")} == {0}
        assert read.verify() == []


@pytest.mark.parametrize("written", ["csv", "json", "xlsx"])
def test_statements_with_a_correction_are_drawn_up_again(tmp_path: Path, written: str) -> None:
    """Signed, with later claims beside it and claims behind it, every statement is issued again byte for byte."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    book, policy = corrected(url, tmp_path)
    write: dict[str, Callable[[Issued], str | bytes]] = {
        "csv": lambda issued: as_csv(issued, "zh"),
        "json": lambda issued: as_json(issued, "zh"),
        "xlsx": lambda issued: write_workbook(issued, "zh"),
    }
    with book, projections.open(url, segments=tmp_path / "segments") as read:
        done = book.correct(policy, 202401, "court order 12")
        book.intake(february(tmp_path))
        open_ = {kind: write[written](issued) for kind, issued in everything(read).items()}
        with book.store.read() as reader:
            at = reader.size
        book.close(INTO)
        sign(book, INTO)
        with book.store.read() as reader:
            drafted = read_clearing(reader, INTO).drafted
        assert drafted is not None
        late = [month for month in drafted.late if month[0] == 202401]
        assert [month[1] for month in late] == [8] and done.booked > 8
        assert (drafted.fund_fen, drafted.account_fen) == (
            read.statement(INTO).totals.fund_pay_sumamt,
            read.statement(INTO).totals.acct_pay,
        )
        signed = everything(read)
        book.seal(INTO)
        book.pay(INTO)
        for kind, issued in everything(read, at).items():
            assert write[written](issued) == open_[kind], kind
        for kind, issued in signed.items():
            content = write[written](issued)
            path = tmp_path / f"{kind}.{written}"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            checked = check_file(path, drawer(read))
            assert checked.findings == [] and checked.same_bytes, kind
        assert read.verify() == []
