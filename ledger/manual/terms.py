"""Reads the clock of manual reimbursement, as dated data: working days over all, and of each step with its owner."""

import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger.casework.terms import day_of
from ledger.knowledge import streams_with_prefix
from ledger.manual.events import HandlingTermsEnacted
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.register_file import number_of
from ledger.working_days import add_working_days

if TYPE_CHECKING:
    from ledger.store import Reader

#: The steps that have a limit, in order.
STEPS = ("archive", "enter", "review", "settle", "confirm", "pay")


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is a step's limit in working days, and who owns it unless somebody is named."""

    days: int
    owner: str


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is one dated document; ``days`` are those of the whole application, ``regions`` whose it is (none: all)."""

    name: str
    begin: date
    source: str
    days: int
    regions: tuple[int, ...]
    step: dict[str, Step]


def read_terms(document: str, where: str) -> Terms:
    """Returns a document's terms; raises Refused (manual_terms) with key, expected and got."""
    try:
        terms = msgspec.convert(tomllib.loads(document), Terms)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise Refused(Refusal.MANUAL_TERMS, f"{where}: {error}") from None
    if set(terms.step) != set(STEPS):
        raise _invalid(where, "step", ", ".join(STEPS), ", ".join(terms.step))
    for name, step in terms.step.items():
        if step.days < 1 or not step.owner.strip():
            raise _invalid(where, f"step.{name}", "a working day at least, and an owner", step)
    if terms.days < max(step.days for step in terms.step.values()):
        raise _invalid(where, "days", "at least the longest step", terms.days)
    return terms


def _invalid(where: str, key: str, expected: str, got: object) -> Refused:
    return Refused(Refusal.MANUAL_TERMS, f"{where}: {key}: expected {expected}, got {got}")


def read_document(terms: str | Path) -> tuple[str, str]:
    """Returns (text, where) of a file, or of the shipped terms of that name; raises Refused where there is neither."""
    path = Path(terms)
    if not path.suffix:
        path = Path(__file__).with_name(f"{terms}.toml")
    try:
        return path.read_text(encoding="utf-8"), path.name
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(Refusal.MANUAL_TERMS, f"expected a file of terms, got {terms}: {error}") from None


def terms_of(reader: "Reader") -> list[Terms]:
    """Returns the terms enacted, the earliest first day first."""
    found = []
    for _, _, _, topic, state in streams_with_prefix(reader, "handling-terms"):
        event = decode_event(topic, state)
        assert isinstance(event, HandlingTermsEnacted)
        found.append(read_terms(event.document, event.name))
    return sorted(found, key=lambda each: each.begin)


def terms_on(held: list[Terms], region: int, on: int) -> Terms:
    """Returns a region's terms on a day; its own go first. Refused (manual_terms) where there are none."""
    day = day_of(on)
    found = [each for each in held if each.begin <= day and (not each.regions or region in each.regions)]
    if not found:
        raise Refused(
            Refusal.MANUAL_TERMS,
            f"expected terms of manual reimbursement for {region:06d} on {on}, got none:"
            " `settlement manual terms taian`",
        )
    return max(found, key=lambda each: (bool(each.regions), each.begin))


def due_day(terms: Terms, step: str, on: int) -> int:
    """Returns the last day of a step that begins on a day; raises CalendarUnpublishedError beyond the calendar."""
    return number_of(add_working_days(day_of(on), terms.step[step].days))


def limit_day(terms: Terms, on: int) -> int:
    """Returns the last day of an application accepted on a day; raises CalendarUnpublishedError likewise."""
    return number_of(add_working_days(day_of(on), terms.days))
