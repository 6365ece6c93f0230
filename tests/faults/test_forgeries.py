"""Many forged proofs, beside ``tests/projections/test_forged_proofs.py``: none passes, careless eyes pass some."""

from collections.abc import Sequence

from projections.proof import EMPTY_ROOT, SIZE, node_hash, verify_consistency, verify_inclusion
from tests.faults.plan import drawn, report, times
from tests.projections.test_forged_proofs import forgeries
from tests.projections.test_proof import tree_of


def careless_inclusion(leaf: bytes, position: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Returns whether a path leads from a leaf to a root, whatever its place and length: not enough."""
    hashes = {leaf}
    for sibling in path:
        hashes = {node_hash(*pair) for each in hashes for pair in ((each, sibling), (sibling, each))}
    return root in hashes


def test_no_forged_proof_passes() -> None:
    """Proofs of random trees, swapped, dropped, duplicated, reordered, replaced, of a wrong size, place or root, or of
    the empty tree: no forged inclusion and no forged consistency is believed."""
    rng, tried, careless = drawn("forgeries"), 0, 0
    for _ in range(times(60, 2_000)):
        size = rng.randrange(1, 5_000) if rng.random() < 0.3 else rng.randrange(1, 40)
        leaves = [rng.randbytes(SIZE) for _ in range(size)]
        tree = tree_of(leaves)
        root, position = tree.root(size), rng.randrange(1, size + 1)
        path, leaf = tree.inclusion(position, size), leaves[position - 1]
        assert verify_inclusion(leaf, position, size, path, root)
        for forged in forgeries(path, rng):
            tried += 1
            assert forged == path or not verify_inclusion(leaf, position, size, forged, root)
        other = rng.randrange(1, size + 1)
        for claim in ((leaf, other, size), (leaves[other - 1], position, size)):
            if other != position:
                tried += 1
                assert not verify_inclusion(*claim, path, root)
                careless += careless_inclusion(*claim, path, root)
        for wrong_size, wrong_root in ((0, EMPTY_ROOT), (-1, root), (0, root)):
            tried += 1
            assert not verify_inclusion(leaf, position, wrong_size, path, wrong_root)
        old = rng.randrange(1, size + 1)
        proof, old_root = tree.consistency(old, size), tree.root(old)
        assert verify_consistency(old, old_root, size, root, proof)
        for forged in forgeries(proof, rng):
            tried += 1
            assert forged == proof or not verify_consistency(old, old_root, size, root, forged)
        for claim in (
            (0, EMPTY_ROOT, size, root),
            (old, rng.randbytes(SIZE), size, root),
            (size + 1, root, size, root),
        ):
            tried += 1
            assert not verify_consistency(*claim, proof)
    report("forged proofs", tried=tried, believed=0, believed_by_careless_eyes=careless)
    # The canary: eyes that check the hashes and not the place believe a true path of another position.
    assert careless > 0
