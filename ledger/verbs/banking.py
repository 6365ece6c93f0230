"""Are the commands on bank files: a payee's account, a batch file out, its return file (回盘) in."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import explain
from ledger.events import PAYMENT_PERSON
from ledger.keys import batch_stream, payee_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import yuan_display as yuan
from ledger.paying.bank_file import Profile, profile_document, read_profile, read_return, render
from ledger.paying.events import BankBatchIssued, PayeeAccountSet
from ledger.paying.reports import BankReturn, Batch, Payee
from ledger.paying.returning import ReturnFile
from ledger.payments import PaymentState, read_payments
from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.store import Reader

#: The last account an institution's register names, by code.
SELECT_INSTITUTION = "SELECT name, bank_account FROM institution WHERE code = ? ORDER BY begin DESC LIMIT 1"


class Banking(Base):
    """Sends payments to a bank in files and takes in what it answers."""

    def payee_account(self, payee: str, account: str, *, name: str, bank: str = "", reason: str = "") -> Payee:
        """Sets the bank account of a payee for the files that follow; the same one again changes nothing."""
        with self.transaction() as tx:
            stream = payee_stream(explain.key("payee", payee))
            explain.key("account", account)
            wanted = Payee(payee, name, bank, account)
            if _account(tx, payee) == wanted:
                return wanted
            cause, command = self.command(tx, "pay account", reason, {"account": account, "payee": payee})
            version = tx.stream_heads([stream]).get(stream, 0) + 1
            self.append(tx, [command, (stream, version, PayeeAccountSet(cause, 0, payee, name, bank, account))])
            return wanted

    def pay_file(
        self, period: int, profile: str | Path = "bank", *, payer: int | None = None, reason: str = ""
    ) -> Batch:
        """Issues the bank batch file of a period's payments in transit that no file holds yet.

        It is in the log before anybody can write it, and the log holds its rows: after a crash the same call gives the
        same bytes again, never a second instruction. So does a call with nothing new to send.
        """
        document = profile_document(profile)
        terms = read_profile(document, str(profile))
        with self.transaction() as tx:
            batches = read_batches(tx)
            held = {(payment, attempt) for each in batches for payment, attempt, *_ in each.payments}
            found = read_payments(tx, period)
            sending = [
                (stream, state)
                for stream, state in sorted(found.items())
                if state.transit_fen > 0
                and (stream, state.attempt) not in held
                and state.instructed is not None
                # The log holds no account of a person: what is owed to one is sent by another way than these files.
                and state.instructed.kind != PAYMENT_PERSON
                and payer in (None, state.instructed.payer)
            ]
            persons, persons_fen = _to_persons(found, payer)
            if not sending:
                return _again(batches, found, period, payer, persons, persons_fen)
            rows = tuple(
                (stream, state.attempt, state.transit_fen, *_party(tx, state.instructed.payee, terms))
                for stream, state in sending[: terms.limit]
                if state.instructed is not None
            )
            number = len(batches) + 1
            arguments = {"number": number, "payer": payer, "period": period}
            cause, command = self.command(tx, "pay-file", reason, arguments, terms.name)
            event = BankBatchIssued(cause, 0, number, period, document, rows, sum(row[2] for row in rows))
            content = render(event)
            self.append(tx, [command, (batch_stream(number), 1, event)])
            left = len(sending) - len(rows)
            return Batch(number, period, len(rows), event.total_fen, False, left, content, persons, persons_fen)

    def batches(self, period: int | None = None) -> list[Batch]:
        """Returns the batch files issued, of a period where one is given; their bytes are those first issued."""
        with self.store.read() as reader:
            return [
                Batch(each.number, each.period, len(each.payments), each.total_fen, True, 0, render(each))
                for each in read_batches(reader)
                if period in (None, each.period)
            ]

    def bank_return(self, file: str | Path, profile: str | Path = "bank", *, reason: str = "") -> BankReturn:
        """Takes in a return file; every sound row counts once however often it comes, the others are listed."""
        path = Path(file)
        content = path.read_bytes()
        terms = read_profile(profile_document(profile), str(profile))
        rows = list(read_return(content, terms, path.name))
        with self.transaction() as tx:
            digest = hashlib.sha256(content).digest()
            cause, command = self.command(tx, "bank-return", reason, {"rows": len(rows)}, path.name, digest)
            taken = ReturnFile(tx, cause)
            taken.take(rows)
            if taken.events:
                self.append_opened(tx, [(command, None), *taken.events])
            accepted, failed, returned = (
                sum(each.outcome == name for each in taken.done) for name in ("accepted", "failed", "returned")
            )
            refused, done = tuple(taken.refused), tuple(taken.done)
            return BankReturn(len(rows), accepted, failed, returned, taken.duplicate, refused, done)


def read_batches(reader: "Reader") -> list[BankBatchIssued]:
    """Returns every batch file issued, by its number."""
    found = [decode_event(topic, state) for _, _, _, topic, state in streams_with_prefix(reader, "bank-batch")]
    return [event for event in found if isinstance(event, BankBatchIssued)]


def _to_persons(found: dict[str, PaymentState], payer: int | None) -> tuple[int, int]:
    """Returns (payments, fen) in transit to persons, which no file holds."""
    fen = [
        state.transit_fen
        for state in found.values()
        if state.instructed is not None
        and state.instructed.kind == PAYMENT_PERSON
        and state.transit_fen > 0
        and payer in (None, state.instructed.payer)
    ]
    return len(fen), sum(fen)


def _again(
    batches: list[BankBatchIssued],
    found: dict[str, PaymentState],
    period: int,
    payer: int | None,
    persons: int,
    persons_fen: int,
) -> Batch:
    """Returns the last file of a period once more, while the bank has answered no row of it; else raises Refused."""
    for each in reversed(batches):
        if each.period == period and payer in (None, _payer_of(each)):
            for payment, attempt, amount_fen, *_ in each.payments:
                state = found.get(payment, PaymentState())
                if (state.attempt, state.transit_fen) != (attempt, amount_fen):
                    raise Refused(
                        Refusal.NOT_IN_TRANSIT,
                        f"period {period}: expected payments in no bank file yet, got none, and {payment} of batch"
                        f" {each.number} is {state.code}: the bank has had that file",
                    )
            content = render(each)
            return Batch(
                each.number, period, len(each.payments), each.total_fen, True, 0, content, persons, persons_fen
            )
    got = "none: pay instructs what a signed clearing owes"
    if persons:
        got = f"{persons:,} to persons alone, {yuan(persons_fen)}: transfer these apart, then pay confirm"
    raise Refused(Refusal.NOT_IN_TRANSIT, f"period {period}: expected payments in transit, got {got}")


def _payer_of(batch: BankBatchIssued) -> int | None:
    """Returns the payer of a batch that has one alone."""
    payers = {int(payment.split("-")[3]) for payment, *_ in batch.payments}
    return payers.pop() if len(payers) == 1 else None


def _account(reader: "Reader", payee: str) -> Payee | None:
    """Returns the bank account of a payee: as last set, else an institution's registered one, else None."""
    events = reader.stream(payee_stream(payee))
    if events:
        event = decode_event(events[-1][2], events[-1][3])
        assert isinstance(event, PayeeAccountSet)
        return Payee(payee, event.name, event.bank, event.account)
    rows = reader.query(SELECT_INSTITUTION, (payee,))
    return Payee(payee, str(rows[0][0]), "", str(rows[0][1])) if rows and rows[0][1] else None


def _party(reader: "Reader", payee: str, profile: Profile) -> tuple[str, str, str, str]:
    found = _account(reader, payee)
    if found is None and profile.account == "required":
        raise Refused(
            Refusal.NO_ACCOUNT,
            f"payee {payee}: expected a bank account, got none: register the institution's, or set it with pay account",
        )
    return (found.payee, found.name, found.bank, found.account) if found else (payee, "", "", "")
