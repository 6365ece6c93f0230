"""Forms the keys of whole columns of claims: each is what ``ledger.keys`` forms of one claim."""

import numpy as np
from numpy.typing import NDArray

from core_ext.kernels import load
from core_ext.text import Texts


def claim_streams(regions: NDArray[np.int64], setl_ids: Texts) -> Texts:
    """Returns the streams of claims, each as ``claim_stream`` forms it."""
    return Texts(*load("gather").labelled(b"claim-", regions, 6, setl_ids))


def message_keys(msgids: Texts) -> Texts:
    """Returns the keys of message ids, each as ``message_key`` forms it."""
    return Texts(*load("gather").middle_first(msgids, 30, 12, 26))
