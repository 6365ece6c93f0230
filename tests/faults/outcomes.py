"""Appends batches, keeps what was promised of each, and holds a log against those promises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.refusals import OutcomeUnknown, StoreError
from ledger.store import Store
from tests.store.samples import append, many

EventRow = tuple[int, str, int, str, bytes]


def batch(number: int) -> list[tuple[str, int, str, bytes]]:
    """Returns the events of a batch: 1 to 40 of them, told apart from every other batch's by their streams."""
    return many(f"batch-{number:06d}", 1 + number * 7 % 40)


@dataclass
class Promises:
    """Is what the store said of each batch: in the log (kept), not in it (refused), or that it cannot tell."""

    kept: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def append(self, store: Store, number: int, told: Callable[[int], None] = lambda number: None) -> None:
        """Appends a batch and notes what the store says; ``told`` hears of a batch the store acknowledged."""
        try:
            append(store, batch(number))
        except OutcomeUnknown as error:
            self.unknown.append(number)
            self.errors.append(str(error))
        except StoreError as error:
            self.refused.append(number)
            self.errors.append(str(error))
        else:
            self.kept.append(number)
            told(number)


def broken(rows: Sequence[EventRow], kept: Sequence[int], refused: Sequence[int] = ()) -> list[str]:
    """Returns what is wrong with a log: a batch acknowledged and lost, refused and there, cut in two, or twice."""
    found = []
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        found.append("positions are not 1, 2, 3, …")
    there: list[int] = []
    at = 0
    while at < len(rows):
        number = int(rows[at][1].split("-")[1])
        events = batch(number)
        if [row[1:] for row in rows[at : at + len(events)]] != events:
            found.append(f"batch {number} is not whole")
            break
        there.append(number)
        at += len(events)
    if len(set(there)) != len(there):
        found.append("a batch is there twice")
    found += [f"batch {number} was acknowledged and is lost" for number in kept if number not in there]
    found += [f"batch {number} was refused and is there" for number in refused if number in there]
    return found
