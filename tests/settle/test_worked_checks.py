"""The worked checks of DOMAIN section 4, to the fen, by both twins."""

import pytest

from ledger.plans import PolicyBook
from tests.settle.claims import TWINS, Claim, Settle, book_of, settle_claims

TWO_STAYS = """\
[policy]
name = "two-stays"
title = "A deductible that falls by 100 yuan with the second stay"
source = "worked check"
assumptions = []
clawback_order = ["oth_pay", "maf_pay", "hifdm_pay", "hifes_pay", "cvlserv_pay", "hifmi_pay", "hifob_pay", "hifp_pay"]

[resident.off_site]
2024-01-01 = { variant = "none", no_filing_needed = [] }
[resident.first_selfpay_counts_toward]
2024-01-01 = []
[resident.deductible_exempt_classes]
2024-01-01 = []
[resident.deductible_after_ceiling]
2024-01-01 = "taken"
[resident.stay_below_deductible_counts]
2024-01-01 = true
[resident.ceiling_yearly_payment]
2024-01-01 = "none"
[resident.over_ceiling_amount]
2024-01-01 = "cut_payment"
[resident.further_funds_in_order]
2024-01-01 = []
[resident.account_pays]
2024-01-01 = "nothing"
[resident.inpatient.deductible.2024-01-01]
kind = "by_level_and_ordinal"
first_stay = { 1 = "600.00" }
less_per_later_stay = "100.00"
floor = "0"
[resident.inpatient.deductible_place]
2024-01-01 = "subtracted_first"
[resident.inpatient.position]
2024-01-01 = "per_claim"
[resident.inpatient.segments]
2024-01-01 = [{ above = "0", ratio = { resident = { 1 = "0.84" } } }]
"""


@pytest.fixture(params=TWINS)
def settle(request: pytest.FixtureRequest) -> Settle:
    """Returns each twin in turn."""
    return TWINS[request.param]


@pytest.fixture(scope="module")
def qingyuan() -> PolicyBook:
    """Returns a book with the shipped Qingyuan policy."""
    return book_of(("qingyuan", 441800))


@pytest.mark.parametrize(
    ("insutype", "psn_type", "level", "treatment", "paid"),
    [
        (310, 11, 1, 441802, "8700.00"),
        (310, 11, 3, 440106, "6700.00"),
        (310, 12, 1, 441802, "9500.00"),
        (310, 12, 1, 110101, "7500.00"),
        (310, 12, 2, 110101, "7200.00"),
        (310, 12, 3, 110101, "7000.00"),
        (390, 15, 1, 441802, "9000.00"),
        (390, 15, 2, 441802, "7500.00"),
        (390, 15, 3, 441802, "6000.00"),
        (390, 15, 1, 440106, "8000.00"),
        (390, 15, 2, 440106, "6500.00"),
        (390, 15, 3, 110101, "5000.00"),
    ],
)
def test_qingyuan(
    settle: Settle, qingyuan: PolicyBook, insutype: int, psn_type: int, level: int, treatment: int, paid: str
) -> None:
    """Of 10,000.00 in Qingyuan the basic fund pays what DOMAIN says, local and off-site unfiled."""
    claim = Claim("10000.00", insutype=insutype, psn_type=psn_type, hosp_lv=level, treatment=treatment)
    out = settle_claims(settle, qingyuan, [claim])
    assert out.amount(0, "hifp_pay") == out.amount(0, "fund_pay_sumamt") == paid


def test_qingyuan_hospital_without_level(settle: Settle, qingyuan: PolicyBook) -> None:
    """A hospital without a level (9) is paid as level 1, as the policy's assumptions say."""
    out = settle_claims(settle, qingyuan, [Claim("10000.00", hosp_lv=9), Claim("10000.00", hosp_lv=2)])
    assert [out.amount(row, "hifp_pay") for row in (0, 1)] == ["9000.00", "7500.00"]


