"""Reads applications for manual reimbursement as their streams tell them."""

from typing import TYPE_CHECKING

from ledger.keys import reimbursement_stream
from ledger.knowledge import streams_with_prefix
from ledger.manual import states
from ledger.manual.states import Application
from ledger.mapper import decode_event

if TYPE_CHECKING:
    from ledger.store import Reader


def read_application(reader: "Reader", application: str) -> Application:
    """Returns an application, in stage 0 where there is none of that number."""
    state = Application()
    for _, _, topic, stored in reader.stream(reimbursement_stream(application)):
        states.evolve(state, decode_event(topic, stored))
    return state


def applications(reader: "Reader") -> dict[str, Application]:
    """Returns every application by its number, in the order they were accepted."""
    found: dict[str, Application] = {}
    for _, stream, _, topic, stored in streams_with_prefix(reader, "reimbursement"):
        state = found.setdefault(stream.removeprefix("reimbursement-"), Application())
        states.evolve(state, decode_event(topic, stored))
    return found
