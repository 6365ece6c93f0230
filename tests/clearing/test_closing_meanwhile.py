"""Closing sums a period outside the log's lock; whatever is written before it takes the log still counts, once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ledger
from ledger.acts import read_acts
from ledger.clearing import figures
from ledger.clearing.figures import Folding, fold_period
from ledger.service import Ledger
from ledger.store import Transaction
from tests.clearing.test_states import SETTLED, book_with
from tests.ledger.worlds import claim, clock, opened, write

PERIOD = 202401


class Interrupted(Ledger):
    """Is a ledger before whose next transaction somebody else writes."""

    meanwhile: Callable[[], object] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Lets the other write first."""
        if self.meanwhile is not None:
            then, self.meanwhile = self.meanwhile, None
            then()
        with super().transaction() as tx:
            yield tx


def test_claims_written_while_a_period_is_summed_are_in_its_frozen_statement(store_url: str, tmp_path: Path) -> None:
    """Two claims that come between the sum and the cut-off count as if it had seen them."""
    with book_with(store_url, tmp_path) as book, ledger.open(store_url, actor="other", clock_us=clock()) as other:
        closing = Interrupted(book.store, "tester", book.clock_us)

        def write_more() -> None:
            rows = [claim(at, mdtrtarea_admvs="470101", **SETTLED) for at in (11, 12)]
            assert other.intake(write(tmp_path / "more.csv", rows)).booked == 2
            other.reverse(claim(1)["setl_id"], "billed to the wrong person")

        closing.meanwhile = write_more
        closed = closing.close(PERIOD)
        assert (closed.acts, closed.person_times, closed.medfee_fen) == (5, 5, 5_000_000)
        assert book.draft(PERIOD).acts == 5


def test_a_period_that_could_not_close_at_first_closes_whole(store_url: str, tmp_path: Path) -> None:
    """Where an earlier period stands open until just before the cut-off, nothing of the period is left out."""
    with opened(store_url) as book, ledger.open(store_url, actor="other", clock_us=clock()) as other:
        rows = [claim(1, setl_time="2023-12-05 08:00:00", **SETTLED), claim(2, **SETTLED), claim(3, **SETTLED)]
        book.intake(write(tmp_path / "claims.csv", rows))
        closing = Interrupted(book.store, "tester", book.clock_us)
        closing.meanwhile = lambda: other.close(202312)
        assert closing.close(PERIOD).acts == 2


def test_pages_of_any_size_fold_to_the_same_figures(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums flushed after every page, or never before the end, freeze the same statement."""
    with book_with(store_url, tmp_path) as book, book.store.read() as reader:
        whole = fold_period(read_acts(reader), PERIOD)
        monkeypatch.setattr(figures, "_FLUSHED_ROWS", 1)
        folding = Folding(PERIOD)
        for after in range(0, reader.size, 2):
            folding.add(read_acts(reader, after=after, stop=min(after + 2, reader.size), page_events=2))
        small = folding.figures()
        assert whole.acts == small.acts == 3
        assert (whole.digest(), whole.regions, whole.institutions) == (
            small.digest(),
            small.regions,
            small.institutions,
        )
