"""Reads what the log has of divided stays, and of the years that a stay would reach into were it divided."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import FACT, padded
from ledger.acts import read_acts
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.keys import YEARS
from ledger.mapper import decode_event
from ledger.replay import read_openings
from ledger.replaying.events import ClaimResettled
from ledger.stays.replaying import counted_parts

if TYPE_CHECKING:
    from ledger.stays.events import StayPartCounted
    from ledger.store import Reader

Ints = NDArray[np.int64]


class Recorded(NamedTuple):
    """Is what a divided stay, its refund or its correction records: its year's start, and the parts in other years."""

    before: list[int]
    parts: "Sequence[StayPartCounted]"
    #: The person-years it moves.
    keys: frozenset[int]


def recorded_stays(reader: "Reader", claims: Sequence[int]) -> dict[int, Recorded]:
    """Returns what divided stays, refunds and corrections of them record, by their ClaimFiled's or own position."""
    if not claims:
        return {}
    counted = counted_parts(reader)
    found = {}
    for claim, (token, event) in decisions(reader, claims).items():
        parts = [part for _, part in counted.get(claim, ())]
        years = [event.year, *(part.year for part in parts)]
        found[claim] = Recorded(padded(event.before), parts, frozenset(token * YEARS + year for year in years))
    return found


def decisions(
    reader: "Reader", acts: Sequence[int]
) -> "dict[int, tuple[int, ClaimSettled | ClaimReversed | ClaimResettled]]":
    """Returns (token, decision) of the acts whose ClaimFiled, or whose ClaimResettled, stand at positions."""
    found: dict[int, tuple[int, ClaimSettled | ClaimReversed | ClaimResettled]] = {}
    if not acts:
        return found
    filed = {at: decode_event(*row[2:]) for at, row in reader.events_at(sorted(set(acts))).items()}
    decided = reader.events_at([at + 1 for at, event in filed.items() if isinstance(event, ClaimFiled)])
    for at, event in filed.items():
        own = event if isinstance(event, ClaimResettled) else decode_event(*decided[at + 1][2:])
        assert isinstance(event, ClaimFiled | ClaimResettled)
        assert isinstance(own, ClaimSettled | ClaimReversed | ClaimResettled)
        found[at] = event.token, own
    return found


def states_before(reader: "Reader", wanted: "Mapping[int, Sequence[int]]") -> dict[int, dict[int, list[int]]]:
    """Returns what person-years held right before claims, by the position of the ClaimFiled and the year.

    ``wanted`` has the keys of the person-years by position. Reads the log up to the last of them, once.
    """
    if not wanted:
        return {}
    keys = np.array(sorted({key for some in wanted.values() for key in some}), np.int64)
    openings = read_openings(reader).accumulators
    moves: list[tuple[int, int, list[int]]] = []
    for position, part in (each for some in counted_parts(reader).values() for each in some):
        after = [a + b for a, b in zip(padded(part.before), padded(part.delta), strict=True)]
        moves.append((position, part.token * YEARS + part.year, after))
    for acts in read_acts(reader, 0, max(wanted)):
        of = acts.facts[:, FACT["token"]] * YEARS + acts.year
        moves += [
            (int(acts.position[row]), int(of[row]), (acts.before[row] + acts.delta[row]).tolist())
            for row in np.flatnonzero(np.isin(of, keys)).tolist()
        ]
    moves.sort(key=lambda move: move[0])
    held = {key: padded(openings.get(key, ())) for key in keys.tolist()}
    found: dict[int, dict[int, list[int]]] = {}
    at = 0
    for claim in sorted(wanted):
        while at < len(moves) and moves[at][0] < claim:
            held[moves[at][1]] = moves[at][2]
            at += 1
        found[claim] = {key % YEARS: held[key] for key in wanted[claim]}
    return found
