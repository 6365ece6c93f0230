"""Defines the options that every command takes, and the texts of argv that are more than a string."""

import datetime
import errno
import getpass
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from console.failures import UserError
from ledger.money import fen_from_text
from ledger.quarantine import check_place


@Parameter(name="*", group="Options of every command")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """Is who asks, why, and how the answer is to look."""

    actor: str = ""
    """Who asks, as the log records it; the operating system's user by default."""

    reason: str = ""
    """Why, as the log records it."""

    json: bool = False
    """Print JSON on stdout; amounts are integers of fen."""

    @property
    def who(self) -> str:
        """Returns the actor to record; raises UserError where the system names no user."""
        if self.actor:
            return self.actor
        try:
            return getpass.getuser()
        except (KeyError, OSError, ImportError):
            raise UserError("usage", "expected --actor, as the operating system names no user") from None

    def why(self, verb: str) -> str:
        """Returns the reason, for a verb that is never recorded without one; raises UserError."""
        if not self.reason.strip():
            raise UserError("usage", f"{verb} expects --reason TEXT: the log records why")
        return self.reason


@Parameter(name="*", group="Options of every command")
@dataclass(frozen=True, kw_only=True)
class Options(Asked):
    """Is what every command accepts that works on a store."""

    store: Annotated[str, Parameter(env_var="SETTLEMENT_STORE")] = "sqlite:///ledger.db"
    """Where the ledger is: sqlite:///file.db or postgresql://user@host/database."""

    segments: Annotated[Path | None, Parameter(env_var="SETTLEMENT_SEGMENTS")] = None
    """Where sealed segments are; beside the file of a SQLite store by default, needed on PostgreSQL to seal."""

    @property
    def shown_store(self) -> str:
        """Returns the store's URL without a password, fit for a screen."""
        return without_password(self.store)


NO_OPTIONS = Options()
NOT_ASKED = Asked()


def without_password(url: str) -> str:
    """Returns a store's URL with its password hidden, wherever it stands."""
    hidden = re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", hidden)


def _period(_: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    found = re.fullmatch(r"(\d{4})-?(\d{2})", text)
    if found is None or not 1 <= int(found[2]) <= 12:
        raise ValueError(f"expected a month such as 202401, got {text!r}")
    return int(found[1] + found[2])


def _year(_: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    if not re.fullmatch(r"[1-9]\d{3}", text):
        raise ValueError(f"expected a year such as 2024, got {text!r}")
    return int(text)


def day_from_text(text: str) -> int:
    """Returns YYYY-MM-DD as yyyymmdd; raises ValueError."""
    try:
        return int(datetime.date.fromisoformat(text).strftime("%Y%m%d"))
    except ValueError:
        raise ValueError(f"expected a day such as 2024-01-01, got {text!r}") from None


def _day(_: Any, tokens: Sequence[Token]) -> int:
    return day_from_text(tokens[0].value)


def _day_or_none(_: Any, tokens: Sequence[Token]) -> int:
    return 0 if tokens[0].value == "0" else day_from_text(tokens[0].value)


def _amount(_: Any, tokens: Sequence[Token]) -> int:
    return fen_from_text(tokens[0].value.replace(",", ""))


def _region(text: str) -> int:
    if not re.fullmatch(r"\d{6}", text):
        raise ValueError(f"expected a six-digit region code such as 440100, got {text!r}")
    return int(text)


def _regions(_: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    return tuple(_region(part) for token in tokens for part in token.value.split(",") if part)


def _one_region(_: Any, tokens: Sequence[Token]) -> int:
    return _region(tokens[0].value)


def whole(least: int, most: int) -> Parameter:
    """Returns how a whole number from ``least`` to ``most`` is read; another is refused by name of its option."""

    def read(_: Any, tokens: Sequence[Token]) -> int:
        text = tokens[0].value
        if not re.fullmatch(r"[+-]?\d{1,20}", text) or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least:,} to {most:,}, got {text!r}")
        return int(text)

    return Parameter(converter=read)


def check_order(begin: int, to: int) -> None:
    """Raises UserError where a range ends before it begins."""
    if to < begin:
        raise UserError("usage", f"--to: expected {begin}, as --begin says, or later, got {to}")


def check_new(path: Path | None, what: str, option: str) -> None:
    """Refuses a file that is there already or cannot be written, before any work is done for it.

    ``what`` goes there, ``option`` names another place. Raises FileExistsError, Refused.
    """
    if path is None:
        return
    if path.exists() or path.is_symlink():
        raise FileExistsError(errno.EEXIST, "", str(path))
    check_place(path, what, option)


Period = Annotated[int, Parameter(converter=_period)]
Year = Annotated[int, Parameter(converter=_year)]
Day = Annotated[int, Parameter(converter=_day)]
DayOrNone = Annotated[int, Parameter(converter=_day_or_none)]
Amount = Annotated[int, Parameter(converter=_amount)]
Region = Annotated[int, Parameter(converter=_one_region)]
Position = Annotated[int, whole(0, 2**63 - 1)]
AtLeastZero = Annotated[int, whole(0, 1_000_000_000)]
AtLeastOne = Annotated[int, whole(1, 1_000_000_000)]
Regions = Annotated[tuple[int, ...], Parameter(converter=_regions, consume_multiple=True)]

# What several commands take in the same words.
Case = Annotated[str, Parameter(help="The number of the case.")]
Claim = Annotated[
    str,
    Parameter(
        help="The claim as REGION/SETL_ID (insured region, settlement number), or SETL_ID where only one region has it."
    ),
]
AmountIn = Annotated[Amount, Parameter(help="What came in, in yuan.")]
ReceiptIn = Annotated[str, Parameter(help="The receipt that brought it.")]
ClearingPeriod = Annotated[Period, Parameter(help="The clearing period, as yyyymm.")]
PeriodReviewed = Annotated[Period, Parameter(help="The clearing period (YYYYMM).")]
OnDay = Annotated[Day, Parameter(help="The day (YYYY-MM-DD), today by default.")]


def options_last(tokens: Sequence[str]) -> list[str]:
    """Returns argv with the options of every command that stand before the command moved behind it.

    So ``settlement --store URL balances`` reads as ``settlement balances --store URL``.
    """
    leading: list[str] = []
    rest = list(tokens)
    while rest and rest[0].startswith("--"):
        if rest[0] == "--json" or rest[0].startswith(("--store=", "--actor=", "--reason=")):
            leading += [rest.pop(0)]
        elif rest[0] in ("--store", "--actor", "--reason") and len(rest) > 1:
            leading += [rest.pop(0), rest.pop(0)]
        else:
            break
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *leading, *rest[end:]]
