"""Specifies the rows that stores take in, made from the buffers of a batch of events."""

import re
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from core_ext.codec_fields import Encoded, Int64s, int64s, texts_checked
from core_ext.text import Texts

_COPY_HEAD = b"\0\x05"


def cut(encoded: Encoded) -> list[bytes]:
    """Returns the states as bytes objects; raises ValueError for offsets outside the data."""
    texts_checked("states", encoded.offsets, encoded.data)
    data, offsets = encoded.data.tobytes(), encoded.offsets.tolist()
    return [data[a:b] for a, b in pairwise(offsets)]


def check_rows(streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded) -> int:
    """Returns how many rows there are; raises ValueError for columns that do not belong together."""
    count = texts_checked("states", states.offsets, states.data)
    lengths = {
        "streams": texts_checked("streams", streams.offsets, streams.data),
        "versions": len(int64s("versions", versions)),
        "topics": len(int64s("topics", topics)),
    }
    for what, length in lengths.items():
        if length != count:
            raise ValueError(f"{what}: expected {count} of them, one a state, got {length}")
    if count and (topics.min() < 0 or topics.max() >= len(names)):
        raise ValueError(f"topics: expected 0 to {len(names) - 1}, got {topics.min()} to {topics.max()}")
    return count


def rows(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first_id: int
) -> list[tuple[int, str, int, str, bytes]]:
    """Returns (id, stream, version, topic, state) a state, ids rising from ``first_id``, for ``executemany``.

    Raises ValueError for columns of different lengths, topics without a name, streams that are not UTF-8.
    """
    check_rows(streams, versions, topics, names, states)
    data, offsets = streams.data.tobytes(), streams.offsets.tolist()
    ids = [data[a:b].decode() for a, b in pairwise(offsets)]
    named = [names[at] for at in topics.tolist()]
    return [
        (first_id + i, stream, version, topic, state)
        for i, (stream, version, topic, state) in enumerate(
            zip(ids, versions.tolist(), named, cut(states), strict=True)
        )
    ]


def grouped(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first_id: int, per: int
) -> Iterator[tuple[int | str | bytearray, ...]]:
    """Yields the cells of ``rows`` in order, ``per`` rows a tuple and the rest in a last one, each made when asked for.

    A state comes as a bytearray: sqlite3 looks for an adapter of every bytes object it is given, which costs more
    than the copy. Raises as ``rows`` does, ValueError for fewer than one row a tuple.
    """
    if per < 1:
        raise ValueError(f"expected at least 1 row a tuple, got {per}")
    made = rows(streams, versions, topics, names, states, first_id)
    for at in range(0, len(made), per):
        cells: list[int | str | bytearray] = []
        for position, stream, version, topic, state in made[at : at + per]:
            cells += (position, stream, version, topic, bytearray(state))
        yield tuple(cells)


#: Digits of the longest integer that is read: it always fits into 64 bits.
DIGITS = 18

_INTEGER = re.compile(rb"[0-9]{1,%d}" % DIGITS)


def integers(text: bytes) -> Int64s:
    """Returns whole numbers from 0 that commas stand between, none where the text is empty.

    Raises ValueError for anything else, a number of more than 18 digits among it.
    """
    cells = text.split(b",") if text else []
    for at, cell in enumerate(cells):
        if not _INTEGER.fullmatch(cell):
            raise bad_integer(text, at)
    return np.array([int(cell) for cell in cells], np.int64)


def bad_integer(text: bytes, at: int) -> ValueError:
    """Returns the error for a cell that is no integer."""
    return ValueError(f"cell {at}: expected a whole number of at most {DIGITS} digits, got {text.split(b',')[at]!r}")


def named(text: bytes, names: list[str]) -> Int64s:
    """Returns the number in ``names`` of each line of a text, of which a text without a newline is one.

    A line that is not in ``names`` yet is appended there. Raises UnicodeDecodeError where it is not UTF-8.
    """
    known = {name: number for number, name in enumerate(names)}
    found = [known.setdefault(line.decode(), len(known)) for line in text.split(b"\n")]
    names += list(known)[len(names) :]
    return np.array(found, np.int64)


def _copy_field(raw: bytes) -> bytes:
    return struct.pack(">i", len(raw)) + raw


def copy_pieces(
    streams: Texts,
    versions: Int64s,
    topics: Int64s,
    names: Sequence[str],
    states: Encoded,
    first_id: int,
    per: int,
    head: bytes,
    tail: bytes,
) -> Iterator[bytes]:
    """Yields the rows as PostgreSQL binary COPY tuples, ``per`` rows a piece, between the file's ``head`` and ``tail``.

    Columns: originator_id text, originator_version bigint, topic text, state bytea, notification_id bigint.
    Raises as ``rows`` does, but leaves the check of UTF-8 to the server; ValueError for ``per`` below 1.
    """
    count = check_rows(streams, versions, topics, names, states)
    if per < 1:
        raise ValueError(f"expected at least 1 row a piece, got {per}")
    data, offsets, cells = streams.data.tobytes(), streams.offsets.tolist(), cut(states)
    for at in range(0, max(count, 1), per):
        stop = min(at + per, count)
        out = [head] if at == 0 else []
        for i in range(at, stop):
            number = (struct.pack(">q", int(versions[i])), struct.pack(">q", first_id + i))
            stream, topic = data[offsets[i] : offsets[i + 1]], names[int(topics[i])].encode()
            out.append(_COPY_HEAD + b"".join(map(_copy_field, (stream, number[0], topic, cells[i], number[1]))))
        yield b"".join(out) + (tail if stop == count else b"")


#: The numbers PostgreSQL knows the types of an array's items by.
INT8, TEXT, BYTEA = 20, 25, 17


def _array(item: int, raws: Sequence[bytes]) -> bytes:
    head = struct.pack(">iiiii", 1, 0, item, len(raws), 1) if raws else struct.pack(">iii", 0, 0, item)
    return head + b"".join(map(_copy_field, raws))


def pack_arrays(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first_id: int
) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Returns the rows as PostgreSQL binary arrays, a column each: ids, streams, versions, topics and states.

    Raises as ``copy_pieces`` does.
    """
    check_rows(streams, versions, topics, names, states)
    data, offsets = streams.data.tobytes(), streams.offsets.tolist()
    return (
        _array(INT8, [struct.pack(">q", first_id + i) for i in range(len(versions))]),
        _array(TEXT, [data[a:b] for a, b in pairwise(offsets)]),
        _array(INT8, [struct.pack(">q", version) for version in versions.tolist()]),
        _array(TEXT, [names[topic].encode() for topic in topics.tolist()]),
        _array(BYTEA, cut(states)),
    )


def pack_texts(values: Sequence[str]) -> bytes:
    """Returns texts as a PostgreSQL binary text[]; raises UnicodeEncodeError for one that is no Unicode text."""
    return _array(TEXT, [value.encode() for value in values])
