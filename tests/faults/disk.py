"""Is a file system under SQLite that remembers every operation, and fails the one it is told to."""

import itertools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from typing_extensions import Buffer

SECTOR = 512

_names = itertools.count(1)


@dataclass
class Operation:
    """Is one change of a file, or a mark the test set between them."""

    kind: str  # write, sync, truncate, delete, mark
    file: str = ""
    offset: int = 0
    data: bytes = b""
    number: int = 0
    held: bool = True  # a sync: whether what it promised was done


@dataclass
class Disk:
    """Is what all files of one store went through; ``fault`` is asked before every operation.

    ``fault(kind, file, size)`` may raise what SQLite is to see; after a write it may first let a part of it through.
    """

    fault: Callable[[str, str, int], None] = lambda kind, file, size: None
    short: bool = False
    log: list[Operation] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def mark(self, number: int) -> None:
        """Notes that the caller was told of something, at this point of time."""
        self.log.append(Operation("mark", number=number))

    def before(self, kind: str, file: str, size: int = 0) -> None:
        """Counts an operation and lets the fault speak."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.fault(kind, file, size)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, vfs: str, name: "apsw.URIFilename | str | None", flags: list[int]) -> None:
        self._disk = disk
        super().__init__(vfs, name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._name = Path(path).name

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.before("read", self._name, amount)
        return super().xRead(amount, offset)

    def xWrite(self, data: "Buffer", offset: int) -> None:
        written = bytes(data)
        try:
            self._disk.before("write", self._name, len(written))
        except apsw.Error:
            if self._disk.short and len(written) > 1:
                part = written[: len(written) // 2]
                super().xWrite(part, offset)
                self._disk.log.append(Operation("write", self._name, offset, part))
            raise
        super().xWrite(written, offset)
        self._disk.log.append(Operation("write", self._name, offset, written))

    def xTruncate(self, newsize: int) -> None:
        self._disk.before("truncate", self._name)
        super().xTruncate(newsize)
        self._disk.log.append(Operation("truncate", self._name, newsize))

    def xSync(self, flags: int) -> None:
        try:
            self._disk.before("sync", self._name)
        except apsw.Error:
            # A disk that failed to sync may have dropped what it was to write, and say "done" the next time.
            self._disk.log.append(Operation("sync", self._name, held=False))
            raise
        self._disk.log.append(Operation("sync", self._name))


class _System(apsw.VFS):
    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        super().__init__(name, "unix")

    def xOpen(self, name: "apsw.URIFilename | str | None", flags: list[int]) -> _File:
        return _File(self._disk, "unix", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.before("delete", Path(filename).name)
        super().xDelete(filename, syncdir)
        self._disk.log.append(Operation("delete", Path(filename).name))


@contextmanager
def mounted(disk: Disk) -> Iterator[str]:
    """Gives the name under which SQLite knows the disk."""
    name = f"disk-{next(_names)}"
    system = _System(disk, name)
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        # A fault that SQLite had nobody to tell of, while closing say, is none to print.
        if not isinstance(unraisable.exc_value, apsw.Error):
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield name
    finally:
        sys.unraisablehook = before
        system.unregister()


class Image:
    """Is what would be found after the power was cut: what was synced, and of the rest whatever chance has it."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        self._pending: dict[str, list[Operation]] = {}

    def take(self, operation: Operation) -> None:
        """Lets one operation happen."""
        name = operation.file
        if operation.kind == "sync":
            pending = self._pending.pop(name, [])
            if operation.held:
                for each in pending:
                    _apply(self.files.setdefault(name, bytearray()), each)
        elif operation.kind == "delete":
            self.files.pop(name, None)
            self._pending.pop(name, None)
        elif operation.kind != "mark":
            self._pending.setdefault(name, []).append(operation)

    def cut(self, rng: random.Random, kept: float) -> dict[str, bytes]:
        """Returns the files after a power cut; of every unsynced write each sector is there with chance ``kept``."""
        found = {name: bytearray(data) for name, data in self.files.items()}
        for name, pending in self._pending.items():
            for each in pending:
                if each.kind == "truncate":
                    if rng.random() < kept:
                        _apply(found.setdefault(name, bytearray()), each)
                    continue
                for at in range(0, len(each.data), SECTOR):
                    if rng.random() < kept:
                        sector = Operation("write", name, each.offset + at, each.data[at : at + SECTOR])
                        _apply(found.setdefault(name, bytearray()), sector)
        return {name: bytes(data) for name, data in found.items()}


def _apply(file: bytearray, operation: Operation) -> None:
    if operation.kind == "truncate":
        del file[operation.offset :]
        return
    end = operation.offset + len(operation.data)
    if len(file) < end:
        file.extend(bytes(end - len(file)))
    file[operation.offset : end] = operation.data
