"""Promises of the event columns: field order and bytes for ever, one set of bytes on both paths."""

import json
from pathlib import Path
from typing import get_type_hints

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext.codec_fields import Array, Binary, Choice, Const, Ints, Source, Table, Text
from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.reference import codec as reference
from core_ext.text import Texts, texts_from_list, to_list
from ledger import columnar
from ledger.casework.events import CASEWORK_EVENTS
from ledger.clearing.events import ClearingDrafted
from ledger.columnar import decode_columns, encode_columns, layout_of
from ledger.events import (
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    Event,
    EventClass,
    JobBatch,
    OpeningBalance,
    PolicyEnacted,
    SettlementDiffers,
)
from ledger.manual.events import MANUAL_EVENTS
from ledger.paying.events import BankBatchIssued
from ledger.reconciling.events import BreakFound, ReconciliationRun
from ledger.register_events import EnrolmentRuleSet, FilingEnded, InstitutionChanged, InstitutionRegistered
from ledger.supervision.events import ViolationFound
from ledger.topics import EVENTS

GOLDEN = Path(__file__).parent.parent / "golden" / "events.json"
INT64 = st.one_of(
    st.sampled_from([0, 1, -1, 127, 128, -32, -33, 2**63 - 1, -(2**63) + 1]), st.integers(-(2**62), 2**62)
)
TEXT = st.one_of(st.text(max_size=30), st.sampled_from(["", "S20240300000001", "参保" * 8000]))
SAMPLES: dict[object, list[object]] = {
    int: [0, 127, 128, 65536, -1, -33, 20240301120000, 2**63 - 1],
    str: ["", "S20240301000001", "参保人"],
    bytes: [b"", bytes(range(16))],
    bool: [True],
    tuple[tuple[int, int], ...]: [((1, 2), (300, 40000))],
    tuple[tuple[int, int, int], ...]: [((1, 16, 0),)],
    tuple[tuple[str, int], ...]: [(("fund", -100), ("cash", 100))],
}


def sample(event_class: EventClass) -> Event:
    """Returns one event with fixed values: each int field takes the next of a few that show every length."""
    hints, taken = get_type_hints(event_class), dict.fromkeys(map(str, SAMPLES), 0)
    values: list[object] = []
    for name in event_class.__struct_fields__:
        if hints[name] in SAMPLES:
            choices = SAMPLES[hints[name]]
            values.append(choices[taken[str(hints[name])] % len(choices)])
            taken[str(hints[name])] += 1
        elif name == "given":
            values.append((None, 0, 100, *range(4, 15)))
        else:
            values.append(tuple(range(-3, columnar.WIDTHS.get(name, 5) - 3)))
    return event_class(*values)


