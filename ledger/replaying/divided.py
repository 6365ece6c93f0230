"""Finds the persons whose stays are divided between years, in the log or by a policy asked about, and reads what the
log has of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import FACT, FACTS
from ledger.events import BASIS_REFUND, BASIS_RESETTLED, FLAG_DIVIDED, FLAG_NOT_CHECKED
from ledger.keys import YEARS
from ledger.policy_terms import MED_TYPES, STAYS
from ledger.refusals import StoreError
from ledger.replaying.columns import Marks
from ledger.segments.shape import Ints
from ledger.side_columns import registered_births
from ledger.stays.dividing import parts_of
from ledger.stays.recorded import Recorded, recorded_stays, states_before

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.replaying.planning import CasePlans
    from ledger.segments.reading import Batch, Segment
    from ledger.store import Reader

_STAYS = [MED_TYPES[name] for name in STAYS]


class Stays:
    """Is the persons of a segment with stays that are divided between years, in the log or by a policy asked about.

    What the log has of them is read at once, so that threads may share it. ``recorded`` is what divided acts record,
    ``started`` what other years held before a stay that would reach into them, by the position of the ClaimFiled;
    ``born`` the register's day of birth by token. ``standing`` is the policies that claims booked anew stand under.
    Raises StoreError where the log is needed and there is none.
    """

    def __init__(
        self,
        reader: "Reader | None",
        policies: "PolicyBook",
        segment: "Segment",
        asked: "Sequence[CasePlans]",
        standing: "Mapping[int, bytes] | None" = None,
    ) -> None:
        self.policies = policies
        under = {digest: asked[0].under(digest) for digest in sorted(set((standing or {}).values()))}
        anew = {digest: [at for at, own in (standing or {}).items() if own == digest] for digest in under}
        tokens, claims = [np.zeros(0, np.int64)], list[int]()
        reached: dict[int, set[int]] = {}
        for batch in segment.all():
            token, own = np.asarray(batch.lane("token")), np.asarray(batch.lane("carried")) == 0
            flagged = np.flatnonzero(own & ((np.asarray(batch.lane("flags")) & FLAG_DIVIDED) != 0))
            claims += batch.ints("claim")[flagged].tolist()
            rows = np.concatenate([flagged, _divided_anew(policies, batch, asked)])
            for digest, claims_of in anew.items():
                divided = _divided_anew(policies, batch, [under[digest]])
                rows = np.concatenate([rows, divided[np.isin(batch.ints("claim")[divided], claims_of)]])
            tokens.append(token[rows])
            settled = rows[~np.isin(np.asarray(batch.lane("basis"))[rows], (BASIS_REFUND, BASIS_RESETTLED))]
            for each in (*asked, *under.values()) if len(settled) else ():
                self._reach(batch, settled, each, reached)
        #: The persons, ascending.
        self.tokens = np.unique(np.concatenate(tokens))
        self.recorded: dict[int, Recorded] = {}
        self.started: dict[int, dict[int, list[int]]] = {}
        self.born: dict[int, int] = {}
        if not len(self.tokens):
            return
        if reader is None:
            raise StoreError(
                f"{segment.folder}: expected the log beside a segment with stays that are divided between years,"
                " got the segment alone: ask it where its store is"
            )
        self.recorded = recorded_stays(reader, claims)
        for claim, told in self.recorded.items():
            reached.get(claim, set()).difference_update(told.keys)
        self.started = states_before(reader, {claim: sorted(keys) for claim, keys in reached.items() if keys})
        births = registered_births(reader, self.tokens)
        self.born = dict(zip(self.tokens.tolist(), births.tolist(), strict=True))

    def _reach(self, batch: "Batch", rows: Ints, plans: "CasePlans", reached: dict[int, set[int]]) -> None:
        """Adds the person-years in which acts would count under the policies asked about."""
        facts, case = _facts(batch, rows), np.asarray(batch.lane("case"))[rows]
        years = self.policies.pinned_years(facts, (plans.policy[case], plans.digests))
        divided = self.policies.pinned_divided(facts, (plans.policy[case], plans.digests))
        for at, claim in enumerate(np.asarray(batch.lane("claim"))[rows].tolist()):
            own = facts[at]
            found = {int(years[at])}
            policy = self.policies.policy_named(plans.digest_of(int(case[at])))
            if divided[at] and policy is not None:
                begin, end = int(own[FACT["begndate"]]), int(own[FACT["enddate"]])
                found = {part.year for part in parts_of(policy.header, begin, end)}
            reached.setdefault(claim, set()).update(int(own[FACT["token"]]) * YEARS + year for year in found)

    def with_theirs(self, batch: "Batch", marks: Marks | None) -> Marks | None:
        """Returns marked acts and those of these persons; None where there are none."""
        own = self.of(batch)
        return own if marks is None else marks if own is None else marks | own

    def of(self, batch: "Batch") -> Marks | None:
        """Returns the acts of these persons; None where there are none."""
        if not len(self.tokens):
            return None
        marks = np.isin(np.asarray(batch.lane("token")), self.tokens)
        return marks if marks.any() else None


def _divided_anew(policies: "PolicyBook", batch: "Batch", asked: "Sequence[CasePlans]") -> Ints:
    """Returns the acts that a policy asked about divides, and the log has whole."""
    none = np.zeros(0, np.int64)
    if not any(_divides(policies, digest) for each in asked for digest in each.digests):
        return none
    stay = np.isin(np.asarray(batch.lane("med_type")), _STAYS)
    stay &= np.asarray(batch.lane("begndate")) < np.asarray(batch.lane("enddate"))
    basis, flags = np.asarray(batch.lane("basis")), np.asarray(batch.lane("flags"))
    stay &= (np.asarray(batch.lane("carried")) == 0) & (basis != BASIS_REFUND) & (basis != BASIS_RESETTLED)
    rows = np.flatnonzero(stay & ((flags & (FLAG_DIVIDED | FLAG_NOT_CHECKED)) == 0))
    if not len(rows):
        return none
    facts = _facts(batch, rows)
    case = np.asarray(batch.lane("case"))[rows]
    found = np.zeros(len(rows), np.bool_)
    for each in asked:
        found |= each.other[case] & policies.pinned_divided(facts, (each.policy[case], each.digests))
    return rows[found]


def _divides(policies: "PolicyBook", digest: bytes) -> bool:
    policy = policies.policy_named(digest)
    return policy is not None and policy.header.stay_across_years == "split_by_days"


def _facts(batch: "Batch", rows: Ints) -> Ints:
    return np.column_stack([np.asarray(batch.lane(name))[rows].astype(np.int64) for name in FACTS])
