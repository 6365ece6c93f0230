"""Checks the log against its tree and the tree against itself: a hash names the one event, or tile, that was altered.

A tile carries the root over its own hashes and, when full, that root stands in the tile above. So where a leaf
does not match its event, a tile at peace with its root says that the event was altered, and a tile that is not
says that the tile was.
"""

from itertools import combinations
from typing import TYPE_CHECKING

from projections.findings import Findings
from projections.log_scan import SELECT_ROWS, WideRow, cells
from projections.proof import SIZE, WIDTH, leaf_hashes, root_of

if TYPE_CHECKING:
    from ledger.store import Reader

#: Under an edited tile, at most so many altered events are told apart from it.
MOST_ALTERED = 3

SELECT_LEAVES = "SELECT number, hashes, root FROM proof_tile WHERE level = 0 AND number BETWEEN ? AND ? ORDER BY number"
SELECT_ROOTS = "SELECT number, root FROM proof_tile WHERE level = ? AND number >= ? AND number < ?"
SELECT_TILE = "SELECT hashes, root FROM proof_tile WHERE level = ? AND number = ?"
SELECT_ABOVE = "SELECT level, number FROM proof_tile WHERE level >= ? OR level < 0 ORDER BY level, number"
SELECT_TILES = (
    "SELECT number, hashes, root FROM proof_tile WHERE level = ? AND number >= ? AND number < ? ORDER BY number"
)
SELECT_OUTSIDE = (
    "SELECT number, LENGTH(hashes) FROM proof_tile WHERE level = ? AND (number < 0 OR number >= ?) ORDER BY number"
)

#: Tiles looked at together: at the lowest level some megabytes.
TILES = 256


class TreeChecks:
    """Is the checks of one verification against the tree over the first ``size`` events."""

    def __init__(self, reader: "Reader", size: int, found: Findings) -> None:
        self._reader = reader
        self._size = size
        self._found = found
        self._doubtful: set[int] = set()

    def check_leaves(self, rows: list[WideRow]) -> None:
        """Names the events of a page whose hash is not the one their leaf has."""
        if rows and rows[-1][0] > self._size:
            rows = [row for row in rows if row[0] <= self._size]
        if not rows:
            return
        low, high = (rows[0][0] - 1) // WIDTH, (rows[-1][0] - 1) // WIDTH
        tiles: dict[int, bytes] = {}
        for number, hashes, root in self._reader.query(SELECT_LEAVES, (low, high)):
            count = min(WIDTH, self._size - number * WIDTH)
            if len(hashes) == count * SIZE and root_of(hashes) == root:
                tiles[number] = hashes
            elif number not in self._doubtful:
                self._doubtful.add(number)
                if len(hashes) == count * SIZE:
                    self._check_doubtful(number, hashes, root)
        leaves = leaf_hashes(*(cells(rows, at) for at in range(5)))
        first = (rows[0][0] - 1 - low * WIDTH) * SIZE
        stored = b"".join(tiles.get(number, b"") for number in range(low, high + 1))
        # Nearly always this is all: a hash says its position too, so none stands in another's place.
        if len(tiles) == high - low + 1 and stored[first : first + len(leaves)] == leaves:
            return
        for row, leaf in zip(rows, _cut(leaves), strict=True):
            number, at = divmod(row[0] - 1, WIDTH)
            tile = tiles.get(number)
            if tile is not None and tile[at * SIZE : (at + 1) * SIZE] != leaf:
                self._altered(row, tile[at * SIZE : (at + 1) * SIZE], leaf)

    def _altered(self, row: WideRow, expected: bytes, got: bytes) -> None:
        self._found.name(row[0], f"{row[3]} version {row[4]}, {row[1]}")
        self._found.event(row[0], "altered-event", f"leaf {expected.hex()}", f"leaf {got.hex()}")

    def finish(self) -> None:
        """Names tiles that are edited, missing or too many, at every level."""
        level, entries = 0, self._size
        while entries:
            wanted = -(-entries // WIDTH)
            for first in range(0, wanted, TILES):
                self._check_tiles(level, range(first, min(first + TILES, wanted)), entries)
            for number, length in self._reader.query(SELECT_OUTSIDE, (level, wanted)):
                self._tile(level, number, "no row", f"{length // SIZE} hashes")
            entries //= WIDTH
            level += 1
        # The tree would come upon them once it has grown so high.
        for high, number in self._reader.query(SELECT_ABOVE, (level,)):
            self._tile(high, number, "no row", "a tile")

    def _check_tiles(self, level: int, numbers: range, entries: int) -> None:
        """Names what is wrong with some tiles of a level that has so many entries."""
        rows = self._reader.query(SELECT_TILES, (level, numbers.start, numbers.stop))
        held = {number: (hashes, root) for number, hashes, root in rows}
        below = self._roots(level - 1, numbers.start * WIDTH, numbers.stop * WIDTH) if level else {}
        for number in numbers:
            count = min(WIDTH, entries - number * WIDTH)
            if number not in held:
                self._tile(level, number, f"{count} hashes", "no row")
            else:
                self._check_tile(level, number, count, *held[number], below)

    def _roots(self, level: int, first: int, behind: int) -> dict[int, bytes]:
        return dict(self._reader.query(SELECT_ROOTS, (level, first, behind)))

    def _check_tile(
        self, level: int, number: int, count: int, hashes: bytes, root: bytes, below: dict[int, bytes]
    ) -> None:
        whole = len(hashes) == count * SIZE
        if whole and root_of(hashes) == root:
            first = number * WIDTH
            for at in range(count) if level else ():
                entry = hashes[at * SIZE : (at + 1) * SIZE]
                # A tile below that is not at peace with itself is a finding of its own.
                if first + at in below and below[first + at] != entry and not self._wrong_below(level - 1, first + at):
                    self._tile(level, number, f"hash {at} {below[first + at].hex()}", entry.hex())
                    return
            return
        got = root_of(hashes).hex() if whole else f"{len(hashes) // SIZE} hashes"
        self._tile(level, number, f"{count} hashes with root {root.hex()}", got)

    def _wrong_below(self, level: int, number: int) -> bool:
        rows = self._reader.query(SELECT_TILE, (level, number))
        if not rows:
            return False
        hashes, root = rows[0]
        return not hashes or len(hashes) % SIZE != 0 or root_of(hashes) != root

    def _check_doubtful(self, number: int, hashes: bytes, root: bytes) -> None:
        """Names the altered events under an edited tile: those without which the events would give its root."""
        low = number * WIDTH
        rows: dict[int, WideRow] = {
            row[0] - 1 - low: row for row in self._reader.query(SELECT_ROWS, (low, min(low + WIDTH, self._size)))
        }
        leaves = dict(zip(rows, _cut(leaf_hashes(*zip(*rows.values(), strict=True))), strict=True))
        stored = _cut(hashes)
        differ = [at for at, leaf in leaves.items() if at >= len(stored) or stored[at] != leaf]
        for altered in (some for count in range(len(differ) + 1) for some in combinations(differ, count)):
            tried = [leaves[at] if at in leaves and at not in altered else leaf for at, leaf in enumerate(stored)]
            if root_of(b"".join(tried)) == root:
                for at in altered:
                    self._altered(rows[at], stored[at], leaves[at])
                return
            if len(altered) >= MOST_ALTERED:
                return

    def _tile(self, level: int, number: int, expected: str, got: str) -> None:
        self._found.other("edited-row", f"proof_tile level={level} number={number}", expected, got)


def _cut(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + SIZE] for at in range(0, len(hashes), SIZE)]
