"""Settles the narrower formula with DuckDB: a recursive query that takes every person one claim further each time."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.peers.narrow import HALF, ONE, RESULTS, SEGMENTS, Columns
from core_ext.settling import Table

# Its // binds less than its +, and a column's name comes before an alias: hence first_now and dedc_now.
_PAID = " + ".join(
    f"((greatest(0, least(stop, edge_{at}) - greatest(start, {f'edge_{at - 1}' if at else 0})) * ratio_{at}"
    f" + {HALF}) // {ONE})"
    for at in range(SEGMENTS)
)
QUERY = f"""
WITH RECURSIVE ordered AS (
    SELECT *, row_number() OVER (PARTITION BY person ORDER BY row) AS round
    FROM claims JOIN plans USING (plan)
), settled AS (
    SELECT 0::BIGINT AS round, person, -1::BIGINT AS row, 0::BIGINT AS stays, 0::BIGINT AS placed, 0::BIGINT AS hifp,
        balance, 0::BIGINT AS dedc, 0::BIGINT AS pays, 0::BIGINT AS part, 0::BIGINT AS acct, 0::BIGINT AS stay,
        0::BIGINT AS places
    FROM persons
    UNION ALL
    SELECT round, person, row, stays, placed, hifp, balance,
        CASE WHEN refund THEN -last_dedc ELSE dedc_now END, CASE WHEN refund THEN -last_pays ELSE pays END,
        CASE WHEN refund THEN -last_part ELSE part END, CASE WHEN refund THEN -last_acct ELSE acct END,
        CASE WHEN refund THEN -last_stay ELSE 1 END, CASE WHEN refund THEN -last_places ELSE base - dedc_now END
    FROM (
        SELECT *, {_PAID} AS paid, least(paid, room) AS pays, medfee - pays - hosp AS part,
            CASE WHEN account_pays > 0 THEN greatest(0, least(balance, inscp - pays + preself, part)) ELSE 0 END AS acct
        FROM (
            SELECT c.*, s.stays + s.stay AS stays, s.placed + s.places AS placed, s.hifp + s.pays AS hifp,
                s.balance - s.acct AS balance, s.dedc AS last_dedc, s.pays AS last_pays, s.part AS last_part,
                s.acct AS last_acct, s.stay AS last_stay, s.places AS last_places,
                (c.inscp * first_ratio + {HALF}) // {ONE} AS first_now, c.inscp - first_now AS base,
                greatest(0, ceiling - (s.hifp + s.pays)) AS room,
                CASE WHEN room > 0 THEN least(greatest(floor, due - less * (s.stays + s.stay)), base) ELSE 0 END
                    AS dedc_now,
                CASE WHEN to_date > 0 THEN s.placed + s.places ELSE 0 END AS start, start + base - dedc_now AS stop
            FROM settled s JOIN ordered c ON c.person = s.person AND c.round = s.round + 1
        )
    )
)
SELECT dedc, pays, part, acct, part - acct AS cash FROM settled WHERE row >= 0 ORDER BY row
"""


def settle(columns: Columns) -> dict[str, Table]:
    """Returns the columns of RESULTS; the joins and the order of rounds are part of it."""
    n, persons = len(columns), len(columns.balances)
    with duckdb.connect() as database:
        database.register("plans", _arrow({"plan": np.arange(len(columns.term_rows)), **columns.terms}))
        claims = {"row": np.arange(n), "person": columns.person, "plan": columns.plan, **columns.given}
        database.register("claims", _arrow({**claims, "refund": columns.refund}))
        database.register("persons", _arrow({"person": np.arange(persons), "balance": columns.balances}))
        got = database.sql(QUERY).fetchnumpy()
    return {name: got[name] for name in RESULTS}


def _arrow(columns: dict[str, NDArray[Any]]) -> pa.Table:
    return pa.table({name: np.ascontiguousarray(column) for name, column in columns.items()})
