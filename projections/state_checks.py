"""Holds the write side's own tables against the log: accumulators, accounts, message ids, reversals.

No query reads them, but the next settlement rests on them: an edited one would be wrong for ever and fit the log.
They are compared once the log itself is whole, since they follow from it row by row.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from core_ext.layout import ACCUMULATORS, FACT
from core_ext.text import to_list
from ledger.acts import read_acts
from ledger.keys import YEARS, message_key
from ledger.replay import read_openings
from ledger.stays.replaying import counted_parts
from ledger.store.runs import newest, read_runs
from ledger.store.state import unpacked
from projections.findings import Findings

if TYPE_CHECKING:
    from ledger.store import Reader

SELECT_YEARS = "SELECT key, version, state FROM person_year"
SELECT_ACCOUNTS = "SELECT token, balance_fen FROM account"
SELECT_MESSAGES = "SELECT msgid, position FROM message"
SELECT_REVERSALS = "SELECT claim, by_position FROM reversal"

Key = TypeVar("Key", int, str)


class _Folded:
    """Is what the log says the tables hold."""

    def __init__(self, reader: "Reader") -> None:
        zeros = [0] * len(ACCUMULATORS)
        openings = read_openings(reader)
        self.years = {key: (1, [*values, *zeros][: len(zeros)]) for key, values in openings.accumulators.items()}
        self.accounts = dict(openings.accounts)
        self.messages: dict[str, int] = {}
        self.reversals: dict[int, int] = {}
        self.twice: list[tuple[int, int]] = []
        moved: dict[int, int] = {}
        for acts in read_acts(reader):
            tokens = acts.facts[:, FACT["token"]]
            keys, after = (tokens * YEARS + acts.year).tolist(), (acts.before + acts.delta).tolist()
            for key, values in zip(keys, after, strict=True):
                self.years[key] = (self.years.get(key, (0, zeros))[0] + 1, values)
            moved |= dict(zip(keys, acts.position.tolist(), strict=True))
            self.accounts.update(zip(tokens.tolist(), acts.balc.tolist(), strict=True))
            claims = acts.claim.tolist()
            for msgid, claim in zip(to_list(acts.texts["medins_setl_id"]), claims, strict=True):
                if msgid:
                    self.messages[message_key(msgid)] = claim
            for row in np.flatnonzero(acts.reversed).tolist():
                original, claim = int(acts.original[row]), claims[row]
                if original in self.reversals:
                    self.twice.append((original, claim))
                self.reversals.setdefault(original, claim)
        parts = [each for counted in counted_parts(reader).values() for each in counted]
        for position, part in sorted(parts, key=lambda each: each[0]):
            key = part.token * YEARS + part.year
            version, values = self.years.get(key, (0, zeros))
            if position > moved.get(key, 0):
                before, delta = ([*each, *zeros][: len(zeros)] for each in (part.before, part.delta))
                values = [a + b for a, b in zip(before, delta, strict=True)]
            self.years[key] = (version + 1, values)


def check_state(reader: "Reader", found: Findings) -> None:
    """Names every row of the write side that does not follow from the log, and a settlement refunded twice."""
    folded = _Folded(reader)
    for original, claim in folded.twice:
        found.event(claim, "refunded-twice", f"one refund of claim {original}", "a second one")
    rows = reader.query(SELECT_YEARS)
    values = unpacked([bytes(state) for _, _, state in rows]).tolist() if rows else []
    years = {int(row[0]): (int(row[1]), now) for row, now in zip(rows, values, strict=True)}
    for keys, versions, states in newest(read_runs(reader)):
        for key, version, state in zip(keys.tolist(), versions.tolist(), states.tolist(), strict=True):
            if version > years.get(key, (0, []))[0]:
                years[key] = (version, state)
    _compare(found, "person_year", "key", folded.years, years)
    accounts = {int(token): int(fen) for token, fen in reader.query(SELECT_ACCOUNTS)}
    _compare(found, "account", "token", {k: v for k, v in folded.accounts.items() if v}, _moved(accounts))
    messages = {str(msgid): int(position) for msgid, position in reader.query(SELECT_MESSAGES)}
    _compare(found, "message", "msgid", folded.messages, messages)
    reversals = {int(claim): int(by) for claim, by in reader.query(SELECT_REVERSALS)}
    _compare(found, "reversal", "claim", folded.reversals, reversals)


def _moved(accounts: dict[int, int]) -> dict[int, int]:
    """Returns the accounts that hold something: one that is empty may be there or not."""
    return {token: fen for token, fen in accounts.items() if fen}


def _compare(found: Findings, table: str, key: str, expected: Mapping[Key, object], got: Mapping[Key, object]) -> None:
    for at in sorted(expected.keys() | got.keys()):
        if expected.get(at) != got.get(at):
            found.other(
                "edited-row", f"{table} {key}={at}", str(expected.get(at, "no row")), str(got.get(at, "no row"))
            )
