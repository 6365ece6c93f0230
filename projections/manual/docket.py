"""Lists applications for manual reimbursement with stage, owner and clock, and who is late.

Their streams hold all of it, so they are read from the log itself and are never behind it.
"""

from typing import TYPE_CHECKING

import msgspec

from ledger.manual.docket import applications
from ledger.manual.events import CONFIRMED, INSTRUCTED
from ledger.manual.states import Application
from ledger.manual.wording import STAGE_NAMES
from ledger.payments import read_payment

if TYPE_CHECKING:
    from ledger.store import Reader

PAID = "paid"


class ApplicationLine(msgspec.Struct, frozen=True):
    """Is an application as it stands: stage, who owns the next step until ``due``, all of it until ``limit``.

    ``late`` is whether either is past; ``amount_fen`` what it settled to, ``owed_fen`` what the person owes back.
    ``person`` is a token.
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
    lines = [_line(reader, application, state, on) for application, state in applications(reader).items()]
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


def _line(reader: "Reader", application: str, state: Application, on: int) -> ApplicationLine:
    accepted = state.accepted
    assert accepted is not None
    stage, payment = STAGE_NAMES[state.stage], state.instructed.payment if state.instructed else ""
    running = bool(state.due)
    if state.stage == INSTRUCTED and read_payment(reader, payment)[0].code in ("confirmed", "withheld"):
        stage, running = PAID, False
    amount = state.settled.amount_fen if state.settled else 0
    if state.stage == CONFIRMED and not amount:
        stage = PAID
    late = running and min(state.due, accepted.limit) < on
    return ApplicationLine(
        *(application, accepted.token, accepted.region, accepted.on, stage, state.owner if running else ""),
        *(state.due if running else 0, accepted.limit),
        late,
        *(amount, sum(state.outstanding)),
        payment,
    )
