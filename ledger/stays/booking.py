"""Books divided stays and their refunds: each alone in its batch, the years before as events of the person's stream."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ACCUMULATORS, FACT, HOW
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE
from ledger.block import EventBlock
from ledger.events import FLAG_DIVIDED
from ledger.keys import YEARS, stay_stream
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.registers import filing_masks
from ledger.side_columns import known_births
from ledger.stays.events import StayPartCounted
from ledger.stays.settling import Ints, Question, hows_of, settle, tables_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.acts import Acts
    from ledger.booking import Batch
    from ledger.knowledge import Knowledge
    from ledger.store import Reader, Transaction


@dataclass(slots=True)
class Moved:
    """Is what a divided stay, or its refund, moves in the years before the one its decision names.

    ``parts`` are the events to be, without position and token; ``keys``, ``versions`` and ``state`` those years'
    person-year rows as they are to be saved, the keys' persons filled in once they have a token.
    """

    parts: list[StayPartCounted]
    keys: Ints
    versions: Ints
    state: Ints


def cut_at_stay(batch: "Batch", knowledge: "Knowledge", cut: int) -> int:
    """Returns how many rows may be decided together: a stay to be divided is alone in its batch."""
    rows = np.flatnonzero(knowledge.policies.divided(batch.facts[:cut]) & (batch.columns.refund[:cut] == 0))
    return cut if not len(rows) else max(1, int(rows[0]))


def cut_at_refund(batch: "Batch") -> int:
    """Returns how many rows may be decided together: the refund of a divided stay is alone too."""
    originals = batch.originals
    if originals is None or not (originals.flags & FLAG_DIVIDED).any():
        return batch.n
    tail = np.flatnonzero(originals.ref >= batch.n)
    rows = tail[(originals.flags[originals.ref[tail] - batch.n] & FLAG_DIVIDED) != 0]
    return batch.n if not len(rows) else max(1, int(rows[0]))


def to_divide(batch: "Batch", knowledge: "Knowledge") -> bool:
    """Returns whether a batch is one stay that is divided and may book."""
    one = batch.n == 1 and int(batch.kind[0]) in (COMPUTE, SOURCE)
    return one and bool(knowledge.policies.divided(batch.facts)[0])


def settle_stay(
    tx: "Reader", batch: "Batch", knowledge: "Knowledge", settle_rest: "Callable[[Batch, Knowledge], None]"
) -> None:
    """Decides the one stay of a batch part by part; its row is refused where a part has no policy in force.

    ``settle_rest`` decides what is not skipped, and gives the batch its tables.
    """
    policies = knowledge.policies
    policy = policies.policy_named(policies.digests[int(batch.policy[0])].tobytes())
    assert policy is not None
    own = batch.facts[0]
    parts, table, facts = tables_of(policy.header, own, int(batch.level[0]), int(batch.psn_type[0]))
    born = known_births(tx, batch.columns, batch.facts[:, FACT["token"]], policies.asks_for_ages)
    n = len(parts)
    ages = policies.ages(table, *(np.repeat(each, n) for each in born))
    masks = np.repeat(filing_masks(tx, batch.facts, policies.region_of), n)
    plan, _ = policies.resolve(facts, masks, np.repeat(batch.assist, n), ages)
    if (plan < 0).any():
        batch.faults[0] |= 1 << Refusal.NO_POLICY
        batch.kind[0] = SKIP
        settle_rest(batch, knowledge)
        return
    kind = int(batch.kind[0])
    batch.kind[0] = SKIP
    settle_rest(batch, knowledge)
    batch.kind[0] = kind
    keys = int(batch.person_tokens[batch.person[0]]) * YEARS + np.array([part.year for part in parts], np.int64)
    versions, state = np.zeros(n, np.int64), np.zeros((n, len(ACCUMULATORS)), np.int64)
    if own[FACT["token"]]:
        versions, state = knowledge.person_years.load(tx, keys)
    given = batch.columns.given[0].tolist() if batch.kind[0] == SOURCE else None
    holder = int(batch.person[0])
    asked = Question(parts, own.tolist(), given, policies.plans, plan.tolist(), state.tolist(),
                     int(batch.accounts[holder]))  # fmt: skip
    found = settle(asked)
    batch.slot, batch.slot_person = np.zeros(1, np.int64), batch.person[:1].copy()
    batch.slot_keys, batch.versions, batch.state = keys[-1:], versions[-1:], state[-1:].copy()
    batch.code[0] = found.code
    if found.code:
        return
    told = np.zeros((n, len(HOW)), np.int64)
    looked_up = {"assist_class": batch.assist, "hosp_lv": batch.level, "psn_type": batch.psn_type, "age": ages}
    for name, values in looked_up.items():
        told[:, HOW.index(name)] = values
    hows = hows_of(found, policies.plans, asked.plan, own, told)
    batch.booked[0], batch.computed[0], batch.how[0] = found.booked, found.computed, hows[-1]
    batch.before[0], batch.delta[0] = state[-1], found.parts[-1].delta
    batch.balc[0] = batch.accounts[holder] = found.balance
    batch.state[0] += batch.delta[0]
    row = batch.columns.first_row
    events = [
        StayPartCounted(
            0, row, 0, 0, part.year, part.begin, part.end, part.days, part.of_days, tuple(booked.amounts),
            tuple(before), tuple(booked.delta), tuple(how),
        )
        for part, booked, before, how in zip(parts[:-1], found.parts, state.tolist(), hows, strict=False)
    ]  # fmt: skip
    after = state[:-1] + np.array([event.delta for event in events], np.int64).reshape(-1, len(ACCUMULATORS))
    batch.moved = Moved(events, keys[:-1], versions[:-1] + 1, after)


def give_back(tx: "Reader", batch: "Batch", knowledge: "Knowledge") -> None:
    """Takes off the years before what the refunded stay of a batch counted in them."""
    originals = batch.originals
    if originals is None or batch.n != 1 or batch.kind[0] != REFUND or batch.code[0] or not len(originals.positions):
        return
    at = int(originals.ref[0]) - batch.n
    if at < 0 or not originals.flags[at] & FLAG_DIVIDED:
        return
    token = int(batch.person_tokens[batch.person[0]])
    counted = parts_standing(tx, token, originals.stood[at])
    keys = token * YEARS + np.array([event.year for event in counted], np.int64)
    versions, state = knowledge.person_years.load(tx, keys)
    row = batch.columns.first_row
    events = [
        StayPartCounted(
            0, row, 0, 0, event.year, event.begin, event.end, event.days, event.of_days,
            tuple(-fen for fen in event.amounts), tuple(before), tuple(-fen for fen in event.added),
            tuple(-value if name in _GIVEN_BACK else value for name, value in zip(HOW, event.how, strict=False)),
        )
        for event, before in zip(counted, state.tolist(), strict=True)
    ]  # fmt: skip
    after = state + np.array([event.delta for event in events], np.int64).reshape(-1, len(ACCUMULATORS))
    batch.moved = Moved(events, keys, versions + 1, after)


_GIVEN_BACK = ("first_selfpay", "over_ceiling", "hosp_part_amt")


def counted_of(reader: "Reader", token: int) -> list[StayPartCounted]:
    """Returns the parts counted of a person's divided stays, in log order."""
    events = [decode_event(topic, state) for _, _, topic, state in reader.stream(stay_stream(token))]
    return [event for event in events if isinstance(event, StayPartCounted)]


