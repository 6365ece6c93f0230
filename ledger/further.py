"""Compiles the further funds, steps 6 to 9 of DOMAIN section 4, into a plan's list of them in the policy's order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from core_ext.layout import AMOUNT, AMOUNTS, FUND_PARTS
from core_ext.plan import FURTHER_FUNDS, NO_LIMIT, RATIO_ONE
from ledger.policy_terms import FUNDS, FurtherFund, Hifmi, Hifob, Maf, MafClass, Rules

if TYPE_CHECKING:
    from ledger.compilation import Case

#: One basis point in the one scale of a plan's ratios.
BASIS_POINT = RATIO_ONE // 10_000

_ASSIST_FIELDS = {1: "first", 2: "second", 3: "third", 4: "fourth"}

Tiers = Sequence[tuple[int | None, int]]


class Terms(NamedTuple):
    """Is what one further fund does in one case, as FUND names it; ``tiers`` are (upper edge, basis points)."""

    personal: int
    to_date: int
    first: int
    over: int
    less: int
    threshold: int
    cap: int
    tiers: Tiers


def further_funds(plan: dict[str, int], rules: Rules, case: "Case") -> None:
    """Fills the plan's further funds, in the policy's order.

    A fund without any part in the case is left out. One that is stated but not in the order pays nothing; its base
    counts in the year as if it did.
    """
    order = rules.further_funds_in_order
    count = 0
    for name in (*order, *(name for name in FUNDS if name not in order)):
        terms = _terms(name, rules, case)
        if terms is None:
            continue
        tiers = terms.tiers if name in order else ()
        values = dict(zip(Terms._fields[:-1], terms[:-1], strict=True)) | {
            "code": FURTHER_FUNDS.index(f"{name}_pay"),
            "tiers": len(tiers),
        }
        for at, (edge, points) in enumerate(tiers):
            values[f"edge_{at}"] = NO_LIMIT if edge is None else edge
            values[f"ratio_{at}"] = points * BASIS_POINT
        plan.update({f"fund_{count}_{part}": value for part, value in values.items()})
        count += 1
    plan["funds"] = count


def _terms(name: str, rules: Rules, case: "Case") -> Terms | None:
    """Returns what a fund does in a case, None where it has no part in it."""
    fund: Hifob | Hifmi | Maf | FurtherFund | None = getattr(rules, name)
    if fund is None:
        return None
    if isinstance(fund, FurtherFund):
        return _general(name, fund, rules, case)
    if isinstance(fund, Hifob):
        return Terms(0, 0, 0, 1, 0, 0, fund.yearly_cap, ((None, fund.ratio),))
    if case.treatment not in fund.med_types:
        return None
    counted, order = rules.first_selfpay_counts_toward, rules.further_funds_in_order
    if isinstance(fund, Hifmi):
        poor = str(case.assist_class) in fund.poor_classes
        tiers = tuple((tier.up_to, tier.ratio_poor if poor else tier.ratio) for tier in fund.tiers)
        threshold = fund.threshold_poor if poor else fund.threshold
        first, over = int("catastrophic" in counted), int(fund.over_ceiling_counts)
        return Terms(1, 1, first, over, _less(("hifob",), order, "hifmi"), threshold, NO_LIMIT, tiers)
    own: MafClass | None = (
        getattr(fund.classes, _ASSIST_FIELDS[case.assist_class]) if case.assist_class in _ASSIST_FIELDS else None
    )
    if own is None:
        return None
    less = _less(("hifob", "hifmi"), order, "maf")
    first = int("assistance" in counted)
    return Terms(1, 1, first, 1, less, own.yearly_threshold, own.yearly_cap, ((None, own.ratio),))


def _general(name: str, fund: FurtherFund, rules: Rules, case: "Case") -> Terms | None:
    """Returns what a fund of the general form does: for the first class that holds for the person."""
    if case.treatment not in fund.med_types:
        return None
    own = next((entry for entry in fund.classes if entry.holds_for(*case.person)), None)
    if own is None:
        return None
    others = [AMOUNTS[at].removesuffix("_pay") for at in FUND_PARTS if AMOUNTS[at] not in ("hifp_pay", f"{name}_pay")]
    remaining = fund.base == "remaining_in_scope_personal"
    return Terms(
        int(fund.base != "over_ceiling"),
        int(fund.counts == "year"),
        int(fund.first_selfpay_counts),
        int(fund.over_ceiling_counts),
        _less(others, rules.further_funds_in_order, name) if remaining else 0,
        own.threshold,
        own.yearly_cap,
        tuple((tier.up_to, tier.ratio) for tier in own.tiers),
    )


def _less(funds: Sequence[str], order: Sequence[str], than: str) -> int:
    """Returns the mask of those funds that the order does not pay behind ``than``."""
    later = order[order.index(than) + 1 :] if than in order else ()
    return sum(1 << AMOUNT[f"{fund}_pay"] for fund in funds if fund not in later)
