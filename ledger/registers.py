"""Looks registers up by day for a batch: who is enrolled, and which off-site filings count (DOMAIN section 10)."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import FACT

if TYPE_CHECKING:
    from ledger.store import Transaction

Ints = npt.NDArray[np.int64]

#: Filing types as FilingRegistered.filing stores them; type t counts as bit t - 1 of a mask.
FILINGS = {"long_term": 1, "referral": 2, "emergency": 3, "temporary": 4}

#: The classes a settlement may be decided under (HOW ``filing``).
FILING_CLASSES = ("", "long_term", "no_filing_needed", "referral", "emergency", "temporary", "unfiled")


def load_members(tx: "Transaction", tokens: Ints) -> tuple[Ints, Ints]:
    """Returns (enrolled 0/1, assistance class) for each token; token 0 is nobody."""
    enrolled = np.zeros(len(tokens), np.int64)
    assist = np.zeros(len(tokens), np.int64)
    known = np.flatnonzero(tokens > 0)
    found = tx.lookup("member", "token", "assist_class", tokens[known]) if len(known) else []
    if found:
        at, classes = zip(*found, strict=True)
        index = known[np.array(at, np.int64)]
        enrolled[index] = 1
        assist[index] = classes
    return enrolled, assist


def filing_masks(tx: "Transaction", facts: Ints) -> Ints:
    """Returns, for each claim, the filing types that count: its person's, its treatment region's, sharing a day.

    A filing without an end never ends; one filed late but before discharge shares the discharge day, so it counts.
    """
    masks = np.zeros(len(facts), np.int64)
    away = facts[:, FACT["insured_region"]] != facts[:, FACT["treatment_region"]]
    rows = np.flatnonzero(away & (facts[:, FACT["token"]] > 0))
    if not len(rows):
        return masks
    persons, person_of = np.unique(facts[rows, FACT["token"]], return_inverse=True)
    filings = np.array(tx.lookup("filing", "token", "filing, region, begin, to_", persons), np.int64).reshape(-1, 5)
    if not len(filings):
        return masks
    filings = filings[np.argsort(filings[:, 0], kind="stable")]
    first = np.searchsorted(filings[:, 0], person_of, "left")
    count = np.searchsorted(filings[:, 0], person_of, "right") - first
    pair_row = np.repeat(rows, count)
    within = np.arange(len(pair_row)) - np.repeat(np.cumsum(count) - count, count)
    pair = filings[np.repeat(first, count) + within]
    counts = (
        (pair[:, 2] == facts[pair_row, FACT["treatment_region"]])
        & (pair[:, 3] <= facts[pair_row, FACT["enddate"]])
        & ((pair[:, 4] == 0) | (pair[:, 4] >= facts[pair_row, FACT["begndate"]]))
    )
    np.bitwise_or.at(masks, pair_row[counts], np.int64(1) << (pair[counts, 1] - 1))
    return masks
