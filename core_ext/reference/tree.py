"""Is the specification of the tree kernel: the leaves and nodes of an RFC 6962 Merkle tree over the log.

A leaf is SHA-256 of 0x00, then the event in this framing (integers big-endian):
position (8 bytes) · version (8) · length of topic (2) · topic · length of stream (2) · stream · state.
A node is SHA-256 of 0x01, left, right.
"""

from collections.abc import Sequence
from hashlib import sha256

from core_ext.codec_fields import Encoded, Int64s
from core_ext.reference.records import rows
from core_ext.text import Texts

SIZE = 32
LONGEST_NAME = 65_535


def leaf_hashes(
    positions: Sequence[int],
    topics: Sequence[str],
    states: Sequence[bytes],
    streams: Sequence[str],
    versions: Sequence[int],
) -> bytes:
    """Returns the leaves of events given as columns, 32 bytes each, one behind the other.

    Raises ValueError for columns of unequal length or a name beyond 65,535 bytes, OverflowError for a position or
    version that is negative or beyond 2**63 - 1.
    """
    if len({len(positions), len(topics), len(states), len(streams), len(versions)}) > 1:
        raise ValueError("expected columns of one length")
    leaves = []
    for position, topic, state, stream, version in zip(positions, topics, states, streams, versions, strict=True):
        if not (0 <= position < 1 << 63 and 0 <= version < 1 << 63):
            raise OverflowError(f"expected a position and a version of 63 bits, got {position} and {version}")
        head = b"\0" + position.to_bytes(8, "big") + version.to_bytes(8, "big")
        leaves.append(sha256(head + _framed(topic) + _framed(stream) + state).digest())
    return b"".join(leaves)


def leaf_columns(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first: int
) -> bytes:
    """Returns the leaves of a block of events on their way into the log, which follow each other from ``first``.

    Raises as ``leaf_hashes`` does, ValueError too for columns that do not belong together.
    """
    events = rows(streams, versions, topics, names, states, first)
    positions, texts, numbers, kinds, raws = zip(*events, strict=True) if events else ((),) * 5
    return leaf_hashes(positions, kinds, raws, texts, numbers)


def _framed(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > LONGEST_NAME:
        raise ValueError(f"expected a topic or stream of at most {LONGEST_NAME} bytes, got {len(raw)}")
    return len(raw).to_bytes(2, "big") + raw


def root_of(hashes: bytes) -> bytes:
    """Returns the RFC 6962 root over concatenated hashes; raises ValueError for none, or for a piece of one."""
    if not hashes or len(hashes) % SIZE:
        raise ValueError(f"expected one hash of {SIZE} bytes or more, got {len(hashes)} bytes")
    level = [hashes[at : at + SIZE] for at in range(0, len(hashes), SIZE)]
    while len(level) > 1:
        # An odd one out goes up as it is: MTH splits at the largest power of two.
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0]