def parts_standing(reader: "Reader", token: int, act: int) -> list[StayPartCounted]:
    """Returns the parts that stand of a person's stay by the act at a position: ClaimFiled, or ClaimResettled."""
    return [event for event in counted_of(reader, token) if event.claim == act and event.days]


def counted_by_claim(reader: "Reader", acts: "Acts", at: int) -> list[StayPartCounted]:
    """Returns the parts that an act counted in other years than its own."""
    token, claim = int(acts.facts[at, FACT["token"]]), int(acts.claim[at])
    return [event for event in counted_of(reader, token) if event.claim == claim]


def mark(batch: "Batch") -> None:
    """Flags a divided stay and its refund."""
    if batch.moved is not None:
        batch.flags[0] |= FLAG_DIVIDED


def write_parts(tx: "Transaction", batch: "Batch", filed_at: int, cause: int, knowledge: "Knowledge") -> None:
    """Appends the parts behind their claim and saves the years they moved; the person has a token by now."""
    from msgspec.structs import replace

    moved = batch.moved
    if moved is None or not moved.parts:
        return
    token = int(batch.person_tokens[batch.person[0]])
    stream = stay_stream(token)
    version = tx.stream_heads([stream]).get(stream, 0)
    events = [
        (stream, version + at, replace(part, cause=cause, token=token, claim=filed_at))
        for at, part in enumerate(moved.parts, 1)
    ]
    tx.append(EventBlock.from_events(events))
    knowledge.person_years.save(tx, token * YEARS + moved.keys % YEARS, moved.versions, moved.state)
