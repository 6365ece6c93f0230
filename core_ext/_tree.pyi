from collections.abc import Sequence

from core_ext.codec_fields import Encoded, Int64s
from core_ext.text import Texts

def leaf_hashes(
    positions: Sequence[int],
    topics: Sequence[str],
    states: Sequence[bytes],
    streams: Sequence[str],
    versions: Sequence[int],
) -> bytes: ...
def leaf_columns(
    streams: Texts, versions: Int64s, topics: Int64s, names: Sequence[str], states: Encoded, first: int
) -> bytes: ...
def root_of(hashes: bytes) -> bytes: ...
def use_portable(portable: bool) -> None: ...
