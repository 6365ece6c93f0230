"""Says what a reconciliation is about: one month or day, one counterpart, in which role, refunds in or out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import FACT
from core_ext.text import Texts
from ledger.acts import Acts
from ledger.reconciling.events import ROLE_BOTH, ROLE_INSURED, ROLE_TREATMENT
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.periods import Periods

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOMENT_OF_DAY = 1_000_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Is what is compared: clearing period yyyymm, or the claims settled on ``day`` (yyyymmdd, 0: the whole month).

    ``counterpart`` is a region of six digits (one that ends in 0000 stands for all of its province) or the code of an
    institution; ``own`` a region the other side of each claim must be (0: any); ``role`` ROLE_*.
    """

    period: int
    day: int
    counterpart: str
    own: int = 0
    role: int = ROLE_BOTH
    refunds: bool = True

    @property
    def is_region(self) -> bool:
        """Returns whether the counterpart is a region."""
        return len(self.counterpart) == 6 and self.counterpart.isdecimal() and self.counterpart.isascii()

    def chosen(self, acts: Acts) -> Bools:
        """Returns which acts of a page are claims with the counterpart, of this month or day."""
        return self.in_time(acts) & self.with_counterpart(acts)

    def in_time(self, acts: Acts) -> Bools:
        """Returns which acts are of this day, or booked into this month's clearing period; refunds as asked."""
        days = acts.facts[:, FACT["setl_time"]] // MOMENT_OF_DAY
        mask = days == self.day if self.day else acts.period == self.period
        return np.asarray(mask if self.refunds else mask & ~acts.reversed)

    def with_counterpart(self, acts: Acts) -> Bools:
        """Returns which acts have the counterpart in its role, and the own region on the other side."""
        insured, treatment = acts.facts[:, FACT["insured_region"]], acts.facts[:, FACT["treatment_region"]]
        if not self.is_region:
            mask = equal_texts(acts.texts["fixmedins_code"], self.counterpart.encode())
            return mask & within(insured, self.own) if self.own else mask
        region = int(self.counterpart)
        theirs_insured = within(insured, region) & ~within(treatment, region) & within(treatment, self.own)
        theirs_treated = within(treatment, region) & ~within(insured, region) & within(insured, self.own)
        either = {
            ROLE_BOTH: theirs_insured | theirs_treated,
            ROLE_INSURED: theirs_insured,
            ROLE_TREATMENT: theirs_treated,
        }
        return np.asarray(either[self.role])

    def bounds(self, periods: "Periods") -> tuple[int, int | None]:
        """Returns the log positions (after, stop) behind which and up to which every act in time stands."""
        month = self.period
        if self.day:
            # A claim of a month books into that or a later period, which opened before it.
            opened = [at for period, at in periods.opened.items() if period >= month]
            return (min(opened) - 1, None) if opened else (0, 0)
        if month not in periods.opened:
            return 0, 0
        return periods.opened[month] - 1, periods.closed.get(month)

    def covers(self, own: int, role: int, day: int, refund: bool) -> bool:
        """Returns whether a break found under another scope would be seen by this one."""
        return (
            (not self.day or self.day == day)
            and self.own in (0, own)
            and self.role in (ROLE_BOTH, role)
            and (self.refunds or not refund)
        )


def within(codes: Int64s, region: int) -> Bools:
    """Returns which codes are a region or, where it ends in 0000, in its province; 0 is every one."""
    if region == 0:
        return np.ones(len(codes), np.bool_)
    return np.asarray(codes // 10_000 == region // 10_000 if region % 10_000 == 0 else codes == region)


def equal_texts(texts: Texts, wanted: bytes) -> Bools:
    """Returns which texts are the wanted one."""
    starts = texts.offsets[:-1]
    mask = np.asarray(np.diff(texts.offsets) == len(wanted))
    for at, byte in enumerate(wanted):
        rows = np.flatnonzero(mask)
        mask[rows] = texts.data[starts[rows] + at] == byte
    return mask


def scope_of(period: int | None, day: int | None, counterpart: str, own: int, role: int, refunds: bool) -> Scope:
    """Returns the scope asked for; raises Refused unless it names one month or one day, and a counterpart."""
    if (period is None) == (day is None):
        raise Refused(Refusal.BAD_VALUE, "expected either --period yyyymm or --day yyyymmdd, got both or neither")
    text = counterpart.strip()
    if not text or len(text.encode()) > 32 or any(not (c.isalnum() and c.isascii()) for c in text):
        raise Refused(
            Refusal.COUNTERPART_BAD,
            f"expected a counterpart as a region of six digits or an institution's code, got {counterpart!r}",
        )
    if text == str(own):
        raise Refused(Refusal.COUNTERPART_BAD, f"expected a counterpart other than the own region {own}, got the same")
    month = day // 100 if day is not None else period
    assert month is not None
    return Scope(month, day or 0, text, own, role, refunds)
