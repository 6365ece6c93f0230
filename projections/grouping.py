"""Groups columns of integers and texts and sums their values, through the fold kernel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core_ext.kernels import load
from core_ext.text import Texts

Int64s = NDArray[np.int64]


def padded(texts: Texts, least: int = 0) -> tuple[Int64s, NDArray[np.uint8]]:
    """Returns lengths, and each text's bytes uint8[n, w] with zeros behind them; w is a multiple of eight."""
    lengths = np.diff(texts.offsets)
    n = len(lengths)
    width = (max(least, int(lengths.max(initial=0))) + 7) // 8 * 8
    cells = np.zeros((n, width), np.uint8)
    # The cells under the mask, row by row, are the buffer's bytes in order.
    cells[np.arange(width) < lengths[:, None]] = texts.data[texts.offsets[0] : texts.offsets[-1]]
    return lengths, cells


def text_words(texts: Texts) -> Int64s:
    """Returns each text as integers, equal where and only where the texts are: its length, then its bytes by eight."""
    lengths, cells = padded(texts)
    return np.column_stack([lengths, cells.view(np.int64).reshape(len(lengths), cells.shape[1] // 8)])


def group_sums(keys: Int64s, values: Int64s) -> tuple[Int64s, Int64s]:
    """Returns (first, sums): the first row of each distinct key and the sums of its rows.

    ``keys`` int64[n, k], ``values`` int64[n, v]; raises OverflowError where a sum leaves 64 bits.
    """
    kernel: Any = load("fold")
    group, first = kernel.group(np.ascontiguousarray(keys))
    sums = np.zeros((len(first), values.shape[1]), np.int64)
    kernel.fold(group, np.ascontiguousarray(values), sums)
    return first, sums
