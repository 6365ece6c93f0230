"""Defines one call of the settle kernel for both its twins: its tables, the kinds of row and why one is refused."""

from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.plan import PLAN

Table: TypeAlias = NDArray[np.int64]

SKIP, COMPUTE, SOURCE, REFUND, SOURCE_UNCHECKED = 0, 1, 2, 3, 4

# Numbers of ledger.refusals.Refusal, which this package may not import; a test keeps them equal.
NO_POLICY = 13
NEGATIVE_WITHOUT_INIT = 17
REFUND_UNKNOWN = 18
REFUND_TWICE = 19
REFUND_MISMATCH = 20
IDENTITY_I1 = 21
IDENTITY_I2 = 22
IDENTITY_I3 = 23
IDENTITY_I5 = 24
ARITHMETIC_OVERFLOW = 25


class Plans(Protocol):
    """Is plans as ``packed`` of either twin gives them, for as many calls of ``settle`` as name no other plan."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns (plans, columns of a plan)."""

    def __len__(self) -> int:
        """Returns the number of plans."""


class Batch(NamedTuple):
    """Is the tables of one call of ``settle``, which explains each."""

    plans: Table
    plan: Table
    facts: Table
    given: Table
    kind: Table
    ref: Table
    refunded: Table
    lenient: Table
    slot: Table
    state: Table
    account: Table
    accounts: Table
    code: Table
    booked: Table
    computed: Table
    before: Table
    delta: Table
    balc: Table
    how: Table


_WIDTHS = {
    "plans": len(PLAN),
    "facts": len(FACTS),
    "given": len(AMOUNTS),
    "booked": len(AMOUNTS),
    "computed": len(AMOUNTS),
    "state": len(ACCUMULATORS),
    "before": len(ACCUMULATORS),
    "delta": len(ACCUMULATORS),
    "how": len(HOW),
}
_OPEN_ENDED = ("plans", "state", "accounts")
_WITH_ORIGINALS = ("facts", "given", "refunded", "lenient", "booked", "delta")
#: Tables that may have no row: then nobody asks for them and they are not written.
UNASKED = ("computed", "before", "balc", "how")


def check_shapes(batch: Batch) -> None:
    """Raises ValueError, naming the table, where one has not the rows and columns the others ask for."""
    n, tail = len(batch.plan), len(batch.facts)
    if tail < n:
        raise ValueError(f"facts: expected at least {n} rows, got {tail}")
    for name, table in zip(Batch._fields, batch, strict=True):
        rows = len(table) if name in _OPEN_ENDED else tail if name in _WITH_ORIGINALS else n
        shape = (rows, _WIDTHS[name]) if name in _WIDTHS else (rows,)
        if table.shape != shape and not (name in UNASKED and table.shape == (0, *shape[1:])):
            raise ValueError(f"{name}: expected shape {shape}, got {table.shape}")


def check_plans(plans: Table) -> None:
    """Raises ValueError where plans are not rows of the columns of PLAN."""
    if plans.ndim != 2 or plans.shape[1] != _WIDTHS["plans"]:
        raise ValueError(f"plans: expected shape {(len(plans), _WIDTHS['plans'])}, got {plans.shape}")
