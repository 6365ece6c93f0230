"""Whatever is done in whatever order, both databases hold the same log, and what must hold holds after each act."""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.intake import run_intake
from ledger.profile import load_profile
from ledger.refusals import Refused
from ledger.service import Ledger
from projections.reader import Projections
from tests.ledger.worlds import claim, events_of, opened, write
from tests.replay.stories import REGIONS, other_policy

_numbers = itertools.count(1)

#: Every verb twice but the rare ones: filing settles, late files into a month that may be closed.
VERBS = ("file", "file", "late", "reverse", "reverse", "close", "replay", "commit")
ACTS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 5)), min_size=4, max_size=7)


class Pair:
    """Is the same ledger on both databases; every act is done to both and must end the same way."""

    def __init__(self, books: list[Ledger], folder: Path) -> None:
        self.books = books
        self.folder = folder
        self.policy = other_policy(folder, ('2 = "0.87"', '2 = "0.84"'), ('"500.00"', '"700.00"'))
        for book in books:
            book.segments = folder / "segments"
        self.reads = [Projections(book.store, page_events=2) for book in books]
        self.enacted = False
        self.serial = 0

    def do(self, verb: str, number: int) -> str:
        """Does one act to both, holds what must hold afterwards, and returns done or why it was refused."""
        act: Callable[[Ledger], object] = getattr(self, f"_{verb}")(number)
        ended = []
        for book in self.books:
            try:
                act(book)
                ended.append("done")
            except Refused as refused:
                ended.append(refused.refusal.code)
        assert len(set(ended)) == 1, f"{verb}: {ended}"
        self.hold()
        return ended[0]

    def hold(self) -> None:
        """Holds ids and bytes, roots and balances of both against each other, and each against itself."""
        first, second = (events_of(book) for book in self.books)
        assert first == second
        assert len({read.root() for read in self.reads}) == 1
        balances = [read.balances() for read in self.reads]
        assert balances[0] == balances[1] == self.reads[0].balances(len(first))
        books: dict[str, int] = {}
        for account, amount_fen in balances[0].accounts.items():
            books[account.split(":")[1]] = books.get(account.split(":")[1], 0) + amount_fen
        assert not any(books.values())
        assert self.reads[0].statement() == self.reads[1].statement()
        for book, read in zip(self.books, self.reads, strict=True):
            assert read.verify() == []
            for period in book.periods():
                assert book.replay(period.period, from_log=True).differences == ()

    def _claims(self, number: int, month: str) -> Callable[[Ledger], object]:
        rows = []
        for at in range(3):
            self.serial += 1
            day, fee = f"2024-{month}-{3 + number:02d}", f"{900 + 411 * (number + at)}.05"
            rows.append(
                claim(self.serial, psn_no=f"P{(number + at) % 3:06d}", med_type="11" if at else "21", begndate=day,
                      enddate=day, setl_time=f"{day} 09:00:00", medfee_sumamt=fee, inscp_scp_amt=fee)
            )  # fmt: skip
        path = write(self.folder / f"{self.serial}.csv", rows)
        national = load_profile("national")
        return lambda book: run_intake(
            book, path, national, reason="", retry=False, dry_run=False, progress=None, quarantine=None, batch_rows=2
        )

    def _file(self, number: int) -> Callable[[Ledger], object]:
        return self._claims(number, "02")

    def _late(self, number: int) -> Callable[[Ledger], object]:
        return self._claims(number, "01")

    def _reverse(self, number: int) -> Callable[[Ledger], object]:
        return lambda book: book.reverse(f"260100/S{number + 1:06d}", "cancelled")

    def _close(self, number: int) -> Callable[[Ledger], object]:
        return lambda book: book.close(202401 + number % 2)

    def _replay(self, number: int) -> Callable[[Ledger], object]:
        return lambda book: book.what_if(self.policy, 202401, to=202402)

    def _commit(self, number: int) -> Callable[[Ledger], object]:
        if not self.enacted:
            self.enacted = True
            for book in self.books:
                book.enact(self.policy, list(REGIONS), assumed=True)
        return lambda book: book.correct(self.policy, 202401 + number % 2, "decided anew", regions=REGIONS)


@contextmanager
def pair_on(postgres_server: str) -> Iterator[Pair]:
    """Gives the same new ledger on both databases."""
    schema = f"ledger_sequence_{os.getpid()}_{next(_numbers)}"
    url = f"{postgres_server}{'&' if '?' in postgres_server else '?'}schema={schema}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with opened(f"sqlite:///{folder / 'ledger.db'}") as one, opened(url) as other:
            yield Pair([one, other], folder)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@settings(
    max_examples=int(os.environ.get("LEDGER_SEQUENCES", "4")),
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(acts=ACTS)
def test_after_every_act_both_databases_agree_and_everything_holds(
    postgres_server: str, acts: list[tuple[str, int]]
) -> None:
    """File, settle, reverse, close, late, replay, commit in any order, in batches of two: ids, bytes, roots, balances
    and refusals are equal on both databases, books sum to zero, verify and replay find nothing."""
    with pair_on(postgres_server) as pair:
        for verb, number in [("late", 0), *acts]:
            pair.do(verb, number)


def test_a_sequence_of_every_act_is_done_and_a_wrong_balance_is_noticed(postgres_server: str) -> None:
    """One order in which nothing is refused; then, as a canary, one fen more on one database is found at once."""
    story = (("late", 0), ("file", 0), ("close", 0), ("late", 1), ("reverse", 1), ("replay", 0), ("commit", 0))
    with pair_on(postgres_server) as pair:
        assert [pair.do(*act) for act in story] == ["done"] * len(story)
        with pair.books[0].store.write() as writer:
            writer.execute("UPDATE balance SET amount_fen = amount_fen + 1")
        with pytest.raises(AssertionError):
            pair.hold()
