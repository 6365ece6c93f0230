"""Decides again what was booked anew: each ClaimResettled from the start it records, under the policy it names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNTS, FACTS, HOW, padded
from core_ext.settling import COMPUTE
from ledger.events import ClaimFiled, ClaimSettled
from ledger.keys import claim_stream
from ledger.mapper import decode_event
from ledger.originals import hospital_of, pool_of
from ledger.plan_rows import pools_of, with_limits
from ledger.refusals import Refusal
from ledger.replay import Difference, Settle
from ledger.replaying.events import ClaimResettled
from ledger.resettled import resettlements, standing

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader


def anew_differences(
    reader: "Reader", positions: Sequence[int], policies: "PolicyBook", settle: Settle | None = None
) -> list[Difference]:
    """Returns each ClaimResettled at ``positions`` that does not come out again, by its first step that differs."""
    if not positions:
        return []
    events = {at: decode_event(row[2], row[3]) for at, row in reader.events_at(positions).items()}
    found: list[Difference] = []
    for position in positions:
        event = events[position]
        assert isinstance(event, ClaimResettled)
        found += _differences(reader, position, event, policies, settle or load("settle").settle)
    return found


def _differences(
    reader: "Reader", position: int, event: ClaimResettled, policies: "PolicyBook", settle: Settle
) -> list[Difference]:
    stood, _ = stands_before(reader, event, position)
    code, amounts, added, how = decided(event, policies, settle)
    if code:
        return [Difference(position, event.claim, event.setl_id, f"refused.{Refusal(code).code}", code, 0)]
    delta = [a - b for a, b in zip(event.contribution, padded(stood.delta), strict=True)]
    for prefix, names, expected, got in (
        ("", AMOUNTS, amounts, event.amounts),
        ("reversed.", AMOUNTS, stood.amounts, event.reversed),
        ("contribution.", ACCUMULATORS, added, event.contribution),
        ("delta.", ACCUMULATORS, delta, event.delta),
        ("how.", HOW, how, _padded_how(event.how)),
        ("reversed.", ("pool",), (pool_of(stood.how),), (event.reversed_pool,)),
        ("reversed.", ("hosp_part_amt",), (hospital_of(stood.how),), (event.reversed_hospital_fen,)),
    ):
        for name, one, other in zip(names, expected, got, strict=True):
            if one != other:
                return [Difference(position, event.claim, event.setl_id, f"{prefix}{name}", one, other)]
    return []


def stands_before(reader: "Reader", event: ClaimResettled, position: int) -> tuple[ClaimSettled, ClaimFiled]:
    """Returns what stood of a claim before a ClaimResettled at a position, and the claim."""
    rows = reader.events_at([event.claim, event.claim + 1])
    filed = decode_event(rows[event.claim][2], rows[event.claim][3])
    decision = decode_event(rows[event.claim + 1][2], rows[event.claim + 1][3])
    assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled)
    later = resettlements(reader, [claim_stream(filed.insured_region, filed.setl_id)]).get(event.claim, [])
    return standing(decision, [each for each in later if each[0] < position]), filed


def decided(
    event: ClaimResettled, policies: "PolicyBook", settle: Settle
) -> tuple[int, list[int], list[int], list[int]]:
    """Returns (refusal or 0, amounts, contribution, HOW) of a claim by what its ClaimResettled was decided from."""
    facts = np.array([[getattr(event, name) for name in FACTS]], np.int64)
    how = np.array([_padded_how(event.how)], np.int64)
    plan = policies.resolve_pinned(facts, (np.zeros(1, np.int64), [event.policy]), how)
    plans, plan = with_limits(policies.plans, plan, how[:, HOW.index("limit")])
    out = np.zeros((1, len(HOW)), np.int64)
    zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
    booked, computed = np.zeros((1, len(AMOUNTS)), np.int64), np.zeros((1, len(AMOUNTS)), np.int64)
    before, delta = np.zeros((1, len(ACCUMULATORS)), np.int64), np.zeros((1, len(ACCUMULATORS)), np.int64)
    code, balc = zero.copy(), zero.copy()
    state, accounts = np.array([padded(event.start)], np.int64), np.array([event.balance_fen], np.int64)
    settle(
        plans, plan, facts, booked.copy(), one * COMPUTE, -one, zero.copy(), zero.copy(), zero.copy(), state,
        zero.copy(), accounts, code, booked, computed, before, delta, balc, out,
    )  # fmt: skip
    for name in ("assist_class", "hosp_lv", "psn_type", "age", "limit"):
        out[:, HOW.index(name)] = how[:, HOW.index(name)]
    out[:, HOW.index("pool")] = pools_of(plans, plan, facts)
    return int(code[0]), booked[0].tolist(), delta[0].tolist(), out[0].tolist()


def _padded_how(how: tuple[int, ...]) -> tuple[int, ...]:
    return (*how, *(0,) * (len(HOW) - len(how)))
