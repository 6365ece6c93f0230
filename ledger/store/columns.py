"""Reads a range of the log as columns out of the few values that a database packs it into.

A row at a time an event is some Python objects, which cost more than the database's reading of it; packed it is none,
and the database puts a whole range together in one call, in which another thread may compute.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core_ext.codec_fields import Bytes, Encoded, Int64s
from core_ext.kernels import load
from core_ext.text import Texts, texts_from_list
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store.link import Row

#: Of an event's number these bits are the size of its state, those above its place behind the first.
SIZE_BITS = 32


class Columns(NamedTuple):
    """Is a range of the log, an event at every position; ``topics`` are numbers into the names they were read with."""

    topics: Int64s
    states: Encoded
    streams: Texts | None = None
    versions: Int64s | None = None


def unpacked(values: "Row", count: int, names: list[str]) -> Columns | None:
    """Returns what ``Link.packed`` gave of a range of so many positions; None where it is anything but whole."""
    if None in values:
        return None
    states, numbers, topics, *more = values
    kernel, known = load("records"), list(names)
    try:
        places = kernel.integers(numbers)
        kinds = kernel.named(topics, known)
        streams, versions = (_lines(more[0]), kernel.integers(more[1])) if more else (None, None)
    except ValueError:
        # A version below 0, a name that is no text: as rows they are named.
        return None
    offsets = np.zeros(len(places) + 1, np.int64)
    np.cumsum(places & (1 << SIZE_BITS) - 1, out=offsets[1:])
    each = np.array_equal(places >> SIZE_BITS, np.arange(1, count + 1)) and len(kinds) == count
    if not each or offsets[-1] != len(states):
        return None
    if streams is not None and versions is not None and not len(streams.offsets) - 1 == len(versions) == count:
        return None
    names[:] = known
    return Columns(kinds, Encoded(offsets, _bytes(states)), streams, versions)


def _lines(text: bytes) -> Texts:
    """Returns the lines of a text; raises UnicodeDecodeError where it is not UTF-8."""
    text.decode()
    data = _bytes(text)
    ends = data == ord("\n")
    at = np.flatnonzero(ends)
    return Texts(np.concatenate([[0], at - np.arange(len(at)), [len(data) - len(at)]]), data[~ends])


def _bytes(raw: bytes) -> Bytes:
    return np.frombuffer(raw, np.uint8)


def listed(rows: "Sequence[Row]", after: int, stop: int, names: list[str]) -> Columns:
    """Returns (position, stream, version, topic, state) of a range as columns.

    Raises StoreError naming the first position without an event, or whose cells are of another type than the log's.
    """
    for expected, (position, stream, version, topic, state) in zip(range(after + 1, stop + 1), rows, strict=False):
        if position != expected:
            raise _missing(expected)
        for what, cell, kind in (("stream", stream, str), ("version", version, int), ("topic", topic, str)):
            _check(position, what, cell, kind)
        _check(position, "state", state, bytes)
    if len(rows) < stop - after:
        raise _missing(after + len(rows) + 1)
    known = {name: number for number, name in enumerate(names)}
    _, streams, versions, topics, states = zip(*rows, strict=True) if rows else ((),) * 5
    kinds = np.array([known.setdefault(topic, len(known)) for topic in topics], np.int64)
    names += list(known)[len(names) :]
    return Columns(kinds, Encoded(*texts_from_list(states)), texts_from_list(streams), np.array(versions, np.int64))


def _check(position: int, what: str, cell: Any, kind: type) -> None:
    if not isinstance(cell, kind):
        raise StoreError(
            f"position {position}: expected a {what} of type {kind.__name__}, got {type(cell).__name__}: run verify"
        )


def _missing(position: int) -> StoreError:
    return StoreError(f"position {position}: expected an event, got none: run verify")
