"""Turns a comparison into breaks: for each row that does not stand alike, what each side says, and what is at stake."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ABSENT
from ledger.acts import build_acts
from ledger.events import ClaimReversed
from ledger.keys import claim_stream
from ledger.lookup import CLAIM_REGIONS
from ledger.reconciling.comparing import Comparison, differences, named
from ledger.reconciling.events import (
    DIFFERS,
    DUPLICATE,
    MISSING_HERE,
    MISSING_THERE,
    OTHER_PERIOD,
    UNREADABLE,
    BreakFound,
)
from ledger.reconciling.scope import MOMENT_OF_DAY, Int64s, Scope
from ledger.reconciling.sides import NUMBER, Side, side_of

if TYPE_CHECKING:
    from ledger.store import Reader

#: Streams a look-up: how many unmatched rows are asked for at a time.
CHUNK = 4_096


@dataclass(frozen=True, slots=True)
class Seen:
    """Is a break as one run sees it: what was found (its ``cause`` still 0), and the rows it shows in.

    ``rows`` are those of their file (none: they do not have it), ``ours`` the row of our side (-1: none).
    """

    found: BreakFound
    rows: tuple[int, ...]
    ours: int


@dataclass(frozen=True, slots=True)
class Finder:
    """Holds what breaks are made of: both sides, how they compare, what else is booked here, the file's columns."""

    scope: Scope
    digest: bytes
    ours: Side
    theirs: Side
    comparison: Comparison
    elsewhere: Side
    elsewhere_of: dict[int, int]
    columns: Sequence[str]

    def breaks(self) -> Iterator[Seen]:
        """Yields every break: their rows in order of the file, then our rows that they do not have, in log order."""
        comparison = self.comparison
        suspect = comparison.leading & ((comparison.met < 0) | (comparison.differing != 0) | ~comparison.readable)
        copies: dict[int, list[int]] = {}
        for row in comparison.repeated.tolist():
            copies.setdefault(int(comparison.first[row]), []).append(row)
        for row in sorted({*np.flatnonzero(suspect).tolist(), *copies}):
            if suspect[row]:
                yield self._suspect(row)
            if row in copies:
                yield self._repeated(row, copies[row])
        for row in comparison.alone.tolist():
            yield Seen(self._found(MISSING_THERE, -1, self.ours, row), (), row)

    def _suspect(self, row: int) -> Seen:
        met, rows = int(self.comparison.met[row]), (int(self.theirs.row[row]),)
        if not self.comparison.readable[row]:
            field = int(self.theirs.field[row])
            name = self.columns[field] if field >= 0 else ""
            return Seen(self._found(UNREADABLE, row, self.ours, met, texts=((name, "", ""),)), rows, met)
        if met >= 0:
            mask = int(self.comparison.differing[row])
            return Seen(self._found(DIFFERS, row, self.ours, met, mask), rows, met)
        other = self.elsewhere_of.get(row, -1)
        if other < 0:
            return Seen(self._found(MISSING_HERE, row, self.ours, -1), rows, -1)
        mask = int(differences(self.elsewhere, self.theirs, np.array([other]), np.array([row]))[0])
        if int(self.elsewhere.period[other]) != self.scope.period:
            return Seen(self._found(OTHER_PERIOD, row, self.elsewhere, other, mask), rows, -1)
        where = () if mask else (self._why_not_asked(other),)
        return Seen(self._found(DIFFERS, row, self.elsewhere, other, mask, where), rows, -1)

    def _why_not_asked(self, other: int) -> tuple[str, str, str]:
        """Returns why a claim that is booked alike is not among those asked about: another day's, else another's."""
        day = int(self.elsewhere.numbers[other, NUMBER["setl_time"]]) // MOMENT_OF_DAY
        if self.scope.day and day != self.scope.day:
            return "setl_time", str(day), str(self.scope.day)
        return "counterpart", "", self.scope.counterpart

    def _repeated(self, row: int, again: Sequence[int]) -> Seen:
        met = int(self.comparison.met[row])
        found = self._found(DUPLICATE, row, self.ours, met, copies=len(again), rows=again)
        return Seen(found, tuple(self.theirs.row[list(again)].tolist()), met)

    def _found(
        self,
        kind: int,
        row: int,
        ours: Side,
        mine: int,
        mask: int = 0,
        texts: tuple[tuple[str, str, str], ...] = (),
        copies: int = 0,
        rows: Sequence[int] = (),
    ) -> BreakFound:
        theirs, scope = self.theirs, self.scope
        numbers, words = named(mask)
        shown = (theirs, row) if row >= 0 else (ours, mine)
        moment = int(shown[0].numbers[shown[1], NUMBER["setl_time"]])
        if moment == ABSENT and mine >= 0:
            moment = int(ours.numbers[mine, NUMBER["setl_time"]])
        own = mine >= 0 and kind in (MISSING_THERE, DIFFERS, UNREADABLE)
        return BreakFound(
            cause=0,
            row=int(theirs.row[rows[0] if rows else row]) if row >= 0 else 0,
            period=scope.period,
            day=0 if moment == ABSENT else moment // MOMENT_OF_DAY,
            counterpart=scope.counterpart,
            own=scope.own,
            role=scope.role,
            kind=kind,
            insured_region=int(ours.codes[mine]) if mine >= 0 else int(theirs.codes[row]),
            setl_id=shown[0].key(shown[1]),
            refund=int(shown[0].refund[shown[1]]),
            ours_fen=_due(ours, mine) if own else 0,
            theirs_fen=sum(_due(theirs, at) for at in (rows or [row])) if row >= 0 else 0,
            booked_period=int(ours.period[mine]) if mine >= 0 else 0,
            copies=copies,
            fields=tuple(
                (name, int(ours.numbers[mine, NUMBER[name]]), int(theirs.numbers[row, NUMBER[name]]))
                for name in numbers
            ),
            texts=(*texts, *((name, ours.text(name, mine), theirs.text(name, row)) for name in words)),
            digest=self.digest,
        )


