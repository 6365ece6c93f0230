"""Writes a segment's files out of rows sorted by person: batches that never cut a person in two, narrow columns."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core_ext.kernels import load
from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS
from core_ext.text import Texts, texts_from_list
from ledger.acts import ACT_TEXTS
from ledger.events import BASIS_REFUND, BASIS_RESETTLED
from ledger.keys import YEARS
from ledger.segments.shape import (
    ACT_INTS,
    BEFORES,
    CASE_INTS,
    DELTAS,
    GIVENS,
    LAYOUT,
    LINE_INTS,
    ODD,
    Ints,
    digests,
    narrowest,
    together,
)
from ledger.segments.spilling import AT, BETWEEN, ORIGINAL, OWN, SPILLED, Sorted, span
from ledger.stays.replaying import divided_rows

#: Acts a record batch: what a thread takes at a time, and a person is never cut in two. A replay pays some fixed
#: microseconds for each of a batch's hundred columns.
BATCH_ACTS = 65_536

Columns = dict[str, Ints]
Marks = npt.NDArray[np.bool_]


class Totals(msgspec.Struct):
    """Is what a segment's own acts sum to, fen."""

    rows: int = 0
    carried: int = 0
    refunds: int = 0
    settlements: int = 0
    medfee_fen: int = 0
    amounts: list[int] = msgspec.field(default_factory=lambda: [0] * len(AMOUNTS))


