from collections.abc import Iterator, Sequence

from core_ext.codec_fields import Encoded, Int64s
from core_ext.text import Texts

def cut(encoded: Encoded) -> list[bytes]: ...
def rows(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first_id: int
) -> list[tuple[int, str, int, str, bytes]]: ...
def grouped(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first_id: int, per: int
) -> Iterator[tuple[int | str | bytearray, ...]]: ...
def copy_pieces(
    streams: Texts,
    versions: Int64s,
    topics: Int64s,
    names: Sequence[str],
    states: Encoded,
    first_id: int,
    per: int,
    head: bytes,
    tail: bytes,
) -> Iterator[bytes]: ...
def integers(text: bytes) -> Int64s: ...
def named(text: bytes, names: list[str]) -> Int64s: ...
def pack_arrays(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first_id: int
) -> tuple[bytes, bytes, bytes, bytes, bytes]: ...
def pack_texts(values: Sequence[str]) -> bytes: ...
