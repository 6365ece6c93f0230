"""Holds many texts as one buffer of UTF-8 bytes and the offsets that cut it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.kernels import load


class Texts(NamedTuple):
    """Is a column of texts: text ``i`` is ``data[offsets[i]:offsets[i + 1]]``, UTF-8."""

    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]


def texts_from_list(values: Sequence[str | bytes]) -> Texts:
    """Returns the texts as one buffer; bytes are taken as they are."""
    raws = [value.encode() if isinstance(value, str) else value for value in values]
    offsets = np.zeros(len(raws) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, raws), dtype=np.int64, count=len(raws)), out=offsets[1:])
    return Texts(offsets, np.frombuffer(b"".join(raws), dtype=np.uint8))


def text_at(texts: Texts, i: int) -> str:
    """Returns text ``i``; raises UnicodeDecodeError where its bytes are not UTF-8."""
    return texts.data[texts.offsets[i] : texts.offsets[i + 1]].tobytes().decode()


def texts_taken(texts: Texts, rows: NDArray[np.int64]) -> Texts:
    """Returns the texts that ``rows`` names, in that order."""
    return Texts(*load("gather").gather((texts,), np.zeros(len(rows), np.int64), rows))


def to_list(texts: Texts) -> list[str]:
    """Returns every text; raises UnicodeDecodeError where bytes are not UTF-8."""
    found: list[str] = load("gather").to_list(texts)
    return found
