"""Draws up the cases of a review's violations and of a seeded sample, as acts that open them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import AMOUNT, FACT
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.casework.acts import Act
from ledger.casework.docket import case_states
from ledger.events import ClaimFiled, ClaimSettled
from ledger.mapper import decode_event
from ledger.supervision.events import ViolationFound
from ledger.supervision.reviewing import violations_of

if TYPE_CHECKING:
    from ledger.store import Reader


def acts_from_review(
    reader: "Reader", recovered: Mapping[int, Sequence[int]], period: int, owner: str, on: int, rule: str = ""
) -> list[Act]:
    """Returns one opening an institution for a period's open violations (of one rule where one is given)."""
    lines: dict[int, dict[tuple[int, int], int]] = {}
    streams: dict[int, list[str]] = {}
    for stream, (_, _, event) in sorted(violations_of(reader, period).items()):
        if not isinstance(event, ViolationFound) or rule not in ("", event.rule):
            continue
        for claim, filed, index, fen in event.charges:
            own = lines.setdefault(claim, {})
            own[filed, index] = max(own.get((filed, index), 0), fen)
            streams.setdefault(claim, []).append(stream)
    claims: dict[tuple[str, int], list[tuple[str, int]]] = {}
    named: dict[tuple[str, int], list[str]] = {}
    positions = sorted(lines)
    events = reader.events_at([at for claim in positions for at in (claim, claim + 1)])
    gone = reader.reversals(positions) if positions else {}
    for claim in positions:
        facts, decided = decode_event(*events[claim][2:]), decode_event(*events[claim + 1][2:])
        assert isinstance(facts, ClaimFiled)
        if not isinstance(decided, ClaimSettled) or claim in gone:
            continue
        most = decided.amounts[AMOUNT["fund_pay_sumamt"]] - sum(recovered.get(claim, ()))
        fen = min(sum(lines[claim].values()), most)
        if fen > 0:
            debtor = (facts.fixmedins_code, facts.treatment_region)
            claims.setdefault(debtor, []).append((f"{facts.insured_region:06d}/{facts.setl_id}", fen))
            named.setdefault(debtor, []).extend(streams[claim])
    known = case_states(reader)
    acts = []
    for (code, region), own_claims in sorted(claims.items()):
        case = f"REVIEW-{period}-{region:06d}-{code}"
        if case not in known:
            violations = tuple(dict.fromkeys(named[code, region]))
            acts.append(Act(act="open", case=case, on=on, claims=tuple(own_claims), violations=violations, owner=owner))
    return acts


def acts_from_sample(reader: "Reader", period: int, count: int, seed: int, owner: str, on: int) -> list[Act]:
    """Returns an opening for each of the ``count`` claims of a period that a seed draws.

    A claim's lot is SHA-256 over seed and key, so a sample neither depends on the order of the log nor changes for
    the claims that were drawn before more came, beyond those that now come first. Cases open with nothing found yet.
    """
    lots: list[tuple[bytes, str]] = []
    for acts in read_acts(reader):
        rows = np.flatnonzero(
            (acts.period == period) & ~acts.reversed & (acts.booked[:, AMOUNT["fund_pay_sumamt"]] > 0)
        )
        for row in rows.tolist():
            key = f"{int(acts.facts[row, FACT['insured_region']]):06d}/{text_at(acts.texts['setl_id'], row)}"
            if not reader.reversals([int(acts.claim[row])]):
                lots.append((hashlib.sha256(f"{seed}|{key}".encode()).digest(), key))
    known = case_states(reader)
    drawn = [key for _, key in sorted(lots)[:count]]
    named = [(f"SAMPLE-{period}-{seed}-{key.replace('/', '-')}", key) for key in drawn]
    return [
        Act(act="open", case=case, on=on, source="sampling", claims=((key, 0),), owner=owner, seed=seed)
        for case, key in named
        if case not in known
    ]
