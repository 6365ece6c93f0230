"""Blocks of whole persons settle as all their claims at once, and claims that cannot be cut so are refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bench.blocks import person_blocks, settle_blocks
from bench.peers.workload import arrival, workload
from bench.settling import Settling
from core_ext import _settle
from core_ext.settling import REFUND, Batch


@pytest.fixture(scope="module")
def claims() -> Batch:
    """Returns a few thousand claims sorted by person, refunds among them."""
    return workload(3_000, narrow=False, cities=11).batch


def test_blocks_on_threads_are_one_batch(claims: Batch) -> None:
    """However many blocks the claims are cut into, every table comes out the same."""
    whole = Settling(claims, _settle.settle)
    whole.run()
    assert (claims.kind == REFUND).any()
    for count in (1, 2, 7, 5_000):
        cut = Settling(claims, _settle.settle)
        blocks = person_blocks(cut.tables, count)
        assert sum(len(block.plan) for block in blocks) == len(claims.plan)
        assert len(blocks) <= count
        with ThreadPoolExecutor(2) as threads:
            settle_blocks(blocks, threads)
        assert cut.results() == whole.results()


def test_claims_that_persons_share_are_not_cut(claims: Batch) -> None:
    """Rows not sorted by person, or a refund of another person's claim, are refused and not settled wrongly."""
    with pytest.raises(ValueError, match="sorted by person"):
        person_blocks(arrival(claims)[0], 2)
    ref = claims.ref.copy()
    ref[np.flatnonzero(claims.kind == REFUND)[-1]] = 0
    with pytest.raises(ValueError, match="refunds of the same person"):
        person_blocks(claims._replace(ref=ref), 4)
