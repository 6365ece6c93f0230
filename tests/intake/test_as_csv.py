"""A Parquet file or JSON lines are taken in as the CSV they stand for, to the fen; a damaged line is one bad row."""

import csv
import datetime
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ledger
from core_ext.layout import ABSENT, AMOUNT, FACT
from core_ext.text import to_list
from ledger import as_csv
from ledger.as_csv import Pieces, pieces_of
from ledger.events import JobStarted
from ledger.profile import Profile
from ledger.refusals import SourceError
from ledger.source import ClaimColumns, Source
from tests.intake.claim_files import SOUND, claim_file, faults_of, whole
from tests.ledger.test_intake import some_rows
from tests.ledger.worlds import REPOSITORY, events_of, opened, rows_of
from tests.ledger.worlds import write as write_claims

Write = Callable[..., Source]

EXAMPLE = REPOSITORY / "docs" / "example"


def json_lines(*rows: dict[str, Any]) -> bytes:
    """Returns rows as JSON lines."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def parquet(columns: dict[str, Any], **how: Any) -> bytes:
    """Returns columns as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **how)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def sound(n: int = 1, **changes: Any) -> dict[str, Any]:
    """Returns the sound claim as columns of a table, some of them others."""
    named: dict[str, Any] = {name: [cell] * n for name, cell in SOUND.items()}
    return {
        **named,
        "setl_id": [f"S{at}" for at in range(n)],
        "medins_setl_id": [f"H{at}" for at in range(n)],
        **changes,
    }


def same(one: ClaimColumns, other: ClaimColumns) -> bool:
    """Returns whether two files were read alike."""
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("facts", "given", "faults", "field"))
        and one.texts.keys() == other.texts.keys()
        and all(to_list(one.texts[name]) == to_list(other.texts[name]) for name in one.texts)
    )


def test_the_same_claims_read_alike_in_each_form(write: Write, kernel: str) -> None:
    """Text, numbers, decimals and days of a Parquet file or JSON lines are what the same cells of a CSV file are."""
    changes = [{"setl_id": f"S{at}", "psn_name": '某 "b", 中'} for at in range(5000)]
    expected = whole(write(claim_file(*changes)))
    rows = [{**SOUND, **change} for change in changes]
    lines = whole(write(json_lines(*rows), name="claims.jsonl"))
    table = pa.Table.from_pylist(rows)
    for name, kind in (("medfee_sumamt", pa.decimal128(18, 4)), ("begndate", pa.date32()), ("hosp_lv", pa.int8())):
        column = table[name].cast(pa.int64()).cast(kind) if kind == pa.int8() else table[name].cast(kind)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    columns = whole(write(parquet({name: table[name] for name in table.column_names}), name="claims.parquet"))
    assert expected.faults.tolist() == [0] * 5000
    assert same(lines, expected) and same(columns, expected)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b,", 'c"', "d\n", "e:", '"f":']),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.integers() | st.booleans() | st.none(),
            min_size=1,
        ),
        min_size=1,
    )
)
@example([{"a": "\r"}])
def test_every_cell_of_json_lines_comes_out_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, rows: Any) -> None:
    """Whatever stands in names and texts, CSV read by the rules has it, in the order of the names' first appearance."""
    path = tmp_path_factory.mktemp("drawn") / "drawn.jsonl"
    path.write_bytes(json_lines(*rows))
    pieces = pieces_of(path, path.read_bytes()[:64], {})
    assert pieces is not None
    names, *found = csv.reader(io.StringIO(b"".join(pieces).decode(), newline=""))
    assert names == list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name) for name in names] for row in rows]
    assert found == [
        ["" if cell is None else str(int(cell)) if isinstance(cell, int) else cell for cell in row] for row in cells
    ]


