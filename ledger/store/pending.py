"""Reads a store as it will be once a transaction that is still being written is committed.

So that what comes next can be decided while the database takes in what is decided: what the transaction leaves behind
is answered from memory, everything else from a snapshot of what is committed, this very transaction or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.text import to_list
from ledger.store.session import Reader
from ledger.store.text_runs import joined

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store.link import Column, Ints, Link
    from ledger.store.seals import Persons
    from ledger.store.text_runs import TextRows


@dataclass
class Pending:
    """Is what a transaction writes, from its first event on.

    ``blocks`` follow each other from position ``first`` on; ``persons`` are new, ``tokens`` is the last token of all.
    ``years`` are (keys, versions, values) and ``accounts`` (tokens, balances), ``reversals`` as ``add_reversals`` takes
    them.
    """

    first: int
    blocks: "Sequence[EventBlock]"
    tokens: int
    persons: "Sequence[Persons]"
    years: "tuple[Ints, Ints, Ints]"
    accounts: "tuple[Ints, Ints]"
    messages: "TextRows"
    reversals: Sequence[tuple[int, int]]

    def behind(self, before: "Pending") -> "Pending":
        """Returns this and what the same transaction wrote directly before it, as one."""
        return Pending(
            first=before.first,
            blocks=[*before.blocks, *self.blocks],
            tokens=self.tokens,
            persons=[*before.persons, *self.persons],
            years=_newest(before.years, self.years),
            accounts=_newest(before.accounts, self.accounts),
            messages=joined([before.messages, self.messages]),
            reversals=[*before.reversals, *self.reversals],
        )

    @property
    def size(self) -> int:
        """Returns the position of the last event."""
        return self.first - 1 + sum(map(len, self.blocks))

    @cached_property
    def beginnings(self) -> dict[str, int]:
        """Returns the position of the first event of every stream that begins here."""
        found: dict[str, int] = {}
        first = self.first
        for block in self.blocks:
            streams = to_list(block.streams)
            found |= {streams[row]: first + row for row in np.flatnonzero(block.versions == 1).tolist()}
            first += len(block)
        return found

    @cached_property
    def given(self) -> dict[str, int]:
        """Returns the token of every person that is new."""
        return {number: token for persons in self.persons for number, token in persons.by_number().items()}

    @cached_property
    def noted(self) -> dict[str, int]:
        """Returns the position of every message id that is written."""
        return dict(self.messages.listed())

    def event(self, position: int) -> tuple[str, int, str, bytes]:
        """Returns (stream, version, topic, state) of the event at a position."""
        row = position - self.first
        for block in self.blocks:
            if row < len(block):
                stream, state = (
                    texts.data[texts.offsets[row] : texts.offsets[row + 1]].tobytes()
                    for texts in (block.streams, block.states)
                )
                return stream.decode(), int(block.versions[row]), block.topic_names[int(block.topics[row])], state
            row -= len(block)
        raise IndexError(f"expected a position from {self.first} to {self.size}, got {position}")


class PendingReader(Reader):
    """Is the view behind a transaction that is still being written."""

    def __init__(self, link: "Link", pending: Pending) -> None:
        super().__init__(link)
        self._pending = pending
        self._size, self._tokens = pending.size, pending.tokens

    def tokens(self, psn_nos: Sequence[str]) -> dict[str, int]:
        """Returns the token of every person that has one."""
        given = self._pending.given if psn_nos else {}
        return super().tokens(psn_nos) | {number: given[number] for number in psn_nos if number in given}

    def load_state(self, keys: "Ints", runs_until: int = 2**63 - 1) -> "tuple[Ints, Ints]":
        """Returns (versions, values) of person-years."""
        versions, values = super().load_state(keys, runs_until)
        own, own_versions, own_values = self._pending.years
        asked, at = _matches(keys, own)
        versions[asked], values[asked] = own_versions[at], own_values[at]
        return versions, values

    def load_accounts(self, tokens: "Ints", runs_until: int = 2**63 - 1) -> "Ints":
        """Returns account balances in fen."""
        balances = super().load_accounts(tokens, runs_until)
        asked, at = _matches(tokens, self._pending.accounts[0])
        balances[asked] = self._pending.accounts[1][at]
        return balances

    def find_messages(self, keys: Sequence[str]) -> dict[str, int]:
        """Returns the position of every message known."""
        own = self._pending.noted if keys else {}
        return super().find_messages(keys) | {key: own[key] for key in keys if key in own}

    def reversals(self, claims: "Sequence[int] | Ints") -> dict[int, int]:
        """Returns {position of the ClaimFiled: position of what reversed it} for the claims reversed."""
        own = dict(self._pending.reversals)
        asked = np.asarray(claims, dtype=np.int64).tolist()
        return super().reversals(claims) | {claim: own[claim] for claim in asked if claim in own}

    def first_events(self, streams: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Returns (position, state) of version 1 of every stream that has it."""
        begun = self._pending.beginnings if streams else {}
        own = {stream: begun[stream] for stream in streams if stream in begun}
        return super().first_events(streams) | {
            stream: (position, self._pending.event(position)[3]) for stream, position in own.items()
        }

    def events_at(self, positions: "Sequence[int] | Column") -> dict[int, tuple[str, int, str, bytes]]:
        """Returns (stream, version, topic, state) of every position that has an event."""
        keys = np.asarray(positions, dtype=np.int64)
        own = (keys >= self._pending.first) & (keys <= self.size)
        return super().events_at(keys[~own]) | {at: self._pending.event(at) for at in keys[own].tolist()}


def _newest(before: "tuple[Ints, *tuple[Ints, ...]]", own: "tuple[Ints, *tuple[Ints, ...]]") -> Any:
    """Returns columns, the first of which are keys, with the rows of ``before`` in front whose key no other has."""
    stands = ~np.isin(before[0], own[0])
    return tuple(np.concatenate([older[stands], column]) for older, column in zip(before, own, strict=True))


def _matches(asked: "Ints", own: "Ints") -> "tuple[Ints, Ints]":
    """Returns the places in ``asked`` of the keys that are in ``own``, and their places there."""
    if not len(own):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.argsort(own)
    at = np.minimum(np.searchsorted(own[order], asked), len(own) - 1)
    found = np.flatnonzero(own[order[at]] == asked)
    return found, order[at[found]]
