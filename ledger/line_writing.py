"""Writes a decided batch of fee lines: one LinesFiled a run with its findings behind it, then the state they leave."""

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import Array, Binary, Const, Encoded, Ints, Source, Text
from core_ext.kernels import load
from core_ext.line_cells import LINE
from core_ext.text import Texts, texts_from_list
from ledger.block import EventBlock
from ledger.columnar import encode_columns
from ledger.events import Event
from ledger.line_booking import LineBatch
from ledger.line_columns import NUMBERS, lines_of
from ledger.line_events import LinesDiffer, LinesFiled, TraceCodeRepeated

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.writing import Header

Int64s = NDArray[np.int64]

_TAB, _LINE_END = (np.frombuffer(mark, np.uint8) for mark in (b"\t", b"\n"))


class Order:
    """Is where a batch's events stand behind ``first``: of each run with booked lines its LinesFiled, then findings.

    ``runs`` are those runs, ``start`` the booked row each begins with, ``filed_at`` the position of its LinesFiled.
    """

    def __init__(self, batch: LineBatch, cause: int, first: int) -> None:
        self.runs, self.start, self.count = np.unique(batch.of, return_index=True, return_counts=True)
        self.findings = _findings(batch, cause, self.runs, batch.rows[self.start], self.count)
        size = np.array([1 + len(self.findings.get(run, ())) for run in self.runs.tolist()], np.int64)
        self.filed_at = np.zeros(len(batch.streams), np.int64)
        self.filed_at[self.runs] = first + np.cumsum(size) - size


def _findings(batch: LineBatch, cause: int, runs: Int64s, rows: Int64s, lines: Int64s) -> dict[int, list[Event]]:
    """Returns the findings of each run that has some: its sums, then its repeated trace codes in line order.

    ``rows`` and ``lines`` are the first row and the number of booked lines of each of ``runs``.
    """
    claims, first_row = batch.claims, batch.columns.first_row
    suspect = (batch.sums[runs] != claims.splits[runs]).any(axis=1) | (batch.differing[runs] > 0)
    suspect |= np.isin(runs, np.fromiter(claims.filed, np.int64))
    found: dict[int, list[Event]] = {}
    for at in np.flatnonzero(suspect).tolist():
        run, row, count = int(runs[at]), first_row + int(rows[at]), int(lines[at])
        earlier = [event for _, event in claims.filed.get(run, ())]
        sums = _added(batch.sums[run], [np.array(event.sums, np.int64) for event in earlier])
        differing = int(batch.differing[run]) + claims.differed.get(run, 0)
        claimed = tuple(claims.splits[run].tolist())
        if not differing and sums == claimed:
            continue
        split = _added(batch.split[run], [part for event in earlier for part in lines_of(event).split])
        count += sum(event.lines for event in earlier)
        position = int(claims.position[run])
        found[run] = [LinesDiffer(cause, row, position, count, differing, sums, claimed, split)]
    for run, row, holder, code in batch.codes.repeated:
        repeated = TraceCodeRepeated(cause, first_row + row, int(claims.position[run]), holder, code)
        found.setdefault(run, []).append(repeated)
    return found


def _added(amounts: Int64s, earlier: list[Int64s]) -> tuple[int, ...]:
    """Returns amounts with those of earlier lines added, exact beyond 64 bits until they are stored."""
    return tuple(map(sum, zip(amounts.tolist(), *(each.tolist() for each in earlier), strict=True)))


def write(tx: "Transaction", batch: LineBatch, order: Order, cause: int, header: "Header") -> None:
    """Appends the job's header and all events of a batch, and saves trace codes and drug uses."""
    tx.append(_block(batch, order, cause, header))
    batch.codes.save(tx)
    used = np.flatnonzero((batch.used != 0) & (batch.claims.original[batch.of] == 0))
    if len(used):
        of, rows = batch.of[used], batch.rows[used]
        data = (
            batch.claims.token[of],
            [batch.items[at] for at in used.tolist()],
            batch.columns.table[rows, LINE["fee_ocur_time"]],
            batch.claims.position[of],
            batch.used[used],
        )
        tx.put("drug_use", ("token", "med_list_codg", "day", "claim", "used_fen"), data)


