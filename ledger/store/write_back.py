"""Has SQLite bring what was committed from its write-ahead log to its place, in a thread beside whoever writes.

SQLite itself does it inside a commit, once the log is full: that one waits twice as long as the others. Nothing hangs
on when it is done: the log of events is the same, and a passive checkpoint waits for nobody and keeps nobody waiting.
"""

from collections.abc import Callable
from threading import Lock, Thread

from ledger.refusals import StoreError

#: Pages between two of them, about a quarter of what the write-ahead log holds before a commit has to do it.
PAGES_BETWEEN = 4_096

#: What a commit brings at least, and how many rows go on a page: SQLite says neither.
PAGES_A_COMMIT = 8
ROWS_A_PAGE = 16


class WriteBack:
    """Is what follows a store's commits: one at a time, none where the last one is still at it.

    Threads may share it. What goes wrong is raised before the next transaction begins, when nothing is half done.
    """

    def __init__(self) -> None:
        self._changing = Lock()
        self._pages = 0
        self._thread: Thread | None = None
        self._failed: StoreError | None = None

    def check(self) -> None:
        """Raises StoreError where the last one went wrong, once."""
        with self._changing:
            failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def wrote(self, rows: int, write_back: Callable[[], None]) -> None:
        """Notes the rows of a commit, and has ``write_back`` begin where it is due."""
        with self._changing:
            self._pages += max(PAGES_A_COMMIT, rows // ROWS_A_PAGE)
            if self._pages < PAGES_BETWEEN or (self._thread is not None and self._thread.is_alive()):
                return
            thread = Thread(target=self._run, args=(write_back,), name="write-back")
            try:
                thread.start()
            except RuntimeError:
                # Where no thread can be had any more, at the end of the process say, a full log is left to a commit.
                return
            self._pages, self._thread = 0, thread

    def wait(self) -> None:
        """Waits for the one that is under way."""
        with self._changing:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self, write_back: Callable[[], None]) -> None:
        try:
            write_back()
        except StoreError as error:
            with self._changing:
                self._failed = error
