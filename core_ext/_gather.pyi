from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext.text import Texts

def gather(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.uint8]]],
    part: NDArray[np.int64],
    index: NDArray[np.int64],
) -> Texts: ...
def to_list(texts: tuple[NDArray[np.int64], NDArray[np.uint8]]) -> list[str]: ...
def labelled(
    label: bytes, numbers: NDArray[np.int64], width: int, texts: tuple[NDArray[np.int64], NDArray[np.uint8]]
) -> Texts: ...
def middle_first(texts: tuple[NDArray[np.int64], NDArray[np.uint8]], size: int, start: int, stop: int) -> Texts: ...