def test_a_profile_says_nothing_of_the_spelling_of_json_and_parquet(write: Write, national: Profile) -> None:
    """They have an encoding and separators of their own, whatever the sender's CSV files have."""
    profile = msgspec.structs.replace(national, encoding="gb18030", delimiter=";")
    expected = whole(write(claim_file({})))
    assert same(whole(write(json_lines(SOUND), profile, name="claims.jsonl")), expected)
    columns = {name: [cell] for name, cell in SOUND.items()}
    assert same(whole(write(parquet(columns), profile, name="claims.parquet")), expected)


def test_a_number_of_json_keeps_its_spelling(write: Write, kernel: str) -> None:
    """Amounts go through no binary fraction: what has too many decimals, or an exponent, is refused as in CSV."""
    row = {**SOUND, "acct_pay": None}
    text = json.dumps(row, ensure_ascii=False)
    lines = [
        text.replace('"84.50"', "84.50").replace('"0.00"', "0").replace('"100.00"', "100"),
        text.replace('"84.50"', "84.500"),
        text.replace('"84.50"', "8.45e1"),
        text.replace('"84.50"', "9007199254740993.01"),
    ]
    source = write("\n".join(lines).encode(), name="claims.jsonl")
    assert faults_of(source) == [[], ["amount_precision"], ["amount_text"], ["amount_range"]]
    batch = whole(source)
    assert batch.facts[0, FACT["inscp_scp_amt"]] == 8450
    assert batch.given[0, AMOUNT["acct_pay"]] == ABSENT


DAMAGED = [
    b'{"setl_id": "S2"',
    b'["setl_id", "S2"]',
    b'{"setl_id": "S2", "setl_id": "S3"}',
    b'{"setl_id": "S2", "setl_id"\r: "S3", "psn_name": "x"}',
    b'{"setl_id": "\xff"}',
    b'{"setl_id": "\\ud800"}',
    b"S2",
    b"{" + b'"a":[' * 2000 + b"]" * 2000 + b"}",
]


@pytest.mark.parametrize("line", DAMAGED)
def test_a_line_that_is_no_object_is_one_bad_row(write: Write, kernel: str, line: bytes) -> None:
    """It is a row at its place, shown as it stands; those before and behind it are what they are."""
    source = write(
        json_lines({**SOUND, "setl_id": "S1"}) + b" \n" + line + b"\r\n" + json_lines({**SOUND, "setl_id": "S3"}),
        name="claims.jsonl",
    )
    assert faults_of(source) == [[], ["row_shape"], []]
    assert source.records([2]) == {2: [line.decode("utf-8", "surrogateescape")]}
    assert to_list(whole(source).texts["setl_id"])[::2] == ["S1", "S3"]


def test_a_name_inside_a_value_is_no_name_given_twice(write: Write) -> None:
    """A value that is an object of its own, or a text that looks like one, damages nothing in a column nobody reads."""
    source = write(
        json_lines({**SOUND, "note": {"setl_id": [1, 2.5]}}, {**SOUND, "note": '"setl_id": 1'}), name="claims.jsonl"
    )
    assert faults_of(source) == [[], []]
    assert [row[-1] for row in source.records([1, 2]).values()] == ['{"setl_id": [1, "2.5"]}', '"setl_id": 1']


def test_a_column_that_appears_late_is_a_column(write: Write) -> None:
    """What only some lines say is empty in the others."""
    without = {name: cell for name, cell in SOUND.items() if name != "acct_pay"}
    batch = whole(write(json_lines(without, {**SOUND, "acct_pay": "1.00"}), name="claims.jsonl"))
    assert batch.given[:, AMOUNT["acct_pay"]].tolist() == [ABSENT, 100]


