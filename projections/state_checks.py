"""Holds the write side's own tables against the log: accumulators, accounts, message ids, reversals.

No query reads them, but the next settlement rests on them: an edited one would be wrong for ever and fit the log.
They are compared once the log itself is whole, since they follow from it row by row. A first reading compares marks of
rows, some tens of bytes a person; only what differs there is read again, on both sides, and compared cell by cell.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from core_ext.layout import FACT, padded
from core_ext.text import to_list
from ledger.acts import read_acts
from ledger.keys import YEARS, message_key
from ledger.replay import read_openings
from ledger.stays.replaying import counted_parts
from projections.findings import Findings, unlike
from projections.state_sums import MessageSums, StateSums, Wrong, accounts_of, messages_of, person_years

if TYPE_CHECKING:
    from ledger.store import Reader

SELECT_REVERSALS = "SELECT claim, by_position FROM reversal"

Key = TypeVar("Key", int, str)


class _Folded:
    """Is what the log says the tables hold of the rows that are looked at again."""

    def __init__(self, reader: "Reader", wrong: Wrong) -> None:
        zeros = padded(())
        openings = read_openings(reader)
        self.years = {key: (1, padded(values)) for key, values in openings.accumulators.items() if key in wrong.years}
        self.accounts = {token: fen for token, fen in openings.accounts.items() if token in wrong.accounts}
        self.messages: dict[str, int] = {}
        moved: dict[int, int] = {}
        years, accounts = _sorted(wrong.years), _sorted(wrong.accounts)
        for acts in read_acts(reader):
            tokens = acts.facts[:, FACT["token"]]
            keys, after = tokens * YEARS + acts.year, acts.before + acts.delta
            for row in np.flatnonzero(np.isin(keys, years)).tolist():
                key = int(keys[row])
                self.years[key] = (self.years.get(key, (0, zeros))[0] + 1, after[row].tolist())
                moved[key] = int(acts.position[row])
            for row in np.flatnonzero(np.isin(tokens, accounts)).tolist():
                self.accounts[int(tokens[row])] = int(acts.balc[row])
            if wrong.messages is not None:
                rows = np.flatnonzero(wrong.messages.filed(acts))
                msgids = to_list(acts.texts["medins_setl_id"])
                self.messages |= {message_key(msgids[row]): int(acts.claim[row]) for row in rows.tolist()}
        parts = [each for counted in counted_parts(reader).values() for each in counted]
        for position, part in sorted(parts, key=lambda each: each[0]):
            key = part.token * YEARS + part.year
            if key not in wrong.years:
                continue
            version, values = self.years.get(key, (0, zeros))
            if position > moved.get(key, 0):
                before, delta = (padded(each) for each in (part.before, part.delta))
                values = [a + b for a, b in zip(before, delta, strict=True)]
            self.years[key] = (version + 1, values)


def check_state(reader: "Reader", sums: StateSums, found: Findings) -> None:
    """Names every row of the write side that does not follow from the log, and a settlement refunded twice.

    ``sums`` has taken every act of the log.
    """
    wrong = sums.different(reader)
    for original, claim in wrong.twice:
        found.event(claim, "refunded-twice", f"one refund of claim {original}", "a second one")
    _name_ahead(reader, wrong, found)
    if wrong:
        _compare_again(reader, wrong, found)
    reversals: dict[int, int] = dict(reader.query(SELECT_REVERSALS))
    _compare(found, "reversal", "claim", wrong.reversals, reversals)


def _name_ahead(reader: "Reader", wrong: Wrong, found: Findings) -> None:
    """Names the accounts of each position that the log does not have: a log that was cut leaves many of one."""
    tokens: dict[int, list[int]] = {}
    for token, position in sorted(wrong.ahead.items()):
        tokens.setdefault(position, []).append(token)
    for position, (first, *others) in sorted(tokens.items()):
        where = f"account token={first}" + (f" and {len(others)} more" if others else "")
        found.other("edited-row", where, f"a position up to {reader.size}", f"position {position}")


def _compare_again(reader: "Reader", wrong: Wrong, found: Findings) -> None:
    folded = _Folded(reader, wrong)
    years: dict[int, tuple[int, list[int]]] = {}
    for keys, versions, values in person_years(reader):
        for row in np.flatnonzero(np.isin(keys, _sorted(wrong.years))).tolist():
            key, version = int(keys[row]), int(versions[row])
            if version > years.get(key, (0, []))[0]:
                years[key] = (version, values[row].tolist())
    _compare(found, "person_year", "key", folded.years, years)
    _compare(found, "account", "token", _holding(folded.accounts), _holding(_accounts(reader, wrong.accounts)))
    if wrong.messages is not None:
        _compare(found, "message", "msgid", folded.messages, _messages(reader, wrong.messages))


def _accounts(reader: "Reader", wrong: set[int]) -> dict[int, int]:
    """Returns the balances of persons, each of the highest version; the table's, where a run has the same."""
    held: dict[int, tuple[int, int]] = {}
    for tokens, versions, fen in accounts_of(reader):
        for row in np.flatnonzero(np.isin(tokens, _sorted(wrong))).tolist():
            token, version = int(tokens[row]), int(versions[row])
            if version > held.get(token, (-1, 0))[0]:
                held[token] = (version, int(fen[row]))
    return {token: fen for token, (_, fen) in held.items()}


def _messages(reader: "Reader", wrong: MessageSums) -> dict[str, object]:
    """Returns the rows of the buckets that differ; of an id that stands twice every position."""
    held: dict[str, object] = {}
    for page in messages_of(reader):
        for row in np.flatnonzero(wrong.kept(page)).tolist():
            msgid, position = page[row]
            held[msgid] = f"{held[msgid]} and {position}" if msgid in held else position
    return held


def _sorted(keys: set[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(sorted(keys), np.int64)


def _holding(accounts: dict[int, int]) -> dict[int, int]:
    """Returns the accounts that hold something: one that is empty may be there or not."""
    return {token: fen for token, fen in accounts.items() if fen}


def _compare(found: Findings, table: str, key: str, expected: Mapping[Key, object], got: Mapping[Key, object]) -> None:
    for at, *sides in unlike(expected, got):
        ours, theirs = ("no row" if side is None else str(side) for side in sides)
        found.other("edited-row", f"{table} {key}={at}", ours, theirs)
