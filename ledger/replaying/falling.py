"""Says which corrections fall away: those of claims that are asked about themselves, and so are decided anew.

A claim stands in a segment as it was decided first. Where it is decided again here, what it was booked anew with since
is no part of what its person's later acts begin with, and a refund of it takes back what it comes to here.
"""

from typing import TYPE_CHECKING

import numpy as np

from ledger.events import BASIS_RESETTLED

if TYPE_CHECKING:
    from ledger.replaying.columns import Marks
    from ledger.segments.reading import Batch
    from ledger.segments.shape import Ints


def falling(batch: "Batch", asked: "Marks") -> "Marks":
    """Returns the acts of a batch that book anew a claim which is ``asked`` about in it."""
    own, basis = batch.ints("carried") == 0, batch.ints("basis")
    anew: Marks = own & (basis == BASIS_RESETTLED)
    if anew.any():
        claims = batch.ints("claim")[own & asked & (basis != BASIS_RESETTLED)]
        anew &= np.isin(batch.ints("original"), claims)
    return anew


def own_originals(batch: "Batch", ref: "Ints", asked: "Marks | None" = None) -> "Ints":
    """Returns the row of each refund's original where the batch has it as an act of its own, else as ``ref`` says.

    A claim that was booked anew stands a second time, for its refund, with what stood of it then. With ``asked`` only
    originals that are asked about are returned.
    """
    carried = batch.ints("carried")
    rows = np.flatnonzero(ref >= 0)
    rows = rows[carried[ref[rows]] != 0]
    if not len(rows):
        return ref
    claim = batch.ints("claim")
    mine = (carried == 0) & (batch.ints("basis") != BASIS_RESETTLED)
    own = np.flatnonzero(mine if asked is None else mine & asked)
    if not len(own):
        return ref
    order = own[np.argsort(claim[own], kind="stable")]
    wanted = claim[ref[rows]]
    at = np.minimum(np.searchsorted(claim[order], wanted), len(order) - 1)
    found = ref.copy()
    found[rows] = np.where(claim[order[at]] == wanted, order[at], ref[rows])
    return found
