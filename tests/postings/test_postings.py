"""Every money event books what it moves, twice over, and each region's book closes to zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_ext.layout import AMOUNTS
from ledger.events import (
    PAYMENT_INSTITUTION,
    PAYMENT_REGION,
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    ClawbackCollected,
    ClawbackRaised,
    CommandRecorded,
    Event,
    OpeningAccount,
    OpeningBalance,
    PaymentConfirmed,
    PaymentInstructed,
)
from ledger.postings import Opened, Posting, book_of, check, checked_postings, fund_codes, moved_fen, postings
from ledger.refusals import Refusal, Refused

FACTS = (1, 260101, 470102, 260100, 470100, 2, 310, 11, 21, 20240101, 20240105, 20240105080000)


def filed(insured: int = 260100, treatment: int = 470100, insutype: int = 310) -> ClaimFiled:
    facts = (*FACTS[:3], insured, treatment, FACTS[5], insutype, *FACTS[7:])
    return ClaimFiled(1, 1, *facts, 1_000, 0, 0, 0, 1_000, 0, "S1", "M1", "H1", "X1", "", None)


def settled(*parts: int, acct: int = 0) -> ClaimSettled:
    fund = sum(parts)
    amounts = (0, *parts, *(0,) * (8 - len(parts)), fund, acct, acct, 0, 0)
    return ClaimSettled(1, 1, 5, 0, 1, 202401, b"", 0, amounts, 0, (), (), (), 0)


def shown(entries: list[Posting]) -> dict[str, int]:
    return dict(entries)


def test_a_claim_in_its_own_city_is_an_expense_owed_to_the_institution() -> None:
    """Fund and account parts become the institution's due, in one book."""
    assert shown(checked_postings(settled(700, 20, acct=5), filed(260100, 260100, 390))) == {
        "expense:260100:390100": 700,
        "expense:260100:320100": 20,
        "account:260100:310200": 5,
        "payable:260100:X1": -725,
    }


def test_a_claim_off_site_stands_in_both_books() -> None:
    """The insured region owes the treatment region what the treatment region owes the institution."""
    assert shown(checked_postings(settled(700, 0, 0, 30), filed())) == {
        "expense:260100:310100": 700,
        "expense:260100:390200": 30,
        "due:260100:470100": -730,
        "receivable:470100:260100": 730,
        "payable:470100:X1": -730,
    }


def test_a_refund_is_the_negative_of_its_settlement() -> None:
    """What a settlement posted and what its refund posts cancel account by account."""
    claim = settled(700, 1, 2, 3, 4, 5, 6, 7, acct=9)
    values = [getattr(claim, name) for name in claim.__struct_fields__]
    values[8] = tuple(-amount for amount in claim.amounts)
    there, back = shown(postings(claim, filed())), shown(postings(ClaimReversed(*values), filed()))
    assert back == {account: -amount_fen for account, amount_fen in there.items()}


def test_a_region_pays_a_region_and_both_books_close() -> None:
    """Instructed, then confirmed: the dues vanish, the banks have moved, nothing stays in transit."""
    instructed = PaymentInstructed(1, 0, 202401, PAYMENT_REGION, 260100, "470100", 3, 700, 30, 730)
    assert shown(checked_postings(instructed)) == {"due:260100:470100": 730, "transit:260100:470100": -730}
    assert shown(checked_postings(PaymentConfirmed(2, 0, 730, "R1"), instructed)) == {
        "transit:260100:470100": 730,
        "bank:260100": -730,
        "bank:470100": 730,
        "receivable:470100:260100": -730,
    }


def test_an_institution_is_paid_by_its_region() -> None:
    """The payable becomes money in transit, then money gone."""
    instructed = PaymentInstructed(1, 0, 202401, PAYMENT_INSTITUTION, 470100, "X1", 3, 700, 30, 730)
    assert shown(checked_postings(instructed)) == {"payable:470100:X1": 730, "transit:470100:X1": -730}
    confirmed = shown(checked_postings(PaymentConfirmed(2, 0, 730, "R1"), instructed))
    assert confirmed == {"transit:470100:X1": 730, "bank:470100": -730}


@pytest.mark.parametrize("treatment", [260100, 470100])
def test_a_clawback_returns_to_the_funds_that_paid(treatment: int) -> None:
    """The institution owes the principal; off site the treatment region owes it on to the insured region."""
    raised = ClawbackRaised(1, 0, 5, 260100, treatment, "X1", 50, (30, 0, 0, 20, 0, 0, 0, 0))
    entries = shown(checked_postings(raised, filed(260100, treatment)))
    assert entries.pop(f"clawback:{treatment}:X1") == 50
    assert entries.pop("expense:260100:310100") == -30
    assert entries.pop("expense:260100:390200") == -20
    off_site = {"owed:470100:260100": -50, "recoverable:260100:470100": 50}
    assert entries == ({} if treatment == 260100 else off_site)
    collected = shown(checked_postings(ClawbackCollected(2, 0, 20, "R1"), raised))
    assert collected == {f"bank:{treatment}": 20, f"clawback:{treatment}:X1": -20}


