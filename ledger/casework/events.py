"""Defines the events of cases and of the money they bring.

The rules of ``ledger.events`` hold: positional, integers and codes, fields only appended; topics are for ever.
Streams: ``case-terms-<digest>`` · ``docket-<case>`` · ``recovery-<kind>-<case>``.
"""

from ledger.event import Event

#: The stages of a case: 机审, 初审, 申诉, 复审, 合议, decided for good, 关闭.
MACHINE, FIRST, APPEAL, SECOND, PANEL, CONCLUDED, CLOSED = range(1, 8)
STAGES = {
    "machine": MACHINE,
    "first": FIRST,
    "appeal": APPEAL,
    "second": SECOND,
    "panel": PANEL,
    "concluded": CONCLUDED,
    "closed": CLOSED,
}

#: Where a case comes from.
SOURCES = {
    "review": 1,
    "sampling": 2,
    "expert": 3,
    "co_investigation": 4,
    "joint_inspection": 5,
    "tip_off": 6,
    "self_inspection": 7,
}

#: What the expiry of a stage does: it is noted, the case goes on with what stands, or nothing of it stands.
EFFECTS = {"remind": 1, "pass": 2, "dismiss": 3}

#: The kinds of money, never in one bucket: 拒付, 审核扣款, 追回, 自查自纠退回, 违约金, 行政罚款.
REFUSED, DEDUCTED, CLAWED_BACK, VOLUNTARY, PENALTY, FINE = range(1, 7)
KINDS = {
    "refused": REFUSED,
    "deducted": DEDUCTED,
    "clawed_back": CLAWED_BACK,
    "voluntary": VOLUNTARY,
    "penalty": PENALTY,
    "fine": FINE,
}

#: Taken from what is still to be paid: nothing of it is ever outstanding.
WITHHELD_KINDS = (REFUSED, DEDUCTED)
#: What comes back to the funds that paid.
PRINCIPAL_KINDS = (REFUSED, DEDUCTED, CLAWED_BACK, VOLUNTARY)


class CaseTermsEnacted(Event, frozen=True):
    """Puts the limits of cases in force from ``begin``; ``digest`` is SHA-256 of the document, cut to 16 bytes."""

    TOPIC = "case-terms-enacted/1"
    cause: int
    row: int
    digest: bytes
    name: str
    begin: int
    document: str


class CaseOpened(Event, frozen=True):
    """Opens a case against one debtor: an institution's code, or ``person-`` and a token.

    ``source`` is one of SOURCES, ``region`` the one that collects, ``items`` (position of the ClaimFiled, fen in
    question), ``violations`` the streams of what a review found, ``evidence`` SHA-256 of each document, ``seed`` what
    drew a sample (0: none). ``owner`` has until ``due`` (0: no limit) for the first stage, MACHINE.
    """

    TOPIC = "case-opened/1"
    cause: int
    row: int
    case: str
    source: int
    debtor: str
    region: int
    opened: int
    owner: str
    due: int
    items: tuple[tuple[int, int], ...]
    violations: tuple[str, ...]
    evidence: tuple[bytes, ...]
    seed: int


class CaseSubmitted(Event, frozen=True):
    """Hands the material of a case over to the first review; ``shares`` are the fen found on each item."""

    TOPIC = "case-submitted/1"
    cause: int
    row: int
    on: int
    by: str
    shares: tuple[int, ...]
    evidence: tuple[bytes, ...]
    owner: str
    due: int


class CaseDecided(Event, frozen=True):
    """Decides a stage of a case: ``shares`` are the fen upheld on each item, ``members`` the panel's.

    The case goes on to ``next``, with its ``owner`` until ``due``.
    """

    TOPIC = "case-decided/1"
    cause: int
    row: int
    stage: int
    on: int
    by: str
    shares: tuple[int, ...]
    evidence: tuple[bytes, ...]
    members: tuple[str, ...]
    next: int
    owner: str
    due: int


