"""Seals persons: what binds a token to a number and a name for ever, and says nothing once the row is erased.

A seal is SHA-256 of token, number, name and a random salt, framed as a leaf of the tree is. The salt stands in the
person's row and goes with it: what is left of somebody erased is a hash nobody can try numbers on. Seals are kept
batch by batch and never change; a checkpoint states their digest, so that whoever keeps one also finds identities
that were exchanged.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from core_ext.codec_fields import Encoded
from core_ext.kernels import load
from core_ext.text import Texts, to_list
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.store.link import Ints, Link, Row
    from ledger.store.session import Reader

#: Returns as many random bytes as it is asked for.
Random: TypeAlias = Callable[[int], bytes]

#: Bytes of a salt and of a seal.
SALT, SEAL = 16, 32

# No event has this stream's version 0, so no seal is an event's leaf.
_STREAM, _VERSION = "person", 0
# Persons sealed at a time when a store moves up.
_PAGE = 8_192

SELECT_SEALS = "SELECT first, seals FROM person_seal WHERE first > ? ORDER BY first LIMIT 128"
SELECT_UNSEALED = "SELECT token, psn_no, psn_name FROM person WHERE token > ? AND token <= ? ORDER BY token"
SET_SALT = "UPDATE person SET salt = ? WHERE token = ?"
ADD_SEALS = "INSERT INTO person_seal (first, seals) VALUES (?, ?)"


@dataclass(frozen=True, slots=True)
class Persons:
    """Is new persons as they go into the store: their tokens are ``first`` and those behind it, each is sealed."""

    first: int
    numbers: Texts
    names: Texts
    salts: bytes
    seals: bytes

    def __len__(self) -> int:
        """Returns how many they are."""
        return len(self.numbers.offsets) - 1

    @property
    def last(self) -> int:
        """Returns the last token given, to any of them or before."""
        return self.first - 1 + len(self)

    @property
    def tokens(self) -> "Ints":
        """Returns their tokens."""
        return np.arange(self.first, self.last + 1, dtype=np.int64)

    def by_number(self) -> dict[str, int]:
        """Returns the token of each number."""
        return dict(zip(to_list(self.numbers), range(self.first, self.last + 1), strict=True))

    @classmethod
    def of(cls, first: int, numbers: Texts, names: Texts, random: Random) -> "Persons":
        """Returns persons with salts and seals; raises StoreError as ``seals_of``."""
        n = len(numbers.offsets) - 1
        salts = random(SALT * n) if n else b""
        return cls(first, numbers, names, salts, sealed(first, numbers, names, salts))


def sealed(first: int, numbers: Texts, names: Texts, salts: bytes) -> bytes:
    """Returns the seals of persons whose tokens are ``first`` and those behind it, as ``seals_of`` does."""
    n = len(numbers.offsets) - 1
    if not n:
        return b""
    order = np.arange(2 * n, dtype=np.int64)
    salted = Texts(np.arange(0, SALT * n + 1, SALT, dtype=np.int64), np.frombuffer(salts, np.uint8))
    offsets, data = load("gather").gather((salted, names), order & 1, order >> 1)
    streams = Texts(
        np.arange(0, len(_STREAM) * n + 1, len(_STREAM), dtype=np.int64),
        np.frombuffer(_STREAM.encode() * n, np.uint8),
    )
    at = np.arange(n, dtype=np.int64)
    states = Encoded(np.ascontiguousarray(offsets[::2]), data)
    try:
        leaves: bytes = load("tree").leaf_columns(
            streams, np.full(n, _VERSION, np.int64), at, tuple(to_list(numbers)), states, first
        )
    except (ValueError, OverflowError) as error:
        raise StoreError(f"expected a person's token, number and name, got others: {error}") from None
    return leaves


def seals_of(tokens: Sequence[int], numbers: Sequence[str], names: Sequence[str], salts: Sequence[bytes]) -> bytes:
    """Returns the seals of persons given as columns, 32 bytes each, one behind the other.

    Raises StoreError for a number beyond 65,535 bytes, or a token or text that cannot be sealed.
    """
    n = len(tokens)
    states = [salt + name.encode() for salt, name in zip(salts, names, strict=True)]
    try:
        leaves: bytes = load("tree").leaf_hashes(tokens, numbers, states, [_STREAM] * n, [_VERSION] * n)
    except (ValueError, OverflowError) as error:
        raise StoreError(f"expected a person's token, number and name, got others: {error}") from None
    return leaves


def cut(run: bytes, size: int) -> list[bytes]:
    """Returns the pieces of ``size`` bytes that were put one behind the other."""
    return [run[at : at + size] for at in range(0, len(run), size)]


def seal_all(link: "Link", tokens: int, random: Random) -> None:
    """Seals every person of a store that had no seals; a token that was erased gets a seal of nobody."""
    for after in range(0, tokens, _PAGE):
        stop = min(after + _PAGE, tokens)
        seals = dict(zip(range(after + 1, stop + 1), cut(random(SEAL * (stop - after)), SEAL), strict=True))
        rows: list[Row] = link.query(SELECT_UNSEALED, (after, stop))
        if rows:
            given, numbers, names = (list(column) for column in zip(*rows, strict=True))
            salts = cut(random(SALT * len(rows)), SALT)
            seals |= dict(zip(given, cut(seals_of(given, numbers, names, salts), SEAL), strict=True))
            link.executemany(SET_SALT, list(zip(salts, given, strict=True)))
        link.execute(ADD_SEALS, (after + 1, b"".join(seals.values())))


def read_seals(reader: "Reader") -> Iterator[tuple[int, bytes]]:
    """Yields (first token, seals) of every batch, as they stand, in order; none where they are no bytes."""
    after = -(2**63)
    while rows := reader.query(SELECT_SEALS, (after,)):
        after = int(rows[-1][0])
        for first, seals in rows:
            yield int(first), seals if isinstance(seals, bytes) else b""


def digests_of(reader: "Reader", counts: Sequence[int]) -> dict[int, bytes]:
    """Returns SHA-256 over the first ``count`` seals for each of ``counts``; none for more seals than there are."""
    digest, held, found = sha256(), 0, {}
    wanted = sorted(set(counts), reverse=True)
    for _, seals in read_seals(reader):
        end = held + len(seals) // SEAL
        while wanted and wanted[-1] <= end:
            part = digest.copy()
            part.update(seals[: (wanted[-1] - held) * SEAL])
            found[wanted.pop()] = part.digest()
        digest.update(seals)
        held = end
    if wanted and wanted[-1] == 0 == held:
        found[0] = digest.digest()
    return found
