"""Findings and trace codes are found again: listed by claim, field and fen, traced by code and by file row."""

import json
from pathlib import Path

import pytest

import ledger
import projections
from console.main import main
from core_ext.line_cells import PARTS
from ledger import store
from ledger.line_events import LinesDiffer, LinesFiled
from ledger.service import Ledger
from projections.trace_tree import ClaimTrace, CodeTrace, RowTrace
from tests.ledger.worlds import claim, events_of, opened, refund, write
from tests.lines.files import line, write_lines
from tests.lines.test_filing import SPLIT_300

CODE = "81000000000000000001"
AMOUNTS = {"hifp_pay": "5000.00", "fund_pay_sumamt": "5000.00", "psn_part_amt": "5000.00", "psn_cash_pay": "5000.00"}


def world(url: str, tmp_path: Path) -> None:
    """Leaves a store with every kind of finding: claim 1 agrees, 2 lacks a line, 3 gives other amounts, 4 differs."""
    first = claim(1, **SPLIT_300)
    claims = [first, claim(2, **SPLIT_300), claim(3, **SPLIT_300), claim(4, **AMOUNTS), refund(first, 9)]
    claims.append(claim(5, setl_time="2024-02-05 08:00:00", **SPLIT_300))
    given = dict(zip(PARTS, ("100.00", "0", "0", "9.00", "91.00"), strict=True))
    mirrored = dict(zip(PARTS, ("100.00", "0", "0", "11.00", "89.00"), strict=True))
    rows = [line(1, 1, drug_trac_codg=CODE), line(1, 2), line(1, 3, chrgitm_lv="03")]
    rows += [line(2, 1, drug_trac_codg=CODE), line(2, 2, drug_trac_codg=f"{CODE};{CODE[:-1]}2")]
    rows += [line(3, 1, **given), line(3, 2, **mirrored), line(3, 3, chrgitm_lv="03")]
    rows += [line(5, 1), line(5, 2), line(5, 3, chrgitm_lv="03", drug_trac_codg=f"{CODE[:-1]}2")]
    with opened(url) as book:
        report = book.intake(write(tmp_path / "claims.csv", claims))
        assert report.booked == 6
        assert book.lines(write_lines(tmp_path / "lines.csv", rows)).booked == 11


def test_findings_are_listed_by_claim_field_and_fen(store_url: str, tmp_path: Path) -> None:
    """Every finding of a period is there with what the claim says and what was found; other periods are not."""
    world(store_url, tmp_path)
    with projections.open(store_url) as read:
        found = read.findings(202401)
        lines = [
            (each.kind, each.claim, each.field, each.stated_fen, each.found_fen, each.lines)
            for each in found
            if each.kind == "lines_differ"
        ]
        assert lines == [
            ("lines_differ", "260100/S000002", "medfee_sumamt", 30000, 20000, 0),
            ("lines_differ", "260100/S000002", "fulamt_ownpay_amt", 10000, 0, 0),
            ("lines_differ", "260100/S000003", "det_item_fee_sumamt", 30000, 30000, 2),
        ]
        repeated = [(each.claim, each.code, each.first) for each in found if each.kind == "trace_code_repeated"]
        # Claim 1 was refunded before the lines came, so claim 2 is the code's first; its own second line repeats it.
        assert repeated == [("260100/S000002", CODE, "260100/S000002")]
        settled = [each for each in found if each.kind == "settlement_differs"]
        assert {each.claim for each in settled} == {"260100/S000004"}
        assert all(each.difference_fen == each.found_fen - each.stated_fen != 0 for each in settled)
        february = read.findings(202402)
        assert [(each.kind, each.claim, each.first) for each in february] == [
            ("trace_code_repeated", "260100/S000005", "260100/S000002")
        ]
        assert read.findings() == found + february
        assert read.verify() == []


def test_lines_that_come_later_settle_a_difference(store_url: str, tmp_path: Path) -> None:
    """A finding about a claim's lines is listed until lines come that make them agree."""
    world(store_url, tmp_path)
    with opened_again(store_url) as book:
        book.lines(write_lines(tmp_path / "late.csv", [line(2, 3, chrgitm_lv="03")]))
    with projections.open(store_url) as read:
        assert {each.claim for each in read.findings() if each.kind == "lines_differ"} == {"260100/S000003"}


def opened_again(url: str) -> Ledger:
    return ledger.open(url, actor="tester")


def test_a_trace_code_leads_to_every_claim_that_settled_it(store_url: str, tmp_path: Path) -> None:
    """A code leads to its claims with their refunds, a row of the file of lines and a finding's position to theirs."""
    world(store_url, tmp_path)
    with projections.open(store_url) as read:
        (found,) = read.trace(CODE).found
        assert isinstance(found, CodeTrace)
        assert [(each.claim.key, len(each.refunds)) for each in found.claims] == [
            ("260100/S000001", 1),
            ("260100/S000002", 0),
        ]
        (row,) = read.trace("lines.csv#4").found
        assert isinstance(row, RowTrace) and row.claim is not None
        assert (row.outcome, row.claim.claim.key) == ("booked", "260100/S000002")
        with opened_again(store_url) as book:
            places = [event[0] for event in events_of(book) if event[3] in (LinesFiled.TOPIC, LinesDiffer.TOPIC)]
        for place in places:
            (at,) = read.trace(place).found
            assert isinstance(at, ClaimTrace)
        assert read.trace("99999999999999999999").found == ()


def test_a_row_of_the_index_that_was_edited_is_found(store_url: str, tmp_path: Path) -> None:
    """Verification compares findings and codes with the log: a changed or removed row is named."""
    world(store_url, tmp_path)
    with projections.open(store_url) as read:
        assert read.verify() == []
    with store.connect(store_url) as opened_store, opened_store.write() as writer:
        writer.execute("UPDATE settled_code SET claim = claim + 1 WHERE code = ?", (CODE,))
        writer.execute("DELETE FROM finding WHERE topic = ?", (LinesDiffer.TOPIC,))
    with projections.open(store_url) as read:
        kinds = {(each.kind, each.where.split()[0]) for each in read.verify()}
        assert kinds == {("edited-row", "settled_code"), ("edited-row", "finding")}


def test_the_commands_say_the_same(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`settlement lines`, `findings` and `trace CODE` show what the read side holds, as a table and as JSON."""
    world(sqlite_url, tmp_path)
    assert main(["lines", str(tmp_path / "lines.csv"), "--store", sqlite_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duplicate"] == 11
    assert main(["findings", "--store", sqlite_url, "--period", "202402", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["code"]) == ("trace_code_repeated", f"{CODE[:-1]}2")
    assert main(["findings", "--store", sqlite_url]) == 0
    shown = capsys.readouterr().out
    assert "lines_differ" in shown and "260100/S000002" in shown and "-100.00" in shown
    assert main(["trace", CODE, "--store", sqlite_url]) == 0
    assert "settled by 2 claims" in capsys.readouterr().out
