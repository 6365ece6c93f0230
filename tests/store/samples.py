"""Holds events and blocks that store tests write: their content means nothing to a store."""

from collections.abc import Sequence

import numpy as np

from core_ext.codec_fields import Encoded
from core_ext.text import texts_from_list
from ledger.block import EventBlock
from ledger.store import Store

TOPICS = ("claim-filed/1", "claim-settled/1", "period-opened/1")


def block_of(rows: Sequence[tuple[str, int, str, bytes]]) -> EventBlock:
    """Returns a block of (stream, version, topic, state)."""
    names = tuple(sorted({topic for _, _, topic, _ in rows})) or TOPICS
    states = texts_from_list([state for _, _, _, state in rows])
    return EventBlock(
        texts_from_list([stream for stream, _, _, _ in rows]),
        np.array([version for _, version, _, _ in rows], dtype=np.int64),
        np.array([names.index(topic) for _, _, topic, _ in rows], dtype=np.int64),
        names,
        Encoded(states.offsets, states.data),
    )


def many(prefix: str, n: int) -> list[tuple[str, int, str, bytes]]:
    """Returns ``n`` events, two a stream, of states from 0 to 299 bytes with every byte value in them."""
    return [
        (f"{prefix}-{i // 2:06d}", i % 2 + 1, TOPICS[i % 2], bytes((i + k) % 256 for k in range(i % 300)))
        for i in range(n)
    ]


def append(store: Store, rows: Sequence[tuple[str, int, str, bytes]]) -> int:
    """Appends rows in one transaction and returns the position of the first."""
    with store.begin(clock_us=lambda: 1) as tx:
        return tx.append(block_of(rows))


def all_rows(store: Store) -> list[tuple[int, str, int, str, bytes]]:
    """Returns the whole log."""
    with store.read() as reader:
        return [row for page in reader.pages() for row in page]
