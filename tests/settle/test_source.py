"""What a source's own amounts book, which identities they must satisfy, and what a refund takes back."""

import numpy as np
import pytest

from core_ext import settling
from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACT
from core_ext.plan import PLAN, PLAN_AT, RANGE
from ledger.plans import PolicyBook
from ledger.refusals import Refusal
from tests.settle.claims import TWINS, Claim, Outcome, Settle, book_of, run, settle_claims, yuan

PAID = {"act_pay_dedc": "0", "hifp_pay": "700.00", "fund_pay_sumamt": "700.00"}


@pytest.fixture(params=TWINS)
def settle(request: pytest.FixtureRequest) -> Settle:
    """Returns each twin in turn."""
    return TWINS[request.param]


@pytest.fixture(scope="module")
def book() -> PolicyBook:
    """Returns a book with the shipped Qingyuan policy, and the assumed one beside it."""
    return book_of(("qingyuan", 441800), ("national-default", 110000))


def refusal(out: Outcome, row: int = 0) -> Refusal:
    """Returns why a row was refused, having checked that a refused row has no effect."""
    if out.code[row]:
        assert not out.booked[row].any()
        assert not out.delta[row].any()
        assert not out.how[row].any()
    return Refusal(int(out.code[row]))


def test_numbers_of_refusals_are_the_ledgers() -> None:
    """The kernel's numbers are those of ledger.refusals."""
    for name in ("NO_POLICY", "NEGATIVE_WITHOUT_INIT", "REFUND_UNKNOWN", "REFUND_TWICE", "REFUND_MISMATCH",
                 "IDENTITY_I1", "IDENTITY_I2", "IDENTITY_I3", "IDENTITY_I5", "ARITHMETIC_OVERFLOW"):  # fmt: skip
        assert getattr(settling, name) == Refusal[name]


def test_a_source_settlement_is_booked_and_compared(settle: Settle, book: PolicyBook) -> None:
    """The source's amounts are booked, the year advances by them, and what the policy gives stands beside them."""
    out = settle_claims(settle, book, [Claim("1000.00", given=PAID | {"psn_part_amt": "300.00"})])
    assert refusal(out) is Refusal.NONE
    assert (out.amount(0, "hifp_pay"), out.expected(0, "hifp_pay")) == ("700.00", "900.00")
    assert out.year(0, "hifp_pay") == 70_000
    assert out.year(0, "stays") == 1


@pytest.mark.parametrize(
    ("given", "derived"),
    [
        ({}, {"psn_part_amt": "300.00", "acct_pay": "0.00", "psn_cash_pay": "300.00"}),
        ({"acct_pay": "100.00"}, {"psn_part_amt": "300.00", "psn_cash_pay": "200.00"}),
        ({"psn_cash_pay": "50.00"}, {"psn_part_amt": "300.00", "acct_pay": "250.00"}),
        ({"psn_part_amt": "300.00"}, {"psn_cash_pay": "300.00"}),
        ({"acct_pay": "100.00", "acct_mulaid_pay": "40.00"}, {"acct_mulaid_pay": "40.00", "psn_cash_pay": "200.00"}),
    ],
)
def test_an_empty_amount_is_derived(
    settle: Settle, book: PolicyBook, given: dict[str, str], derived: dict[str, str]
) -> None:
    """An empty personal part, cash or account is what I2 and I3 leave for it, not 0."""
    out = settle_claims(settle, book, [Claim("1000.00", given=PAID | given)])
    assert refusal(out) is Refusal.NONE
    assert {name: out.amount(0, name) for name in derived} == derived


