"""Decides again what was booked anew: each ClaimResettled from the start it records, under the policy it names.

A stay that is divided between years is decided part by part from what its event and its parts record, and what changes
in each year is held against what stood there before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core_ext.kernels import load
from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACTS, HOW, padded
from core_ext.settling import COMPUTE, SOURCE
from ledger.events import BASIS_KERNEL, FLAG_DIVIDED, ClaimFiled, ClaimSettled
from ledger.keys import claim_stream
from ledger.mapper import decode_event
from ledger.originals import hospital_of, pool_of
from ledger.plan_rows import pools_of, with_limits
from ledger.refusals import Refusal
from ledger.replay import LOOKED_UP, Difference, Settle
from ledger.replaying.events import ClaimResettled
from ledger.replaying.moving import stood_by_year
from ledger.replaying.outcomes import moved_by_year
from ledger.resettled import resettlements, standing
from ledger.segments.shape import Ints
from ledger.stays.booking import counted_of
from ledger.stays.events import StayPartCounted
from ledger.stays.replaying import Began, question_of
from ledger.stays.settling import hows_of
from ledger.stays.settling import settle as settle_parts

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader


class Again(NamedTuple):
    """Is what a claim booked anew comes to: its amounts, and by year what it adds and was decided with.

    ``last`` is the year of its decision; ``amounts_of`` are those of the parts before.
    """

    amounts: Sequence[int]
    last: int
    added: dict[int, Sequence[int]]
    how: dict[int, Sequence[int]]
    amounts_of: dict[int, Sequence[int]]


def anew_differences(
    reader: "Reader", positions: Sequence[int], policies: "PolicyBook", settle: Settle | None = None
) -> list[Difference]:
    """Returns each ClaimResettled at ``positions`` that does not come out again, by its first step that differs."""
    if not positions:
        return []
    events = {at: decode_event(row[2], row[3]) for at, row in reader.events_at(positions).items()}
    found: list[Difference] = []
    for position in positions:
        event = events[position]
        assert isinstance(event, ClaimResettled)
        found += _differences(reader, position, event, policies, settle or load("settle").settle)
    return found


def _differences(
    reader: "Reader", position: int, event: ClaimResettled, policies: "PolicyBook", settle: Settle
) -> list[Difference]:
    stood, filed = stands_before(reader, event, position)
    counted = counted_of(reader, event.token) if event.flags & FLAG_DIVIDED else []
    before = event.claim if event.original == event.claim + 1 else event.original
    parts = [part for part in counted if part.claim == position]
    was = [part for part in counted if part.claim == before and part.days]
    given = _given(filed) if stood.basis != BASIS_KERNEL else None
    divided = bool(policies.pinned_divided(_facts(event), (np.zeros(1, np.int64), [event.policy]))[0])
    live = [part for part in parts if part.days]
    code, again = 0, None
    if divided:
        code, again = _divided(event, live, given, policies)
    elif not live:
        code, again = _whole(event, given, policies, settle)
    if again is None:
        step, expected = (f"refused.{Refusal(code).code}", code) if code else ("parts", 0)
        return [Difference(position, event.claim, event.setl_id, step, expected, 0 if code else len(parts))]
    moves = moved_by_year(stood_by_year(stood, was), again.added)
    for name, one, other in _steps(event, parts, again, moves, stood):
        if one != other:
            return [Difference(position, event.claim, event.setl_id, name, one, other)]
    return []


def _steps(
    event: ClaimResettled,
    parts: Sequence[StayPartCounted],
    again: Again,
    moves: dict[int, list[int]],
    stood: ClaimSettled,
) -> list[tuple[str, int, int]]:
    """Returns (step, expected, got) of all that a ClaimResettled and its parts say."""
    others = [year for year in moves if year != again.last]
    tables: list[tuple[str, Sequence[str], Sequence[int], Sequence[int]]] = [
        ("", AMOUNTS, again.amounts, event.amounts),
        ("reversed.", AMOUNTS, stood.amounts, event.reversed),
        ("", ("year", "parts"), (again.last, len(others)), (event.year, len(parts))),
    ]
    if others == [part.year for part in parts]:
        for part in parts:
            prefix, year = f"{part.year}.", part.year
            tables += [
                (prefix, AMOUNTS, again.amounts_of.get(year, [0] * len(AMOUNTS)), part.amounts),
                (f"{prefix}contribution.", ACCUMULATORS, again.added.get(year, padded(())), part.contribution),
                (f"{prefix}delta.", ACCUMULATORS, moves[year], padded(part.delta)),
                (f"{prefix}how.", HOW, again.how.get(year, _padded_how(())), _padded_how(part.how)),
            ]
    elif len(others) == len(parts):
        tables.append(("part.", ("year",) * len(parts), others, [part.year for part in parts]))
    tables += [
        ("contribution.", ACCUMULATORS, again.added[again.last], padded(event.contribution)),
        ("delta.", ACCUMULATORS, moves[again.last], padded(event.delta)),
        ("how.", HOW, again.how[again.last], _padded_how(event.how)),
        ("reversed.", ("pool",), (pool_of(stood.how),), (event.reversed_pool,)),
        ("reversed.", ("hosp_part_amt",), (hospital_of(stood.how),), (event.reversed_hospital_fen,)),
    ]
    return [
        (f"{prefix}{name}", one, other)
        for prefix, names, expected, got in tables
        for name, one, other in zip(names, expected, got, strict=True)
    ]


def stands_before(reader: "Reader", event: ClaimResettled, position: int) -> tuple[ClaimSettled, ClaimFiled]:
    """Returns what stood of a claim before a ClaimResettled at a position, and the claim."""
    rows = reader.events_at([event.claim, event.claim + 1])
    filed = decode_event(rows[event.claim][2], rows[event.claim][3])
    decision = decode_event(rows[event.claim + 1][2], rows[event.claim + 1][3])
    assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled)
    later = resettlements(reader, [claim_stream(filed.insured_region, filed.setl_id)]).get(event.claim, [])
    return standing(decision, [each for each in later if each[0] < position]), filed


def _divided(
    event: ClaimResettled, parts: Sequence[StayPartCounted], given: Sequence[int] | None, policies: "PolicyBook"
) -> tuple[int, Again | None]:
    """Returns (refusal or 0, what a divided stay comes to by what its event and parts were decided from).

    Nothing where the parts are not those of its policy.
    """
    facts = _facts(event)[0]
    began = Began(given, [*(padded(part.start) for part in parts), padded(event.start)], event.balance_fen)
    asked, hows = question_of(policies, event.policy, facts, list(_padded_how(event.how)), parts, began)
    if asked is None:
        return 0, None
    again = settle_parts(asked)
    if again.code:
        return again.code, None
    years = [part.year for part in asked.parts]
    how = hows_of(again, asked.plans, asked.plan, facts, np.array(hows, np.int64))
    return 0, Again(
        again.booked,
        years[-1],
        {year: part.delta for year, part in zip(years, again.parts, strict=True)},
        dict(zip(years, how, strict=True)),
        {year: part.amounts for year, part in zip(years[:-1], again.parts, strict=False)},
    )


def _whole(
    event: ClaimResettled, given: Sequence[int] | None, policies: "PolicyBook", settle: Settle
) -> tuple[int, Again | None]:
    """Returns (refusal or 0, what a claim comes to in its one year by what its event was decided from)."""
    facts, pinned = _facts(event), (np.zeros(1, np.int64), [event.policy])
    how = np.array([_padded_how(event.how)], np.int64)
    plan = policies.resolve_pinned(facts, pinned, how)
    plans, plan = with_limits(policies.plans, plan, how[:, HOW.index("limit")])
    out = np.zeros((1, len(HOW)), np.int64)
    zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
    booked, computed = np.zeros((1, len(AMOUNTS)), np.int64), np.zeros((1, len(AMOUNTS)), np.int64)
    before, delta = np.zeros((1, len(ACCUMULATORS)), np.int64), np.zeros((1, len(ACCUMULATORS)), np.int64)
    code, balc = zero.copy(), zero.copy()
    state, accounts = np.array([padded(event.start)], np.int64), np.array([event.balance_fen], np.int64)
    asked = booked.copy() if given is None else np.array([given], np.int64)
    settle(
        plans, plan, facts, asked, one * (COMPUTE if given is None else SOURCE), -one, zero.copy(), zero.copy(),
        zero.copy(), state, zero.copy(), accounts, code, booked, computed, before, delta, balc, out,
    )  # fmt: skip
    if code[0]:
        return int(code[0]), None
    out[:, LOOKED_UP] = how[:, LOOKED_UP]
    out[:, HOW.index("pool")] = pools_of(plans, plan, facts)
    year = int(policies.pinned_years(facts, pinned)[0])
    return 0, Again(booked[0].tolist(), year, {year: delta[0].tolist()}, {year: out[0].tolist()}, {})


def _facts(event: ClaimResettled) -> Ints:
    return np.array([[getattr(event, name) for name in FACTS]], np.int64)


def _given(filed: ClaimFiled) -> list[int]:
    """Returns the amounts that a claim's source gave, ABSENT where it gave none."""
    return [ABSENT if fen is None else fen for fen in filed.given or (None,) * len(AMOUNTS)]


def _padded_how(how: tuple[int, ...]) -> tuple[int, ...]:
    return (*how, *(0,) * (len(HOW) - len(how)))
