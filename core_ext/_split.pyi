import numpy as np
from numpy.typing import NDArray

from core_ext.cells import Cells

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