def test_an_empty_basic_fund_is_what_the_other_parts_leave(settle: Settle, book: PolicyBook) -> None:
    """With the total and another part given, the basic fund is the rest of I5; a deductible is the policy's."""
    given = {"fund_pay_sumamt": "700.00", "maf_pay": "200.00"}
    out = settle_claims(settle, book, [Claim("1000.00", given=given)])
    assert (out.amount(0, "hifp_pay"), out.amount(0, "maf_pay")) == ("500.00", "200.00")
    out = settle_claims(settle, book, [Claim("1000.00", insured=110101, treatment=110101, given=PAID)])
    assert out.amount(0, "act_pay_dedc") == "0.00"
    unsaid = {name: amount for name, amount in PAID.items() if name != "act_pay_dedc"}
    out = settle_claims(settle, book, [Claim("1000.00", insured=110101, treatment=110101, given=unsaid)])
    assert out.amount(0, "act_pay_dedc") == "200.00"


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (Claim("3300.00", fulamt="3300.00", given={"fund_pay_sumamt": "0", "psn_part_amt": "0"}), Refusal.IDENTITY_I2),
        (Claim("1000.00", given=PAID | {"psn_part_amt": "300.01"}), Refusal.IDENTITY_I2),
        (Claim("600.00", given=PAID), Refusal.IDENTITY_I2),
        (Claim("1000.00", given=PAID | {"acct_pay": "1", "psn_cash_pay": "300.00"}), Refusal.IDENTITY_I3),
        (Claim("1000.00", given=PAID | {"acct_pay": "301.00"}), Refusal.IDENTITY_I3),
        (Claim("1000.00", given=PAID | {"psn_cash_pay": "301.00"}), Refusal.IDENTITY_I3),
        (Claim("1000.00", given=PAID | {"acct_mulaid_pay": "0.01"}), Refusal.IDENTITY_I3),
        (Claim("1000.00", given=PAID | {"maf_pay": "0.01"}), Refusal.IDENTITY_I5),
        (Claim("1000.00", given={"fund_pay_sumamt": "1", "maf_pay": "2"}), Refusal.IDENTITY_I5),
        (Claim("1000.00", facts={"inscp_scp_amt": 99_999}), Refusal.IDENTITY_I1),
        (Claim("1000.00", hosp_part="100.01"), Refusal.IDENTITY_I2),
        (Claim("-1000.00"), Refusal.NEGATIVE_WITHOUT_INIT),
        (Claim("1000.00", given=PAID | {"maf_pay": "-0.01"}), Refusal.NEGATIVE_WITHOUT_INIT),
        (Claim("1000.00", facts={"medfee_sumamt": RANGE, "inscp_scp_amt": RANGE}), Refusal.ARITHMETIC_OVERFLOW),
        (Claim("1000.00", med_type=52), Refusal.NO_POLICY),
    ],
)
def test_what_breaks_an_identity_is_refused(settle: Settle, book: PolicyBook, claim: Claim, reason: Refusal) -> None:
    """A settlement that breaks I1, I2, I3 or I5 has no effect, and the identity is named."""
    out = settle_claims(settle, book, [claim], balance="500.00")
    assert refusal(out) is reason
    assert not out.state.any()
    assert yuan(int(out.accounts[0])) == "500.00"


def test_a_fault_found_before_stands(settle: Settle, book: PolicyBook) -> None:
    """A row that came with a refusal keeps it and has no effect."""
    facts = np.zeros((1, 18), np.int64)
    one = np.zeros(1, np.int64)
    given = np.zeros((1, len(AMOUNTS)), np.int64)
    state = np.zeros((1, len(ACCUMULATORS)), np.int64)
    kind = np.ones(1, np.int64)
    settle_claims(settle, book, [Claim("1.00")])
    out = run(settle, book.plans, one, facts, given, kind, one - 1, one, one, state, one, one + 5, one + 21)
    assert refusal(out) is Refusal.IDENTITY_I1


def test_an_unchecked_settlement_books_what_was_paid(settle: Settle, book: PolicyBook) -> None:
    """Where no policy can check it, a source's settlement advances what was paid and the stays, and nothing else."""
    claim = Claim("1000.00", insured=990101, treatment=990201, given=PAID | {"acct_pay": "10.00"}, checked=False)
    out = settle_claims(settle, book, [claim], balance="50.00")
    assert refusal(out) is Refusal.NONE
    assert (out.booked == out.computed).all()
    moved = {name for name in ACCUMULATORS if out.year(0, name)}
    assert moved == {"stays", "hifp_pay", "inscp_scp_amt", "fund_pay_sumamt"}
    assert yuan(int(out.balc[0])) == "40.00"
    assert out.how[0].tolist()[:2] == [1, 0]


