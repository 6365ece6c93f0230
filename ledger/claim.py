"""Says what a claim given as a value is, and what became of it; plain values without any of the machinery."""

import datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec

Code: TypeAlias = int | str
Day: TypeAlias = datetime.date | str
Yuan: TypeAlias = Decimal | str

BOOKED, DUPLICATE, REFUSED = "booked", "duplicate", "refused"


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is one claim in the national field names (DOMAIN section 6); what is left out reads as an absent column does.

    That is 0 for ``hosp_lv`` and ``hosp_part_amt`` and an empty cell for all else. Amounts are yuan, as Decimal or
    text, never float; days are dates or ``YYYY-MM-DD``; ``setl_time`` is a datetime or ``YYYY-MM-DD HH:MM:SS``, both in
    China's time unless the datetime has a zone of its own. With ``fund_pay_sumamt`` the claim is settled by its source,
    without it by the policy; with ``init_setl_id`` it refunds that settlement, all amounts negative.
    """

    setl_id: str
    psn_no: str
    insutype: Code
    psn_type: Code
    insu_admdvs: Code
    mdtrtarea_admvs: Code
    med_type: Code
    begndate: Day
    enddate: Day
    setl_time: Day
    medfee_sumamt: Yuan
    fulamt_ownpay_amt: Yuan
    overlmt_selfpay: Yuan
    preselfpay_amt: Yuan
    inscp_scp_amt: Yuan
    fixmedins_code: str
    hosp_lv: Code = 0
    hosp_part_amt: Yuan = "0"
    mdtrt_id: str = ""
    medins_setl_id: str = ""
    init_setl_id: str = ""
    psn_name: str = ""
    act_pay_dedc: Yuan = ""
    hifp_pay: Yuan = ""
    cvlserv_pay: Yuan = ""
    hifes_pay: Yuan = ""
    hifmi_pay: Yuan = ""
    hifob_pay: Yuan = ""
    hifdm_pay: Yuan = ""
    maf_pay: Yuan = ""
    oth_pay: Yuan = ""
    fund_pay_sumamt: Yuan = ""
    psn_part_amt: Yuan = ""
    acct_pay: Yuan = ""
    acct_mulaid_pay: Yuan = ""
    psn_cash_pay: Yuan = ""


class Settled(msgspec.Struct, frozen=True):
    """Is what became of one claim: ``outcome`` is booked, duplicate (the log has it, equal) or refused.

    ``position`` is its ClaimFiled's (0: refused); ``period`` yyyymm; ``amounts`` and ``balc`` in fen, of a duplicate
    those booked then; ``late`` where it books behind its own month; ``flags`` what registers have against a claim
    its source had paid. A refused one has its ``reason`` as a stable code, and in words the field, what was expected
    and what came.
    """

    outcome: str
    setl_id: str
    position: int = 0
    period: int = 0
    amounts: dict[str, int] = {}
    balc: int = 0
    late: bool = False
    flags: tuple[str, ...] = ()
    reason: str = ""
    field: str = ""
    expected: str = ""
    got: str = ""
