"""Settles the narrower formula with NumPy: round k takes the k-th claim of every person, all of them at once."""

import numpy as np

from bench.peers.narrow import HALF, HELD, ONE, RESULTS, SEGMENTS, Columns
from core_ext.settling import Table


def settle(columns: Columns) -> dict[str, Table]:
    """Returns the columns of RESULTS; the order of rounds is part of it."""
    n = len(columns)
    out = {name: np.empty(n, np.int64) for name in (*RESULTS, "places")}
    year = {name: np.zeros(len(columns.balances), np.int64) for name in HELD}
    year["balance"] = columns.balances.copy()
    # Sorted by person, a claim's ordinal is its distance from its person's first.
    order = np.argsort(columns.person, kind="stable")
    person = columns.person[order]
    first = np.flatnonzero(np.concatenate([[True], person[1:] != person[:-1]]))
    ordinal = np.arange(n) - np.repeat(first, np.diff(np.append(first, n)))
    by_round = order[np.argsort(ordinal, kind="stable")]
    ends = np.cumsum(np.bincount(ordinal))
    for begin, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rows = by_round[begin:end]
        refund = columns.refund[rows]
        _round(columns, rows[~refund], year, out)
        _refunds(columns, rows[refund], year, out)
    return {name: out[name] for name in RESULTS}


def _round(columns: Columns, rows: Table, year: dict[str, Table], out: dict[str, Table]) -> None:
    plan, person = columns.plan[rows], columns.person[rows]
    term = {name: column[plan] for name, column in columns.terms.items()}
    fact = {name: column[rows] for name, column in columns.given.items()}
    held = {name: column[person] for name, column in year.items()}
    base = fact["inscp"] - (fact["inscp"] * term["first_ratio"] + HALF) // ONE
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
    places = base - dedc
    for name, values in zip(out, (dedc, pays, part, acct, part - acct, places), strict=True):
        out[name][rows] = values
    for name, added in zip(HELD, (1, places, pays, -acct), strict=True):
        year[name][person] = held[name] + added


def _refunds(columns: Columns, rows: Table, year: dict[str, Table], out: dict[str, Table]) -> None:
    person, original = columns.person[rows], columns.ref[rows]
    for values in out.values():
        values[rows] = -values[original]
    year["stays"][person] -= 1
    for name, column in (("placed", "places"), ("hifp", "pays")):
        year[name][person] += out[column][rows]
    year["balance"][person] -= out["acct"][rows]
