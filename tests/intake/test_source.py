"""A claim file is read in one pass, record by record as RFC 4180 cuts them, whatever stands in it."""

import csv
import io
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from core_ext.layout import ABSENT, AMOUNT, FACT
from core_ext.text import to_list
from ledger import records
from ledger.profile import Profile
from ledger.refusals import SourceError
from ledger.source import ClaimColumns, Source, open_source
from tests.intake.claim_files import SOUND, claim_file, faults_of, whole

Write = Callable[..., Source]

HEADER = ",".join(SOUND).encode()
LINE = ",".join(SOUND.values()).encode()


def line(**changes: str) -> bytes:
    """Returns the sound claim as one line without quoting, with some cells changed."""
    return ",".join({**SOUND, **changes}.values()).encode()


def names(source: Source) -> list[str]:
    """Returns the setl_id of every row."""
    return [name for batch in source.batches() for name in to_list(batch.texts["setl_id"])]


def test_a_sound_row_becomes_integers(write: Write, kernel: str) -> None:
    """Money comes as fen, days as yyyymmdd, moments as yyyymmddHHMMSS, codes as their digits; the rest as text."""
    batch = whole(write(claim_file({})))
    facts, given = batch.facts[0], batch.given[0]
    assert batch.faults.tolist() == [0]
    assert batch.field.tolist() == [-1]
    assert facts[FACT["medfee_sumamt"]] == 10000
    assert facts[FACT["preselfpay_amt"]] == 550
    assert facts[FACT["begndate"]] == 20240228
    assert facts[FACT["setl_time"]] == 20240229101112
    assert facts[FACT["insu_admdvs"]] == 470299
    assert facts[[FACT["token"], FACT["insured_region"], FACT["treatment_region"]]].tolist() == [0, 0, 0]
    assert given[AMOUNT["hifp_pay"]] == 8000
    assert given[AMOUNT["acct_pay"]] == ABSENT
    assert given[AMOUNT["oth_pay"]] == ABSENT
    assert (batch.settled.tolist(), batch.refund.tolist()) == ([1], [0])
    assert to_list(batch.texts["psn_name"]) == ["参保人一"]


def test_a_row_without_fund_pay_sumamt_is_not_settled_by_its_source(write: Write, kernel: str) -> None:
    """Only a row that carries fund_pay_sumamt was settled at its source; init_setl_id makes it a refund."""
    batch = whole(write(claim_file({"fund_pay_sumamt": ""}, {"init_setl_id": "S0"})))
    assert (batch.settled.tolist(), batch.refund.tolist()) == ([0, 1], [0, 1])


def test_records_are_counted_not_lines(write: Write, kernel: str) -> None:
    """Quoted cells may hold line breaks, delimiters and doubled quotes, and are one record all the same."""
    source = write(claim_file({"mdtrt_id": "a"}, {"psn_name": 'one\n"two", three\r\n'}, {"setl_id": "S3"}))
    batch = whole(source)
    assert batch.n == 3
    assert faults_of(source) == [[], ["unsafe_text"], []]
    assert source.records([2])[2][source.columns.index("psn_name")] == 'one\n"two", three\r\n'
    assert source.records([3])[3][0] == "S3"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False], ids=["final-newline", "no-final-newline"])
def test_every_line_end_ends_a_record(write: Write, kernel: str, end: bytes, last: bool) -> None:
    """LF, CRLF and CR end records, the last record may go without."""
    source = write(end.join([HEADER, line(setl_id="A"), line(setl_id="B")]) + (end if last else b""))
    assert names(source) == ["A", "B"]
    assert faults_of(source) == [[], []]


def test_empty_lines_are_no_records(write: Write, kernel: str) -> None:
    """Empty lines are skipped and not numbered."""
    source = write(b"\n".join([HEADER, b"", line(setl_id="A"), b"", b"", line(setl_id="B"), b"\r\n", b""]))
    assert names(source) == ["A", "B"]


@pytest.mark.parametrize("bad", [b"just one", b"a,b", LINE + b",more", b'"open ' + LINE, b'"quoted"tail' + LINE[2:]])
def test_a_ragged_record_is_a_row_with_a_fault(write: Write, kernel: str, bad: bytes) -> None:
    """A record of too few or too many cells, or of broken quotes, is a row at its place and keeps its number."""
    content = [HEADER, line(setl_id="A"), bad, line(setl_id="C")]
    source = write(b"\n".join(content))
    batch = whole(source)
    assert faults_of(source)[:2] == [[], ["row_shape"]]
    assert batch.field[1] == -1
    assert batch.facts[1].tolist() == [0] * len(FACT)
    if b'"open' not in bad:
        assert names(source) == ["A", "", "C"]