class SegmentWriter:
    """Takes rows of SPILLED sorted by person and writes the four files of a segment into a folder.

    Without a folder it writes nothing and takes the digest alone. ``low`` and ``high`` bound each column of SPILLED.
    """

    def __init__(self, folder: Path | None, period: int, policies: list[bytes], low: Ints, high: Ints) -> None:
        self._folder = folder
        self._period = period
        self._policies = policies
        self._digests = digests()
        self._cases: dict[tuple[int, ...], int] = {}
        self._lines: dict[tuple[int, ...], int] = {}
        self._years = 0
        self._bounds = {name: (int(low[at]), int(high[at])) for name, at in AT.items()}
        self._acts: _File | None = None
        self._starts: _File | None = None
        self.totals = Totals()
        if folder is not None:
            meta = {"layout": LAYOUT, "period": period, "policies": [each.hex() for each in policies]}
            kinds = {name: self._kind(name) for name in ACT_INTS}
            self._acts = _File(folder / "acts.arrow", kinds, (*ACT_TEXTS, ODD), meta)
            befores = {name: narrowest(*self._bounds[f"before_{name}"]) for name in ACCUMULATORS}
            own = {"token": np.int64, "benefit_year": np.int16, "account": np.int64}
            self._starts = _File(folder / "years.arrow", own | befores, (), meta)

    def _kind(self, name: str) -> Any:
        low, high = self._bounds.get(name, (-(2**31), 2**31 - 1))
        if name == "present":
            return np.int16
        if name in ("carried", "gap"):
            return np.int8
        return narrowest(min(low, 0), max(high, 0))

    def add(self, part: Sorted) -> None:
        """Adds rows sorted by token and position, behind those added before; a token never comes in two calls."""
        rows, texts = part
        for start, stop in _cuts(rows):
            self._batch(rows[start:stop], [_slice(each, start, stop) for each in texts])

    def _batch(self, rows: Ints, texts: list[Texts]) -> None:
        token = rows[:, AT["token"]]
        key = token * YEARS + rows[:, AT["year"]]
        gap, expected = _chain(rows, key)
        kept = np.flatnonzero(rows[:, AT["carried"]] != BETWEEN)
        if len(kept) < len(rows):
            none = np.zeros(len(kept), np.int64)
            texts = [load("gather").gather((each,), none, kept) for each in texts]
            rows, token, key, gap = rows[kept], token[kept], key[kept], gap[kept]
            expected = [expected[row] for row in kept.tolist()]
        if not len(rows):
            return
        years, slot = np.unique(key, return_inverse=True)
        # The first act that moved a person-year says where it started; an original of another period only stood.
        # What was booked anew moved it too, as acts of other periods do, but is not decided with the others.
        moved = np.flatnonzero((rows[:, AT["carried"]] == OWN) & ~_taken_over(rows))
        began, at = np.unique(key[moved], return_index=True)
        starts = np.zeros((len(years), len(ACCUMULATORS)), np.int64)
        starts[np.searchsorted(years, began)] = rows[moved[at]][:, span(BEFORES)]
        holders, holder_first = np.unique(years // YEARS, return_index=True)
        holder = holder_first[np.searchsorted(holders, token)]
        account = np.zeros(len(years), np.int64)
        tokens, at = np.unique(token[moved], return_index=True)
        balance = rows[moved[at], AT["balc"]] + rows[moved[at], AT["acct_pay"]]
        account[np.isin(years // YEARS, tokens)] = balance[
            np.searchsorted(tokens, (years // YEARS)[np.isin(years // YEARS, tokens)])
        ]
        columns = {name: rows[:, AT[name]] for name in SPILLED}
        columns["ref"] = _references(rows)
        columns["slot"], columns["holder"] = slot + self._years, holder + self._years
        columns["gap"] = gap.astype(np.int64)
        columns["case"], columns["line"] = self._case(columns), self._line(columns)
        odd = texts_from_list(_odd(rows, expected, gap))
        self._count(columns)
        named = dict(zip(ACT_TEXTS, texts, strict=True)) | {ODD: odd}
        ints = {name: columns[name] for name in ACT_INTS}
        self._digests["acts"].add({**ints, **named})
        year = {"token": years // YEARS, "benefit_year": years % YEARS, "account": account}
        year |= {name: starts[:, at] for at, name in enumerate(ACCUMULATORS)}
        self._digests["years"].add(year)
        self._years += len(years)
        if self._acts is not None and self._starts is not None:
            self._acts.write(ints, named)
            self._starts.write(year, {})

    def _case(self, columns: Columns) -> Ints:
        taken = ("relation", "filing", "assist_class", "age")
        how = {name: columns[f"how_{name}"] for name in ("hosp_lv", "psn_type", *taken)}
        resolved = {name: np.where(how[name] > 0, how[name], columns[name]) for name in ("hosp_lv", "psn_type")}
        found = columns | resolved | {"region": columns["insured_region"]}
        found |= {name: how[name] for name in taken}
        # A what-if asks what was filed, not only what the policy of the day made of it.
        found["filing"] = how["filing"] * 16 + columns["filed"]
        return _numbered(self._cases, found, CASE_INTS)

    def _line(self, columns: Columns) -> Ints:
        return _numbered(self._lines, columns | {"month": columns["setl_time"] // 10**8}, LINE_INTS)

    def _count(self, columns: Columns) -> None:
        own = columns["carried"] == OWN
        refund = own & (columns["basis"] == BASIS_REFUND)
        self.totals.rows += int(own.sum())
        self.totals.carried += int((~own).sum())
        self.totals.refunds += int(refund.sum())
        self.totals.settlements += int((own & ~refund & (columns["reversed"] == 0)).sum())
        self.totals.medfee_fen += sum(columns["medfee_sumamt"][own].tolist())
        for at, name in enumerate(AMOUNTS):
            self.totals.amounts[at] += sum(columns[name][own].tolist())

    def finish(self) -> bytes:
        """Writes what the numbered columns mean, makes every file durable and returns the segment's digest."""
        for name, names, numbered in (("cases", CASE_INTS, self._cases), ("lines", LINE_INTS, self._lines)):
            table = np.array(list(numbered), np.int64).reshape(len(numbered), len(names))
            columns = {each: np.ascontiguousarray(table[:, at]) for at, each in enumerate(names)}
            self._digests[name].add(columns)
            if self._folder is not None:
                file = _File(self._folder / f"{name}.arrow", dict.fromkeys(names, np.int64), (), {"layout": LAYOUT})
                file.write(columns, {})
                file.close()
        for written in (self._acts, self._starts):
            if written is not None:
                written.close()
        return together(self._period, self._policies, self._digests)

    def abandon(self) -> None:
        """Closes the files of a segment that is not finished."""
        for written in (self._acts, self._starts):
            if written is not None:
                written.drop()


class _File:
    """Is one Arrow IPC file on its way."""

    def __init__(self, path: Path, ints: dict[str, Any], texts: tuple[str, ...], meta: dict[str, Any]) -> None:
        self._ints = ints
        self._texts = texts
        fields = [pa.field(name, pa.from_numpy_dtype(np.dtype(kind)), False) for name, kind in ints.items()]
        fields += [pa.field(name, pa.binary() if name == ODD else pa.string(), False) for name in texts]
        self._schema = pa.schema(fields, {"settlement": json.dumps(meta, sort_keys=True)})
        self._sink = path.open("wb")
        self._writer = pa.ipc.new_file(self._sink, self._schema)

    def write(self, ints: Columns, texts: dict[str, Texts]) -> None:
        arrays = [pa.array(np.ascontiguousarray(ints[name], kind)) for name, kind in self._ints.items()]
        arrays += [_texts(texts[name], name == ODD) for name in self._texts]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
        self._sink.flush()
        os.fsync(self._sink.fileno())
        self._sink.close()

    def drop(self) -> None:
        self._sink.close()


def _texts(texts: Texts, binary: bool) -> Any:
    offsets = np.ascontiguousarray(texts.offsets - texts.offsets[0], np.int32)
    data = np.ascontiguousarray(texts.data[texts.offsets[0] : texts.offsets[-1]])
    kind = pa.binary() if binary else pa.string()
    return pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _slice(texts: Texts, start: int, stop: int) -> Texts:
    return Texts(texts.offsets[start : stop + 1], texts.data)


def _cuts(rows: Ints) -> Iterator[tuple[int, int]]:
    """Yields ranges of about BATCH_ACTS rows that end where a person ends."""
    token = rows[:, AT["token"]]
    ends = np.append(np.flatnonzero(token[1:] != token[:-1]) + 1, len(token))
    start = 0
    while start < len(token):
        stop = int(ends[np.searchsorted(ends, min(start + BATCH_ACTS, len(token)))])
        yield start, stop
        start = stop


def _taken_over(rows: Ints) -> Marks:
    """Returns the acts that a segment's replay takes over as they were booked: booked anew, or divided stays."""
    basis = rows[:, AT["basis"]]
    return np.asarray((basis == BASIS_RESETTLED) | divided_rows(basis, rows[:, AT["flags"]]))


def _left(rows: Ints, key: Ints, acting: Ints) -> tuple[Ints, Ints]:
    """Returns what the ``acting`` rows before each leave behind: accumulators of its year, balance of its account.

    The first of a person-year, or of a person, starts from what it records.
    """
    before, balance = rows[:, span(BEFORES)].copy(), rows[:, AT["balc"]] + rows[:, AT["acct_pay"]]
    for of, start, moved in (
        (key, before, rows[:, span(DELTAS)]),
        (rows[:, AT["token"]], balance, -rows[:, AT["acct_pay"]]),
    ):
        order = acting[np.argsort(of[acting], kind="stable")]
        if not len(order):
            continue
        fresh = np.ones(len(order), np.bool_)
        fresh[1:] = of[order][1:] != of[order][:-1]
        first = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
        by = moved[order]
        summed = np.cumsum(by, axis=0) - by
        start[order] = start[order][first] + summed - summed[first]
    return before, balance


def _behind(rows: Ints, key: Ints, acting: Ints) -> tuple[Ints, Ints]:
    """Returns what the one ``acting`` row right before each leaves behind, as ``_left`` does for all of them."""
    before, balance = rows[:, span(BEFORES)].copy(), rows[:, AT["balc"]] + rows[:, AT["acct_pay"]]
    after, held = before + rows[:, span(DELTAS)], rows[:, AT["balc"]]
    for of, start, left in ((key, before, after), (rows[:, AT["token"]], balance, held)):
        order = acting[np.argsort(of[acting], kind="stable")]
        same = np.flatnonzero(of[order][1:] == of[order][:-1]) + 1
        start[order[same]] = left[order[same - 1]]
    return before, balance


def _chain(rows: Ints, key: Ints) -> tuple[Marks, list[list[int] | None]]:
    """Returns (gap, expected): rows that do not start where the period's own acts before them end, and for those that
    do not start where any act before them ends what they should have started from."""
    carried = rows[:, AT["carried"]]
    own = np.flatnonzero((carried == OWN) & ~_taken_over(rows))
    before, balance = rows[:, span(BEFORES)], rows[:, AT["balc"]] + rows[:, AT["acct_pay"]]
    states, balances = _behind(rows, key, own)
    gap = np.zeros(len(rows), np.bool_)
    gap[own] = (states[own] != before[own]).any(axis=1) | (balances[own] != balance[own])
    expected: list[list[int] | None] = [None] * len(rows)
    if gap.any():
        states, balances = _left(rows, key, np.flatnonzero(carried != ORIGINAL))
        broken = gap & ((states != before).any(axis=1) | (balances != balance))
        for row in np.flatnonzero(broken).tolist():
            expected[row] = [*states[row].tolist(), int(balances[row])]
    return gap, expected


def _references(rows: Ints) -> Ints:
    """Returns how many rows above each refund its original stands, 0 where it is not among the rows."""
    found = np.zeros(len(rows), np.int64)
    refunds = np.flatnonzero((rows[:, AT["original"]] > 0) & (rows[:, AT["carried"]] == OWN))
    if len(refunds):
        # Of a claim that stands here twice, the row kept for its refund says what stands of it.
        order = np.lexsort((rows[:, AT["carried"]], rows[:, AT["claim"]]))
        claims = rows[order, AT["claim"]]
        at = np.maximum(np.searchsorted(claims, rows[refunds, AT["original"]], "right") - 1, 0)
        there = claims[at] == rows[refunds, AT["original"]]
        found[refunds[there]] = refunds[there] - order[at[there]]
    return found


def _odd(rows: Ints, expected: list[list[int] | None], gap: Marks) -> list[bytes]:
    """Returns what of each row its columns do not say (``reading.Odd``)."""
    found = [b""] * len(rows)
    own = rows[:, AT["carried"]] == OWN
    given = rows[:, span(GIVENS)]
    other = own & ((given != ABSENT) & (given != rows[:, span(AMOUNTS)])).any(axis=1)
    for row in np.flatnonzero(other | gap).tolist():
        before = rows[row, span(BEFORES)].tolist() if gap[row] else None
        found[row] = msgspec.msgpack.encode([before, given[row].tolist() if other[row] else None, expected[row]])
    return found


def _numbered(known: dict[tuple[int, ...], int], columns: Columns, names: tuple[str, ...]) -> Ints:
    """Returns the number of each row's values, given in order of first appearance over all batches."""
    keys = np.column_stack([columns[name] for name in names])
    group, first = load("fold").group(np.ascontiguousarray(keys))
    numbers = [known.setdefault(tuple(key), len(known)) for key in keys[first].tolist()]
    return np.asarray(np.array(numbers, np.int64)[group])