def test_a_refund_restores_year_and_account(settle: Settle, book: PolicyBook) -> None:
    """A refund books every amount negated and leaves year and account as they were before its original."""
    stay = Claim("1000.00", insutype=310, psn_type=11)
    other = Claim("500.00", insutype=310, psn_type=11)
    out = settle_claims(settle, book, [stay, other, Claim("-1000.00", refunds=0)], balance="100.00")
    alone = settle_claims(settle, book, [other], balance="100.00")
    assert (out.booked[2] == -out.booked[0]).all()
    assert (out.delta[2] == -out.delta[0]).all()
    assert (out.state == alone.state).all()
    assert yuan(int(out.balc[2])) == "100.00"
    assert out.refunded.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ([Claim("-1.00", refunds=-1)], Refusal.REFUND_UNKNOWN),
        ([Claim("-1.00", refunds=1), Claim("1.00")], Refusal.REFUND_UNKNOWN),
        ([Claim("1.00"), Claim("-1.00", refunds=0), Claim("1.00", refunds=1)], Refusal.REFUND_UNKNOWN),
        ([Claim("1.00", facts={"inscp_scp_amt": 1}), Claim("-1.00", refunds=0)], Refusal.REFUND_UNKNOWN),
        ([Claim("1.00"), Claim("-1.00", refunds=0), Claim("-1.00", refunds=0)], Refusal.REFUND_TWICE),
        ([Claim("1.00"), Claim("-1.01", refunds=0)], Refusal.REFUND_MISMATCH),
        ([Claim("1.00"), Claim("-1.00", refunds=0, person=2)], Refusal.REFUND_MISMATCH),
        ([Claim("1.00"), Claim("-1.00", refunds=0, given={"hifp_pay": "-0.91"})], Refusal.REFUND_MISMATCH),
        ([Claim("1.00"), Claim("-1.00", refunds=0, given={"hifp_pay": "-0.90"})], Refusal.NONE),
    ],
)
def test_refunds_that_refund_nothing(settle: Settle, book: PolicyBook, claims: list[Claim], reason: Refusal) -> None:
    """A refund of nothing, of a refund, of a refused row, a second one or one that is no exact negative is refused."""
    out = settle_claims(settle, book, claims)
    row = 0 if claims[0].refunds is not None else len(claims) - 1
    assert refusal(out, row) is reason


def test_a_refund_need_not_know_assumed_amounts(settle: Settle, book: PolicyBook) -> None:
    """Where the original was decided under an assumed policy, a refund's own amounts may differ; its facts may not."""
    refund = Claim("-1.00", refunds=0, given={"hifp_pay": "-0.80", "fund_pay_sumamt": "-0.80"})
    out = settle_claims(settle, book, [Claim("1.00"), refund], lenient=True)
    assert refusal(out, 1) is Refusal.NONE
    assert out.amount(1, "hifp_pay") == "-0.90"
    out = settle_claims(settle, book, [Claim("1.00"), Claim("-1.01", refunds=0)], lenient=True)
    assert refusal(out, 1) is Refusal.REFUND_MISMATCH


def test_a_refund_of_a_settlement_in_the_log(settle: Settle, book: PolicyBook) -> None:
    """An original loaded from the log, behind the batch's rows, is refunded by its recorded amounts and deltas."""
    original = settle_claims(settle, book, [Claim("100.00", insutype=310, psn_type=11)], balance="5.00")
    facts = np.array([[0] * 18, [0] * 18], np.int64)
    facts[1, FACT["medfee_sumamt"]] = facts[1, FACT["inscp_scp_amt"]] = 10_000
    facts[0] = -facts[1]
    none = np.full((2, len(AMOUNTS)), ABSENT, np.int64)
    zero = np.zeros(1, np.int64)
    out = run(
        settle, book.plans, zero - 1, facts, none, zero + settling.REFUND, zero + 1, np.zeros(2, np.int64),
        zero, original.state, zero, original.accounts, zero,
        tail_booked=original.booked, tail_delta=original.delta,
    )  # fmt: skip
    assert refusal(out) is Refusal.NONE
    assert not out.state.any()
    assert yuan(int(out.accounts[0])) == "5.00"
    assert out.refunded.tolist() == [0, 1]


def test_tables_of_the_wrong_shape_are_refused(settle: Settle, book: PolicyBook) -> None:
    """A table with too few rows, or a row that points outside, raises before anything is written."""
    facts, given = np.zeros((1, 18), np.int64), np.zeros((1, len(AMOUNTS)), np.int64)
    state = np.zeros((1, len(ACCUMULATORS)), np.int64)
    one = np.zeros(1, np.int64)
    plans = np.zeros((1, len(PLAN)), np.int64)
    with pytest.raises(ValueError, match="given"):
        run(settle, plans, one, facts, given[:, :-1], one + 1, one - 1, one, one, state, one, one, one)
    for stray in ({"slot": 1}, {"slot": -1}, {"account": 1}, {"plan": 1}, {"ref": 1}, {"kind": 9}, {"plan": -2}):
        at = {"plan": 0, "kind": 1, "ref": -1, "slot": 0, "account": 0} | stray
        with pytest.raises(IndexError, match="row 0"):
            run(settle, plans, one + at["plan"], facts, given, one + at["kind"], one + at["ref"], one,
                one + at["slot"], state, one + at["account"], one, one)  # fmt: skip
    plans[0, PLAN_AT["segments"]] = 9
    with pytest.raises(IndexError, match="plan 0"):
        run(settle, plans, one, facts, given, one + 1, one - 1, one, one, state, one, one, one)
