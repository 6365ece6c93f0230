"""Checks acts against what every settlement must satisfy exactly (DOMAIN section 5), a page at a time."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import AMOUNT, AMOUNTS, FACT, FACTS, FUND_PARTS, HOW, padded
from ledger.acts import Acts, build_acts
from ledger.events import FLAG_NOT_CHECKED, ClaimFiled, ClaimSettled
from ledger.mapper import decode_event
from ledger.refusals import StoreError
from ledger.resettled import resettlements, standing
from projections.findings import Findings

if TYPE_CHECKING:
    from ledger.store import Reader

#: stream, version, topic, state
Stored: TypeAlias = tuple[str, int, str, bytes]

#: Sixteen amounts of this size add up within 64 bits.
_SAFE = 2**58

#: The facts a refund negates: every amount of the ClaimFiled.
_MONEY = slice(FACT["medfee_sumamt"], len(FACTS))


def check_acts(reader: "Reader", acts: Acts, policies: "Policies", found: Findings) -> None:
    """Names the acts that break an identity, refund other than what they name, or stand under an unknown policy."""
    if not len(acts):
        return
    broken: dict[int, list[tuple[str, str, str]]] = {}
    for name, left, right in identities(acts):
        for row in np.flatnonzero(left != right).tolist():
            broken.setdefault(row, []).append((name, str(int(right[row])), str(int(left[row]))))
    for row, symptoms in broken.items():
        claim = int(acts.claim[row])
        # I1 is about the facts alone; the others hold between them and the decision.
        at = claim if symptoms[0][0] == "identity_I1" else int(acts.position[row])
        for symptom in symptoms:
            blame(found, at, (claim, claim + 1), *symptom)
    _check_policies(acts, policies, found)
    _check_refunds(reader, acts, found)


def identities(acts: Acts) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Returns (name, got, expected) columns of I1, I2, I3 (and mulaid's bounds) and I5, so that postings balance too.

    Sums are exact: an amount may be altered to any 64-bit number, and then they are taken beyond 64 bits.
    """
    money = np.hstack([acts.facts[:, _MONEY], acts.booked, acts.how[:, [HOW.index("hosp_part_amt")]]])
    kind: Any = object if bool(((money > _SAFE) | (money < -_SAFE)).any()) else np.int64
    fact = {name: acts.facts[:, at].astype(kind) for name, at in FACT.items() if at >= _MONEY.start}
    amount = {name: acts.booked[:, at].astype(kind) for name, at in AMOUNT.items()}
    splits = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
    hospital = acts.how[:, HOW.index("hosp_part_amt")].astype(kind)
    aid, acct = amount["acct_mulaid_pay"], amount["acct_pay"]
    # Between 0 and acct, with acct's sign.
    bounded = np.where(acct >= 0, np.clip(aid, 0, np.maximum(acct, 0)), np.clip(aid, np.minimum(acct, 0), 0))
    return [
        ("identity_I1", fact["medfee_sumamt"], sum(fact[name] for name in splits)),
        (
            "identity_I2",
            fact["medfee_sumamt"],
            amount["fund_pay_sumamt"] + amount["psn_part_amt"] + fact["hosp_part_amt"] + hospital,
        ),
        ("identity_I3", amount["psn_part_amt"], acct + amount["psn_cash_pay"]),
        ("identity_I3", aid, bounded),
        ("identity_I5", amount["fund_pay_sumamt"], sum(amount[AMOUNTS[at]] for at in FUND_PARTS)),
    ]


def blame(found: Findings, at: int, suspects: tuple[int, ...], kind: str, expected: str, got: str) -> None:
    """Adds a symptom to the event at ``at``, unless one of the events it depends on is wrong already."""
    guilty = next((position for position in suspects if position != at and found.has(position)), 0)
    if guilty and not found.has(at):
        found.attach(guilty, f"position {at}: {kind}: expected {expected}, got {got}")
    else:
        found.event(at, kind, expected, got)


class Policies:
    """Knows the policy digests enacted so far, and where the trace model saw those the log no longer has."""

    def __init__(self, traced: dict[bytes, int]) -> None:
        self.known: set[bytes] = set()
        self.traced = traced


