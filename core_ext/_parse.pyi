import numpy as np
from numpy.typing import NDArray

from core_ext.cells import Cells, Parsed

def parse(
    data: NDArray[np.uint8],
    cells: Cells,
    rows: int,
    columns: NDArray[np.int64],
    insutypes: NDArray[np.int64],
) -> Parsed: ...
