"""The log's tree is RFC 6962's: known roots, and proofs that hold for what is there and for nothing else."""

import hashlib
import random

import pytest

import projections
from ledger.events import ClaimFiled
from ledger.mapper import encode_event
from projections import proof
from projections.proof import SIZE, WIDTH, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion
from tests.projections.books import full_book

#: The leaves and roots of Certificate Transparency's own test tree, sizes 1 to 8.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def naive_root(leaves: list[bytes]) -> bytes:
    """Returns MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def tree_of(leaves: list[bytes]) -> Tree:
    """Returns a tree over leaves kept in tiles."""
    tiles: dict[tuple[int, int], bytes] = {}
    level, entries = 0, leaves
    while entries:
        cut = [entries[at : at + WIDTH] for at in range(0, len(entries), WIDTH)]
        tiles |= {(level, number): b"".join(tile) for number, tile in enumerate(cut)}
        entries = [proof.root_of(b"".join(tile)) for tile in cut if len(tile) == WIDTH]
        level += 1
    return Tree(len(leaves), lambda level, number: tiles.get((level, number), b""))


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots_come_out(size: int) -> None:
    """The tree of Certificate Transparency's test leaves has the published roots."""
    leaves = [hashlib.sha256(b"\0" + leaf).digest() for leaf in LEAVES[:size]]
    assert tree_of(leaves).root().hex() == naive_root(leaves).hex() == ROOTS[size - 1]


def test_tiles_give_the_root_of_any_size() -> None:
    """Roots read from tiles equal the definition, below, at and beyond the edges of tiles and of levels."""
    rng = random.Random(1)
    leaves = [rng.randbytes(SIZE) for _ in range(WIDTH * WIDTH + 3 * WIDTH + 5)]
    tree = tree_of(leaves)
    for size in (1, 2, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, len(leaves)):
        assert tree.root(size) == naive_root(leaves[:size])


def test_proofs_hold_for_what_is_there_and_for_nothing_else() -> None:
    """Inclusion and consistency verify in every small tree; another leaf, place, size or root does not."""
    rng = random.Random(2)
    leaves = [rng.randbytes(SIZE) for _ in range(40)]
    tree = tree_of(leaves)
    for size in range(1, 41):
        root = tree.root(size)
        for position in range(1, size + 1):
            path = tree.inclusion(position, size)
            assert verify_inclusion(leaves[position - 1], position, size, path, root)
            assert not verify_inclusion(leaves[position % 40], position, size, path, root)
            assert not verify_inclusion(leaves[position - 1], position, size, path, tree.root(size % 40 + 1))
            assert not verify_inclusion(leaves[position - 1], size + 1, size, path, root)
        for old in range(1, size + 1):
            path = tree.consistency(old, size)
            assert verify_consistency(old, tree.root(old), size, root, path)
            assert not verify_consistency(old, b"\0" * SIZE, size, root, path)
            assert not verify_consistency(old, tree.root(old), size, b"\0" * SIZE, path)


def test_the_log_is_proven_across_tiles(store_url: str) -> None:
    """Every event is provably in the log, and an earlier root provably its beginning."""
    book = full_book(seed=5, claims=300)
    book.save(store_url)
    leaves = [
        leaf_hash(position, stream, version, event.TOPIC, encode_event(event))
        for position, (stream, version, event) in enumerate(book.log, 1)
    ]
    assert len(leaves) > 2 * WIDTH
    with projections.open(store_url) as read:
        size, root = read.root()
        assert (size, root) == (len(leaves), naive_root(leaves))
        for position in (1, 2, WIDTH, WIDTH + 1, size):
            path = read.inclusion(position)
            assert verify_inclusion(leaves[position - 1], position, size, path, root)
        old = WIDTH + 7
        assert read.root(old) == (old, naive_root(leaves[:old]))
        assert verify_consistency(old, read.root(old)[1], size, root, read.consistency(old))
        with pytest.raises(ValueError, match="expected a position from 1 to"):
            read.inclusion(size + 1)
        with pytest.raises(ValueError, match="expected a size from 0 to"):
            read.root(size + 1)


def test_a_leaf_covers_everything_an_event_is() -> None:
    """Position, stream, version, topic and state each change the leaf; so does moving a byte between them."""
    leaf = leaf_hash(7, "claim-260100-S1", 1, ClaimFiled.TOPIC, b"\x93")
    others = [
        leaf_hash(8, "claim-260100-S1", 1, ClaimFiled.TOPIC, b"\x93"),
        leaf_hash(7, "claim-260100-S2", 1, ClaimFiled.TOPIC, b"\x93"),
        leaf_hash(7, "claim-260100-S1", 2, ClaimFiled.TOPIC, b"\x93"),
        leaf_hash(7, "claim-260100-S1", 1, "claim-filed/2", b"\x93"),
        leaf_hash(7, "claim-260100-S1", 1, ClaimFiled.TOPIC, b"\x94"),
        leaf_hash(7, "claim-260100-S", 1, ClaimFiled.TOPIC, b"1\x93"),
    ]
    assert leaf not in others
    framing = b"\0" + (7).to_bytes(8, "big") + (1).to_bytes(8, "big") + b"\0\x0dclaim-filed/1\0\x0fclaim-260100-S1\x93"
    assert leaf == hashlib.sha256(framing).digest()