def test_no_depth_of_what_is_inside_a_value_stops_a_file(write: Write) -> None:
    """Parts within parts are a cell or a bad row, however deep they go."""
    row = json.dumps({**SOUND, "note": 0}).encode()
    lines = [row[:-2] + b"[" * depth + b"]" * depth + b"}\n" for depth in range(800, 1020)]
    faults = faults_of(write(b"".join([row + b"\n", *lines]), name="claims.jsonl"))
    assert faults[:100] == [[]] * 100
    assert sorted(map(tuple, faults)) == [tuple(each) for each in faults]
    assert faults[-1] == ["row_shape"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"setl_id":\n{"x"\n', "got none that names anything: write each on its own line"),
        (json.dumps(SOUND, indent=1).encode(), "got none that names anything: write each on its own line"),
        (b"{}\n{}\n", "got none that names anything: write each on its own line"),
        (json_lines(SOUND).decode().encode("gb18030"), r"got text in GB18030 \(GBK\): save it as UTF-8"),
    ],
)
def test_a_file_without_one_object_is_refused_as_what_it_is(write: Write, content: bytes, said: str) -> None:
    """Its first line is no header, and no part of it is shown as one."""
    with pytest.raises(SourceError, match="expected lines of JSON in UTF-8, an object each, " + said):
        write(content, name="claims.jsonl")


def test_json_lines_in_another_encoding_are_refused_at_once(write: Write) -> None:
    """Not row by row: one that has nothing but ASCII in it would be booked, and the others be bad rows."""
    content = json_lines({**SOUND, "psn_name": "Li"}, *[SOUND] * 3).decode().encode("gb18030")
    with pytest.raises(
        SourceError, match=r"expected JSON lines in UTF-8, as JSON is, got text in GB18030 \(GBK\): save"
    ):
        write(content, name="claims.jsonl")


def test_names_that_are_no_columns_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys where names should be would make a table as wide as it is long."""
    monkeypatch.setattr(as_csv, "NAMES", 30)
    with pytest.raises(SourceError, match="expected objects that have their names in common, got more than 30: write"):
        write(json_lines(SOUND, *({f"S{at}": 1} for at in range(10))), name="claims.jsonl")


def test_long_lines_are_spelled_few_at_a_time(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory is bounded by its bytes, not by its lines alone."""
    monkeypatch.setattr(as_csv, "ROWS_BYTES", 5_000)
    path = write(json_lines(*[{**SOUND, "note": "x" * 1_000}] * 100), name="claims.jsonl").path
    pieces = pieces_of(path, b"{", {})
    assert pieces is not None
    lengths = list(map(len, pieces))
    assert len(lengths) > 20 and max(lengths) < 10_000


def test_column_names_in_brackets_are_no_json_array(write: Write) -> None:
    """A database's export may write its names so; what it lacks is told by name."""
    with pytest.raises(SourceError, match=r"expected the columns .* in the header, got only: \[setl_id\], \[psn_no\]"):
        write(b"[setl_id],[psn_no]\n1,2\n")


def test_a_json_array_is_refused_with_what_to_do(write: Write) -> None:
    """It cannot be read line by line: the sender writes its objects one a line."""
    with pytest.raises(SourceError, match="got a JSON array: write its objects one a line"):
        write(json.dumps([SOUND, SOUND]).encode(), name="claims.json")


