"""Keeps the runs of a store few: many are merged into their tables, those that a job leaves behind are folded."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ledger.store.runs import (
    ACCOUNT_RUNS,
    COUNT,
    FEW_RUNS,
    FOLDED_ROWS,
    MOST_RUNS,
    YEAR_RUNS,
    fold_numbers,
    merge_numbers,
)
from ledger.store.text_runs import MESSAGE_RUNS, NUMBER_RUNS, fold_texts, merge_texts

if TYPE_CHECKING:
    from ledger.store.link import Row
    from ledger.store.store import Store

Work = Callable[["Store"], None]

#: Every table of runs: how it is merged into its table, and how it is folded.
KINDS: dict[str, tuple[Work, Work]] = {
    **{
        each.name: (partial(merge_numbers, runs=each), partial(fold_numbers, runs=each))
        for each in (YEAR_RUNS, ACCOUNT_RUNS)
    },
    **{
        each.name: (partial(merge_texts, runs=each), partial(fold_texts, runs=each))
        for each in (MESSAGE_RUNS, NUMBER_RUNS)
    },
}

SELECT_COUNTS = f"SELECT {', '.join(COUNT.format(name) for name in KINDS)}"
SELECT_SPANS = "SELECT first, last, LENGTH(keys) / 8 FROM {}"


def merge_runs(store: "Store", beyond: int = 0) -> None:
    """Writes what runs have into their tables, where more than ``beyond`` runs of one stand.

    Some thousand rows a transaction, others may append in between; killed anywhere it has changed nothing that
    anybody reads, and is done again by whoever merges next.
    """
    with store.read() as reader:
        (counts,) = reader.query(SELECT_COUNTS)
    for (merge, _), count in zip(KINDS.values(), counts, strict=True):
        if count > beyond:
            merge(store)


def tidy_runs(store: "Store") -> None:
    """Leaves no key behind that more than FEW_RUNS runs of a table could have: such runs are folded.

    Where they have too many rows for that, or are more than MOST_RUNS, they are merged: the runs of many small jobs,
    each of days of its own, never lie over each other.
    """
    with store.read() as reader:
        spans = [reader.query(SELECT_SPANS.format(name)) for name in KINDS]
    for (merge, fold), found in zip(KINDS.values(), spans, strict=True):
        deep = _most_beside(found) > FEW_RUNS
        if len(found) > MOST_RUNS or (deep and sum(rows for _, _, rows in found) > FOLDED_ROWS):
            merge(store)
        elif deep:
            fold(store)


def _most_beside(found: "Sequence[Row]") -> int:
    """Returns the most runs, given as (first key, last key, rows), that could have one and the same key."""
    if not found:
        return 0
    first, last, _ = np.array(found, np.int64).T
    # Where most of them lie over each other, one of them begins.
    return int(((first <= first[:, None]) & (first[:, None] <= last)).sum(axis=1).max())
