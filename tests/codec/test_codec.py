"""Promises of the codec kernels: the bytes of msgspec, one meaning in both twins, no state that breaks them."""

import ctypes
import mmap
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _codec as compiled
from core_ext import _records as compiled_records
from core_ext.codec_fields import Array, Binary, Choice, Chosen, Column, Const, Encoded, Ints, Source, Table, Text
from core_ext.layout import ABSENT
from core_ext.reference import codec as reference
from core_ext.reference import records as specified_records
from core_ext.text import Texts, texts_from_list


def copied(kernel: ModuleType, *columns: object, per: int = 2) -> bytes:
    """Returns the binary COPY tuples of rows, the pieces of ``per`` rows joined."""
    return b"".join(kernel.copy_pieces(*columns, per, b"", b""))


def _portable() -> ModuleType:
    """Returns the compiled codec as it is on a processor without wide instructions."""

    def portably(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: object) -> Any:
            compiled.use_portable(True)
            try:
                return call(*arguments)
            finally:
                compiled.use_portable(False)

        return called

    module = ModuleType("portable")
    module.__dict__.update(vars(compiled), encode=portably(compiled.encode), decode=portably(compiled.decode))
    return module


BOTH = pytest.mark.parametrize(
    "codec", [reference, compiled, _portable()], ids=["reference", "compiled", "compiled-portable"]
)
EDGES = sorted({sign * 2**bits + by for bits in (5, 7, 8, 15, 16, 31, 32, 62) for by in (-1, 0, 1) for sign in (1, -1)})
INT64 = st.one_of(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63) + 1, *EDGES]), st.integers(-(2**63) + 1, 2**63 - 1))
CELL = st.one_of(st.just(ABSENT), INT64)
TEXT = st.one_of(st.text(max_size=40), st.sampled_from(["", "a" * 31, "b" * 32, "c" * 255, "d" * 256, "清" * 22000]))
LAYOUT = ("int", "table:2", "str", "bytes", "ints:3", "optional-ints:17")
ROW = st.tuples(
    INT64,
    st.tuples(INT64, INT64),
    TEXT,
    st.binary(max_size=300),
    st.tuples(INT64, INT64, INT64),
    st.one_of(st.none(), st.tuples(*[CELL] * 17)),
)


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def sources(rows: list[tuple]) -> list[Source]:
    """Returns the sources of LAYOUT for drawn rows; the plain ints are a column of a wider table."""
    n = len(rows)
    wide = np.zeros((n, 3), dtype=np.int64)
    wide[:, 1] = [row[0] for row in rows]
    return [
        Ints(wide[:, 1]),
        Table(ints([row[1] for row in rows]).reshape(n, 2)),
        Text(*texts_from_list([row[2] for row in rows])),
        Binary(*texts_from_list([row[3] for row in rows])),
        Array(ints([row[4] for row in rows]).reshape(n, 3)),
        Array(ints([row[5] or (0,) * 17 for row in rows]).reshape(n, 17), ints([row[5] is not None for row in rows])),
    ]


def plain(row: tuple) -> list:
    """Returns a drawn row as the value msgspec would write."""
    optional = None if row[5] is None else [None if cell == ABSENT else cell for cell in row[5]]
    return [row[0], *row[1], row[2], row[3], list(row[4]), optional]


def same(left: list[Column], right: list[Column]) -> bool:
    for a, b in zip(left, right, strict=True):
        pairs = zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]
        if not all(x.shape == y.shape and x.dtype == y.dtype and bool((x == y).all()) for x, y in pairs):
            return False
    return True


@BOTH
@settings(max_examples=60)
@given(rows=st.lists(ROW, min_size=1, max_size=5), data=st.data())
def test_states_are_the_bytes_msgspec_writes(codec: ModuleType, rows: list[tuple], data: st.DataObject) -> None:
    """Whatever rows are selected, in whatever order, each state is what msgspec writes, and reads back the same."""
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    encoded = codec.encode(sources(rows), ints(chosen))
    states = codec.cut(encoded)
    assert states == [msgspec.msgpack.encode(plain(rows[i])) for i in chosen]
    assert len(encoded.data) == sum(map(len, states))
    columns = codec.decode(LAYOUT, encoded)
    assert same(columns, codec.decode(LAYOUT, states))
    assert same(columns, reference.decode(LAYOUT, states))
    assert codec.cut(codec.encode(sources([rows[i] for i in chosen]), np.arange(len(chosen)))) == states


