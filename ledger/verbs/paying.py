"""Are the commands on payments and receipts: confirm, receive, fail, return, resend, suspend, match, give back."""

from typing import TYPE_CHECKING

from ledger import clawbacks, explain, payments
from ledger.events import PAYMENT_ADVANCE, PAYMENT_PERSON, PAYMENT_REGION, PAYMENT_SENT_BACK, Event, PaymentConfirmed
from ledger.keys import clawback_stream, payment_stream, receipt_stream
from ledger.mapper import decode_event
from ledger.money import yuan_display as yuan
from ledger.paying import receipts
from ledger.paying.events import PaymentReceivedInPart, ReceiptSuspended
from ledger.paying.reports import Receipt
from ledger.paying.telling import tell
from ledger.payments import Due
from ledger.refusals import Refusal, Refused
from ledger.reports import Payment
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.postings import Opened
    from ledger.store import Transaction
    from ledger.writing import Header


class Paying(Base):
    """Follows payments to their end, by the bank's receipts."""

    def confirm(
        self,
        payment: str,
        receipt: str,
        *,
        amount_fen: int | None = None,
        receipt_fen: int | None = None,
        reason: str = "",
    ) -> Payment:
        """Confirms all that is in transit of a payment by the bank's receipt.

        ``amount_fen`` must be that amount where given. ``receipt_fen`` says what the receipt comes to altogether where
        it pays several; together they never use more than that.
        """
        with self.transaction() as tx:
            state, _ = payments.read_payment(tx, payment)
            cause, command = self.command(tx, "confirm", reason, {"payment": payment, "receipt": receipt})
            amount = state.transit_fen if amount_fen is None else amount_fen
            decided = payments.decide_confirm(state, amount, explain.key("receipt", receipt), cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.confirmation(decided, payment, state, amount))
            return self._received(tx, payment, decided, command, receipt_fen)

    def receive(
        self, payment: str, receipt: str, amount_fen: int, *, receipt_fen: int | None = None, reason: str = ""
    ) -> Payment:
        """Takes what a receipt brings forward of a payment: a part, or all that was left in transit."""
        with self.transaction() as tx:
            state, _ = payments.read_payment(tx, payment)
            arguments = {"amount_fen": amount_fen, "payment": payment, "receipt": receipt}
            cause, command = self.command(tx, "receive", reason, arguments)
            decided = payments.decide_receive(state, amount_fen, explain.key("receipt", receipt), cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.confirmation(decided, payment, state, amount_fen))
            return self._received(tx, payment, decided, command, receipt_fen)

    def _received(
        self, tx: "Transaction", payment: str, decided: Event, command: "Header", receipt_fen: int | None
    ) -> Payment:
        """Appends what a receipt brought forward, and that the receipt is used for it."""
        assert isinstance(decided, PaymentConfirmed | PaymentReceivedInPart)
        state, version = payments.read_payment(tx, payment)
        instructed = state.instructed
        assert instructed is not None
        held = receipts.read_receipt(tx, instructed.payer, decided.receipt)
        used = receipts.decide_use(
            held, instructed.payer, decided.receipt, decided.amount_fen, receipt_fen, payment, decided.cause
        )
        if isinstance(used, Refusal):
            raise Refused(used, tell(used, receipt=decided.receipt, held=held, got_fen=abs(decided.amount_fen)))
        stream = receipt_stream(instructed.payer, decided.receipt)
        events: list[tuple[Header, Opened | None]] = [(command, None), ((payment, version + 1, decided), instructed)]
        events += [((stream, held.version + at, event), None) for at, event in enumerate(used, 1)]
        self.append_opened(tx, events)
        return Payment.of(payment, payments.evolve(state, decided))

    def fail(self, payment: str, *, reason: str) -> Payment:
        """Ends the sending of a payment that the bank refused: what was in transit is owed again."""
        with self.transaction() as tx:
            state, _ = payments.read_payment(tx, payment)
            cause, command = self.command(tx, "fail", reason, {"payment": payment})
            return self._pay_step(tx, payment, command, payments.decide_fail(state, state.attempt, reason, cause))

    def send_back(self, payment: str, amount_fen: int, receipt: str, *, reason: str) -> Payment:
        """Takes back money that had been received and came back (退票): it is owed again."""
        with self.transaction() as tx:
            state, _ = payments.read_payment(tx, payment)
            receipt = explain.key("receipt", receipt)
            arguments = {"amount_fen": amount_fen, "payment": payment, "receipt": receipt}
            cause, command = self.command(tx, "return", reason, arguments)
            decided = payments.decide_return(state, amount_fen, receipt, reason, cause)
            return self._pay_step(tx, payment, command, decided, amount_fen)

    def resend(self, payment: str, *, of: int | None = None, reason: str = "") -> Payment:
        """Instructs again what failed or came back; ``of`` is the position that said so, the last where None.

        It is in transit then, as a further attempt, and goes into the next bank file.
        """
        with self.transaction() as tx:
            state, _ = payments.read_payment(tx, payment)
            _refuse_recovered(tx, payment, state)
            of = state.failure if of is None else of
            cause, command = self.command(tx, "resend", reason, {"of": of, "payment": payment})
            return self._pay_step(tx, payment, command, payments.decide_resend(state, of, cause))

    def _pay_step(
        self, tx: "Transaction", payment: str, command: "Header", decided: "Event | Refusal", amount_fen: int = 0
    ) -> Payment:
        state, version = payments.read_payment(tx, payment)
        if isinstance(decided, Refusal):
            raise Refused(decided, tell(decided, payment=payment, state=state, got_fen=amount_fen))
        assert isinstance(decided, Event)
        self.append_opened(tx, [(command, None), ((payment, version + 1, decided), state.instructed)])
        return Payment.of(payment, payments.evolve(state, decided, tx.size))

    def suspend(self, region: int, receipt: str, amount_fen: int, *, sender: str = "", reason: str = "") -> Receipt:
        """Takes a receipt that nobody can place into suspense; the same one again changes nothing."""
        with self.transaction() as tx:
            receipt = explain.key("receipt", receipt)
            state = receipts.read_receipt(tx, region, receipt)
            arguments = {"amount_fen": amount_fen, "receipt": receipt, "region": region}
            cause, command = self.command(tx, "suspend", reason, arguments)
            decided = receipts.decide_suspend(state, region, receipt, amount_fen, sender, cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, tell(decided, receipt=receipt, held=state, got_fen=amount_fen))
            if decided:
                self.append(tx, [command, (receipt_stream(region, receipt), 1, decided[0])])
                state = receipts.evolve(state, decided[0])
            return Receipt.of(state)

    def match(self, region: int, receipt: str, key: str, *, amount_fen: int | None = None, reason: str = "") -> Receipt:
        """Matches a suspended receipt, or a part of it, with the payment or the clawback case it turned out to be."""
        with self.transaction() as tx:
            held = receipts.read_receipt(tx, region, receipt)
            amount = held.left_fen if amount_fen is None else amount_fen
            arguments = {"amount_fen": amount, "key": key, "receipt": receipt, "region": region}
            cause, command = self.command(tx, "match", reason, arguments)
            matched = receipts.decide_match(held, amount, key, cause)
            if isinstance(matched, Refusal):
                raise Refused(matched, tell(matched, receipt=receipt, held=held, got_fen=amount))
            assert isinstance(held.opened, ReceiptSuspended)
            step = self._matched(tx, region, receipt, key, amount, cause)
            stream = receipt_stream(region, receipt)
            self.append_opened(tx, [(command, None), ((stream, held.version + 1, matched), held.opened), step])
            return Receipt.of(receipts.evolve(held, matched))

    def _matched(
        self, tx: "Transaction", region: int, receipt: str, key: str, amount_fen: int, cause: int
    ) -> "tuple[Header, Opened | None]":
        """Returns the step of the payment or clawback that a suspended receipt turned out to be."""
        if not key.startswith("payment-"):
            return self._matched_case(tx, region, receipt, key, amount_fen, cause)
        state, version = payments.read_payment(tx, key)
        instructed = state.instructed
        if instructed is None:
            raise Refused(Refusal.NOT_INSTRUCTED, explain.confirmation(Refusal.NOT_INSTRUCTED, key, state, 0))
        between = instructed.kind in (PAYMENT_REGION, PAYMENT_ADVANCE)
        # Money arrives at the payee of a payment, and at its payer where the payee owed it back.
        came_to = int(instructed.payee) if between and instructed.amount_fen > 0 else instructed.payer
        if came_to != region or not (between or instructed.amount_fen < 0):
            raise Refused(Refusal.WRONG_PARTY, tell(Refusal.WRONG_PARTY, payment=key, region=region))
        signed = amount_fen if instructed.amount_fen > 0 else -amount_fen
        decided = payments.decide_receive(state, signed, receipt, cause)
        if isinstance(decided, Refusal):
            raise Refused(decided, explain.confirmation(decided, key, state, signed))
        return (key, version + 1, decided), instructed

    def _matched_case(
        self, tx: "Transaction", region: int, receipt: str, case: str, amount_fen: int, cause: int
    ) -> "tuple[Header, Opened | None]":
        stream = clawback_stream(case)
        state = clawbacks.ClawbackState()
        events = tx.stream(stream)
        for _, _, topic, stored in events:
            state = clawbacks.evolve(state, decode_event(topic, stored))
        decided = clawbacks.decide_collect(state, cause=cause, amount_fen=amount_fen, receipt=receipt)
        if isinstance(decided, Refusal):
            raise Refused(decided, explain.collection(decided, case, amount_fen, receipt, state))
        assert state.raised is not None
        if state.raised.treatment_region != region:
            raise Refused(Refusal.WRONG_PARTY, tell(Refusal.WRONG_PARTY, payment=case, region=region))
        return (stream, len(events) + 1, decided), state.raised

    def give_back(
        self,
        region: int,
        receipt: str,
        *,
        period: int,
        payee: str = "",
        amount_fen: int | None = None,
        reason: str = "",
    ) -> Payment:
        """Sends a suspended receipt, or a part of it, back to its sender (or ``payee``): a payment like all others."""
        with self.transaction() as tx:
            held = receipts.read_receipt(tx, region, receipt)
            amount = held.left_fen if amount_fen is None else amount_fen
            if isinstance(held.opened, ReceiptSuspended):
                if not payee and not held.opened.sender:
                    raise Refused(
                        Refusal.BAD_KEY, f"receipt {receipt}: expected who gets it (--to), as no sender is known"
                    )
                payee = explain.key("payee", payee or held.opened.sender)
            arguments = {"amount_fen": amount, "payee": payee, "receipt": receipt, "region": region}
            cause, command = self.command(tx, "give-back", reason, arguments)
            key = f"{payment_stream(PAYMENT_SENT_BACK, period, region, payee)}-{receipt}-{held.version}"
            decided = receipts.decide_send_back(held, amount, payee, key, cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, tell(decided, receipt=receipt, held=held, got_fen=amount))
            due = Due(PAYMENT_SENT_BACK, region, payee, 0, amount, 0)
            instructed = payments.instruction(period, due, cause)
            taken = (receipt_stream(region, receipt), held.version + 1, decided)
            self.append(tx, [command, taken, (key, 1, instructed)])
            return Payment.of(key, payments.evolve(payments.PaymentState(), instructed))

    def payments(self, period: int) -> list[Payment]:
        """Returns every payment of a period and how far it got."""
        with self.store.read() as reader:
            found = payments.read_payments(reader, period)
            return [Payment.of(stream, state) for stream, state in sorted(found.items())]

    def suspended(self) -> list[Receipt]:
        """Returns every receipt that was taken into suspense, and what is left of it there."""
        from ledger.knowledge import streams_with_prefix

        with self.store.read() as reader:
            found: dict[str, receipts.ReceiptState] = {}
            for _, stream, _, topic, stored in streams_with_prefix(reader, "receipt"):
                event = decode_event(topic, stored)
                found[stream] = receipts.evolve(found.get(stream, receipts.ReceiptState()), event)
            return [Receipt.of(each) for each in found.values() if isinstance(each.opened, ReceiptSuspended)]


def _refuse_recovered(tx: "Transaction", payment: str, state: payments.PaymentState) -> None:
    """Refuses to send a person's payment again whose claim has been recovered since, or stands with less."""
    if state.instructed is None or state.instructed.kind != PAYMENT_PERSON:
        return
    from ledger.manual.docket import read_application
    from ledger.manual.owing import standing_fen
    from ledger.manual.postings import application_of

    for application in filter(None, application_of(payment)):
        found = read_application(tx, application)
        paid_so = payment in [each.payment for each in found.instructions]
        if paid_so and found.recovered is not None:
            text = f"{payment}: expected an application that stands, got {application}: it is recovered"
            raise Refused(Refusal.MANUAL_STAGE, text)
        if paid_so and found.settled is not None:
            stands = standing_fen(tx, found.settled.claim)
            if stands < found.instructed_fen:
                raise Refused(
                    Refusal.MANUAL_STAGE,
                    f"{payment}: expected a claim that stands with the {yuan(found.instructed_fen)} instructed, got"
                    f" {yuan(stands)}: recover {application} (manual recover) and pay it anew",
                )