def test_three_tiers(settle: Settle) -> None:
    """Of 120,000.00, 108,000.00 in scope, basic fund, catastrophic fund and assistance pay 100,281.00 in turn."""
    claim = Claim("120000.00", fulamt="12000.00", insured=370902, treatment=370902, hosp_lv=3, assist=1)
    out = settle_claims(settle, book_of(("taian", 370900)), [claim])
    assert out.amount(0, "act_pay_dedc") == "1500.00"
    assert out.amount(0, "hifp_pay") == "63900.00"
    assert out.amount(0, "hifmi_pay") == "18370.00"
    assert out.amount(0, "maf_pay") == "18011.00"
    assert out.amount(0, "fund_pay_sumamt") == "100281.00"
    assert out.amount(0, "psn_cash_pay") == "19719.00"


def test_assistance_is_last_and_capped(settle: Settle) -> None:
    """Assistance pays 70 % of what is left, within 30,000.00 a year over all claims."""
    claim = Claim("120000.00", insured=370902, treatment=370902, assist=1)
    out = settle_claims(settle, book_of(("taian", 370900)), [claim, claim, claim, claim])
    paid = [out.amount(row, "maf_pay") for row in range(4)]
    assert paid[0] != "0.00"
    assert paid[3] == "0.00"
    assert out.year(0, "maf_pay") == 3_000_000


def test_two_stays_and_a_cancellation(settle: Settle) -> None:
    """Two stays settle 6,804.00 + 6,888.00; cancelling the first books -6,804.00 and re-prices nobody."""
    book = book_of((TWO_STAYS, 441800))
    stay = Claim("8700.00")
    out = settle_claims(settle, book, [stay, stay, Claim("-8700.00", refunds=0), stay])
    assert [out.amount(row, "hifp_pay") for row in range(3)] == ["6804.00", "6888.00", "-6804.00"]
    assert out.year(0, "stays") == 2
    # The second stay, priced as the first it has become, would give 84.00 less: what a later stay now gets shows it.
    again = settle_claims(settle, book, [stay])
    assert out.booked[1, 1] - again.booked[0, 1] == 8400
    assert out.amount(3, "hifp_pay") == "6888.00"


def test_each_amount_is_rounded_half_up_once(settle: Settle) -> None:
    """Half a fen is rounded up: 84 % of 0.05, 0.02 and 0.06 yuan pay 0.04, 0.02 and 0.05."""
    text = TWO_STAYS.replace('1 = "600.00"', '1 = "0"').replace('"100.00"', '"0"')
    out = settle_claims(settle, book_of((text, 441800)), [Claim("0.05"), Claim("0.02"), Claim("0.06")])
    assert [out.amount(row, "hifp_pay") for row in range(3)] == ["0.04", "0.02", "0.05"]
    half = text.replace('"0.84"', '"0.5"')
    out = settle_claims(settle, book_of((half, 441800)), [Claim("0.05"), Claim("0.03"), Claim("0.01")])
    assert [out.amount(row, "hifp_pay") for row in range(3)] == ["0.03", "0.02", "0.01"]


def test_products_of_ratios_stay_unrounded() -> None:
    """V3 keeps ratio × (1 - p) exact: 87.55 % × 97.75 % of 100,000.00 is 85,580.13, not 85,580.00 of a cut ratio."""
    text = TWO_STAYS.replace('"0.84"', '"0.8755"').replace('1 = "600.00"', '1 = "0"').replace('"100.00"', '"0"')
    values = '{ long_term = "0", referral = "0.0225", emergency = "0", temporary = "0", unfiled = "0" }'
    text = text.replace(
        '{ variant = "none", no_filing_needed = [] }',
        f'{{ variant = "V3", no_filing_needed = [], med_types = ["inpatient"], same_province = {values},'
        f" cross_province = {values} }}",
    )
    book = book_of((text, 441800))
    for settle in TWINS.values():
        out = settle_claims(settle, book, [Claim("100000.00", treatment=110101, filings=2)])
        assert out.amount(0, "hifp_pay") == "85580.13"