USUAL = st.one_of(st.sampled_from([0, 0, 0, 0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1]), INT64)


@BOTH
@settings(max_examples=80)
@given(data=st.data(), width=st.integers(1, 27), columns=st.lists(st.integers(0, 11), max_size=14))
def test_integers_are_written_alike_however_they_lie_in_memory(
    codec: ModuleType, data: st.DataObject, width: int, columns: list[int]
) -> None:
    """Columns of one table, neighbours or not, columns of their own and arrays of any width: the bytes of msgspec."""
    rows = data.draw(st.integers(1, 3))
    table = ints([data.draw(st.lists(USUAL, min_size=12, max_size=12)) for _ in range(rows)])
    cells = ints([data.draw(st.lists(USUAL, min_size=width, max_size=width)) for _ in range(rows)])
    fields: list[Source] = [Ints(table[:, at] if at % 4 else table[:, at].copy()) for at in columns]
    fields += [Const(b"\xcd\x01\x02"), Array(cells), Const(b"\xce\x01\x02\x03\x04"), Ints(table[:, 0]), Const(b"\x05")]
    states = codec.cut(codec.encode(fields, np.arange(rows)))
    assert states == [
        msgspec.msgpack.encode([*(row[at] for at in columns), 258, array, 16909060, row[0], 5])
        for row, array in zip(table.tolist(), cells.tolist(), strict=True)
    ]
    layout = (*["int"] * len(columns), "int", f"ints:{width}", "int", "int", "int")
    assert same(codec.decode(layout, states), reference.decode(layout, states))


@BOTH
def test_constants_and_choices_are_written_as_they_are(codec: ModuleType) -> None:
    """A value given as msgpack stands in the state untouched, one for all rows or one of a few."""
    digests = [msgspec.msgpack.encode(bytes([k]) * 16) for k in range(3)]
    fields = [Const(msgspec.msgpack.encode(202403)), Choice(ints([2, 0, 1]), digests)]
    states = codec.cut(codec.encode(fields, ints([0, 2])))
    assert states == [msgspec.msgpack.encode([202403, bytes([k]) * 16]) for k in (2, 1)]
    assert codec.cut(codec.encode([Const(b"\x07")], ints([0, 0, 5]))) == [b"\x91\x07"] * 3


BAD_FIELDS = [
    (Choice(ints([0, 2]), [b"\x01", b"\x02"]), "row 1, field 1: expected a choice from 0 to 1, got 2"),
    (Choice(ints([-1, 0]), [b"\x01"]), "row 0, field 1: expected a choice from 0 to 0, got -1"),
    (Text(ints([0, 1, 2]), np.frombuffer(b"a\xff", np.uint8)), "row 1, field 1: expected UTF-8 text"),
    (Text(ints([0, 1, 9]), np.frombuffer(b"ab", np.uint8)), "row 1, field 1: expected offsets rising within 2 bytes"),
    (Text(ints([0, 2, 1]), np.frombuffer(b"ab", np.uint8)), "row 1, field 1: expected offsets rising within 2 bytes"),
    (Binary(ints([-1, 2, 2]), np.frombuffer(b"ab", np.uint8)), "row 0, field 1: expected offsets rising"),
    (Array(ints([[1, 2], [3, ABSENT]])), "row 1, field 1: expected an integer in every cell, got an absent one in"),
    (Ints(ints([1, 2, 3])), "same number of rows"),
    (Ints(np.zeros(2)), "expected int64 values"),
    (Array(ints([[1, 2], [3, 4]]).T, ints([1, 1])), "C-contiguous"),
    (Array(ints([[1, 2], [3, 4]]), ints([1])), "expected 2 rows in present"),
]


