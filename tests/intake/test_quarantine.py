"""Rows that were not booked come out with reason, field, expected and got, and go back in unchanged."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_ext.cells import new_cells
from core_ext.defusing import defused, escaped, undone
from ledger.profile import Profile, load_profile
from ledger.quarantine import COLUMN_OF, DIAGNOSTICS, explain, explain_shape, write_csv, write_quarantine
from ledger.records import Records
from ledger.refusals import Refusal
from ledger.source import Source, open_source
from tests.intake.claim_files import SOUND, claim_file, faults_of
from tests.samples import shared

Write = Callable[..., Source]
ROW_REASONS = [refusal for refusal in Refusal if Refusal.NONE < refusal < Refusal.STREAM_EXISTS]


def quarantine(source: Source) -> list[tuple[int, Refusal, int]]:
    """Returns (row, lowest fault, its column) of every faulty row."""
    return [
        (batch.first_row + i, Refusal((bits & -bits).bit_length() - 1), int(batch.field[i]))
        for batch in source.batches()
        for i, bits in enumerate(batch.faults.tolist())
        if bits
    ]


def written(source: Source, rows: list[tuple[int, Refusal, int]]) -> tuple[Path, list[dict[str, str]]]:
    """Writes a quarantine file and returns it with its lines."""
    path = source.path.with_name(f"{source.path.stem}.quarantine.csv")
    path = write_quarantine(path, source, rows)
    with path.open(encoding="utf-8", newline="") as file:
        return path, list(csv.DictReader(file))


def test_a_quarantined_row_says_what_was_expected_and_what_came(write: Write) -> None:
    """Each line has the row's number, its reason, the field, expected and got, then the row as it was."""
    source = write(claim_file({}, {"medfee_sumamt": "12.345"}, {"enddate": "2024-02-01"}, {"inscp_scp_amt": "84.00"}))
    _, lines = written(source, quarantine(source))
    assert [[line[name] for name in DIAGNOSTICS] for line in lines] == [
        ["2", "amount_precision", "medfee_sumamt", "at most two digits after the point", "12.345"],
        ["3", "end_before_begin", "enddate", "begndate 2024-02-28 or a later day", "2024-02-01"],
        [
            "4",
            "identity_I1",
            "medfee_sumamt",
            "medfee_sumamt = 99.50 = fulamt_ownpay_amt 10.00 + overlmt_selfpay 0.00 + preselfpay_amt 5.5 + "
            "inscp_scp_amt 84.00",
            "100.00",
        ],
    ]
    assert {name: lines[0][name] for name in SOUND} == {**SOUND, "medfee_sumamt": "12.345"}


@pytest.mark.parametrize("refusal", ROW_REASONS)
def test_every_reason_is_put_into_words(refusal: Refusal) -> None:
    """No reason for which a row can be refused comes without expected, got and a field."""
    column = COLUMN_OF.get(refusal, "psn_name")
    record = {**SOUND, "init_setl_id": "S0", "feedetl_sn": "F1", "selfpay_prop": "2"}
    if refusal == Refusal.ROW_SHAPE:
        assert explain_shape(["1", "2"], 3)[1:] == (
            "3 cells, a quoted one ending right at its closing quote",
            "2 cells",
        )
        return
    field, expected, got = explain(refusal, column, record, (310, 390))
    assert (field, got) == (column, record[column])
    assert expected
    assert expected == expected.strip()


def test_identities_show_the_sum_that_does_not_hold() -> None:
    """I2, I3 and I5 name every part with its amount; a part that is not there is derived, or nothing in I5."""
    record = {**SOUND, "fund_pay_sumamt": "81.00", "maf_pay": "2.00", "acct_pay": "1.50"}
    assert explain(Refusal.IDENTITY_I2, "", record) == (
        "medfee_sumamt",
        "medfee_sumamt = 101.00 = fund_pay_sumamt 81.00 + psn_part_amt 20.00 + hosp_part_amt 0",
        "100.00",
    )
    assert explain(Refusal.IDENTITY_I5, "", record)[1] == "fund_pay_sumamt = 82.00 = hifp_pay 80.00 + maf_pay 2.00"
    assert explain(Refusal.IDENTITY_I3, "", record)[1] == "psn_part_amt = 21.50 = acct_pay 1.50 + psn_cash_pay 20.00"
    record["psn_cash_pay"] = ""
    assert explain(Refusal.IDENTITY_I3, "", record)[1] == "psn_part_amt = acct_pay 1.50 + psn_cash_pay (derived)"


