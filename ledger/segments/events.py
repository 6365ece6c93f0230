"""Defines the event that seals a period."""

from ledger.event import Event


class PeriodSealed(Event, frozen=True):
    """Seals a closed period: what its segment holds, and the tree of the log it was taken from.

    ``rows`` acts of which ``settlements`` settle and ``refunds`` refund, ``carried`` rows beside them (originals of
    earlier periods that refunds name); ``medfee_fen`` and ``totals`` (in the order of AMOUNTS) sum the acts. ``digest``
    is SHA-256 over canonical column values, ``layout`` the version of the columns. ``root`` is the root of the Merkle
    tree over the first ``tree_size`` events (0: not stated).
    """

    TOPIC = "period-sealed/1"
    cause: int
    row: int
    period: int
    rows: int
    carried: int
    settlements: int
    refunds: int
    medfee_fen: int
    totals: tuple[int, ...]
    layout: int
    digest: bytes
    tree_size: int
    root: bytes
