"""Balances that large transactions leave as runs are the balances, whoever reads them and however many runs stand."""

import random
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

import projections
from ledger import store
from ledger.refusals import StoreError
from ledger.store import session
from projections import balance_runs, balances, posting
from projections.balance_at import balances_at
from projections.balance_runs import BALANCE_RUN, STANDING, Run, Runs, Sums, place_for, read_balances
from projections.catch_up import ensure
from projections.posting import post_within
from projections.reader import MODELS
from projections.tables import read_table
from tests.projections.books import Book, append_each, derive_anew, full_book, pieces

if TYPE_CHECKING:
    from ledger.store import Writer

Edit = Callable[["Writer"], object]


@pytest.fixture
def every_change_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a run of whatever a transaction posts, two of a size, each block decoded beside the database."""
    monkeypatch.setattr(session, "AHEAD_EVENTS", 1)
    monkeypatch.setattr(posting, "RUN_ROWS", 1)
    monkeypatch.setattr(balance_runs, "PLACES", 2)


def posted(url: str, book: Book, size: int = 7) -> dict[str, int]:
    """Posts a book's events within the transactions that append them, and returns the balances."""
    with store.create(url) as opened:
        ensure(opened, MODELS)
        post_within(opened)
        append_each(opened, pieces(book, size))
        with opened.read() as reader:
            return read_balances(reader)


def followed(url: str) -> dict[str, int]:
    """Returns the balances of the log of a store as they are when folded from its beginning."""
    with store.connect(url) as opened:
        derive_anew(opened, balances.MODEL)
        with opened.read() as reader:
            return {str(account): int(fen) for (account,), (fen,) in read_table(reader, balances.BALANCE).items()}


def runs_of(url: str) -> set[int]:
    """Returns the runs that stand in a store."""
    with store.connect(url) as opened, opened.read() as reader:
        return {run for run, _ in reader.query(STANDING)}


@pytest.mark.usefixtures("every_change_a_run")
def test_runs_and_table_together_are_the_balances(store_url: str) -> None:
    """Runs of every size add up to what folding the log gives; nothing of them is in the table."""
    book = full_book()
    found = posted(store_url, book)
    standing = runs_of(store_url)
    with store.connect(store_url) as opened, opened.read() as reader:
        assert not read_table(reader, balances.BALANCE)
    assert 2 <= len(standing) <= 8 and max(standing) > 3
    assert followed(store_url) == found and sum(found.values()) == 0
    assert not runs_of(store_url)


