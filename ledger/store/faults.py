"""Names what a store raises on purpose besides StoreError and OutcomeUnknown."""

from ledger.refusals import LedgerError, StoreError


class Conflict(LedgerError):
    """Is an event whose (stream, version) another event already has: read again, decide again.

    ``stream`` and ``version`` name one such event; the transaction is of no more use and wrote nothing. Where a key of
    it is taken too, PostgreSQL may tell of that instead (``KeyTaken``).
    """

    def __init__(self, stream: str, version: int) -> None:
        super().__init__(
            f"expected version {version} of stream {stream!r} to be free, got an event there already:"
            " read the stream again and decide again"
        )
        self.stream = stream
        self.version = version


class KeyTaken(StoreError):
    """Is a row whose key another row has: the transaction is of no more use and wrote nothing."""
