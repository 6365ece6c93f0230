"""Collects what a verification finds: one finding an event or row, with everything that follows from it beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

Key = TypeVar("Key", int, str, tuple[Any, ...])
Held = TypeVar("Held")

#: What else is wrong with one event, or differs because of it, is listed up to this many lines.
LISTED = 20

#: Of several things wrong with one event, the first of these is the finding and the others stand beside it.
PRECEDENCE = (
    "missing-event",
    "altered-event",
    "unknown-topic",
    "undecodable-event",
    "misplaced-decision",
    "undecided-claim",
)


class Finding(msgspec.Struct, frozen=True):
    """Is one thing that is wrong: what kind, where, what was expected, what is there, and what follows from it."""

    kind: str
    where: str
    expected: str
    got: str
    also: tuple[str, ...] = ()


def unlike(expected: Mapping[Key, Held], got: Mapping[Key, Held]) -> Iterator[tuple[Key, Held | None, Held | None]]:
    """Yields (key, expected, got) of what is not alike, in the order of keys; None where there is nothing."""
    if expected == got:
        return
    for key in sorted(key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key)):
        yield key, expected.get(key), got.get(key)


@dataclass
class _Case:
    symptoms: list[tuple[str, str, str]] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    dropped: int = 0


class Findings:
    """Gathers symptoms by log position, so that one event is one finding, and findings about rows beside them."""

    def __init__(self) -> None:
        self._events: dict[int, _Case] = {}
        self._names: dict[int, str] = {}
        self._others: list[Finding] = []

    def name(self, position: int, name: str) -> None:
        """Says what stands (or stood) at a position."""
        self._names.setdefault(position, name)

    def event(self, position: int, kind: str, expected: str, got: str) -> None:
        """Adds a symptom of the event at a position."""
        self._events.setdefault(position, _Case()).symptoms.append((kind, expected, got))

    def attach(self, position: int, text: str) -> None:
        """Adds what follows from an event already found; repetition is dropped, and so is what exceeds the list."""
        case = self._events[position]
        if text in case.also:
            return
        if len(case.also) < LISTED:
            case.also.append(text)
        else:
            case.dropped += 1

    def other(self, kind: str, where: str, expected: str, got: str) -> None:
        """Adds a finding that is no event's."""
        self._others.append(Finding(kind, where, expected, got))

    def has(self, position: int) -> bool:
        """Returns whether something is wrong with the event at a position."""
        return position in self._events

    def positions(self, *kinds: str) -> list[int]:
        """Returns the positions with a symptom of one of ``kinds`` (none given: of any), in log order."""
        return sorted(
            position
            for position, case in self._events.items()
            if not kinds or any(kind in kinds for kind, _, _ in case.symptoms)
        )

    def listed(self) -> list[Finding]:
        """Returns all findings: events in log order, then the others as they were found."""
        found = []
        for position in sorted(self._events):
            case = self._events[position]
            ranked = sorted(case.symptoms, key=lambda symptom: _rank(symptom[0]))
            kind, expected, got = ranked[0]
            also = [f"{kind}: expected {expected}, got {got}" for kind, expected, got in ranked[1:]]
            also += case.also
            if case.dropped:
                also.append(f"and {case.dropped} more")
            name = self._names.get(position, "")
            where = f"position {position}" + (f" ({name})" if name else "")
            found.append(Finding(kind, where, expected, got, tuple(dict.fromkeys(also))))
        return found + self._others


def _rank(kind: str) -> int:
    return PRECEDENCE.index(kind) if kind in PRECEDENCE else len(PRECEDENCE)
