"""Reads the states of detached events from their archives: a month's bytes in one file, found by position.

In the place of a detached state the log keeps a mark: which month, which archive, which position. An archive is the
states one after the other, then their positions, their ends, their number and a word; integers are 64 bits,
little-endian. Its name carries the beginning of its digest, SHA-256 over all of the file.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ledger.refusals import StoreError

#: The one byte that no msgpack value begins with.
MARK = b"\xc1"
_WORD = b"settlement-detached/1\n"
_DIGEST = 8


def mark(period: int, digest: bytes) -> bytes:
    """Returns the mark of a month and its archive; behind it stands the position, eight bytes, big-endian."""
    return MARK + period.to_bytes(4, "big") + digest[:_DIGEST]


def archive_name(period: int, digest: bytes) -> str:
    """Returns the name of a month's archive.

    >>> archive_name(202401, bytes(32))
    'events-202401-0000000000000000.detached'
    """
    return f"events-{period:06d}-{digest[:_DIGEST].hex()}.detached"


class Archive:
    """Is one archive, mapped into memory; raises StoreError where the file is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        raw = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
        tail = len(_WORD) + 8
        if len(raw) < tail or raw[-len(_WORD) :].tobytes() != _WORD:
            raise StoreError(f"{path}: expected an archive of detached events, got another file")
        self.count = int.from_bytes(raw[-tail : -len(_WORD)].tobytes(), "little")
        index = len(raw) - tail - 16 * self.count
        if index < 0:
            raise StoreError(f"{path}: expected {self.count:,} events, got a file cut short")
        numbers = np.frombuffer(raw[index : len(raw) - tail].tobytes(), "<i8")
        self.positions, self._ends = numbers[: self.count], numbers[self.count :]
        # A plain view: slices of a mapped array cost ten times as much as the bytes.
        self._raw = np.asarray(raw).data

    def state(self, position: int) -> bytes:
        """Returns the state of the event at a position; raises StoreError where the archive has none."""
        at = int(np.searchsorted(self.positions, position))
        if at >= self.count or self.positions[at] != position:
            raise StoreError(f"{self.path}: expected the event at position {position}, got none")
        return bytes(self._raw[int(self._ends[at - 1]) if at else 0 : int(self._ends[at])])

    def digest(self) -> bytes:
        """Returns SHA-256 over the whole file."""
        whole = hashlib.sha256()
        for at in range(0, len(self._raw), 1 << 24):
            whole.update(self._raw[at : at + (1 << 24)])
        return whole.digest()


def write_archive(path: Path, pages: Iterable[Iterable[tuple[int, bytes]]]) -> tuple[bytes, int, int]:
    """Writes (position, state) in order as an archive, durable, and returns its digest, events and bytes of states."""
    positions, ends, end = list[int](), list[int](), 0
    whole = hashlib.sha256()
    with path.open("wb") as file:

        def put(part: bytes) -> None:
            whole.update(part)
            file.write(part)

        for page in pages:
            for position, state in page:
                put(state)
                end += len(state)
                positions.append(position)
                ends.append(end)
        put(np.array(positions + ends, "<i8").tobytes())
        put(len(positions).to_bytes(8, "little") + _WORD)
        file.flush()
        os.fsync(file.fileno())
    return whole.digest(), len(positions), end


class Archives:
    """Is the folder of a store's archives; None: nobody said where it is."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._open: dict[bytes, Archive] = {}

    def state(self, state: bytes) -> bytes:
        """Returns a state as it is, or that which a mark stands for; raises StoreError saying where the month is."""
        if state[:1] != MARK:
            return state
        period = int.from_bytes(state[1:5], "big")
        digest, position = state[5 : 5 + _DIGEST], int.from_bytes(state[5 + _DIGEST :], "big")
        found = self._open.get(digest)
        if found is None:
            found = self._open[digest] = self._archive(period, digest, position)
        return found.state(position)

    def _archive(self, period: int, digest: bytes, position: int) -> Archive:
        name = archive_name(period, digest)
        if self.folder is None or not (self.folder / name).is_file():
            where = "a folder that was not named (--segments)" if self.folder is None else str(self.folder)
            raise StoreError(
                f"position {position}: the events of {period} are detached: expected their archive {name} in {where},"
                " got none: bring the file there (`settlement attach` then puts them back into the log)"
            )
        return Archive(self.folder / name)

    def rows(self, rows: list[Any], at: int) -> list[Any]:
        """Returns rows with every state, in column ``at``, that is detached read from its archive.

        A cell that is not even bytes, as a damaged SQLite file may have, stays: whoever decodes it names it.
        """
        if not any(isinstance(row[at], bytes) and row[at][:1] == MARK for row in rows):
            return rows
        return [(*row[:at], self.state(row[at]), *row[at + 1 :]) if isinstance(row[at], bytes) else row for row in rows]


def pages_of(archive: Archive, rows: int) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yields positions and states of an archive, some rows at a time."""
    for first in range(0, archive.count, rows):
        positions = archive.positions[first : first + rows].tolist()
        yield positions, [archive.state(position) for position in positions]
