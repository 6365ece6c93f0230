"""Defines what happens to a payment between its instruction and its end, to receipts, bank files and advances.

The rules of ``ledger.events`` hold. Streams: a payment's own (received in part, failed, returned, resent) ·
``receipt-<region>-<number>`` · ``bank-batch-<number>`` · ``payee-<code>`` · ``advance-<scope>-<payer>-<payee>`` ·
``retention-<region>-<institution>-<year>`` · ``guarantee-<region>-<institution>`` ·
``surplus-<region>-<institution>-<year>``.
"""

from ledger.event import Event

ADVANCE_REGION, ADVANCE_INSTITUTION = 1, 2
WHY_YEARLY, WHY_ADJUSTED, WHY_EMERGENCY = 1, 2, 3


class PaymentReceivedInPart(Event, frozen=True):
    """Confirms a part of a payment by the bank's receipt number; the rest stays in transit."""

    TOPIC = "payment-received-in-part/1"
    cause: int
    row: int
    amount_fen: int
    receipt: str


class PaymentFailed(Event, frozen=True):
    """Ends a sending of a payment: the bank did not pay what was in transit, so it is owed again."""

    TOPIC = "payment-failed/1"
    cause: int
    row: int
    attempt: int
    amount_fen: int
    reason: str


class PaymentReturned(Event, frozen=True):
    """Brings back money that the bank had paid (``receipt``: of the return); it is owed again."""

    TOPIC = "payment-returned/1"
    cause: int
    row: int
    amount_fen: int
    receipt: str
    reason: str


class PaymentResent(Event, frozen=True):
    """Instructs again what failed or came back; ``failure`` is the position of the event that sent it back."""

    TOPIC = "payment-resent/1"
    cause: int
    row: int
    attempt: int
    amount_fen: int
    failure: int


class ReceiptNoted(Event, frozen=True):
    """Notes a bank receipt of a region and its whole amount, which its uses together never exceed."""

    TOPIC = "receipt-noted/1"
    cause: int
    row: int
    region: int
    receipt: str
    amount_fen: int


class ReceiptUsed(Event, frozen=True):
    """Uses a part of a noted receipt for a payment."""

    TOPIC = "receipt-used/1"
    cause: int
    row: int
    amount_fen: int
    payment: str


class ReceiptSuspended(Event, frozen=True):
    """Takes money that nobody can place yet into suspense (待查): it is in the region's bank, and owed to somebody."""

    TOPIC = "receipt-suspended/1"
    cause: int
    row: int
    region: int
    receipt: str
    amount_fen: int
    sender: str


class ReceiptMatched(Event, frozen=True):
    """Takes a part of a suspended receipt out of suspense, for the payment or clawback case it turned out to be."""

    TOPIC = "receipt-matched/1"
    cause: int
    row: int
    amount_fen: int
    key: str


class PayeeAccountSet(Event, frozen=True):
    """Sets the bank account of a payee (region, institution or supplier) for the files that follow."""

    TOPIC = "payee-account-set/1"
    cause: int
    row: int
    payee: str
    name: str
    bank: str
    account: str


class BankBatchIssued(Event, frozen=True):
    """Issues a bank batch file: its profile's document and every row as it is written, so that it is written again.

    ``payments`` holds (payment, attempt, amount in fen, payee, name, bank, account) in row order.
    """

    TOPIC = "bank-batch-issued/1"
    cause: int
    row: int
    number: int
    period: int
    profile: str
    payments: tuple[tuple[str, int, int, str, str, str, str], ...]
    total_fen: int


class AdvanceSet(Event, frozen=True):
    """Sets the quota of an advance between two regions (预付金) or to an institution (周转金).

    ``scope`` ADVANCE_*, ``why`` WHY_*; a yearly quota is ``months`` times the monthly mean of ``base_fen`` over
    ``base_months`` months. The difference to ``before_fen`` is paid, or paid back, under ``payment``.
    """

    TOPIC = "advance-set/1"
    cause: int
    row: int
    scope: int
    payer: int
    payee: str
    year: int
    why: int
    base_fen: int
    base_months: int
    months: int
    quota_fen: int
    before_fen: int
    payment: str


class RetentionReleased(Event, frozen=True):
    """Ends a year's retention (质量保证金) of an institution after its assessment: a part is paid, the rest is kept.

    What is kept goes back to the expense of the fund ``fund_pay_type``.
    """

    TOPIC = "retention-released/1"
    cause: int
    row: int
    region: int
    payee: str
    year: int
    retained_fen: int
    released_fen: int
    kept_fen: int
    fund_pay_type: int


class ClawbackOffset(Event, frozen=True):
    """Collects a part of a clawback by what the next payments to the institution are less by (their ``withheld_fen``).

    ``payment`` is the one with which it was decided, empty where it was decided on the case.
    """

    TOPIC = "clawback-offset/1"
    cause: int
    row: int
    amount_fen: int
    payment: str


class PaymentSetOff(Event, frozen=True):
    """Takes what a payee owes back (a payment below zero) off a later payment to it: ``payment``.

    The amount has the sign of the instruction; it is in transit no more.
    """

    TOPIC = "payment-set-off/1"
    cause: int
    row: int
    amount_fen: int
    payment: str


class ReceiptSentBack(Event, frozen=True):
    """Takes a part of a suspended receipt out of suspense to send it back: it is owed to ``payee``, by ``payment``."""

    TOPIC = "receipt-sent-back/1"
    cause: int
    row: int
    region: int
    payee: str
    amount_fen: int
    payment: str


class GuaranteeSet(Event, frozen=True):
    """Sets the limit of the bank guarantee (银行保函) under which an institution's drug suppliers are paid for it."""

    TOPIC = "guarantee-set/1"
    cause: int
    row: int
    region: int
    payee: str
    bank: str
    code: str
    limit_fen: int
    begin: int
    to: int


class SupplierPaid(Event, frozen=True):
    """Takes an instruction to a drug supplier into the guarantee of the institution it is paid for."""

    TOPIC = "supplier-paid/1"
    cause: int
    row: int
    supplier: str
    invoice: str
    amount_fen: int
    payment: str


class SupplierRecovered(Event, frozen=True):
    """Frees a guarantee of what was withheld from a payment to its institution."""

    TOPIC = "supplier-recovered/1"
    cause: int
    row: int
    region: int
    payee: str
    amount_fen: int
    payment: str


class SurplusRetained(Event, frozen=True):
    """Grants an institution the surplus (结余留用) of a package or DRG budget year: a fund's expense, owed to it."""

    TOPIC = "surplus-retained/1"
    cause: int
    row: int
    region: int
    payee: str
    year: int
    fund_pay_type: int
    amount_fen: int


PAYING_EVENTS: tuple[type[Event], ...] = (
    PaymentReceivedInPart,
    PaymentFailed,
    PaymentReturned,
    PaymentResent,
    ReceiptNoted,
    ReceiptUsed,
    ReceiptSuspended,
    ReceiptMatched,
    PayeeAccountSet,
    BankBatchIssued,
    AdvanceSet,
    RetentionReleased,
    ClawbackOffset,
    GuaranteeSet,
    SupplierPaid,
    SupplierRecovered,
    SurplusRetained,
    PaymentSetOff,
    ReceiptSentBack,
)
