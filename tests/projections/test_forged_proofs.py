"""Proofs come out as others compute them, and no forged one passes: published vectors, an oracle, every tampering."""

import hashlib
import itertools
import random
from collections.abc import Iterator

import pymerkle
import pytest

from projections.proof import EMPTY_ROOT, SIZE, Tree, verify_consistency, verify_inclusion
from tests.projections.test_proof import LEAVES, ROOTS, tree_of

#: Audit paths of Certificate Transparency's test tree: (position, size) -> path.
INCLUSION = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (3, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (2, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
#: Its consistency proofs: (old, size) -> path.
CONSISTENCY = {
    (1, 1): (),
    (1, 8): INCLUSION[1, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def published() -> Tree:
    return tree_of([hashlib.sha256(b"\0" + leaf).digest() for leaf in LEAVES])


def test_published_proofs_come_out() -> None:
    """Certificate Transparency's test tree gives the published audit paths and consistency proofs, and they verify."""
    tree = published()
    for (position, size), path in INCLUSION.items():
        found = tree.inclusion(position, size)
        assert tuple(each.hex() for each in found) == path
        leaf = hashlib.sha256(b"\0" + LEAVES[position - 1]).digest()
        assert verify_inclusion(leaf, position, size, found, bytes.fromhex(ROOTS[size - 1]))
    for (old, size), path in CONSISTENCY.items():
        found = tree.consistency(old, size)
        assert tuple(each.hex() for each in found) == path
        assert verify_consistency(old, bytes.fromhex(ROOTS[old - 1]), size, bytes.fromhex(ROOTS[size - 1]), found)


def test_another_implementation_computes_the_same() -> None:
    """Roots and the hashes of every proof are those of an independent implementation, for every tree up to 70."""
    entries = [bytes([at]) * (at % 5) for at in range(70)]
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries:
        oracle.append_entry(entry)
    leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    tree = tree_of(leaves)
    for size in range(1, 71):
        assert tree.root(size) == oracle.get_root(size)
        for position in range(1, size + 1):
            theirs = {bytes.fromhex(each) for each in oracle.prove_inclusion(position, size).serialize()["path"]}
            assert {*tree.inclusion(position, size), leaves[position - 1]} == theirs
        for old in range(1, size):
            # Its consistency proofs are of another shape: it accepts our roots, and we accept ours between its roots.
            pymerkle.verify_consistency(tree.root(old), tree.root(size), oracle.prove_consistency(old, size))
            path = tree.consistency(old, size)
            assert verify_consistency(old, oracle.get_root(old), size, oracle.get_root(size), path)


def forgeries(path: list[bytes], rng: random.Random) -> Iterator[list[bytes]]:
    """Yields a path with a hash swapped with another, dropped, duplicated, replaced, added, and all reordered."""
    for a, b in itertools.combinations(range(len(path)), 2):
        swapped = list(path)
        swapped[a], swapped[b] = path[b], path[a]
        yield swapped
    for at in range(len(path)):
        yield path[:at] + path[at + 1 :]
        yield path[: at + 1] + path[at:]
        yield [*path[:at], rng.randbytes(SIZE), *path[at + 1 :]]
        flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
        yield [*path[:at], flipped, *path[at + 1 :]]
    for at in range(len(path) + 1):
        yield [*path[:at], rng.randbytes(SIZE), *path[at:]]
    if len(path) > 1:
        yield path[::-1]
        yield []


def test_no_forged_inclusion_passes() -> None:
    """Swapped, dropped, duplicated, replaced, added or reordered hashes, another place, size or root: all refused."""
    rng = random.Random(3)
    leaves = [rng.randbytes(SIZE) for _ in range(33)]
    tree, tried = tree_of(leaves), 0
    for size in range(1, 34):
        root = tree.root(size)
        for position in range(1, size + 1):
            path = tree.inclusion(position, size)
            leaf = leaves[position - 1]
            assert verify_inclusion(leaf, position, size, path, root)
            for forged in forgeries(path, rng):
                assert forged == path or not verify_inclusion(leaf, position, size, forged, root)
                tried += 1
            for other in range(-1, size + 3):
                assert other == position or not verify_inclusion(leaf, other, size, path, root)
            for inner in path[:1]:
                # A node passed off as a leaf: an inner hash with its shorter path.
                assert not verify_inclusion(inner, position, size, path[1:], root)
            assert not verify_inclusion(leaf, position, 0, path, root)
            assert not verify_inclusion(leaf, position, 0, [], EMPTY_ROOT)
    assert tried > 5_000


def test_no_forged_consistency_passes() -> None:
    """The same for consistency: no tampered path, wrong size or empty tree counts as a beginning of the log."""
    rng = random.Random(4)
    leaves = [rng.randbytes(SIZE) for _ in range(33)]
    tree, tried = tree_of(leaves), 0
    for size in range(2, 34):
        root = tree.root(size)
        for old in range(1, size + 1):
            path, old_root = tree.consistency(old, size), tree.root(old)
            assert verify_consistency(old, old_root, size, root, path)
            for forged in forgeries(path, rng):
                assert forged == path or not verify_consistency(old, old_root, size, root, forged)
                tried += 1
            for other in range(1, size + 1):
                if other != old:
                    assert not verify_consistency(other, old_root, size, root, path)
            assert not verify_consistency(0, EMPTY_ROOT, size, root, path)
            assert not verify_consistency(0, EMPTY_ROOT, size, root, [])
            assert not verify_consistency(size, root, old, old_root, path) or old == size
    assert tried > 5_000


@pytest.mark.parametrize("size", [0, -1])
def test_the_empty_tree_proves_nothing(size: int) -> None:
    """Nothing is in the empty tree, whatever root or path is shown."""
    assert published().root(0) == EMPTY_ROOT
    assert not verify_inclusion(EMPTY_ROOT, 1, size, [], EMPTY_ROOT)
    assert not verify_consistency(size, EMPTY_ROOT, size, EMPTY_ROOT, [])
