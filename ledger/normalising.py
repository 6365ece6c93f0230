"""Brings what a sender's file says to the national meaning, batch by batch, as its profile asks.

Everything works on whole columns of a batch, in this order: null texts become empty cells, fund columns are summed
into the amounts they mean, refunds with positive amounts are negated, zeros that say nothing become absent, the
personal account leaves the fund total, and a split within tolerance gets its residual anew. What the ledger books
and calls *given* are the amounts after it; the file's own cells are what a quarantine file shows.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core_ext.cells import COLUMNS, Cells, Parsed
from core_ext.layout import ABSENT, AMOUNT, AMOUNTS, FACT, FUND_PARTS
from ledger.money import fen_from_text
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from ledger.profile import Profile

Ints = NDArray[np.int64]
Parse = Callable[[NDArray[np.uint8], Cells, int, Ints, Ints], Parsed]

FLAG_COLUMN = "refd_setl_flag"
_MONEY = [FACT[name] for name in FACT if name in ("medfee_sumamt", "hosp_part_amt")]
_PARTS = [FACT[name] for name in ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")]
_I1 = np.int64(1) << int(Refusal.IDENTITY_I1)


def asks_for_normalising(profile: "Profile") -> bool:
    """Returns whether a profile says anything that the parse kernel does not do by itself."""
    return bool(
        profile.nulls
        or profile.funds
        or profile.zero_means_absent
        or profile.fund_total != "without_account"
        or profile.personal_part != "with_account"
        or profile.refund_amounts != "negative"
        or profile.refd_setl_flag != "ignored"
        or fen_from_text(profile.split_tolerance)
    )


def empty_nulls(profile: "Profile", data: NDArray[np.uint8], cells: Cells, rows: int) -> None:
    """Makes every cell that is one of the profile's null texts an empty one, in claims and in fee lines."""
    starts, ends = cells.starts[:rows], cells.ends[:rows]
    for text in profile.nulls:
        null = text.encode()
        row, column = np.nonzero(ends - starts == len(null))
        at = starts[row, column].astype(np.int64)
        same = np.ones(len(at), np.bool_)
        for offset, byte in enumerate(null):
            same &= data[at + offset] == byte
        ends[row[same], column[same]] = starts[row[same], column[same]]


class Normaliser:
    """Is a profile's meaning for one file: ``columns`` are the file's own names, ``national`` after renames."""

    def __init__(self, profile: "Profile", columns: Sequence[str], national: Sequence[str], places: Ints) -> None:
        self.profile = profile
        self.flag_at = national.index(FLAG_COLUMN) if FLAG_COLUMN in national else -1
        self.tolerance_fen = fen_from_text(profile.split_tolerance)
        self.absent = [AMOUNT[name] for name in profile.zero_means_absent]
        self.passes = _passes(profile.funds, columns, places)

    def finish(self, found: Parsed, data: NDArray[np.uint8], cells: Cells, parse: Parse, insutypes: Ints) -> Parsed:
        """Returns what the records say in the national meaning; the tables of ``found`` are changed in place."""
        for places in self.passes:
            found = _with_funds(found, parse(data, cells, len(found.facts), places, insutypes))
        if self.passes:
            found = _total_of_parts(found)
        self._refunds(found, data, cells)
        for at in self.absent:
            found.given[found.given[:, at] == 0, at] = ABSENT
        self._accounts(found.given)
        if self.tolerance_fen:
            self._residual(found)
        return found

    def _refunds(self, found: Parsed, data: NDArray[np.uint8], cells: Cells) -> None:
        """Checks the refund flag where the profile asks, and negates refunds that came with positive amounts."""
        positive = self.profile.refund_amounts == "positive"
        if self.flag_at >= 0 and (positive or self.profile.refd_setl_flag == "checked"):
            flag, sound = _flags(data, cells, len(found.facts), self.flag_at)
            self._fail(found, ~sound, Refusal.BAD_CODE)
            self._fail(found, sound & (flag != found.refund), Refusal.REFUND_FLAG)
        if positive:
            rows = np.flatnonzero((found.refund == 1) & (found.facts[:, FACT["medfee_sumamt"]] > 0))
            for at in (*_MONEY, *_PARTS):
                found.facts[rows, at] *= -1
            given = found.given[rows]
            found.given[rows] = np.where(given == ABSENT, ABSENT, -given)

    def _fail(self, found: Parsed, rows: NDArray[np.bool_], refusal: Refusal) -> None:
        """Notes a fault of the flag's cell; an earlier fault of a lower number keeps its own cell to show."""
        bit = np.int64(1) << int(refusal)
        lowest = rows & ((found.faults & (bit - 1)) == 0)
        found.faults[rows] |= bit
        found.field[lowest] = self.flag_at

    def _accounts(self, given: Ints) -> None:
        """Takes the personal account out of the fund total, and puts it into the personal part, where it is known."""
        acct = given[:, AMOUNT["acct_pay"]]
        for asked, name, sign in (
            (self.profile.fund_total == "with_account", "fund_pay_sumamt", -1),
            (self.profile.personal_part == "without_account", "psn_part_amt", 1),
        ):
            at = AMOUNT[name]
            rows = (acct != ABSENT) & (given[:, at] != ABSENT) if asked else np.zeros(len(given), np.bool_)
            given[rows, at] += sign * acct[rows]

    def _residual(self, found: Parsed) -> None:
        """Gives the in-scope part of a split that is off by at most the tolerance: what the other parts leave."""
        off = found.facts[:, FACT["medfee_sumamt"]] - found.facts[:, _PARTS].sum(axis=1)
        inscp = found.facts[:, FACT["inscp_scp_amt"]] + off
        keeps_sign = (inscp == 0) | ((inscp > 0) == (found.facts[:, FACT["medfee_sumamt"]] > 0))
        rows = ((found.faults & _I1) != 0) & (np.abs(off) <= self.tolerance_fen) & keeps_sign
        found.facts[rows, FACT["inscp_scp_amt"]] = inscp[rows]
        found.faults[rows] &= ~_I1
        found.field[rows & (found.faults == 0)] = -1


