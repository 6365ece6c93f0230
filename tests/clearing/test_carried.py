"""Open breaks do not stop a clearing: they are carried, and its statements list them as they stood at the draft."""

import json
from pathlib import Path

import pytest

import ledger
import projections
from console.main import main
from projections.clearing.reissue import check_file
from projections.clearing.sheets import Issued
from projections.clearing.workbook import write_workbook
from projections.clearing.writing import as_csv, as_json
from tests.clearing.test_files import drawer
from tests.ledger.worlds import clock, sign, write
from tests.reconcile.sides import INSURED, TREATMENT, booked, month, settled

PERIOD = 202403
OTHER = 440200


def keys(issued: Issued) -> list[str]:
    """Returns the breaks a summary lists."""
    (sheet,) = [sheet for sheet in issued.sheets if sheet.name == "carried"]
    return [str(row[0]) for row in sheet.rows]


def remark(issued: Issued) -> tuple[int, int]:
    """Returns how many breaks a statement says are carried, and what they come to in fen."""
    found = [(number, fen) for code, number, fen in issued.remarks if code == "carried"]
    return found[0] if found else (0, 0)


def test_a_statement_keeps_the_breaks_it_was_drawn_up_with(store_url: str, tmp_path: Path) -> None:
    """What ends behind the draft stays on the signed statement; drawn up anew it is gone; each issue is kept."""
    march = month()
    with booked(store_url, tmp_path / "ours.csv", [*march, settled(901, fund=600), settled(902, fund=400)]) as book:
        theirs = [*march, settled(903, fund=500)]
        found = book.reconcile(write(tmp_path / "theirs.csv", theirs), str(TREATMENT), period=PERIOD)
        by_claim = {each.claim.partition("/")[2]: each.key for each in found.breaks}
        assert len(by_claim) == 3
        with projections.open(store_url) as read:
            assert keys(read.issue("summary", PERIOD)) == sorted(by_claim.values())
            book.close(PERIOD)
            sign(book, PERIOD)
            first = read.issue("summary", PERIOD)
            assert keys(first) == sorted(by_claim.values()) and remark(first) == (3, 150_000)
            assert remark(read.issue("pairs", PERIOD)) == (3, 150_000)
            assert remark(read.issue("summary", PERIOD, TREATMENT)) == (3, 150_000)
            assert remark(read.issue("summary", PERIOD, OTHER)) == (0, 0)
            files = {"csv": as_csv(first, "zh").encode(), "json": as_json(first, "zh").encode(),
                     "xlsx": write_workbook(first, "zh")}  # fmt: skip
            ended, *kept = sorted(by_claim.values())
            book.break_write_off(ended, "below the limit")
            with book.store.read() as reader:
                head = reader.size
            assert keys(read.issue("summary", PERIOD)) == keys(read.issue("summary", PERIOD, position=head))
            assert keys(read.issue("summary", PERIOD, position=head)) == sorted(by_claim.values())
            now, then = read.carried(PERIOD), read.carried(PERIOD, position=first.position)
            assert [each.key for each in now.breaks] == kept
            assert [each.key for each in then.breaks] == sorted(by_claim.values())
            assert then.position == first.position and then.totals.count == 3
            # Here, behind the run and before the draft, all that is read from the table is read from the streams.
            assert read.carried(PERIOD, position=head).breaks == now.breaks
            book.withdraw(PERIOD, reason="a break was written off")
            sign(book, PERIOD)
            second = read.issue("summary", PERIOD)
            assert keys(second) == kept and remark(second)[0] == 2
            for ending, content in files.items():
                path = tmp_path / f"first.{ending}"
                path.write_bytes(content)
                checked = check_file(path, drawer(read))
                assert checked.findings == [] and checked.same_bytes, ending
            path = tmp_path / "first.csv"
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("missing_there", "missing_here", 1), encoding="utf-8")
            assert [each.kind for each in check_file(path, drawer(read)).findings] == ["edited-line"]


def test_the_checker_is_shown_what_is_carried_and_quarantined(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` lists open breaks with count and amount and the rows in quarantine, as a table and as JSON."""
    march = month()
    with booked(sqlite_url, tmp_path / "ours.csv", [*march, settled(901, fund=600)]) as book:
        wrong = settled(902, psn_part_amt="1.00")
        assert book.intake(write(tmp_path / "wrong.csv", [wrong])).quarantined == 1
        book.reconcile(write(tmp_path / "theirs.csv", march), str(TREATMENT), period=PERIOD)
        book.close(PERIOD)
        book.draft(PERIOD)
    check = ["check", "--period", str(PERIOD), "--lang", "en", "--store", sqlite_url]
    assert main(check) == 0
    said = capsys.readouterr().out
    key = f"break-{PERIOD}-{TREATMENT}-{INSURED}-S"
    assert key in said and "missing there" in said
    assert "open breaks carried (differences without their sign): 1, 600.00" in said
    assert "while the period was open (total fees without their sign, in no book): 1, 1,000.00" in said
    with ledger.open(sqlite_url, actor="tester", clock_us=clock()) as book:
        book.withdraw(PERIOD, reason="once more")
        book.draft(PERIOD)
    assert main([*check, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "checked"
    remarks = {each["of"]: (each["count"], each["amount_fen"]) for each in told["variance"]["remarks"]}
    assert remarks["carried"] == (1, 60_000) and remarks["quarantined"] == (1, 100_000)
    (listed,) = [sheet["rows"] for sheet in told["variance"]["sheets"] if sheet["name"] == "carried"]
    assert [(row["kind"], row["ours_fen"], row["theirs_fen"]) for row in listed] == [("missing_there", 60_000, 0)]
