"""Finds what refunds refund: the original settlement, in the same batch or in the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, FACTS, HOW
from core_ext.text import Texts, text_at, texts_from_list
from ledger.events import BASIS_KERNEL, FLAG_ASSUMED, ClaimFiled, ClaimSettled
from ledger.keys import YEARS, claim_stream
from ledger.mapper import decode_event
from ledger.resettled import standing_of

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.knowledge import Knowledge
    from ledger.store import Reader

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Originals:
    """Is, for each claim of a batch, its original, and behind them the originals that came from the log.

    ``ref`` is a row of the batch, or n + an index into ``positions``; -1 for no original. ``slot_of`` is the
    (person of the batch, year) an original from the log was counted in, -1 where there is none. ``other`` marks a
    refund that names another person, place, institution or insurance than its original, ``clawed_back`` one whose
    original's funds have money back already. ``assumed`` marks an original whose amounts a refund need
    not know: the kernel decided it under an assumed policy, or it was booked anew with others. ``pools`` is the
    insurance type whose pool paid it, 0 its own. ``stood`` is the position of the act that it stands by: its own
    ClaimFiled, or the ClaimResettled that booked it anew last.
    """

    ref: Ints
    slot_of: Ints
    other: npt.NDArray[np.bool_]
    clawed_back: npt.NDArray[np.bool_]
    positions: list[int]
    facts: Ints
    booked: Ints
    delta: Ints
    flags: Ints
    assumed: Ints
    refunded: Ints
    policies: list[bytes]
    pools: list[int]
    stood: list[int]


#: The facts that say whose money a settlement moved, besides the person: a refund moves the same.
SAME = tuple(FACT[name] for name in ("insured_region", "treatment_region", "insutype"))


def load_originals(tx: "Reader", batch: "Batch", knowledge: "Knowledge") -> Originals:
    """Returns the originals of a batch's refunds; one query for all that are not in the batch itself."""
    n = batch.n
    found = _Found(np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_))
    rows = [row for row in np.flatnonzero(batch.columns.refund).tolist() if row not in batch.duplicate_of]
    wanted: dict[int, str] = {}
    if rows:
        regions, named = batch.facts[:, FACT["insured_region"]], batch.columns.texts["init_setl_id"]
        asked = {row: claim_stream(int(regions[row]), text_at(named, row)) for row in rows}
        # Only a row that may book can be refunded, and only one of a key may.
        here: dict[str, int] = {}
        streams, may_stand = set(asked.values()), batch.may_stand()
        for row in _named_by(batch.stream_texts, sorted(streams)).tolist():
            if may_stand[row]:
                here.setdefault(text_at(batch.stream_texts, row), row)
        for row, stream in asked.items():
            at = here.get(stream, n)
            if at < row:
                found.ref[row] = at
                institution = text_at(batch.columns.texts["fixmedins_code"], at)
                found.other[row] = _other(batch, row, institution, batch.facts[at].tolist()) or bool(
                    batch.person[at] != batch.person[row]
                )
            else:
                wanted[row] = stream
    return _from_log(tx, batch, wanted, found, knowledge)


def _named_by(texts: Texts, names: list[str]) -> Ints:
    """Returns the rows whose text is one of the names, in order."""
    both = load("gather").gather(
        (texts_from_list(names), texts),
        np.concatenate([np.zeros(len(names), np.int64), np.ones(len(texts.offsets) - 1, np.int64)]),
        np.concatenate([np.arange(len(names)), np.arange(len(texts.offsets) - 1)]),
    )
    numbers, _ = load("index").number_texts(Texts(*both))
    # The first texts have the first numbers.
    rows: Ints = np.flatnonzero(numbers[len(names) :] < len(names))
    return rows


class _Found(NamedTuple):
    """Is what is known of each claim's original so far."""

    ref: Ints
    slot_of: Ints
    other: npt.NDArray[np.bool_]
    clawed_back: npt.NDArray[np.bool_]


def _other(batch: "Batch", row: int, institution: str, facts: list[int]) -> bool:
    """Returns whether a refund names another place, institution or insurance than the facts of its original."""
    own = batch.facts[row]
    return any(own[at] != facts[at] for at in SAME) or (
        text_at(batch.columns.texts["fixmedins_code"], row) != institution
    )


def _from_log(tx: "Reader", batch: "Batch", wanted: dict[int, str], found: _Found, knowledge: "Knowledge") -> Originals:
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
        facts = [getattr(claim, name) for name in FACTS]
        person = claim.token == batch.person_tokens[batch.person[row]]
        found.ref[row] = batch.n + tails[position]
        found.other[row] = not person or _other(batch, row, claim.fixmedins_code, facts)
        found.clawed_back[row] = any(knowledge.recovered.get(position, ()))
    now = standing_of(tx, {position: (claim, decision) for position, claim, decision in settled})
    changed = [now[position][0].amounts != decision.amounts for position, _, decision in settled]
    settled = [(position, claim, now[position][0]) for position, claim, _ in settled]
    for row in np.flatnonzero((found.ref >= batch.n) & ~found.other).tolist():
        found.slot_of[row] = int(batch.person[row]) * YEARS + settled[int(found.ref[row]) - batch.n][2].year
    positions = [position for position, _, _ in settled]
    reversed_by = tx.reversals(positions) if positions else {}
    m = len(settled)
    return Originals(
        found.ref,
        found.slot_of,
        found.other,
        found.clawed_back,
        positions,
        _table([[getattr(claim, name) for name in FACTS] for _, claim, _ in settled], m, len(FACTS)),
        _table([list(decision.amounts) for _, _, decision in settled], m, len(AMOUNTS)),
        _table([list(decision.delta) for _, _, decision in settled], m, len(ACCUMULATORS)),
        np.array([decision.flags for _, _, decision in settled], np.int64),
        np.array([a or assumed_by_kernel(each[2]) for a, each in zip(changed, settled, strict=True)], np.int64),
        np.array([position in reversed_by for position in positions], np.int64),
        [decision.policy for _, _, decision in settled],
        [pool_of(decision.how) for _, _, decision in settled],
        [now[position][1] or position for position in positions],
    )


def pool_of(how: Sequence[int]) -> int:
    """Returns the insurance type whose pool paid, 0 the claim's own; ``how`` of an older event may end before it."""
    at = HOW.index("pool")
    return how[at] if at < len(how) else 0


def hospital_of(how: Sequence[int]) -> int:
    """Returns the hospital's share beside the claim's own, fen; 0 for an older event, which ends before it."""
    at = HOW.index("hosp_part_amt")
    return how[at] if at < len(how) else 0


def assumed_by_kernel(decision: ClaimSettled) -> bool:
    """Returns whether the amounts are the kernel's under an assumed policy: a source's refund cannot know them."""
    return decision.basis == BASIS_KERNEL and bool(decision.flags & FLAG_ASSUMED)


def _table(rows: list[list[int]], n: int, width: int) -> Ints:
    return np.array(rows, np.int64).reshape(n, width)
