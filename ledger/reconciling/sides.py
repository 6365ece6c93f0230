"""Holds one side of a reconciliation as columns: a claim a row, its key and every number and text that is compared.

A number the side does not state is ABSENT. The counterpart's side is read from its file through its profile, ours
from the log's acts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from core_ext.cells import FACT_COLUMNS
from core_ext.kernels import load
from core_ext.layout import ABSENT, AMOUNTS, FACT, HOW
from core_ext.text import Texts, texts_from_list
from ledger.acts import Acts
from ledger.money import fen_from_text
from ledger.plans import PolicyBook
from ledger.profile import Profile
from ledger.reconciling.scope import Bools, Int64s, Scope
from ledger.records import Records
from ledger.refusals import Refusal
from ledger.source import Source

#: The numbers compared, in the order of a side's columns; a person counts as its token.
NUMBERS = (*FACT_COLUMNS, *AMOUNTS, "psn_no")
NUMBER = {name: at for at, name in enumerate(NUMBERS)}
#: The texts compared; ``psn_no`` only where both sides are files.
TEXTS = ("mdtrt_id", "medins_setl_id", "fixmedins_code", "init_setl_id", "psn_no")

#: The columns of amounts.
MONEY = (*(name for name in FACT_COLUMNS if name.endswith(("_amt", "_sumamt", "_selfpay"))), *AMOUNTS)

#: What each side's totals count: claims, then fen.
TOTALS = ("claims", "medfee_sumamt", "fund_pay_sumamt", "acct_pay")

#: The columns without which a file has no details to compare.
REQUIRED = ("setl_id", "medfee_sumamt", "fund_pay_sumamt")
#: What the national interface calls a column of ours in a reconciliation file (message 3202).
ALIASES = {"msgid": "medins_setl_id"}

#: Faults that keep a row from being read; others (an identity that does not hold, say) are for intake to judge.
UNREADABLE_FAULTS = (
    Refusal.ROW_SHAPE, Refusal.NOT_UTF8, Refusal.BAD_KEY, Refusal.BAD_CODE, Refusal.BAD_DATE, Refusal.AMOUNT_TEXT,
    Refusal.AMOUNT_PRECISION, Refusal.AMOUNT_RANGE,
)  # fmt: skip
_DATES = ("begndate", "enddate", "setl_time")
_FACT_AT = [FACT[name] for name in FACT_COLUMNS]
_WIDTH, _FACTS_WIDTH = len(NUMBERS), len(FACT_COLUMNS)
_NO_NUMBERS = np.zeros((0, len(NUMBERS)), np.int64)


@dataclass(slots=True)
class Side:
    """Is one side, a claim a row: ``codes`` insured regions (0: not stated) and ``keys`` settlement numbers.

    ``row`` is the row of its file, or the log position of its ClaimFiled; ``period`` the clearing period it is booked
    into (0: a file's), ``refund`` whether it is one, ``faults`` why it cannot be read, ``field`` the file's column to
    blame (-1: none).
    """

    codes: Int64s
    keys: Texts
    numbers: Int64s
    texts: dict[str, Texts]
    row: Int64s
    period: Int64s
    refund: Bools
    faults: Int64s
    field: Int64s

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.codes)

    def key(self, row: int) -> str:
        """Returns a row's settlement number."""
        return _text(self.keys, row)

    def text(self, name: str, row: int) -> str:
        """Returns a row's text, empty where the side has no such column."""
        return _text(self.texts[name], row) if name in self.texts else ""

    def stated(self, name: str) -> Int64s:
        """Returns a column of fen, 0 where a row does not state it."""
        column = self.numbers[:, NUMBER[name]]
        return np.where(column == ABSENT, 0, column)

    @property
    def due(self) -> Int64s:
        """Returns what each row makes due between the two: fund and account, fen."""
        return np.asarray(self.stated("fund_pay_sumamt") + self.stated("acct_pay"))

    def totals(self, kinds: Int64s) -> dict[int, tuple[int, ...]]:
        """Returns TOTALS by each row's kind, added without wrapping; raises OverflowError for a sum beyond 64 bits."""
        kernel = load("fold")
        values = np.ones((len(self), len(TOTALS)), np.int64)
        for at, name in enumerate(TOTALS[1:], 1):
            values[:, at] = self.stated(name)
        group, first = kernel.group(np.ascontiguousarray(kinds[:, None]))
        sums = np.zeros((len(first), len(TOTALS)), np.int64)
        kernel.fold(group, values, sums)
        return {int(kinds[row]): tuple(line) for row, line in zip(first.tolist(), sums.tolist(), strict=True)}


class Details(Source):
    """Is a counterpart's file of details: a claim file, or the shorter shape of message 3202."""

    required = REQUIRED


def open_details(path: str | Path, profile: Profile) -> Details:
    """Returns the file of details at ``path``; raises SourceError where it has no header or lacks a column."""
    with Records(Path(path), profile) as records:
        header = [profile.columns.get(name, name) for name in records.header]
    renamed = {name: ours for name, ours in ALIASES.items() if name in header and ours not in header}
    return Details(Path(path), msgspec.structs.replace(profile, columns={**profile.columns, **renamed}))


def read_file(source: Source, book: PolicyBook, refunds: bool = True) -> Side:
    """Returns a file's rows as a side; without ``refunds`` those that are refunds are left out."""
    absent = [NUMBER[name] for name in NUMBERS if name not in source.national or name == "psn_no"]
    faults = sum(1 << fault for fault in UNREADABLE_FAULTS)
    if any(name not in source.national for name in _DATES):
        faults &= ~(1 << Refusal.BAD_DATE)
    has_region = "insu_admdvs" in source.national
    names = [name for name in TEXTS if name in source.national]
    size = source.path.stat().st_size
    table = np.empty((0, _WIDTH), np.int64)
    parts: list[Side] = []
    filled = 0
    for batch in source.batches():
        if filled + batch.n > len(table):
            table = _wider(table, filled, batch.n, size)
        numbers = table[filled : filled + batch.n]
        numbers[:, :_FACTS_WIDTH] = batch.facts[:, _FACT_AT]
        numbers[:, _FACTS_WIDTH:-1] = batch.given
        numbers[:, absent] = ABSENT
        codes = book.region_of(batch.facts[:, FACT["insu_admdvs"]]) if has_region else np.zeros(batch.n, np.int64)
        part = Side(
            codes, batch.texts["setl_id"], numbers, {name: batch.texts[name] for name in names},
            np.arange(batch.first_row, batch.first_row + batch.n), np.zeros(batch.n, np.int64),
            (batch.refund > 0) | (batch.facts[:, FACT["medfee_sumamt"]] < 0), batch.faults & faults,
            # The cell to blame is that of the lowest fault, which may be one that does not count here.
            np.where(_lowest(batch.faults & faults) == _lowest(batch.faults), batch.field, -1),
        )  # fmt: skip
        if not refunds:
            part = picked(part, np.flatnonzero(~part.refund))
            table[filled : filled + len(part)] = part.numbers
        part.numbers = _NO_NUMBERS
        parts.append(part)
        filled += len(part)
    side = joined(parts, names)
    side.numbers = table[:filled]
    _blame(source, side)
    return side


def _wider(table: Int64s, filled: int, more: int, size: int) -> Int64s:
    """Returns the table with room for ``more`` rows behind those filled: at once for a file of ``size`` bytes.

    A record is rarely shorter than 200 bytes; room that is never written costs nothing.
    """
    wider = np.empty((max(size // 200, 2 * filled, filled + more), _WIDTH), np.int64)
    wider[:filled] = table[:filled]
    return wider


def _lowest(faults: Int64s) -> Int64s:
    return faults & -faults


def _blame(source: Source, side: Side) -> None:
    """Names the first amount that cannot be read in rows whose cell to blame is not known."""
    rows = np.flatnonzero((side.faults != 0) & (side.field < 0)).tolist()
    at = {int(side.row[row]): row for row in rows}
    for number, cells in source.each_record(at):
        for column, (name, cell) in enumerate(zip(source.national, cells, strict=False)):
            if name in MONEY and (cell or name not in AMOUNTS) and not _is_amount(cell):
                side.field[at[number]] = column
                break


def _is_amount(text: str) -> bool:
    try:
        fen_from_text(text)
    except ValueError:
        return False
    return True


def read_acts_as(pages: Iterable[Acts], scope: Scope) -> Side:
    """Returns the acts of the pages that are in scope as a side."""
    return joined([side_of(acts, np.flatnonzero(scope.chosen(acts))) for acts in pages], TEXTS[:-1])


def side_of(acts: Acts, rows: Int64s) -> Side:
    """Returns the given acts as a side: facts as filed, amounts as booked, the hospital's share with the policy's."""
    numbers = np.empty((len(rows), _WIDTH), np.int64)
    numbers[:, :_FACTS_WIDTH] = acts.facts[rows][:, _FACT_AT]
    numbers[:, NUMBER["hosp_part_amt"]] += acts.how[rows, HOW.index("hosp_part_amt")]
    numbers[:, _FACTS_WIDTH:-1] = acts.booked[rows]
    numbers[:, -1] = acts.facts[rows, FACT["token"]]
    none = np.zeros(len(rows), np.int64)
    return Side(
        acts.facts[rows, FACT["insured_region"]],
        _gathered([acts.texts["setl_id"]], none, rows),
        numbers,
        {name: _gathered([acts.texts[name]], none, rows) for name in TEXTS[:-1]},
        acts.claim[rows], acts.period[rows], acts.reversed[rows], none, none - 1,
    )  # fmt: skip


def picked(side: Side, rows: Int64s) -> Side:
    """Returns some rows of a side, in the order given."""
    part = np.zeros(len(rows), np.int64)
    return Side(
        side.codes[rows], _gathered([side.keys], part, rows), side.numbers[rows],
        {name: _gathered([texts], part, rows) for name, texts in side.texts.items()},
        side.row[rows], side.period[rows], side.refund[rows], side.faults[rows], side.field[rows],
    )  # fmt: skip


def joined(parts: Sequence[Side], names: Sequence[str]) -> Side:
    """Returns sides one behind the other; ``names`` are their texts."""
    none = np.zeros(0, np.int64)
    empty = texts_from_list([])
    held = [each for each in parts if len(each)] or [
        Side(none, empty, np.zeros((0, _WIDTH), np.int64), dict.fromkeys(names, empty), none, none,
             np.zeros(0, np.bool_), none, none)
    ]  # fmt: skip
    if len(held) == 1:
        return held[0]
    return Side(
        np.concatenate([each.codes for each in held]),
        _end_to_end([each.keys for each in held]),
        np.concatenate([each.numbers for each in held]),
        {name: _end_to_end([each.texts[name] for each in held]) for name in names},
        np.concatenate([each.row for each in held]),
        np.concatenate([each.period for each in held]),
        np.concatenate([each.refund for each in held]),
        np.concatenate([each.faults for each in held]),
        np.concatenate([each.field for each in held]),
    )


def _end_to_end(parts: Sequence[Texts]) -> Texts:
    shift = np.cumsum([0, *(int(each.offsets[-1] - each.offsets[0]) for each in parts)])
    offsets = [each.offsets[1:] - each.offsets[0] + before for each, before in zip(parts, shift, strict=False)]
    data = [each.data[each.offsets[0] : each.offsets[-1]] for each in parts]
    return Texts(np.concatenate([np.zeros(1, np.int64), *offsets]), np.concatenate(data))


def _gathered(parts: Sequence[Texts], part: Int64s, index: Int64s) -> Texts:
    found: Texts = load("gather").gather(parts, part, np.ascontiguousarray(index, np.int64))
    return found


def _text(texts: Texts, row: int) -> str:
    return texts.data[texts.offsets[row] : texts.offsets[row + 1]].tobytes().decode("utf-8", "replace")
