"""Expands payments of every kind, receipts, advances and fund income to (account, fen), debits positive.

P is the payer, Y the payee, R a region, X an institution, k a fund code. What a payment is owed from (its *debt*)
follows from its kind: ``due:P:Y`` between regions · ``payable:P:Y`` to an institution · ``retention:P:Y`` for a
release · ``prefund:P:Y`` for an advance between regions · ``working:P:Y`` for one to an institution ·
``supplied:P:X`` for the supplier Y of an institution X · ``surplus:P:Y`` for a retained surplus · ``sent_back:P:Y``
for a suspended receipt that goes back to its sender · ``manual:P:Y`` to a person for a manual reimbursement.

====================  ====================================================================================
instructed            debt +(a + r + o + b) · transit:P:Y −a · retention:P:Y −r (retained) · offset:P:Y −o ·
                      recoverable:P:Y −b (collected for P by Y) · owed:Y:P +b · receivable:Y:P −b
received, confirmed   transit:P:Y +a · bank:P −a; where Y is a region also bank:Y +a · its claim on P −a
failed                debt −a · transit:P:Y +a
returned              debt −a · bank:P +a; where Y is a region also bank:Y −a · its claim on P +a
resent                debt +a · transit:P:Y −a
set off               transit:P:Y +a · offset:P:Y −a, which a later payment's o takes up
receipt suspended     bank:R +a · suspense:R −a
receipt matched       suspense:R +a · bank:R −a; what it turned out to be books the bank again
receipt sent back     suspense:R +a · sent_back:R:Y −a
clawback offset       payable:R:X +a · clawback:R:X −a
supplier recovered    offset:R:X +a · supplied:R:X −a
retention released    retention:R:X +kept · expense:R:k −kept; what is released stays until it is paid
surplus retained      surplus_expense:R:k +a · surplus:R:X −a
fund opened           bank:R +a · fund:R:k −a
fund income           bank:R +a · income:R:k −a
====================  ====================================================================================

The claim of a region on another is ``receivable:Y:P`` for what was owed and ``prefunded:Y:P``, a liability, for an
advance. An advance is an asset of who gave it and never an expense; so is what is retained never paid out as one.
"""

from ledger.event import Event
from ledger.events import (
    PAYMENT_ADVANCE,
    PAYMENT_INSTITUTION,
    PAYMENT_PERSON,
    PAYMENT_REGION,
    PAYMENT_RETENTION,
    PAYMENT_SENT_BACK,
    PAYMENT_SUPPLIER,
    PAYMENT_SURPLUS,
    PAYMENT_WORKING,
    PaymentConfirmed,
    PaymentInstructed,
)
from ledger.funds.events import FundIncome, FundOpened
from ledger.paying.events import (
    ClawbackOffset,
    PaymentFailed,
    PaymentReceivedInPart,
    PaymentResent,
    PaymentReturned,
    PaymentSetOff,
    ReceiptMatched,
    ReceiptSentBack,
    ReceiptSuspended,
    RetentionReleased,
    SupplierRecovered,
    SurplusRetained,
)

Entry = tuple[str, int]

#: The account a payment is owed from, by its kind.
DEBTS = {
    PAYMENT_REGION: "due",
    PAYMENT_INSTITUTION: "payable",
    PAYMENT_RETENTION: "retention",
    PAYMENT_ADVANCE: "prefund",
    PAYMENT_WORKING: "working",
    PAYMENT_SUPPLIER: "supplied",
    PAYMENT_SURPLUS: "surplus",
    PAYMENT_SENT_BACK: "sent_back",
    PAYMENT_PERSON: "manual",
}
#: The claim of a payee that keeps a book here, by the kind of payment.
CLAIMS = {PAYMENT_REGION: "receivable", PAYMENT_ADVANCE: "prefunded"}

#: What stands in a payment's stream behind its instruction, beside PaymentConfirmed.
PAYMENT_STEPS = (PaymentReceivedInPart, PaymentFailed, PaymentReturned, PaymentResent, PaymentSetOff)

#: What must move money; a release may leave all of it for the payment.
MOVING = (
    *(*PAYMENT_STEPS, ReceiptSuspended, ReceiptMatched, ReceiptSentBack),
    *(ClawbackOffset, SupplierRecovered, SurplusRetained),
)

