"""Names the columns of a plan: one policy, resolved for one kind of claim, as a flat row of integers.

A plan answers every question the settle kernel asks of a policy, for one combination of policy version,
insurance type, kind of treatment, hospital level, status, relation with filing class, and assistance class.
Amounts are fen; every ratio, whatever its source, is an integer of ``RATIO_ONE`` parts, so that a basis-point ratio
times a basis-point factor is still exact and one constant divides everything (DOMAIN section 4).
"""

from core_ext.layout import ACCUMULATOR

RATIO_ONE = 100_000_000

#: Stands where a policy sets no limit; larger than any amount a settlement may hold.
NO_LIMIT = 10**18

#: Every amount, fen, that a settlement reads or writes is at least -RANGE and below RANGE: 720 million million yuan.
#: Sums of fifty of them fit an int64.
RANGE = 2**56

DEDUCTIBLE_NONE, DEDUCTIBLE_BY_ORDINAL, DEDUCTIBLE_ANNUAL = 0, 1, 2
FUND_HIFOB, FUND_HIFMI, FUND_MAF = 1, 2, 3
ACCOUNT_NOTHING, ACCOUNT_IN_SCOPE, ACCOUNT_IN_SCOPE_AND_PRESELF = 0, 1, 2

FUNDS_MAX = 3
SEGMENTS_MAX = 8
TIERS_MAX = 6

#: The one kind of treatment (med_type) that is a stay (DOMAIN section 4, step 13).
STAY_MED_TYPE = 21

PLAN = (
    "relation",  # 0 same city, 1 same province, 2 cross province
    "filing",  # the filing class the relation and the person's filings give; 0 in the same city
    "first_ratio",  # V1: the part of inscp that stays personal
    "deductible_kind",  # DEDUCTIBLE_*
    "deductible_amount",  # the first stay's, or the year's
    "deductible_less",  # taken off for each earlier stay of the year
    "deductible_floor",
    "deductible_factor",  # V4
    "deductible_exempt",  # 1: nothing is due from this class of person
    "deductible_waived",  # 1: nothing is due once the year's ceiling is reached
    "deductible_inside",  # 1: taken inside the first segment, 0: subtracted first
    "to_date",  # 1: segments continue from what the year has placed, 0: each claim starts at zero
    "placed",  # the accumulator (its column) that this kind of treatment places in
    "stay",  # 1: a stay of the year
    "stay_below_counts",  # 1: also where it is wholly below its deductible
    "ceiling",  # on hifp_pay of the year
    "over_uncovered",  # 1: the over-ceiling amount is the uncovered cost, 0: the cut payment
    "fund_1",  # FUND_*, in the policy's order; 0 ends the list
    "fund_2",
    "fund_3",
    "hifob_ratio",
    "hifob_cap",
    "catastrophic",  # 1: the claim has a catastrophic amount
    "catastrophic_first",  # 1: V1's first self-pay is part of it
    "catastrophic_over",  # 1: the over-ceiling amount is part of it
    "catastrophic_less_hifob",  # 1: hifob_pay is taken off it (0 only where the policy pays hifob later)
    "catastrophic_threshold",
    "assistance",  # 1: the claim has an assistance amount
    "assistance_first",  # 1: V1's first self-pay is part of it
    "assistance_less_hifob",  # 1: hifob_pay is taken off it
    "assistance_less_hifmi",  # 1: hifmi_pay is taken off it
    "assistance_threshold",
    "assistance_ratio",
    "assistance_cap",
    "account",  # ACCOUNT_*
    "segments",  # how many of the segments below are used
    *(f"segment_edge_{at}" for at in range(SEGMENTS_MAX)),  # upper edges; the first lower edge is 0
    *(f"segment_ratio_{at}" for at in range(SEGMENTS_MAX)),  # after the off-site step
    "tiers",
    *(f"tier_edge_{at}" for at in range(TIERS_MAX)),  # upper edges above the threshold
    *(f"tier_ratio_{at}" for at in range(TIERS_MAX)),
)

PLAN_AT = {name: at for at, name in enumerate(PLAN)}

#: The accumulator in which a kind of treatment places what it puts into the segments.
PLACED = {
    11: ACCUMULATOR["placed_outpatient"],
    14: ACCUMULATOR["placed_chronic"],
    21: ACCUMULATOR["placed_inpatient"],
    28: ACCUMULATOR["placed_inpatient"],
    41: ACCUMULATOR["placed_pharmacy"],
}
