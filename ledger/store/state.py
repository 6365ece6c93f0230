"""Keeps the write side's state beside the log: persons, accumulators, accounts, messages, reversals.

All of it is set-based: thousands of keys a call, int64 arrays in and out. Nothing here is a projection; it is
written in the transaction that appends the events it follows from.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.codec_fields import Encoded
from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS
from core_ext.text import Texts, texts_from_list, to_list
from ledger.keys import YEARS
from ledger.refusals import StoreError
from ledger.store import person_blocks
from ledger.store.person_blocks import block_of, persons_in_blocks, put_block, remove_from_block
from ledger.store.runs import ACCOUNT_RUNS, LAST, YEAR_RUNS, find_in_runs, keys_in_runs
from ledger.store.seals import SALT, Persons, Random, cut
from ledger.store.text_runs import (
    MESSAGE_RUNS,
    NUMBER_RUNS,
    TextRuns,
    find_in_text_runs,
    put_texts,
    remove_from_runs,
    text_rows,
)

if TYPE_CHECKING:
    from ledger.store.link import Ints, Link

#: A state is the width of its numbers, 4 or 8 bytes, and then the accumulators, little-endian. Nearly every person's
#: year fits the narrow form, and half the bytes are half the pages a batch of many persons dirties.
NARROW, WIDE = 4, 8

REPLACE_STATE = "ON CONFLICT (key) DO UPDATE SET version = excluded.version, state = excluded.state"
NEXT_YEAR = "(SELECT MIN(key) FROM person_year WHERE key >= k.value)"
REPLACE_OLDER_STATE = f"{REPLACE_STATE} WHERE excluded.version > person_year.version"
REPLACE_ACCOUNT = "ON CONFLICT (token) DO UPDATE SET balance_fen = excluded.balance_fen, version = excluded.version"
REPLACE_OLDER_ACCOUNT = f"{REPLACE_ACCOUNT} WHERE excluded.version > account.version"


def packed(values: "Ints") -> list[bytes]:
    """Returns the stored form of accumulators, one a row of ``values`` int64[k, len(ACCUMULATORS)]."""
    narrow = np.all((values >= -(2**31)) & (values < 2**31), axis=1)
    if narrow.all():
        return _packed(values, NARROW)
    states: list[bytes] = [b""] * len(values)
    for width, rows in ((NARROW, np.flatnonzero(narrow)), (WIDE, np.flatnonzero(~narrow))):
        for row, state in zip(rows.tolist(), _packed(values[rows], width), strict=True):
            states[row] = state
    return states


def _packed(values: "Ints", width: int) -> list[bytes]:
    """Returns each row's width and numbers; zero bytes at its end go without saying, what is short reads as zero."""
    n, size = len(values), 1 + width * values.shape[1]
    table = np.full((n, size), width, dtype=np.uint8)
    table[:, 1:] = np.ascontiguousarray(values.astype(f"<i{width}")).view(np.uint8).reshape(n, size - 1)
    lengths = size - np.argmax(table[:, ::-1] != 0, axis=1)
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    states: list[bytes] = load("codec").cut(Encoded(offsets, table[np.arange(size) < lengths[:, None]]))
    return states


def unpacked(states: Sequence[bytes]) -> "Ints":
    """Returns accumulators out of their stored form; fewer of them read as zero in the rest.

    Raises StoreError for a form there is not, and for more accumulators than there are.
    """
    widths = np.frombuffer(b"".join([state[:1] for state in states]), dtype=np.uint8)
    if len(widths) != len(states) or not np.isin(widths, (NARROW, WIDE)).all():
        raise StoreError("expected person-years of 4 or 8 bytes a number, got another form: verify the store")
    values = np.zeros((len(states), len(ACCUMULATORS)), dtype=np.int64)
    for width in (NARROW, WIDE):
        rows = np.flatnonzero(widths == width)
        size = width * len(ACCUMULATORS)
        body = b"".join([states[row][1:].ljust(size, b"\0") for row in rows.tolist()])
        if len(body) != size * len(rows):
            raise StoreError(
                f"expected a person-year of at most {len(ACCUMULATORS)} accumulators, got more:"
                " a later version of this package has written it"
            )
        values[rows] = np.frombuffer(body, dtype=f"<i{width}").reshape(len(rows), len(ACCUMULATORS))
    return values


