"""Links violations with the claims, persons and cases they lead to, and back."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.casework.docket import case_states
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.supervision.events import ViolationFound, ViolationLifted

if TYPE_CHECKING:
    from ledger.store import Reader


@dataclass(slots=True)
class Link:
    """Is one violation: what was last found of it, whether it stands, the claims it ever named, cases that took it."""

    found: ViolationFound
    stands: bool = True
    claims: set[int] = field(default_factory=set)
    cases: tuple[str, ...] = ()


def violation_links(reader: "Reader") -> dict[str, Link]:
    """Returns every violation of the log by its stream, lifted ones too."""
    links: dict[str, Link] = {}
    for _, stream, _, topic, state in streams_with_prefix(reader, "violation"):
        event = decode_event(topic, state)
        if isinstance(event, ViolationFound):
            link = links.setdefault(stream, Link(event))
            link.found, link.stands = event, True
            link.claims.update(charge[0] for charge in event.charges)
        elif isinstance(event, ViolationLifted):
            links[stream].stands = False
    for case, taken in case_states(reader).items() if links else ():
        for stream in taken.opened.violations if taken.opened else ():
            if stream in links:
                links[stream].cases += (case,)
    return links
