"""Posts manual reimbursement; I is the insured region, T the treatment region, X the institution, N the person.

==============================  =====================================================================
owed, own city                  payable:T:X +a · manual:I:N −a
owed, off site                  due:I:T +a · manual:I:N −a, and payable:T:X +a · receivable:T:I −a
collected                       bank:I +a · manual:I:N −a
==============================  =====================================================================

So the claim's own postings, which owe the institution, end at the person instead. A person's payment is owed from
``manual:I:N`` (``ledger.paying.postings``); where it stands above zero the person owes.
"""

from ledger.event import Event
from ledger.manual.events import ManualCollected, ManualOwed

#: The events of this family that post; a claim that pays nothing owes nothing.
POSTING = (ManualOwed, ManualCollected)


#: What stands between an application and the number of a further payment of it, in the payment's key.
FURTHER = "+"


def application_of(payment: str) -> tuple[str, str]:
    """Returns the applications that a person's payment may be of: named whole, or with the number of a further one."""
    named = payment.split("-", 6)[-1]
    return named, named.rpartition(FURTHER)[0]


def person_payee(token: int) -> str:
    """Returns how a person is named as a payee: by token."""
    return f"person-{token:09d}"


def manual_entries(event: Event) -> list[tuple[str, int]]:
    """Returns what an event of this family posts; nothing for one that moves no money."""
    match event:
        case ManualOwed():
            fen = event.fund_fen + event.account_fen
            insured, treatment = f"{event.insured_region:06d}", f"{event.treatment_region:06d}"
            entries = [(f"payable:{treatment}:{event.fixmedins_code}", fen)]
            if insured != treatment:
                entries += [(f"receivable:{treatment}:{insured}", -fen), (f"due:{insured}:{treatment}", fen)]
            return [*entries, (f"manual:{insured}:{person_payee(event.token)}", -fen)]
        case ManualCollected():
            region = f"{event.region:06d}"
            return [
                (f"bank:{region}", event.amount_fen),
                (f"manual:{region}:{person_payee(event.token)}", -event.amount_fen),
            ]
    return []


def manual_fen(event: Event) -> int:
    """Returns how much an event of this family moves, 0 for another."""
    match event:
        case ManualOwed():
            return abs(event.fund_fen + event.account_fen)
        case ManualCollected():
            return abs(event.amount_fen)
    return 0
