"""Specifies how the cells of one record are read, whatever they are of: texts, codes, days, moments, decimal numbers.

Nothing a cell may hold raises: a record that fails carries faults.
"""

import re
from collections.abc import Mapping
from datetime import date

from core_ext import cells as c

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
#: Control characters, spaces of every width, invisible marks and the comma: nothing a settlement's key may hold.
_NOT_IN_SETL_ID = re.compile(
    "[\x00-\x20,\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]",
)
_DECIMAL = re.compile(rb"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_DATE = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(rb"(.{10})[ T]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])", re.DOTALL)
CODE = re.compile(rb"[0-9]{1,%d}" % c.CODE_DIGITS)


class Row:
    """Collects what one record says and the faults it has."""

    def __init__(self, cells: list[bytes], columns: list[int], places: Mapping[str, int]) -> None:
        """Begins a record; ``columns[places[name]]`` is where its file has a national column, -1 where it has not."""
        self.cells = cells
        self.columns = columns
        self.places = places
        self.faults = 0
        self.lowest = 64
        self.field = -1

    def has(self, name: str) -> bool:
        """Returns whether the file has the column at all."""
        return self.columns[self.places[name]] >= 0

    def cell(self, name: str) -> bytes:
        """Returns the cell of a national column, empty where the file has no such column."""
        at = self.columns[self.places[name]]
        return self.cells[at] if at >= 0 else b""

    def fail(self, fault: int, name: str) -> None:
        """Notes a fault of a national column's cell."""
        self.fail_at(fault, self.columns[self.places[name]])

    def fail_at(self, fault: int, at: int) -> None:
        """Notes a fault of a file column's cell; the lowest fault's leftmost cell is the one to show."""
        self.faults |= 1 << fault
        if (fault, at) < (self.lowest, self.field):
            self.lowest, self.field = fault, at


def is_utf8(cell: bytes) -> bool:
    """Returns whether a cell is text."""
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_setl_id(text: str) -> bool:
    """Returns whether a text can be a settlement's key."""
    return text != "" and _NOT_IN_SETL_ID.search(text) is None


def decimal(cell: bytes, decimals: int, limit: int) -> tuple[int, tuple[int, ...]]:
    """Returns decimal text as an integer of 10**-decimals, and its faults: optional sign, digits, optional point and
    decimals. Decimals beyond the wanted ones count for the range only, where they carry a number over the limit."""
    match = _DECIMAL.fullmatch(cell)
    if match is None:
        return 0, (c.AMOUNT_TEXT,)
    sign, whole, fraction = match[1], match[2].lstrip(b"0"), match[3] or b""
    # No text of more digits than the limit has is within it; so long a text is not even made a number.
    scaled = limit + 1 if len(whole) > 16 else int(whole or b"0") * 10**decimals
    scaled += int(fraction[:decimals].ljust(decimals, b"0"))
    faults = []
    if len(fraction) > decimals:
        faults.append(c.AMOUNT_PRECISION)
    if scaled > limit or (scaled == limit and fraction[decimals:].strip(b"0")):
        faults.append(c.AMOUNT_RANGE)
    if faults:
        return 0, tuple(faults)
    return (-scaled if sign == b"-" else scaled), ()


def day(cell: bytes) -> int:
    """Returns a date ``YYYY-MM-DD`` as the integer yyyymmdd, 0 where the calendar has no such day."""
    match = _DATE.fullmatch(cell)
    if match is None:
        return 0
    year, month, of_month = (int(part) for part in match.groups())
    try:
        date(year, month, of_month)
    except ValueError:
        return 0
    return year * 10000 + month * 100 + of_month


def moment(cell: bytes) -> int:
    """Returns a time ``YYYY-MM-DD HH:MM:SS`` (or with a T) as the integer yyyymmddHHMMSS, 0 where it is none."""
    match = _TIME.fullmatch(cell)
    if match is None or not day(match[1]):
        return 0
    hour, minute, second = (int(part) for part in match.groups()[1:])
    return day(match[1]) * 1000000 + hour * 10000 + minute * 100 + second
