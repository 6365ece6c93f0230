"""Cells become integers or faults, the same in the compiled kernel and in its specification."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core_ext import _parse, _split, cells
from core_ext.cells import COLUMNS, new_cells
from core_ext.layout import FACT
from core_ext.reference import parse as parse_reference
from core_ext.reference import split as split_reference
from core_ext.text import to_list
from ledger.refusals import Refusal
from ledger.source import Source
from tests.intake.claim_files import SOUND, claim_file, faults_of, whole

Write = Callable[..., Source]


def test_faults_carry_the_numbers_of_refusals() -> None:
    """The kernel's fault bits and the ledger's reasons are one numbering."""
    own = {name: value for name, value in vars(cells).items() if name in Refusal.__members__}
    assert own == {name: int(Refusal[name]) for name in own}
    assert len(own) == 14


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("-0.00", 0),
        ("12.3", 1230),
        ("+12.34", 1234),
        ("-163.11", -16311),
        ("0000000000000000000001.5", 150),
        ("10000000000000.00", 10**15),
        ("-10000000000000", -(10**15)),
    ],
)
def test_yuan_text_is_fen(write: Write, kernel: str, text: str, fen: int) -> None:
    """An optional sign, digits, an optional point with up to two decimals are an exact amount."""
    batch = whole(write(claim_file({"hosp_part_amt": text, "init_setl_id": "S0"})))
    assert (batch.faults[0], batch.facts[0, FACT["hosp_part_amt"]]) == (0, fen)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["amount_text"]),
        *(
            (text, ["amount_text"])
            for text in ["-", "+", ".", ".5", "5.", "1,000", "1e3", " 1", "1 ", "--1", "1.-1", "一", "１", "0x1"]
        ),
        ("1.000", ["amount_precision"]),
        ("10000000000000.01", ["amount_range"]),
        ("-10000000000000.01", ["amount_range"]),
        ("9" * 400, ["amount_range"]),
        ("10000000000000.001", ["amount_precision", "amount_range"]),
        ("10000000000000.000", ["amount_precision"]),
        ("9999999999999.99" + "9" * 50, ["amount_precision"]),
        ("1" * 5000 + "." + "0" * 5000, ["amount_precision", "amount_range"]),
    ],
)
def test_what_is_no_amount_is_named(write: Write, kernel: str, text: str, faults: list[str]) -> None:
    """Text, decimals and range are three reasons, and all that apply are there."""
    source = write(claim_file({"hosp_part_amt": text}))
    assert faults_of(source) == [faults]
    assert source.columns[whole(source).field[0]] == "hosp_part_amt"


def test_an_empty_fact_is_no_zero_and_an_empty_source_amount_is_none(write: Write, kernel: str) -> None:
    """An empty fact is refused; an empty amount of the source is absent; a damaged one is refused."""
    source = write(claim_file({"inscp_scp_amt": ""}, {"hifp_pay": ""}, {"hifp_pay": "x"}))
    assert faults_of(source) == [["amount_text"], [], ["amount_text"]]


def test_days_are_those_of_the_calendar(write: Write, kernel: str) -> None:
    """Every month has its days, February its leap day in the years that have one, and no other day is one."""
    rows, expected = [], []
    for year in (1, 1900, 2000, 2023, 2024, 2100, 9999):
        for month in range(14):
            for day in (0, 1, 28, 29, 30, 31, 32):
                rows.append({"begndate": f"{year:04}-{month:02}-{day:02}", "enddate": "9999-12-31"})
                good = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
                expected.append([] if good else ["bad_date"])
    assert faults_of(write(claim_file(*rows))) == expected


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"begndate": text}
            for text in ["", "soon", "2024-1-01", "2024/01/01", "20240101", "2024-01-01 ", "0000-01-01"]
        ),
        *({"setl_time": text} for text in ["", "2024-02-29", "2024-02-29 24:00:00", "2024-02-29 10:60:00"]),
        *({"setl_time": text} for text in ["2024-02-29 10:11:60", "2023-02-29 10:11:12", "2024-02-29_10:11:12"]),
        *(
            {"setl_time": text}
            for text in ["2024-02-29 10:11", "2024-02-29 10-11-12", "2024-02-29 10:11:1:", "2024-02-29T10:11:12Z"]
        ),
    ],
)
def test_what_is_no_day_or_time_is_named(write: Write, kernel: str, change: dict[str, str]) -> None:
    """A date or time in another form, or off the clock, is a bad date in its own cell."""
    source = write(claim_file(change))
    assert faults_of(source) == [["bad_date"]]
    assert source.columns[whole(source).field[0]] == next(iter(change))


NO_CODES = ["", "x1", "-1", "1" * 13]
NO_KEYS = [
    *("", " ", "a b", "a,b", "a\u3000b", "x" * 65, "a\u200b"),
    *(f"long-enough{character}key" for character in "\t ,\x7f\u0085\u00a0\u1680\u2003\u2028\ufeff"),
]


@pytest.mark.parametrize(
    ("change", "fault", "field"),
    [
        ({"psn_name": "a\x1fb"}, "unsafe_text", "psn_name"),
        ({"psn_name": "\x7f"}, "unsafe_text", "psn_name"),
        ({"psn_name": "long enough \u0085 name"}, "unsafe_text", "psn_name"),
        *(({"psn_name": f"{sign}1"}, "unsafe_text", "psn_name") for sign in "=+-@"),
        *(({"setl_id": text}, "bad_key", "setl_id") for text in NO_KEYS),
        ({"medins_setl_id": "x" * 65}, "bad_key", "medins_setl_id"),
        ({"fixmedins_code": "H\n1"}, "bad_key", "fixmedins_code"),
        ({"psn_no": "1\x00"}, "bad_key", "psn_no"),
        ({"psn_no": ""}, "missing_psn_no", "psn_no"),
        ({"psn_no": "   "}, "missing_psn_no", "psn_no"),
        *(({name: text}, "bad_code", name) for name in ("insu_admdvs", "med_type", "hosp_lv") for text in NO_CODES),
        *(({"insutype": text}, "unknown_insutype", "insutype") for text in [*NO_CODES, "31O", "999", "39", "-310"]),
        ({"enddate": "2024-02-27"}, "end_before_begin", "enddate"),
        ({"overlmt_selfpay": "-0.01", "inscp_scp_amt": "84.51"}, "negative_without_init", "overlmt_selfpay"),
        ({"psn_cash_pay": "-1"}, "negative_without_init", "psn_cash_pay"),
        ({"medfee_sumamt": "100.01"}, "identity_I1", "medfee_sumamt"),
    ],
)  # fmt: skip
def test_every_row_check_names_its_reason_and_cell(
    write: Write, kernel: str, change: dict[str, str], fault: str, field: str
) -> None:
    """What one row alone can show is found with the cell that shows it."""
    source = write(claim_file(change))
    assert faults_of(source) == [[fault]]
    assert source.columns[whole(source).field[0]] == field


def test_keys_may_be_other_than_ascii(write: Write, kernel: str) -> None:
    """A key in Chinese is a key; insurance types of the profile are all known; a T may part day and time."""
    changes = [
        {"setl_id": "住院２０２４号"},
        {"insutype": "340"},
        {"insutype": "0390"},
        {"setl_time": "2024-02-29T00:00:00"},
    ]
    assert faults_of(write(claim_file(*changes))) == [[]] * len(changes)


def test_every_fault_of_a_row_is_there(write: Write, kernel: str) -> None:
    """Precedence is decided later: a row carries all its faults, and shows the leftmost cell of the lowest."""
    change = {"enddate": "2024-13-01", "setl_time": "x", "medfee_sumamt": "x", "hifp_pay": "-1.234", "psn_no": ""}
    source = write(claim_file(change))
    assert faults_of(source) == [["missing_psn_no", "bad_date", "amount_text", "amount_precision"]]
    assert source.columns[whole(source).field[0]] == "psn_no"
    source = write(claim_file({**change, "psn_no": "1"}))
    assert source.columns[whole(source).field[0]] == "enddate"


@pytest.mark.parametrize("damage", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe5\x8f", b"a\x80"])
@pytest.mark.parametrize("name", ["setl_id", "psn_name", "refd_setl_flag", "psn_cash_pay", "psn_no"])
def test_bytes_that_are_not_utf8_are_found_in_every_cell(write: Write, kernel: str, name: str, damage: bytes) -> None:
    """Overlong, surrogate, cut and stray bytes are found, in columns nobody reads too, and reach no reader as text."""
    source = write(claim_file({name: "DAMAGE"}).replace(b"DAMAGE", damage))
    batch = whole(source)
    assert faults_of(source)[0][0] == "not_utf8"
    assert source.columns[batch.field[0]] == name
    assert all(to_list(texts) is not None for texts in batch.texts.values())


@dataclass
class Outcome:
    """Is what a pair of kernels makes of a file's bytes."""

    cut: tuple[int, int]
    data: bytes
    starts: list[list[int]]
    ends: list[list[int]]
    records: list[list[int]]
    shape: list[int]
    parsed: list[object]