def test_a_quote_left_open_takes_the_rest_of_the_file(write: Write, kernel: str) -> None:
    """A quote that nothing closes makes one damaged record of all that follows; nothing is lost from sight."""
    source = write(b"\n".join([HEADER, line(), b'S2,"never closed', line()]))
    assert faults_of(source) == [[], ["row_shape"]]
    assert source.records([2])[2] == ['S2,"never closed\n' + LINE.decode()]


def test_a_quote_inside_an_unquoted_cell_is_a_character(write: Write, kernel: str) -> None:
    """A quote that does not begin a cell is kept as it is."""
    batch = whole(write(b"\n".join([HEADER, line(psn_name='a "b" c')])))
    assert to_list(batch.texts["psn_name"]) == ['a "b" c']
    assert batch.faults.tolist() == [0]


def test_nul_bytes_are_a_fault_of_their_cell(write: Write, kernel: str) -> None:
    """NUL bytes damage only the row they stand in."""
    source = write(claim_file({"psn_name": "a\0b"}, {"setl_id": "a\0b"}, {"medfee_sumamt": "1\0"}, {}))
    assert [faults[0] for faults in faults_of(source)[:3]] == ["unsafe_text", "bad_key", "amount_text"]
    assert faults_of(source)[3] == []


def test_a_huge_cell_is_read(write: Write) -> None:
    """A cell of several blocks' size is a cell like any other, and the rows around it stand."""
    huge = "x" * (5 * records.BLOCK_BYTES + 7)
    source = write(claim_file({"setl_id": "A"}, {"psn_name": huge}, {"medfee_sumamt": huge}, {"setl_id": "D"}))
    assert faults_of(source) == [[], [], ["amount_text"], []]
    assert source.records([2])[2][source.columns.index("psn_name")] == huge