@BOTH
@pytest.mark.parametrize(("field", "text"), BAD_FIELDS)
def test_a_source_that_cannot_be_written_is_refused_by_row_and_field(
    codec: ModuleType, field: Source, text: str
) -> None:
    """Nothing absent, out of range or not text gets into a state: the error names the row and the field."""
    with pytest.raises(ValueError, match=text.replace("[", r"\[")):
        codec.encode([Ints(ints([5, 6])), field], ints([0, 1]))


@BOTH
def test_rows_outside_the_sources_are_refused(codec: ModuleType) -> None:
    """A row number that no source has is an error, not memory of somebody else."""
    for row in (-1, 2):
        with pytest.raises(ValueError, match="expected rows from 0 to 1"):
            codec.encode([Ints(ints([5, 6]))], ints([row]))


def outcome(codec: ModuleType, layout: tuple[str, ...], states: list[bytes] | Encoded | Chosen) -> list[Column] | str:
    try:
        columns: list[Column] = codec.decode(layout, states)
    except ValueError as error:
        return str(error)
    return columns


@settings(max_examples=300)
@given(rows=st.lists(ROW, min_size=1, max_size=3), data=st.data())
def test_damaged_states_are_refused_alike_and_never_read_out_of_bounds(rows: list[tuple], data: st.DataObject) -> None:
    """Truncated, flipped or spliced bytes either decode or name row, field, expected and got, in both twins alike."""
    states = [msgspec.msgpack.encode(plain(row)) for row in rows]
    at = data.draw(st.integers(0, len(states) - 1))
    raw = bytearray(states[at])
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        match data.draw(st.sampled_from(["cut", "flip", "byte", "add"])):
            case "cut":
                del raw[where:]
            case "flip" if raw:
                raw[where] ^= 1 << data.draw(st.integers(0, 7))
            case "byte" if raw:
                raw[where] = data.draw(st.sampled_from([0, 0x7F, 0x9F, 0xBF, 0xC0, 0xC1, 0xCF, 0xD3, 0xDB, 0xDD, 0xFF]))
            case _:
                raw += data.draw(st.binary(max_size=9))
    states[at] = bytes(raw)
    joined = Encoded(*texts_from_list(states))
    expected = outcome(reference, LAYOUT, states)
    for got in (outcome(compiled, LAYOUT, states), outcome(compiled, LAYOUT, joined)):
        assert got == expected if isinstance(expected, str) else not isinstance(got, str) and same(got, expected)


@settings(max_examples=300)
@given(raw=st.binary(max_size=40))
def test_any_bytes_at_all_are_read_alike(raw: bytes) -> None:
    """Bytes that nobody wrote as a state are refused in the same words by both twins."""
    for layout in (("int",), ("str", "int"), ("optional-ints:3",), ("bytes", "table:2")):
        for state in (raw, bytes([0x90 + len(layout)]) + raw):
            expected, got = outcome(reference, layout, [state]), outcome(compiled, layout, [state])
            assert got == expected if isinstance(expected, str) else not isinstance(got, str) and same(got, expected)


MALFORMED = [
    (("int", "str"), ["\x92\x01"], "row 0, field 1: expected UTF-8 text, got the end of the state"),
    (("int", "str"), ["\x92\x01\xa0", "\x92\xc0\xa0"], "row 1, field 0: expected an int of 64 bits, got byte 0xc0"),
    (("int",), ["\x91\xcf" + "\xff" * 8], "row 0, field 0: expected an int of 64 bits, got a larger one"),
    (("int",), ["\x92\x01\x02"], "row 0, the state: expected an array of 1 fields, got 2 of them"),
    (("int",), ["\x91\x01\x02"], "row 0, the state: expected an array of 1 fields, got 1 bytes behind it"),
    (("int",), [""], "row 0, the state: expected an array of 1 fields, got the end of the state"),
    (("str",), ["\x91\xa1\xff"], "row 0, field 0: expected UTF-8 text, got bytes that are not UTF-8"),
    (("table:2", "ints:2"), ["\x93\x01\x02\x93\x01\x02\x03"], "row 0, field 2: .*at most 2 ints, got 3 of them"),
    (("optional-ints:2",), ["\x91\x92\xc0\xc3"], "row 0, field 0: expected nil or .* and nils, got byte 0xc3"),
    (("ints:2",), ["\x91\xc0"], "row 0, field 0: expected an array of at most 2 ints, got byte 0xc0"),
    (("bytes",), ["\x91\xa1a"], "row 0, field 0: expected bytes, got byte 0xa1"),
]


