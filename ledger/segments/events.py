"""Defines the events that seal a period, detach what was sealed, and bring it back."""

from ledger.event import Event


class PeriodSealed(Event, frozen=True):
    """Seals a signed period: what its segment holds, and the tree of the log it was taken from.

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


class PeriodDetached(Event, frozen=True):
    """Detaches a sealed period: the states of its ``events`` acts, ``state_bytes`` of them, leave the log's table.

    They lie at positions from ``first`` to ``last`` and stand, byte for byte, in the archive whose SHA-256 is
    ``digest``. Positions, streams and topics stay in the table, and so does everything that is no act.
    """

    TOPIC = "period-detached/1"
    cause: int
    row: int
    period: int
    first: int
    last: int
    events: int
    state_bytes: int
    digest: bytes


class PeriodAttached(Event, frozen=True):
    """Brings the states of a detached period back from the archive whose SHA-256 is ``digest``, byte for byte."""

    TOPIC = "period-attached/1"
    cause: int
    row: int
    period: int
    events: int
    digest: bytes