def _check_policies(acts: Acts, policies: Policies, found: Findings) -> None:
    index, digests = acts.policies()
    for number, digest in enumerate(digests):
        if digest in policies.known:
            continue
        rows = np.flatnonzero(index == number)
        if not digest:
            rows = rows[(acts.flags[rows] & FLAG_NOT_CHECKED) == 0]
        expected = "the digest of an enacted policy" if digest else "a policy, or the mark that none was checked"
        for row in rows.tolist():
            suspects = (int(acts.claim[row]), policies.traced.get(digest, 0))
            blame(found, int(acts.position[row]), suspects, "unknown-policy", expected, digest.hex() or "none")


def _check_refunds(reader: "Reader", acts: Acts, found: Findings) -> None:
    """Names refunds that are not the exact negative of the settlement they name (I7)."""
    rows = np.flatnonzero(acts.reversed)
    if not len(rows):
        return
    originals = _originals(reader, sorted(set(acts.original[rows].tolist())))
    for row in rows.tolist():
        claim, original = int(acts.claim[row]), int(acts.original[row])
        suspects = (claim, original, original + 1)
        if original not in originals:
            blame(found, claim + 1, suspects, "identity_I7", f"a settlement filed at {original}", "none")
            continue
        for name, got, expected in _negated(acts, row, *originals[original]):
            blame(found, claim + 1, suspects, "identity_I7", f"{name} {expected}", str(got))


def _originals(reader: "Reader", claims: Sequence[int]) -> dict[int, tuple[Acts, int]]:
    """Returns what stands of each claim that is a settlement, and can be read, as a row of acts."""
    events = reader.events_at([at for claim in claims for at in (claim, claim + 1)])
    topics = (ClaimFiled.TOPIC, ClaimSettled.TOPIC)
    pairs = {claim: (events[claim], events[claim + 1]) for claim in claims if {claim, claim + 1} <= events.keys()}
    settled = {claim: pair for claim, pair in pairs.items() if (pair[0][2], pair[1][2]) == topics}
    try:
        return _standing(reader, settled)
    except (StoreError, ValueError):
        # One of them cannot be read: it is a finding where it stands, and its refund follows from it.
        pass
    found: dict[int, tuple[Acts, int]] = {}
    for claim, pair in settled.items():
        with suppress(StoreError, ValueError):
            found |= _standing(reader, {claim: pair})
    return found


def _standing(reader: "Reader", settled: Mapping[int, tuple[Stored, Stored]]) -> dict[int, tuple[Acts, int]]:
    """Returns settlements as rows of acts, each as decided or as it was last booked anew."""
    if not settled:
        return {}
    filed, decided = ([pair[side][3] for pair in settled.values()] for side in (0, 1))
    acts = build_acts(np.array(list(settled), np.int64), filed, decided, np.zeros(len(settled), np.bool_))
    row_of = {claim: row for row, claim in enumerate(settled)}
    for claim, later in resettlements(reader, [pair[0][0] for pair in settled.values()]).items():
        if claim in row_of:
            decision = decode_event(ClaimSettled.TOPIC, settled[claim][1][3])
            assert isinstance(decision, ClaimSettled)
            stands, row = standing(decision, later), row_of[claim]
            acts.booked[row] = stands.amounts
            acts.delta[row] = padded(stands.delta)
    return {claim: (acts, row) for claim, row in row_of.items()}


def _negated(acts: Acts, row: int, original: Acts, at: int) -> list[tuple[str, int, int]]:
    """Returns (what, got, expected) where a refund does not negate its original."""
    differences = []
    pairs = (
        ("person", acts.facts[row, :1], original.facts[at, :1]),
        ("facts", acts.facts[row, _MONEY], -original.facts[at, _MONEY]),
        ("amounts", acts.booked[row], -original.booked[at]),
        ("delta", acts.delta[row], -original.delta[at]),
    )
    for name, got, expected in pairs:
        if (got == expected).all():
            continue
        for a, b in zip(got.tolist(), expected.tolist(), strict=True):
            if a != b:
                differences.append((name, a, b))
                break
    return differences
