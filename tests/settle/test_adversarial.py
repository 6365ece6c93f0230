"""Amounts and orders chosen to break a settlement: nothing, one fen, the largest, all of it, one person's 10,000."""

import pytest

from core_ext.layout import ACCUMULATORS, AMOUNTS
from core_ext.plan import RANGE
from ledger.refusals import Refusal
from tests.settle.claims import TWINS, Claim, Settle, book_of, settle_claims, yuan
from tests.settle.test_steps import FUNDS, policy
from tests.settle.test_worked_checks import TWO_STAYS

TWIN = pytest.mark.parametrize("settle", TWINS.values(), ids=TWINS)
NO_DEDUCTIBLE = TWO_STAYS.replace('1 = "600.00"', '1 = "0"').replace('"100.00"', '"0"')


@TWIN
def test_a_claim_of_nothing_books_nothing(settle: Settle) -> None:
    """A settlement of 0.00 is booked as such, and is a stay all the same."""
    out = settle_claims(settle, book_of((TWO_STAYS, 441800)), [Claim("0.00"), Claim("0.01")])
    assert out.code.tolist() == [0, 0]
    assert not out.booked[0].any()
    assert out.amount(1, "act_pay_dedc") == out.amount(1, "psn_cash_pay") == "0.01"
    assert out.year(0, "stays") == 2


@TWIN
@pytest.mark.parametrize(("ratio", "paid"), [("0", "0.00"), ("1", "0.01"), ("0.5", "0.01"), ("0.4999", "0.00")])
def test_one_fen_at_every_kind_of_ratio(settle: Settle, ratio: str, paid: str) -> None:
    """One fen is paid from a half upwards, never more than it is."""
    text = NO_DEDUCTIBLE.replace('"0.84"', f'"{ratio}"')
    out = settle_claims(settle, book_of((text, 441800)), [Claim("0.01")])
    assert out.amount(0, "hifp_pay") == paid


@TWIN
def test_the_largest_amount_a_file_can_hold(settle: Settle) -> None:
    """9,999,999,999,999.99 yuan settle exactly; where a year's sum leaves the range the row is refused, by name."""
    largest = yuan(10**15 - 1)
    out = settle_claims(settle, book_of((NO_DEDUCTIBLE, 441800)), [Claim(largest)] * 80)
    assert out.amount(0, "hifp_pay") == yuan((84 * (10**15 - 1) + 50) // 100)
    booked = int((out.code == 0).sum())
    assert booked == RANGE // (10**15 - 1)
    assert set(out.code[booked:].tolist()) == {int(Refusal.ARITHMETIC_OVERFLOW)}
    assert out.year(0, "inscp_scp_amt") == booked * (10**15 - 1)


@TWIN
def test_funds_that_pay_everything_leave_nothing_below_zero(settle: Settle) -> None:
    """Where each fund is promised all that is personal in scope, the first gets to pay it and the last pays nothing."""
    funds = FUNDS.replace('ratio = "0.50"', 'ratio = "1"').replace(
        'base = "over_ceiling"', 'base = "in_scope_personal"'
    )
    text = policy(("in_order]\n2024-01-01 = []", 'in_order]\n2024-01-01 = ["oth", "hifes", "cvlserv"]'),
                  ('"0.84"', '"0"'), more=funds)  # fmt: skip
    out = settle_claims(settle, book_of((text, 441800)), [Claim("1000.00", psn_type=16)])
    assert [out.amount(0, name) for name in ("oth_pay", "hifes_pay", "cvlserv_pay", "psn_part_amt")] == [
        "1000.00", "0.00", "0.00", "0.00",
    ]  # fmt: skip


@TWIN
def test_a_year_in_which_the_sum_leaves_the_range_stays_as_it_was(settle: Settle) -> None:
    """A refused claim leaves the year and the account untouched: the smaller one behind it books on what was there."""
    largest = yuan(10**15 - 1)
    claims = [*[Claim(largest)] * (RANGE // (10**15 - 1)), Claim(largest), Claim("1.00"), Claim(largest)]
    out = settle_claims(settle, book_of((NO_DEDUCTIBLE, 441800)), claims, balance="5.00")
    assert out.code[-3:].tolist() == [int(Refusal.ARITHMETIC_OVERFLOW), 0, int(Refusal.ARITHMETIC_OVERFLOW)]
    assert (out.state[0] == out.delta.sum(axis=0)).all()
    assert not out.booked[-3].any()
    assert not out.before[-1].any()
    assert (out.before[-2] == out.before[-4] + out.delta[-4]).all()


@TWIN
def test_the_turn_of_the_year_begins_anew(settle: Settle) -> None:
    """On 1 January a stay is the first again, under a whole ceiling; December's refund moves December's year."""
    text = TWO_STAYS.replace('ceiling_yearly_payment]\n2024-01-01 = "none"',
                             'ceiling_yearly_payment]\n2024-01-01 = "8000.00"')  # fmt: skip
    december, january = 20241231_235959, 20250101_000000
    out = settle_claims(
        settle,
        book_of((text, 441800)),
        [
            Claim("8700.00", setl_time=december),
            Claim("8700.00", setl_time=december),
            Claim("8700.00", setl_time=january),
            Claim("-8700.00", setl_time=january, refunds=0),
            Claim("8700.00", setl_time=december),
        ],
    )
    assert [out.amount(row, "act_pay_dedc") for row in range(5)] == ["600.00", "500.00", "600.00", "-600.00", "500.00"]
    assert [out.amount(row, "hifp_pay") for row in range(5)] == [
        "6804.00", "1196.00", "6804.00", "-6804.00", "6804.00",
    ]  # fmt: skip
    assert [out.year(year, "stays") for year in (0, 1)] == [2, 1]
    assert [out.year(year, "hifp_pay") for year in (0, 1)] == [8000_00, 6804_00]


@TWIN
def test_ten_thousand_claims_of_one_person(settle: Settle) -> None:
    """One person's 10,000 stays, every tenth refunded, end in the sum of what stands."""
    claims = [
        Claim("-100.01", refunds=at - 1) if at % 10 == 9 else Claim("100.01", med_type=21 if at % 2 else 11)
        for at in range(10_000)
    ]
    text = NO_DEDUCTIBLE + TWO_STAYS[TWO_STAYS.index("[resident.inpatient.deductible.2024") :].replace(
        "inpatient", "outpatient"
    )
    out = settle_claims(settle, book_of((text, 441800)), claims)
    assert not out.code.any()
    assert (out.state[0] == out.delta.sum(axis=0)).all()
    standing = [at for at in range(10_000) if at % 10 < 8]
    assert out.booked[:, AMOUNTS.index("hifp_pay")].sum() == out.booked[standing, AMOUNTS.index("hifp_pay")].sum()
    assert out.state[0, ACCUMULATORS.index("stays")] == sum(at % 2 for at in standing)
