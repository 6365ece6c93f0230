"""Defines the events of supervision: rule packs, who a person is to a rule, manual claims, and what a review finds.

The rules of ``ledger.events`` hold: positional, integers and codes, fields only appended; topics are for ever.
"""

from ledger.event import Event

#: What a violation is: to be deducted as it stands, or for a person to judge.
DEFINITE, SUSPECT = 1, 2
SEX_UNKNOWN, MALE, FEMALE = 0, 1, 2


class RulePackEnacted(Event, frozen=True):
    """Puts a pack of rules in force for services from ``begin`` on; ``digest`` is SHA-256 of it, cut to 16 bytes."""

    TOPIC = "rule-pack-enacted/1"
    cause: int
    row: int
    digest: bytes
    name: str
    begin: int
    document: str


class PersonDescribed(Event, frozen=True):
    """States what rules need to know of a person: ``gend`` (0 unknown, 1 male, 2 female), ``brdy``, ``die_date``."""

    TOPIC = "person-described/1"
    cause: int
    row: int
    token: int
    gend: int
    brdy: int
    die_date: int


class ManualClaimAccepted(Event, frozen=True):
    """States that the claim filed at ``claim`` was reimbursed by hand (手工报销), applied for on ``accepted``."""

    TOPIC = "manual-claim-accepted/1"
    cause: int
    row: int
    claim: int
    accepted: int


class ViolationFound(Event, frozen=True):
    """Finds that lines of a person violate a rule in one window; a later one of the stream takes its place.

    ``rule`` is the rule's code, ``version`` 8 bytes of SHA-256 over what it says, ``pack`` the digest of the pack that
    brought it, ``result`` DEFINITE or SUSPECT. ``kind`` numbers the window (0 visit … 4 year), ``window`` says which:
    the position of its ClaimFiled, yyyymmdd, yyyymm, yyyyq or yyyy. ``charges`` are (position of the ClaimFiled,
    position of the LinesFiled or 0 for the visit as a whole, line in it from 0, fen that violate), of claims booked in
    ``period`` only; ``amount_fen`` is their sum. One line may stand in violations of several rules.
    """

    TOPIC = "violation-found/1"
    cause: int
    row: int
    period: int
    token: int
    rule: str
    version: bytes
    pack: bytes
    result: int
    kind: int
    window: int
    amount_fen: int
    charges: tuple[tuple[int, int, int, int], ...]


class ViolationLifted(Event, frozen=True):
    """Lifts a violation: by what the log holds now (a refund, later lines, another pack) it is none."""

    TOPIC = "violation-lifted/1"
    cause: int
    row: int
    period: int
    token: int
    rule: str


class PeriodReviewed(Event, frozen=True):
    """Completes the machine review (机审) of a period over the log up to ``position`` under the packs of ``book``.

    ``persons`` and ``lines`` are what this run looked at, ``found`` and ``lifted`` what it wrote, ``amount_fen`` the
    sum over the violations that stand open.
    """

    TOPIC = "period-reviewed/1"
    cause: int
    row: int
    period: int
    position: int
    book: bytes
    rules: int
    persons: int
    lines: int
    found: int
    lifted: int
    amount_fen: int
