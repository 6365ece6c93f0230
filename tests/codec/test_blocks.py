"""States are read in blocks of rows where the processor can: whatever is in a block, it reads as its rows do."""

import random
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _codec as compiled
from core_ext.codec_fields import Chosen, Encoded, parse_kind
from core_ext.reference import codec as reference
from core_ext.text import texts_from_list
from tests.codec.test_codec import EDGES, ints, outcome, same

KINDS = ("int", "int", "int", "str", "bytes", "ints", "optional-ints", "table")
WIDTHS = (1, 3, 7, 8, 9, 11, 14, 15, 16, 17, 22, 24, 25, 33)
FORMS = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"), (0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))


def any_layout(chance: random.Random) -> tuple[str, ...]:
    """Returns kinds in any order, plain integers many beside each other."""
    layout: list[str] = []
    for _ in range(chance.randint(1, 6)):
        kind = chance.choice(KINDS)
        if kind == "int":
            layout += ["int"] * chance.choice([1, 2, 7, 8, 9, 20])
        elif kind in ("str", "bytes"):
            layout.append(kind)
        else:
            layout.append(f"{kind}:{chance.choice(WIDTHS)}")
    return tuple(layout)


def any_int(chance: random.Random, usual: bool) -> bytes:
    """Returns an integer, mostly a small one; where not ``usual`` in any form that holds it, the longest too."""
    size = chance.choice([0, 0, 0, 7, 8, 16, 27]) if usual else chance.choice([0, 7, 16, 32, 63])
    value = chance.choice([chance.getrandbits(size) if size else 0, *([chance.choice(EDGES)] if not usual else [])])
    if usual or chance.random() < 0.5:
        return msgspec.msgpack.encode(value)
    head, form = chance.choice([(head, form) for head, form in FORMS if _holds(form, value)])
    return bytes([head]) + struct.pack(form, value)


def _holds(form: str, value: int) -> bool:
    bits = 8 * struct.calcsize(form)
    return -(1 << bits - 1) <= value < 1 << bits - 1 if form[1].islower() else 0 <= value < 1 << bits


def any_value(chance: random.Random, text: str, usual: bool) -> bytes:
    """Returns a field's value as msgpack, what a kind may be besides its usual form among it."""
    kind, width = text.partition(":")[0], parse_kind(text)[1]
    if kind == "int":
        return any_int(chance, usual)
    if kind == "table":
        return b"".join(any_int(chance, usual) for _ in range(width))
    if kind == "str":
        sizes = [0, 3, 12, 31] if usual else [0, 31, 32, 63, 64, 65, 255, 256, 300]
        letters = "清é" if chance.random() < 0.1 else "abc0"
        return msgspec.msgpack.encode("".join(chance.choice(letters) for _ in range(chance.choice(sizes))))
    if kind == "bytes":
        return msgspec.msgpack.encode(chance.randbytes(chance.choice([0, 16] if usual else [0, 16, 64, 65, 255, 256])))
    if kind == "optional-ints" and chance.random() < 0.4:
        return b"\xc0"
    count = width if usual or chance.random() < 0.7 else chance.randint(0, width)
    head = msgspec.msgpack.encode([0] * count)[: 1 if count < 16 else 3]
    nil = kind == "optional-ints"
    return head + b"".join(b"\xc0" if nil and chance.random() < 0.2 else any_int(chance, usual) for _ in range(count))


def any_states(chance: random.Random, layout: tuple[str, ...], n: int) -> list[bytes]:
    """Returns states; of some batches nearly all are of the usual forms, of others none."""
    odd = chance.choice([0.0, 0.05, 1.0])
    fields = sum(parse_kind(text)[1] if text.startswith("table") else 1 for text in layout)
    head = msgspec.msgpack.encode([0] * fields)[: 1 if fields < 16 else 3]
    return [
        head + b"".join(any_value(chance, text, usual) for text in layout)
        for usual in (chance.random() >= odd for _ in range(n))
    ]


def alike(layout: tuple[str, ...], states: list[bytes], chance: random.Random) -> None:
    """Checks that states are read alike by both twins, from a list, from one buffer and chosen out of another."""
    expected = outcome(reference, layout, states)
    order = list(range(len(states)))
    chance.shuffle(order)
    shuffled = Encoded(*texts_from_list([states[at] for at in order]))
    chosen = Chosen(shuffled, ints([order.index(at) for at in range(len(states))]))
    found = [outcome(compiled, layout, each) for each in (states, Encoded(*texts_from_list(states)), chosen)]
    for got in (*found, outcome(reference, layout, chosen)):
        assert got == expected if isinstance(expected, str) else not isinstance(got, str) and same(got, expected)


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**63), n=st.integers(0, 40))
def test_blocks_are_read_as_their_rows(seed: int, n: int) -> None:
    """Any layout, any values in any of their forms, any number of rows: the columns of the specification."""
    chance = random.Random(seed)
    layout = any_layout(chance)
    states = any_states(chance, layout, n)
    assert not isinstance(outcome(reference, layout, states), str)
    alike(layout, states, chance)


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**63), n=st.integers(8, 24), faults=st.integers(1, 3))
def test_a_fault_in_a_block_is_named_as_in_its_row(seed: int, n: int, faults: int) -> None:
    """Bytes cut, altered, added or repeated in any row of a block: the same row, field, expected and got."""
    chance = random.Random(seed)
    layout = any_layout(chance)
    states = any_states(chance, layout, n)
    for _ in range(faults):
        at = chance.randrange(n)
        raw = bytearray(states[at])
        where = chance.randrange(len(raw)) if raw else 0
        match chance.choice(["cut", "flip", "byte", "add", "drop"]):
            case "cut":
                del raw[where:]
            case "flip" if raw:
                raw[where] ^= 1 << chance.randrange(8)
            case "byte" if raw:
                raw[where] = chance.choice([0, 0x7F, 0x80, 0x90, 0xA0, 0xC0, 0xC1, 0xCF, 0xD3, 0xD4, 0xDC, 0xDF, 0xFF])
            case "drop" if raw:
                del raw[where]
            case _:
                raw += chance.randbytes(chance.randint(1, 3))
        states[at] = bytes(raw)
    alike(layout, states, chance)


@pytest.mark.parametrize("kernel", [compiled, reference])
def test_states_that_are_not_there_are_refused(kernel: object) -> None:
    """A row that the buffer does not have is an error, not memory of somebody else."""
    encoded = Encoded(*texts_from_list([b"\x91\x01"] * 2))
    for row in (-1, 2):
        with pytest.raises(ValueError, match=f"expected rows from 0 to 1, got {row} to {row}"):
            kernel.decode(("int",), Chosen(encoded, ints([row])))
