"""Any key leads to everything it touches, both ways: payment to claims to file rows, file row to claim to payment."""

import hashlib
from collections.abc import Iterator

import pytest

import projections
from ledger.events import ClaimFiled, ClaimReversed, PaymentInstructed
from projections.reader import Projections
from projections.trace_tree import (
    ClaimsTrace,
    ClaimTrace,
    ClawbackTrace,
    EventTrace,
    JobTrace,
    PaymentTrace,
    RowTrace,
)
from tests.projections.books import Book, full_book


@pytest.fixture
def book() -> Book:
    return full_book(seed=11, claims=60)


@pytest.fixture
def read(book: Book, store_url: str) -> Iterator[Projections]:
    book.save(store_url)
    with projections.open(store_url) as opened:
        yield opened


def only(found: tuple[object, ...]) -> object:
    assert len(found) == 1, found
    return found[0]


def test_every_payment_is_the_sum_of_its_claims(book: Book, read: Projections) -> None:
    """Whatever was instructed is found again in claims, each with the file row it came from."""
    instructed = [(stream, event) for stream, _, event in book.log if isinstance(event, PaymentInstructed)]
    assert {event.kind for _, event in instructed} == {1, 2}
    for stream, event in instructed:
        found = only(read.trace(stream).found)
        assert isinstance(found, PaymentTrace)
        assert found.agrees
        assert (found.payment.amount_fen, found.claims_count) == (event.amount_fen, event.acts)
        assert sum(claim.due_fen for claim in found.claims) == event.amount_fen
        assert found.payment.confirmed > 0
        for claim in found.claims:
            filed = book.log[claim.claim - 1][2]
            assert isinstance(filed, ClaimFiled)
            assert (claim.file.cause, claim.file.row) == (filed.cause, filed.row)
            assert claim.file.source in ("claims.csv", "second.csv")
            back = only(read.trace(claim.key).found)
            assert isinstance(back, ClaimTrace)
            assert stream in [payment.stream for payment in back.payments]


def test_a_payment_with_more_claims_than_listed_still_counts_them_all(book: Book, read: Projections) -> None:
    """A short list is a short list, never a short sum."""
    stream = next(stream for stream, _, event in book.log if isinstance(event, PaymentInstructed) and event.acts > 3)
    found = only(read.trace(stream, listed=2).found)
    assert isinstance(found, PaymentTrace)
    assert len(found.claims) == 2 and found.agrees


def test_a_claim_is_found_by_every_key_it_has(book: Book, read: Projections) -> None:
    """setl_id, region/setl_id, stream, message id, and the positions of its events lead to one claim."""
    position, filed, _ = book.acts[5]
    stream = book.log[position - 1][0]
    keys = (filed.setl_id, f"{filed.insured_region}/{filed.setl_id}", stream, filed.medins_setl_id)
    found = [only(read.trace(key).found) for key in (*keys, position, position + 1, str(position))]
    assert all(isinstance(each, ClaimTrace) for each in found)
    assert all(each == found[0] for each in found)
    assert isinstance(found[0], ClaimTrace) and found[0].claim.claim == position


def test_a_refund_and_its_original_lead_to_each_other(book: Book, read: Projections) -> None:
    """From a settlement to what refunded it, and back by the original's position."""
    position, _, decision = next(act for act in book.acts if isinstance(act[2], ClaimReversed))
    refund = only(read.trace(position).found)
    original = only(read.trace(decision.original).found)
    assert isinstance(refund, ClaimTrace) and isinstance(original, ClaimTrace)
    assert refund.claim.refund and refund.claim.original == original.claim.claim
    assert [act.claim for act in original.refunds] == [position]
    assert original.claim.due_fen == -refund.claim.due_fen


def test_a_clawback_leads_to_its_claim_and_a_claim_to_its_clawbacks(book: Book, read: Projections) -> None:
    """Principal, split, receipts and what is outstanding stand together."""
    found = only(read.trace("case-1").found)
    assert isinstance(found, ClawbackTrace) and found.claim is not None
    case = found.clawback
    assert [part.amount_fen for part in case.collected] == [1, 2]
    assert case.outstanding_fen == case.amount_fen - 3
    assert sum(case.funds.values()) == case.amount_fen
    claim = only(read.trace(found.claim.key).found)
    assert isinstance(claim, ClaimTrace)
    assert claim.clawbacks == (case,)


def test_persons_and_institutions_lead_to_their_claims(book: Book, read: Projections) -> None:
    """A person is asked for by number and answered by token; counts and sums cover everything."""
    person = only(read.trace("P003").found)
    assert isinstance(person, ClaimsTrace)
    mine = [(filed, decision) for _, filed, decision in book.acts if filed.token == 3]
    assert (person.of, person.claims_count) == ("person", len(mine))
    institution = only(read.trace("H26020000002").found)
    assert isinstance(institution, ClaimsTrace)
    due = [d.amounts[9] + d.amounts[11] for _, f, d in book.acts if f.fixmedins_code == "H26020000002"]
    assert (institution.claims_count, institution.claims_fen) == (len(due), sum(due))


def test_every_row_of_a_file_says_what_became_of_it(book: Book, read: Projections) -> None:
    """Booked, duplicate or quarantined with its reason: no row of a taken-in file is lost."""
    outcomes = []
    for row in range(1, 33):
        found = only(read.trace(f"second.csv#{row}").found)
        assert isinstance(found, RowTrace)
        outcomes.append(found.outcome)
        if found.outcome == "booked":
            assert found.claim is not None and found.claim.claim.file.row == row
    assert outcomes == ["quarantined", *["booked"] * 30, "duplicate"]
    rejected = only(read.trace("second.csv#1").found)
    assert isinstance(rejected, RowTrace)
    assert (rejected.reason, rejected.field) == ("bad_date", 16)
    duplicate = only(read.trace("second.csv#32").found)
    assert isinstance(duplicate, RowTrace) and duplicate.claim is not None
    assert duplicate.claim.claim.claim == book.acts[0][0]
    missing = only(read.trace("second.csv#999").found)
    assert isinstance(missing, RowTrace) and missing.outcome == "pending"


def test_a_file_is_found_by_name_and_by_digest(book: Book, read: Projections) -> None:
    """A job tells its source, how many rows it took and what became of them."""
    digest = hashlib.sha256(b"claims.csv").hexdigest()
    job = only(read.trace("claims.csv").found)
    assert isinstance(job, JobTrace)
    assert (job.rows, job.booked, job.duplicate, job.quarantined) == (62, 60, 0, 1)
    assert job.completed > job.file.cause
    assert only(read.trace(digest).found) == job
    row = only(read.trace(f"{digest}#5").found)
    assert isinstance(row, RowTrace) and row.outcome == "booked"


def test_what_has_no_key_is_found_by_position_and_nothing_by_no_key(read: Projections, book: Book) -> None:
    """Any other event is named by its position; a key nobody has leads nowhere, and the answer says up to where."""
    assert only(read.trace(1).found) == EventTrace(1, "command-1", 1, "command-recorded/1")
    nowhere = read.trace("no such key")
    assert (nowhere.found, nowhere.position) == ((), len(book.log))
    assert read.trace(10**9).found == ()
    assert read.trace("").found == ()
