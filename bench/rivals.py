"""Finds the same violations by other means: a plain C loop, DuckDB and polars, over the same columns and rules.

Each gives the set of (rule, charge) pairs. The queries are those of somebody who knows the engine: groups that cannot
reach a limit are dropped by an aggregate before any window function runs.
"""

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core_ext import rule_tables as t
from core_ext.layout import ABSENT
from core_ext.rule_tables import CHARGE, CHARGES, RULE, RULES
from ledger.supervision.book import Book

Int64s = NDArray[np.int64]

SOURCE = Path(__file__).with_name("rules.c")


class PlainC:
    """Is the loop of rules.c, compiled when asked for; raises RuntimeError where there is no compiler."""

    def __init__(self, folder: Path, table: Int64s, book: Book) -> None:
        library = folder / "rules.so"
        command = ["gcc", "-O3", "-g0", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"expected gcc to compile {SOURCE.name}, got: {done.stderr}")
        self._find = ctypes.CDLL(str(library)).find
        self._find.restype = ctypes.c_int64
        self.hits = np.zeros((max(1024, table.shape[1]), 3), np.int64)
        arrays = (table, book.rules, book.first, book.others, self.hits)
        places = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        n = ctypes.c_int64(table.shape[1])
        self._arguments = (places[0], n, *places[1:], ctypes.c_int64(len(self.hits)))
        self._kept = arrays
        self.found = 0

    def run(self) -> None:
        """Finds every violation."""
        self.found = int(self._find(*self._arguments))

    def result(self) -> Int64s:
        """Returns (rule, charge, fen) of the last run."""
        return self.hits[: self.found]


_WINDOW = (
    "CASE r.win WHEN 0 THEN c.visit WHEN 1 THEN c.day WHEN 2 THEN c.month"
    " WHEN 3 THEN c.month // 3 ELSE c.month // 12 END"
)
_MEETS = "c.item = r.item AND (c.scope & r.outside) = 0 AND c.day BETWEEN r.begins AND r.untils"

FORBIDDEN = (
    f"SELECT r.n, c.n FROM charges c JOIN rules r ON {_MEETS} WHERE r.op = {t.FORBIDDEN} AND (c.scope & r.high) <> 0"
)
BETWEEN = f"""
SELECT r.n, c.n FROM charges c JOIN rules r ON {_MEETS}
WHERE r.op = {t.BETWEEN}
  AND CASE r.field WHEN {CHARGE["age"]} THEN c.age WHEN {CHARGE["pric"]} THEN c.pric ELSE c.cnt END
  NOT BETWEEN r.low AND r.high
  AND CASE r.field WHEN {CHARGE["age"]} THEN c.age ELSE 0 END <> {ABSENT}"""
TOTAL = f"""
WITH met AS MATERIALIZED (
  SELECT r.n AS rule, c.n AS charge, c.person, {_WINDOW} AS w, r.high, c.day,
    CASE r.field WHEN {t.COUNT} THEN c.cnt WHEN {t.AMOUNT} THEN c.amount ELSE 1 END AS added
  FROM charges c JOIN rules r ON {_MEETS} WHERE r.op = {t.TOTAL} AND r.field <> {t.DAYS}),
over AS (SELECT rule, person, w FROM met GROUP BY rule, person, w HAVING sum(added) > any_value(high)),
summed AS (
  SELECT rule, charge, added, high,
    sum(added) OVER (PARTITION BY rule, person, w ORDER BY charge ROWS UNBOUNDED PRECEDING) AS total
  FROM met SEMI JOIN over USING (rule, person, w))
SELECT rule, charge FROM summed WHERE total > high AND added > 0"""
COURSE = f"""
WITH met AS MATERIALIZED (
  SELECT r.n AS rule, c.n AS charge, c.person, {_WINDOW} AS w, r.high, c.day
  FROM charges c JOIN rules r ON {_MEETS} WHERE r.op = {t.TOTAL} AND r.field = {t.DAYS}),
over AS (SELECT rule, person, w FROM met GROUP BY rule, person, w HAVING count(DISTINCT day) > any_value(high)),
ranked AS (
  SELECT rule, charge, high, dense_rank() OVER (PARTITION BY rule, person, w ORDER BY day) AS days
  FROM met SEMI JOIN over USING (rule, person, w))
SELECT rule, charge FROM ranked WHERE days > high"""
BESIDE = f"""
WITH met AS MATERIALIZED (
  SELECT r.n AS rule, r.op, r.high, c.n AS charge, c.person, {_WINDOW} AS w
  FROM charges c JOIN rules r ON {_MEETS} WHERE r.op IN ({t.PRESENT}, {t.MISSING}, {t.PARTS})),
there AS (
  SELECT r.n AS rule, c.person, {_WINDOW} AS w, count(DISTINCT c.item) AS items
  FROM others o JOIN rules r ON o.rule = r.n JOIN charges c ON c.item = o.item GROUP BY 1, 2, 3)
SELECT rule, charge FROM met LEFT JOIN there USING (rule, person, w)
WHERE CASE op WHEN {t.PRESENT} THEN items IS NOT NULL WHEN {t.MISSING} THEN items IS NULL
  ELSE coalesce(items, 0) + 1 >= high END"""
