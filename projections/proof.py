"""Keeps an RFC 6962 Merkle tree over the log: leaf i is the event at position i + 1.

``core_ext.reference.tree`` says what a leaf and a node are. Hashes lie in tiles of 256: tile (L, i) holds the roots
of the perfect subtrees of 256**L leaves from number 256 * i, and beside them the root over what it holds, so that an
edited tile and an edited event can be told apart. The last tile of each level is partial: together they are the
frontier.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from core_ext.kernels import load
from ledger.refusals import StoreError
from projections.pages import Page
from projections.tables import Change, Mode, ReadModel, Table, change_of

if TYPE_CHECKING:
    from ledger.store import Reader

TILE = Table("proof_tile", ("level", "number"), ("hashes", "root"), Mode.REPLACE, {"hashes": "blob", "root": "blob"})

WIDTH = 256
SIZE = 32
EMPTY_ROOT = sha256(b"").digest()

SELECT_TILE = "SELECT hashes FROM proof_tile WHERE level = ? AND number = ?"

Fetch = Callable[[int, int], bytes]


def leaf_hash(position: int, stream: str, version: int, topic: str, state: bytes) -> bytes:
    """Returns the leaf of one event, 32 bytes."""
    return leaf_hashes([position], [topic], [state], [stream], [version])


def leaf_hashes(
    positions: Sequence[int],
    topics: Sequence[str],
    states: Sequence[bytes],
    streams: Sequence[str],
    versions: Sequence[int],
) -> bytes:
    """Returns the leaves of events given as columns, 32 bytes each, one behind the other."""
    leaves: bytes = load("tree").leaf_hashes(positions, topics, states, streams, versions)
    return leaves


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the node over two hashes."""
    return sha256(b"\1" + left + right).digest()


def root_of(hashes: bytes) -> bytes:
    """Returns the RFC 6962 root over concatenated hashes, each the root of an equally deep perfect subtree."""
    root: bytes = load("tree").root_of(hashes)
    return root


def fold(reader: "Reader", page: Page) -> list[Change]:
    """Returns the tiles that a page's events fill or begin, at every level; needs a wide page and the tiles so far."""
    return grow(reader, page.after, page.leaves)


def roots_within(after: int, leaves: bytes) -> dict[int, bytes]:
    """Returns the roots, by number, of the tiles that leaves alone fill; the first of them stands behind ``after``."""
    whole = range(-(-after // WIDTH), (after + len(leaves) // SIZE) // WIDTH)
    begins = ((number, (number * WIDTH - after) * SIZE) for number in whole)
    return {number: root_of(leaves[begin : begin + WIDTH * SIZE]) for number, begin in begins}


def grow(reader: "Reader", after: int, leaves: bytes, roots: Mapping[int, bytes] | None = None) -> list[Change]:
    """Returns the tiles that leaves fill or begin, at every level; the first of them stands behind ``after``.

    ``roots`` are what ``roots_within`` found of some of them.
    """
    known = roots or {}
    entries = leaves
    start = after
    tiles: list[tuple[int, int, bytes, bytes]] = []
    level = 0
    while entries:
        number, filled = divmod(start, WIDTH)
        hashes = _partial(reader, level, number, filled) + entries
        full, start = [], number
        for at in range(0, len(hashes), WIDTH * SIZE):
            tile = hashes[at : at + WIDTH * SIZE]
            root = (known.get(number) if level == 0 else None) or root_of(tile)
            tiles.append((level, number, tile, root))
            if len(tile) == WIDTH * SIZE:
                full.append(root)
            number += 1
        entries = b"".join(full)
        level += 1
    return [change_of(TILE, tiles)]


MODEL = ReadModel("proof", 1, (TILE,), fold, wide=True)


def _partial(reader: "Reader", level: int, number: int, filled: int) -> bytes:
    if not filled:
        return b""
    rows = reader.query(SELECT_TILE, (level, number))
    hashes = bytes(rows[0][0]) if rows else b""
    if len(hashes) != filled * SIZE:
        raise StoreError(
            f"proof_tile level {level}, number {number}: expected {filled} hashes,"
            f" got {len(hashes) // SIZE}: run rebuild"
        )
    return hashes


class Tree:
    """Is the tree over the first ``size`` events, read through ``fetch(level, number) -> hashes`` of a tile."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self.size = size
        self._fetch = fetch
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self, size: int | None = None) -> bytes:
        """Returns the root over the first ``size`` events (None: all); the empty tree's is SHA-256 of nothing."""
        size = self._within(self.size if size is None else size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, position: int, size: int | None = None) -> list[bytes]:
        """Returns the audit path (RFC 6962 §2.1.1) of the event at ``position`` in the tree of ``size`` events."""
        size = self._within(self.size if size is None else size)
        if not 1 <= position <= size:
            raise ValueError(f"expected a position from 1 to {size}, got {position}")
        path, low, high, leaf = [], 0, size, position - 1
        while high - low > 1:
            middle = low + _split(high - low)
            if leaf < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """Returns the proof (RFC 6962 §2.1.2) that the tree of ``old`` events is the beginning of that of ``size``."""
        size = self._within(self.size if size is None else size)
        if not 1 <= old <= size:
            raise ValueError(f"expected an old size from 1 to {size}, got {old}")
        path, low, high, whole = [], 0, size, True
        while old < high:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        if not whole:
            path.append(self._range(low, high))
        return path[::-1]

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"expected a size from 0 to {self.size}, got {size}")
        return size

    def _range(self, low: int, high: int) -> bytes:
        """Returns the root over leaves low…high-1; low is a multiple of the power of two at or above high - low."""
        count = high - low
        if count & (count - 1) == 0:
            return self._perfect(low, count.bit_length() - 1)
        middle = low + _split(count)
        return node_hash(self._range(low, middle), self._range(middle, high))

    def _perfect(self, low: int, depth: int) -> bytes:
        level, inside = divmod(depth, 8)
        entry = low >> (8 * level)
        number, at = divmod(entry, WIDTH)
        tile = self._tiles.get((level, number))
        if tile is None:
            tile = self._tiles[level, number] = self._fetch(level, number)
        hashes = tile[at * SIZE : (at + (1 << inside)) * SIZE]
        if len(hashes) != SIZE << inside:
            raise StoreError(
                f"proof_tile level {level}, number {number}: expected a hash that is not there: run rebuild"
            )
        return root_of(hashes)


def tree_of(reader: "Reader", size: int) -> Tree:
    """Returns the tree over the first ``size`` events, read from the store's tiles."""

    def fetch(level: int, number: int) -> bytes:
        rows = reader.query(SELECT_TILE, (level, number))
        return bytes(rows[0][0]) if rows else b""

    return Tree(size, fetch)


def _split(count: int) -> int:
    """Returns the largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def verify_inclusion(leaf: bytes, position: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Returns whether ``leaf`` stands at ``position`` in the tree of (size, root), by RFC 9162 §2.1.3.2."""
    at, last = position - 1, size - 1
    if not 0 <= at <= last:
        return False
    found = leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and found == root


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Returns whether the tree of (size, root) begins with that of (old, old_root), by RFC 9162 §2.1.4.2."""
    if not 1 <= old <= size:
        return False
    if old == size:
        return not path and old_root == root
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == root
