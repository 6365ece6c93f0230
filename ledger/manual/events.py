"""Defines the events of manual reimbursement (手工报销): a person paid at the counter and asks for it back.

The rules of ``ledger.events`` hold. Streams: ``handling-terms-<digest>`` · ``reimbursement-<application>`` · and
ManualOwed in ``manual-<position of the claim>``.
"""

from ledger.event import Event

#: The stages of an application: 受理, 归档, 录入, 审核, 结算, 确认, 拨付, 不予支付, 追回. Paid is by the bank.
ACCEPTED, ARCHIVED, ENTERED, REVIEWED, SETTLED, CONFIRMED, INSTRUCTED, DECLINED, RECOVERED = range(1, 10)
STAGES = {
    "accepted": ACCEPTED,
    "archived": ARCHIVED,
    "entered": ENTERED,
    "reviewed": REVIEWED,
    "settled": SETTLED,
    "confirmed": CONFIRMED,
    "instructed": INSTRUCTED,
    "declined": DECLINED,
    "recovered": RECOVERED,
}

#: What a review says: the claim stands, it goes back to be entered again, or nothing is paid.
PASSED, SENT_BACK, TURNED_DOWN = 1, 2, 3
OUTCOMES = {"pass": PASSED, "return": SENT_BACK, "decline": TURNED_DOWN}


class HandlingTermsEnacted(Event, frozen=True):
    """Puts the clock of manual reimbursement in force from ``begin``; ``digest`` is SHA-256, cut to 16 bytes."""

    TOPIC = "handling-terms-enacted/1"
    cause: int
    row: int
    digest: bytes
    name: str
    begin: int
    document: str


class ManualAccepted(Event, frozen=True):
    """Accepts an application of a person of ``region`` on a day; all of it has until ``limit``.

    ``owner`` has until ``due`` for the next step. ``follows`` is the application it pays anew (empty: none).
    """

    TOPIC = "manual-accepted/1"
    cause: int
    row: int
    application: str
    token: int
    region: int
    on: int
    by: str
    follows: str
    limit: int
    owner: str
    due: int


class ManualArchived(Event, frozen=True):
    """Archives the documents of an application: SHA-256 of each."""

    TOPIC = "manual-archived/1"
    cause: int
    row: int
    on: int
    by: str
    evidence: tuple[bytes, ...]
    owner: str
    due: int


class ManualEntered(Event, frozen=True):
    """Enters the claim of an application: (national field name, text) of every cell but the person's own."""

    TOPIC = "manual-entered/1"
    cause: int
    row: int
    on: int
    by: str
    cells: tuple[tuple[str, str], ...]
    owner: str
    due: int


class ManualReviewed(Event, frozen=True):
    """Reviews what was entered: it passed, goes back to be entered again, or is turned down (OUTCOMES)."""

    TOPIC = "manual-reviewed/1"
    cause: int
    row: int
    on: int
    by: str
    outcome: int
    reason: str
    owner: str
    due: int


class ManualSettled(Event, frozen=True):
    """Links an application with the claim the kernel settled: ``claim`` is the position of its ClaimFiled.

    ``parts`` are (fund code, fen) in the order in which funds get money back, the account last.
    """

    TOPIC = "manual-settled/1"
    cause: int
    row: int
    on: int
    by: str
    claim: int
    period: int
    amount_fen: int
    parts: tuple[tuple[int, int], ...]
    owner: str
    due: int


class ManualConfirmed(Event, frozen=True):
    """Confirms what the person is to be paid; with nothing to pay the application ends."""

    TOPIC = "manual-confirmed/1"
    cause: int
    row: int
    on: int
    by: str
    evidence: tuple[bytes, ...]
    owner: str
    due: int


class ManualInstructed(Event, frozen=True):
    """Instructs the payment ``payment`` to the person; ``account`` is its bank and the last digits, never all of them.

    ``withheld_fen`` is what the person owed out of the application it follows.
    """

    TOPIC = "manual-instructed/1"
    cause: int
    row: int
    on: int
    by: str
    payment: str
    amount_fen: int
    withheld_fen: int
    account: str
    owner: str
    due: int


class ManualRecovered(Event, frozen=True):
    """Recovers a settled application: its claim is refunded by the one filed at ``refund``.

    ``parts`` are (fund code, fen) of what the person had been paid and now owes, in the order in which they are made
    whole; none where nothing was paid yet.
    """

    TOPIC = "manual-recovered/1"
    cause: int
    row: int
    on: int
    by: str
    refund: int
    amount_fen: int
    parts: tuple[tuple[int, int], ...]
    reason: str


class ManualCollected(Event, frozen=True):
    """Collects from the person by a receipt; ``shares`` are the fen of each part recovered."""

    TOPIC = "manual-collected/1"
    cause: int
    row: int
    on: int
    region: int
    token: int
    amount_fen: int
    shares: tuple[int, ...]
    receipt: str


class ManualSetOff(Event, frozen=True):
    """Sets what the person owes off against the payment of the application that pays it anew."""

    TOPIC = "manual-set-off/1"
    cause: int
    row: int
    on: int
    amount_fen: int
    shares: tuple[int, ...]
    application: str


class ManualRequested(Event, frozen=True):
    """Asks the person for what is missing (补正), once and in full: the clock stands still from this day on."""

    TOPIC = "manual-requested/1"
    cause: int
    row: int
    on: int
    by: str
    missing: str


class ManualCompleted(Event, frozen=True):
    """Takes in what was missing: SHA-256 of each document; the clock goes on.

    ``paused_days`` are the working days it stood still; the open step has until ``due``, all of it until ``limit``.
    """

    TOPIC = "manual-completed/1"
    cause: int
    row: int
    on: int
    by: str
    evidence: tuple[bytes, ...]
    paused_days: int
    due: int
    limit: int


class ManualOwed(Event, frozen=True):
    """Owes what a claim's funds and account pay to the person, who paid the institution; a refund's is negative.

    ``times`` is 1 for a settlement, -1 for its refund, 0 for a booking anew, which brings the difference.
    """

    TOPIC = "manual-owed/1"
    cause: int
    row: int
    claim: int
    application: str
    token: int
    insured_region: int
    treatment_region: int
    fixmedins_code: str
    med_type: int
    period: int
    times: int
    fund_fen: int
    account_fen: int


MANUAL_EVENTS: tuple[type[Event], ...] = (
    HandlingTermsEnacted,
    ManualAccepted,
    ManualArchived,
    ManualEntered,
    ManualReviewed,
    ManualSettled,
    ManualConfirmed,
    ManualInstructed,
    ManualRecovered,
    ManualCollected,
    ManualSetOff,
    ManualOwed,
    ManualRequested,
    ManualCompleted,
)
