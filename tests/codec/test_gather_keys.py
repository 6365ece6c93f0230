"""Tests the keys that whole columns of claims get at once."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _gather as compiled
from core_ext.reference import gather as reference
from core_ext.text import texts_from_list, to_list
from ledger.key_columns import claim_streams, message_keys
from ledger.keys import claim_stream, message_key

TEXT = st.one_of(st.text("0123456789ABC", max_size=31), st.text(max_size=31), st.text("省A", min_size=30, max_size=30))


@settings(max_examples=200)
@given(rows=st.lists(st.tuples(st.integers(0, 10**12), TEXT), max_size=8))
def test_a_column_of_keys_is_the_key_of_each_claim(rows: list[tuple[int, str]]) -> None:
    """Streams and message keys formed at once are those formed one by one, by both kernels."""
    regions, ids = np.array([row[0] for row in rows], np.int64), texts_from_list([row[1] for row in rows])
    assert to_list(claim_streams(regions, ids)) == [claim_stream(*row) for row in rows]
    assert to_list(message_keys(ids)) == [message_key(row[1]) for row in rows]
    for own, specified in (
        (compiled.labelled(b"claim-", regions, 6, ids), reference.labelled(b"claim-", regions, 6, ids)),
        (compiled.middle_first(ids, 30, 12, 26), reference.middle_first(ids, 30, 12, 26)),
    ):
        assert own.offsets.tolist() == specified.offsets.tolist()
        assert own.data.tobytes() == specified.data.tobytes()


@pytest.mark.parametrize("kernel", [compiled, reference])
def test_what_cannot_be_a_key_is_refused(kernel: ModuleType) -> None:
    """A negative region, columns of different lengths and bounds outside a text are errors, not keys."""
    ids = texts_from_list(["S1", "S2"])
    with pytest.raises(ValueError, match="expected numbers from 0, got -1"):
        kernel.labelled(b"claim-", np.array([1, -1], np.int64), 6, ids)
    with pytest.raises(ValueError, match="expected as many numbers as texts, got 1 and 2"):
        kernel.labelled(b"claim-", np.array([1], np.int64), 6, ids)
    with pytest.raises(ValueError, match="expected a width from 0 to 18, got 19"):
        kernel.labelled(b"claim-", np.array([1, 2], np.int64), 19, ids)
    with pytest.raises(ValueError, match="expected 0 <= start <= stop <= size, got 3, 2, 30"):
        kernel.middle_first(ids, 30, 3, 2)
