"""Blocks of whole persons settle as all their claims at once, and claims that cannot be cut so are refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bench.blocks import person_blocks, run_blocks, settle_blocks
from bench.peers import frames, jit, narrow, rounds, sql
from bench.peers.workload import arrival, workload
from bench.settling import ColumnSettling, Settling, check_columns_alike
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
            settle_blocks(blocks, _settle.packed(claims.plans), threads)
        assert cut.results() == whole.results()


def test_claims_that_persons_share_are_not_cut(claims: Batch) -> None:
    """Rows not sorted by person, or a refund of another person's claim, are refused and not settled wrongly."""
    with pytest.raises(ValueError, match="sorted by person"):
        person_blocks(arrival(claims)[0], 2)
    ref = claims.ref.copy()
    ref[np.flatnonzero(claims.kind == REFUND)[-1]] = 0
    with pytest.raises(ValueError, match="refunds of the same person"):
        person_blocks(claims._replace(ref=ref), 4)


def test_every_side_comes_to_the_tables_of_the_full_formula() -> None:
    """Each peer and our columns, in any number of blocks and five times over, give what the full kernel books."""
    batch = workload(2_000, narrow=True, cities=11).batch
    whole = Settling(batch, _settle.settle)
    whole.run()
    columns, expected = narrow.columns_of(batch), narrow.amounts_of(whole.tables.booked)
    assert columns.refund.any()
    for peer in (frames, jit, rounds, sql):
        check_columns_alike(expected, peer.settle(columns))
    for times in (1, 5):
        for count in (1, 7):
            own = ColumnSettling(narrow.repeated(columns, times), count)
            own.begin()
            with ThreadPoolExecutor(2) as threads:
                run_blocks(own.blocks, threads)
            assert not own.code.any()
            check_columns_alike({name: np.tile(column, times) for name, column in expected.items()}, own.results)
    expected["pays"][7] += 1
    with pytest.raises(AssertionError, match="pays"):
        check_columns_alike(expected, rounds.settle(columns))
