"""Gives the replay kernel a batch of a segment as it lies, and says which persons it cannot decide at once."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.replaying import PLACED, Acts, Flags, Recorded
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE, SOURCE_UNCHECKED
from ledger.events import (
    BASIS_KERNEL,
    BASIS_REFUND,
    BASIS_RESETTLED,
    BASIS_SOURCE,
    FLAG_ASSUMED,
    FLAG_NOT_CHECKED,
)
from ledger.segments.shape import DELTAS, ODD, Ints
from ledger.stays.replaying import divided_rows

if TYPE_CHECKING:
    from ledger.segments.reading import Batch

Marks = npt.NDArray[np.bool_]

#: What of HOW comes out of deciding again; the rest was looked up, and is taken as it was recorded.
DECIDED = ("relation", "filing", "first_selfpay", "over_ceiling", "hosp_part_amt")

_KIND = np.full(256, SOURCE, np.int8)
_KIND[[BASIS_KERNEL, BASIS_SOURCE, BASIS_REFUND, BASIS_RESETTLED]] = (COMPUTE, SOURCE, REFUND, SKIP)
_HOWS = tuple(HOW.index(name) for name in DECIDED)
_HOW = tuple(f"how_{name}" for name in DECIDED)
_APART = ("carried", "gap", "how_limit")


def kinds_of(batch: "Batch") -> tuple[Flags, Flags]:
    """Returns what each act is to the kernel, and 1 for each that stands under an assumed policy."""
    basis, flags = batch.lane("basis"), np.asarray(batch.lane("flags"))
    kind = _KIND[np.asarray(basis, np.uint8)]
    lenient = np.zeros(len(kind), np.int8)
    if flags.any():
        kind[divided_rows(np.asarray(basis), flags)] = SKIP
        lenient[((flags & FLAG_ASSUMED) != 0) & (kind == COMPUTE)] = 1
        kind[((flags & FLAG_NOT_CHECKED) != 0) & (kind != REFUND) & (kind != SKIP)] = SOURCE_UNCHECKED
    return kind, lenient


def apart_of(batch: "Batch", kind: Flags) -> Marks | None:
    """Returns the acts of persons whose history is not unbroken, or not wholly in the columns; None where none is.

    Such are acts with others of other periods between them, booked anew, under a disease's limit, stays divided by
    their days, or given otherwise than booked.
    """
    found: Marks | None = None
    for name in _APART:
        lane = np.asarray(batch.lane(name))
        if lane.any():
            found = lane != 0 if found is None else found | (lane != 0)
    odd = batch.text(ODD).offsets
    for own in (kind == SKIP, None if odd[0] == odd[-1] else np.diff(odd) != 0):
        if own is not None and own.any():
            found = own if found is None else found | own
    return None if found is None else persons_with(batch.ints("token"), found)


def persons_with(token: Ints, marks: Marks) -> Marks:
    """Returns the rows of persons who have a marked row; rows lie in order of persons."""
    first = np.flatnonzero(np.concatenate([[True], token[1:] != token[:-1]]))
    holds: Marks = np.repeat(np.logical_or.reduceat(marks, first), np.diff(np.concatenate([first, [len(token)]])))
    return holds


def acts_of(batch: "Batch", plan: Ints, kind: Flags, lenient: Flags) -> Acts:
    """Returns a batch for the kernel; ``plan`` is the row of each act's plan."""
    return Acts(
        facts=[batch.lane(name) for name in FACTS],
        amounts=[batch.lane(name) for name in AMOUNTS],
        placed=[batch.present if name == "present" else batch.lane(name) for name in PLACED],
        years=[batch.year(name) for name in ("account", *ACCUMULATORS)],
        first_year=batch.first_year,
        plan=plan,
        kind=kind,
        lenient=lenient,
    )


def recorded_of(batch: "Batch") -> Recorded:
    """Returns what the log has of a batch's acts, to be held against what comes out."""
    return Recorded(
        deltas=[batch.lane(name) for name in DELTAS],
        hows=_HOWS,
        how=[batch.lane(name) for name in _HOW],
        balc=batch.lane("balc"),
        reversed=batch.lane("reversed"),
        line=batch.lane("line"),
    )
