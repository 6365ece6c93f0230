"""Names the columns of the integer tables that every kernel reads and writes.

A batch of claims is a few C-contiguous ``int64`` tables, one row a claim, one column a name below.
Money is integer fen, a day is the integer ``yyyymmdd``, a moment ``yyyymmddHHMMSS``, a code the integer
of its digits (DOMAIN section 6 has the names and their meaning). Columns are only ever appended.
"""

from collections.abc import Sequence

FACTS = (
    "token",  # the person, never the person's number
    "insu_admdvs",
    "mdtrtarea_admvs",
    "insured_region",  # the pooling area that owns insu_admdvs
    "treatment_region",  # the pooling area that owns mdtrtarea_admvs
    "hosp_lv",
    "insutype",
    "psn_type",
    "med_type",
    "begndate",
    "enddate",
    "setl_time",
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
    "hosp_part_amt",
)

AMOUNTS = (
    "act_pay_dedc",
    "hifp_pay",
    "cvlserv_pay",
    "hifes_pay",
    "hifmi_pay",
    "hifob_pay",
    "hifdm_pay",
    "maf_pay",
    "oth_pay",
    "fund_pay_sumamt",
    "psn_part_amt",
    "acct_pay",
    "acct_mulaid_pay",
    "psn_cash_pay",
)

#: The eight parts of ``fund_pay_sumamt`` (identity I5), as positions in AMOUNTS.
FUND_PARTS = tuple(range(1, 9))

ACCUMULATORS = (
    "stays",
    "deductible",  # act_pay_dedc under yearly cumulative deductibles
    "placed_inpatient",
    "placed_outpatient",
    "placed_chronic",
    "placed_pharmacy",
    "hifp_pay",
    "hifob_pay",
    "hifmi_pay",
    "catastrophic",
    "assistance",
    "maf_pay",
    "inscp_scp_amt",
    "fund_pay_sumamt",
    "cvlserv_pay",
    "hifes_pay",
    "hifdm_pay",
    "oth_pay",
    "further",  # the base of the one further fund, beside hifmi and maf, that counts over the year
    "deductible_stays",  # act_pay_dedc under deductibles by level that have a yearly cap
    "last_discharge",  # of stays under a readmission or transfer rule: day number * 100 + hospital level
    "stay_deductible",  # act_pay_dedc of the stay that discharge ended, with what was one stay with it
)

HOW = (
    "relation",  # 0 same city, 1 same province, 2 cross province
    "filing",  # see ledger.registers.FILING_CLASSES; 0 in the same city
    "first_selfpay",  # V1's part, fen
    "over_ceiling",  # fen
    "assist_class",  # the person's assistance class when it was decided, 0 none
    "hosp_lv",  # the register's level or settlement grade it was decided by, 0 the claim's own level
    "psn_type",  # the register's class it was decided by, 0 the claim's own class
    "age",  # 1 + the person's age in whole years on the policy's day, where the policy asks for it; else 0
    "pool",  # the insurance type whose pool pays the basic fund's part, 0 the claim's own
    "hosp_part_amt",  # the hospital's share that the policy gives beside the claim's own, fen
    "limit",  # 1 + what the limit of the claim's disease left for the basic fund, fen; 0 no limit
)

#: An optional integer that is not there (an absent amount is not zero).
ABSENT = -(2**63)

FACT = {name: at for at, name in enumerate(FACTS)}
AMOUNT = {name: at for at, name in enumerate(AMOUNTS)}
ACCUMULATOR = {name: at for at, name in enumerate(ACCUMULATORS)}


def padded(values: Sequence[int]) -> list[int]:
    """Returns accumulators as the log has them with zeros for the columns that came later."""
    return [*values, *[0] * len(ACCUMULATORS)][: len(ACCUMULATORS)]
