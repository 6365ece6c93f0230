"""Settles the narrower formula with Numba: the loop a programmer writes, compiled, over the kernel's own tables."""

from typing import Any

import numba

from core_ext.layout import ACCUMULATOR, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, HOW
from core_ext.plan import PLAN_AT, RATIO_ONE
from core_ext.settling import REFUND

ONE, HALF = RATIO_ONE, RATIO_ONE // 2
MEDFEE, PRESELF, INSCP, HOSP = (
    FACT[name] for name in ("medfee_sumamt", "preselfpay_amt", "inscp_scp_amt", "hosp_part_amt")
)
DEDC, HIFP, FUND, PART, ACCT, CASH = (
    AMOUNT[name] for name in ("act_pay_dedc", "hifp_pay", "fund_pay_sumamt", "psn_part_amt", "acct_pay", "psn_cash_pay")
)
STAYS, PLACED, Y_HIFP, Y_INSCP, Y_FUND = (
    ACCUMULATOR[name] for name in ("stays", "placed_inpatient", "hifp_pay", "inscp_scp_amt", "fund_pay_sumamt")
)
FIRST_RATIO, DUE, LESS, FLOOR, CEILING, TO_DATE, ACCOUNT, SEGMENTS, EDGES, RELATION, FILING = (
    PLAN_AT[name]
    for name in (
        "first_ratio", "deductible_amount", "deductible_less", "deductible_floor", "ceiling", "to_date", "account",
        "segments", "segment_edge_0", "relation", "filing",
    )
)  # fmt: skip
AMOUNTS_WIDTH, YEAR_WIDTH, HOW_WIDTH = len(AMOUNTS), len(ACCUMULATORS), len(HOW)


@numba.njit(cache=False, nogil=True)
def settle(
    plans: Any, plan: Any, facts: Any, given: Any, kind: Any, ref: Any, refunded: Any, lenient: Any, slot: Any,
    state: Any, account: Any, accounts: Any, code: Any, booked: Any, computed: Any, before: Any, delta: Any, balc: Any,
    how: Any,
) -> None:  # fmt: skip
    """Fills every output as the kernel does, for plans of the narrower formula and without the kernel's checks."""
    for row in range(len(plan)):
        year = slot[row]
        for at in range(YEAR_WIDTH):
            before[row, at] = state[year, at]
            delta[row, at] = 0
        for at in range(AMOUNTS_WIDTH):
            booked[row, at] = 0
        for at in range(HOW_WIDTH):
            how[row, at] = 0
        chosen = plan[row]
        how[row, 0] = plans[chosen, RELATION]
        if kind[row] == REFUND:
            original = ref[row]
            for at in range(AMOUNTS_WIDTH):
                booked[row, at] = -booked[original, at]
            for at in range(YEAR_WIDTH):
                delta[row, at] = -delta[original, at]
            refunded[original] = 1
        else:
            inscp = facts[row, INSCP]
            first = (inscp * plans[chosen, FIRST_RATIO] + HALF) // ONE
            base = inscp - first
            room = max(0, plans[chosen, CEILING] - state[year, Y_HIFP])
            dedc = 0
            if room > 0:
                due = plans[chosen, DUE] - plans[chosen, LESS] * state[year, STAYS]
                dedc = min(max(plans[chosen, FLOOR], due), base)
            start = state[year, PLACED] if plans[chosen, TO_DATE] else 0
            stop = start + base - dedc
            above, paid = 0, 0
            for at in range(plans[chosen, SEGMENTS]):
                edge = plans[chosen, EDGES + 2 * at]
                inside = max(0, min(stop, edge) - max(start, above))
                if inside:
                    paid += (inside * plans[chosen, EDGES + 2 * at + 1] + HALF) // ONE
                above = edge
            hifp = min(paid, room)
            part = facts[row, MEDFEE] - hifp - facts[row, HOSP]
            acct = 0
            if plans[chosen, ACCOUNT]:
                acct = max(0, min(accounts[account[row]], min(inscp - hifp + facts[row, PRESELF], part)))
            booked[row, DEDC], booked[row, HIFP], booked[row, FUND] = dedc, hifp, hifp
            booked[row, PART], booked[row, ACCT], booked[row, CASH] = part, acct, part - acct
            delta[row, STAYS], delta[row, PLACED], delta[row, Y_HIFP] = 1, base - dedc, hifp
            delta[row, Y_INSCP], delta[row, Y_FUND] = inscp, hifp
            how[row, 1], how[row, 2], how[row, 3] = plans[chosen, FILING], first, paid - hifp
        for at in range(AMOUNTS_WIDTH):
            computed[row, at] = booked[row, at]
        for at in range(YEAR_WIDTH):
            state[year, at] += delta[row, at]
        accounts[account[row]] -= booked[row, ACCT]
        balc[row] = accounts[account[row]]
