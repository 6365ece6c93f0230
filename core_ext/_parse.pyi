import numpy as np
from numpy.typing import NDArray

from core_ext.cells import Cells, Parsed

def split(
    data: NDArray[np.uint8],
    begin: int,
    end: int,
    final: bool,
    delimiter: int,
    lead: int,
    cells: Cells,
    row: int,
) -> tuple[int, int]: ...
def parse(
    data: NDArray[np.uint8],
    cells: Cells,
    rows: int,
    columns: NDArray[np.int64],
    insutypes: NDArray[np.int64],
) -> Parsed: ...
