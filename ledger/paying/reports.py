"""Defines what the commands on bank files, receipts, advances and funds answer; amounts in fen."""

import msgspec

from ledger.paying.events import ReceiptSuspended
from ledger.paying.receipts import ReceiptState


class Receipt(msgspec.Struct, frozen=True):
    """Is a suspended receipt: what it brought, what of it is matched or sent back, what is left in suspense."""

    region: int
    receipt: str
    sender: str
    amount_fen: int
    matched_fen: int
    left_fen: int
    sent_back_fen: int

    @classmethod
    def of(cls, state: ReceiptState) -> "Receipt":
        """Returns the report of a suspended receipt."""
        opened = state.opened
        assert isinstance(opened, ReceiptSuspended)
        matched, left = state.used_fen - state.sent_back_fen, state.left_fen
        said = (opened.region, opened.receipt, opened.sender, opened.amount_fen)
        return cls(*said, matched, left, state.sent_back_fen)


class Batch(msgspec.Struct, frozen=True):
    """Is a bank batch file as issued: its bytes, ``again`` where it had been before, and what waits for the next.

    ``persons`` payments in transit to persons, ``persons_fen`` in all, are in no file: the log has no such account.
    """

    number: int
    period: int
    rows: int
    total_fen: int
    again: bool
    waiting: int
    content: bytes
    persons: int = 0
    persons_fen: int = 0


class ReturnedRow(msgspec.Struct, frozen=True):
    """Is one row of a return file (回盘): what it did to which payment, or the reason it did nothing."""

    row: int
    payment: str
    outcome: str
    amount_fen: int
    reason: str
    text: str


class BankReturn(msgspec.Struct, frozen=True):
    """Is a return file taken in: rows by outcome, ``duplicate`` ones done before, and those refused."""

    rows: int
    accepted: int
    failed: int
    returned: int
    duplicate: int
    refused: tuple[ReturnedRow, ...]
    done: tuple[ReturnedRow, ...]


class Payee(msgspec.Struct, frozen=True):
    """Is the bank account of a payee."""

    payee: str
    name: str
    bank: str
    account: str


class Advance(msgspec.Struct, frozen=True):
    """Is an advance's quota as set: between regions (预付金) or to an institution (周转金)."""

    scope: str
    payer: int
    payee: str
    year: int
    why: str
    base_fen: int
    base_months: int
    months: int
    quota_fen: int
    before_fen: int
    payment: str


class Released(msgspec.Struct, frozen=True):
    """Is a year's retention ended: what had been retained, what is paid, what is kept, and the payment's key."""

    region: int
    payee: str
    year: int
    retained_fen: int
    released_fen: int
    kept_fen: int
    payment: str


class Guarantee(msgspec.Struct, frozen=True):
    """Is a bank guarantee: its limit, and what of it is in use by payments to suppliers not yet covered."""

    region: int
    payee: str
    bank: str
    code: str
    begin: int
    to: int
    limit_fen: int
    used_fen: int


class Income(msgspec.Struct, frozen=True):
    """Is a fund's opening or income taken in; ``already`` where the log had it."""

    region: int
    fund_pay_type: int
    kind: str
    period: int
    amount_fen: int
    document: str
    already: bool
