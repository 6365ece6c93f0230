"""Reads the clock of manual reimbursement, as dated data: working days over all, and of each step with its owner."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger import dated_terms
from ledger.casework.terms import day_of
from ledger.dated_terms import enacted, invalid, parsed, read_document
from ledger.keys import handling_terms_stream
from ledger.manual.events import HandlingTermsEnacted
from ledger.refusals import Refusal, Refused
from ledger.register_file import number_of
from ledger.working_days import add_working_days, working_days_between

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

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
    terms = parsed(document, where, Terms, Refusal.MANUAL_TERMS)
    if set(terms.step) != set(STEPS):
        raise _invalid(where, "step", ", ".join(STEPS), ", ".join(terms.step))
    for name, step in terms.step.items():
        if step.days < 1 or not step.owner.strip():
            raise _invalid(where, f"step.{name}", "a working day at least, and an owner", step)
    if terms.days < max(step.days for step in terms.step.values()):
        raise _invalid(where, "days", "at least the longest step", terms.days)
    return terms


_invalid = partial(invalid, Refusal.MANUAL_TERMS)


def enact(book: "Base", terms: str | Path, reason: str) -> str:
    """Puts a file, or the shipped terms of that name, in force and returns the digest; raises Refused as it reads."""
    document, where = read_document(terms, Path(__file__).parent, Refusal.MANUAL_TERMS)
    return dated_terms.enact(
        book, "manual terms", document, read_terms(document, where), handling_terms_stream, HandlingTermsEnacted, reason
    )


def terms_of(reader: "Reader") -> list[Terms]:
    """Returns the terms enacted, the earliest first day first."""
    return enacted(reader, "handling-terms", HandlingTermsEnacted, read_terms)


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


def paused_days(asked: int, on: int) -> int:
    """Returns the working days behind the day on which something was asked for, up to the day it came."""
    return working_days_between(day_of(asked), day_of(on))


def later_day(day: int, count: int) -> int:
    """Returns a last day moved by working days; raises CalendarUnpublishedError beyond the calendar."""
    return number_of(add_working_days(day_of(day), count))


def limit_day(terms: Terms, on: int) -> int:
    """Returns the last day of an application accepted on a day; raises CalendarUnpublishedError likewise."""
    return number_of(add_working_days(day_of(on), terms.days))
