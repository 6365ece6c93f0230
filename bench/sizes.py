"""Names the two sizes of the bench."""

from dataclasses import dataclass

#: How many times as many claims the grown month has.
GROWTH = 10


@dataclass(frozen=True, slots=True)
class Size:
    """Is how much is measured: rows of each workload, and rounds of each measurement."""

    name: str
    settle_claims: int
    reference_claims: int
    month_claims: int
    month_rounds: int
    grown_rounds: int
    checked_claims: int
    append_events: int
    append_transactions: int
    reconcile_rows: int
    rounds: int
    small_appends: int
    aged_events: int
    single_claims: int
    job_claims: int
    peer_claims: int
    peer_cities: int
    slow_rounds: int
    clearing_claims: int
    workbook_rows: int


SIZES = {
    size.name: size
    for size in (
        Size(
            name="smoke",
            settle_claims=20_000,
            reference_claims=2_000,
            month_claims=2_000,
            month_rounds=3,
            grown_rounds=1,
            checked_claims=500,
            append_events=1_024,
            append_transactions=3,
            reconcile_rows=5_000,
            rounds=3,
            small_appends=10,
            aged_events=20_000,
            single_claims=40,
            job_claims=2_000,
            peer_claims=20_000,
            peer_cities=33,
            slow_rounds=1,
            clearing_claims=2_000,
            workbook_rows=200,
        ),
        Size(
            name="real",
            settle_claims=1_000_000,
            reference_claims=20_000,
            month_claims=100_000,
            month_rounds=5,
            grown_rounds=3,
            checked_claims=5_000,
            append_events=16_384,
            append_transactions=12,
            reconcile_rows=1_000_000,
            rounds=9,
            small_appends=200,
            aged_events=2_000_000,
            single_claims=2_000,
            job_claims=1_000_000,
            peer_claims=1_000_000,
            peer_cities=341,
            slow_rounds=2,
            clearing_claims=1_000_000,
            workbook_rows=20_000,
        ),
    )
}
