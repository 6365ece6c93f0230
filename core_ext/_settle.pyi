import numpy as np
from numpy.typing import NDArray

class Packed:
    @property
    def shape(self) -> tuple[int, int]: ...
    def __len__(self) -> int: ...

def packed(plans: NDArray[np.int64]) -> Packed: ...
def settle(
    plans: NDArray[np.int64] | Packed,
    plan: NDArray[np.int64],
    facts: NDArray[np.int64],
    given: NDArray[np.int64],
    kind: NDArray[np.int64],
    ref: NDArray[np.int64],
    refunded: NDArray[np.int64],
    lenient: NDArray[np.int64],
    slot: NDArray[np.int64],
    state: NDArray[np.int64],
    account: NDArray[np.int64],
    accounts: NDArray[np.int64],
    code: NDArray[np.int64],
    booked: NDArray[np.int64],
    computed: NDArray[np.int64],
    before: NDArray[np.int64],
    delta: NDArray[np.int64],
    balc: NDArray[np.int64],
    how: NDArray[np.int64],
) -> None: ...
