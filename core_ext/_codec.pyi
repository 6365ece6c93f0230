from collections.abc import Sequence

from core_ext._records import cut, grouped, rows
from core_ext.codec_fields import Chosen, Column, Encoded, Int64s, Source

__all__ = ["cut", "decode", "encode", "grouped", "rows"]

def encode(fields: Sequence[Source], rows: Int64s) -> Encoded: ...
def decode(layout: Sequence[str], states: Sequence[bytes] | Encoded | Chosen) -> list[Column]: ...
def use_portable(portable: bool) -> None: ...
