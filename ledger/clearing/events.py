"""Defines the events of a clearing: its terms, and who drew up, checked, signed and withdrew it.

The rules of ``ledger.events`` hold. All but the terms stand in the stream of the period, behind PeriodClosed, which
is the cut-off.
"""

from ledger.event import Event


class ClearingTermsSet(Event, frozen=True):
    """Sets the terms of clearing (a TOML document; ``digest`` is SHA-256 cut to 16 bytes) from a period on."""

    TOPIC = "clearing-terms-set/1"
    cause: int
    row: int
    digest: bytes
    name: str
    document: str
    begin_period: int


class ClearingDrafted(Event, frozen=True):
    """Draws up the clearing tables of a period that is cut off, under terms.

    ``closed`` is the position of its PeriodClosed, ``statement`` that one's digest, found again in the log. ``late``
    holds (business month, acts, total fee in fen) of claims carried into the period; ``overdue_…`` sums those carried
    beyond what the terms allow.
    """

    TOPIC = "clearing-drafted/1"
    cause: int
    row: int
    period: int
    actor: str
    closed: int
    terms: bytes
    acts: int
    person_times: int
    medfee_fen: int
    fund_fen: int
    account_fen: int
    late: tuple[tuple[int, int, int], ...]
    overdue_acts: int
    overdue_medfee_fen: int
    statement: bytes


class ClearingChecked(Event, frozen=True):
    """Confirms the tables drawn up at ``drafted``; ``actor`` checked them."""

    TOPIC = "clearing-checked/1"
    cause: int
    row: int
    period: int
    actor: str
    drafted: int


class ClearingSigned(Event, frozen=True):
    """Signs the clearing checked at ``checked``; ``actor`` is another person than the one who checked."""

    TOPIC = "clearing-signed/1"
    cause: int
    row: int
    period: int
    actor: str
    checked: int


class ClearingWithdrawn(Event, frozen=True):
    """Takes a clearing back as a whole, to the cut-off, by the position of its last confirmation (``confirmed``)."""

    TOPIC = "clearing-withdrawn/1"
    cause: int
    row: int
    period: int
    actor: str
    confirmed: int
