import numpy as np
from numpy.typing import NDArray

def join(
    mine_codes: NDArray[np.int64],
    mine_texts: tuple[NDArray[np.int64], NDArray[np.uint8]],
    your_codes: NDArray[np.int64],
    your_texts: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
def differ(
    mine: NDArray[np.int64], yours: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64]
) -> NDArray[np.int64]: ...
def differ_texts(
    mine: tuple[NDArray[np.int64], NDArray[np.uint8]],
    yours: tuple[NDArray[np.int64], NDArray[np.uint8]],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
) -> NDArray[np.uint8]: ...