@pytest.mark.usefixtures("every_change_a_run")
def test_who_reads_balances_reads_the_runs(store_url: str) -> None:
    """Balances now and at a past position, verification and a rebuild see runs as they see the table."""
    book = full_book()
    found = posted(store_url, book)
    with projections.open(store_url) as read:
        assert read.balances().accounts == found
        middle = read.balances(as_of=len(book.log) // 2).accounts
        assert not [finding for finding in read.verify() if finding.where.startswith("balance")]
    with store.connect(store_url) as opened, opened.read() as reader:
        kept = {account: fen for account, fen in middle.items() if fen}
        assert balances_at(reader, len(book.log) // 2) == kept
    with projections.open(store_url) as read:
        read.rebuild()
        assert read.balances().accounts == found and not runs_of(store_url)


@pytest.mark.usefixtures("every_change_a_run")
@pytest.mark.parametrize(
    "edit",
    [
        lambda tx: say(tx, zlib.compress(b"\x92\x91\xa1a\x90")),
        lambda tx: say(tx, zlib.compress(b"\xc1")),
        lambda tx: say(tx, b"\xc1"),
        lambda tx: say(tx, zlib.compress(b"\x92\x91\xa1a\x91\x01"), sha256(b"another").digest()),
    ],
    ids=["another length", "other bytes", "not compressed", "another digest"],
)
def test_a_run_that_is_not_whole_is_found(store_url: str, edit: Edit) -> None:
    """Balances out of a damaged run are refused by its name, verification names it, and a rebuild mends it."""
    found = posted(store_url, full_book())
    with store.connect(store_url) as opened, opened.write() as writer:
        edit(writer)
    with projections.open(store_url) as read:
        with pytest.raises(StoreError, match="balance_run"):
            read.balances()
        assert [finding.where for finding in read.verify()] == [BALANCE_RUN.name]
        read.rebuild()
        assert read.balances().accounts == found


@pytest.mark.usefixtures("every_change_a_run")
def test_a_damaged_run_keeps_nobody_from_appending(store_url: str) -> None:
    """Who posts and did not post the run leaves it out of what it merges; it is named, and a rebuild mends it."""
    book = full_book()
    blocks = pieces(book, 7)
    with store.create(store_url) as opened:
        ensure(opened, MODELS)
        post_within(opened)
        append_each(opened, blocks[:2])
        with opened.write() as writer:
            writer.execute("UPDATE balance_run SET sums = ? WHERE run = 0", (b"\xc1",))
    with store.connect(store_url) as opened:
        post_within(opened)
        append_each(opened, blocks[2:])
    with projections.open(store_url) as read:
        with pytest.raises(StoreError, match="balance_run 0: expected the bytes it was posted with"):
            read.balances()
        assert [finding.where for finding in read.verify()] == [BALANCE_RUN.name]
        read.rebuild()
        assert read.balances().accounts == followed(store_url)


@pytest.mark.usefixtures("every_change_a_run")
def test_a_sum_changed_in_a_run_is_found(store_url: str) -> None:
    """A fen more in a run is a finding of the account it stands in."""
    posted(store_url, full_book())
    with store.connect(store_url) as opened, opened.write() as writer:
        Runs().post(writer, (["bank:A"], [1]))
    with projections.open(store_url) as read:
        (finding,) = read.verify()
    assert finding.kind == "edited-row" and finding.where == "balance account=bank:A"


def say(tx: "Writer", sums: bytes, digest: bytes | None = None) -> None:
    """Has every run that stands say something else, under its digest where no other is given."""
    edited = "UPDATE balance_run SET digest = ?, sums = ? WHERE LENGTH(sums) > 0"
    tx.execute(edited, (digest or sha256(sums).digest(), sums))


def test_a_run_refuses_a_sum_no_table_would_take(store_url: str) -> None:
    """A balance never leaves the integers."""
    with store.create(store_url) as opened:
        ensure(opened, [balances.MODEL])
        with pytest.raises(OverflowError, match="expected sums of at most"), opened.write() as writer:
            Runs().post(writer, (["bank:A"], [9 * 10**18 + 1]))


@pytest.mark.parametrize("seed", range(4))
def test_runs_made_ahead_are_those_that_stand(store_url: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Two who post in turn, each transaction failing now and then and its sums posted by the other: what was made ahead
    is written where it still holds, and balances are the sums of what was committed either way."""
    monkeypatch.setattr(balance_runs, "PLACES", 3)
    draw = random.Random(seed)
    posters, totals, told = (Runs(), Runs()), dict[str, int](), Counter[bool]()
    with store.create(store_url) as opened:
        ensure(opened, [balances.MODEL])
        for _ in range(60):
            poster, fails = draw.choice(posters[: draw.choice((1, 1, 2))]), draw.random() < 0.1
            posted = ([f"bank:{account}" for account in draw.sample(range(9), 4)], draw.sample(range(-50, 50), 4))
            ahead = poster.foreseen(posted)
            with suppress(Failed), opened.write() as writer:
                poster.post(writer, posted, ahead)
                if fails:
                    raise Failed
            if fails:
                continue
            for account, fen in zip(*posted, strict=True):
                totals[account] = totals.get(account, 0) + fen
            with opened.read() as reader:
                assert read_balances(reader) == totals
                if ahead is not None:
                    told[ahead.digest == dict(reader.query(STANDING)).get(ahead.number)] += 1
    assert told[True] > 10 and told[False] > 2, told


@pytest.mark.usefixtures("every_change_a_run")
def test_who_posts_takes_what_was_made_ahead(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a block's acts are all that its transaction posts, the run written is the one made beside the database."""
    post, taken = Runs.post, Counter[bool]()

    def noted(self: Runs, writer: "Writer", posted: Sums, foreseen: Run | None = None) -> None:
        post(self, writer, posted, foreseen)
        if foreseen is not None:
            taken[dict(writer.query(STANDING)).get(foreseen.number) == foreseen.digest] += 1

    monkeypatch.setattr(Runs, "post", noted)
    posted(store_url, full_book())
    assert taken[True] > 3, taken


class Failed(Exception):
    """Is raised in the middle of a transaction."""


def test_places_fill_up_size_by_size() -> None:
    """The ninth run takes in eight and is of the next size; when those are eight too, it takes in all of them."""
    assert place_for([]) == (0, -1)
    assert place_for(range(7)) == (7, -1)
    assert place_for(range(8)) == (8, 7)
    assert place_for([*range(8), 8, 9]) == (10, 7)
    assert place_for(range(16)) == (16, 15)
    assert place_for([0, 2]) == (1, -1)
