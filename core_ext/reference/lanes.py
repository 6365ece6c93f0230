"""Is the specification of the lanes kernel: narrow columns to wide rows, and wide rows held against narrow columns.

A *lane* is one column of a segment: a contiguous array of int8, int16, int32 or int64, or one int that stands in
every row. ``core_ext._lanes`` does the same without the interpreter's lock.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import int64s

Lane: TypeAlias = "NDArray[np.signedinteger] | int"

WIDTHS = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64))


def check_lanes(lanes: Sequence[Lane], start: int, stop: int, table: NDArray[np.int64]) -> None:
    """Checks that rows ``start`` up to ``stop`` of the lanes fit the table int64[stop - start, len(lanes)].

    Raises ValueError for another shape or type, or a range outside a lane.
    """
    int64s("table", table, 2)
    if not 0 <= start <= stop or table.shape != (stop - start, len(lanes)):
        raise ValueError(
            f"table: expected shape {(stop - start, len(lanes))} for rows {start} to {stop}, got {table.shape}"
        )
    for at, lane in enumerate(lanes):
        if isinstance(lane, int):
            if not -(2**63) <= lane < 2**63:
                raise ValueError(f"lane {at}: expected a constant within 64 bits, got {lane}")
            continue
        if lane.dtype not in WIDTHS or lane.ndim != 1 or not lane.flags.c_contiguous or len(lane) < stop:
            raise ValueError(
                f"lane {at}: expected at least {stop} contiguous int8, int16, int32 or int64,"
                f" got {lane.dtype}{list(lane.shape)}"
            )


def check_marks(marks: NDArray[np.uint8], start: int, stop: int) -> None:
    """Checks that there is one writable mark a row; raises ValueError otherwise."""
    if marks.dtype != np.uint8 or marks.shape != (stop - start,) or not marks.flags.writeable:
        raise ValueError(f"marks: expected {stop - start} writable uint8, got {marks.dtype}{list(marks.shape)}")


def rows(lanes: Sequence[Lane], start: int, stop: int, out: NDArray[np.int64]) -> None:
    """Fills ``out`` [stop - start, len(lanes)] with rows ``start`` up to ``stop`` of the lanes."""
    check_lanes(lanes, start, stop, out)
    for at, lane in enumerate(lanes):
        for row in range(start, stop):
            out[row - start, at] = lane if isinstance(lane, int) else int(lane[row])


def differing(lanes: Sequence[Lane], start: int, stop: int, table: NDArray[np.int64], marks: NDArray[np.uint8]) -> int:
    """Marks (sets to 1) each row of ``table`` that is not what the lanes hold; returns how many rows are marked now.

    Rows marked before stay marked, so that several tables of one block share their marks.
    """
    check_lanes(lanes, start, stop, table)
    check_marks(marks, start, stop)
    for at, lane in enumerate(lanes):
        for row in range(start, stop):
            if int(table[row - start, at]) != (lane if isinstance(lane, int) else int(lane[row])):
                marks[row - start] = 1
    return int(marks.sum())