def _due(side: Side, row: int) -> int:
    values = (int(side.numbers[row, NUMBER[name]]) for name in ("fund_pay_sumamt", "acct_pay"))
    return sum(value for value in values if value != ABSENT)


def booked_elsewhere(reader: "Reader", theirs: Side, rows: Int64s) -> tuple[Side, dict[int, int]]:
    """Returns (acts, row → act) of their rows that stand here outside what was compared.

    A row that names no region is looked for in every region that has claims, and found where one alone has it.
    """
    regions = [int(row[0]) for row in reader.query(CLAIM_REGIONS)] if (theirs.codes[rows] == 0).any() else []
    asked: dict[str, int] = {}
    for row in rows.tolist():
        for region in regions if theirs.codes[row] == 0 else [int(theirs.codes[row])]:
            asked[claim_stream(region, theirs.key(row))] = row
    streams = list(asked)
    at: dict[int, list[int]] = {}
    for start in range(0, len(streams), CHUNK):
        for stream, (position, _) in reader.first_events(streams[start : start + CHUNK]).items():
            at.setdefault(asked[stream], []).append(position)
    single = {row: found[0] for row, found in at.items() if len(found) == 1}
    positions = sorted(single.values())
    events = reader.events_at([place for position in positions for place in (position, position + 1)])
    filed = [events[position][3] for position in positions]
    decided = [events[position + 1] for position in positions]
    reversed_ = np.array([topic == ClaimReversed.TOPIC for _, _, topic, _ in decided], np.bool_)
    claims = np.array(positions, np.int64)
    acts = build_acts(claims, filed, [state for _, _, _, state in decided], reversed_)
    places = {position: at for at, position in enumerate(positions)}
    return side_of(acts, np.arange(len(acts))), {row: places[position] for row, position in single.items()}
