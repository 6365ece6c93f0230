"""Gives balances as they stood behind a past position: the table now less what was posted since, or the log from its
beginning, whichever is the shorter way."""

from typing import TYPE_CHECKING

from projections.balance_runs import read_balances
from projections.balances import BALANCE, MODEL
from projections.pages import PAGE_EVENTS, read_page
from projections.tables import Rows, apply

if TYPE_CHECKING:
    from ledger.store import Reader

SELECT_POSITION = "SELECT position FROM projection WHERE name = ?"


def balances_at(reader: "Reader", stop: int) -> dict[str, int]:
    """Returns every account's balance in fen behind a position, zeros left out; needs the balances model."""
    held = int(reader.query(SELECT_POSITION, (MODEL.name,))[0][0])
    if stop >= held or held - stop < stop:
        found = read_balances(reader)
        for account, fen in _posted(reader, stop, held).items():
            found[account] = found.get(account, 0) - fen
    else:
        found = _posted(reader, 0, stop)
    return {account: fen for account, fen in found.items() if fen}


def _posted(reader: "Reader", after: int, stop: int) -> dict[str, int]:
    """Returns what was posted behind a position up to another, per account."""
    tables: dict[str, Rows] = {}
    while after < stop:
        page = read_page(reader, after, stop, MODEL.wide, PAGE_EVENTS)
        apply(tables, MODEL.fold(reader, page))
        after = page.stop
    return {str(account): values[0] for (account,), values in tables.get(BALANCE.name, {}).items()}
