"""Settles the narrower formula with Polars: the claims of a round joined with what their persons' last ones left."""

import numpy as np
import polars as pl

from bench.peers.narrow import GIVEN, HALF, HELD, ONE, RESULTS, SEGMENTS, TERMS
from core_ext.settling import REFUND, Batch, Table

MOVED = ("dedc", "pays", "acct", "stay", "places")


def settle(batch: Batch) -> dict[str, Table]:
    """Returns the columns of RESULTS; the joins and the order of rounds are part of it."""
    n = len(batch.plan)
    plans = pl.DataFrame({name: batch.plans[:, at] for name, at in TERMS.items()}).with_row_index("plan")
    claims = (
        pl.DataFrame(
            {
                "person": batch.slot,
                "plan": batch.plan.astype(np.uint32),
                "refund": batch.kind == REFUND,
                **{name: batch.facts[:n, at] for name, at in GIVEN.items()},
            }
        )
        .with_row_index("row")
        .with_columns(pl.int_range(pl.len()).over("person").alias("round"))
        .join(plans, on="plan", how="left")
    )
    rounds = claims.partition_by("round", as_dict=True, include_key=False)
    left = pl.DataFrame({"person": np.arange(len(batch.state)), "balance": batch.accounts}).with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in (*HELD[:-1], *(f"last_{name}" for name in MOVED))
    )
    done = []
    for number in range(len(rounds)):
        settled = _round(rounds[(number,)].join(left, on="person", how="left"))
        done.append(settled.select("row", *RESULTS[:7], *(pl.col(name).alias(f"{name}_before") for name in HELD)))
        left = settled.select(
            "person",
            (pl.col("stays") + pl.col("stay")).alias("stays"),
            (pl.col("placed") + pl.col("places")).alias("placed"),
            (pl.col("hifp") + pl.col("pays")).alias("hifp"),
            (pl.col("scope") + pl.col("inscp")).alias("scope"),
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
            ((col("inscp") * col("first_ratio") + HALF) // ONE).alias("first"),
            (col("ceiling") - col("hifp")).clip(0).alias("room"),
            most("floor", col("due") - col("less") * col("stays")).alias("owed"),
            start.alias("start"),
        )
        .with_columns((col("inscp") - col("first")).alias("base"))
        .with_columns(pl.when(col("room") > 0).then(least("owed", "base")).otherwise(0).alias("dedc"))
        .with_columns((col("start") + col("base") - col("dedc")).alias("stop"))
        .with_columns(sum(paid[1:], paid[0]).alias("paid"))
        .with_columns(least("paid", "room").alias("pays"))
        .with_columns((col("medfee") - col("pays") - col("hosp")).alias("part"))
        .with_columns(
            pl.when(col("account_pays") > 0)
            .then(most(0, least("balance", col("inscp") - col("pays") + col("preself"), "part")))
            .otherwise(0)
            .alias("acct"),
            (col("paid") - col("pays")).alias("over"),
            pl.lit(1, pl.Int64).alias("stay"),
            (col("base") - col("dedc")).alias("places"),
        )
        .with_columns(
            *(pl.when("refund").then(-col(f"last_{name}")).otherwise(col(name)).alias(name) for name in MOVED),
            *(pl.when("refund").then(0).otherwise(col(name)).alias(name) for name in ("first", "over")),
        )
        .collect()
    )
