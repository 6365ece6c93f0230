from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext._settle import Packed

def settle(
    plans: NDArray[np.int64] | Packed,
    plan: NDArray[np.int64],
    kind: NDArray[np.int64],
    ref: NDArray[np.int64],
    slot: NDArray[np.int64],
    money: Sequence[NDArray[np.int64]],
    years: NDArray[np.int64],
    holder: NDArray[np.int64],
    accounts: NDArray[np.int64],
    code: NDArray[np.uint8],
    booked: Sequence[NDArray[np.int64]],
) -> None: ...
def use_lanes(most: int) -> None: ...
