"""Times the kernels around settlement: text to columns, columns to and from event states, claims to statement lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

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
from ledger.mapper import decode_event, encode_event
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
    """Encodes and decodes the two large events of a month, by columns and by msgspec."""

    def __init__(self, workbench: Workbench) -> None:
        self.states: dict[EventClass, list[bytes]] = {
            event: [row[4] for row in workbench.events if row[3] == event.TOPIC] for event in (ClaimFiled, ClaimSettled)
        }
        self.events = {
            event: [decode_event(event.TOPIC, state) for state in states] for event, states in self.states.items()
        }
        self.sources = {event: sources(event, states) for event, states in self.states.items()}
        self.rows = {event: np.arange(len(states), dtype=np.int64) for event, states in self.states.items()}
        self.count = sum(map(len, self.states.values()))

    def encode(self) -> list[Encoded]:
        """Returns the states of both events, from columns."""
        return [encode_columns(event, self.sources[event], self.rows[event]) for event in self.states]

    def encode_objects(self) -> list[list[bytes]]:
        """Returns the states of both events, from an object each."""
        return [[encode_event(event) for event in events] for events in self.events.values()]

    def decode(self) -> list[dict[str, Any]]:
        """Returns both events as columns."""
        return [decode_columns(event, states) for event, states in self.states.items()]

    def decode_objects(self) -> list[list[Event]]:
        """Returns both events as an object each."""
        return [[decode_event(event.TOPIC, state) for state in states] for event, states in self.states.items()]


def sources(event: EventClass, states: list[bytes]) -> dict[str, Source]:
    """Returns columns of states as the encoder takes them."""
    kinds = dict(zip(event.__struct_fields__, layout_of(event), strict=True))
    made: dict[str, Callable[[Any], Source]] = {
        "int": Ints,
        "str": lambda column: Text(*column),
        "bytes": lambda column: Binary(*column),
        "ints": Array,
        "optional-ints": lambda column: Array(*column),
    }
    return {name: made[kinds[name].partition(":")[0]](column) for name, column in decode_columns(event, states).items()}


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
    """Encodes claims and decisions from columns, in turn with msgspec from objects that are there already."""
    expected = list(codec.states.values())
    assert [cut(encoded) for encoded in codec.encode()] == expected
    assert codec.encode_objects() == expected

    timing = measure(benchmark, codec.encode, rival=lambda: took_ns(codec.encode_objects), rounds=workbench.size.rounds)

    result = digest(part for encoded in codec.encode() for part in encoded)
    benchmark.extra_info["result_sha256"] = result
    workbench.note(
        {
            "codec.events": codec.count,
            "codec.encode_ns_per_event": timing.median_ns / codec.count,
            "codec.encode_vs_msgspec": timing.times_less,
            "codec.result_sha256": result,
        }
    )


@pytest.mark.benchmark(group="codec")
def test_decode(benchmark: BenchmarkFixture, workbench: Workbench, codec: Codec) -> None:
    """Decodes claims and decisions into columns, in turn with msgspec into objects, which are no columns yet."""
    for event, columns in zip(codec.states, codec.decode(), strict=True):
        assert objects_of(event, columns) == codec.events[event]
    assert codec.decode_objects() == list(codec.events.values())

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
