"""Expands every money event to postings: (account, amount in fen), debits positive, that sum to zero in each book.

An account is colon-separated text; its second part names the *book* it belongs to. I is the insured region, T
the treatment region, X the institution, k the fund code of DOMAIN section 6:

==============================  =====================================================================
claim in its own city           expense:I:k +f_k · account:I:310200 +acct · payable:T:X −(fund + acct)
claim off site, I's book        expense and account as above · due:I:T −(fund + acct)
claim off site, T's book        receivable:T:I +(fund + acct) · payable:T:X −(fund + acct)
claim booked anew               the postings of the claim with its amounts reversed, then with those that stand
region payment instructed       due:I:T +a · transit:I:T −a
region payment confirmed        transit:I:T +a · bank:I −a, and bank:T +a · receivable:T:I −a
institution payment instructed  payable:T:X +(a + r + o) · transit:T:X −a · retention:T:X −r · offset:T:X −o
institution payment confirmed   transit:T:X +a · bank:T −a
other payments, receipts, funds see ``ledger.paying.postings``
clawback raised, own city       clawback:T:X +a · expense:I:k −split_k
clawback raised, off site       clawback:T:X +a · owed:T:I −a, and recoverable:I:T +a · expense:I:k −split_k
clawback collected              bank:T +a · clawback:T:X −a
returned in a region payment    due:I:T +r · recoverable:I:T −r, and owed:T:I +r · receivable:T:I −r
institution payment set         difference:T:X +(set − itemised) · payable:T:X −(set − itemised)
allowance granted               expense:I:k +a · allowance:I:P −a
allowance paid                  allowance:I:P +a · bank:I −a
allowance revoked               allowance:I:P +a · expense:I:k −a
opening balance                 the postings it states
opening account                 account_balance:members:310200 −b · account_opening:members:310200 +b
==============================  =====================================================================

A personal account is a liability to its holder. The event that opens one names a token and no region, so all
openings stand in one book of their own, ``members``, against a counter account that says what was taken over.
What cases bring posts as ``ledger.casework.postings`` says, what is owed to a person as ``ledger.manual.postings``.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from core_ext.layout import AMOUNT, AMOUNTS, FUND_PARTS, HOW
from ledger.benefit_events import AllowanceGranted, AllowancePaid, AllowanceRevoked, InstitutionPaymentSet
from ledger.casework.events import RecoveryRaised
from ledger.casework.postings import FOLLOWING, MOVING, entries_of
from ledger.events import (
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    ClawbackCollected,
    ClawbackRaised,
    Event,
    OpeningAccount,
    OpeningBalance,
    PaymentConfirmed,
    PaymentInstructed,
)
from ledger.manual.postings import POSTING, manual_entries, manual_fen
from ledger.money import yuan_display as yuan
from ledger.paying.events import ClawbackOffset, ReceiptMatched, ReceiptSuspended
from ledger.paying.postings import PAYMENT_STEPS, is_moving, moving_fen, payment_entries, plain_entries
from ledger.refusals import Refusal, Refused
from ledger.replaying.events import ClaimResettled

#: The interface code of each part of the fund payment; the pool's own code follows from the insurance type.
FUND_CODES = {
    "cvlserv_pay": 320100,
    "hifes_pay": 370100,
    "hifmi_pay": 390200,
    "hifob_pay": 330100,
    "hifdm_pay": 350100,
    "maf_pay": 610100,
    "oth_pay": 999997,
}
#: The kinds of account that make up a fund: kind:region:code.
FUND_KINDS = ("fund", "income", "expense", "account", "surplus_expense")
ACCOUNT_CODE = 310200

#: What an event needs beside itself: the facts of its claim, or the event that opened its payment or clawback.
Opened: TypeAlias = (
    ClaimFiled | PaymentInstructed | ClawbackRaised | RecoveryRaised | ReceiptSuspended | AllowanceGranted
)

T = TypeVar("T")

_FUND = AMOUNT["fund_pay_sumamt"]
_ACCT = AMOUNT["acct_pay"]
_POOL = HOW.index("pool")


#: The events that are about one amount, and nothing without it.
ONE_AMOUNT = (
    PaymentInstructed, PaymentConfirmed, ClawbackRaised, ClawbackCollected, AllowanceGranted, AllowancePaid,
    AllowanceRevoked,
)  # fmt: skip


class Posting(NamedTuple):
    """Is one entry: fen on an account, debit positive."""

    account: str
    amount_fen: int


def fund_codes(insutype: int) -> tuple[int, ...]:
    """Returns the eight fund codes in AMOUNTS[1:9] order; the pool of insurance type 310 is 310100, of 390 390100."""
    return tuple(insutype * 1000 + 100 if at == 1 else FUND_CODES[AMOUNTS[at]] for at in FUND_PARTS)


def book_of(account: str) -> str:
    """Returns the book an account belongs to: its second part, empty where it has none."""
    parts = account.split(":", 2)
    return parts[1] if len(parts) > 1 else ""


def postings(event: Event, opened: Opened | None = None) -> list[Posting]:
    """Returns what an event posts, zero amounts left out; nothing for an event that moves no money.

    ``opened`` is the ClaimFiled of a decision or of a raised clawback, the PaymentInstructed of a confirmation,
    the ClawbackRaised or RecoveryRaised of what follows it. Raises TypeError for another one.
    """
    match event:
        case ClaimSettled() | ClaimReversed():
            entries = _claim(event.amounts, event.how, _expect(opened, ClaimFiled))
        case ClaimResettled():
            stood = [-fen for fen in event.reversed]
            entries = _claim(stood, _of_pool(event.reversed_pool), event) + _claim(event.amounts, event.how, event)
        case PaymentInstructed():
            entries = _entries(event, event)
        case PaymentConfirmed():
            entries = _entries(event, _expect(opened, PaymentInstructed))
        case ClawbackRaised():
            entries = _raised(event, _expect(opened, ClaimFiled))
        case ClawbackCollected():
            raised = _expect(opened, ClawbackRaised)
            treatment = f"{raised.treatment_region:06d}"
            entries = [
                Posting(f"bank:{treatment}", event.amount_fen),
                Posting(f"clawback:{treatment}:{raised.fixmedins_code}", -event.amount_fen),
            ]
        case InstitutionPaymentSet():
            region, code = f"{event.region:06d}", event.fixmedins_code
            entries = [
                Posting(f"difference:{region}:{code}", event.change_fen),
                Posting(f"payable:{region}:{code}", -event.change_fen),
            ]
        case AllowanceGranted() | AllowancePaid() | AllowanceRevoked():
            entries = _allowance(event, opened)
        case OpeningBalance():
            entries = [Posting(account, amount_fen) for account, amount_fen in event.postings]
        case OpeningAccount():
            entries = [
                Posting(f"account_balance:members:{ACCOUNT_CODE}", -event.balance_fen),
                Posting(f"account_opening:members:{ACCOUNT_CODE}", event.balance_fen),
            ]
        case _ if isinstance(event, MOVING):
            opener = _expect(opened, RecoveryRaised) if isinstance(event, FOLLOWING) else None
            entries = [Posting(*entry) for entry in entries_of(event, opener)]
        case _:
            entries = _beside(event, opened)
    return [entry for entry in entries if entry.amount_fen]


def moved_fen(event: Event) -> int:
    """Returns how much an event moves: the sum of the absolute amounts it carries; 0 for one that moves nothing."""
    match event:
        case ClaimSettled() | ClaimReversed():
            return sum(abs(event.amounts[at]) for at in FUND_PARTS) + abs(event.amounts[_ACCT])
        case ClaimResettled():
            parts = (*FUND_PARTS, _ACCT)
            return sum(abs(event.amounts[at]) + abs(event.reversed[at]) for at in parts)
        case PaymentInstructed():
            amounts = (event.amount_fen, event.returned_fen, event.retained_fen, event.offset_fen)
            return sum(map(abs, amounts))
        case (
            PaymentConfirmed() | ClawbackRaised() | ClawbackCollected()
            | AllowanceGranted() | AllowancePaid() | AllowanceRevoked()
        ):  # fmt: skip
            return abs(event.amount_fen)
        case _ if isinstance(event, MOVING):
            return abs(event.amount_fen)
        case InstitutionPaymentSet():
            return abs(event.change_fen)
        case OpeningBalance():
            return sum(abs(amount_fen) for _, amount_fen in event.postings)
        case OpeningAccount():
            return abs(event.balance_fen)
    return moving_fen(event) or manual_fen(event)


def check(entries: Sequence[Posting], moved: int, per_book: bool = True) -> None:
    """Checks that postings sum to zero, in each book or in all, and that what moves money posts something.

    Raises Refused: POSTINGS_UNBALANCED names the book and its sum, POSTINGS_EMPTY the amount that posted nothing.
    """
    sums: dict[str, int] = {}
    for account, amount_fen in entries:
        book = book_of(account) if per_book else "all"
        sums[book] = sums.get(book, 0) + amount_fen
    for book, total in sums.items():
        if total:
            raise Refused(
                Refusal.POSTINGS_UNBALANCED, f"postings of book {book!r}: expected a sum of 0.00, got {yuan(total)}"
            )
    if moved and not any(amount_fen for _, amount_fen in entries):
        raise Refused(Refusal.POSTINGS_EMPTY, f"postings: expected entries for {yuan(moved)} moved, got none")


def checked_postings(event: Event, opened: Opened | None = None) -> list[Posting]:
    """Returns what an event posts once it is known to balance; raises Refused as ``check`` does.

    A payment or a clawback of zero is refused: it would be an instruction without money, unless all
    of a payment was withheld. An opening balance is as given and balances over all its books.
    """
    moved = moved_fen(event)
    withheld = isinstance(event, PaymentInstructed) and event.withheld_fen
    if (isinstance(event, (*ONE_AMOUNT, *MOVING)) or is_moving(event)) and not moved and not withheld:
        raise Refused(Refusal.POSTINGS_EMPTY, f"{event.TOPIC}: expected an amount other than 0 fen, got 0")
    entries = postings(event, opened)
    check(entries, moved, per_book=not isinstance(event, OpeningBalance))
    return entries


def _expect(opened: Opened | None, kind: type[T]) -> T:
    if not isinstance(opened, kind):
        raise TypeError(f"postings: expected the {kind.__name__} behind the event, got {type(opened).__name__}")
    return opened


def _of_pool(pool: int) -> tuple[int, ...]:
    """Returns HOW as far as the pool, which alone posts."""
    return (*(0,) * _POOL, pool)


def _claim(amounts: Sequence[int], how: Sequence[int], filed: ClaimFiled | ClaimResettled) -> list[Posting]:
    pool = how[_POOL] if len(how) > _POOL else 0
    insured, treatment = f"{filed.insured_region:06d}", f"{filed.treatment_region:06d}"
    due = amounts[_FUND] + amounts[_ACCT]
    entries = [
        Posting(f"expense:{insured}:{code}", amounts[at])
        for at, code in zip(FUND_PARTS, fund_codes(pool or filed.insutype), strict=True)
    ]
    entries.append(Posting(f"account:{insured}:{ACCOUNT_CODE}", amounts[_ACCT]))
    if insured != treatment:
        entries.append(Posting(f"due:{insured}:{treatment}", -due))
        entries.append(Posting(f"receivable:{treatment}:{insured}", due))
    entries.append(Posting(f"payable:{treatment}:{filed.fixmedins_code}", -due))
    return entries


def _entries(event: Event, opened: PaymentInstructed) -> list[Posting]:
    return [Posting(*entry) for entry in payment_entries(event, opened)]


def _beside(event: Event, opened: Opened | None) -> list[Posting]:
    """Returns what an event of the paying and funds families posts; it is opened by what its stream begins with."""
    if isinstance(event, PAYMENT_STEPS):
        return _entries(event, _expect(opened, PaymentInstructed))
    if isinstance(event, ClawbackOffset):
        raised = _expect(opened, ClawbackRaised)
        party = f"{raised.treatment_region:06d}:{raised.fixmedins_code}"
        return [Posting(f"payable:{party}", event.amount_fen), Posting(f"clawback:{party}", -event.amount_fen)]
    if isinstance(event, ReceiptMatched):
        region = f"{_expect(opened, ReceiptSuspended).region:06d}"
        return [Posting(f"suspense:{region}", event.amount_fen), Posting(f"bank:{region}", -event.amount_fen)]
    if isinstance(event, POSTING):
        return [Posting(*entry) for entry in manual_entries(event)]
    return [Posting(*entry) for entry in plain_entries(event)]


def _allowance(event: AllowanceGranted | AllowancePaid | AllowanceRevoked, opened: Opened | None) -> list[Posting]:
    granted = event if isinstance(event, AllowanceGranted) else _expect(opened, AllowanceGranted)
    a, region = event.amount_fen, f"{granted.region:06d}"
    payee = f"allowance:{region}:{granted.employer or f'{granted.payee:09d}'}"
    expense = f"expense:{region}:{granted.fund}"
    if isinstance(event, AllowancePaid):
        return [Posting(payee, a), Posting(f"bank:{region}", -a)]
    sign = 1 if isinstance(event, AllowanceGranted) else -1
    return [Posting(expense, sign * a), Posting(payee, -sign * a)]


def _raised(event: ClawbackRaised, filed: ClaimFiled) -> list[Posting]:
    insured, treatment = f"{event.insured_region:06d}", f"{event.treatment_region:06d}"
    entries = [Posting(f"clawback:{treatment}:{event.fixmedins_code}", event.amount_fen)]
    if insured != treatment:
        entries.append(Posting(f"owed:{treatment}:{insured}", -event.amount_fen))
        entries.append(Posting(f"recoverable:{insured}:{treatment}", event.amount_fen))
    entries += [
        Posting(f"expense:{insured}:{code}", -part)
        for code, part in zip(fund_codes(event.pool or filed.insutype), event.funds, strict=True)
    ]
    return entries
