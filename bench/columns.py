"""Holds a log's rows as the columns an intake has in its hands: facts and amounts as tables, texts as buffers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.month import LogRow
from core_ext.codec_fields import Array, Binary, Encoded, Int64s, Ints, Source, Text
from core_ext.kernels import load
from core_ext.layout import FACTS
from core_ext.text import texts_from_list
from ledger.block import EventBlock
from ledger.columnar import decode_columns, encode_columns, layout_of
from ledger.events import ClaimFiled, ClaimSettled, EventClass, SettlementDiffers

#: What most of a log is; the rest is encoded one by one.
COLUMNAR: tuple[EventClass, ...] = (ClaimFiled, ClaimSettled, SettlementDiffers)


def sources(event: EventClass, states: Sequence[bytes]) -> dict[str, Source]:
    """Returns columns of states as the intake gives them to the encoder: facts are columns of one table."""
    kinds = dict(zip(event.__struct_fields__, layout_of(event), strict=True))
    made: dict[str, Callable[[Any], Source]] = {
        "int": Ints,
        "str": lambda column: Text(*column),
        "bytes": lambda column: Binary(*column),
        "ints": Array,
        "optional-ints": lambda column: Array(*column),
    }
    columns: dict[str, Any] = dict(decode_columns(event, states, {"facts": FACTS} if event is ClaimFiled else None))
    facts = columns.pop("facts", None)
    if facts is not None:
        columns |= {name: facts[:, at] for at, name in enumerate(FACTS)}
    return {name: made[kinds[name].partition(":")[0]](columns[name]) for name in event.__struct_fields__}


class ColumnBlock:
    """Is the rows of one transaction before they are events: columns of the frequent ones, and their order."""

    def __init__(self, rows: Sequence[LogRow]) -> None:
        self._topics = {event.TOPIC: at for at, event in enumerate(COLUMNAR)}
        states: list[list[bytes]] = [[] for _ in range(len(COLUMNAR) + 1)]
        self._part = np.array([self._topics.get(row[3], len(COLUMNAR)) for row in rows], np.int64)
        self._index = np.zeros(len(rows), np.int64)
        for at, row in enumerate(rows):
            part = states[int(self._part[at])]
            self._index[at] = len(part)
            part.append(row[4])
        self._sources = [sources(event, part) for event, part in zip(COLUMNAR, states, strict=False)]
        self._selected: list[Int64s] = [np.arange(len(part), dtype=np.int64) for part in states]
        self._rest = Encoded(*texts_from_list(states[-1]))
        self._names = tuple(dict.fromkeys([*self._topics, *(row[3] for row in rows)]))
        self._streams = texts_from_list([row[1] for row in rows])
        self._versions = np.array([row[2] for row in rows], np.int64)
        self._named = np.array([self._names.index(row[3]) for row in rows], np.int64)

    def block(self) -> EventBlock:
        """Returns the block: states encoded from the columns and brought into log order."""
        parts = [
            encode_columns(event, columns, rows)
            for event, columns, rows in zip(COLUMNAR, self._sources, self._selected, strict=False)
        ]
        states = Encoded(*load("gather").gather((*parts, self._rest), self._part, self._index))
        return EventBlock(self._streams, self._versions, self._named, self._names, states)
