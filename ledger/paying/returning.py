"""Decides the rows of a return file (回盘) against the batches they answer; a row done before does nothing."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger import payments
from ledger.event import Event
from ledger.keys import batch_stream, receipt_stream
from ledger.mapper import decode_event
from ledger.money import yuan_display as yuan
from ledger.paying import receipts
from ledger.paying.bank_file import ReturnRow, place_of
from ledger.paying.events import BankBatchIssued
from ledger.paying.receipts import ReceiptState
from ledger.paying.reports import ReturnedRow
from ledger.paying.telling import tell
from ledger.payments import PaymentState
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from ledger.postings import Opened
    from ledger.store import Transaction
    from ledger.writing import Header


@dataclass(slots=True)
class ReturnFile:
    """Takes in a return file row by row, inside one transaction: what it did so far counts for the rows behind."""

    tx: "Transaction"
    cause: int
    #: What each receipt accepts altogether in this file, by (payer, number).
    wholes: dict[tuple[int, str], int] = field(default_factory=dict)
    events: "list[tuple[Header, Opened | None]]" = field(default_factory=list)
    done: list[ReturnedRow] = field(default_factory=list)
    refused: list[ReturnedRow] = field(default_factory=list)
    duplicate: int = 0
    _batches: dict[int, BankBatchIssued | None] = field(default_factory=dict)
    _payments: dict[str, tuple[PaymentState, int]] = field(default_factory=dict)
    _receipts: dict[tuple[int, str], ReceiptState] = field(default_factory=dict)

    def take(self, rows: list[ReturnRow]) -> None:
        """Takes in every row; what is wrong with one stops no other."""
        for row in rows:
            place = self._place(row)
            if place is not None and row.outcome == "accepted":
                payer = self._payer(place[0])
                key = (payer, self._receipt(row))
                self.wholes[key] = self.wholes.get(key, 0) + row.amount_fen
        for row in rows:
            self._take(row)

    def _receipt(self, row: ReturnRow) -> str:
        """Returns the bank's receipt number; the reference stands for one that the bank left empty."""
        return row.receipt or row.reference

    def _payer(self, payment: str) -> int:
        state, _ = self._payment(payment)
        return state.instructed.payer if state.instructed else 0

    def _place(self, row: ReturnRow) -> tuple[str, int, int] | None:
        """Returns (payment, attempt, amount sent) of the batch row that a reference names, None where it names none."""
        place = place_of(row.reference)
        if place is None:
            return None
        number, at = place
        if number not in self._batches:
            first = self.tx.first_events([batch_stream(number)]).get(batch_stream(number))
            event = decode_event(BankBatchIssued.TOPIC, first[1]) if first else None
            self._batches[number] = event if isinstance(event, BankBatchIssued) else None
        batch = self._batches[number]
        if batch is None or not 1 <= at <= len(batch.payments):
            return None
        return batch.payments[at - 1][:3]

    def _payment(self, payment: str) -> tuple[PaymentState, int]:
        if payment not in self._payments:
            self._payments[payment] = payments.read_payment(self.tx, payment)
        return self._payments[payment]

    def _take(self, row: ReturnRow) -> None:
        place = self._place(row)
        if row.fault or place is None:
            text = row.fault or f"expected the reference of a row of a bank file, got {row.reference!r}"
            refusal = Refusal.BAD_VALUE if row.fault else Refusal.NOT_IN_BATCH
            self.refused.append(ReturnedRow(row.row, "", row.outcome, row.amount_fen, refusal.code, text))
            return
        payment, attempt, sent_fen = place
        state, version = self._payment(payment)
        receipt = self._receipt(row)
        if self._is_done(state, row, attempt, receipt):
            self.duplicate += 1
            return
        decided, used = self._decide(state, row, payment, attempt, sent_fen, receipt)
        if isinstance(decided, Refusal):
            held = self._held(state, receipt)
            text = tell(decided, payment=payment, state=state, receipt=receipt, held=held, got_fen=row.amount_fen)
            self.refused.append(ReturnedRow(row.row, payment, row.outcome, row.amount_fen, decided.code, text))
            return
        self.events.append(((payment, version + 1, decided), state.instructed))
        # A failure's place in the log: this command's own events stand before it.
        position = self.cause + len(self.events)
        self._payments[payment] = payments.evolve(state, decided, position), version + 1
        self._use(state, receipt, used)
        self.done.append(ReturnedRow(row.row, payment, row.outcome, row.amount_fen, "", row.reason))

    def _is_done(self, state: PaymentState, row: ReturnRow, attempt: int, receipt: str) -> bool:
        """Returns whether a row says again what the log has: the same receipt, or the failure of the same attempt."""
        if row.outcome == "accepted":
            return receipt in state.receipts
        return attempt in state.failed or (row.outcome == "returned" and receipt in state.returns)

    def _decide(
        self, state: PaymentState, row: ReturnRow, payment: str, attempt: int, sent_fen: int, receipt: str
    ) -> tuple[Event | Refusal, list[Event]]:
        """Returns what a row does to its payment and to its receipt, or why it does nothing."""
        if row.outcome == "accepted":
            if attempt != state.attempt:
                return Refusal.STALE_ATTEMPT, []
            decided = payments.decide_receive(state, row.amount_fen, receipt, self.cause, row.row)
            if isinstance(decided, Refusal) or state.instructed is None:
                return decided, []
            payer = state.instructed.payer
            whole = self.wholes[payer, receipt]
            used = receipts.decide_use(
                self._held(state, receipt), payer, receipt, row.amount_fen, whole, payment, self.cause
            )
            return (used, []) if isinstance(used, Refusal) else (decided, used)
        if row.outcome == "returned" and state.received_fen:
            return payments.decide_return(state, row.amount_fen, receipt, row.reason, self.cause, row.row), []
        if row.amount_fen != sent_fen:
            return Refusal.WRONG_AMOUNT, []
        return payments.decide_fail(state, attempt, row.reason, self.cause, row.row), []

    def _held(self, state: PaymentState, receipt: str) -> ReceiptState:
        payer = state.instructed.payer if state.instructed else 0
        if (payer, receipt) not in self._receipts:
            self._receipts[payer, receipt] = receipts.read_receipt(self.tx, payer, receipt)
        return self._receipts[payer, receipt]

    def _use(self, state: PaymentState, receipt: str, used: list[Event]) -> None:
        if not used or state.instructed is None:
            return
        held, payer = self._held(state, receipt), state.instructed.payer
        for event in used:
            held = receipts.evolve(held, event)
            self.events.append(((receipt_stream(payer, receipt), held.version, event), None))
        self._receipts[payer, receipt] = held


def shown(row: ReturnedRow) -> str:
    """Returns a refused row in one line."""
    return f"row {row.row} {row.payment or '-'} {yuan(row.amount_fen)}: {row.reason}: {row.text}"
