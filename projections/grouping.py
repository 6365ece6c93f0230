"""Groups columns of integers and texts and sums their values, through the fold kernel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core_ext.kernels import load
from core_ext.text import Texts

Int64s = NDArray[np.int64]


def text_words(texts: Texts) -> Int64s:
    """Returns each text as integers, equal where and only where the texts are: its length, then its bytes by eight."""
    lengths = np.diff(texts.offsets)
    n = len(lengths)
    words = int(lengths.max() + 7) // 8 if n else 0
    padded = np.zeros((n, words * 8), np.uint8)
    # The cells under the mask, row by row, are the buffer's bytes in order.
    padded[np.arange(words * 8) < lengths[:, None]] = texts.data[texts.offsets[0] : texts.offsets[-1]]
    return np.column_stack([lengths, padded.view(np.int64).reshape(n, words)])


def group_sums(keys: Int64s, values: Int64s) -> tuple[Int64s, Int64s]:
    """Returns (first, sums): the first row of each distinct key and the sums of its rows.

    ``keys`` int64[n, k], ``values`` int64[n, v]; raises OverflowError where a sum leaves 64 bits.
    """
    kernel: Any = load("fold")
    group, first = kernel.group(np.ascontiguousarray(keys))
    sums = np.zeros((len(first), values.shape[1]), np.int64)
    kernel.fold(group, np.ascontiguousarray(values), sums)
    return first, sums
