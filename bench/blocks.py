"""Cuts a call of the settle kernel into blocks of whole persons and settles them on threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from core_ext import _settle
from core_ext.settling import Batch

_WHOLE = ("plans", "state", "accounts")


def person_blocks(batch: Batch, count: int) -> list[Batch]:
    """Returns at most ``count`` batches of nearly as many rows each, views of the same tables but for ``ref``.

    Rows are sorted by person, each person's years, account and refunds are its own: so blocks of whole persons touch
    nothing in common. Raises ValueError where rows are not sorted so or a refund names another person's claim.
    """
    n = len(batch.plan)
    if len(batch.facts) != n or (np.diff(batch.account) < 0).any() or (np.diff(batch.slot) < 0).any():
        raise ValueError("expected rows sorted by person and none behind them")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(batch.account) > 0]))
    wanted = np.arange(count) * n // count
    cuts = np.unique(starts[np.searchsorted(starts, wanted, side="right") - 1])
    blocks = []
    for begin, end in zip(cuts.tolist(), [*cuts[1:].tolist(), n], strict=True):
        rows = {name: table[begin:end] for name, table in batch._asdict().items() if name not in _WHOLE}
        named = rows["ref"] >= 0
        if (rows["ref"][named] < begin).any() or (rows["ref"][named] >= end).any():
            raise ValueError(f"expected refunds of the same person in rows {begin} to {end}, got others")
        rows["ref"] = np.where(named, rows["ref"] - begin, -1)
        blocks.append(batch._replace(**rows))
    return blocks


def settle_blocks(blocks: Sequence[Batch], plans: _settle.Packed, threads: Executor) -> None:
    """Settles blocks under plans packed for all of them on the threads of an executor and waits for all."""
    for done in [threads.submit(_settle.settle, plans, *block[1:]) for block in blocks]:
        done.result()


def run_blocks(calls: Sequence[Callable[[], None]], threads: Executor) -> None:
    """Makes calls on the threads of an executor and waits for all of them."""
    for done in [threads.submit(call) for call in calls]:
        done.result()
