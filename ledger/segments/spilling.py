"""Sorts a period's acts by person in bounded memory: one file a range of tokens, then each file alone."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import ABSENT, AMOUNTS, FACTS
from core_ext.text import Texts
from ledger.acts import ACT_TEXTS, Acts
from ledger.segments.shape import BEFORES, DELTAS, GIVENS, HEAD, HOWS, Ints

#: What is kept of an act until it is sorted. ``carried``: 1 an original of another period, 2 an act of another
#: period that lies between, 0 an act of the period itself.
SPILLED = (*HEAD, *FACTS, *AMOUNTS, *GIVENS, *BEFORES, *DELTAS, *HOWS, "carried", "present", "filed", "policy")
AT = {name: at for at, name in enumerate(SPILLED)}

#: Acts a file of the sort: what is sorted at once in memory, each about one kilobyte.
PART_ACTS = 150_000

#: Files open at once: well below what a process may have open.
FILES_MAX = 512

OWN, ORIGINAL, BETWEEN = range(3)

Sorted = tuple[Ints, list[Texts]]


def span(names: tuple[str, ...]) -> slice:
    """Returns the columns of SPILLED that hold a run of names."""
    return slice(AT[names[0]], AT[names[0]] + len(names))


def spilled_rows(acts: Acts, carried: Ints, policy: Ints, filed: Ints) -> Ints:
    """Returns acts as rows of SPILLED; ``policy`` numbers each act's policy, ``filed`` masks its filings."""
    n = len(acts)
    out = np.zeros((n, len(SPILLED)), np.int64)
    for name in HEAD:
        out[:, AT[name]] = getattr(acts, name)
    out[:, span(FACTS)] = acts.facts
    out[:, span(AMOUNTS)] = acts.booked
    out[:, span(GIVENS)] = acts.given
    out[:, span(BEFORES)] = acts.before
    out[:, span(DELTAS)] = acts.delta
    out[:, span(HOWS)] = acts.how
    there = acts.given != ABSENT
    bits = (there.astype(np.int64) << np.arange(len(AMOUNTS))).sum(axis=1)
    out[:, AT["present"]] = np.where(acts.present != 0, bits, -1)
    out[:, AT["carried"]], out[:, AT["policy"]], out[:, AT["filed"]] = carried, policy, filed
    return out


class Spill:
    """Keeps rows in files by range of tokens, in a folder of its own; ``parts`` gives them back sorted."""

    def __init__(self, folder: Path, tokens: int, acts: int) -> None:
        self._folder = folder
        count = min(max(1, -(-acts // PART_ACTS)), FILES_MAX)
        self._width = max(1, -(-(tokens + 1) // count))
        self._files: dict[int, BinaryIO] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self.low = np.full(len(SPILLED), 2**62, np.int64)
        self.high = np.full(len(SPILLED), -(2**62), np.int64)

    def __enter__(self) -> "Spill":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def add(self, rows: Ints, texts: list[Texts]) -> None:
        """Keeps rows with their texts, in the order of ACT_TEXTS."""
        if not len(rows):
            return
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        part = rows[:, AT["token"]] // self._width
        gather = load("gather").gather
        for number in np.unique(part).tolist():
            picked = np.flatnonzero(part == number)
            none = np.zeros(len(picked), np.int64)
            own = [gather((each,), none, picked) for each in texts]
            frame = [len(picked), np.ascontiguousarray(rows[picked]).tobytes()]
            frame += [[each.offsets.tobytes(), each.data.tobytes()] for each in own]
            raw = self._encoder.encode(frame)
            file = self._files.get(number)
            if file is None:
                file = self._files[number] = (self._folder / f"part-{number}").open("w+b")
            file.write(len(raw).to_bytes(8, "little") + raw)

    def parts(self) -> Iterator[Sorted]:
        """Yields rows and texts, token range by token range, each sorted by token and then by log position."""
        for number in sorted(self._files):
            # Nothing of a part is held here while the caller has it.
            yield _sorted(*self._read(number))
        self._files.clear()

    def _read(self, number: int) -> tuple[list[Ints], list[list[Texts]]]:
        file = self._files[number]
        file.flush()
        file.seek(0)
        tables: list[Ints] = []
        texts: list[list[Texts]] = [[] for _ in ACT_TEXTS]
        while head := file.read(8):
            count, table, *columns = msgspec.msgpack.decode(file.read(int.from_bytes(head, "little")))
            tables.append(np.frombuffer(table, np.int64).reshape(count, len(SPILLED)))
            for into, (offsets, data) in zip(texts, columns, strict=True):
                into.append(Texts(np.frombuffer(offsets, np.int64), np.frombuffer(data, np.uint8)))
        file.close()
        (self._folder / f"part-{number}").unlink()
        return tables, texts


def _sorted(tables: list[Ints], texts: list[list[Texts]]) -> Sorted:
    token, position = (np.concatenate([table[:, AT[name]] for table in tables]) for name in ("token", "position"))
    order = np.lexsort((position, token))
    table = np.repeat(np.arange(len(tables)), [len(each) for each in tables])
    first = np.cumsum([0, *(len(each) for each in tables)])[table]
    index = np.arange(len(order)) - first
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows, start = np.empty((len(order), len(SPILLED)), np.int64), 0
    while tables:
        # Each goes to its places and is given up: a part is held once, not three times.
        rows[place[start : start + len(tables[0])]] = tables[0]
        start += len(tables.pop(0))
    gather = load("gather").gather
    return rows, [gather(tuple(each), table[order], index[order]) for each in texts]
