from collections.abc import Sequence

def leaf_hashes(
    positions: Sequence[int],
    topics: Sequence[str],
    states: Sequence[bytes],
    streams: Sequence[str],
    versions: Sequence[int],
) -> bytes: ...
def root_of(hashes: bytes) -> bytes: ...
def use_portable(portable: bool) -> None: ...
