"""The tree kernel hashes as its specification does, with the processor's own rounds and without."""

import hashlib
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _tree
from core_ext.codec_fields import Encoded
from core_ext.reference import tree as reference
from core_ext.text import Texts, texts_from_list

NAMES = st.text(max_size=80)
INTS = st.sampled_from([0, 1, 255, 256, 2**31, 2**63 - 1])
EVENTS = st.lists(st.tuples(INTS, NAMES, st.binary(max_size=400), NAMES, INTS), max_size=6)


@pytest.fixture(params=["portable", "fastest"], autouse=True)
def rounds(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs every test with either choice of rounds."""
    _tree.use_portable(request.param == "portable")
    yield
    _tree.use_portable(False)


@settings(max_examples=100)
@given(EVENTS)
def test_leaves_are_those_of_the_specification(events: list[tuple[int, str, bytes, str, int]]) -> None:
    """Whatever an event holds, the kernel's leaf is the specification's."""
    columns = [list(column) for column in zip(*events, strict=True)] if events else [[], [], [], [], []]
    positions, topics, states, streams, versions = columns
    assert _tree.leaf_hashes(positions, topics, states, streams, versions) == reference.leaf_hashes(
        positions, topics, states, streams, versions
    )


@settings(max_examples=60)
@given(
    st.integers(0, 2**62),
    st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=400), NAMES, INTS), max_size=6),
    st.integers(0, 3),
)
def test_leaves_of_a_block_are_those_of_its_rows(
    first: int, rows: list[tuple[int, bytes, str, int]], skipped: int
) -> None:
    """Events on their way into the log, a piece of a block too, have the leaves they have once they are in it."""
    names = ("a", "topic/2")
    skipped = min(skipped, len(rows))
    streams, states = texts_from_list([row[2] for row in rows]), texts_from_list([row[1] for row in rows])
    columns = (
        Texts(streams.offsets[skipped:], streams.data),
        np.array([row[3] for row in rows], np.int64)[skipped:],
        np.array([row[0] for row in rows], np.int64)[skipped:],
        names,
        Encoded(states.offsets[skipped:], states.data),
    )
    expected = b"".join(
        reference.leaf_hashes([first + at], [names[topic]], [state], [stream], [version])
        for at, (topic, state, stream, version) in enumerate(rows[skipped:])
    )
    assert _tree.leaf_columns(*columns, first) == reference.leaf_columns(*columns, first) == expected


@pytest.mark.parametrize("length", [*range(130), 1000, 65_536, 100_000])
def test_every_length_is_padded_as_the_standard_says(length: int) -> None:
    """A message of any length around the edges of a block has SHA-256's own digest."""
    state = bytes(at % 251 for at in range(length))
    expected = hashlib.sha256(b"\0" + (1).to_bytes(8, "big") + (2).to_bytes(8, "big") + b"\0\1t\0\1s" + state).digest()
    assert _tree.leaf_hashes([1], ["t"], [state], ["s"], [2]) == expected


@pytest.mark.parametrize("count", [*range(1, 70), 255, 256, 257])
def test_roots_are_those_of_the_specification(count: int) -> None:
    """The root over any number of hashes is the specification's, and MTH of RFC 6962."""

    def defined(hashes: list[bytes]) -> bytes:
        if len(hashes) == 1:
            return hashes[0]
        split = 1 << (len(hashes) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + defined(hashes[:split]) + defined(hashes[split:])).digest()

    hashes = [hashlib.sha256(bytes([count % 256, at % 256])).digest() for at in range(count)]
    assert _tree.root_of(b"".join(hashes)) == reference.root_of(b"".join(hashes)) == defined(hashes)


@pytest.mark.parametrize("twin", [_tree, reference])
def test_what_is_no_event_is_refused(twin: ModuleType) -> None:
    """Columns of unequal length, numbers beyond 63 bits, endless names, no hash or half of one: errors, no hash."""
    leaf_hashes, root_of = twin.leaf_hashes, twin.root_of
    with pytest.raises(ValueError, match="one length"):
        leaf_hashes([1, 2], ["t"], [b""], ["s"], [1])
    with pytest.raises(OverflowError):
        leaf_hashes([-1], ["t"], [b""], ["s"], [1])
    with pytest.raises(OverflowError):
        leaf_hashes([1], ["t"], [b""], ["s"], [2**63])
    with pytest.raises(ValueError, match="65535"):
        leaf_hashes([1], ["t"], [b""], ["s" * 65_536], [1])
    for hashes in (b"", b"\0" * 31, b"\0" * 33):
        with pytest.raises(ValueError, match="expected one hash of 32 bytes or more"):
            root_of(hashes)


@pytest.mark.parametrize("twin", [_tree, reference])
def test_a_block_that_does_not_fit_together_is_refused(twin: ModuleType) -> None:
    """Columns of unequal length, a topic without a name, an endless stream, a version below zero: errors, no hash."""
    one, state = texts_from_list(["s"]), Encoded(*texts_from_list([b"x"]))
    numbers = np.array([0], np.int64)
    with pytest.raises(ValueError, match="expected 1 of them"):
        twin.leaf_columns(one, numbers[:0], numbers, ("t",), state, 1)
    with pytest.raises(ValueError, match="topics"):
        twin.leaf_columns(one, numbers, numbers + 1, ("t",), state, 1)
    with pytest.raises(ValueError, match="65535"):
        twin.leaf_columns(texts_from_list(["s" * 65_536]), numbers, numbers, ("t",), state, 1)
    with pytest.raises(OverflowError):
        twin.leaf_columns(one, numbers - 1, numbers, ("t",), state, 1)
