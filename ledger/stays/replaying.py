"""Decides divided stays again, from what their events record, and names each that does not come out again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core_ext.layout import ACCUMULATORS, AMOUNTS, HOW, padded
from ledger.acts import act_codes, acts_of
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_RESETTLED, FLAG_DIVIDED
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.resettled import acts_standing
from ledger.stays.events import StayPartCounted
from ledger.stays.settling import Ints, Question, hows_of, settle, tables_of

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.plans import PolicyBook
    from ledger.replay import Difference
    from ledger.store import Reader

#: (log position, event) of the parts of each divided stay, each refund of one and each that was booked anew, by the
#: position of its ClaimFiled or ClaimResettled.
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
    stood = acts_standing(reader, acts.original[acts.basis == BASIS_REFUND].tolist())
    found = []
    for row in range(len(acts)):
        parts = [event for _, event in counted.get(int(acts.claim[row]), ())]
        if acts.basis[row] == BASIS_REFUND:
            of = stood[int(acts.original[row])]
            originals = [event for _, event in counted.get(of, ()) if event.days]
            found.append(_of_refund(acts, row, parts, originals))
        else:
            found.append(_differences(acts, row, parts, policies))
    return [each[0] for each in found if each]


def _of_refund(
    acts: "Acts", row: int, parts: Sequence[StayPartCounted], originals: Sequence[StayPartCounted]
) -> "list[Difference]":
    """Returns where the parts of a refund do not give back those that stood of its original."""
    from ledger.replay import difference

    if [part.year for part in parts] != [of.year for of in originals]:
        return [difference(acts, row, "parts", len(originals), len(parts))]
    return [
        difference(acts, row, f"{part.year}.delta.{name}", -was, now)
        for part, of in zip(parts, originals, strict=True)
        for name, was, now in zip(ACCUMULATORS, padded(of.added), padded(part.delta), strict=True)
        if now != -was
    ]


def _differences(
    acts: "Acts", row: int, parts: Sequence[StayPartCounted], policies: "PolicyBook"
) -> "list[Difference]":
    """Returns what differs of one divided stay, in the order of its steps."""
    from ledger.replay import difference

    asked, hows = question(acts, row, parts, policies)
    if asked is None:
        return [difference(acts, row, "parts", len(hows), 1 + len(parts))]
    again = settle(asked)
    if again.code:
        return [difference(acts, row, f"refused.{Refusal(again.code).code}", again.code, 0)]
    last = len(parts)
    # The act itself has the sum over the parts and the last part's year.
    steps: list[tuple[str, Sequence[str], Sequence[int], Sequence[int]]] = []
    steps += [("", AMOUNTS, again.booked, acts.booked[row].tolist())]
    hows_again = hows_of(again, asked.plans, asked.plan, acts.facts[row], np.array(hows, np.int64))
    for at, part in enumerate(again.parts):
        year, before = f"{asked.parts[at].year}.", parts[at] if at < last else None
        booked = before.amounts if before else part.amounts
        delta = before.delta if before else tuple(acts.delta[row].tolist())
        steps += [
            (year, AMOUNTS, part.amounts, booked), (f"{year}delta.", ACCUMULATORS, part.delta, delta),
            (f"{year}how.", HOW, hows_again[at], hows[at]),
        ]  # fmt: skip
    steps += [("", ("balc",), [again.balance], [int(acts.balc[row])])]
    steps += [("", ("year",), [asked.parts[-1].year], [int(acts.year[row])])]
    return [
        difference(acts, row, f"{prefix}{name}", one, other)
        for prefix, names, expected, got in steps
        for name, one, other in zip(names, expected, got, strict=True)
        if one != other
    ]


def question(
    acts: "Acts", row: int, parts: Sequence[StayPartCounted], policies: "PolicyBook"
) -> tuple[Question | None, list[list[int]]]:
    """Returns what a divided act was decided from, by what it and its parts record, and each part's HOW.

    None, and as many as there should be, where the parts are not those of its policy.
    """
    index, digests = acts.policies()
    given = acts.given[row].tolist() if acts.basis[row] != BASIS_KERNEL else None
    years = [*(padded(part.before) for part in parts), acts.before[row].tolist()]
    began = Began(given, years, int(acts.balance_before[row]))
    return question_of(policies, digests[int(index[row])], acts.facts[row], acts.how[row].tolist(), parts, began)


class Began(NamedTuple):
    """Is what a divided stay began with: a source's amounts (None: none), what its years held, the account's fen."""

    given: Sequence[int] | None
    years: Sequence[Sequence[int]]
    balance: int


def question_of(
    policies: "PolicyBook",
    digest: bytes,
    facts: Ints,
    own: list[int],
    parts: Sequence[StayPartCounted],
    began: Began,
) -> tuple[Question | None, list[list[int]]]:
    """Returns what a stay of such facts was decided from under a document, and each part's HOW, as ``question`` does.

    ``own`` is the HOW of its last part, ``parts`` are those of the years before.
    """
    policy = policies.policy_named(digest)
    hows = [[*part.how, *(0,) * (len(HOW) - len(part.how))] for part in parts] + [own]
    if policy is None:
        return None, []
    level, psn_type = own[HOW.index("hosp_lv")], own[HOW.index("psn_type")]
    found, table, _ = tables_of(policy.header, facts, level, psn_type)
    if [(part.year, part.begin, part.end, part.days) for part in found[:-1]] != [
        (part.year, part.begin, part.end, part.days) for part in parts
    ]:
        return None, [[]] * len(found)
    none = np.zeros(len(found), np.int64)
    plan = policies.resolve_pinned(table, (none, [digest]), np.array(hows, np.int64))
    if (plan < 0).any():
        return None, [[]] * len(found)
    asked = Question(found, facts.tolist(), began.given, policies.plans, plan.tolist(), began.years, began.balance)
    return asked, hows