def _block(batch: LineBatch, order: Order, cause: int, header: "Header") -> EventBlock:
    """Returns the header and the events, each run's findings behind its LinesFiled."""
    runs = order.runs.tolist()
    beside = [(batch.streams[run], run, event) for run in runs for event in order.findings.get(run, ())]
    head = EventBlock.from_events([header, *((stream, 0, event) for stream, _, event in beside)])
    filed = _filed(batch, order, cause)
    extra = np.array([len(order.findings.get(run, ())) for run in runs], np.int64)
    n = len(runs)
    of = np.repeat(np.arange(n), 1 + extra)
    place = np.arange(len(of)) - (np.cumsum(1 + extra) - (1 + extra))[of]
    # The k-th finding of the batch is the text behind the header's in ``head``.
    index = np.where(place == 0, of, np.cumsum(place > 0))
    part = np.concatenate([[0], np.where(place == 0, 1, 0)])
    index = np.concatenate([[0], index])
    gather = load("gather").gather
    streams = texts_from_list([batch.streams[run] for run in runs])
    stream_part = np.concatenate([[0], np.ones(len(of), np.int64)])
    stream_index = np.concatenate([[0], of])
    versions = batch.claims.version[order.runs][of] + 1 + place
    topics = np.where(part == 1, len(head.topic_names), head.topics[np.where(part == 1, 0, index)])
    return EventBlock(
        Texts(*gather((head.streams, streams), stream_part, stream_index)),
        np.concatenate([head.versions[:1], versions]),
        topics,
        (*head.topic_names, LinesFiled.TOPIC),
        Encoded(*gather((head.states, filed), part, index)),
    )


def _filed(batch: LineBatch, order: Order, cause: int) -> Encoded:
    """Returns the states of the LinesFiled events, one a run."""
    columns, rows, runs = batch.columns, batch.rows, order.runs
    first = rows[order.start]
    table = np.empty((len(rows), len(NUMBERS)), np.int64)
    table[:, 0] = rows - np.repeat(first, order.count)
    table[:, 1 : columns.table.shape[1]] = columns.table[rows, 1:]
    table[:, columns.table.shape[1] :] = batch.parts
    fields: dict[str, Source] = {
        "cause": Const(msgspec.msgpack.encode(cause)),
        "row": Ints(columns.first_row + first),
        "claim": Ints(batch.claims.position[runs]),
        "lines": Ints(order.count.astype(np.int64)),
        "sums": Array(np.ascontiguousarray(batch.sums[runs])),
        "numbers": Binary(*load("lines").pack(table, order.start.astype(np.int64))),
        "texts": Text(*_texts(columns.texts, rows, order.start)),
    }
    return encode_columns(LinesFiled, fields, np.arange(len(runs), dtype=np.int64))


def _texts(texts: dict[str, Texts], rows: Int64s, start: Int64s) -> Texts:
    """Returns the texts of each run's lines as one: the three of a line with tabs between, an end behind each line."""
    marks = Texts(np.array([0, 1, 2], np.int64), np.concatenate([_TAB, _LINE_END]))
    parts = (*(texts[name] for name in ("feedetl_sn", "med_list_codg", "drug_trac_codg")), marks)
    n = len(rows)
    part = np.tile(np.array([0, 3, 1, 3, 2, 3], np.int64), n)
    index = np.zeros((n, 6), np.int64)
    index[:, (0, 2, 4)] = rows[:, None]
    index[:, 5] = 1
    offsets, data = load("gather").gather(parts, part, index.ravel())
    return Texts(offsets[np.append(6 * start, 6 * n)], data)
