"""Decides divided stays again, from what their events record, and names each that does not come out again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ACCUMULATORS, AMOUNTS, HOW, padded
from ledger.acts import act_codes, acts_of
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_RESETTLED, FLAG_DIVIDED
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.stays.events import StayPartCounted
from ledger.stays.settling import Ints, Question, how_with, settle, tables_of

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.plans import PolicyBook
    from ledger.replay import Difference
    from ledger.store import Reader

#: (log position, event) of the parts of each divided stay and each refund of one, by the position of its ClaimFiled.
Counted = Mapping[int, Sequence[tuple[int, StayPartCounted]]]


def divided_rows(basis: Ints, flags: Ints) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Returns which acts are divided stays; their refunds are refunds like any other."""
    return np.asarray(((flags & FLAG_DIVIDED) != 0) & (basis != BASIS_REFUND) & (basis != BASIS_RESETTLED))


def counted_parts(reader: "Reader", after: int = 0, stop: int | None = None) -> Counted:
    """Returns every part counted at positions behind ``after`` up to ``stop`` (None: the head)."""
    found: dict[int, list[tuple[int, StayPartCounted]]] = {}
    for position, _, _, topic, state in streams_with_prefix(reader, "stay"):
        event = decode_event(topic, state)
        if isinstance(event, StayPartCounted) and after < position and (stop is None or position <= stop):
            found.setdefault(event.claim, []).append((position, event))
    return found


def divided_differences(reader: "Reader", claims: Sequence[int], policies: "PolicyBook") -> "list[Difference]":
    """Returns each divided stay, or refund of one, filed at ``claims`` that does not come out again."""
    if not claims:
        return []
    counted = counted_parts(reader)
    at = [position for claim in sorted(claims) for position in (claim, claim + 1)]
    events = reader.events_at(at)
    acts = acts_of(np.array(at), act_codes([events[each][2] for each in at]), [events[each][3] for each in at])
    found = (_differences(acts, row, [event for _, event in counted.get(int(acts.claim[row]), ())], counted, policies)
             for row in range(len(acts)))  # fmt: skip
    return [each[0] for each in found if each]


def _differences(
    acts: "Acts", row: int, parts: Sequence[StayPartCounted], counted: Counted, policies: "PolicyBook"
) -> "list[Difference]":
    """Returns what differs of one act, in the order of its steps."""
    from ledger.replay import difference

    if acts.basis[row] == BASIS_REFUND:
        originals = [event for _, event in counted.get(int(acts.original[row]), ())]
        if len(originals) != len(parts):
            return [difference(acts, row, "parts", len(originals), len(parts))]
        return [
            difference(acts, row, f"{part.year}.delta.{name}", -was, now)
            for part, of in zip(parts, originals, strict=True)
            for name, was, now in zip(ACCUMULATORS, of.delta, part.delta, strict=True)
            if now != -was
        ]
    asked, hows = question(acts, row, parts, policies)
    if asked is None:
        return [difference(acts, row, "parts", len(hows), 1 + len(parts))]
    again = settle(asked)
    if again.code:
        return [difference(acts, row, f"refused.{Refusal(again.code).code}", again.code, 0)]
    last = len(parts)
    looked_up = [{name: how[HOW.index(name)] for name in _LOOKED_UP} for how in hows]
    plans, own = policies.plans, acts.facts[row]
    # The act itself has the sum over the parts and the last part's year.
    steps: list[tuple[str, Sequence[str], Sequence[int], Sequence[int]]] = []
    steps += [("", AMOUNTS, again.booked, acts.booked[row].tolist())]
    hows_again = [part.how for part in again.parts[:-1]] + [again.how]
    for at, part in enumerate(again.parts):
        year, before = f"{asked.parts[at].year}.", parts[at] if at < last else None
        booked = before.amounts if before else part.amounts
        delta = before.delta if before else tuple(acts.delta[row].tolist())
        how = how_with(hows_again[at], plans, asked.plan[at], own, looked_up[at])
        steps += [
            (year, AMOUNTS, part.amounts, booked), (f"{year}delta.", ACCUMULATORS, part.delta, delta),
            (f"{year}how.", HOW, how, hows[at]),
        ]  # fmt: skip
    steps += [("", ("balc",), [again.balance], [int(acts.balc[row])])]
    steps += [("", ("year",), [asked.parts[-1].year], [int(acts.year[row])])]
    return [
        difference(acts, row, f"{prefix}{name}", one, other)
        for prefix, names, expected, got in steps
        for name, one, other in zip(names, expected, got, strict=True)
        if one != other
    ]


_LOOKED_UP = ("assist_class", "hosp_lv", "psn_type", "age")


def question(
    acts: "Acts", row: int, parts: Sequence[StayPartCounted], policies: "PolicyBook"
) -> tuple[Question | None, list[list[int]]]:
    """Returns what a divided act was decided from, by what it and its parts record, and each part's HOW.

    None, and as many as there should be, where the parts are not those of its policy.
    """
    index, digests = acts.policies()
    digest = digests[int(index[row])]
    policy = policies.policy_named(digest)
    own = acts.how[row].tolist()
    hows = [[*part.how, *(0,) * (len(HOW) - len(part.how))] for part in parts] + [own]
    if policy is None:
        return None, []
    level, psn_type = own[HOW.index("hosp_lv")], own[HOW.index("psn_type")]
    found, table, _ = tables_of(policy.header, acts.facts[row], level, psn_type)
    if [(part.year, part.begin, part.end, part.days) for part in found[:-1]] != [
        (part.year, part.begin, part.end, part.days) for part in parts
    ]:
        return None, [[]] * len(found)
    none = np.zeros(len(found), np.int64)
    plan = policies.resolve_pinned(table, (none, [digest]), np.array(hows, np.int64))
    if (plan < 0).any():
        return None, [[]] * len(found)
    given = acts.given[row].tolist() if acts.basis[row] != BASIS_KERNEL else None
    years = [padded(part.before) for part in parts]
    years.append(acts.before[row].tolist())
    balance = int(acts.balance_before[row])
    return Question(found, acts.facts[row].tolist(), given, policies.plans, plan.tolist(), years, balance), hows
