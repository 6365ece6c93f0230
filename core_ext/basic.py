"""Names the columns of the basic formula: claims under plans with no fund beside the basic one, column by column.

A plan is basic where nothing in it needs more than the columns here: a deductible, segments, a yearly ceiling on
payment and a personal account; no further fund, no stay that continues another, no yearly cap on deductibles, no
segment on payment, no ceiling on cost, no limit of a disease, no hospital's share. What is left out of the columns
follows from them: ``fund_pay_sumamt`` is ``hifp_pay``, every other amount is zero.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ACCUMULATORS, FACT, FACTS
from core_ext.plan import PLAN
from core_ext.settling import Plans, Table

#: What a claim brings, in the order of ``money``.
BASIC_FACTS = FACTS[FACT["medfee_sumamt"] : FACT["hosp_part_amt"] + 1]
#: What comes out, in the order of ``booked``.
BASIC_AMOUNTS = ("act_pay_dedc", "hifp_pay", "psn_part_amt", "acct_pay", "psn_cash_pay")
#: What of a person's year moves; its fund_pay_sumamt is its hifp_pay.
BASIC_YEAR = (*ACCUMULATORS[:7], "inscp_scp_amt")


def check_columns(
    plans: Plans, plan: Table, kind: Table, ref: Table, slot: Table, money: Sequence[Table], years: Table,
    holder: Table, accounts: Table, code: NDArray[np.uint8], booked: Sequence[Table],
) -> None:  # fmt: skip
    """Raises ValueError, naming it, where a column has not the rows the others ask for, IndexError for a holder."""
    n = len(plan)
    if len(money) != len(BASIC_FACTS) or len(booked) != len(BASIC_AMOUNTS):
        raise ValueError(
            f"expected columns {BASIC_FACTS} and {BASIC_AMOUNTS}, got {len(money)} and {len(booked)} columns"
        )
    named = (
        ("plans", plans, (len(plans), len(PLAN))), ("plan", plan, (n,)), ("kind", kind, (n,)), ("ref", ref, (n,)),
        ("slot", slot, (n,)), *((name, column, (n,)) for name, column in zip(BASIC_FACTS, money, strict=True)),
        ("years", years, (len(years), len(BASIC_YEAR))), ("holder", holder, (len(years),)),
        ("accounts", accounts, (len(accounts),)), ("code", code, (n,)),
        *((name, column, (n,)) for name, column in zip(BASIC_AMOUNTS, booked, strict=True)),
    )  # fmt: skip
    for name, table, shape in named:
        if table.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {table.shape}")
    if not years.flags.c_contiguous:
        raise ValueError(f"years: expected a C-contiguous table, got strides {years.strides}")
    # One look at them: as a number without a sign, one below zero is larger than any row.
    if len(holder) and int(holder.view(np.uint64).max()) >= len(accounts):
        raise IndexError(f"holder: expected rows of {len(accounts)} accounts, got {holder.min()} to {holder.max()}")