class StateReader:
    """Reads the state; every method takes its keys in any order and gives results in that order or by key."""

    _link: "Link"
    _size: int
    _tokens: int
    random: Random

    def new_persons(self, numbers: Texts, names: Texts) -> Persons:
        """Returns persons with the next tokens, as ``put_persons`` takes them; nobody has these numbers so far."""
        return Persons.of(self._tokens + 1, numbers, names, self.random)

    def tokens(self, psn_nos: Sequence[str]) -> dict[str, int]:
        """Returns the token of every person that has one."""
        if not psn_nos:
            return {}
        found = find_in_text_runs(self._link, NUMBER_RUNS, psn_nos)
        for table in ("person", "person_number"):
            found |= {psn_nos[i]: token for i, token in self._link.lookup(table, "psn_no", "token", psn_nos)}
        return found

    def persons(self, tokens: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Returns (psn_no, psn_name) of every token that is somebody, erased ones left out."""
        if not tokens:
            return {}
        found = persons_in_blocks(self._link, tokens)
        rows = self._link.lookup("person", "token", "token, psn_no, psn_name", np.array(tokens, np.int64))
        return found | {token: (number, name) for _, token, number, name in rows}

    def load_state(self, keys: "Ints", runs_until: int = LAST) -> tuple["Ints", "Ints"]:
        """Returns (versions int64[k], values int64[k, len(ACCUMULATORS)]) of person-years; 0 and zeros where none.

        A stored state of fewer accumulators reads as zero in the rest; raises StoreError for one of more.
        ``runs_until`` leaves out the runs behind a position, for a caller who knows that they have none of the keys.
        """
        versions, values = find_in_runs(self._link, YEAR_RUNS, keys, runs_until)
        rows = self._link.lookup("person_year", "key", "version, state", keys)
        if not rows:
            return versions, values
        at, found, states = zip(*rows, strict=True)
        index, stored = np.array(at, dtype=np.int64), np.array(found, dtype=np.int64)
        newer = stored >= versions[index]
        versions[index[newer]] = stored[newer]
        values[index[newer]] = unpacked(states)[newer]
        return versions, values

    def years_of(self, tokens: "Ints") -> "Ints":
        """Returns the keys of every person-year that persons have."""
        held = keys_in_runs(self._link, YEAR_RUNS.name)
        found, behind = [held[np.isin(held // YEARS, tokens)]], np.sort(tokens) * YEARS
        while len(behind):
            rows = [(i, key) for i, key in self._link.each(NEXT_YEAR, behind) if key is not None]
            at, keys = np.array(rows, np.int64).reshape(-1, 2).T
            keys = keys[keys // YEARS == behind[at] // YEARS]
            found.append(keys)
            behind = keys + 1
        return np.unique(np.concatenate(found))

    def load_accounts(self, tokens: "Ints", runs_until: int = LAST) -> "Ints":
        """Returns the account balances in fen, int64[k]; 0 where a person has no account; ``runs_until`` as above."""
        versions, values = find_in_runs(self._link, ACCOUNT_RUNS, tokens, runs_until)
        balances = values[:, 0]
        rows = self._link.lookup("account", "token", "version, balance_fen", tokens)
        if rows:
            index, stored, found = np.array(rows, dtype=np.int64).T
            newer = stored >= versions[index]
            balances[index[newer]] = found[newer]
        return balances

    def find_messages(self, keys: Sequence[str]) -> dict[str, int]:
        """Returns the position of every message known; keys as ``ledger.keys.message_key`` forms them."""
        if not keys:
            return {}
        held = self._link.lookup("message", "msgid", "position", keys)
        return find_in_text_runs(self._link, MESSAGE_RUNS, keys) | {keys[i]: position for i, position in held}

    def reversals(self, claims: "Sequence[int] | Ints") -> dict[int, int]:
        """Returns {position of the ClaimFiled: position of what reversed it} for the claims reversed."""
        keys = np.asarray(claims, dtype=np.int64)
        return {int(keys[i]): by for i, by in self._link.lookup("reversal", "claim", "by_position", keys)}


class StateWriter(StateReader):
    """Writes the state, inside the transaction that appends."""

    def put_persons(self, persons: Persons) -> None:
        """Writes new persons; raises ValueError where their tokens are not the next ones."""
        if not len(persons):
            return
        if persons.first != self._tokens + 1:
            raise ValueError(f"expected persons from token {self._tokens + 1} on, got {persons.first}")
        if len(persons) >= person_blocks.BLOCK_PERSONS:
            put_block(self._link, block_of(persons))
            put_texts(self._link, NUMBER_RUNS, persons.first, text_rows(persons.numbers, persons.tokens))
        else:
            columns = (persons.tokens, to_list(persons.numbers), to_list(persons.names), cut(persons.salts, SALT))
            self._link.put("person", ("token", "psn_no", "psn_name", "salt"), columns)
        self._link.put("person_seal", ("first", "seals"), ([persons.first], [persons.seals]))
        self._tokens = persons.last

    def add_persons(self, persons: Sequence[tuple[str, str]]) -> dict[str, int]:
        """Returns the tokens of (psn_no, psn_name): consecutive from the last one given, in the order given.

        A person already known keeps token and name. A token is never given twice, not even after an erasure.
        """
        names: dict[str, str] = {}
        for psn_no, psn_name in persons:
            names.setdefault(psn_no, psn_name)
        known = self.tokens(list(names))
        fresh = [psn_no for psn_no in names if psn_no not in known]
        new = self.new_persons(texts_from_list(fresh), texts_from_list([names[psn_no] for psn_no in fresh]))
        self.put_persons(new)
        return known | new.by_number()

    def remove_person(self, token: int) -> None:
        """Removes who a token is, and its seal's salt with it; the token is never given again.

        Raises StoreError where there is nobody.
        """
        if self._link.erase("person", "token", token) == 1:
            return
        number = remove_from_block(self._link, token)
        if not number:
            raise StoreError(f"expected a person of token {token}, got none")
        if not remove_from_runs(self._link, NUMBER_RUNS, number, self._size):
            self._link.erase("person_number", "psn_no", number)

    def save_state(self, keys: "Ints", versions: "Ints", values: "Ints", conflict: str = REPLACE_STATE) -> None:
        """Writes person-years, each key once: ``values`` int64[k, len(ACCUMULATORS)]."""
        if values.shape != (len(keys), len(ACCUMULATORS)):
            raise ValueError(f"expected values of shape {(len(keys), len(ACCUMULATORS))}, got {values.shape}")
        states = packed(values)
        self._link.put("person_year", ("key", "version", "state"), (keys, versions, states), conflict)

    def save_accounts(self, tokens: "Ints", balances: "Ints") -> None:
        """Writes account balances in fen, each token once."""
        self._put_accounts(tokens, np.full(len(tokens), self._size, np.int64), balances, REPLACE_ACCOUNT)

    def _put_accounts(self, tokens: "Ints", versions: "Ints", balances: "Ints", conflict: str) -> None:
        self._link.put("account", ("token", "version", "balance_fen"), (tokens, versions, balances), conflict)

    def add_messages(self, keys: Sequence[str], positions: "Sequence[int] | Ints") -> None:
        """Notes messages, keys as ``ledger.keys.message_key`` forms them; raises KeyTaken where the table has one."""
        self.add_texts(MESSAGE_RUNS, keys, positions)

    def add_texts(self, runs: TextRuns, texts: Sequence[str], values: "Sequence[int] | Ints") -> None:
        """Writes texts to the table that runs of them are merged into; raises KeyTaken where it has one."""
        self._link.put(runs.table, (runs.text, runs.value), (texts, np.asarray(values, dtype=np.int64)))

    def add_reversals(self, reversals: Sequence[tuple[int, int]]) -> None:
        """Notes (position of a ClaimFiled, position of what reverses it); raises StoreError for one reversed before."""
        if not reversals:
            return
        claims, by = np.array(reversals, dtype=np.int64).T
        self._link.put("reversal", ("claim", "by_position"), (claims, by))
