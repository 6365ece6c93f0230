"""Specifies how bytes of a CSV file become records and cells (RFC 4180).

Nothing a file may hold raises: a record that fails has a shape that says so.
"""

import numpy as np
from numpy.typing import NDArray

from core_ext import cells as c
from core_ext.cells import Cells, cut_record
from core_ext.defusing import undone


def split(
    data: NDArray[np.uint8],
    begin: int,
    end: int,
    final: bool,
    delimiter: int,
    lead: int,
    cells: Cells,
    row: int,
) -> tuple[int, int]:
    """Cuts the records of ``data[begin:end]`` into ``cells`` from ``row`` on; returns (next row, rest's begin).

    Stops where the table is full or no whole record is left; ``final`` says that nothing follows ``end``. CR, LF
    and CRLF end a record, empty lines are none. The first ``lead`` cells of a record are dropped, and where there
    are any, the others are freed of what a quarantine file put around them (``core_ext.defusing``). Cells that
    become shorter by that or by doubled quotes are rewritten in place.
    """
    raw = data[:end].tobytes()
    rows, columns = cells.starts.shape
    while row < rows:
        while begin < end and raw[begin] in c.LINE_ENDS:
            begin += 1
        if begin == end:
            break
        stop, bounds, sound, ended = cut_record(raw, begin, end, delimiter)
        if not ended and not final:
            break
        cells.records[row] = begin, stop
        cells.starts[row], cells.ends[row] = 0, 0
        whole = len(bounds) == lead + columns
        cells.shape[row] = c.BAD_QUOTES if not sound else c.WHOLE if whole else c.WRONG_COUNT
        if sound and whole:
            for at, (first, last, quoted) in enumerate(bounds[lead:]):
                cell = raw[first:last]
                cell = cell.replace(b'""', b'"') if quoted else cell
                cell = undone(cell) if lead else cell
                # What is left behind a shorter cell is blanked, so that the record can still be checked as a whole.
                data[first:last] = np.frombuffer(cell.ljust(last - first), np.uint8)
                cells.starts[row, at], cells.ends[row, at] = first, first + len(cell)
        row, begin = row + 1, stop
    return row, begin
