"""Tells what became of an application for manual reimbursement, and which applications a person has."""

from typing import TYPE_CHECKING

from ledger.manual.docket import applications
from projections.manual.docket import listed

if TYPE_CHECKING:
    from ledger.manual.states import Application
    from ledger.store import Reader
    from projections.manual.docket import ApplicationLine


class Lives:
    """Is every application of a log, read once, and how each leads to claims, persons and the ones that follow it."""

    def __init__(self, reader: "Reader") -> None:
        self.states = applications(reader)
        self.lines: dict[str, ApplicationLine] = {
            line.application: line for line in listed(reader, 0).lines
        } if self.states else {}  # fmt: skip

    def of_claim(self, claim: int) -> str:
        """Returns the application that a claim settled, empty where it came otherwise."""
        return next((name for name, state in self.states.items() if _claim(state) == claim), "")

    def of_person(self, token: int) -> tuple[str, ...]:
        """Returns a person's applications in the order of acceptance."""
        return tuple(name for name, line in self.lines.items() if line.person == token)

    def of_payment(self, stream: str) -> str:
        """Returns the application that a payment pays, empty where it pays none."""
        paid = {each.payment: name for name, state in self.states.items() for each in state.instructions}
        return paid.get(stream, "")

    def following(self, application: str) -> tuple[str, ...]:
        """Returns the applications that pay one anew."""
        return tuple(
            name for name, state in self.states.items() if state.accepted and state.accepted.follows == application
        )


def _claim(state: "Application") -> int:
    return state.settled.claim if state.settled is not None else 0
