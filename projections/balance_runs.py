"""Keeps what a large transaction posts as one row, a run, beside the table of balances: a sum is where both are added.

Thousands of accounts stand on as many places of the table, and writing each of them anew costs a database as much as
the events themselves. A run is one row of some hundred kilobytes, written in the transaction that appends the events
it follows from; whoever reads adds the runs to the table's rows, so an account is what it is from that commit on.
Runs of one size become one of the next size, eight at a time, in the transaction that finds no place for its own: they
stay few, and an account is written once a size instead of once a transaction.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import repeat
from operator import add
from typing import TYPE_CHECKING

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
STANDING = "SELECT run FROM balance_run WHERE LENGTH(sums) > 0"
SELECT_RUNS = "SELECT run, sums FROM balance_run WHERE LENGTH(sums) > 0 AND run <= ? ORDER BY run"
FREE = "UPDATE balance_run SET sums = ? WHERE run <= ?"

#: Every run there may be.
LAST = 2**63 - 1

#: Accounts, and as many sums in fen.
_DECODER = msgspec.msgpack.Decoder(tuple[list[str], list[int]])


def post_run(writer: "Writer", change: Change) -> None:
    """Writes a change of balances as a run; raises OverflowError for a sum that their table would not take."""
    accounts: list[str]
    sums: list[int]
    accounts, sums = (list(column) for column in change.data)
    run, full = place_for({int(run) for (run,) in writer.query(STANDING)})
    if full >= 0:
        totals = dict(zip(accounts, sums, strict=True))
        for also in _runs(writer, full):
            _add(totals, *also)
        accounts, sums = list(totals), list(totals.values())
        writer.execute(FREE, (b"", full))
    if not -LARGEST <= min(sums) <= max(sums) <= LARGEST:
        raise OverflowError(f"balance: expected sums of at most {LARGEST} fen")
    packed = msgspec.msgpack.encode((accounts, sums))
    writer.put(BALANCE_RUN.name, BALANCE_RUN.columns, ([run], [packed]), BALANCE_RUN.conflict)


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


def _add(totals: dict[str, int], accounts: Sequence[str], sums: Sequence[int]) -> None:
    before = map(totals.get, accounts, repeat(0))
    totals.update(zip(accounts, map(add, before, sums), strict=True))


def _runs(reader: "Reader", last: int = LAST) -> Iterator[tuple[list[str], Sequence[int]]]:
    for run, packed in reader.query(SELECT_RUNS, (last,)):
        try:
            accounts, sums = _DECODER.decode(packed)
        except (msgspec.DecodeError, TypeError) as error:
            raise StoreError(f"balance_run {run}: expected accounts and sums, got {error}: run rebuild") from error
        if len(accounts) != len(sums):
            raise StoreError(
                f"balance_run {run}: expected a sum an account, got {len(sums)} for {len(accounts)}: run rebuild"
            )
        yield accounts, sums
