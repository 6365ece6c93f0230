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
PER_CLAIM, YEAR_OF_KIND, YEAR_OF_ALL_KINDS = 0, 1, 2

#: What a personal account may pay: the sum of these; the last takes the deductible out of the in-scope part.
ACCOUNT_IN_SCOPE, ACCOUNT_PRESELF, ACCOUNT_OVER_LIMIT, ACCOUNT_FULL_SELFPAY, ACCOUNT_NOT_DEDUCTIBLE = 1, 2, 4, 8, 16

#: The further funds by code, 1 and up: the amount each pays, which is also the accumulator its yearly cap looks at.
FURTHER_FUNDS = ("", "hifob_pay", "hifmi_pay", "maf_pay", "hifes_pay", "cvlserv_pay", "hifdm_pay", "oth_pay")

#: The accumulator of each further fund's base, where that counts over the year.
FUND_BASES = ("", "further", "catastrophic", "assistance", "further", "further", "further", "further")

FUNDS_MAX = 7
SEGMENTS_MAX = 8
TIERS_MAX = 6

#: The one kind of treatment (med_type) that is a stay (DOMAIN section 4, step 13).
STAY_MED_TYPE = 21

#: One further fund. Its tiers are counted from its threshold; their edges are upper edges, the first lower edge is 0.
FUND = (
    "code",  # its place in FURTHER_FUNDS
    "personal",  # 1: its base is the personal in-scope amount, 0: the over-ceiling amount
    "to_date",  # 1: on the year's bases together, 0: on each claim's own
    "first",  # 1: V1's first self-pay is part of the personal base
    "over",  # 1: the over-ceiling amount is part of the personal base
    "less",  # what other funds take off the personal base: the sum of 1 << place in AMOUNTS
    "threshold",
    "cap",  # on what it pays in a year
    "tiers",
    *(f"{part}_{at}" for at in range(TIERS_MAX) for part in ("edge", "ratio")),
)

PLAN = (
    "relation",  # 0 same city, 1 same province, 2 cross province
    "filing",  # the filing class the relation and the person's filings give; 0 in the same city
    "first_ratio",  # V1: the part of inscp that stays personal
    "deductible_kind",  # DEDUCTIBLE_*
    "deductible_amount",  # the first stay's, or the year's
    "deductible_less",  # taken off for each earlier stay of the year
    "deductible_floor",
    "deductible_factor",  # V4
    "deductible_cap",  # on the year's deductibles by level
    "deductible_exempt",  # 1: nothing is due from this class of person
    "deductible_waived",  # 1: nothing is due once the year's ceiling is reached
    "deductible_inside",  # 1: taken inside the first segment, 0: subtracted first
    "readmission",  # 1 + the days after a discharge in which the same level continues the stay; 0 never
    "transfer",  # 1 + the days after a discharge in which another level continues the stay; 0 never
    "to_date",  # PER_CLAIM, or where segments continue: YEAR_OF_KIND or YEAR_OF_ALL_KINDS
    "on_payment",  # 1: the edges of the segments are edges of the payment, not of the cost
    "placed",  # the accumulator (its column) that this kind of treatment places in
    "stay",  # 1: a stay of the year
    "stay_below_counts",  # 1: also where it is wholly below its deductible
    "ceiling",  # on hifp_pay of the year
    "ceiling_cost",  # on the in-scope amounts of the year
    "over_uncovered",  # 1: the over-ceiling amount is the uncovered cost, 0: the cut payment
    "account",  # ACCOUNT_*, summed
    "mulaid",  # 1: a relative's account may pay (acct_mulaid_pay)
    "segments",  # how many of the segments below are used
    *(f"segment_{part}_{at}" for at in range(SEGMENTS_MAX) for part in ("edge", "ratio")),
    "funds",  # how many of the further funds below are used, in the policy's order
    *(f"fund_{at}_{part}" for at in range(FUNDS_MAX) for part in FUND),
    "limit",  # 1 + what hifp_pay of this one claim may be at most (a disease's limit); 0 no limit
    "hospital",  # ACCOUNT_*, summed: the parts of the personal amount that the hospital shares
    "hospital_ratio",  # what it bears of them
    "pool",  # the insurance type whose pool pays, 0 the claim's own; the kernel does not read it
)

PLAN_AT = {name: at for at, name in enumerate(PLAN)}

#: The accumulator in which a kind of treatment places what it puts into the segments.
PLACED = {
    11: ACCUMULATOR["placed_outpatient"],
    14: ACCUMULATOR["placed_chronic"],
    21: ACCUMULATOR["placed_inpatient"],
    28: ACCUMULATOR["placed_inpatient"],
    41: ACCUMULATOR["placed_pharmacy"],
    51: ACCUMULATOR["placed_outpatient"],
    52: ACCUMULATOR["placed_inpatient"],
}
