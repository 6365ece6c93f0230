"""Draws acts of a segment at random, as lanes: several persons with years of their own, most acts booked as decided."""

from random import Random
from typing import Any

import numpy as np

from core_ext.layout import ABSENT, AMOUNTS, FACT, HOW
from core_ext.reference.replay import Packed, _decided
from core_ext.replaying import Acts, Recorded
from core_ext.settling import COMPUTE
from ledger.segments.shape import Ints, narrowest
from tests.settle.drawn import batch

FIRST_YEAR = 1_000
LINES = 3


def lane(values: Ints) -> Any:
    """Returns a column as a segment keeps it, as narrow as its values."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    return np.ascontiguousarray(values, narrowest(min(low, 0), max(high, 0)))


def lanes(table: Ints) -> list[Any]:
    """Returns the columns of a table."""
    return [lane(column) for column in table.T]


def segment(seed: int, batches: int) -> tuple[Ints, Acts, Recorded]:
    """Returns (plans, acts, what is recorded of them): nothing differs, but what is refused."""
    drawn = [batch(seed + at, rows=40) for at in range(batches)]
    tokens = [each.facts[:, FACT["token"]] + 2 * at for at, each in enumerate(drawn)]
    facts = np.concatenate([each.facts for each in drawn])
    facts[:, FACT["token"]] = token = np.concatenate(tokens)
    order = np.argsort(token, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    key = token * 4 + np.concatenate([each.slot for each in drawn])
    years, slot = np.unique(key, return_inverse=True)
    holders, first = np.unique(years // 4, return_index=True)
    state = np.array([drawn[at // 8].state[at % 4] for at in years.tolist()], np.int64)
    accounts = np.array([drawn[at // 8].accounts[at // 4 % 2] for at in years.tolist()], np.int64)
    ref = np.concatenate([np.where(each.ref >= 0, each.ref + 40 * at, -1) for at, each in enumerate(drawn)])
    above = np.where((ref >= 0) & (token[ref] == token), place - place[ref], 0)
    given = np.concatenate([each.given for each in drawn])
    kind = np.concatenate([each.kind for each in drawn])
    bits = ((given != ABSENT).astype(np.int64) << np.arange(len(AMOUNTS))).sum(axis=1)
    placed = np.column_stack([
        np.where(kind == COMPUTE, -1, bits), np.maximum(above, 0), slot + FIRST_YEAR,
        first[np.searchsorted(holders, token)] + FIRST_YEAR,
    ])[order]  # fmt: skip
    acts = Acts(
        lanes(facts[order]), lanes(np.where(given == ABSENT, 0, given)[order]), lanes(placed),
        lanes(np.column_stack([accounts, state])), FIRST_YEAR,
        np.concatenate([np.where(each.plan < 0, -1, each.plan + 4 * at) for at, each in enumerate(drawn)])[order],
        kind[order].astype(np.int8), np.concatenate([each.lenient for each in drawn])[order].astype(np.int8),
    )  # fmt: skip
    plans = np.concatenate([each.plans for each in drawn])
    found = _decided(Packed(plans), acts, len(order))
    booked = np.where((found.code == 0)[:, None], found.booked, np.where(given == ABSENT, 0, given)[order])
    rng = Random(seed)
    hows = [0, 1, 2, 3, HOW.index("hosp_part_amt")]
    refund = np.array([int(rng.random() < 0.2) for _ in order], np.int64)
    line = np.array([rng.randrange(LINES) for _ in order], np.int64)
    recorded = Recorded(lanes(found.delta), hows, lanes(found.how[:, hows]), lane(found.balc), lane(refund), lane(line))
    return plans, acts._replace(amounts=lanes(booked)), recorded


def altered(seed: int, acts: Acts, recorded: Recorded) -> tuple[Acts, Recorded]:
    """Returns the same with a few cells changed, in any of the columns that are held against what comes out."""
    rng = Random(seed)
    amounts, deltas, how = ([each.copy() for each in of] for of in (acts.amounts, recorded.deltas, recorded.how))
    balc = recorded.balc.copy()
    for _ in range(rng.randrange(4)):
        rng.choice((*amounts, *deltas, *how, balc))[rng.randrange(len(acts.plan))] ^= 1
    return acts._replace(amounts=amounts), recorded._replace(deltas=deltas, how=how, balc=balc)