def test_field_order_and_bytes_of_every_event_stay_as_written() -> None:
    """A log written today reads tomorrow: names, order and bytes of every event are pinned."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    now = {
        event.TOPIC: {
            "fields": list(event.__struct_fields__),
            "hex": msgspec.msgpack.encode(sample(event)).hex(),
        }
        for event in EVENTS
    }
    assert now.keys() >= golden.keys(), "a topic is for ever"
    assert now == golden, "new meaning needs a new topic; appended fields and new events are added to the golden file"


def column_of(kind: str, values: list) -> Source:
    base, _, width = kind.partition(":")
    if base == "int":
        return Ints(np.array(values, dtype=np.int64))
    if base in ("str", "bytes"):
        return (Text if base == "str" else Binary)(*texts_from_list(values))
    cells = [[ABSENT if cell is None else cell for cell in value or (0,) * int(width)] for value in values]
    present = np.array([value is not None for value in values], dtype=np.int64)
    return Array(np.array(cells, dtype=np.int64), present if base == "optional-ints" else None)


def is_columnar(event: EventClass) -> bool:
    try:
        layout_of(event)
    except TypeError:
        return False
    return True


def test_all_events_of_volume_are_columnar() -> None:
    """Only events that come one at a time may hold what has no column form."""
    paying = {BankBatchIssued}
    reconciling = {ReconciliationRun, BreakFound}
    casework = {event for event in (*CASEWORK_EVENTS, *MANUAL_EVENTS) if not is_columnar(event)}
    registers = {ClearingDrafted, EnrolmentRuleSet, InstitutionRegistered, InstitutionChanged, FilingEnded}
    assert {event for event in EVENTS if not is_columnar(event)} == {
        JobBatch,
        PolicyEnacted,
        OpeningBalance,
        ViolationFound,
    } | registers | reconciling | casework | paying
    with pytest.raises(
        TypeError, match=r"OpeningBalance\.postings: expected int, str, bytes or an array of known width"
    ):
        layout_of(OpeningBalance)


@pytest.mark.parametrize("event_class", [event for event in EVENTS if is_columnar(event)])
def test_every_columnar_event_has_one_set_of_bytes(event_class: EventClass) -> None:
    """The batch path and the interactive path write the same state for the same event."""
    event = sample(event_class)
    values = msgspec.structs.astuple(event)
    columns = {
        name: column_of(kind, [value])
        for name, kind, value in zip(event_class.__struct_fields__, layout_of(event_class), values, strict=True)
    }
    encoded = encode_columns(event_class, columns, np.zeros(1, dtype=np.int64))
    assert encoded.data.tobytes() == msgspec.msgpack.encode(event)
    assert decode_columns(event_class, encoded).keys() == set(event_class.__struct_fields__)


def strategy(event_class: EventClass) -> st.SearchStrategy[list]:
    fields = []
    for name, kind in zip(event_class.__struct_fields__, layout_of(event_class), strict=True):
        base, _, width = kind.partition(":")
        if base == "int":
            fields.append(INT64)
        elif base == "str":
            fields.append(TEXT)
        elif base == "bytes":
            fields.append(st.sampled_from([b"", bytes(16), b"\xff" * 16]))
        elif name == "given":
            fields.append(st.none() | st.tuples(*[st.none() | INT64] * int(width)))
        else:
            fields.append(st.tuples(*[INT64] * int(width)))
    return st.lists(st.tuples(*fields), min_size=1, max_size=3)


@pytest.mark.parametrize("event_class", [ClaimFiled, ClaimSettled, ClaimReversed, SettlementDiffers])
@settings(max_examples=25)
@given(data=st.data())
def test_claims_are_written_as_msgspec_writes_them(event_class: EventClass, data: st.DataObject) -> None:
    """Any claim, at the edges of 64 bits and with any text, has one set of bytes and reads back unchanged."""
    events = data.draw(strategy(event_class))
    names, kinds = event_class.__struct_fields__, layout_of(event_class)
    by_field = list(zip(*events, strict=True))
    columns = {
        name: column_of(kind, list(by_field[at])) for at, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    rows = np.arange(len(events), dtype=np.int64)
    encoded = encode_columns(event_class, columns, rows)
    expected = [msgspec.msgpack.encode(event_class(*event)) for event in events]
    assert reference.cut(encoded) == expected
    read = decode_columns(event_class, expected)
    for at, name in enumerate(names):
        column = read[name]
        if isinstance(column, Texts):
            texts = to_list(column) if kinds[at] == "str" else reference.cut(columnar.Encoded(*column))
            assert texts == list(by_field[at])
        elif isinstance(column, tuple):
            cells, present = column
            got = [
                tuple(None if cell == ABSENT else cell for cell in row) if there else None
                for row, there in zip(cells.tolist(), present.tolist(), strict=True)
            ]
            assert got == list(by_field[at])
        else:
            assert column.tolist() == [list(v) if isinstance(v, tuple) else v for v in by_field[at]]


def facts_columns(rows: int) -> dict[str, Source]:
    text = Text(*texts_from_list(["x"] * rows))
    return {
        "cause": Const(b"\x05"),
        "row": Ints(np.arange(rows, dtype=np.int64)),
        "facts": Table(np.arange(rows * len(FACTS), dtype=np.int64).reshape(rows, len(FACTS))),
        **dict.fromkeys(("setl_id", "mdtrt_id", "medins_setl_id", "fixmedins_code", "init_setl_id"), text),
        "given": Array(np.zeros((rows, len(AMOUNTS)), dtype=np.int64)),
    }


def test_a_table_stands_for_the_fields_it_names() -> None:
    """The facts of a claim go in and come out as the table the kernels work on."""
    columns, tables = facts_columns(3), {"facts": FACTS}
    encoded = encode_columns(ClaimFiled, columns, np.arange(3), tables)
    assert msgspec.msgpack.decode(encoded.data[encoded.offsets[2] :].tobytes(), type=ClaimFiled).row == 2
    read = decode_columns(ClaimFiled, encoded, tables)
    assert list(read) == list(columns)
    facts = read["facts"]
    assert isinstance(facts, np.ndarray)
    assert facts.flags.c_contiguous
    assert isinstance(given_facts := columns["facts"], Table)
    assert facts.tolist() == given_facts.values.tolist()


def test_every_field_is_given_exactly_once_and_fits() -> None:
    """A field that is forgotten, invented, doubled by a table or of another width is refused by name."""
    columns, rows, tables = facts_columns(2), np.arange(2), {"facts": FACTS}
    without = {name: source for name, source in columns.items() if name != "row"}
    for sources, text in (
        (without, r"missing \['row'\], unknown \[\]"),
        ({**columns, "token": columns["row"]}, r"missing \[\], unknown \['token'\]"),
        (
            {**columns, "setl_id": columns["row"]},
            "ClaimFiled.setl_id: expected Text or Const or Choice for str, got Ints",
        ),
        ({**columns, "given": Array(np.zeros((2, 3), dtype=np.int64))}, "ClaimFiled.given: expected 14 columns, got 3"),
        ({**columns, "facts": Table(np.zeros((2, 3), dtype=np.int64))}, "ClaimFiled.facts: expected 18 columns, got 3"),
    ):
        with pytest.raises(ValueError, match=text):
            encode_columns(ClaimFiled, sources, rows, tables)
    with pytest.raises(ValueError, match="table 'facts' to name consecutive int fields"):
        encode_columns(ClaimFiled, columns, rows, {"facts": (*FACTS, "given")})
    with pytest.raises(ValueError, match=r"start at one of its fields, got \['other'\]"):
        encode_columns(ClaimFiled, columns, rows, {"other": ("no_such_field",)})


def test_an_amount_that_must_be_there_cannot_be_left_out() -> None:
    """A booked amount is an integer: neither absent cells nor a presence column get into a settlement."""
    number, amounts = Ints(np.ones(1, dtype=np.int64)), np.full((1, len(AMOUNTS)), ABSENT)
    columns: dict[str, Source] = dict.fromkeys(ClaimSettled.__struct_fields__, number)
    columns |= {
        "policy": Choice(np.zeros(1, dtype=np.int64), [msgspec.msgpack.encode(bytes(16))]),
        "before": Array(np.zeros((1, len(ACCUMULATORS)), dtype=np.int64)),
        "delta": Array(np.zeros((1, len(ACCUMULATORS)), dtype=np.int64)),
        "how": Array(np.zeros((1, len(HOW)), dtype=np.int64)),
    }
    with pytest.raises(ValueError, match=r"row 0, field 8: expected an integer in every cell"):
        encode_columns(ClaimSettled, {**columns, "amounts": Array(amounts)}, np.zeros(1, dtype=np.int64))
    with pytest.raises(ValueError, match=r"ClaimSettled\.amounts: expected an array that is always there"):
        present = np.ones(1, dtype=np.int64)
        encode_columns(ClaimSettled, {**columns, "amounts": Array(amounts, present)}, np.zeros(1, dtype=np.int64))