class CaseAppealed(Event, frozen=True):
    """Appeals against the first review; the second review has until ``due``."""

    TOPIC = "case-appealed/1"
    cause: int
    row: int
    on: int
    by: str
    grounds: str
    evidence: tuple[bytes, ...]
    owner: str
    due: int


class CaseStageExpired(Event, frozen=True):
    """Notes that a stage ran past its limit and does what the terms say of it (EFFECTS)."""

    TOPIC = "case-stage-expired/1"
    cause: int
    row: int
    stage: int
    on: int
    effect: int
    next: int
    owner: str
    due: int


class CaseClosed(Event, frozen=True):
    """Closes a case; what stood when it concluded stands for good."""

    TOPIC = "case-closed/1"
    cause: int
    row: int
    on: int
    by: str
    evidence: tuple[bytes, ...]


class TipRewarded(Event, frozen=True):
    """Rewards a tip-off out of the treasury of ``region``."""

    TOPIC = "tip-rewarded/1"
    cause: int
    row: int
    on: int
    region: int
    amount_fen: int
    receipt: str


class CaseSanctioned(Event, frozen=True):
    """Suspends or terminates the case's institution from ``begin``, or refers the case; ``status`` is STATUS_* or 0."""

    TOPIC = "case-sanctioned/1"
    cause: int
    row: int
    on: int
    status: int
    begin: int
    reason: str


class RecoveryRaised(Event, frozen=True):
    """Raises money of one kind (KINDS) out of a closed case, to be collected by ``region`` from ``debtor``.

    ``parts`` are (position of the ClaimFiled, insured region, fund 0 to 7 in AMOUNTS[1:9] order, fund code, fen) and
    sum to ``amount_fen``; a penalty or a fine has none. A fine is ``multiple`` basis points of ``base_fen``, rounded.
    """

    TOPIC = "recovery-raised/1"
    cause: int
    row: int
    kind: int
    case: str
    debtor: str
    region: int
    on: int
    amount_fen: int
    parts: tuple[tuple[int, int, int, int, int], ...]
    base_fen: int
    multiple: int


class RecoveryCollected(Event, frozen=True):
    """Collects by a receipt; ``shares`` are the fen of each part (of a penalty or fine: the one amount)."""

    TOPIC = "recovery-collected/1"
    cause: int
    row: int
    on: int
    amount_fen: int
    shares: tuple[int, ...]
    receipt: str


class RecoveryOffset(Event, frozen=True):
    """Sets an amount off against what the collecting region pays the institution next."""

    TOPIC = "recovery-offset/1"
    cause: int
    row: int
    on: int
    amount_fen: int
    shares: tuple[int, ...]


class RecoveryScheduled(Event, frozen=True):
    """Agrees on instalments of all that is outstanding: (due day, fen); a later plan takes the place of this one."""

    TOPIC = "recovery-scheduled/1"
    cause: int
    row: int
    on: int
    instalments: tuple[tuple[int, int], ...]


class RecoveryWrittenOff(Event, frozen=True):
    """Writes off what cannot be collected: the fund bears it."""

    TOPIC = "recovery-written-off/1"
    cause: int
    row: int
    on: int
    amount_fen: int
    shares: tuple[int, ...]
    reason: str


class RecoveryReversed(Event, frozen=True):
    """Reverses after a won appeal: ``cancelled`` was outstanding, ``repaid`` had come in and goes back."""

    TOPIC = "recovery-reversed/1"
    cause: int
    row: int
    on: int
    amount_fen: int
    cancelled: tuple[int, ...]
    repaid: tuple[int, ...]
    reason: str


CASEWORK_EVENTS: tuple[type[Event], ...] = (
    CaseTermsEnacted,
    CaseOpened,
    CaseSubmitted,
    CaseDecided,
    CaseAppealed,
    CaseStageExpired,
    CaseClosed,
    TipRewarded,
    CaseSanctioned,
    RecoveryRaised,
    RecoveryCollected,
    RecoveryOffset,
    RecoveryScheduled,
    RecoveryWrittenOff,
    RecoveryReversed,
)