def outcome(
    split: ModuleType, parse: ModuleType, content: bytes, columns: list[int], lead: int, final: bool, width: int
) -> Outcome:
    """Returns everything a pair of kernels makes of the bytes."""
    data = np.frombuffer(content, np.uint8).copy()
    table = new_cells(6, width)
    cut = split.split(data, 0, len(data), final, ord(","), lead, table, 0)
    rows = cut[0]
    places, types = np.array(columns, np.int64), np.array([310, 390], np.int64)
    found = parse.parse(data, table, rows, places, types)
    parsed = [part.tolist() for part in found[:6]] + [(t.offsets.tolist(), t.data.tolist()) for t in found.texts]
    starts, ends, records, shape = (part[:rows].tolist() for part in table)
    return Outcome(cut, data.tobytes(), starts, ends, records, shape, parsed)


MARKS = [*[b","] * 3, b'"', b'""', b"\n", b"\r", b"\r\n", b"'", b"=", b"@", b" ", b"\0", b"\\xFF", b"\\x5C", b"\\x41"]
WORDS = [b"-1.5", b"0.00", b"+7", b"1.234", b"10000000000000.00", b"10000000000000.001", b"310", b"abcdefgh"]
DAYS = [b"2024-02-29", b"2023-02-29", b"2024-02-29 10:11:12"]
WIDE = [b"\xe5\x8f\x82", b"\xff", b"\xc2\x80", b"\xe3\x80\x80", b"\xef\xbc\x9d", b"\xf0\x9f\x92\xb0"]
PIECES = MARKS + WORDS + DAYS + WIDE


