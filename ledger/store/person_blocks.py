"""Keeps the many persons that a batch brings as one row, a block, whose numbers are found by runs.

Two indexes of thousands of rows cost a database more than all else a batch leaves behind. A block is written once and
stays: tokens ascend, so it is found by its first one. Few persons are rows of the table ``person``, by token and by
number. Whoever is erased leaves an empty number and name in the block, and a salt of zeros.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.text import Texts, text_at
from ledger.refusals import StoreError
from ledger.store.seals import SALT, Persons

if TYPE_CHECKING:
    from ledger.store.link import Ints, Link, Row
    from ledger.store.session import Reader

#: Fewer persons than this are rows of their table: a block of them would not be less.
BLOCK_PERSONS = 256

NAME = "person_block"
COLUMNS = ("first", "number_ends", "numbers", "name_ends", "names", "salts")
SELECT_BLOCK = f"SELECT {', '.join(COLUMNS)} FROM {NAME} WHERE first <= ? ORDER BY first DESC LIMIT 1"
SELECT_NEXT = f"SELECT {', '.join(COLUMNS)} FROM {NAME} WHERE first > ? ORDER BY first LIMIT 1"


@dataclass(frozen=True, slots=True)
class Block:
    """Is persons of the tokens from ``first`` on; the number and name of somebody erased are empty."""

    first: int
    numbers: Texts
    names: Texts
    salts: bytes

    def __len__(self) -> int:
        """Returns how many there are, erased ones too."""
        return len(self.numbers.offsets) - 1

    def tokens(self) -> "Ints":
        """Returns the tokens of those who are not erased."""
        tokens: Ints = self.first + np.flatnonzero(np.diff(self.numbers.offsets)).astype(np.int64)
        return tokens

    def person(self, token: int) -> tuple[str, str] | None:
        """Returns number and name of a token; None for one of others, and for somebody erased.

        Raises StoreError where they are no text.
        """
        at = token - self.first
        if not 0 <= at < len(self):
            return None
        try:
            number = text_at(self.numbers, at)
            return (number, text_at(self.names, at)) if number else None
        except UnicodeDecodeError:
            raise StoreError(f"{NAME} {self.first}: expected text, got other bytes: verify the store") from None

    def without(self, token: int) -> "Block":
        """Returns the block without who a token is."""
        at = token - self.first
        salts = self.salts[: SALT * at] + bytes(SALT) + self.salts[SALT * (at + 1) :]
        return Block(self.first, _emptied(self.numbers, at), _emptied(self.names, at), salts)


def _emptied(texts: Texts, at: int) -> Texts:
    start, end = texts.offsets[at : at + 2].tolist()
    offsets = texts.offsets.copy()
    offsets[at + 1 :] -= end - start
    return Texts(offsets, np.concatenate([texts.data[:start], texts.data[end:]]))


def block_of(persons: Persons) -> Block:
    """Returns new persons as a block."""
    return Block(persons.first, persons.numbers, persons.names, persons.salts)


def put_block(link: "Link", block: Block) -> None:
    """Writes a block."""
    cells: list[Any] = [block.first]
    for texts in (block.numbers, block.names):
        cells += [texts.offsets[1:].astype("<i4").tobytes(), texts.data.tobytes()]
    link.put(NAME, COLUMNS, [[cell] for cell in (*cells, block.salts)])


def persons_in_blocks(link: "Link", tokens: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Returns number and name of every token that some block has; raises StoreError for one that is not whole."""
    found: dict[int, tuple[str, str]] = {}
    block: Block | None = None
    for token in sorted(set(tokens)):
        if block is None or not block.first <= token < block.first + len(block):
            rows = link.query(SELECT_BLOCK, (token,))
            block = whole(rows[0]) if rows else None
        person = block.person(token) if block is not None else None
        if person is not None:
            found[token] = person
    return found


def remove_from_block(link: "Link", token: int) -> str:
    """Writes the block that has a token anew without who that is; returns the number, empty where there was nobody."""
    rows = link.query(SELECT_BLOCK, (token,))
    block = whole(rows[0]) if rows else None
    person = block.person(token) if block is not None else None
    if block is None or person is None:
        return ""
    link.erase(NAME, "first", block.first)
    put_block(link, block.without(token))
    return person[0]


def each_block(reader: "Reader") -> "Iterator[Row]":
    """Yields every block there is as its row, in order of tokens; ``whole`` takes one apart."""
    after = -(2**63)
    while rows := reader.query(SELECT_NEXT, (after,)):
        yield rows[0]
        after = rows[0][0]


def whole(row: "Row") -> Block:
    """Returns a block out of its row; raises StoreError for one that is not whole."""
    first, number_ends, numbers, name_ends, names, salts = row
    try:
        found = Block(first, _cut(number_ends, numbers), _cut(name_ends, names), bytes(salts))
    except (TypeError, ValueError):
        found = None
    if found is None or len(found.names.offsets) != len(found.numbers.offsets) or len(found.salts) != SALT * len(found):
        raise StoreError(f"{NAME} {first}: expected columns of one length, got others: verify the store")
    return found


def _cut(ends: bytes, data: bytes) -> Texts:
    offsets = np.concatenate([np.zeros(1, np.int64), np.frombuffer(ends, "<i4").astype(np.int64)])
    if len(offsets) < 2 or (np.diff(offsets) < 0).any() or offsets[-1] != len(data):
        raise ValueError("ends that are not those of the texts")
    return Texts(offsets, np.frombuffer(data, np.uint8))