def test_openings_are_booked_against_what_was_taken_over() -> None:
    """Opening balances stand as given; a personal account is owed to its holder."""
    given_ = OpeningBalance(1, 1, (("bank:260100", 5), ("equity:260100", -5), ("bank:470100", 0)))
    assert shown(checked_postings(given_)) == {"bank:260100": 5, "equity:260100": -5}
    opened = shown(checked_postings(OpeningAccount(1, 1, 7, 120)))
    assert opened == {"account_balance:members:310200": -120, "account_opening:members:310200": 120}


def test_an_event_that_moves_no_money_posts_nothing() -> None:
    """A command posts nothing, and a claim paid wholly in cash posts nothing either."""
    assert checked_postings(CommandRecorded(0, "x", "y", "", "", b"", b"", "{}")) == []
    assert checked_postings(settled(0), filed()) == []


def refused(event: Event, opened: Opened | None = None) -> Refusal:
    with pytest.raises(Refused) as caught:
        checked_postings(event, opened)
    return caught.value.refusal


def test_a_payment_or_clawback_of_nothing_is_refused() -> None:
    """No instruction, confirmation, clawback or collection of zero enters the log."""
    instructed = PaymentInstructed(1, 0, 202401, PAYMENT_REGION, 260100, "470100", 3, 1, -1, 0)
    raised = ClawbackRaised(1, 0, 5, 260100, 470100, "X1", 0, (0,) * 8)
    assert refused(instructed) is Refusal.POSTINGS_EMPTY
    assert refused(PaymentConfirmed(2, 0, 0, "R1"), instructed) is Refusal.POSTINGS_EMPTY
    assert refused(raised, filed()) is Refusal.POSTINGS_EMPTY
    assert refused(ClawbackCollected(2, 0, 0, "R1"), raised) is Refusal.POSTINGS_EMPTY


def test_what_does_not_balance_is_refused() -> None:
    """Fund parts that miss the fund total, a clawback split short, openings that do not cancel: none is booked."""
    claim = settled(700)
    short = ClaimSettled(*[getattr(claim, name) for name in claim.__struct_fields__][:8], (0, 699, *claim.amounts[2:]),
                         *[getattr(claim, name) for name in claim.__struct_fields__][9:])  # fmt: skip
    assert refused(short, filed()) is Refusal.POSTINGS_UNBALANCED
    raised = ClawbackRaised(1, 0, 5, 260100, 470100, "X1", 50, (49, 0, 0, 0, 0, 0, 0, 0))
    assert refused(raised, filed()) is Refusal.POSTINGS_UNBALANCED
    assert refused(OpeningBalance(1, 1, (("bank:260100", 5),))) is Refusal.POSTINGS_UNBALANCED


def test_books_balance_one_by_one() -> None:
    """A gap in one region's book is not filled by another's."""
    with pytest.raises(Refused) as caught:
        check([Posting("bank:A", 5), Posting("bank:B", -5)], 5)
    assert caught.value.refusal is Refusal.POSTINGS_UNBALANCED
    check([Posting("bank:A", 5), Posting("bank:B", -5)], 5, per_book=False)


def test_money_that_posts_nothing_is_refused() -> None:
    """An event that moves money leaves entries."""
    with pytest.raises(Refused) as caught:
        check([Posting("bank:A", 0)], 5)
    assert caught.value.refusal is Refusal.POSTINGS_EMPTY


def test_an_event_without_what_opened_it_is_a_mistake_of_the_caller() -> None:
    """Postings never guess regions or payees."""
    with pytest.raises(TypeError, match="expected the ClaimFiled behind the event, got NoneType"):
        postings(settled(1))
    with pytest.raises(TypeError, match="expected the PaymentInstructed"):
        postings(PaymentConfirmed(2, 0, 1, "R1"), filed())


amounts_fen = st.integers(-(10**15), 10**15)


@given(st.lists(amounts_fen, min_size=8, max_size=8), amounts_fen, st.booleans(), st.sampled_from((310, 390)))
def test_every_claim_balances_in_each_book(parts: list[int], acct: int, same: bool, insutype: int) -> None:
    """Whatever the amounts, what a claim posts sums to zero region by region and moves what it says."""
    claim = settled(*parts, acct=acct)
    entries = checked_postings(claim, filed(260100, 260100 if same else 470100, insutype))
    assert {book_of(account) for account, _ in entries} <= {"260100", "470100"}
    assert moved_fen(claim) == sum(map(abs, parts)) + abs(acct)
    assert all(amount_fen for _, amount_fen in entries)


def test_fund_codes_follow_the_insurance_type() -> None:
    """The pool's code comes from the insurance type, the other seven are the interface's."""
    assert fund_codes(310) == (310100, 320100, 370100, 390200, 330100, 350100, 610100, 999997)
    assert fund_codes(390)[0] == 390100
    assert AMOUNTS[1:9][0] == "hifp_pay"
