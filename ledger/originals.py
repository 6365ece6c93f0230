"""Finds what refunds refund: the original settlement, in the same batch or in the log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, FACTS
from core_ext.text import text_at
from ledger.events import ClaimFiled, ClaimSettled
from ledger.keys import YEARS, claim_stream
from ledger.mapper import decode_event

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.store import Transaction

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Originals:
    """Is, for each claim of a batch, its original, and behind them the originals that came from the log.

    ``ref`` is a row of the batch, or n + an index into ``positions``; -1 for no original. ``slot_of`` is the
    (person of the batch, year) an original from the log was counted in, -1 where there is none.
    """

    ref: Ints
    slot_of: Ints
    other_person: npt.NDArray[np.bool_]
    positions: list[int]
    facts: Ints
    booked: Ints
    delta: Ints
    flags: Ints
    refunded: Ints
    policies: list[bytes]


def load_originals(tx: "Transaction", batch: "Batch") -> Originals:
    """Returns the originals of a batch's refunds; one query for all that are not in the batch itself."""
    n = batch.n
    ref = np.full(n, -1, np.int64)
    slot_of = np.full(n, -1, np.int64)
    other = np.zeros(n, np.bool_)
    rows = [row for row in np.flatnonzero(batch.columns.refund).tolist() if row not in batch.duplicate_of]
    wanted: dict[int, str] = {}
    if rows:
        here = {stream: row for row, stream in enumerate(batch.streams) if row not in batch.duplicate_of}
        for row in rows:
            region = int(batch.facts[row, FACT["insured_region"]])
            stream = claim_stream(region, text_at(batch.columns.texts["init_setl_id"], row))
            at = here.get(stream, n)
            if at < row:
                ref[row] = at
                other[row] = batch.person[at] != batch.person[row]
            else:
                wanted[row] = stream
    return _from_log(tx, batch, wanted, ref, slot_of, other)


def _from_log(
    tx: "Transaction",
    batch: "Batch",
    wanted: dict[int, str],
    ref: Ints,
    slot_of: Ints,
    other: npt.NDArray[np.bool_],
) -> Originals:
    """Adds the originals that stand in the log; two refunds of one original share its tail row."""
    filed = tx.first_events(sorted(set(wanted.values()))) if wanted else {}
    decisions = tx.events_at([position + 1 for position, _ in filed.values()]) if filed else {}
    tails: dict[int, int] = {}
    settled: list[tuple[int, ClaimFiled, ClaimSettled]] = []
    for row, stream in wanted.items():
        hit = filed.get(stream)
        if hit is None:
            continue
        position, state = hit
        _, _, topic, decided = decisions[position + 1]
        if topic != ClaimSettled.TOPIC:
            continue
        claim, decision = decode_event(ClaimFiled.TOPIC, state), decode_event(topic, decided)
        assert isinstance(claim, ClaimFiled) and isinstance(decision, ClaimSettled)
        if position not in tails:
            tails[position] = len(settled)
            settled.append((position, claim, decision))
        ref[row] = batch.n + tails[position]
        other[row] = claim.token != batch.facts[row, FACT["token"]]
        slot_of[row] = -1 if other[row] else int(batch.person[row]) * YEARS + decision.year
    positions = [position for position, _, _ in settled]
    reversed_by = tx.reversals(positions) if positions else {}
    m = len(settled)
    return Originals(
        ref,
        slot_of,
        other,
        positions,
        _table([[getattr(claim, name) for name in FACTS] for _, claim, _ in settled], m, len(FACTS)),
        _table([list(decision.amounts) for _, _, decision in settled], m, len(AMOUNTS)),
        _table([list(decision.delta) for _, _, decision in settled], m, len(ACCUMULATORS)),
        np.array([decision.flags for _, _, decision in settled], np.int64),
        np.array([position in reversed_by for position in positions], np.int64),
        [decision.policy for _, _, decision in settled],
    )


def _table(rows: list[list[int]], n: int, width: int) -> Ints:
    return np.array(rows, np.int64).reshape(n, width)
