"""Asks balances and statements on three axes: recorded time, date of service, policy version."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import ledger
from console import output
from console.failures import UserError
from console.options import Day, Options
from console.output import count

if TYPE_CHECKING:
    from ledger.axes.asking import Repriced
    from projections.reader import Projections

ServedTo = Annotated[
    Day | None,
    Parameter(
        help="Only claims whose service ended by this day (YYYY-MM-DD); payments and cases, no services, are left out."
    ),
]
UnderPolicy = Annotated[
    str | None,
    Parameter(
        help="Priced under this policy: a file, a shipped name, or the beginning of an enacted document's digest;"
        " it stands in for the regions under a document of its name."
    ),
]
EnactedTo = Annotated[
    str | None,
    Parameter(
        help="Priced under what was enacted for each region up to a log position or a moment, whenever claims came in."
    ),
]


@dataclass
class Axes:
    """Is where a question stands on each axis; ``repriced`` has the changes and, once they are read, the counts."""

    as_of: int | datetime | None
    served_to: int | None
    repriced: "Repriced | None"

    @property
    def arguments(self) -> dict[str, Any]:
        """Returns the arguments that ``Projections.balances`` and ``statement`` take."""
        changes = None if self.repriced is None else self.repriced.changes
        return {"as_of": self.as_of, "served_to": self.served_to, "changes": changes}

    def said(self) -> dict[str, Any]:
        """Returns the axes as JSON values, beside the position; nothing where only the position was asked about."""
        found: dict[str, Any] = {}
        if self.served_to is not None:
            found["served_to"] = self.served_to
        if self.repriced is not None:
            counts = self.repriced.counts
            found["policies"] = {f"{region:06d}": each.hex() for region, each in sorted(self.repriced.instead.items())}
            found |= {name: getattr(counts, name) for name in counts.__slots__}
        return found

    def remark(self) -> None:
        """Prints what a reader must know of the axes beside the figures."""
        if self.served_to is not None:
            day = f"{self.served_to // 10_000:04d}-{self.served_to // 100 % 100:02d}-{self.served_to % 100:02d}"
            output.print_line(f"claims served up to {day} alone; payments, cases and openings are left out")
        if self.repriced is None:
            return
        under: dict[str, list[str]] = {}
        for region, digest in sorted(self.repriced.instead.items()):
            under.setdefault(digest.hex(), []).append(f"{region:06d}")
        for name, regions in under.items():
            shown = ", ".join(regions[:8]) + (f" and {len(regions) - 8} more" if len(regions) > 8 else "")
            output.print_line(f"priced under {name or 'no policy (none was in force)'}: {shown}")
        counts = self.repriced.counts
        output.print_line(f"{count(counts.changed)} acts changed, of {count(counts.acts)} asked about")
        for number, what in (
            (counts.unpriced, "have no rule there and count as nothing"),
            (counts.by_source, "were settled by their source: no policy changes those"),
            (counts.anew, "corrections fall away: their claims are priced anew here"),
        ):
            if number:
                output.print_line(f"{count(number)} {what}")


@contextmanager
def asked(
    read: "Projections",
    options: Options,
    as_of: str | None,
    served_to: int | None,
    under_policy: str | None,
    enacted_to: str | None,
) -> Iterator[Axes]:
    """Yields the axes asked about; raises UserError where a text is no place on its axis."""
    if under_policy is not None and enacted_to is not None:
        raise UserError("usage", "expected --under-policy or --enacted-to, got both: each is a policy version")
    at = None if as_of is None else place("--as-of", as_of)
    if under_policy is None and enacted_to is None:
        yield Axes(at, served_to, None)
        return
    stop = None if at is None else position(read, "--as-of", at)
    enacted = None if enacted_to is None else position(read, "--enacted-to", place("--enacted-to", enacted_to))
    with (
        ledger.open(options.store, actor=options.who, segments=options.segments) as book,
        output.progress("price", None) as done,
        book.priced(under_policy, enacted_to=enacted, position=stop, progress=done) as repriced,
    ):
        yield Axes(repriced.position, served_to, repriced)


def place(option: str, text: str) -> int | datetime:
    """Returns a log position or a moment; raises UserError with what was expected."""
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            "usage", f"{option}: expected a position or a moment such as 2024-02-05T18:00:00+08:00, got {text!r}"
        ) from None


def position(read: "Projections", option: str, at: int | datetime) -> int:
    """Returns the log position that stands for a place on the axis of recorded time; raises UserError."""
    try:
        return read.position(at)
    except ValueError as error:
        raise UserError("usage", f"{option}: {error}") from error