@settings(max_examples=400)
@given(
    content=st.one_of(st.binary(max_size=120), st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)),
    columns=st.lists(st.integers(-1, 3), min_size=len(COLUMNS), max_size=len(COLUMNS)),
    lead=st.sampled_from([0, 2]),
    final=st.booleans(),
)
@example(content=b'"', columns=[0] * len(COLUMNS), lead=0, final=True)
@example(content=b'a,"b""c",\'=1,\\xFF\n', columns=[1] * len(COLUMNS), lead=2, final=True)
def test_the_compiled_kernel_is_its_specification(content: bytes, columns: list[int], lead: int, final: bool) -> None:
    """On any bytes and any column map both twins cut, rewrite and read the same."""
    compiled = outcome(_split, _parse, content, columns, lead, final, 4)
    assert compiled == outcome(split_reference, parse_reference, content, columns, lead, final, 4)


CELL = st.one_of(st.sampled_from([p for p in PIECES if p not in (b",", b"\n", b"\r", b"\r\n")]), st.binary(max_size=20))


@settings(max_examples=400)
@given(changes=st.lists(st.dictionaries(st.sampled_from(list(SOUND)), CELL, max_size=6), max_size=4))
def test_damaged_claims_read_the_same_in_both_twins(changes: list[dict[str, bytes]]) -> None:
    """A sound claim with some cells replaced by anything at all reads the same in both twins, and never raises."""
    sound = {name: text.encode() for name, text in SOUND.items()}
    lines = [
        b",".join(b'"' + cell.replace(b'"', b'""') + b'"' for cell in {**sound, **change}.values())
        for change in changes
    ]
    columns = [list(SOUND).index(name) if name in SOUND else -1 for name in COLUMNS]
    content = b"\n".join(lines)
    compiled = outcome(_split, _parse, content, columns, 0, True, len(SOUND))
    assert compiled == outcome(split_reference, parse_reference, content, columns, 0, True, len(SOUND))
    assert compiled.cut == (len(changes), len(content))
    assert compiled.shape == [cells.WHOLE] * len(changes)


def test_buffers_of_other_shapes_are_refused() -> None:
    """The kernel checks what it is given before it leaves Python."""
    data, table = np.zeros(10, np.uint8), new_cells(2, 3)
    places, types = np.zeros(len(COLUMNS), np.int64), np.array([310], np.int64)
    with pytest.raises(ValueError, match="columns and at most 2 rows"):
        _parse.parse(data, table, 3, places, types)
    with pytest.raises(ValueError, match="places of columns below 3"):
        _parse.parse(data, table, 2, places + 3, types)
    with pytest.raises(ValueError, match="begin <= end"):
        _split.split(data, 0, 11, True, 44, 0, table, 0)
