"""Reads the limits of cases, as dated data: working days a stage and what its expiry does, fines and rewards."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger import dated_terms
from ledger.casework.events import EFFECTS, STAGES, CaseTermsEnacted
from ledger.dated_terms import enacted, invalid, parsed, read_document
from ledger.keys import case_terms_stream
from ledger.refusals import Refusal, Refused
from ledger.register_file import date_of

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

#: The stages that have a limit.
LIMITED = ("machine", "first", "appeal", "second", "panel")


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is a stage's limit: working days, and what its expiry does."""

    days: int
    expiry: str


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is one dated document of limits; multiples in basis points, money in fen."""

    name: str
    begin: date
    source: str
    stage: dict[str, Limit]
    panel_members: int
    fine_bp: tuple[int, int]
    fraud_bp: tuple[int, int]
    reward_most_fen: int

    def limit(self, stage: int) -> Limit:
        """Returns the limit of a stage."""
        return self.stage[next(name for name, number in STAGES.items() if number == stage)]

    def effect(self, stage: int) -> int:
        """Returns what the expiry of a stage does, one of EFFECTS."""
        return EFFECTS[self.limit(stage).expiry]


def read_terms(document: str, where: str) -> Terms:
    """Returns a document's terms; raises Refused (case_terms_invalid) with key, expected and got."""
    terms = parsed(document, where, Terms, Refusal.CASE_TERMS_INVALID)
    if set(terms.stage) != set(LIMITED):
        raise _invalid(where, "stage", ", ".join(LIMITED), ", ".join(terms.stage))
    for name, limit in terms.stage.items():
        if limit.days < 1:
            raise _invalid(where, f"stage.{name}.days", "at least one working day", limit.days)
        if limit.expiry not in EFFECTS:
            raise _invalid(where, f"stage.{name}.expiry", ", ".join(EFFECTS), repr(limit.expiry))
    for key, (low, high) in (("fine_bp", terms.fine_bp), ("fraud_bp", terms.fraud_bp)):
        if not 0 < low <= high:
            raise _invalid(where, key, "a range above zero", [low, high])
    if terms.panel_members < 1 or terms.reward_most_fen < 0:
        raise _invalid(where, "panel_members, reward_most_fen", "no negative number, a member at least", "less")
    return terms


_invalid = partial(invalid, Refusal.CASE_TERMS_INVALID)


def enact(book: "Base", terms: str | Path, reason: str) -> str:
    """Puts a file, or the shipped terms of that name, in force and returns the digest; raises Refused as it reads."""
    document, where = read_document(terms, Path(__file__).parent, Refusal.CASE_TERMS_INVALID)
    return dated_terms.enact(
        book, "case terms", document, read_terms(document, where), case_terms_stream, CaseTermsEnacted, reason
    )


def terms_of(reader: "Reader") -> list[Terms]:
    """Returns the terms enacted, the earliest first day first."""
    return enacted(reader, "case-terms", CaseTermsEnacted, read_terms)


def terms_on(held: list[Terms], on: int) -> Terms:
    """Returns the terms in force on a day; refused (case_terms_missing) where there are none."""
    day = day_of(on)
    found = [each for each in held if each.begin <= day]
    if not found:
        raise Refused(
            Refusal.CASE_TERMS_MISSING,
            f"expected terms of cases in force on {on}, got none: `settlement case terms national-2021`",
        )
    return found[-1]


def day_of(on: int) -> date:
    """Returns yyyymmdd as a date; raises Refused (bad_date) where it is none."""
    try:
        return date_of(on)
    except ValueError:
        raise Refused(Refusal.BAD_DATE, f"expected a day as yyyymmdd, got {on}") from None
