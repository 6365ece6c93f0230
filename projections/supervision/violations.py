"""Lists the violations that stand open in a period, each with its claims, institutions and lines by their own keys.

Their streams hold the latest state of each, so they are read from the log itself and are never behind it.
"""

from typing import TYPE_CHECKING

import msgspec

from core_ext.rule_tables import WINDOWS
from ledger.events import ClaimFiled
from ledger.line_columns import lines_of
from ledger.line_events import LinesFiled
from ledger.mapper import decode_event
from ledger.supervision.events import DEFINITE, ViolationFound
from ledger.supervision.reviewing import packs_of, violations_of

if TYPE_CHECKING:
    from ledger.store import Reader

CHUNK = 1_000


class ViolatingCharge(msgspec.Struct, frozen=True):
    """Is a line that violates: REGION/SETL_ID, institution, feedetl_sn and item (empty: the claim as a whole), fen."""

    claim: str
    fixmedins_code: str
    feedetl_sn: str
    med_list_codg: str
    amount_fen: int


class Violation(msgspec.Struct, frozen=True):
    """Is one violation; ``stream`` names it for ever, ``position`` is its latest event; ``window`` reads by kind."""

    stream: str
    position: int
    period: int
    token: int
    rule: str
    title: str
    version: str
    definite: bool
    window_kind: str
    window: int
    amount_fen: int
    charges: tuple[ViolatingCharge, ...]


class RuleTotal(msgspec.Struct, frozen=True):
    """Sums up what one rule found: violations, persons, lines, fen."""

    rule: str
    title: str
    kind: str
    definite: bool
    violations: int
    persons: int
    charges: int
    amount_fen: int


def listed(reader: "Reader", period: int, rule: str = "") -> list[Violation]:
    """Returns the open violations of a period (of one rule's code where one is given), in stream order."""
    titles = _titles(reader)
    events = [
        (stream, position, event)
        for stream, (position, _, event) in sorted(violations_of(reader, period).items())
        if isinstance(event, ViolationFound) and rule in ("", event.rule)
    ]
    found: list[Violation] = []
    for at in range(0, len(events), CHUNK):
        chunk = events[at : at + CHUNK]
        places = _Places(reader, [event for _, _, event in chunk])
        for stream, position, event in chunk:
            charges = tuple(places.charge(*charge) for charge in event.charges)
            found.append(
                Violation(
                    *(stream, position, event.period, event.token, event.rule, titles.get(event.rule, ("", ""))[0]),
                    *(event.version.hex(), event.result == DEFINITE, WINDOWS[event.kind], event.window),
                    *(event.amount_fen, charges),
                )
            )
    return found


def totals(reader: "Reader", period: int) -> list[RuleTotal]:
    """Returns what each rule found in a period, the largest amount first."""
    titles = _titles(reader)
    by_rule: dict[str, list[ViolationFound]] = {}
    for _, _, event in violations_of(reader, period).values():
        if isinstance(event, ViolationFound):
            by_rule.setdefault(event.rule, []).append(event)
    found = [
        RuleTotal(
            *(rule, *titles.get(rule, ("", "")), events[-1].result == DEFINITE, len(events)),
            *(len({event.token for event in events}), sum(len(event.charges) for event in events)),
            sum(event.amount_fen for event in events),
        )
        for rule, events in by_rule.items()
    ]
    return sorted(found, key=lambda each: (-each.amount_fen, each.rule))


def _titles(reader: "Reader") -> dict[str, tuple[str, str]]:
    """Returns (title, kind) of each rule's code, of its latest pack."""
    return {rule.code: (rule.title, rule.kind) for pack in packs_of(reader) for rule in pack.rules}


class _Places:
    """Is where charges stand: claims by position, lines by the position of what filed them."""

    def __init__(self, reader: "Reader", events: list[ViolationFound]) -> None:
        wanted = {at for event in events for charge in event.charges for at in charge[:2] if at}
        self._claims: dict[int, tuple[str, str]] = {}
        self._lines: dict[int, tuple[list[str], list[str]]] = {}
        for position, (_, _, topic, state) in reader.events_at(sorted(wanted)).items():
            event = decode_event(topic, state)
            if isinstance(event, ClaimFiled):
                self._claims[position] = (f"{event.insured_region:06d}/{event.setl_id}", event.fixmedins_code)
            else:
                assert isinstance(event, LinesFiled)
                lines = lines_of(event)
                self._lines[position] = (lines.serials, lines.items)

    def charge(self, claim: int, event: int, index: int, fen: int) -> ViolatingCharge:
        """Returns a charge by its keys."""
        serials, items = self._lines[event] if event else ([""], [""])
        at = index if event else 0
        return ViolatingCharge(*self._claims[claim], serials[at], items[at], fen)
