"""Leads from claims, persons and institutions to cases, violations and applications, and back."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from core_ext.rule_tables import WINDOWS
from ledger.line_columns import lines_of
from ledger.line_events import LinesFiled
from ledger.mapper import decode_event
from ledger.supervision.events import DEFINITE
from projections.casework.life import case_trace, cases_of
from projections.manual.life import Lives
from projections.supervision.links import violation_links
from projections.trace_money import payment_of
from projections.trace_tree import Claim, Found, ManualTrace, ViolationTrace

if TYPE_CHECKING:
    from ledger.store import Reader
    from projections.supervision.links import Link


class Linked:
    """Answers for one snapshot; ``acts`` gives the act of a claim's position."""

    def __init__(self, reader: "Reader", acts: "Callable[[int], list[Claim]]") -> None:
        self._reader = reader
        self._acts = acts

    def violations_of(self, concerns: "Callable[[Link], bool]") -> tuple[str, ...]:
        """Returns the streams of the violations that concern something."""
        return tuple(stream for stream, link in self.links.items() if concerns(link))

    @cached_property
    def by_key(self) -> dict[str | int, list[str]]:
        """Returns the cases against each debtor, and on the claim at each position."""
        return cases_of(self._reader)

    @cached_property
    def links(self) -> "dict[str, Link]":
        """Returns every violation by its stream."""
        return violation_links(self._reader)

    @cached_property
    def lives(self) -> Lives:
        """Returns every application for manual reimbursement."""
        return Lives(self._reader)

    def dockets(self, key: str) -> list[Found]:
        """Returns a case by its number or stream."""
        found = case_trace(self._reader, key.removeprefix("docket-"))
        if found is None:
            return []
        codes = dict.fromkeys(code for claim in found.claims for code in self._codes_of(claim))
        return [msgspec.structs.replace(found, codes=tuple(codes))]

    def _codes_of(self, claim: int) -> list[str]:
        """Returns the trace codes on the lines of a claim."""
        stream = self._reader.events_at([claim])[claim][0]
        events = [
            decode_event(topic, state)
            for _, _, topic, state in self._reader.stream(stream)
            if topic == LinesFiled.TOPIC
        ]
        return [code for event in events if isinstance(event, LinesFiled) for code in lines_of(event).codes if code]

    def violations(self, key: str) -> list[Found]:
        """Returns a violation by its stream."""
        link = self.links.get(key) if key.startswith("violation-") else None
        if link is None:
            return []
        acts = [act for claim in sorted(link.claims) for act in self._acts(claim)]
        found = link.found
        said = (found.result == DEFINITE, link.stands, found.period, found.token, WINDOWS[found.kind], found.window)
        return [ViolationTrace(key, found.rule, *said, found.amount_fen, tuple(acts), link.cases)]

    def applications(self, key: str) -> list[Found]:
        """Returns an application by its number or stream."""
        line = self.lives.lines.get(key.removeprefix("reimbursement-"))
        if line is None:
            return []
        state = self.lives.states[line.application]
        assert state.accepted is not None
        acts = self._acts(state.settled.claim) if state.settled else []
        return [
            ManualTrace(
                *(line.application, line.person, line.region, line.accepted, line.limit, line.stage, line.owner),
                *(line.amount_fen, line.owed_fen, acts[0] if acts else None),
                payment_of(self._reader, line.payment) if line.payment else None,
                *(state.accepted.follows, self.lives.following(line.application)),
                next(iter(self._acts(state.recovered.refund)), None) if state.recovered else None,
            )
        ]