DEARER = f"""
WITH met AS MATERIALIZED (
  SELECT r.n AS rule, c.n AS charge, c.person, {_WINDOW} AS w, c.pric
  FROM charges c JOIN rules r ON {_MEETS} WHERE r.op = {t.DEARER}),
apart AS (SELECT rule, person, w FROM met GROUP BY rule, person, w HAVING min(pric) < max(pric)),
least AS (
  SELECT rule, charge, pric,
    min(pric) OVER (PARTITION BY rule, person, w ORDER BY charge ROWS UNBOUNDED PRECEDING) AS low
  FROM met SEMI JOIN apart USING (rule, person, w))
SELECT rule, charge FROM least WHERE pric > low"""
QUERIES = (FORBIDDEN, BETWEEN, TOTAL, COURSE, BESIDE, DEARER)

#: Columns of the rules under names that are no words of SQL.
_NAMES = ("item", "op", "outside", "win", "field", "low", "high", "begins", "untils", "others", "many")


def columns_of(table: Int64s, book: Book) -> tuple[dict[str, Int64s], dict[str, Int64s], dict[str, Int64s]]:
    """Returns (charges, rules, others) as named columns; rows of charges and rules are numbered in ``n``."""
    charges = {"n": np.arange(table.shape[1]), **{name: table[CHARGE[name]] for name in CHARGES}}
    rules = {"n": np.arange(len(book.rules))}
    rules |= {name: np.ascontiguousarray(book.rules[:, at]) for at, name in enumerate(_NAMES)}
    count = book.rules[:, RULE["count"]]
    others = {"rule": np.repeat(np.arange(len(book.rules)), count), "item": book.others}
    return charges, rules, others


class Duck:
    """Is DuckDB in memory, with as many threads as it takes."""

    def __init__(self, table: Int64s, book: Book) -> None:
        import duckdb

        self._base = duckdb.connect()
        for name, columns in zip(("charges", "rules", "others"), columns_of(table, book), strict=True):
            given = columns
            self._base.register("given", given)
            self._base.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            self._base.unregister("given")
        self._found: list[Any] = []

    def run(self) -> None:
        """Finds every violation."""
        self._found = [self._base.execute(query).fetchnumpy() for query in QUERIES]

    def result(self) -> Int64s:
        """Returns (rule, charge) of the last run."""
        return np.concatenate([np.column_stack([*found.values()]) for found in self._found])


