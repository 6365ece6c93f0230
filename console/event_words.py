"""Puts the fields of an event into words by their units: amounts in yuan, days as days, tables by their columns."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from console import output
from console.answers import moment
from console.event_table import unit_of
from console.terms import field_of
from core_ext.layout import ACCUMULATORS, AMOUNTS, HOW
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.event import Event

#: Columns that are no amounts, in tables that hold both.
_COUNTS = frozenset({"stays", "last_discharge", *HOW}) - {"first_selfpay", "over_ceiling", "hosp_part_amt", "limit"}


def fields_in_words(event: "Event") -> Iterator[tuple[str, str]]:
    """Yields (field, text) of an event, fields in their order."""
    for name in event.__struct_fields__:
        value = getattr(event, name)
        yield name, _text(unit_of(type(event), name), value)


def _text(unit: str, value: Any) -> str:
    """Returns a value as people read it; what has no unit of its own stays as JSON has it."""
    match unit:
        case "fen" if isinstance(value, int):
            return yuan(value)
        case "fen, in the order of AMOUNTS" | "fen" if isinstance(value, Sequence):
            return _named(AMOUNTS, value)
        case "fen and counts, in the order of ACCUMULATORS":
            return _named(ACCUMULATORS, value)
        case "in the order of HOW":
            return _named(HOW, value)
        case "yyyymmdd, 0 none" | "yyyymmdd" if isinstance(value, int):
            return output.day_text(value) or "none"
        case "yyyymmddHHMMSS":
            text = f"{value:014d}"
            return f"{output.day_text(value // 1_000_000)} {text[8:10]}:{text[10:12]}:{text[12:14]}"
        case "microseconds since 1970 UTC":
            return moment(value)
        case "region code" if isinstance(value, int):
            return f"{value:06d}"
    return "none" if value is None else str(output.plain(value))


def _named(columns: Iterable[str], values: Sequence[int | None]) -> str:
    """Returns the values that are not 0, each under its column; those of columns that came later are not there."""
    shown = [
        f"{field_of(name)} {value if name in _COUNTS else yuan(value)}"
        for name, value in zip(columns, values, strict=False)
        if value
    ]
    return ", ".join(shown) or "all 0"
