"""Tells which keys of a batch are taken: by the log, or by an earlier row of the same batch."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.text import Texts, texts_taken, to_list
from ledger.refusals import Refusal
from ledger.sameness import same_content, same_rows
from ledger.store.faults import KeyTaken

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.store import Reader

Ints = npt.NDArray[np.int64]

# A row with one of these has no trustworthy key: it can neither be a duplicate nor stand in a key's way.
KEYLESS = sum(1 << int(r) for r in (Refusal.ROW_SHAPE, Refusal.NOT_UTF8, Refusal.UNSAFE_TEXT, Refusal.BAD_KEY))


def find_repeats(batch: "Batch") -> None:
    """Marks rows that meet a key of an earlier row of their own batch, as ``find_known`` does for the log's.

    Whether the earlier row books is known only once the kernel has run, so ``batch.repeats`` says on which rows each
    mark rests; where a duplicate's stands it is known once the batch's events have places. Rows the log already knows
    are decided; they neither meet others nor stand in the way.
    """
    (streams, again), (messages, once_more) = _repeated(batch.stream_texts), _repeated(batch.message_texts)
    batch.repeated = np.union1d(again, once_more)
    if not len(batch.repeated):
        return
    usable = (batch.faults & (KEYLESS | 1 << Refusal.SETL_ID_CONFLICT)) == 0
    bookable = batch.may_stand()
    seen_streams: dict[int, int] = {}
    seen_messages: dict[int, int] = {}
    # Nobody meets a row whose key no other has.
    met = usable & (np.isin(streams, streams[again]) | np.isin(messages, messages[once_more]))
    for row in np.flatnonzero(met).tolist():
        if row in batch.duplicate_of:
            continue
        stream, message = int(streams[row]), int(messages[row])
        if stream in seen_streams or message in seen_messages:
            _mark(batch, row, seen_streams.get(stream), seen_messages.get(message))
        elif bookable[row]:
            seen_streams[stream] = row
            if batch.message_texts.offsets[row + 1] > batch.message_texts.offsets[row]:
                seen_messages[message] = row


def _mark(batch: "Batch", row: int, stands: int | None, sent: int | None) -> None:
    """Marks a row whose key an earlier one has, whose message id one has, or both."""
    if stands is not None and same_rows(batch, row, stands):
        batch.duplicate_of[row] = 0
        batch.repeats[row] = (stands,)
        return
    if stands is not None:
        batch.faults[row] |= 1 << Refusal.SETL_ID_CONFLICT
    if sent is not None:
        batch.faults[row] |= 1 << Refusal.MSGID_CONFLICT
    batch.repeats[row] = tuple(at for at in (stands, sent) if at is not None)


def fallen_and_risen(batch: "Batch") -> tuple[set[int], set[int]]:
    """Returns the rows that others are marked for and that do not book, and those lost that do."""
    books = set(batch.booked_rows().tolist()) if batch.repeats or batch.lost else set()
    return {row for earlier in batch.repeats.values() for row in earlier} - books, batch.lost & books


def _repeated(texts: Texts) -> tuple[Ints, Ints]:
    """Returns the number of each text, and the rows whose text an earlier row has, empty ones aside."""
    numbers, first = load("index").number_texts(texts)
    rows: Ints = np.flatnonzero(first[numbers] != np.arange(len(numbers)))
    return numbers, rows[texts.offsets[rows + 1] > texts.offsets[rows]]


def check_new(tx: "Reader", batch: "Batch", asked: Ints) -> None:
    """Raises KeyTaken where the log has a key of a row that does not book and was not ``asked`` for.

    The row would be a duplicate or a conflict instead of what it is now.
    """
    left = (batch.faults & KEYLESS) == 0
    left[batch.booked_rows()] = False
    left[asked[asked < batch.n]] = False
    rows = np.flatnonzero(left)
    if len(rows):
        streams, messages = (to_list(texts_taken(texts, rows)) for texts in (batch.stream_texts, batch.message_texts))
        taken = [*tx.first_events(streams), *tx.find_messages(list(filter(None, messages)))]
        if taken:
            raise KeyTaken(f"expected keys that the log has not, got {taken[0]}: look them up and decide again")


def find_known(tx: "Reader", batch: "Batch", asked: Ints | None = None) -> None:
    """Marks rows whose key or message id is in the log: equal content is a duplicate, other content a conflict.

    ``asked`` are the rows to look at, all of them where it is None.
    """
    keyed = (batch.faults & KEYLESS) == 0
    rows = (np.flatnonzero(keyed) if asked is None else asked[keyed[asked]]).tolist()
    if not rows:
        return
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
