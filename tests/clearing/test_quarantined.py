"""What stands in quarantine is in no book; before a signature its rows are stated with count and amount."""

import csv
from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.service import Ledger
from projections.clearing.sheets import Issued
from tests.ledger.worlds import claim, opened, refund, write
from tests.lines.files import line, write_lines

PERIOD = 202401


def remarks(issued: Issued) -> dict[str, tuple[int, int]]:
    """Returns what a statement says beside its figures: (count, fen) by what; all stands under an assumed policy."""
    return {what: (count, fen) for what, count, fen in issued.remarks if what != "assumed"}


def taken(url: str, folder: Path) -> tuple[Ledger, Path]:
    """Returns a store with one claim booked and five rows in quarantine, and the quarantine file."""
    book = opened(url)
    rows = [
        claim(1),
        claim(2, medfee_sumamt="12,000.00"),
        claim(3, medfee_sumamt="3000.00", psn_type="x"),
        claim(4, medfee_sumamt="100.00", psn_no=""),
        refund(claim(9), 5, init_setl_id="S000099"),
        claim(6, hosp_part_amt="a lot"),
    ]
    report = book.intake(write(folder / "january.csv", rows))
    assert (report.booked, report.quarantined, report.quarantine_path is not None) == (1, 5, True)
    return book, Path(str(report.quarantine_path))


def test_quarantined_rows_are_stated_with_count_and_amount(store_url: str, tmp_path: Path) -> None:
    """A row whose fee cannot be read is counted as such; a refund's amount counts without its sign."""
    book, _ = taken(store_url, tmp_path)
    lines = [
        line(1, 1),
        line(99, 1, pric="0.5", cnt="3"),
        line(98, 1, det_item_fee_sumamt="7.00"),
        line(1, 2, pric="?"),
    ]
    assert book.lines(write_lines(tmp_path / "lines.csv", lines)).quarantined == 3
    with projections.open(store_url) as read:
        before = read.issue("variance", PERIOD)
        assert remarks(before) == {
            "quarantined": (5, 10_000 * 100 + 3_000_00 + 100_00 + 10_000_00),
            "quarantined_lines": (3, 150 + 700),
            "unread": (2, 0),
        }
        (sheet,) = [sheet for sheet in before.sheets if sheet.name == "quarantine"]
        listed = {row[:3]: row[3:] for row in sheet.rows}
        assert listed["intake", "january.csv", "amount_text"] == (2, 1_000_000, 1)
        assert listed["intake", "january.csv", "missing_psn_no"] == (1, 100_00, 0)
        assert listed["lines", "lines.csv", "amount_text"] == (1, 0, 1)
        assert sheet.totals[3:] == (8, 10_000_00 + 3_000_00 + 100_00 + 10_000_00 + 850, 2)
        assert remarks(read.issue("pairs", PERIOD)) == remarks(before)


def test_a_region_reads_its_own_quarantine(store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A region's statement has the rows of its residents and those treated there; what names no region stands apart."""
    book, file = taken(store_url, tmp_path)
    away = {"insu_admdvs": "470101", "psn_no": ""}
    rows = [
        claim(11, **away),
        claim(12, **away, mdtrtarea_admvs="470101"),
        claim(13, insu_admdvs="??", mdtrtarea_admvs="470101"),
        claim(14, insu_admdvs="??", medfee_sumamt="50.00"),
        claim(15, insu_admdvs="470101", mdtrtarea_admvs="470101"),
    ]
    assert book.intake(write(tmp_path / "more.csv", rows)).quarantined == 4
    assert book.lines(write_lines(tmp_path / "lines.csv", [line(99, 1, pric="0.5", cnt="3")])).quarantined == 1
    with projections.open(store_url) as read:
        both = remarks(read.issue("variance", PERIOD))["quarantined"]
        here, there = (remarks(read.issue("variance", PERIOD, region)) for region in (260_100, 470_100))
        assert both == (9, 2_310_000 + 3_005_000)
        assert here["quarantined"] == (7, 2_310_000 + 1_005_000) and here["unplaced"] == (2, 1_000_000 + 150)
        assert there["quarantined"] == (3, 3_000_000) and there["unplaced"] == (2, 5_000 + 150)
        (sheet,) = [sheet for sheet in read.issue("variance", PERIOD, 470_100).sheets if sheet.name == "quarantine"]
        assert sum(row[3] for row in sheet.rows) == 3
    with file.open(encoding="utf-8", newline="") as read_from:
        found = list(csv.DictReader(read_from))
    for row in found:
        row["medfee_sumamt"] = row["medfee_sumamt"].replace("12,000.00", "10000.00")
    assert book.intake(write(tmp_path / "mended.csv", found, list(found[0])), retry=True).booked == 1
    with projections.open(store_url) as read:
        assert remarks(read.issue("payable", PERIOD, 260_100))["mended"] == (1, 1_000_000)
        assert "mended" not in remarks(read.issue("payable", PERIOD, 470_100))
    assert main(["statement", "--period", str(PERIOD), "--region", "470100", "--store", store_url]) == 0
    said = capsys.readouterr().out
    assert "3 rows, 30,000.00: rows of claims of 470100 quarantined 隔离" in said
    assert "2 rows, 51.50: quarantined rows that no region can be read of" in said


def test_a_file_taken_in_twice_stands_in_quarantine_once(sqlite_url: str, tmp_path: Path) -> None:
    """The same file again quarantines the same rows again, and a statement counts each of them once."""
    book, _ = taken(sqlite_url, tmp_path)
    assert book.intake(tmp_path / "january.csv").quarantined == 5
    with projections.open(sqlite_url) as read:
        assert remarks(read.issue("variance", PERIOD))["quarantined"] == (5, 2_310_000)
        assert remarks(read.issue("variance", PERIOD, 260_100))["quarantined"] == (5, 2_310_000)


def test_what_comes_back_mended_is_said_beside_the_quarantine(store_url: str, tmp_path: Path) -> None:
    """A mended row leaves what was quarantined as stated and stands beside it once; refused again it is one row."""
    book, file = taken(store_url, tmp_path)
    with file.open(encoding="utf-8", newline="") as read_from:
        rows = list(csv.DictReader(read_from))
    for row in rows:
        if row["setl_id"] == "S000002":
            row["medfee_sumamt"] = "10000.00"
    report = book.intake(write(tmp_path / "mended.csv", rows, list(rows[0])), retry=True)
    assert (report.booked, report.quarantined) == (1, 4)
    assert book.intake(tmp_path / "mended.csv", retry=True).duplicate == 1
    with projections.open(store_url) as read:
        said = remarks(read.issue("summary", PERIOD))
        assert said["quarantined"] == (5, 2_310_000) and said["mended"] == (1, 1_000_000)
        book.close(PERIOD)
        after = read.issue("summary", PERIOD)
        assert remarks(after)["mended"] == (1, 1_000_000)
        # What is quarantined behind the cut-off is of the next period.
        book.intake(write(tmp_path / "later.csv", [claim(7, psn_no=""), claim(8, setl_time="2024-02-02 08:00:00")]))
        assert read.issue("summary", PERIOD) == after
        assert remarks(read.issue("summary", 202402))["quarantined"] == (1, 1_000_000)
        assert read.verify() == []
