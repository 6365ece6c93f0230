"""Compares totals first: ours by insurance type against the counterpart's totals file (message 3201) or its rows' sums.

A totals file has one row an insurance type, or several (by ``clr_type`` or ``setl_optins``): those of one insurance
type are added up, as the clearing type is not kept here.
"""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from ledger.money import fen_from_text
from ledger.profile import Profile
from ledger.reconciling.scope import Scope
from ledger.reconciling.sides import NUMBER, TOTALS, Side
from ledger.refusals import Refusal, Refused, SourceError

#: The column that counts claims; a file that has it and no ``setl_id`` is a totals file.
COUNT = "fixmedins_setl_cnt"
REQUIRED = (COUNT, *TOTALS[1:])

#: Totals by insurance type (0 where the file does not say).
ByType = dict[int, tuple[int, ...]]


class TotalsLine(msgspec.Struct, frozen=True):
    """Is one line of the totals check: an insurance type (0: all), each side's claims and fen, and whether they agree.

    ``theirs`` are what the totals file states, or the sums of the rows where there is none.
    """

    insutype: int
    ours: dict[str, int]
    theirs: dict[str, int]
    agrees: bool


class TotalsFile(msgspec.Struct, frozen=True):
    """Is a totals file as read: totals by insurance type, REFD_SETL_FLAG (None: it has none), and its digest."""

    by_type: ByType
    refunds: bool | None
    typed: bool
    digest: bytes


def is_totals(header: list[str]) -> bool:
    """Returns whether a file with these national columns holds totals and no details."""
    return COUNT in header and "setl_id" not in header


def read_totals(path: Path, profile: Profile, scope: Scope) -> TotalsFile:
    """Returns a totals file; raises SourceError naming row and column, Refused where it is of another time."""
    by_type: ByType = {}
    flags: set[str] = set()
    typed = False
    for number, row in _rows(path, profile):
        typed = "insutype" in row
        insutype = _count(path, number, "insutype", row["insutype"]) if typed else 0
        _check_time(path, number, row, scope)
        flags.add(row.get("refd_setl_flag", ""))
        values = [_count(path, number, COUNT, row[COUNT])]
        values += [_fen(path, number, name, row[name]) for name in TOTALS[1:]]
        before = by_type.get(insutype, (0,) * len(TOTALS))
        by_type[insutype] = tuple(a + b for a, b in zip(before, values, strict=True))
    if len(flags) > 1 or flags - {"", "0", "1"}:
        raise SourceError(f"{path}: refd_setl_flag: expected 0 or 1 in every row, got {', '.join(sorted(flags))}")
    refunds = None if flags <= {""} else flags == {"1"}
    return TotalsFile(by_type, refunds, typed, hashlib.sha256(path.read_bytes()).digest()[:16])


def by_type(side: Side, typed: bool) -> ByType:
    """Returns a side's totals by insurance type, or under 0 where they are not asked apart."""
    kinds = side.numbers[:, NUMBER["insutype"]] if typed else np.zeros(len(side), np.int64)
    return side.totals(kinds)


def lines(ours: ByType, theirs: ByType) -> list[TotalsLine]:
    """Returns the totals of both sides line by line, by insurance type."""
    nothing = (0,) * len(TOTALS)
    pairs = [(insutype, ours.get(insutype, nothing), theirs.get(insutype, nothing)) for insutype in ours | theirs]
    return [
        TotalsLine(insutype, dict(zip(TOTALS, a, strict=True)), dict(zip(TOTALS, b, strict=True)), a == b)
        for insutype, a, b in sorted(pairs)
    ]


def summed(totals: ByType) -> tuple[int, ...]:
    """Returns totals over all insurance types."""
    return tuple(sum(column) for column in zip(*totals.values(), (0,) * len(TOTALS), strict=True))


def _rows(path: Path, profile: Profile) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig" if profile.encoding == "utf-8" else profile.encoding)
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: expected text in {profile.encoding}, got: {error.reason}") from error
    records = [row for row in csv.reader(text.splitlines(), delimiter=profile.delimiter) if row]
    header = [profile.columns.get(name, name) for name in records[0]] if records else []
    if missing := [name for name in REQUIRED if name not in header]:
        raise SourceError(f"{path}: expected the columns {', '.join(missing)} in the header, got {', '.join(header)}")
    for number, cells in enumerate(records[1:], 1):
        if len(cells) != len(header):
            raise SourceError(f"{path}, row {number}: expected {len(header)} cells, got {len(cells)}")
        yield number, dict(zip(header, map(str.strip, cells), strict=True))


def _count(path: Path, number: int, name: str, text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 12):
        raise SourceError(f"{path}, row {number}: {name}: expected a whole number, got {text!r}")
    return int(text)


def _fen(path: Path, number: int, name: str, text: str) -> int:
    try:
        return fen_from_text(text)
    except ValueError as error:
        raise SourceError(f"{path}, row {number}: {name}: {error}") from None


def _check_time(path: Path, number: int, row: dict[str, str], scope: Scope) -> None:
    for name in ("stmt_begndate", "stmt_enddate"):
        day = row.get(name, "")[:10].replace("-", "")
        wanted = str(scope.day or scope.period)
        if day and not day.startswith(wanted):
            raise Refused(
                Refusal.BAD_VALUE, f"{path}, row {number}: {name}: expected a day of {wanted}, got {row[name]!r}"
            )
