"""Keeps what a large transaction posts as one row, a run, beside the table of balances: a sum is where both are added.

Thousands of accounts stand on as many places of the table, and writing each of them anew costs a database as much as
the events themselves. A run is one row of some hundred kilobytes, written in the transaction that appends the events
it follows from; whoever reads adds the runs to the table's rows, so an account is what it is from that commit on.
Runs of one size become one of the next size, eight at a time, in the transaction that finds no place for its own: they
stay few, and an account is written once a size instead of once a transaction.
"""

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import repeat
from operator import add
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from ledger.refusals import StoreError
from projections.balances import BALANCE, BALANCE_RUN
from projections.tables import LARGEST, Change, Rows

if TYPE_CHECKING:
    from ledger.store import Reader, Writer

#: Fewer accounts than this are added to the table itself.
RUN_ROWS = 2_048

#: Runs of one size that may stand: those of size k are numbered from k * PLACES.
PLACES = 8

# A run without sums is a place that is free: whoever posts may write rows and not delete them.
STANDING = "SELECT run, digest FROM balance_run WHERE LENGTH(sums) > 0"
SELECT_RUNS = "SELECT run, digest, sums FROM balance_run WHERE LENGTH(sums) > 0 AND run <= ? ORDER BY run"
FREE = "UPDATE balance_run SET digest = ?, sums = ? WHERE run <= ?"

#: How hard zlib tries: a third of the bytes, in a fifth of the time of its default.
QUICK = 1

#: Every run there may be.
LAST = 2**63 - 1

#: Accounts, and as many sums in fen.
Sums: TypeAlias = tuple[list[str], list[int]]
_DECODER = msgspec.msgpack.Decoder(tuple[list[str], list[int]])


class Damaged(StoreError):
    """Is raised for a run that is not what was posted."""


class Run(NamedTuple):
    """Is a run that nobody has written yet: what is posted and, up to run ``full`` where that is not -1, what stood."""

    posted: Sums
    standing: dict[int, bytes]
    number: int
    full: int
    digest: bytes
    packed: bytes


class Runs:
    """Posts runs, each made before its transaction comes to post it where nothing has to be read for that.

    What the small runs say is known from having posted them; the digest that stands beside each tells whether it is
    the one that was posted here, whatever became of that transaction and whoever posted meanwhile.
    """

    def __init__(self) -> None:
        self._standing: dict[int, bytes] = {}
        self._known: dict[bytes, Sums] = {}

    def foreseen(self, posted: Sums) -> Run | None:
        """Returns the run that sums would be if the runs stand as they were left; None where it takes in others."""
        standing, known = dict(self._standing), self._known
        try:
            return next_run(
                posted, standing, lambda full: [known[standing[run]] for run in sorted(standing) if run <= full]
            )
        except KeyError:
            return None

    def post(self, writer: "Writer", posted: Sums, foreseen: Run | None = None) -> None:
        """Writes sums as a run; raises OverflowError for a sum that the table of balances would not take.

        A damaged run keeps nobody from posting: it is left for whoever reads balances, and is not taken in.
        """
        standing: dict[int, bytes] = dict(writer.query(STANDING))
        run = foreseen
        if run is None or run.standing != standing or run.posted != posted:
            try:
                run = next_run(posted, standing, lambda full: _runs(writer, full))
            except Damaged:
                run = next_run(posted, standing, lambda full: [])._replace(full=-1)
        if run.full >= 0:
            writer.execute(FREE, (b"", b"", run.full))
        data = [run.number], [run.digest], [run.packed]
        writer.put(BALANCE_RUN.name, BALANCE_RUN.columns, data, BALANCE_RUN.conflict)
        left = {number: digest for number, digest in standing.items() if number > run.full}
        known = {digest: sums for digest, sums in self._known.items() if digest in left.values()}
        if run.number < PLACES:
            known[run.digest] = posted
        self._standing, self._known = {**left, run.number: run.digest}, known


def next_run(posted: Sums, standing: Mapping[int, bytes], said: Callable[[int], Iterable[Sums]]) -> Run:
    """Returns sums as the next run, where ``standing`` are there, by number; ``said`` are those up to a number.

    Raises OverflowError for a sum that the table of balances would not take.
    """
    number, full = place_for(standing)
    accounts, sums = posted
    if full >= 0:
        totals = dict(zip(accounts, sums, strict=True))
        for also in said(full):
            _add(totals, *also)
        accounts, sums = list(totals), list(totals.values())
    if not -LARGEST <= min(sums) <= max(sums) <= LARGEST:
        raise OverflowError(f"balance: expected sums of at most {LARGEST} fen")
    packed = zlib.compress(msgspec.msgpack.encode((accounts, sums)), QUICK)
    return Run(posted, dict(standing), number, full, sha256(packed).digest(), packed)


def place_for(standing: Collection[int]) -> tuple[int, int]:
    """Returns where the next run goes, and the last of those that it takes in; -1 where it takes in none.

    Where the places of a size are all taken, they and all smaller runs become one of the next size.
    """
    first = 0
    while True:
        for run in range(first, first + PLACES):
            if run not in standing:
                return run, first - 1
        first += PLACES


def read_balances(reader: "Reader") -> dict[str, int]:
    """Returns every account's sum in fen, in the order of their names: table and runs together.

    Raises StoreError for a run that is not whole.
    """
    totals: dict[str, int] = dict(reader.query(BALANCE.select()))
    held = len(totals)
    for also in _runs(reader):
        _add(totals, *also)
    return totals if len(totals) == held else {account: totals[account] for account in sorted(totals)}


def rows_of_balances(reader: "Reader") -> Rows:
    """Returns the same as the rows that the table would have without runs."""
    return {(account,): (fen,) for account, fen in read_balances(reader).items()}


def sums_of(change: Change) -> Sums:
    """Returns a change of balances as a run has it."""
    accounts: list[str]
    sums: list[int]
    accounts, sums = (list(column) for column in change.data)
    return accounts, sums


def _add(totals: dict[str, int], accounts: list[str], sums: list[int]) -> None:
    before = map(totals.get, accounts, repeat(0))
    totals.update(zip(accounts, map(add, before, sums), strict=True))


def _runs(reader: "Reader", last: int = LAST) -> Iterator[Sums]:
    for run, digest, packed in reader.query(SELECT_RUNS, (last,)):
        if not isinstance(packed, bytes) or sha256(packed).digest() != digest:
            raise Damaged(f"balance_run {run}: expected the bytes it was posted with, got others: run rebuild")
        try:
            accounts, sums = _DECODER.decode(zlib.decompress(packed))
        except (msgspec.DecodeError, zlib.error) as error:
            raise Damaged(f"balance_run {run}: expected accounts and sums, got {error}: run rebuild") from error
        if len(accounts) != len(sums):
            raise Damaged(
                f"balance_run {run}: expected a sum an account, got {len(sums)} for {len(accounts)}: run rebuild"
            )
        yield accounts, sums
