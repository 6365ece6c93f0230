"""Runs the settle kernels over a workload again and again, each time from the same beginning."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core_ext.settling import Batch

#: What a call changes and the next one must find as it was.
CHANGED = ("refunded", "state", "accounts", "code")
RESULTS = (*CHANGED, "booked", "computed", "before", "delta", "balc", "how")


Settle = Callable[..., None]


class Settling:
    """Is a workload with tables of its own to settle it in, which are in memory from the start.

    Without ``outputs`` of its own it writes to the workload's: where a second set would be gigabytes.
    """

    def __init__(self, workload: Batch, settle: Settle, *, outputs: bool = True) -> None:
        self._workload = workload
        self._settle = settle
        own = RESULTS if outputs else CHANGED
        self.tables = workload._replace(**{name: getattr(workload, name).copy() for name in own})

    def begin(self) -> None:
        """Makes every table a call changes what it was; results of the last call stay until they are overwritten."""
        for name in CHANGED:
            np.copyto(getattr(self.tables, name), getattr(self._workload, name))

    def run(self) -> None:
        """Settles the workload once; ``begin`` goes before."""
        self._settle(*self.tables)

    def results(self) -> str:
        """Returns SHA-256 over every table the call filled or changed, in hexadecimal."""
        return digest(getattr(self.tables, name) for name in RESULTS)


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
