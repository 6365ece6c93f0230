import numpy as np
from numpy.typing import NDArray

from core_ext.cells import Cells
from core_ext.line_cells import LineCells

Int64s = NDArray[np.int64]

def read(data: NDArray[np.uint8], cells: Cells, rows: int, columns: Int64s) -> LineCells: ...
def split(
    table: Int64s, full: Int64s, caps: Int64s, slots: Int64s, taken: Int64s, maximum: Int64s
) -> tuple[Int64s, Int64s]: ...
def pack(table: Int64s, starts: Int64s) -> tuple[Int64s, NDArray[np.uint8]]: ...
def unpack(packed: bytes, columns: int) -> Int64s: ...
