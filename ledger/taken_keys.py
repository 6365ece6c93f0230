"""Tells which keys of a batch are taken: by the log, or by an earlier row of the same batch."""

from typing import TYPE_CHECKING

import numpy as np

from core_ext.kernels import load
from core_ext.text import Texts, texts_taken, to_list
from ledger.refusals import Refusal
from ledger.sameness import same_content

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.store import Transaction

# A row with one of these has no trustworthy key: it can neither be a duplicate nor stand in a key's way.
KEYLESS = sum(1 << int(r) for r in (Refusal.ROW_SHAPE, Refusal.NOT_UTF8, Refusal.UNSAFE_TEXT, Refusal.BAD_KEY))


def cut_at_collision(batch: "Batch") -> int:
    """Returns how many rows of the batch may be decided together: up to the first that meets a key of its own batch.

    Whether the earlier row books is known only once the kernel has run, so the later one waits for the next batch.
    Rows the log already knows are decided; they neither wait nor stand in the way.
    """
    if _differ(batch.stream_texts) and _differ(batch.message_texts):
        return batch.n
    usable = ((batch.faults & (KEYLESS | 1 << Refusal.SETL_ID_CONFLICT)) == 0).tolist()
    bookable = batch.may_book().tolist()
    seen_streams: set[str] = set()
    seen_messages: set[str] = set()
    keys = zip(to_list(batch.stream_texts), to_list(batch.message_texts), strict=True)
    for row, (stream, message) in enumerate(keys):
        if not usable[row] or row in batch.duplicate_of:
            continue
        if stream in seen_streams or message in seen_messages:
            return row
        if bookable[row]:
            seen_streams.add(stream)
            if message:
                seen_messages.add(message)
    return batch.n


def _differ(texts: Texts) -> bool:
    """Returns whether texts, those aside that are empty, are all different."""
    _, first = load("index").number_texts(texts)
    empty = int((texts.offsets[1:] == texts.offsets[:-1]).sum())
    return len(first) - min(empty, 1) == len(texts.offsets) - 1 - empty


class KeysTaken(Exception):
    """Is a batch that was decided as if the log had none of its keys, though it has one."""


def check_new(tx: "Transaction", batch: "Batch") -> None:
    """Raises KeysTaken where the log has a key of a row that does not book: it would say so instead of its reason."""
    left = (batch.faults & KEYLESS) == 0
    left[batch.booked_rows()] = False
    rows = np.flatnonzero(left)
    if len(rows):
        streams, messages = (to_list(texts_taken(texts, rows)) for texts in (batch.stream_texts, batch.message_texts))
        if tx.first_events(streams) or tx.find_messages(list(filter(None, messages))):
            raise KeysTaken


def find_known(tx: "Transaction", batch: "Batch") -> None:
    """Marks rows whose key or message id is in the log: equal content is a duplicate, other content a conflict."""
    rows = np.flatnonzero((batch.faults & KEYLESS) == 0).tolist()
    streams, keys = to_list(batch.stream_texts), to_list(batch.message_texts)
    known = tx.first_events(list(map(streams.__getitem__, rows)))
    if known:
        for row in rows:
            hit = known.get(streams[row])
            if hit is None:
                continue
            if same_content(batch, row, hit[1]):
                batch.duplicate_of[row] = hit[0]
            else:
                batch.faults[row] |= 1 << Refusal.SETL_ID_CONFLICT
    messages = tx.find_messages(list(filter(None, map(keys.__getitem__, rows))))
    if messages:
        for row in rows:
            if row not in batch.duplicate_of and keys[row] in messages:
                batch.faults[row] |= 1 << Refusal.MSGID_CONFLICT