@BOTH
@pytest.mark.parametrize(("layout", "states", "text"), MALFORMED)
def test_a_malformed_state_is_named(codec: ModuleType, layout: tuple[str, ...], states: list[str], text: str) -> None:
    """A state that is not what its event says is told by row, field, expected and got."""
    with pytest.raises(ValueError, match=text):
        codec.decode(layout, [state.encode("latin-1") for state in states])


@BOTH
def test_arrays_written_before_a_column_existed_read_on(codec: ModuleType) -> None:
    """A shorter array is an older one: sums read 0 in the columns it lacks, amounts that were not given read absent."""
    plain_ints, (optional, present) = codec.decode(
        ("ints:3", "optional-ints:3"), [msgspec.msgpack.encode([[7], [None, 8]]), msgspec.msgpack.encode([[], None])]
    )
    assert plain_ints.tolist() == [[7, 0, 0], [0, 0, 0]]
    assert optional.tolist() == [[ABSENT, 8, ABSENT], [ABSENT] * 3]
    assert present.tolist() == [1, 0]


@BOTH
def test_unknown_kinds_and_other_objects_are_refused(codec: ModuleType) -> None:
    """Only bytes are states, and only the six kinds are kinds."""
    for kind in ("float", "ints", "int:3", "ints:0", "ints:x"):
        with pytest.raises(ValueError, match="as a kind"):
            codec.decode((kind,), [b"\x91\x01"])
    with pytest.raises(TypeError, match="row 1: expected the bytes of a state, got str"):
        codec.decode(("int",), [b"\x91\x01", "no"])
    with pytest.raises(ValueError, match="offsets rising"):
        codec.decode(("int",), Encoded(ints([0, 99]), np.frombuffer(b"\x91\x01", np.uint8)))


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(st.text(max_size=50), INT64, st.integers(0, 1), st.binary(max_size=9)), max_size=5))
def test_rows_for_stores_are_the_same_in_both_twins(rows: list[tuple[str, int, int, bytes]]) -> None:
    """What SQLite and PostgreSQL take in holds every column unchanged, ids rising without a gap."""
    names = ("claim-filed/1", "结算/1")
    arguments = (
        texts_from_list([row[0] for row in rows]),
        ints([row[1] for row in rows]),
        ints([row[2] for row in rows]),
        names,
        Encoded(*texts_from_list([row[3] for row in rows])),
        2**40,
    )
    expected = [(2**40 + i, row[0], row[1], names[row[2]], row[3]) for i, row in enumerate(rows)]
    assert compiled.rows(*arguments) == reference.rows(*arguments) == expected
    whole = copied(compiled_records, *arguments, per=len(rows) + 1)
    assert whole == copied(specified_records, *arguments, per=len(rows) + 1)
    assert compiled_records.pack_arrays(*arguments) == specified_records.pack_arrays(*arguments)
    streams = [row[0] for row in rows]
    assert compiled_records.pack_texts(streams) == specified_records.pack_texts(streams)
    for per in (1, 2, 3):
        pieces = [list(k.copy_pieces(*arguments, per, b"he", b"ta")) for k in (compiled_records, specified_records)]
        assert pieces[0] == pieces[1] and b"".join(pieces[0]) == b"he" + whole + b"ta"
        cells = [cell for row in expected for cell in row]
        groups = [tuple(cells[at : at + 5 * per]) for at in range(0, len(cells), 5 * per)]
        assert list(compiled.grouped(*arguments, per)) == list(reference.grouped(*arguments, per)) == groups


