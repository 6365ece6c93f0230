"""Hands SQLite a whole block of events as one buffer and one statement that cuts it.

A statement that takes its cells as Python objects asks for the interpreter's lock for each of its rows; this one is a
single call without it, so that another thread may compute meanwhile, and makes no object of any row.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.text import to_list

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store.link import Ints

#: Fewer events than this are inserted cell by cell: packing them would cost as much.
PACKED_FROM = 64

#: A row's place is one integer: where it begins in the buffer, how long stream and state are, and which of the block's
#: few pairs of topic and version it has. These are the bits of the last three; the first has what is left of 63.
STREAM_BITS, STATE_BITS, KIND_BITS = 9, 20, 6
#: Versions beyond these bits could not be told apart once they stand beside a topic in one integer.
VERSION_BITS = 40
OFFSET_BITS = 63 - STREAM_BITS - STATE_BITS - KIND_BITS

_STATE_AT = KIND_BITS
_STREAM_AT = _STATE_AT + STATE_BITS
_OFFSET_AT = _STREAM_AT + STREAM_BITS


class Packed(NamedTuple):
    """Is a statement that inserts a block, and its parameters."""

    statement: str
    params: tuple[Any, ...]


def packed(block: "EventBlock", first: int) -> Packed | None:
    """Returns the statement that inserts a block at positions ``first``, …, and its parameters.

    None for a block it would not be worth it for, or with a text, a size or a variety beyond the bits there are.
    Raises UnicodeDecodeError for a stream that is not UTF-8.
    """
    n = len(block)
    if n < PACKED_FROM:
        return None
    if not block.streams.data.tobytes().isascii():
        to_list(block.streams)
    if int(block.versions.min()) < 0 or int(block.versions.max()) >> VERSION_BITS:
        return None
    pairs, kind = _kinds(block.versions * len(block.topic_names) + block.topics)
    streams, states = np.diff(block.streams.offsets), np.diff(block.states.offsets)
    if len(pairs) > 1 << KIND_BITS or int(streams.max()) >> STREAM_BITS or int(states.max()) >> STATE_BITS:
        return None
    order = np.arange(2 * n, dtype=np.int64)
    offsets, data = load("gather").gather((block.streams, tuple(block.states)), order & 1, order >> 1)
    # SQLite takes a buffer without a byte for NULL.
    if not len(data) or len(data) >> OFFSET_BITS:
        return None
    rows = offsets[:-1:2] << _OFFSET_AT | streams << _STREAM_AT | states << _STATE_AT | kind
    versions, topics = np.divmod(pairs, len(block.topic_names))
    kinds = [cell for pair in zip(versions.tolist(), topics.tolist(), strict=True) for cell in pair]
    kinds[1::2] = [block.topic_names[at] for at in kinds[1::2]]
    return Packed(_statement(len(pairs)), (first, data.data, msgspec.json.encode(rows.tolist()).decode(), *kinds))


def _kinds(pairs: "Ints") -> "tuple[Ints, Ints]":
    """Returns each pair of version and topic once, in order, and which of them each row has."""
    if int(pairs.max()) >= len(pairs):
        found, kind = np.unique(pairs, return_inverse=True)
        return found, kind
    # Versions are few and low, where a claim is new: there is nothing to sort.
    there = np.bincount(pairs) > 0
    kinds = np.cumsum(there) - 1
    return np.flatnonzero(there), kinds[pairs]


@cache
def _statement(kinds: int) -> str:
    """Returns the INSERT: ?1 is the first position, ?2 the buffer, ?3 the rows' places, and then the pairs."""
    begin, stream, state = (
        f"(value >> {_OFFSET_AT}) + 1",
        f"(value >> {_STREAM_AT} & {(1 << STREAM_BITS) - 1})",
        f"(value >> {_STATE_AT} & {(1 << STATE_BITS) - 1})",
    )
    version, topic = (
        f"CASE value & {(1 << KIND_BITS) - 1} {' '.join(f'WHEN {k} THEN ?{4 + 2 * k + at}' for k in range(kinds))} END"
        for at in (0, 1)
    )
    return (
        "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
        f" SELECT ?1 + key, CAST(substr(?2, {begin}, {stream}) AS TEXT), {version}, {topic},"
        f" substr(?2, {begin} + {stream}, {state}) FROM json_each(?3)"
    )