@pytest.mark.samples
def test_a_quarantine_file_is_the_source_again(write: Write, national: Profile, tmp_path: Path) -> None:
    """Read back, every quarantined row has exactly the bytes, the faults and the shape it had."""
    damaged = [
        {"psn_name": "=1+1"}, {"psn_name": "\t@x"}, {"psn_name": "'=x", "setl_id": ""}, {"psn_name": "\r\nX: y"},
        {"psn_name": "BAD", "mdtrt_id": "\\xFF\\x5C"}, {"medfee_sumamt": "-163.11"}, {"setl_id": "＝x "},
        {"psn_name": "a\0"},
    ]  # fmt: skip
    content = claim_file(*damaged).replace(b"BAD", b"\xff\xe5\x8f\\x41")
    content += b'too,few\n"=quoted",cells,"' + b'a""b"\n' + b'"broken"x' + b",1" * 27 + b"\n" + b'"never closed\n'
    for source in (write(content), open_source(shared("platform", "claims.csv"), national)):
        rows = quarantine(source)
        target = tmp_path / "back.quarantine.csv"
        target = write_quarantine(target, source, rows)
        again = open_source(target, national)
        assert again.is_quarantine
        assert again.columns == source.columns
        numbers = [row for row, _, _ in rows]
        assert list(again.records(range(1, len(rows) + 1)).values()) == list(source.records(numbers).values())
        assert [reason for _, reason, _ in quarantine(again)] == [reason for _, reason, _ in rows]


def test_a_file_in_another_encoding_comes_back_as_utf8(write: Write, tmp_path: Path) -> None:
    """A quarantine file is UTF-8 with commas whatever its source was, and is read back with the source's profile."""
    profile = Profile(encoding="gb18030", delimiter="|", columns={"姓名": "psn_name"})
    content = claim_file({"psn_name": "参保人", "psn_no": ""}, {"psn_name": "坏BAD"}).decode()
    content = content.replace(",", "|").replace("psn_name", "姓名")
    source = write(content.encode("gb18030").replace(b"BAD", b"\xff"), profile)
    path, lines = written(source, quarantine(source))
    assert [line["姓名"] for line in lines] == ["参保人", "坏\\xFF"]
    assert [line["field"] for line in lines] == ["psn_no", "姓名"]
    assert faults_of(open_source(path, profile)) == [["missing_psn_no"], ["not_utf8"]]


def test_a_spreadsheet_runs_nothing(tmp_path: Path) -> None:
    """A cell that begins like a formula is defused in every CSV; a negative amount stays a number."""
    path = tmp_path / "out.csv"
    assert write_csv(path, ["name", "=amount"], [["=cmd()", -163.0], ["@x", "-163.11"], ["＝y", "+1-1"], [1, "-"]]) == 4
    assert path.read_text(encoding="utf-8") == "name,'=amount\n'=cmd(),-163.0\n'@x,-163.11\n'＝y,'+1-1\n1,'-\n"


@given(st.binary(max_size=30))
def test_defusing_is_undone_exactly(cell: bytes) -> None:
    """Any bytes at all come back from their written form, and the written form is text that runs nowhere."""
    shown = defused(escaped(cell.decode("utf-8", "surrogateescape")))
    assert undone(shown.encode()) == cell
    assert not shown.startswith(("=", "@", "\t", "\r", "\n"))


@given(st.text(st.sampled_from("'=+-@\t1.5\\xFC5＝ "), max_size=8))
def test_defusing_is_undone_exactly_for_what_looks_like_it(cell: str) -> None:
    """Cells that already look defused or escaped come back as they were."""
    assert undone(defused(escaped(cell)).encode()) == cell.encode()


def test_an_apostrophe_that_was_not_ours_stays(tmp_path: Path, national: Profile) -> None:
    """Only what writing a quarantine file does is undone: a person's own apostrophe before a number stays."""
    path = tmp_path / "mended.csv"
    cells = {**SOUND, "psn_name": "'张", "fixmedins_code": "'12"}
    path.write_text(
        ",".join((*DIAGNOSTICS, *cells)) + "\n" + ",".join(("1", "x", "y", "z", "", *cells.values())), encoding="utf-8"
    )
    records = open_source(path, national).records([1])[1]
    assert records == list(cells.values())


def test_a_quarantine_file_is_whole_or_not_there(write: Write, tmp_path: Path) -> None:
    """A writer that fails leaves the file that was there, and nothing half-written beside it."""
    path = tmp_path / "out.csv"
    path.write_text("before")

    def rows() -> Iterator[list[str]]:
        yield ["1"]
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError):
        write_csv(path, ["a"], rows())
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_reasons_found_later_point_at_their_column(write: Write) -> None:
    """A conflict or an unknown person is shown at the column it is about, a row's own fault at its failing cell."""
    (batch,) = write(claim_file({}, {"psn_no": ""})).batches()
    names = list(SOUND)
    fields = batch.fields_of(
        np.array([0, 1, 0]), np.array([Refusal.SETL_ID_CONFLICT, Refusal.MISSING_PSN_NO, Refusal.ROW_SHAPE])
    )
    assert [names[field] if field >= 0 else "" for field in fields.tolist()] == ["setl_id", "psn_no", ""]
    fields = batch.fields_of(np.array([1]), np.array([Refusal.MSGID_CONFLICT]))
    assert names[fields[0]] == "medins_setl_id"


def test_damaged_records_are_read_in_bounded_memory(write: Write, national: Profile) -> None:
    """The buffer that records are cut in does not grow with the file."""
    source = write(claim_file(*({"psn_name": "x" * 1000} for _ in range(12_000))))
    with Records(source.path, load_profile()) as records:
        cells = new_cells(100, len(records.header))
        while records.cut(cells):
            assert len(records.data) <= 8 << 20
