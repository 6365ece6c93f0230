"""Is the specification of the gather kernel: texts put in a new order, out of several columns, or taken one by one."""

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
