"""Finds the plan of every act of a segment by the number of its case, instead of asking for each act."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.kernels import load
from core_ext.layout import FACT, FACTS, HOW
from core_ext.plan import PLAN_AT
from ledger.segments.shape import CASE_INTS, Ints

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.segments.reading import Batch

_CASE = {name: at for at, name in enumerate(CASE_INTS)}
#: The filing column of a case holds the class decided by, times this, and the mask of what was filed.
_MASKS = 16
#: Plans of one book are compiled by one thread at a time, whoever asks for them.
_ALONE = Lock()


class CasePlans:
    """Is the plan of each case of a segment, for each stretch of days on which no policy version changes.

    ``digests`` are the policies the cases number. With ``instead`` (region to digest, 0 for every region) an act
    stands under another document, by what was filed and not by the class it was decided under. Threads may share it.
    """

    def __init__(
        self, book: "PolicyBook", cases: Ints, digests: Sequence[bytes], instead: Mapping[int, bytes] | None = None
    ) -> None:
        self._book = book
        self._cases = cases
        self._of_segment = digests
        number = {digest: at for at, digest in enumerate(dict.fromkeys([*digests, *(instead or {}).values()]))}
        self._digests = list(number)
        own = cases[:, _CASE["policy"]] if len(cases) else np.zeros(0, np.int64)
        self.policy = np.array([number[digests[at]] for at in own.tolist()], np.int64)
        self.other = np.zeros(len(cases), np.bool_)
        for region, digest in (instead or {}).items():
            mine = (cases[:, _CASE["region"]] == region) | (region == 0)
            self.policy[mine] = number[digest]
            self.other |= mine
        self._columns = np.array([book.day_column(digest) for digest in self._digests], np.int64)
        self._starts = np.array(sorted({day for digest in self._digests for day in book.days_of(digest)}), np.int64)
        self._resolved: dict[int, Ints] = {}
        self._packed: Any = None
        self._pools = np.zeros(0, np.int64)

    def under(self, digest: bytes) -> "CasePlans":
        """Returns the plans of the same cases were all of them under one document."""
        return CasePlans(self._book, self._cases, self._of_segment, {0: digest})

    @property
    def plans(self) -> Ints:
        """Returns the table of plans that the rows point into."""
        return self._book.plans

    @property
    def packed(self) -> Any:
        """Returns the same table as the replay kernel holds it; asked for once the plans of a batch are known."""
        with _ALONE:
            plans = self._book.plans
            if self._packed is None or self._packed.plans < len(plans):
                self._packed = load("replay").Packed(plans)
            return self._packed

    @property
    def pools(self) -> Ints:
        """Returns the insurance type whose pool pays under each plan, 0 the claim's own; the last is of no plan, -1."""
        with _ALONE:
            plans = self._book.plans
            if len(self._pools) <= len(plans):
                self._pools = np.append(plans[:, PLAN_AT["pool"]], 0)
            return self._pools

    @property
    def digests(self) -> list[bytes]:
        """Returns the policies that ``policy`` numbers, case by case."""
        return self._digests

    def digest_of(self, case: int) -> bytes:
        """Returns the policy a case stands under."""
        return self._digests[int(self.policy[case])]

    @property
    def days(self) -> list[int]:
        """Returns the first day of every stretch asked about so far (0: before every version)."""
        return [int(self._starts[number - 1]) if number else 0 for number in sorted(self._resolved)]

    def of_parts(self, case: int, facts: Ints, how: Ints, mask: int | None = None) -> Ints:
        """Returns the plan row of each part of a stay that is divided between years, -1 where there is no rule for it.

        ``how`` says what each was decided by; ``mask`` the filing types that count, None: those of the case.
        """
        own = (np.zeros(len(facts), np.int64), [self.digest_of(case)])
        if mask is None and self.other[case]:
            mask = int(self._cases[case, _CASE["filing"]]) % _MASKS
        with _ALONE:
            if mask is None:
                return self._book.resolve_pinned(facts, own, how)
            local = int(self._cases[case, _CASE["relation"]]) == 0
            return self._book.resolve_filed(facts, own, how, np.full(len(facts), 0 if local else mask, np.int64))

    def on(self, day: int) -> Ints:
        """Returns the plan row of every case on a day."""
        return self._stretch(int(np.searchsorted(self._starts, day, "right")))

    def of(self, batch: "Batch") -> Ints:
        """Returns the plan row of each act of a batch, -1 where its policy has no rule for it."""
        case = np.asarray(batch.lane("case"))
        if not len(case):
            return np.zeros(0, np.int64)
        if (self._columns == FACT["setl_time"]).all():
            moment = np.asarray(batch.lane("setl_time"))
            edges = (int(moment.min()) // 1_000_000, int(moment.max()) // 1_000_000)
            low, high = (int(np.searchsorted(self._starts, edge, "right")) for edge in edges)
            if low == high:
                return np.asarray(self._stretch(low)[case])
        day = self._days(batch, case)
        stretch = np.searchsorted(self._starts, day, "right")
        plan = np.full(len(case), -1, np.int64)
        for number in np.unique(stretch).tolist():
            rows = stretch == number
            plan[rows] = self._stretch(number)[case[rows]]
        return plan

    def _days(self, batch: "Batch", case: "np.ndarray[Any, Any]") -> Ints:
        """Returns the day that picks each act's policy version."""
        day = batch.ints("setl_time") // 1_000_000
        column = self._columns[self.policy[case]]
        for at in np.unique(column).tolist():
            if at != FACT["setl_time"]:
                rows = column == at
                day[rows] = batch.ints(FACTS[at])[rows]
        return day

    def _stretch(self, number: int) -> Ints:
        """Returns the plan of every case on the days of a stretch."""
        with _ALONE:
            found = self._resolved.get(number)
            if found is None:
                found = self._resolved[number] = self._resolve(int(self._starts[number - 1]) if number else 0)
        return found

    def _resolve(self, day: int) -> Ints:
        cases = self._cases
        facts = np.zeros((len(cases), len(FACTS)), np.int64)
        for name in ("insutype", "psn_type", "med_type", "hosp_lv"):
            facts[:, FACT[name]] = cases[:, _CASE[name]]
        facts[:, FACT["begndate"]] = facts[:, FACT["enddate"]] = day
        facts[:, FACT["setl_time"]] = day * 1_000_000
        how = np.zeros((len(cases), len(HOW)), np.int64)
        for name in ("relation", "assist_class", "age"):
            how[:, HOW.index(name)] = cases[:, _CASE[name]]
        filing = cases[:, _CASE["filing"]]
        how[:, HOW.index("filing")] = filing // _MASKS
        plan = np.full(len(cases), -1, np.int64)
        same, other = np.flatnonzero(~self.other), np.flatnonzero(self.other)
        if len(same):
            plan[same] = self._book.resolve_pinned(facts[same], (self.policy[same], self._digests), how[same])
        if len(other):
            picked = (self.policy[other], self._digests)
            mask = np.where(cases[other, _CASE["relation"]] == 0, 0, filing[other] % _MASKS)
            plan[other] = self._book.resolve_filed(facts[other], picked, how[other], mask)
        return plan
