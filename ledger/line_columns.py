"""Names what a LinesFiled holds of every line, and reads it back: numbers packed by the kernel, texts by line."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.kernels import load
from core_ext.layout import ABSENT
from core_ext.line_cells import LINES, PARTS
from ledger.line_events import LinesFiled

Int64s = NDArray[np.int64]

#: ``row`` counts from the event's row; the last five are what price, count, caps and ratio split the line into.
NUMBERS = ("row", *LINES[1:], *(f"split_{name}" for name in PARTS))
NUMBER = {name: at for at, name in enumerate(NUMBERS)}

_FACTS = slice(1, len(LINES))
GIVEN = slice(NUMBER[PARTS[0]], NUMBER[PARTS[0]] + len(PARTS))
SPLIT = slice(-len(PARTS), None)


class Lines(NamedTuple):
    """Is the lines of one LinesFiled: ``table`` int64[n, NUMBERS] with rows of the file, and their texts."""

    table: Int64s
    serials: list[str]
    items: list[str]
    codes: list[str]

    @property
    def split(self) -> Int64s:
        """Returns what the rules split each line into, int64[n, PARTS], fen."""
        return self.table[:, SPLIT]

    def content(self, at: int) -> tuple[object, ...]:
        """Returns all a line says, without the place it came from."""
        return (*self.table[at, _FACTS].tolist(), self.items[at], self.codes[at])


def lines_of(event: LinesFiled) -> Lines:
    """Returns the lines an event holds; raises ValueError where its numbers are not what the kernel packs, and where
    it has not three texts for each of them."""
    table: Int64s = load("lines").unpack(event.numbers, len(NUMBERS))
    table[:, 0] += event.row
    texts = [line.split("\t") for line in event.texts.split("\n")[:-1]]
    if len(texts) != len(table) or any(len(line) != 3 for line in texts):
        raise ValueError(f"expected three texts for each of {len(table)} lines, got {len(texts)} lines of texts")
    return Lines(table, *([line[at] for line in texts] for at in range(3)))


def own_amounts(given: Int64s, split: Int64s) -> Int64s:
    """Returns each line's own amounts, int64[n, PARTS]: the source's where it gives all four parts, else the split.

    The whole amount is the source's where it gives one, else the sum of the parts.
    """
    if (given == ABSENT).all():
        return split
    complete = (given[:, 1:] != ABSENT).all(axis=1)
    own = np.where(complete[:, None], given, split)
    own[:, 0] = np.where(given[:, 0] != ABSENT, given[:, 0], own[:, 1:].sum(axis=1))
    return np.asarray(own)


def differing(given: Int64s, split: Int64s, tolerance_fen: int) -> NDArray[np.bool_]:
    """Returns which lines give an amount further from the split than the tolerance."""
    if (given == ABSENT).all():
        return np.zeros(len(given), np.bool_)
    apart = np.abs(np.where(given == ABSENT, split, given) - split) > tolerance_fen
    return np.asarray(apart.any(axis=1))
