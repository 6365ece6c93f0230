"""Defines what the replay kernel reads and fills, for both its twins."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.reference.lanes import WIDTHS, Lane
from core_ext.settling import Table

#: What places an act: a bit for each amount its source gave (-1: none settled it), how many rows above a refund its
#: original stands (0: not here), the person-year's and the person's row, counted over all batches.
PLACED = ("present", "ref", "slot", "holder")

#: What a line of the statement counts and sums, in front of every amount.
COUNTED = ("settlements", "refunds", "medfee_sumamt")

#: What is summed of an act to tell kinds of acts apart: as booked, and as decided.
VALUES = ("acts", "changed", "fund", "fund_new", "personal", "personal_new")

Flags = NDArray[np.int8]


class Acts(NamedTuple):
    """Is a batch of acts as lanes (``core_ext.reference.lanes``), sorted by person, then in commit order.

    ``facts`` are FACTS, ``amounts`` AMOUNTS as booked, ``placed`` PLACED. ``years`` are the account's balance and the
    ACCUMULATORS that each person-year starts with, ``first_year`` the number of their first row. ``plan`` is the row of
    each act's plan, ``kind`` as for the settle kernel (SKIP: not decided here), ``lenient`` 1 for an original under an
    assumed policy. A person's acts stand together, with every year they name.
    """

    facts: Sequence[Lane]
    amounts: Sequence[Lane]
    placed: Sequence[Lane]
    years: Sequence[Lane]
    first_year: int
    plan: Table
    kind: Flags
    lenient: Flags


class Recorded(NamedTuple):
    """Is what the log has of the same acts beside their amounts: deltas by ACCUMULATORS, some columns of HOW (``hows``
    numbers them), the balance after, and, to add them up, 1 for a refund and the number of the statement's line."""

    deltas: Sequence[Lane]
    hows: Sequence[int]
    how: Sequence[Lane]
    balc: Lane
    reversed: Lane
    line: Lane


class Changed(NamedTuple):
    """Is what acts come to under other plans: the first rows of each table are of the acts that change.

    ``rows`` numbers them; ``values`` [n, VALUES] has every act.
    """

    rows: Table
    code: Table
    booked: Table
    before: Table
    delta: Table
    balc: Table
    how: Table
    values: Table


def changed_tables(n: int) -> Changed:
    """Returns tables for a batch of ``n`` acts."""

    def table(*shape: int) -> Table:
        return np.empty(shape, np.int64)

    years, amounts = len(ACCUMULATORS), len(AMOUNTS)
    return Changed(
        table(n), table(n), table(n, amounts), table(n, years), table(n, years), table(n), table(n, len(HOW)),
        table(n, len(VALUES)),
    )  # fmt: skip


def check_acts(acts: Acts) -> int:
    """Returns the number of acts; raises ValueError where a lane or table has not as many rows, or another type."""
    n = len(acts.plan)
    groups = (("facts", acts.facts, FACTS), ("amounts", acts.amounts, AMOUNTS), ("placed", acts.placed, PLACED))
    for name, lanes, names in groups:
        check_rows(name, lanes, len(names), n)
    years = [len(lane) for lane in acts.years if not isinstance(lane, int)]
    check_rows("years", acts.years, 1 + len(ACCUMULATORS), min(years, default=0))
    for name, table, kind in (
        ("plan", acts.plan, np.int64),
        ("kind", acts.kind, np.int8),
        ("lenient", acts.lenient, np.int8),
    ):
        if table.dtype != kind or table.shape != (n,) or not table.flags.c_contiguous:
            raise ValueError(f"{name}: expected {n} contiguous {np.dtype(kind)}, got {table.dtype}{list(table.shape)}")
    return n


def year_rows(acts: Acts) -> int:
    """Returns how many person-years the acts have."""
    return min((len(lane) for lane in acts.years if not isinstance(lane, int)), default=0)


def check_rows(name: str, lanes: Sequence[Lane], count: int, n: int) -> None:
    """Raises ValueError where there are not ``count`` lanes of at least ``n`` rows."""
    if len(lanes) != count:
        raise ValueError(f"{name}: expected {count} lanes, got {len(lanes)}")
    for at, lane in enumerate(lanes):
        if isinstance(lane, int):
            continue
        if lane.dtype not in WIDTHS or lane.ndim != 1 or not lane.flags.c_contiguous or len(lane) < n:
            raise ValueError(
                f"{name} {at}: expected at least {n} contiguous int8, int16, int32 or int64,"
                f" got {lane.dtype}{list(lane.shape)}"
            )


def check_table(name: str, table: Table, rows: int, width: int) -> None:
    """Raises ValueError where a table is not writable int64[rows, width]."""
    if table.dtype != np.int64 or table.shape != (rows, width) or not table.flags.c_contiguous:
        raise ValueError(f"{name}: expected int64[{rows}, {width}], got {table.dtype}{list(table.shape)}")