def test_a_record_without_end_is_an_error(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record longer than any claim can be stops the file by name of its record instead of filling the memory."""
    monkeypatch.setattr(records, "RECORD_BYTES", 1 << 16)
    monkeypatch.setattr(records, "BLOCK_BYTES", 1 << 12)
    source = write(claim_file({}, {"psn_name": "x" * (1 << 18)}))
    with pytest.raises(SourceError, match="record 2 is longer than 65536 bytes"):
        list(source.batches())


def test_an_empty_file_is_an_error(write: Write) -> None:
    """A file without a header is refused as a whole."""
    for content in (b"", b"\n\r\n", b"\xef\xbb\xbf"):
        with pytest.raises(SourceError, match="expected a header of column names, got an empty file"):
            write(content)


def test_a_header_alone_is_no_claim(write: Write, kernel: str) -> None:
    """A file with a header only has no rows and no error, with or without a line end."""
    assert list(write(HEADER).batches()) == []
    assert list(write(HEADER + b"\n").batches()) == []


def test_a_missing_column_is_one_error(write: Write) -> None:
    """A file that lacks a required column is refused once, with what was expected, what came, and where."""
    with pytest.raises(SourceError, match=r"claims\.csv: expected the columns psn_no, .* got only: setl_id, x"):
        write(b"setl_id,x\n1,2\n")


def test_a_column_that_comes_twice_is_an_error(write: Write) -> None:
    """Nobody guesses which of two columns of one name is meant."""
    with pytest.raises(SourceError, match="expected one column psn_no, got 2"):
        write(HEADER + b",psn_no\n")


def test_a_missing_file_is_an_error(tmp_path: Path, national: Profile) -> None:
    """A path without a file is named."""
    with pytest.raises(SourceError, match="nothing here"):
        open_source(tmp_path / "nothing here", national)


def test_optional_columns_may_be_absent(write: Write, kernel: str) -> None:
    """Without its column hosp_part_amt is 0, a source's amount is absent, and extra columns change nothing."""
    kept = [name for name in SOUND if name not in ("hosp_part_amt", "hosp_lv", "hifp_pay", "medins_setl_id")]
    cells = ",".join([*(SOUND[name] for name in kept), "whatever"])
    source = write(f"{','.join([*kept, 'ref_extra'])}\n{cells}\n".encode())
    batch = whole(source)
    assert batch.faults.tolist() == [0]
    assert batch.facts[0, FACT["hosp_part_amt"]] == 0
    assert batch.given[0, AMOUNT["hifp_pay"]] == ABSENT
    assert to_list(batch.texts["medins_setl_id"]) == [""]
    assert source.records([1])[1][-1] == "whatever"


def test_a_byte_order_mark_is_no_part_of_the_header(write: Write) -> None:
    """A UTF-8 byte order mark in front of the file is passed over."""
    assert write(b"\xef\xbb\xbf" + claim_file({})).columns == list(SOUND)


def test_other_encodings_are_read_by_profile(write: Write, kernel: str) -> None:
    """A GB 18030 file gives the same rows as its UTF-8 twin; a byte that is none damages its own row."""
    content = claim_file({"psn_name": "参保人"}, {"psn_name": "㐀𠀀"}, {"psn_name": "X"})
    profile = Profile(encoding="gb18030")
    source = write(content.decode().encode("gb18030").replace(b"X", b"\xff"), profile)
    same(whole(write(content.replace(b"X", b"\xff"), name="utf-8.csv")), whole(source))
    assert faults_of(source) == [[], [], ["not_utf8"]]
    assert source.records([3])[3][source.columns.index("psn_name")] == "\udcff"


def test_renames_and_delimiters_come_from_the_profile(write: Write, kernel: str) -> None:
    """A profile names the file's own column names and delimiter; faults point at the file's columns."""
    profile = Profile(delimiter="|", columns={"结算流水号": "setl_id"})
    content = claim_file({"medfee_sumamt": "x"}).decode().replace(",", "|").replace("setl_id|mdtrt", "结算流水号|mdtrt")
    source = write(content.encode(), profile)
    batch = whole(source)
    assert source.columns[0] == "结算流水号"
    assert to_list(batch.texts["setl_id"]) == ["S1"]
    assert source.columns[batch.field[0]] == "medfee_sumamt"


def test_batches_of_two_are_one_batch(write: Write, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of batches and of blocks changes nothing, and first rows count on."""
    rows = [{"setl_id": f"S{i}", "psn_name": 'say "hi"\n' * (i % 3)} for i in range(25)]
    content = claim_file(*rows).replace(b"S7,", b"S7,,,,").replace(b"S9", b"\xff")
    one = whole(write(content))
    monkeypatch.setattr(records, "BLOCK_BYTES", 64)
    for size in (1, 2, 7):
        parts = list(write(content).batches(size))
        assert [part.first_row for part in parts] == list(range(1, 26, size))
        at = 0
        for part in parts:
            same(one.slice(at, at + part.n), part)
            at += part.n
        assert at == one.n


def test_a_slice_is_the_rows_alone(write: Write) -> None:
    """A cut batch has its rows' cells, texts and numbers and nothing of the others."""
    batch = whole(write(claim_file(*({"setl_id": f"S{i}", "psn_name": "x" * i} for i in range(9)))))
    part = batch.slice(3, 6)
    assert (part.first_row, part.n) == (4, 3)
    assert to_list(part.texts["setl_id"]) == ["S3", "S4", "S5"]
    assert to_list(part.slice(2, 3).texts["psn_name"]) == ["xxxxx"]
    assert len(part.texts["psn_name"].data) == 12
    assert batch.slice(4, 4).n == 0


def test_the_digest_is_of_the_bytes(write: Write) -> None:
    """A source's digest is SHA-256 of its bytes cut to 16: another byte is another source, another name is not."""
    one, two = write(claim_file({})), write(claim_file({}), name="b.csv")
    assert one.digest == two.digest != write(claim_file({}) + b"\n", name="c.csv").digest
    assert (len(one.digest), one.name) == (16, "claims.csv")


def test_a_file_that_changes_while_it_is_read_is_an_error(write: Write) -> None:
    """What was digested is what was read, or the run stops."""
    source = write(claim_file({}))
    with source.path.open("ab") as file:
        file.write(LINE)
    with pytest.raises(SourceError, match="the file changed"):
        list(source.batches())


def test_records_are_the_cells_of_the_file(write: Write, kernel: str) -> None:
    """Rows asked for come back cell by cell as csv reads them, in order, from any batch."""
    content = claim_file(*({"setl_id": f"S{i}", "psn_name": f'"{i}",\n'} for i in range(3000)))
    source = write(content)
    expected = list(csv.reader(io.StringIO(content.decode(), newline="")))
    wanted = [3000, 1, 1025, 1024, 2048]
    assert source.records(wanted) == {row: expected[row] for row in sorted(wanted)}
    assert list(source.records(wanted)) == sorted(wanted)


def same(one: ClaimColumns, other: ClaimColumns) -> None:
    """Asserts that two batches say the same."""
    for field in fields(ClaimColumns):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        elif field.name == "texts":
            assert {name: to_list(texts) for name, texts in a.items()} == {n: to_list(t) for n, t in b.items()}
        else:
            assert a == b, field.name
