from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext.reference.lanes import Lane

def rows(lanes: Sequence[Lane], start: int, stop: int, out: NDArray[np.int64]) -> None: ...
def differing(
    lanes: Sequence[Lane], start: int, stop: int, table: NDArray[np.int64], marks: NDArray[np.uint8]
) -> int: ...
