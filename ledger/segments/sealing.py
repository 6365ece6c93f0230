"""Seals a signed period: writes its segment, makes it durable, and only then says so in the log.

A crash at any step leaves an unsealed period, with files at most that no event names and the next sealing removes, or
a sealed one. The files are derived: where they are gone, sealing again writes them anew and checks them.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core_ext.layout import AMOUNTS
from ledger import explain
from ledger.clearing.states import decide_pay, read_clearing
from ledger.keys import period_stream
from ledger.knowledge import Knowledge, streams_with_prefix
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused, StoreError
from ledger.segments.events import PeriodSealed
from ledger.segments.making import Made, make, remove
from ledger.segments.reading import FILES, Segment
from ledger.segments.shape import LAYOUT
from ledger.store.url import segments_folder

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

_MAKING = ".making-"


class Sealed(msgspec.Struct, frozen=True):
    """Is a sealed period; ``written`` where this call wrote its files, ``already`` where the log had sealed it."""

    period: int
    rows: int
    settlements: int
    refunds: int
    medfee_fen: int
    totals: dict[str, int]
    digest: str
    tree_size: int
    root: str
    folder: Path
    already: bool
    written: bool

    @classmethod
    def of(cls, event: PeriodSealed, folder: Path, already: bool, written: bool) -> "Sealed":
        """Returns the report of an event."""
        totals = dict(zip(AMOUNTS, event.totals, strict=True))
        return cls(
            event.period, event.rows, event.settlements, event.refunds, event.medfee_fen, totals, event.digest.hex(),
            event.tree_size, event.root.hex(), folder, already, written,
        )  # fmt: skip


def expected_folder(url: str, given: Path | None) -> Path:
    """Returns where a store keeps its segments; refused where nobody said."""
    folder = segments_folder(url, given)
    if folder is None:
        raise Refused(
            Refusal.SEGMENTS_PLACE,
            "expected the folder of the sealed segments, got none: a store on PostgreSQL needs --segments DIR"
            " (or SETTLEMENT_SEGMENTS)",
        )
    return folder


def sealed_periods(reader: "Reader") -> Mapping[int, PeriodSealed]:
    """Returns the event of every sealed period."""
    found: dict[int, PeriodSealed] = {}
    for _, _, _, topic, state in streams_with_prefix(reader, "period"):
        if topic == PeriodSealed.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, PeriodSealed)
            found[event.period] = event
    return found


def segment_path(folder: Path, event: PeriodSealed) -> Path:
    """Returns where the files of a sealed period lie."""
    return folder / f"{event.period:06d}-{event.digest.hex()[:16]}"


def open_segment(folder: Path, event: PeriodSealed) -> Segment:
    """Returns the segment of a sealed period; refused where its files are missing or not readable."""
    try:
        return Segment(segment_path(folder, event))
    except StoreError as error:
        raise Refused(Refusal.SEGMENT_DAMAGED, f"{error}") from None


def seal(
    ledger: "Base",
    period: int,
    *,
    folder: Path,
    anchor: tuple[int, bytes] = (0, b""),
    reason: str = "",
    progress: Callable[[int], None] | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Sealed:
    """Seals a signed period, or writes the files of a sealed one anew where they are gone; see ``Periods.seal``.

    ``step`` is told each step that is done, by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        with ledger.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            sealed = sealed_periods(reader).get(period)
            if period not in known.periods.opened:
                raise Refused(Refusal.PERIOD_EMPTY, explain.period(Refusal.PERIOD_EMPTY, period, known.periods, {}))
            _refuse_unsigned(reader, period)
            _tidy(folder, sealed_periods(reader))
            if sealed is not None and segment_path(folder, sealed).is_dir():
                return Sealed.of(sealed, segment_path(folder, sealed), True, False)
            reach = (known.periods.opened[period], known.periods.closed[period])
            making = folder / f"{_MAKING}{period:06d}"
            making.mkdir()
            step("began")
            made = make(reader, known.policies, [period], reach, making, scratch=folder, progress=progress)
        step("written")
        if sealed is not None and sealed.digest != made.digest:
            remove(making)
            raise Refused(
                Refusal.SEGMENT_DAMAGED,
                f"period {period}: expected the digest it was sealed with, {sealed.digest.hex()},"
                f" got {made.digest.hex()} from the log: run verify",
            )
        event = sealed or _event(period, made, anchor)
        path = segment_path(folder, event)
        durable(making)
        step("durable")
        making.rename(path)
        durable(folder)
        step("renamed")
        if sealed is None:
            with ledger.transaction() as tx:
                # It may have been withdrawn while the segment was written, or sealed from another folder.
                _refuse_unsigned(tx, period)
                sealed = sealed_periods(tx).get(period)
                if sealed is None:
                    cause, command = ledger.command(tx, "seal", reason, {"period": period})
                    event = msgspec.structs.replace(event, cause=cause)
                    version = tx.stream_heads([period_stream(period)])[period_stream(period)] + 1
                    ledger.append(tx, [command, (period_stream(period), version, event)])
            step("said")
        return Sealed.of(sealed or event, path, sealed is not None, True)


def _refuse_unsigned(reader: "Reader", period: int) -> None:
    """Raises Refused for a period whose clearing is not signed (DOMAIN section 2: signed → paid and sealed)."""
    state = read_clearing(reader, period)
    if refusal := decide_pay(state):
        raise Refused(refusal, explain.clearing(refusal, state, 0))


def _event(period: int, made: Made, anchor: tuple[int, bytes]) -> PeriodSealed:
    totals = made.totals
    return PeriodSealed(
        0, 0, period, totals.rows, totals.carried, totals.settlements, totals.refunds, totals.medfee_fen,
        tuple(totals.amounts), LAYOUT, made.digest, *anchor,
    )  # fmt: skip


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the folder: two that seal at once take turns, and the second finds the first's work."""
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tidy(folder: Path, sealed: Mapping[int, PeriodSealed]) -> None:
    """Removes what a crash left: folders in the making, and segments that no event names."""
    named = {segment_path(folder, event).name for event in sealed.values()}
    for path in folder.iterdir():
        making = path.name.startswith((_MAKING, "segment-"))
        orphan = path.name not in named and _is_segment(path)
        if path.is_dir() and (making or orphan):
            remove(path)


def _is_segment(path: Path) -> bool:
    head, _, digest = path.name.partition("-")
    return len(head) == 6 and head.isdecimal() and len(digest) == 16 and any((path / each).exists() for each in FILES)


def durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
