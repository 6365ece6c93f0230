"""Reads register files: CSV whose header says what they register, every error with row, column, expected and got."""

import csv
import datetime
import hashlib
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ledger.events import Event
from ledger.file_kinds import bytes_found, rather
from ledger.refusals import LedgerError

Value = TypeVar("Value")

Row = dict[str, str]
Headed = tuple[str, int, Event]

#: What a header must hold, and what it may, by the kind of register; kinds are told apart in this order.
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "members": (
        ("psn_no", "psn_name", "insu_admdvs", "insutype", "psn_type", "assist_class"),
        ("from", "status", "enrolled", "birth", "enrolment_class", "account_balance", "acc_year"),
    ),
    "enrolment rules": (
        ("region", "insutype", "from", "newborn_days", "on_time_until", "late_months", "exempt_classes"),
        (),
    ),
    "entitlements": (("psn_no", "disease", "from", "to"), ()),
    "visits": (("psn_no", "mdtrt_id", "from"), ()),
    "filings": (("psn_no", "type", "region", "from", "to"), ()),
    "institutions": (
        ("fixmedins_code",),
        (
            "fixmedins_name",
            "region",
            "hosp_lv",
            "capabilities",
            "from",
            "status",
            "settlement_grade",
            "bank_account",
            "reason",
        ),
    ),
    "balances": (("account", "amount"), ()),
    "drug caps": (("med_list_codg", "window", "maximum", "from", "to"), ()),
    "groupings": (("insured_region", "setl_id", "group"), ("weight",)),
    "price caps": (("med_list_codg", "pric_uplmt_amt", "from", "to"), ()),
    "persons": (("psn_no", "gend", "brdy"), ("die_date",)),
    "manual claims": (("setl_id", "insu_admdvs", "applied"), ()),
}


class RegisterError(LedgerError):
    """Is a register file that cannot be taken in: file, row, column, expected, got."""


class RegisterFile:
    """Is a register file open for reading: what it holds, and where an error in it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RegisterError(f"{path.name}: expected UTF-8 text, got {bytes_found(content)}") from None
        self.digest = hashlib.sha256(content).digest()[:16]
        try:
            rows = list(csv.reader(io.StringIO(text, newline="")))
        except csv.Error as error:
            raise RegisterError(
                f"{path.name}: expected CSV cells of at most 131,072 characters, got: {error}"
            ) from None
        if not rows:
            raise RegisterError(f"{path.name}: expected a header, got an empty file")
        self.header = rows[0]
        self.rows = rows[1:]
        self.kind = self._kind()

    def _kind(self) -> str:
        """Returns what the header says the file registers."""
        other = rather(self.header)
        if other and "settlement register" not in other:
            self._refuse("the columns of a register", f"{', '.join(self.header)}{other}")
        for kind, (needed, optional) in COLUMNS.items():
            if set(needed) <= set(self.header):
                known = {*needed, *optional}
                unknown = [name for name in self.header if name not in known and not name.startswith("acc_")]
                if unknown:
                    self._refuse(f"columns of {kind} ({', '.join((*needed, *optional))})", ", ".join(unknown))
                if len(set(self.header)) != len(self.header):
                    self._refuse("each column once", ",".join(self.header))
                return kind
        expected = "; ".join(f"{','.join(needed)} ({kind})" for kind, (needed, _) in COLUMNS.items())
        raise RegisterError(f"{self.path.name}: expected a header with {expected}, got {','.join(self.header)}")

    def _refuse(self, expected: str, got: str) -> None:
        raise RegisterError(f"{self.path.name}: expected {expected}, got {got}")

    def records(self) -> Iterator[tuple[int, Row]]:
        """Yields (row from 1, cells by column)."""
        for number, cells in enumerate(self.rows, 1):
            if not cells:
                continue
            if len(cells) != len(self.header):
                raise RegisterError(
                    f"{self.path.name} row {number}: expected {len(self.header)} cells, got {len(cells)}"
                )
            yield number, dict(zip(self.header, cells, strict=True))

    def read(self, number: int, row: Row, column: str, expected: str, parse: Callable[[str], int]) -> int:
        """Returns a cell parsed, an absent column as an empty cell; raises RegisterError that says where."""
        text = row.get(column, "")
        try:
            return parse(text)
        except ValueError:
            raise self.error(number, column, expected, text) from None

    def text(self, number: int, row: Row, column: str, longest: int = 64) -> str:
        """Returns a cell of text that must be there, printable and at most ``longest`` characters."""
        text = row.get(column, "")
        if not text or len(text) > longest or not text.isprintable():
            raise self.error(number, column, f"1 to {longest} printable characters", text)
        return text

    def choice(self, number: int, row: Row, column: str, known: dict[str, int], default: int) -> int:
        """Returns what a cell's word stands for, ``default`` where it is empty or its column is absent."""
        text = row.get(column, "")
        if not text:
            return default
        if text not in known:
            raise self.error(number, column, f"one of {', '.join(filter(None, known))}, or nothing", text)
        return known[text]

    def span(self, number: int, row: Row) -> tuple[int, int]:
        """Returns (from, to) as days, ``to`` 0 where the cell is empty; one that ends before it begins is refused."""
        begin = self.read(number, row, "from", DAY, day)
        to = self.read(number, row, "to", DAY_OR_NOTHING, day_or_nothing)
        if to and to < begin:
            raise self.error(number, "to", f"{row['from']} or a later day, or nothing", row["to"])
        return begin, to

    def error(self, number: int, column: str, expected: str, got: str) -> RegisterError:
        """Returns the error that names a cell."""
        return RegisterError(f"{self.path.name} row {number}, {column}: expected {expected}, got {got!r}")


DAY = "a day as YYYY-MM-DD"
DAY_OR_NOTHING = "a day as YYYY-MM-DD, or nothing"
REGION = "a six-digit code"


def day(text: str) -> int:
    """Returns a day as yyyymmdd; raises ValueError for another text."""
    if len(text) != 10:
        raise ValueError(text)
    return int(datetime.date.fromisoformat(text).strftime("%Y%m%d"))


def day_or_nothing(text: str) -> int:
    """Returns a day as yyyymmdd, 0 for no text."""
    return day(text) if text else 0


def code(text: str) -> int:
    """Returns the integer of a code's digits, at most twelve."""
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise ValueError(text)
    return int(text)


def region(text: str) -> int:
    """Returns a six-digit region code."""
    if len(text) != 6:
        raise ValueError(text)
    return code(text)


def date_of(number: int) -> datetime.date:
    """Returns the date of a day yyyymmdd."""
    return datetime.date(number // 10_000, number // 100 % 100, number % 100)


def number_of(date: datetime.date) -> int:
    """Returns a date as yyyymmdd."""
    return date.year * 10_000 + date.month * 100 + date.day


def value_on(history: Mapping[int, Value], on: int) -> Value | None:
    """Returns which of dated values, each by the day it holds from, holds on a day; None before the first."""
    days = sorted(history)
    at = bisect_right(days, on)
    return history[days[at - 1]] if at else None


def day_before(number: int) -> int:
    """Returns the day before a day."""
    return number_of(date_of(number) - datetime.timedelta(days=1))


def day_after(number: int) -> int:
    """Returns the day after a day."""
    return number_of(date_of(number) + datetime.timedelta(days=1))
