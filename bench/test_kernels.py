"""Times the kernels around settlement: text to columns, columns to and from event states, claims to statement lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.columns import sources
from bench.settling import digest
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from core_ext import _fold, kernels
from core_ext.codec_fields import Array, Binary, Encoded, Ints, Source, Text
from core_ext.layout import ABSENT, FACT, FACTS
from core_ext.reference import fold as specified
from core_ext.text import Texts, to_list
from ledger.columnar import decode_columns, encode_columns, layout_of
from ledger.events import ClaimFiled, ClaimSettled, Event, EventClass
from ledger.intake import BATCH_ROWS
from ledger.profile import load_profile
from ledger.source import open_source

KEYS = [FACT[name] for name in ("insured_region", "treatment_region", "insutype")]
VALUES = [FACT[name] for name in FACTS if name.endswith(("_amt", "sumamt", "selfpay"))]


@contextmanager
def by(backend: str) -> Iterator[None]:
    """Lets one of the two sets of kernels be chosen inside the block."""
    before = kernels.BACKEND
    kernels.BACKEND = backend
    try:
        yield
    finally:
        kernels.BACKEND = before


def parsed(file: Path) -> str:
    """Returns the digest of a file's columns."""
    batches = open_source(file, load_profile()).batches()
    return digest(
        table
        for batch in batches
        for table in (
            *(batch.facts, batch.given, batch.settled, batch.refund, batch.faults, batch.field),
            *(part for texts in batch.texts.values() for part in texts),
        )
    )


def parse(file: Path) -> int:
    """Returns how many claims a file holds, having read them all into columns."""
    return sum(batch.n for batch in open_source(file, load_profile()).batches())


@pytest.mark.benchmark(group="parse")
def test_parse(benchmark: BenchmarkFixture, workbench: Workbench) -> None:
    """Reads a month's file from its bytes to integer columns, refunds, broken rows and all."""
    claims = workbench.size.month_claims
    small, file = workbench.claim_file(workbench.size.checked_claims), workbench.claim_file(claims)
    with by("reference"):
        expected = parsed(small)
    assert parsed(small) == expected
    assert parse(file) == claims

    timing = measure(benchmark, lambda: parse(file), rounds=workbench.size.rounds)

    result = parsed(file)
    benchmark.extra_info["result_sha256"] = result
    workbench.note({"parse.ns_per_claim": timing.median_ns / claims, "parse.result_sha256": result})


class Codec:
    """Encodes and decodes the two large events of a month: by columns, a batch of an intake at a time, and by msgspec.

    msgspec has its best: from the same columns one tuple a row, which it writes sooner than an object, into one
    buffer; beside that objects that are there already; and a decoder of the event's own class.
    """

    def __init__(self, workbench: Workbench) -> None:
        self.states: dict[EventClass, list[bytes]] = {
            event: [row[4] for row in workbench.events if row[3] == event.TOPIC] for event in (ClaimFiled, ClaimSettled)
        }
        self.decoders = {event: msgspec.msgpack.Decoder(event) for event in self.states}
        self.encoder = msgspec.msgpack.Encoder()
        self.events = self.decode_objects()
        self.batches = [
            (event, states[at : at + BATCH_ROWS])
            for event, states in self.states.items()
            for at in range(0, len(states), BATCH_ROWS)
        ]
        self.columns = [
            (event, sources(event, states), np.arange(len(states), dtype=np.int64)) for event, states in self.batches
        ]
        self.count = sum(map(len, self.states.values()))

    def encode(self) -> list[Encoded]:
        """Returns the states of both events, from columns, a batch at a time."""
        return [encode_columns(event, columns, rows) for event, columns, rows in self.columns]

    def encode_rows(self) -> bytearray:
        """Returns the states of both events in one buffer, from the same columns, by way of a tuple a row."""
        buffer, encode_into = bytearray(), self.encoder.encode_into
        for _, columns, _ in self.columns:
            for row in zip(*map(_listed, columns.values()), strict=True):
                encode_into(row, buffer, -1)
        return buffer

    def encode_objects(self) -> bytearray:
        """Returns the states of both events in one buffer, from an object each."""
        buffer, encode_into = bytearray(), self.encoder.encode_into
        for events in self.events.values():
            for event in events:
                encode_into(event, buffer, -1)
        return buffer

    def encode_bytes(self) -> list[bytes]:
        """Returns the states of both events as bytes, from an object each."""
        encode = self.encoder.encode
        return [encode(event) for events in self.events.values() for event in events]

    def decode(self) -> list[dict[str, Any]]:
        """Returns both events as columns, a batch at a time."""
        return [decode_columns(event, states) for event, states in self.batches]

    def decode_objects(self) -> dict[EventClass, list[Event]]:
        """Returns both events as an object each."""
        return {
            event: [decode(state) for state in states]
            for event, states in self.states.items()
            for decode in [self.decoders[event].decode]
        }


def objects_of(event: EventClass, columns: dict[str, Any]) -> list[Event]:
    """Returns columns as an object a row, to compare."""
    kinds = zip(layout_of(event), columns.values(), strict=True)
    return [event(*values) for values in zip(*(_values(kind, column) for kind, column in kinds), strict=True)]


