"""Runs the settle kernels over a workload again and again, each time from the same beginning."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.narrow import RESULTS as AMOUNTS_OF_COLUMNS
from bench.peers.narrow import Columns, years_for
from core_ext import _basic
from core_ext.settling import Batch, Plans, Table

#: What a call changes and the next one must find as it was.
CHANGED = ("refunded", "state", "accounts", "code")
RESULTS = (*CHANGED, "booked", "computed", "before", "delta", "balc", "how")


Settle = Callable[..., None]


class Settling:
    """Is a workload with tables of its own to settle it in, which are in memory from the start.

    ``plans`` are its plans packed, where not every call is to pack them. Without ``outputs`` of its own it writes to
    the workload's: where a second set would be gigabytes.
    """

    def __init__(self, workload: Batch, settle: Settle, *, outputs: bool = True, plans: Plans | None = None) -> None:
        self._workload = workload
        self._settle = settle
        self._plans = workload.plans if plans is None else plans
        own = RESULTS if outputs else CHANGED
        self.tables = workload._replace(**{name: getattr(workload, name).copy() for name in own})

    def begin(self) -> None:
        """Makes every table a call changes what it was; results of the last call stay until they are overwritten."""
        for name in CHANGED:
            np.copyto(getattr(self.tables, name), getattr(self._workload, name))

    def run(self) -> None:
        """Settles the workload once; ``begin`` goes before."""
        self._settle(self._plans, *self.tables[1:])

    def results(self) -> str:
        """Returns SHA-256 over every table the call filled or changed, in hexadecimal."""
        return digest(getattr(self.tables, name) for name in RESULTS)


class ColumnSettling:
    """Is claims of the basic formula with columns of their own to settle them into, in memory from the start.

    ``blocks`` calls settle as many blocks of whole persons, one after the other or each on a thread.
    """

    def __init__(self, columns: Columns, blocks: int = 1) -> None:
        n, persons = len(columns), len(columns.balances)
        self.results = {name: np.full(n, -7, np.int64) for name in AMOUNTS_OF_COLUMNS}
        self.code = np.full(n, 255, np.uint8)
        self.years, self.accounts = years_for(persons), columns.balances.copy()
        self._columns = columns
        starts = np.flatnonzero(np.concatenate([[True], np.diff(columns.person) > 0]))
        cuts = np.unique(starts[np.searchsorted(starts, np.arange(blocks) * n // blocks, side="right") - 1]).tolist()
        self.blocks = [self._block(begin, end) for begin, end in zip(cuts, [*cuts[1:], n], strict=True)]

    def _block(self, begin: int, end: int) -> Callable[[], None]:
        """Returns the call that settles rows of whole persons, whose refunds are of the same rows."""
        columns = self._columns
        rows, low, high = slice(begin, end), int(columns.person[begin]), int(columns.person[end - 1]) + 1
        ref = np.where(columns.refund[rows], columns.ref[rows] - begin, -1)
        slot, holder = columns.person[rows] - low, np.arange(high - low)
        money, booked = [each[rows] for each in columns.money], [each[rows] for each in self.results.values()]
        years, accounts = self.years[low:high], self.accounts[low:high]

        def settle() -> None:
            _basic.settle(
                columns.plans, columns.plan[rows], columns.kind[rows], ref, slot, money, years, holder, accounts,
                self.code[rows], booked,
            )  # fmt: skip

        return settle

    def begin(self) -> None:
        """Makes every year and account what it was."""
        self.years.fill(0)
        np.copyto(self.accounts, self._columns.balances)

    def run(self) -> None:
        """Settles every block once; ``begin`` goes before."""
        for settle in self.blocks:
            settle()


def check_columns_alike(expected: dict[str, Table], got: dict[str, Table]) -> None:
    """Raises AssertionError, naming it, where a column is not what it should be."""
    for name in AMOUNTS_OF_COLUMNS:
        assert np.array_equal(expected[name], got[name]), name


def check_alike(own: Settling, other: Settling) -> None:
    """Settles both once from the beginning; raises AssertionError where their results differ."""
    for settling in (other, own):
        settling.begin()
        settling.run()
    assert own.results() == other.results()


def first_claims(workload: Batch, claims: int) -> Batch:
    """Returns the first claims of a workload, whose persons' later ones are left out."""
    whole = ("plans", "state", "accounts")
    return workload._replace(
        **{name: table[:claims] for name, table in workload._asdict().items() if name not in whole}
    )


def digest(tables: Iterable[NDArray[Any]]) -> str:
    """Returns SHA-256 over tables, in hexadecimal."""
    found = hashlib.sha256()
    for table in tables:
        found.update(repr(table.shape).encode())
        found.update(np.ascontiguousarray(table).data)
    return found.hexdigest()