NAMES = st.sampled_from(["claim-filed/1", "claim-settled/1", "结算/1", "", "claim-filed/2", "claim-filed", "a\0b"])


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.lists(NAMES, min_size=1, max_size=8), max_size=3))
def test_lines_are_numbered_as_they_first_appear(parts: list[list[str]]) -> None:
    """Every line keeps its name, whatever came before it, over several texts too."""
    found = []
    for kernel in (compiled_records, specified_records):
        names: list[str] = []
        numbers = [number for lines in parts for number in kernel.named("\n".join(lines).encode(), names).tolist()]
        assert [names[number] for number in numbers] == [line for lines in parts for line in lines]
        found.append((numbers, names))
    assert found[0] == found[1]


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.integers(0, 10**18 - 1).map(str) | st.text("0129,-+ x", max_size=20), max_size=6).map(",".join))
def test_integers_are_those_between_commas(text: str) -> None:
    """Whole numbers of up to 18 digits are read; anything else is named, by both twins alike."""
    cells = text.split(",") if text else []
    wrong = next((at for at, cell in enumerate(cells) if not (cell.isdecimal() and len(cell) <= 18)), None)
    for kernel in (compiled_records, specified_records):
        if wrong is None:
            assert kernel.integers(text.encode()).tolist() == [int(cell) for cell in cells]
        else:
            with pytest.raises(ValueError, match=f"cell {wrong}: expected a whole number .*, got b'"):
                kernel.integers(text.encode())


@pytest.mark.parametrize("kernel", [compiled_records, specified_records])
def test_a_line_that_is_no_text_is_refused(kernel: ModuleType) -> None:
    """A name is UTF-8."""
    with pytest.raises(UnicodeDecodeError):
        kernel.named(b"a\n\xff", [])


@pytest.mark.parametrize(
    "function",
    [
        *(compiled.rows, partial(copied, compiled_records), compiled_records.pack_arrays),
        *(reference.rows, partial(copied, specified_records), specified_records.pack_arrays),
    ],
)
def test_rows_of_unequal_columns_are_refused(function: Callable[..., object]) -> None:
    """A row is never made of columns that do not belong together, nor given a topic without a name."""
    streams, states = texts_from_list(["a", "b"]), Encoded(*texts_from_list([b"\x91\x01", b"\x91\x02"]))
    with pytest.raises(ValueError, match="versions: expected 2 of them, one a state, got 1"):
        function(streams, ints([1]), ints([0, 0]), ("t",), states, 1)
    with pytest.raises(ValueError, match="topics: expected 0 to 0, got 0 to 1"):
        function(streams, ints([1, 1]), ints([0, 1]), ("t",), states, 1)


@pytest.mark.parametrize("kernel", [compiled_records, specified_records])
@pytest.mark.parametrize(
    ("column", "other", "message"),
    [
        (0, Texts(ints([0, 2, 1]), np.zeros(3, np.uint8)), "streams: expected offsets rising within 3 bytes"),
        (0, Texts(ints([0, 1, 4]), np.zeros(3, np.uint8)), "streams: expected offsets rising within 3 bytes"),
        (0, Texts(ints([0, 1, 2]), np.zeros(3, np.int64)), "streams: expected contiguous uint8 data, got int64"),
        (0, Texts(ints([0, 1]), np.zeros(3, np.uint8)), "streams: expected 2 of them, one a state, got 1"),
        (1, np.zeros(2, np.int32), "versions: expected int64 values in 1 dimensions, got int32"),
        (1, np.zeros(4, np.int64)[::2], "versions: expected C-contiguous values"),
        (2, ints([0, -1]), "topics: expected 0 to 0, got -1 to 0"),
        (4, Encoded(ints([-1, 1, 2]), np.zeros(3, np.uint8)), "states: expected offsets rising within 3 bytes"),
        (4, Encoded(ints([]), np.zeros(3, np.uint8)), "states: expected one offset more than texts, got none"),
    ],
)
def test_columns_that_are_no_rows_are_refused_alike(
    kernel: ModuleType, column: int, other: object, message: str
) -> None:
    """Whatever is wrong with a column, nothing is packed, and both kernels say the same."""
    given: list[object] = [texts_from_list(["a", "b"]), ints([1, 1]), ints([0, 0]), ("t",)]
    given += [Encoded(*texts_from_list([b"x", b"y"])), 1]
    given[column] = other
    for pack in (kernel.pack_arrays, partial(copied, kernel)):
        with pytest.raises(ValueError, match=re.escape(message)):
            pack(*given)


