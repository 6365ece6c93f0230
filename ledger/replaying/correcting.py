"""Decides claims by what registers say now: those that a register command, told late, reaches back to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import FACT, HOW
from ledger.events import BASIS_KERNEL
from ledger.profile import load_profile
from ledger.registers import filing_masks, load_members
from ledger.segments.reading import Batch
from ledger.segments.shape import HOWS, Ints
from ledger.side_columns import registered_births
from ledger.touched import touched

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader


class Touched:
    """Is the claims that a register command at ``position`` reaches back to, and what registers say of them now.

    A late filing changes the filing class, a late enrolment the assistance class, a day of birth the age; each claim
    keeps the policy it stands under.
    """

    def __init__(self, reader: "Reader", policies: "PolicyBook", position: int) -> None:
        self.position = position
        found = touched(reader, position).claims
        self._claims = np.array([each.claim for each in found], np.int64)
        self._aged = np.array([each.claim for each in found if each.by == "person"], np.int64)
        self._reader = reader
        self._policies = policies
        self._day = FACT[load_profile().register_day]

    def rows(self, batch: Batch) -> Ints:
        """Returns the rows of the batch's touched claims."""
        basis, carried = batch.ints("basis"), batch.ints("carried")
        return np.flatnonzero(np.isin(batch.ints("claim"), self._claims) & (basis == BASIS_KERNEL) & (carried == 0))

    def plan(
        self, batch: Batch, facts: Ints, plan: Ints, told: tuple[Ints, Ints], under: Mapping[int, bytes]
    ) -> dict[int, int]:
        """Puts the plans, assistance classes and ages of the batch's touched claims in place of those recorded.

        ``told`` are assistance classes and ages, ``under`` the policies of rows that stand under another than they
        record. Returns the filing types that count now, by row.
        """
        rows, (assist, age) = self.rows(batch), told
        if not len(rows):
            return {}
        own = np.ascontiguousarray(facts[rows])
        masks = filing_masks(self._reader, own, self._policies.region_of)
        days = own[:, self._day]
        if self._day == FACT["setl_time"]:
            days = days // 1_000_000
        persons, person = np.unique(own[:, FACT["token"]], return_inverse=True)
        assist[rows] = load_members(self._reader, persons, person.astype(np.int64), days).assist
        how = np.column_stack([batch.ints(name)[rows] for name in HOWS])
        how[:, HOW.index("assist_class")] = assist[rows]
        masks = np.where(how[:, HOW.index("relation")] == 0, 0, masks)
        aged = np.isin(batch.ints("claim")[rows], self._aged)
        born = np.where(aged, registered_births(self._reader, own[:, FACT["token"]]), 0)
        age[rows] = self._policies.ages(own, born, age[rows])
        how[:, HOW.index("age")] = age[rows]
        digests = [*batch.policies, *under.values()]
        index = batch.ints("policy")[rows]
        for at, row in enumerate(rows.tolist()):
            if row in under:
                index[at] = digests.index(under[row])
        plan[rows] = self._policies.resolve_filed(own, (index, digests), how, masks)
        return dict(zip(rows.tolist(), masks.tolist(), strict=True))
