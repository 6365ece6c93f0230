"""Lists applications for manual reimbursement with stage, owner and clock, and who is late.

Their streams hold all of it, so they are read from the log itself and are never behind it.
"""

from typing import TYPE_CHECKING

import msgspec

from ledger.manual.docket import applications
from ledger.manual.events import CONFIRMED, INSTRUCTED
from ledger.manual.owing import owed_to_persons
from ledger.manual.states import Application
from ledger.manual.wording import STAGE_NAMES
from ledger.payments import read_payment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.store import Reader

PAID = "paid"


class ApplicationLine(msgspec.Struct, frozen=True):
    """Is an application as it stands: stage, who owns the next step until ``due``, all of it until ``limit``.

    ``late`` is whether either is past; ``amount_fen`` what it settled to, ``owed_fen`` what the person owes back.
    ``further_fen`` is what a booking anew leaves to be paid to the person behind a payment (below zero: paid too much).
    ``waiting`` is the day since which the person has been asked for something missing (补正), 0 where nothing is: the
    clock stands still, and nobody is late who was not on that day. ``person`` is a token.
    """

    application: str
    person: int
    region: int
    accepted: int
    stage: str
    owner: str
    due: int
    limit: int
    late: bool
    amount_fen: int
    owed_fen: int
    payment: str
    further_fen: int
    waiting: int


class LateOwner(msgspec.Struct, frozen=True):
    """Sums up what one owner is late with: applications, fen they settled to, the earliest day missed."""

    owner: str
    applications: int
    amount_fen: int
    since: int


class Applications(msgspec.Struct, frozen=True):
    """Is applications as they stand, and who is late."""

    lines: tuple[ApplicationLine, ...]
    late: tuple[LateOwner, ...]


def listed(reader: "Reader", on: int, late: bool = False) -> Applications:
    """Returns every application in the order of acceptance; ``late``: those past a day of theirs only."""
    states = applications(reader)
    claims = [state.settled.claim for state in states.values() if state.settled and state.instructions]
    owed = {claim: each.fund_fen + each.account_fen for claim, (each, _) in owed_to_persons(reader, claims).items()}
    lines = [_line(reader, application, state, on, owed) for application, state in states.items()]
    return Applications(tuple(line for line in lines if line.late or not late), tuple(late_owners(lines)))


def late_owners(lines: list[ApplicationLine]) -> list[LateOwner]:
    """Returns who is late, the most applications first."""
    found: dict[str, list[ApplicationLine]] = {}
    for line in lines:
        if line.late:
            found.setdefault(line.owner, []).append(line)
    owners = [
        LateOwner(owner, len(own), sum(line.amount_fen for line in own), min(min(line.due, line.limit) for line in own))
        for owner, own in found.items()
    ]
    return sorted(owners, key=lambda each: (-each.applications, each.owner))


def _line(
    reader: "Reader", application: str, state: Application, on: int, owed: "Mapping[int, int]"
) -> ApplicationLine:
    accepted = state.accepted
    assert accepted is not None
    stage, payment = STAGE_NAMES[state.stage], state.instructed.payment if state.instructed else ""
    running = bool(state.due)
    codes = {read_payment(reader, each.payment)[0].code for each in state.instructions}
    if state.stage == INSTRUCTED and codes <= {"confirmed", "withheld"}:
        stage, running = PAID, False
    amount = state.settled.amount_fen if state.settled else 0
    if state.stage == CONFIRMED and not amount:
        stage = PAID
    further = 0
    if state.stage == INSTRUCTED and state.settled is not None:
        further = owed[state.settled.claim] - state.instructed_fen
    if stage == PAID and further > 0:
        stage = STAGE_NAMES[INSTRUCTED]
    # While something is missing the clock stands at the day on which it was asked for.
    late = running and min(state.due, state.limit) < (state.waiting or on)
    running = running and (late or not state.waiting)
    return ApplicationLine(
        *(application, accepted.token, accepted.region, accepted.on, stage, state.owner if running else ""),
        *(state.due if running else 0, state.limit),
        late,
        *(amount, sum(state.outstanding)),
        payment,
        further,
        state.waiting,
    )
