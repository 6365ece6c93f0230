"""Drives the codec by the event classes: their own field lists give the order and the kinds of a state.

So the batch path (columns) and the interactive path (Structs) cannot write different bytes for one event.
"""

import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeAlias, get_args, get_origin, get_type_hints

import numpy as np

from core_ext.codec_fields import Array, Chosen, Column, Encoded, Int64s, Source, Table
from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNTS, FUND_PARTS, HOW
from core_ext.line_cells import PARTS
from ledger.events import EventClass

Tables: TypeAlias = Mapping[str, Sequence[str]]

#: How wide the array fields are; a new event's array must be named here before it can be columnar.
WIDTHS = {
    **dict.fromkeys(("amounts", "given", "computed", "totals", "reversed"), len(AMOUNTS)),
    **dict.fromkeys(("before", "delta", "values", "start", "contribution"), len(ACCUMULATORS)),
    "how": len(HOW),
    **dict.fromkeys(("sums", "claimed", "split"), len(PARTS)),
    "funds": len(FUND_PARTS),
}

_SCALARS = {int: "int", str: "str", bytes: "bytes"}


def _kind(event_class: EventClass, name: str, hint: object) -> str:
    if isinstance(hint, type) and hint in _SCALARS:
        return _SCALARS[hint]
    if get_origin(hint) is tuple and get_args(hint) == (int, ...) and name in WIDTHS:
        return f"ints:{WIDTHS[name]}"
    if get_origin(hint) is types.UnionType and name in WIDTHS:
        arms = set(get_args(hint))
        if arms == {tuple[int | None, ...], types.NoneType}:
            return f"optional-ints:{WIDTHS[name]}"
    raise TypeError(f"{event_class.__name__}.{name}: expected int, str, bytes or an array of known width, got {hint}")


@cache
def layout_of(event_class: EventClass) -> tuple[str, ...]:
    """Returns the codec kind of every field of the event, in the order of its state.

    Raises TypeError for an event with a field that has no column form (pairs, flags, lists of any length).
    """
    hints = get_type_hints(event_class)
    return tuple(_kind(event_class, name, hints[name]) for name in event_class.__struct_fields__)


@cache
def _plan(event_class: EventClass, tables: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, str]:
    """Returns name → kind in state order, where each table stands for the consecutive int fields it names."""
    kinds = dict(zip(event_class.__struct_fields__, layout_of(event_class), strict=True))
    starts = {fields[0]: (table, fields) for table, fields in tables if fields}
    plan: dict[str, str] = {}
    names = list(kinds)
    at = 0
    while at < len(names):
        table, fields = starts.get(names[at], ("", ()))
        if not fields:
            plan[names[at]] = kinds[names[at]]
            at += 1
            continue
        if tuple(names[at : at + len(fields)]) != fields or any(kinds[name] != "int" for name in fields):
            raise ValueError(f"{event_class.__name__}: expected table {table!r} to name consecutive int fields")
        plan[table] = f"table:{len(fields)}"
        at += len(fields)
    if missing := [table for table, _ in tables if table not in plan]:
        raise ValueError(f"{event_class.__name__}: expected tables that start at one of its fields, got {missing}")
    return plan


def _frozen(tables: Tables | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((table, tuple(fields)) for table, fields in (tables or {}).items())


def encode_columns(
    event_class: EventClass, columns: Mapping[str, Source], rows: Int64s, tables: Tables | None = None
) -> Encoded:
    """Returns the states of one event a row, the bytes msgspec writes for the Struct.

    ``columns`` gives every field once, by name; ``tables`` (``{"facts": FACTS}``) lets one ``Table`` stand for
    consecutive int fields. An ``Array`` for an optional field needs ``present``: without it every row counts as
    present. Raises ValueError for a field that is missing, unknown, or of another width than the event's.
    """
    plan = _plan(event_class, _frozen(tables))
    if plan.keys() != columns.keys():
        missing, unknown = sorted(plan.keys() - columns.keys()), sorted(columns.keys() - plan.keys())
        raise ValueError(f"{event_class.__name__}: expected every field once, got missing {missing}, unknown {unknown}")
    sources = [_fitting(event_class, name, kind, columns[name]) for name, kind in plan.items()]
    encoded: Encoded = load("codec").encode(sources, rows)
    return encoded


def _fitting(event_class: EventClass, name: str, kind: str, source: Source) -> Source:
    base, _, width = kind.partition(":")
    allowed = _ALLOWED[base]
    where = f"{event_class.__name__}.{name}"
    if type(source).__name__ not in allowed:
        raise ValueError(f"{where}: expected {' or '.join(allowed)} for {kind}, got {type(source).__name__}")
    if isinstance(source, Array | Table) and source.values.ndim == 2 and source.values.shape[1] != int(width):
        raise ValueError(f"{where}: expected {width} columns, got {source.values.shape[1]}")
    if isinstance(source, Array) and (base == "ints") != (source.present is None):
        if base == "ints":
            raise ValueError(f"{where}: expected an array that is always there, got one with a presence column")
        return Array(source.values, np.ones(len(source.values), dtype=np.int64))
    return source


_ALLOWED = {
    "int": ("Ints", "Const", "Choice"),
    "str": ("Text", "Const", "Choice"),
    "bytes": ("Binary", "Const", "Choice"),
    "ints": ("Array", "Const", "Choice"),
    "optional-ints": ("Array", "Const", "Choice"),
    "table": ("Table",),
}


def decode_columns(
    event_class: EventClass, states: Sequence[bytes] | Encoded | Chosen, tables: Tables | None = None
) -> dict[str, Column]:
    """Returns a column a field (a table: int64[n, K], C-contiguous); see the codec for their shapes.

    Raises ValueError naming the row, the field's number, what was expected and what came.
    """
    plan = _plan(event_class, _frozen(tables))
    return dict(zip(plan, load("codec").decode(tuple(plan.values()), states), strict=True))