@pytest.mark.parametrize("kernel", [compiled_records, specified_records])
def test_a_piece_has_a_row_at_least(kernel: ModuleType) -> None:
    """Pieces of no rows would never end."""
    given = (texts_from_list(["a"]), ints([1]), ints([0]), ("t",), Encoded(*texts_from_list([b"x"])), 1)
    with pytest.raises(ValueError, match="expected at least 1 row a piece, got 0"):
        list(kernel.copy_pieces(*given, 0, b"", b""))


@pytest.mark.parametrize("kernel", [compiled_records, specified_records])
def test_a_text_that_is_no_unicode_is_not_packed(kernel: ModuleType) -> None:
    """Half a surrogate pair has no bytes in UTF-8, and what is no text has none either."""
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        kernel.pack_texts(["a", "\ud800"])
    with pytest.raises((TypeError, AttributeError)):
        kernel.pack_texts(["a", 1])


def test_a_copy_tuple_is_five_fields_of_length_and_value() -> None:
    """PostgreSQL's binary COPY reads: field count, then each field's length and bytes, numbers big-endian."""
    states = Encoded(*texts_from_list([b"\x91\x01"]))
    packed = copied(compiled_records, texts_from_list(["s"]), ints([3]), ints([0]), ("t/1",), states, 258)
    assert packed.hex(" ", 1) == (
        "00 05 00 00 00 01 73 00 00 00 08 00 00 00 00 00 00 00 03 00 00 00 03 74 2f 31"
        " 00 00 00 02 91 01 00 00 00 08 00 00 00 00 00 00 01 02"
    )


def test_postgresql_takes_the_copy_tuples(postgres_server: str) -> None:
    """A table of PostgreSQL filled by the packed tuples holds the rows that SQLite is given."""
    import psycopg

    arguments = (
        texts_from_list(["claim-440100-S1", "py-2024-7"]),
        ints([1, 2**40]),
        ints([1, 0]),
        ("claim-settled/1", "claim-filed/1"),
        Encoded(*texts_from_list([b"\x91\x01", b""])),
        2**33,
    )
    with psycopg.connect(postgres_server) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE taken (originator_id text, originator_version bigint, topic text, state bytea, "
            "notification_id bigint)"
        )
        with cursor.copy("COPY taken FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + copied(compiled_records, *arguments) + b"\xff\xff")
        cursor.execute("SELECT notification_id, originator_id, originator_version, topic, state FROM taken ORDER BY 1")
        assert cursor.fetchall() == compiled.rows(*arguments)


def test_nothing_is_read_behind_the_last_byte() -> None:
    """States and texts that end where the process may not read are decoded and encoded without touching beyond."""
    library, page = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    held = (ctypes.c_char * (2 * page)).from_buffer(memory)
    guard = ctypes.addressof(held) + page
    assert library.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(page), 0) == 0
    try:
        room = np.frombuffer(memory, dtype=np.uint8, count=page)
        row = (2**40, (1, -1), "S20240301", b"digest", (0, 2**31, -5), (None, *range(15), ABSENT))
        full = msgspec.msgpack.encode(plain((*row[:5], tuple(ABSENT if c is None else c for c in row[5]))))
        for length in range(len(full) + 1):
            state = full[:length]
            room[page - length :] = np.frombuffer(state, dtype=np.uint8)
            # Alone, and eight of the same place: a block.
            for rows in (ints([0]), ints([0] * 8)):
                encoded = Chosen(Encoded(ints([0, length]), room[page - length :]), rows)
                expected, got = outcome(reference, LAYOUT, [state] * len(rows)), outcome(compiled, LAYOUT, encoded)
                assert (
                    got == expected if isinstance(expected, str) else not isinstance(got, str) and same(got, expected)
                )
        for length in (0, 1, 8, 31, 32, 33, 300):
            room[page - length :] = ord("s")
            text = Text(ints([0, length]), room[page - length :])
            assert compiled.cut(compiled.encode([text], ints([0]))) == [msgspec.msgpack.encode(["s" * length])]
    finally:
        library.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(page), mmap.PROT_READ | mmap.PROT_WRITE)
