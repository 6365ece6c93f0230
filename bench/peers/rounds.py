"""Settles the narrower formula with NumPy: round k takes the k-th claim of every person, all of them at once."""

import numpy as np

from bench.peers.narrow import GIVEN, HALF, HELD, ONE, RESULTS, SEGMENTS, TERMS
from core_ext.settling import REFUND, Batch, Table


def settle(batch: Batch) -> dict[str, Table]:
    """Returns the columns of RESULTS; nothing is prepared beforehand, the order of rounds included."""
    n = len(batch.plan)
    out = {name: np.empty(n, np.int64) for name in RESULTS}
    terms = {name: np.ascontiguousarray(batch.plans[:, at]) for name, at in TERMS.items()}
    facts = {name: np.ascontiguousarray(batch.facts[:, at]) for name, at in GIVEN.items()}
    year = {name: np.zeros(len(batch.state), np.int64) for name in HELD}
    year["balance"] = batch.accounts.copy()
    # Sorted by person, a claim's ordinal is its distance from its person's first.
    order = np.argsort(batch.slot, kind="stable")
    person = batch.slot[order]
    first = np.flatnonzero(np.concatenate([[True], person[1:] != person[:-1]]))
    ordinal = np.arange(n) - np.repeat(first, np.diff(np.append(first, n)))
    by_round = order[np.argsort(ordinal, kind="stable")]
    ends = np.cumsum(np.bincount(ordinal))
    for begin, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rows = by_round[begin:end]
        refund = batch.kind[rows] == REFUND
        _round(batch, rows[~refund], terms, facts, year, out)
        _refunds(batch, rows[refund], facts, year, out)
    return out


def _round(
    batch: Batch, rows: Table, terms: dict[str, Table], facts: dict[str, Table], year: dict[str, Table],
    out: dict[str, Table],
) -> None:  # fmt: skip
    plan, slot = batch.plan[rows], batch.slot[rows]
    term = {name: column[plan] for name, column in terms.items()}
    fact = {name: column[rows] for name, column in facts.items()}
    held = {name: column[slot] for name, column in year.items()}
    first = (fact["inscp"] * term["first_ratio"] + HALF) // ONE
    base = fact["inscp"] - first
    room = np.maximum(0, term["ceiling"] - held["hifp"])
    due = np.maximum(term["floor"], term["due"] - term["less"] * held["stays"])
    dedc = np.where(room > 0, np.minimum(due, base), 0)
    start = np.where(term["to_date"] > 0, held["placed"], 0)
    stop = start + base - dedc
    above, paid = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for at in range(SEGMENTS):
        edge = term[f"edge_{at}"]
        inside = np.maximum(0, np.minimum(stop, edge) - np.maximum(start, above))
        paid += (inside * term[f"ratio_{at}"] + HALF) // ONE
        above = edge
    pays = np.minimum(paid, room)
    part = fact["medfee"] - pays - fact["hosp"]
    allowed = np.where(term["account_pays"] > 0, fact["inscp"] - pays + fact["preself"], 0)
    acct = np.maximum(0, np.minimum(np.minimum(held["balance"], allowed), part))
    stay, places = np.ones(len(rows), np.int64), base - dedc
    for name, values in zip(RESULTS, (dedc, pays, acct, first, paid - pays, stay, places, *held.values()), strict=True):
        out[name][rows] = values
    for name, added in zip(HELD, (stay, places, pays, fact["inscp"], -acct), strict=True):
        year[name][slot] = held[name] + added


def _refunds(batch: Batch, rows: Table, facts: dict[str, Table], year: dict[str, Table], out: dict[str, Table]) -> None:
    slot, original = batch.slot[rows], batch.ref[rows]
    for name in ("dedc", "pays", "acct", "stay", "places"):
        out[name][rows] = -out[name][original]
    out["first"][rows] = out["over"][rows] = 0
    added = (out["stay"], out["places"], out["pays"], facts["inscp"], -out["acct"])
    for name, column in zip(HELD, added, strict=True):
        out[f"{name}_before"][rows] = year[name][slot]
        year[name][slot] += column[rows]