def _passes(funds: dict[str, str], columns: Sequence[str], places: Ints) -> list[Ints]:
    """Returns the column maps to parse with again: in each an amount stands for at most one fund column."""
    waiting = [(columns.index(column), name) for column, name in funds.items()]
    passes = []
    while waiting:
        where = places.copy()
        for name in AMOUNTS:
            where[COLUMNS.index(name)] = -1
        taken: set[str] = set()
        for at, name in [*waiting]:
            if name not in taken:
                taken.add(name)
                where[COLUMNS.index(name)] = at
                waiting.remove((at, name))
        passes.append(where)
    return passes


def _with_funds(found: Parsed, more: Parsed) -> Parsed:
    """Returns what the records say with another pass's amounts added; of two faults the lower shows its cell."""
    both = (found.given != ABSENT) & (more.given != ABSENT)
    # A refused row's sums mean nothing; two amounts within the limit cannot leave 64 bits.
    total = np.where(both, found.given, 0) + np.where(both, more.given, 0)
    given = np.where(both, total, np.where(found.given == ABSENT, more.given, found.given))
    lower = (more.faults & -more.faults).view(np.uint64) - np.uint64(1)
    own = (found.faults & -found.faults).view(np.uint64) - np.uint64(1)
    field = np.where(lower < own, more.field, found.field)
    return found._replace(given=given, faults=found.faults | more.faults, field=field)


def _total_of_parts(found: Parsed) -> Parsed:
    """Returns the records with a fund total where only its parts were there: such a row is settled by its source."""
    parts = found.given[:, FUND_PARTS]
    there = parts != ABSENT
    at = AMOUNT["fund_pay_sumamt"]
    rows = there.any(axis=1) & (found.given[:, at] == ABSENT)
    found.given[rows, at] = np.where(there, parts, 0).sum(axis=1)[rows]
    found.settled[rows] = 1
    return found


def _flags(data: NDArray[np.uint8], cells: Cells, rows: int, at: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Returns (1 where the flag is set, whether its cell is 0, 1 or empty)."""
    starts = cells.starts[:rows, at].astype(np.int64)
    length = cells.ends[:rows, at] - starts
    byte = np.where(length == 1, data[np.minimum(starts, len(data) - 1)], ord("0"))
    sound = (length <= 1) & ((byte == ord("0")) | (byte == ord("1")))
    return (sound & (byte == ord("1"))).astype(np.int64), sound
