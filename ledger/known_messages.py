"""Keeps the numbers of message ids that runs have in memory, so that a batch of new ones need not look through them."""

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from core_ext.reference.index import HASH_BITS
from core_ext.text import to_list
from ledger.known import Ints, KnownInts
from ledger.store.faults import KeyTaken
from ledger.store.runs import distinct, keys_in_runs
from ledger.store.text_runs import MESSAGE_RUNS

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.store.text_runs import TextRows

#: Past this many numbers the memory starts anew; each takes about 40 bytes.
MOST = 2_000_000

#: Pieces of a batch, and more, that one transaction writes (``ledger.intake.MOST_PIECES``).
LAST = 8

#: Behind it comes no number of eight digits.
LAST_DAY = 99_999_999

BETWEEN = "SELECT 1 FROM message WHERE msgid >= ? AND msgid <= ? LIMIT 1"


class KnownMessages:
    """Is the number (``TextRows.keys``) of every message id in a run, and of all that this writer has written since.

    Runs are read where a number is first asked for.
    """

    def __init__(self) -> None:
        self._known = KnownInts()
        self._read = False
        # What a reader may not see yet is among these.
        self._last: deque[Ints] = deque(maxlen=LAST)

    def check(self, reader: "Reader", messages: "TextRows") -> None:
        """Raises KeyTaken where the store has one of these message ids."""
        if not len(messages.keys):
            return
        if not self._read:
            for keys in (keys_in_runs(reader, MESSAGE_RUNS.name), *self._last):
                self._take(keys)
            self._read = True
        alike = np.flatnonzero(self._known.find(messages.keys) >= 0)
        taken = [*reader.find_messages(to_list(messages.taken(alike).texts) if len(alike) else [])]
        # A file's ids are neighbours, and mostly behind all that the table has.
        bounds = _bounds(messages.keys)
        if not taken and (bounds is None or reader.query(BETWEEN, bounds)):
            asked = to_list(messages.texts)
            taken = [asked[at] for at, _ in reader.lookup("message", "msgid", "position", asked)]
        if taken:
            raise KeyTaken(f"expected message ids that the log has not, got {taken[0]}: look them up first")

    def remember(self, messages: "TextRows") -> None:
        """Remembers message ids that a transaction writes; a reader that does not see it yet can be asked then."""
        self._last.append(messages.keys)
        if not self._read:
            return
        if len(self._known) + len(messages.keys) > MOST:
            self._known.clear()
            self._read = False
        else:
            self._take(messages.keys)

    def _take(self, keys: "Ints") -> None:
        fresh = distinct(keys)
        self._known.add(fresh[self._known.find(fresh) < 0])


def _bounds(keys: "Ints") -> tuple[str, str] | None:
    """Returns texts between which all message ids of these numbers stand, None where that cannot be told."""
    days = keys >> HASH_BITS
    if not len(days) or days.min() == 0 or days.max() == LAST_DAY:
        return None
    return f"{days.min():08}", f"{days.max() + 1:08}"
