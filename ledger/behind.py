"""Lets a store tidy up behind a job, in another thread, while the job writes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from ledger.store import Store

#: Rows a job writes between two of them at least: some four transactions.
ROWS_BETWEEN = 32_768

#: And at least this part of all rows: a batch touches pages all over an index, so the larger the store the more there
#: is to write back each time, and with steps that grow as it does each page is written back a few times in all.
PART_BETWEEN = 2


class Behind:
    """Is what follows a job over a store: never more than one at a time, none where the last one is still at it.

    A context manager; it ends once what has begun has ended. What goes wrong there is raised where the job asks next,
    between two of its transactions, or at its end.
    """

    def __init__(self, store: "Store", held: int = 0) -> None:
        self._store = store
        self._rows = 0
        # About how many rows the store has.
        self._held = held
        self._thread = ThreadPoolExecutor(1, "behind")
        self._begun: Future[None] | None = None

    def __enter__(self) -> "Behind":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._thread.shutdown(wait=True)
        if error is None and self._begun is not None:
            self._begun.result()

    @property
    def busy(self) -> bool:
        """Returns whether something is under way."""
        return self._begun is not None and not self._begun.done()

    def wrote(self, rows: int) -> None:
        """Notes rows that were committed, and begins to write back where that is due; raises StoreError."""
        self._rows += rows
        self._held += rows
        due = self._rows >= max(ROWS_BETWEEN, self._held // PART_BETWEEN)
        if not due or self.busy:
            return
        if self._begun is not None:
            self._begun.result()
        self._rows = 0
        self._begun = self._thread.submit(self._store.write_back)
