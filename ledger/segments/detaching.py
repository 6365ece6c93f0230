"""Detaches a sealed period from a store on PostgreSQL: the bytes of its acts move to an archive beside the segments.

Positions, streams and topics stay, so a claim that comes again is still known and no position is empty; what is no act
stays whole. The archive is written, made durable and read back before one transaction says so in the log and puts
marks in place of the states: a crash leaves a period that is detached, or one that is not. Whoever may read the archive
reads the log as before (``store.archives``); whoever may not is told where the month is.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ledger.acts import read_acts
from ledger.events import BASIS_RESETTLED
from ledger.keys import detached_stream
from ledger.knowledge import Knowledge
from ledger.refusals import Refusal, Refused, StoreError
from ledger.segments.events import PeriodAttached, PeriodDetached
from ledger.segments.sealing import alone, durable, expected_folder, open_segment, sealed_periods
from ledger.store.archives import Archive, archive_name, mark, pages_of, write_archive

if TYPE_CHECKING:
    from ledger.store import Reader, Transaction
    from ledger.verbs.base import Base

#: Rows a statement.
ROWS = 5_000

OWNER = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'stored_events'::regclass"
# Only who owns the table can, and only inside the transaction that puts it back.
UNGUARD = "ALTER TABLE stored_events DISABLE TRIGGER stored_events_refuse_change"
GUARD = "ALTER TABLE stored_events ENABLE TRIGGER stored_events_refuse_change"
DETACH = (
    "UPDATE stored_events SET state = ?::bytea || int8send(notification_id) WHERE notification_id = ANY(?::bigint[])"
)
ATTACH = (
    "UPDATE stored_events SET state = kept.state FROM unnest(?::bigint[], ?::bytea[]) AS kept(position, state)"
    " WHERE notification_id = kept.position AND stored_events.state = ?::bytea || int8send(notification_id)"
)


class Detached(msgspec.Struct, frozen=True):
    """Is a period whose events were detached or attached: how many, their bytes, the archive and its digest.

    ``already`` where the log had it so before.
    """

    period: int
    events: int
    state_bytes: int
    archive: Path
    digest: str
    already: bool


def detach(ledger: "Base", period: int, reason: str = "", step: Callable[[str], None] = lambda _: None) -> Detached:
    """Detaches a sealed period; see the module. ``step`` is told each step that is done, by name."""
    folder = _place(ledger)
    with alone(folder):
        with ledger.store.read() as reader:
            sealed = sealed_periods(reader).get(period)
            if sealed is None:
                raise Refused(Refusal.PERIOD_NOT_SEALED, f"period {period} is not sealed: seal it first")
            # What replays the month from then on must be there, whole.
            if open_segment(folder, sealed).digest() != sealed.digest:
                raise Refused(
                    Refusal.SEGMENT_DAMAGED,
                    f"period {period}: expected its segment as sealed, got another: seal it again",
                )
            held = reader.detached.get(period)
            if held is not None:
                return _report(held, folder, True)
            known = Knowledge()
            known.refresh(reader)
            reach = (known.periods.opened[period], known.periods.closed[period])
            making = folder / f".making-events-{period:06d}"
            step("began")
            digest, events, size = write_archive(making, _states(reader, period, reach))
        step("written")
        path = folder / archive_name(period, digest)
        making.rename(path)
        durable(folder)
        archive = _whole(path, digest)
        step("durable")
        first, last = int(archive.positions.min(initial=2**62)), int(archive.positions.max(initial=0))
        event = PeriodDetached(0, 0, period, first, last, events, size, digest)
        with ledger.transaction() as tx:
            if period in tx.detached:
                return _report(tx.detached[period], folder, True)
            _say(ledger, tx, "detach", reason, event)
            tx.execute(UNGUARD)
            word, done = mark(period, digest), 0
            for at in range(0, events, ROWS):
                done += tx.execute(DETACH, (word, archive.positions[at : at + ROWS].tolist()))
            tx.execute(GUARD)
            _expect(done, events, period)
            step("marked")
        step("said")
        return _report(event, folder, False)


def attach(ledger: "Base", period: int, reason: str = "", step: Callable[[str], None] = lambda _: None) -> Detached:
    """Puts the states of a detached period back into the log, byte for byte; the archive stays where it is."""
    folder = _place(ledger)
    with alone(folder), ledger.transaction() as tx:
        held = tx.detached.get(period)
        if held is None:
            raise Refused(Refusal.NOT_DETACHED, f"period {period} is not detached: its events are in the log")
        archive = _whole(folder / archive_name(period, held.digest), held.digest)
        _say(ledger, tx, "attach", reason, PeriodAttached(0, 0, period, held.events, held.digest))
        tx.execute(UNGUARD)
        word, done = mark(period, held.digest), 0
        for positions, states in pages_of(archive, ROWS):
            done += tx.execute(ATTACH, (positions, states, word))
        tx.execute(GUARD)
        _expect(done, held.events, period)
        step("marked")
    step("said")
    return _report(held, folder, False)


def _place(ledger: "Base") -> Path:
    """Returns the folder of the archives; refused on SQLite, and for who does not own the log's table."""
    if ledger.store.dialect != "postgres":
        raise Refused(
            Refusal.DETACH_PLACE,
            "expected a store on PostgreSQL, got a SQLite file: that is one file already, keep a copy of it",
        )
    folder = expected_folder(ledger.store.url, ledger.segments)
    with ledger.store.read() as reader:
        if not reader.query(OWNER)[0][0]:
            raise Refused(
                Refusal.NOT_ALLOWED,
                "expected the owner of the log's table, got another role: a writer appends and changes nothing",
            )
    return folder


def _states(reader: "Reader", period: int, reach: tuple[int, int]) -> Iterator[list[tuple[int, bytes]]]:
    """Yields (position, state) of the period's acts, in log order; what was booked anew is left: it is decided from."""
    for acts in read_acts(reader, *reach):
        own = (acts.period == period) & (acts.basis != BASIS_RESETTLED)
        positions = np.sort(np.concatenate([acts.claim[own], acts.position[own]]))
        rows = reader.events_at(positions)
        yield [(at, bytes(rows[at][3])) for at in positions.tolist()]


def _whole(path: Path, digest: bytes) -> Archive:
    try:
        archive = Archive(path)
    except (OSError, StoreError) as error:
        raise Refused(
            Refusal.ARCHIVE_DAMAGED, f"{path}: expected an archive of detached events, got: {error}"
        ) from None
    if archive.digest() != digest:
        raise Refused(
            Refusal.ARCHIVE_DAMAGED,
            f"{path}: expected the digest {digest.hex()}, got {archive.digest().hex()}: bring a whole copy of it here",
        )
    return archive


def _say(ledger: "Base", tx: "Transaction", verb: str, reason: str, event: PeriodDetached | PeriodAttached) -> None:
    period = event.period
    cause, command = ledger.command(tx, verb, reason, {"period": period})
    stream = detached_stream(period)
    version = tx.stream_heads([stream]).get(stream, 0) + 1
    ledger.append(tx, [command, (stream, version, msgspec.structs.replace(event, cause=cause))])


def _expect(done: int, events: int, period: int) -> None:
    if done != events:
        raise StoreError(
            f"period {period}: expected {events:,} events to be marked or put back, got {done:,}: run verify; nothing"
            " was changed"
        )


def _report(event: PeriodDetached, folder: Path, already: bool) -> Detached:
    path = folder / archive_name(event.period, event.digest)
    return Detached(event.period, event.events, event.state_bytes, path, event.digest.hex(), already)