#: The events whose postings follow from themselves.
PLAIN = (
    *(ReceiptSuspended, ReceiptSentBack, RetentionReleased, SupplierRecovered, SurplusRetained),
    *(FundOpened, FundIncome),
)


def is_moving(event: Event) -> bool:
    """Returns whether an event of these families must move money; a release may leave all for the payment."""
    return isinstance(event, MOVING)


def moving_fen(event: Event) -> int:
    """Returns how much an event of these families moves, 0 for another."""
    if isinstance(event, RetentionReleased):
        return event.kept_fen
    if isinstance(event, (FundOpened, FundIncome, *MOVING)):
        return abs(event.amount_fen)
    return 0


def payment_entries(event: Event, opened: PaymentInstructed) -> list[Entry]:
    """Returns what an event of a payment's stream posts; ``opened`` is the instruction the stream begins with."""
    payer, payee = f"{opened.payer:06d}", opened.payee
    debt = f"{DEBTS[opened.kind]}:{payer}:{opened.behalf or payee}"
    transit = f"transit:{payer}:{payee}"
    match event:
        case PaymentInstructed(amount_fen=a, retained_fen=r, offset_fen=o, returned_fen=b):
            withheld = [(f"retention:{payer}:{payee}", -r), (f"offset:{payer}:{payee}", -o)]
            back = [(f"recoverable:{payer}:{payee}", -b), (f"owed:{payee}:{payer}", b)]
            back.append((f"receivable:{payee}:{payer}", -b))
            return [(debt, a + r + o + b), (transit, -a), *withheld, *back]
        case PaymentConfirmed(amount_fen=a) | PaymentReceivedInPart(amount_fen=a):
            return [(transit, a), *_arrived(opened, payer, a)]
        case PaymentFailed(amount_fen=a):
            return [(debt, -a), (transit, a)]
        case PaymentReturned(amount_fen=a):
            return [(debt, -a), *_arrived(opened, payer, -a)]
        case PaymentResent(amount_fen=a):
            return [(debt, a), (transit, -a)]
        case PaymentSetOff(amount_fen=a):
            return [(transit, a), (f"offset:{payer}:{payee}", -a)]
    raise TypeError(f"expected an event of a payment, got {type(event).__name__}")


def _arrived(opened: PaymentInstructed, payer: str, amount_fen: int) -> list[Entry]:
    """Returns what money leaving the payer's bank posts, in its book and in a region's that receives it."""
    entries = [(f"bank:{payer}", -amount_fen)]
    claim = CLAIMS.get(opened.kind)
    if claim is not None:
        entries += [(f"bank:{opened.payee}", amount_fen), (f"{claim}:{opened.payee}:{payer}", -amount_fen)]
    return entries


def plain_entries(event: Event) -> list[Entry]:
    """Returns what an event posts that needs none beside it; nothing for one that moves no money."""
    match event:
        case ReceiptSuspended(region=region, amount_fen=a):
            return [(f"bank:{region:06d}", a), (f"suspense:{region:06d}", -a)]
        case ReceiptSentBack(region=region, payee=payee, amount_fen=a):
            return [(f"suspense:{region:06d}", a), (f"sent_back:{region:06d}:{payee}", -a)]
        case SupplierRecovered(region=region, payee=payee, amount_fen=a):
            return [(f"offset:{region:06d}:{payee}", a), (f"supplied:{region:06d}:{payee}", -a)]
        case RetentionReleased(region=region, payee=payee, kept_fen=kept, fund_pay_type=fund):
            return [(f"retention:{region:06d}:{payee}", kept), (f"expense:{region:06d}:{fund}", -kept)]
        case SurplusRetained(region=region, payee=payee, fund_pay_type=fund, amount_fen=a):
            return [(f"surplus_expense:{region:06d}:{fund}", a), (f"surplus:{region:06d}:{payee}", -a)]
        case FundOpened(region=region, fund_pay_type=fund, amount_fen=a):
            return [(f"bank:{region:06d}", a), (f"fund:{region:06d}:{fund}", -a)]
        case FundIncome(region=region, fund_pay_type=fund, amount_fen=a):
            return [(f"bank:{region:06d}", a), (f"income:{region:06d}:{fund}", -a)]
    return []
