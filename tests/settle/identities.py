"""Checks what every settlement must satisfy exactly (DOMAIN section 5), on whatever a twin booked."""

import numpy as np

from core_ext.layout import AMOUNTS, FACT, FUND_PARTS, HOW
from core_ext.settling import SKIP
from tests.settle.claims import Outcome
from tests.settle.drawn import Batch, amount_of


def check_identities(drawn: Batch, out: Outcome) -> None:
    """Asserts I1, I2, I3 and I5 on every booked row, and that years and accounts are the sum of their claims."""
    rows = np.flatnonzero((out.code == 0) & (drawn.kind != SKIP))
    booked, facts = out.booked[rows], drawn.facts[rows]
    fund, part = amount_of(booked, "fund_pay_sumamt"), amount_of(booked, "psn_part_amt")
    account, cash = amount_of(booked, "acct_pay"), amount_of(booked, "psn_cash_pay")
    hospital = out.how[rows, HOW.index("hosp_part_amt")]
    splits = [FACT[name] for name in ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")]
    assert (facts[:, FACT["medfee_sumamt"]] == facts[:, splits].sum(axis=1)).all()
    assert (facts[:, FACT["medfee_sumamt"]] == fund + part + facts[:, FACT["hosp_part_amt"]] + hospital).all()
    assert (part == account + cash).all()
    assert (fund == booked[:, list(FUND_PARTS)].sum(axis=1)).all()
    aid = amount_of(booked, "acct_mulaid_pay")
    assert ((np.abs(aid) <= np.abs(account)) & (aid * np.sign(account) >= 0)).all()
    state, accounts = drawn.state.copy(), drawn.accounts.copy()
    for row in rows.tolist():
        assert (out.before[row] == state[drawn.slot[row]]).all()
        state[drawn.slot[row]] += out.delta[row]
        accounts[drawn.account[row]] -= out.booked[row, AMOUNTS.index("acct_pay")]
        assert out.balc[row] == accounts[drawn.account[row]]
    assert (state == out.state).all()
    assert (accounts == out.accounts).all()
