"""Registers price caps and drug maxima: one event a row in the item's stream, a table beside it to look them up by day.

What is set later rules over what was set before for the days both cover; lines filed already are not split again.
"""

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.line_cells import LIMIT_PRICE, PRICE_DECIMALS
from ledger.caps import QUARTER, YEAR
from ledger.events import Event
from ledger.keys import drug_cap_stream, price_cap_stream
from ledger.line_events import DrugCapSet, PriceCapSet
from ledger.mapper import decode_event
from ledger.money import fen_from_text, scaled_from_text
from ledger.register_file import Headed, RegisterFile

if TYPE_CHECKING:
    from ledger.store import Transaction

WINDOWS = {"quarter": QUARTER, "year": YEAR}


def _item(text: str) -> int:
    """Raises ValueError for text that is no item's code."""
    if not 0 < len(text.encode()) <= 64 or not text.isprintable() or text != text.strip():
        raise ValueError(text)
    return 0


def _price(text: str) -> int:
    value = scaled_from_text(text, PRICE_DECIMALS)
    if not 0 <= value <= LIMIT_PRICE:
        raise ValueError(text)
    return value


def _maximum(text: str) -> int:
    fen = fen_from_text(text)
    if fen < 0:
        raise ValueError(text)
    return fen


def _window(text: str) -> int:
    if text not in WINDOWS:
        raise ValueError(text)
    return WINDOWS[text]


def register_price_caps(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the price caps that are new, and writes the register beside them."""
    events: list[tuple[str, Event]] = []
    for at, row in file.records():
        file.read(at, row, "med_list_codg", "an item's code", _item)
        begin, last = file.span(at, row)
        cap = file.read(at, row, "pric_uplmt_amt", "a price in yuan, at most six digits after the point", _price)
        item = row["med_list_codg"]
        events.append((price_cap_stream(item), PriceCapSet(cause, at, item, begin, last, cap)))
    return _write(tx, "price_cap", ("med_list_codg", "begin", "to_", "cap", "position"), events, cause)


def register_drug_caps(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the drug maxima that are new, and writes the register beside them."""
    events: list[tuple[str, Event]] = []
    for at, row in file.records():
        file.read(at, row, "med_list_codg", "an item's code", _item)
        window = file.read(at, row, "window", "quarter or year", _window)
        begin, last = file.span(at, row)
        maximum = file.read(at, row, "maximum", "an amount in yuan, at least 0", _maximum)
        item = row["med_list_codg"]
        events.append((drug_cap_stream(item), DrugCapSet(cause, at, item, window, begin, last, maximum)))
    columns = ("med_list_codg", "window_", "begin", "to_", "maximum_fen", "position")
    return _write(tx, "drug_cap", columns, events, cause)


def _write(
    tx: "Transaction", table: str, columns: tuple[str, ...], events: list[tuple[str, Event]], cause: int
) -> tuple[list[Headed], int]:
    """Returns the events that their streams do not have yet, and puts them into the table with their positions.

    The table's columns are the events' fields behind cause and row, in order, and the position.
    """
    heads: dict[str, int] = {}
    known: dict[str, set[tuple[object, ...]]] = {}
    new: list[Headed] = []
    for stream, event in events:
        if stream not in heads:
            held = tx.stream(stream)
            heads[stream] = len(held)
            known[stream] = {_content(decode_event(topic, state)) for _, _, topic, state in held}
        if _content(event) not in known[stream]:
            known[stream].add(_content(event))
            heads[stream] += 1
            new.append((stream, heads[stream], event))
    if new:
        # The command is the first event of the transaction, these follow it.
        rows = [(*_content(event), position) for position, (_, _, event) in enumerate(new, cause + 1)]
        items, *numbers = zip(*rows, strict=True)
        tx.put(table, columns, [list(items), *(np.array(column, np.int64) for column in numbers)])
    return new, len(new)


def _content(event: Event) -> tuple[object, ...]:
    """Returns what an event sets, without the command and row that set it."""
    return msgspec.structs.astuple(event)[2:]
