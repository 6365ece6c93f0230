"""Lets processes take turns at writing one SQLite file.

SQLite itself has no queue: whoever waits looks again, ever less often, and a job that begins its next transaction at
once is always quicker. So a waiter looks often, and holds a shared lock on a file beside the store meanwhile: a job
sees that somebody waits, takes smaller bites and leaves a gap. The lock ends with its process; the file is empty.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

#: How often a waiter looks, in milliseconds: less than the gap a job leaves.
LOOK_MS = 1


class Turns:
    """Is one process's part in the turns at a file."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(f"{store.name}-turn")

    def wait(self, begin: Callable[[], object], timeout_s: int) -> None:
        """Begins a transaction as soon as nobody else writes; raises SQLite's error where that takes too long."""
        try:
            begin()
            return
        except sqlite3.Error as error:
            if not _busy(error):
                raise
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
            until = time.monotonic() + timeout_s
            while True:
                time.sleep(LOOK_MS / 1000)
                try:
                    begin()
                    return
                except sqlite3.Error as error:
                    if not _busy(error) or time.monotonic() > until:
                        raise
        finally:
            os.close(file)

    def anybody_waits(self) -> bool:
        """Returns whether another process, or another store of this one, waits for its turn."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(file)


def _busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
