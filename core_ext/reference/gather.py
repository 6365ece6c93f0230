"""Is the specification of the gather kernel: texts put in a new order, out of several columns, or taken one by one.

It also forms keys out of columns: a number and a text put together, and a text whose middle goes first.
"""

from collections.abc import Sequence
from itertools import pairwise

from core_ext.codec_fields import Bytes, Int64s, texts_checked
from core_ext.text import Texts, texts_from_list


def gather(parts: Sequence[tuple[Int64s, Bytes]], part: Int64s, index: Int64s) -> Texts:
    """Returns the texts ``parts[part[k]][index[k]]`` for each k, as one buffer.

    Raises ValueError for a part or an index there is not.
    """
    if len(part) != len(index):
        raise ValueError(f"expected as many parts as indexes, got {len(part)} and {len(index)}")
    sizes = [texts_checked(f"part {at}", *texts) for at, texts in enumerate(parts)]
    picked = []
    for k, (which, at) in enumerate(zip(part.tolist(), index.tolist(), strict=True)):
        if not 0 <= which < len(parts) or not 0 <= at < sizes[which]:
            raise ValueError(f"item {k}: expected a text of one of {len(parts)} parts, got text {at} of part {which}")
        offsets, data = parts[which]
        picked.append(data[offsets[at] : offsets[at + 1]].tobytes())
    return texts_from_list(picked)


def to_list(texts: tuple[Int64s, Bytes]) -> list[str]:
    """Returns every text; raises UnicodeDecodeError where bytes are not UTF-8."""
    texts_checked("texts", *texts)
    data, offsets = texts[1].tobytes(), texts[0].tolist()
    return [data[a:b].decode() for a, b in pairwise(offsets)]


def labelled(label: bytes, numbers: Int64s, width: int, texts: tuple[Int64s, Bytes]) -> Texts:
    """Returns ``label``, each number in at least ``width`` digits, ``-`` and each text, as one buffer.

    Raises ValueError for a negative number, a width beyond 0…18 and columns of different lengths.
    """
    n = texts_checked("texts", *texts)
    if len(numbers) != n:
        raise ValueError(f"expected as many numbers as texts, got {len(numbers)} and {n}")
    if not 0 <= width <= 18:
        raise ValueError(f"expected a width from 0 to 18, got {width}")
    data, offsets = texts[1].tobytes(), texts[0].tolist()
    formed = []
    for number, (a, b) in zip(numbers.tolist(), pairwise(offsets), strict=True):
        if number < 0:
            raise ValueError(f"expected numbers from 0, got {number}")
        formed.append(label + f"{number:0{width}d}-".encode() + data[a:b])
    return texts_from_list(formed)


def middle_first(texts: tuple[Int64s, Bytes], size: int, start: int, stop: int) -> Texts:
    """Returns the texts of ``size`` characters with characters ``start`` to ``stop`` put in front, others unchanged.

    ``0 <= start <= stop <= size``; raises ValueError for other bounds, UnicodeDecodeError where bytes are not UTF-8.
    """
    if not 0 <= start <= stop <= size:
        raise ValueError(f"expected 0 <= start <= stop <= size, got {start}, {stop}, {size}")
    return texts_from_list(
        [text[start:stop] + text[:start] + text[stop:] if len(text) == size else text for text in to_list(texts)]
    )