def test_a_line_longer_than_a_record_may_be_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends is not read into memory as a whole."""
    monkeypatch.setattr(as_csv, "LINE_BYTES", 2_000)
    with pytest.raises(SourceError, match="expected an object a line, got line 2 of more than 2000 bytes"):
        write(json_lines(SOUND, {**SOUND, "psn_name": "x" * 2_000}), name="claims.jsonl")


MOMENT = datetime.datetime(2024, 1, 31, 23, 59, 59)
MIDNIGHT = datetime.datetime(2024, 1, 31)
CHINA = datetime.timezone(datetime.timedelta(hours=8))
UTC_MOMENT = datetime.datetime(2024, 1, 31, 16, 30, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("medfee_sumamt", pa.array([Decimal("12.30")], pa.decimal128(18, 2)), "12.30"),
        ("medfee_sumamt", pa.array([Decimal("12.3000")], pa.decimal128(18, 4)), "12.30"),
        ("medfee_sumamt", pa.array([Decimal("12.3001")], pa.decimal128(18, 4)), "12.3001"),
        (
            "medfee_sumamt",
            pa.array([Decimal("-" + "9" * 31 + ".30")], pa.decimal256(60, 5)),
            "-" + "9" * 31 + ".30",
        ),
        ("medfee_sumamt", pa.array([12], pa.uint64()), "12"),
        ("insutype", pa.array(["310"]).dictionary_encode(), "310"),
        ("psn_name", pa.array(["某"], pa.large_string()), "某"),
        ("refd_setl_flag", pa.array([True]), "1"),
        ("acct_pay", pa.array([None]), ""),
        ("begndate", pa.array([MOMENT.date()], pa.date64()), "2024-01-31"),
        ("begndate", pa.array([MIDNIGHT], pa.timestamp("ns")), "2024-01-31"),
        ("enddate", pa.array([MIDNIGHT.replace(tzinfo=CHINA)], pa.timestamp("us", "UTC")), "2024-01-31"),
        ("enddate", pa.array([MOMENT], pa.timestamp("ns")), "2024-01-31 23:59:59"),
        ("setl_time", pa.array([MIDNIGHT], pa.timestamp("ns")), "2024-01-31 00:00:00"),
        ("setl_time", pa.array([MOMENT], pa.timestamp("ns")), "2024-01-31 23:59:59"),
        ("setl_time", pa.array([MOMENT.replace(microsecond=5)], pa.timestamp("us")), "2024-01-31 23:59:59.000005"),
        ("setl_time", pa.array([UTC_MOMENT], pa.timestamp("ms", "UTC")), "2024-02-01 00:30:00"),
        ("setl_time", pa.array([UTC_MOMENT], pa.timestamp("us", "America/New_York")), "2024-02-01 00:30:00"),
    ],
)
def test_a_cell_of_parquet_is_spelled_as_in_csv(write: Write, name: str, column: Any, said: str) -> None:
    """Decimals lose zeros alone, a moment with a zone is China's, and what would lose something stays as it is."""
    source = write(parquet(sound(**{name: column})), name="claims.parquet")
    assert dict(zip(source.columns, source.records([1])[1], strict=True))[name] == said


LATER = MOMENT.replace(microsecond=5)


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        (
            "medfee_sumamt",
            pa.array([Decimal("12.300"), Decimal("12.301"), None, Decimal("-0.010")], pa.decimal128(18, 3)),
            ["12.30", "12.301", "", "-0.01"],
        ),
        (
            "medfee_sumamt",
            pa.array([Decimal("9" * 30 + ".3"), Decimal("1E-30")], pa.decimal256(60, 30)),
            ["9" * 30 + ".30", "1E-30"],
        ),
        (
            "setl_time",
            pa.array([MOMENT, LATER, None], pa.timestamp("us")),
            ["2024-01-31 23:59:59", "2024-01-31 23:59:59.000005", ""],
        ),
        (
            "setl_time",
            pa.array([UTC_MOMENT, LATER.replace(tzinfo=CHINA)], pa.timestamp("us", "UTC")),
            ["2024-02-01 00:30:00", "2024-01-31 23:59:59.000005"],
        ),
    ],
)
def test_a_cell_that_would_lose_something_leaves_those_beside_it_alone(
    write: Write, name: str, column: Any, said: list[str]
) -> None:
    """One amount with a third decimal, or one moment between two seconds, is a bad row of its own and of no other."""
    source = write(parquet(sound(len(column), **{name: column})), name="claims.parquet")
    at = source.columns.index(name)
    assert [row[at] for row in source.records(range(1, len(column) + 1)).values()] == said


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            pa.array([12.3]),
            "got double in column medfee_sumamt; an amount as a binary fraction is not",
        ),
        (pa.array([[1]]), "got list<.*> in column medfee_sumamt: write it as"),
        (pa.array([b"1"]), "got binary in column medfee_sumamt: write it as"),
    ],
)
def test_a_column_without_one_spelling_is_refused(write: Write, column: Any, said: str) -> None:
    """Binary fractions before all: the fen they stand for is a guess."""
    with pytest.raises(SourceError, match=said):
        write(parquet(sound(medfee_sumamt=column)), name="claims.parquet")