def _values(kind: str, column: Any) -> list[Any]:
    base = kind.partition(":")[0]
    if base == "str":
        return to_list(column)
    if base == "bytes":
        return cut(column)
    if base == "int":
        return cast("list[Any]", column.tolist())
    if base == "ints":
        return [tuple(row) for row in column.tolist()]
    values, present = column
    return [
        tuple(None if cell == ABSENT else cell for cell in row) if there else None
        for row, there in zip(values.tolist(), present.tolist(), strict=True)
    ]


def _listed(source: Source) -> list[Any]:
    """Returns a source as what msgspec writes of it, a value a row."""
    if isinstance(source, Text):
        return to_list(Texts(*source))
    if isinstance(source, Binary):
        return cut(Texts(*source))
    if isinstance(source, Ints):
        return cast("list[Any]", source.values.tolist())
    if not isinstance(source, Array):
        raise TypeError(f"expected columns alone, got {type(source).__name__}")
    rows: list[Any] = source.values.tolist()
    if source.present is not None:
        for row in np.flatnonzero((source.values == ABSENT).any(axis=1)).tolist():
            rows[row] = [None if cell == ABSENT else cell for cell in rows[row]]
        for row in np.flatnonzero(source.present == 0).tolist():
            rows[row] = None
    return rows


def cut(buffer: Texts | Encoded) -> list[bytes]:
    """Returns each text or state of a buffer."""
    whole = buffer.data.tobytes()
    return [whole[start:stop] for start, stop in pairwise(buffer.offsets.tolist())]


@pytest.fixture(scope="module")
def codec(workbench: Workbench) -> Codec:
    """Returns the events to encode and to decode."""
    return Codec(workbench)


@pytest.mark.benchmark(group="codec")
def test_encode(benchmark: BenchmarkFixture, workbench: Workbench, codec: Codec) -> None:
    """Encodes claims and decisions from columns, in turn with msgspec from the same columns, then from objects."""
    expected = [state for states in codec.states.values() for state in states]
    assert [state for encoded in codec.encode() for state in cut(encoded)] == codec.encode_bytes() == expected
    assert codec.encode_rows() == codec.encode_objects() == b"".join(expected)

    timing = measure(benchmark, codec.encode, rival=lambda: took_ns(codec.encode_rows), rounds=workbench.size.rounds)
    ratios = [took_ns(codec.encode_objects) / took_ns(codec.encode) for _ in range(workbench.size.rounds)]

    result = digest(part for encoded in codec.encode() for part in encoded)
    benchmark.extra_info["result_sha256"] = result
    workbench.note(
        {
            "codec.events": codec.count,
            "codec.encode_ns_per_event": timing.median_ns / codec.count,
            "codec.encode_vs_msgspec": timing.times_less,
            "codec.encode_vs_msgspec_from_objects": median(ratios),
            "codec.result_sha256": result,
        }
    )


@pytest.mark.benchmark(group="codec")
def test_decode(benchmark: BenchmarkFixture, workbench: Workbench, codec: Codec) -> None:
    """Decodes claims and decisions into columns, in turn with msgspec into objects, which are no columns yet."""
    found: dict[EventClass, list[Event]] = {event: [] for event in codec.states}
    for (event, _), columns in zip(codec.batches, codec.decode(), strict=True):
        found[event] += objects_of(event, columns)
    assert found == codec.events == codec.decode_objects()

    timing = measure(benchmark, codec.decode, rival=lambda: took_ns(codec.decode_objects), rounds=workbench.size.rounds)

    benchmark.extra_info["result_sha256"] = digest(
        part for columns in codec.decode() for column in columns.values() for part in _parts(column)
    )
    workbench.note(
        {
            "codec.decode_ns_per_event": timing.median_ns / codec.count,
            "codec.decode_vs_msgspec": timing.times_less,
        }
    )


def _parts(column: Any) -> tuple[Any, ...]:
    return column if isinstance(column, tuple) else (column,)


@pytest.mark.benchmark(group="fold")
def test_fold(benchmark: BenchmarkFixture, workbench: Workbench) -> None:
    """Adds a month's claims up per pair of regions and insurance type."""
    states = [row[4] for row in workbench.events if row[3] == ClaimFiled.TOPIC]
    facts = cast("dict[str, Any]", decode_columns(ClaimFiled, states, {"facts": FACTS}))["facts"]
    keys, values = np.ascontiguousarray(facts[:, KEYS]), np.ascontiguousarray(facts[:, VALUES])

    def added_up(kernel: Any) -> Any:
        group, first = kernel.group(keys)
        sums = np.zeros((len(first), values.shape[1]), np.int64)
        kernel.fold(group, values, sums)
        return sums

    expected = added_up(specified)
    assert np.array_equal(added_up(_fold), expected)

    timing = measure(
        benchmark,
        lambda: added_up(_fold),
        rival=lambda: took_ns(lambda: added_up(specified)),
        rounds=workbench.size.rounds,
    )

    benchmark.extra_info["result_sha256"] = digest([expected])
    workbench.note(
        {
            "fold.claims": len(keys),
            "fold.ns_per_claim": timing.median_ns / len(keys),
            "fold.vs_reference": timing.times_less,
            "fold.result_sha256": digest([expected]),
        }
    )