class Polars:
    """Is polars, lazily planned, with as many threads as it takes."""

    def __init__(self, table: Int64s, book: Book) -> None:
        import polars

        self._pl = polars
        self._charges, self._rules, self._others = (
            polars.DataFrame({name: np.ascontiguousarray(column) for name, column in columns.items()})
            for columns in columns_of(table, book)
        )
        self._found: list[Any] = []

    def run(self) -> None:
        """Finds every violation."""
        plans = [self._simple(), *self._totals(), *self._beside(), self._dearer()]
        self._found = self._pl.collect_all(plans)

    def result(self) -> Int64s:
        """Returns (rule, charge) of the last run."""
        return np.concatenate([found.select("rule", "n").to_numpy() for found in self._found])

    def _window(self) -> Any:
        pl = self._pl
        win = pl.col("win")
        return (
            pl.when(win == 0).then(pl.col("visit"))
            .when(win == 1).then(pl.col("day"))
            .when(win == 2).then(pl.col("month"))
            .when(win == 3).then(pl.col("month") // 3)
            .otherwise(pl.col("month") // 12)
            .alias("w")
        )  # fmt: skip

    def _met(self, *ops: int) -> Any:
        pl = self._pl
        rules = self._rules.lazy().filter(pl.col("op").is_in(ops)).rename({"n": "rule"})
        met = self._charges.lazy().join(rules, on="item", maintain_order="left")
        holds = (pl.col("scope") & pl.col("outside") == 0) & pl.col("day").is_between("begins", "untils")
        return met.filter(holds).with_columns(self._window())

    def _simple(self) -> Any:
        pl = self._pl
        met = self._met(t.FORBIDDEN, t.BETWEEN)
        field = pl.col("field")
        value = (
            pl.when(field == CHARGE["age"]).then(pl.col("age"))
            .when(field == CHARGE["pric"]).then(pl.col("pric"))
            .otherwise(pl.col("cnt"))
        )  # fmt: skip
        between = (value != ABSENT) & ~value.is_between("low", "high")
        forbidden = pl.col("scope") & pl.col("high") != 0
        return met.filter(pl.when(pl.col("op") == t.FORBIDDEN).then(forbidden).otherwise(between)).select("rule", "n")

    def _totals(self) -> tuple[Any, Any]:
        pl = self._pl
        field = pl.col("field")
        added = (
            pl.when(field == t.COUNT).then(pl.col("cnt")).when(field == t.AMOUNT).then(pl.col("amount")).otherwise(1)
        )
        key = ["rule", "person", "w"]
        met = self._met(t.TOTAL).with_columns(added.alias("added"))
        sums = met.filter(field != t.DAYS)
        over = sums.group_by(key).agg(pl.col("added").sum().alias("sum"), pl.col("high").first())
        sums = sums.join(over.filter(pl.col("sum") > pl.col("high")).select(key), on=key, how="semi").sort("n")
        sums = sums.with_columns(pl.col("added").cum_sum().over(key).alias("total"))
        sums = sums.filter((pl.col("total") > pl.col("high")) & (pl.col("added") > 0)).select("rule", "n")
        days = met.filter(field == t.DAYS)
        over = days.group_by(key).agg(pl.col("day").n_unique().alias("days"), pl.col("high").first())
        days = days.join(over.filter(pl.col("days") > pl.col("high")).select(key), on=key, how="semi")
        days = days.with_columns(pl.col("day").rank("dense").over(key).alias("days"))
        return sums, days.filter(pl.col("days") > pl.col("high")).select("rule", "n")

    def _beside(self) -> tuple[Any, ...]:
        pl = self._pl
        key = ["rule", "person", "w"]
        rules = self._rules.lazy().select(pl.col("n").alias("rule"), "win")
        there = self._others.lazy().join(rules, on="rule").join(self._charges.lazy(), on="item")
        there = there.with_columns(self._window()).group_by(key).agg(pl.col("item").n_unique().alias("items"))
        met = self._met(t.PRESENT, t.MISSING, t.PARTS).join(there, on=key, how="left")
        items, op = pl.col("items"), pl.col("op")
        holds = (
            pl.when(op == t.PRESENT).then(items.is_not_null())
            .when(op == t.MISSING).then(items.is_null())
            .otherwise(items.fill_null(0) + 1 >= pl.col("high"))
        )  # fmt: skip
        return (met.filter(holds).select("rule", "n"),)

    def _dearer(self) -> Any:
        pl = self._pl
        key = ["rule", "person", "w"]
        met = self._met(t.DEARER)
        apart = met.group_by(key).agg(pl.col("pric").min().alias("least"), pl.col("pric").max().alias("most"))
        met = met.join(apart.filter(pl.col("least") < pl.col("most")).select(key), on=key, how="semi").sort("n")
        met = met.with_columns(pl.col("pric").cum_min().over(key).alias("lowest"))
        return met.filter(pl.col("pric") > pl.col("lowest")).select("rule", "n")


__all__ = ["QUERIES", "RULES", "Duck", "PlainC", "Polars"]