@pytest.mark.parametrize("kept", [6, 500, -20])
def test_a_damaged_parquet_file_is_refused_as_a_whole(write: Write, kept: int) -> None:
    """Cut off anywhere it has no columns any more."""
    with pytest.raises(SourceError, match="expected a Parquet file that can be read, got: "):
        write(parquet(sound(100))[:kept], name="claims.parquet")


def test_a_parquet_file_with_a_name_that_is_no_text_is_refused(write: Write) -> None:
    """As any other damage of what tells the columns."""
    content = parquet(sound(column_x=["1"])).replace(b"column_x", b"column\xff\xfe")
    with pytest.raises(SourceError, match="expected a Parquet file that can be read, got: "):
        write(content, name="claims.parquet")


def test_a_parquet_file_without_rows_has_none(write: Write) -> None:
    """A header is a file of no claims, as in CSV."""
    source = write(parquet({name: pa.array([], pa.string()) for name in SOUND}), name="claims.parquet")
    assert list(source.batches()) == []


def test_pieces_are_one_file() -> None:
    """However they are cut, and empty ones among them, they read as one."""
    for size in (1, 2, 3, 7, 100):
        file = io.BufferedReader(Pieces(iter([b"ab", b"", b"cdefg", b"h", b""])), size)
        assert file.peek()[:1] == b"a"
        assert file.read(3) + file.read() == b"abcdefgh"


def test_fee_lines_of_each_form_are_filed_the_same(sqlite_url: str, tmp_path: Path) -> None:
    """The example's fee lines, once in each form: what is filed the first time is a duplicate afterwards."""
    with (EXAMPLE / "lines.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    (tmp_path / "lines.jsonl").write_bytes(json_lines(*cells))
    pq.write_table(pa.Table.from_pylist(cells), tmp_path / "lines.parquet")
    with ledger.create(sqlite_url, actor="test") as book:
        book.enact("qingyuan", [441800])
        book.intake(EXAMPLE / "claims.csv", quarantine=tmp_path / "bad.csv")
        first = book.lines(tmp_path / "lines.parquet", quarantine=tmp_path / "bad-lines.csv")
        assert (first.rows, first.booked, first.quarantined) == (len(cells), len(cells), 0)
        for path in (tmp_path / "lines.jsonl", EXAMPLE / "lines.csv"):
            again = book.lines(path, quarantine=tmp_path / "bad-lines.csv")
            assert (again.rows, again.duplicate) == (len(cells), len(cells))


def test_a_job_over_each_form_books_the_same(store_url: str, tmp_path: Path) -> None:
    """From the file to the events, all but the file's own name and digest, and the quarantine file, cell by cell."""
    plain = write_claims(tmp_path / "claims.csv", some_rows())
    with plain.open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    (tmp_path / "claims.jsonl").write_bytes(json_lines(*cells))
    pq.write_table(pa.Table.from_pylist(cells), tmp_path / "claims.parquet")
    found = []
    for at, form in enumerate(("csv", "jsonl", "parquet")):
        quarantine = tmp_path / f"{form}.bad.csv"
        with opened(store_url if at == 0 else f"sqlite:///{tmp_path / f'{form}.db'}") as book:
            book.clock_us = lambda: 1_711_929_600_000_000
            report = book.intake(tmp_path / f"claims.{form}", quarantine=quarantine)
            # A job's own stream is its file's digest, and what it starts with has the name too.
            events = [
                (at, "" if stream.startswith("job-") else stream, version, topic, state)
                for at, stream, version, topic, state in events_of(book)
                if topic != JobStarted.TOPIC
            ]
            found.append(
                (
                    (report.rows, report.booked, report.duplicate, report.medfee_fen, report.reasons),
                    events,
                    rows_of(book, "person_year", "key"),
                    quarantine.read_text(encoding="utf-8") if report.quarantined else "",
                )
            )
    assert found[0][0][1] > 0
    assert found[0] == found[1] == found[2]
