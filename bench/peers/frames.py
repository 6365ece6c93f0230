"""Settles the narrower formula with Polars: the claims of a round joined with what their persons' last ones left."""

import numpy as np
import polars as pl

from bench.peers.narrow import HALF, HELD, ONE, RESULTS, SEGMENTS, Columns
from core_ext.settling import Table

#: What a refund takes back.
MOVED = (*RESULTS, "places")


def settle(columns: Columns) -> dict[str, Table]:
    """Returns the columns of RESULTS; the joins and the order of rounds are part of it."""
    plans = pl.DataFrame(columns.terms).with_row_index("plan")
    claims = (
        pl.DataFrame(
            {
                "person": columns.person,
                "plan": columns.plan.astype(np.uint32),
                "refund": columns.refund,
                **columns.given,
            }
        )
        .with_row_index("row")
        .with_columns(pl.int_range(pl.len()).over("person").alias("round"))
        .join(plans, on="plan", how="left")
    )
    rounds = claims.partition_by("round", as_dict=True, include_key=False)
    left = pl.DataFrame({"person": np.arange(len(columns.balances)), "balance": columns.balances}).with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in (*HELD[:-1], *(f"last_{name}" for name in MOVED))
    )
    done = []
    for number in range(len(rounds)):
        settled = _round(rounds[(number,)].join(left, on="person", how="left"))
        done.append(settled.select("row", *RESULTS))
        left = settled.select(
            "person",
            (pl.col("stays") + pl.when("refund").then(-1).otherwise(1)).alias("stays"),
            (pl.col("placed") + pl.col("places")).alias("placed"),
            (pl.col("hifp") + pl.col("pays")).alias("hifp"),
            (pl.col("balance") - pl.col("acct")).alias("balance"),
            *(pl.col(name).alias(f"last_{name}") for name in MOVED),
        )
    every = pl.concat(done).sort("row")
    return {name: every[name].to_numpy() for name in RESULTS}


def _round(claims: pl.DataFrame) -> pl.DataFrame:
    col, most, least = pl.col, pl.max_horizontal, pl.min_horizontal
    start = col("to_date").clip(0, 1) * col("placed")
    above = [pl.lit(0, pl.Int64), *(col(f"edge_{at}") for at in range(SEGMENTS))]
    paid = [
        (most(0, least("stop", f"edge_{at}") - most("start", above[at])) * col(f"ratio_{at}") + HALF) // ONE
        for at in range(SEGMENTS)
    ]
    return (
        claims.lazy()
        .with_columns(
            (col("inscp") - (col("inscp") * col("first_ratio") + HALF) // ONE).alias("base"),
            (col("ceiling") - col("hifp")).clip(0).alias("room"),
            most("floor", col("due") - col("less") * col("stays")).alias("owed"),
            start.alias("start"),
        )
        .with_columns(pl.when(col("room") > 0).then(least("owed", "base")).otherwise(0).alias("dedc"))
        .with_columns((col("base") - col("dedc")).alias("places"))
        .with_columns((col("start") + col("places")).alias("stop"))
        .with_columns(sum(paid[1:], paid[0]).alias("paid"))
        .with_columns(least("paid", "room").alias("pays"))
        .with_columns((col("medfee") - col("pays") - col("hosp")).alias("part"))
        .with_columns(
            pl.when(col("account_pays") > 0)
            .then(most(0, least("balance", col("inscp") - col("pays") + col("preself"), "part")))
            .otherwise(0)
            .alias("acct")
        )
        .with_columns((col("part") - col("acct")).alias("cash"))
        .with_columns(pl.when("refund").then(-col(f"last_{name}")).otherwise(col(name)).alias(name) for name in MOVED)
        .collect()
    )
