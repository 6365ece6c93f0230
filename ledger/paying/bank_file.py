"""Writes a bank batch file by a profile and reads the return file (回盘) that answers it.

A file is a pure function of the event that issued it, so it is written again byte for byte. Every row carries a
reference, batch number and row, by which the bank knows a file sent twice and the return file names the row.
"""

import csv
import io
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from ledger.file_kinds import bytes_found, document_at, rather
from ledger.money import fen_from_text, yuan_text
from ledger.paying.events import BankBatchIssued
from ledger.refusals import Refusal, Refused

SOURCES = ("reference", "payee", "name", "bank", "account", "amount", "memo", "payment", "attempt")
Outcome = Literal["accepted", "failed", "returned"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "failed", "returned")
#: Digits of a batch number and of a row in it, as a reference has them.
DIGITS = 6


class ReturnColumns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is what the return file's columns are called; ``status_of`` holds the bank's words for each outcome."""

    reference: str
    amount: str
    status: str
    receipt: str
    reason: str
    status_of: dict[Outcome, tuple[str, ...]]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Is how one bank writes its files."""

    name: str
    file: dict[str, str]
    returned: ReturnColumns = msgspec.field(name="return")
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    amount: Literal["yuan", "fen"] = "yuan"
    account: Literal["required", "optional"] = "required"
    limit: Annotated[int, msgspec.Meta(ge=1, le=10**DIGITS - 1)] = 5_000

    @cached_property
    def outcomes(self) -> Mapping[str, str]:
        """Returns the bank's word → outcome."""
        return {word: outcome for outcome, words in self.returned.status_of.items() for word in words}


class ReturnRow(NamedTuple):
    """Is one row of a return file; ``fault`` says in words what could not be read of it, else it is empty."""

    row: int
    reference: str
    outcome: str
    amount_fen: int
    receipt: str
    reason: str
    fault: str


def profile_document(named: str | Path) -> str:
    """Returns a profile's document: a shipped one by its name, any other by its path."""
    shipped = files("ledger.paying.profiles").joinpath(f"{named}.toml")
    if Path(str(named)).name == str(named) and shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    try:
        return document_at(named, Refusal.BANK_PROFILE_INVALID)
    except FileNotFoundError:
        text = f"expected the name of a shipped bank profile (bank) or the path of one, got {str(named)!r}"
        raise Refused(Refusal.BANK_PROFILE_INVALID, text) from None


def read_profile(document: str, where: str) -> Profile:
    """Returns the profile of a document; raises Refused (BANK_PROFILE_INVALID) naming file, key, expected and got."""
    try:
        profile = msgspec.convert(tomllib.loads(document), Profile)
        sources = list(profile.file.values())
        for heading, source in profile.file.items():
            if source not in SOURCES:
                raise ValueError(f"file.{heading}: expected one of {', '.join(SOURCES)}, got {source!r}")
        for needed in ("reference", "amount"):
            if needed not in sources:
                raise ValueError(f"file: expected a column of {needed}, got {', '.join(sources) or 'none'}")
        words = [word for group in profile.returned.status_of.values() for word in group]
        if missing := [name for name in OUTCOMES if not profile.returned.status_of.get(name)]:
            raise ValueError(f"return.status_of: expected words for {', '.join(missing)}, got none")
        if len(words) != len(set(words)):
            raise ValueError(f"return.status_of: expected each word under one outcome, got {', '.join(words)}")
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        text = f"{where}: {error}: see ledger/paying/profiles/bank.toml"
        raise Refused(Refusal.BANK_PROFILE_INVALID, text) from None
    return profile


def reference_of(number: int, row: int) -> str:
    """Returns the reference of a batch's row (from 1)."""
    return f"{number:0{DIGITS}d}{row:0{DIGITS}d}"


def place_of(reference: str) -> tuple[int, int] | None:
    """Returns (batch number, row) of a reference, None where it is none."""
    if len(reference) != 2 * DIGITS or not (reference.isascii() and reference.isdecimal()):
        return None
    return int(reference[:DIGITS]), int(reference[DIGITS:])


def render(event: BankBatchIssued) -> bytes:
    """Returns the batch file that an event issued: the same bytes whenever it is asked for."""
    profile = read_profile(event.profile, f"batch {event.number}")
    out = io.StringIO()
    writer = csv.writer(out, delimiter=profile.delimiter, lineterminator="\r\n")
    writer.writerow(profile.file)
    for row, (payment, attempt, amount_fen, payee, name, bank, account) in enumerate(event.payments, 1):
        cells = {
            "reference": reference_of(event.number, row),
            "payee": payee,
            "name": name,
            "bank": bank,
            "account": account,
            "amount": yuan_text(amount_fen) if profile.amount == "yuan" else str(amount_fen),
            "memo": f"{event.period} {payment}",
            "payment": payment,
            "attempt": str(attempt),
        }
        writer.writerow([cells[source] for source in profile.file.values()])
    return out.getvalue().encode(profile.encoding)


def read_return(content: bytes, profile: Profile, where: str) -> Iterator[ReturnRow]:
    """Yields the rows of a return file; raises Refused (ROW_SHAPE, NOT_UTF8) where it is no such file at all."""
    try:
        text = content.decode(profile.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Refused(
            Refusal.NOT_UTF8,
            f"{where}: expected {profile.encoding} text, got at byte {error.start}: {bytes_found(content)}",
        ) from None
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=profile.delimiter)
    header = next(rows, [])
    columns = profile.returned
    names = (columns.reference, columns.amount, columns.status, columns.receipt, columns.reason)
    if missing := [name for name in names if name not in header]:
        raise Refused(
            Refusal.ROW_SHAPE,
            f"{where}: expected columns {', '.join(missing)}, got {', '.join(header) or 'none'}{rather(header)}",
        )
    at = [header.index(name) for name in names]
    for number, cells in enumerate(rows, 1):
        if len(cells) != len(header):
            text = f"expected {len(header)} cells, got {len(cells)}"
            yield ReturnRow(number, "", "", 0, "", "", text)
            continue
        reference, amount, status, receipt, reason = (cells[column].strip() for column in at)
        fault = "" if status in profile.outcomes else f"expected one of {', '.join(profile.outcomes)}, got {status!r}"
        amount_fen = 0
        try:
            amount_fen = fen_from_text(amount if profile.amount == "yuan" else _fen_as_yuan(amount))
        except ValueError as error:
            fault = fault or str(error)
        yield ReturnRow(number, reference, profile.outcomes.get(status, ""), amount_fen, receipt, reason, fault)


def _fen_as_yuan(text: str) -> str:
    """Returns whole fen as yuan text; raises ValueError for other text."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"expected an amount in fen, got {text!r}")
    return yuan_text(int(text))
