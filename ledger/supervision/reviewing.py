"""Reviews a period by rules (机审): what violates becomes events, what does no longer is lifted, nothing is twice."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled, Event
from ledger.keys import review_stream, violation_stream
from ledger.knowledge import streams_with_prefix
from ledger.line_events import LinesFiled
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.store.faults import Conflict
from ledger.supervision.book import Book
from ledger.supervision.charges import WHOLE, find_hits
from ledger.supervision.collecting import Collected, collect
from ledger.supervision.events import (
    DEFINITE,
    SUSPECT,
    ManualClaimAccepted,
    PeriodReviewed,
    PersonDescribed,
    RulePackEnacted,
    ViolationFound,
    ViolationLifted,
)
from ledger.supervision.packs import Pack, read_pack

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

#: Violations a transaction: a command waits no longer behind it than behind a batch of claims.
BATCH = 4_096

#: What a review depends on beside the packs.
REVIEWED = (ClaimFiled, ClaimSettled, ClaimReversed, LinesFiled, PersonDescribed, ManualClaimAccepted)
ANY_SINCE = (
    f"SELECT 1 FROM stored_events WHERE notification_id > ? AND topic IN ({', '.join('?' * len(REVIEWED))}) LIMIT 1"
)


class Reviewed(msgspec.Struct, frozen=True):
    """Is what a review of a period came to: what it looked at, wrote, and what stands open afterwards.

    ``already`` says that nothing had come to the log since the last one: nothing was looked at or written.
    """

    period: int
    position: int
    rules: int
    persons: int
    lines: int
    found: int
    lifted: int
    open: int
    amount_fen: int
    already: bool


def packs_of(reader: "Reader") -> list[Pack]:
    """Returns the packs enacted, in the order of their first day."""
    found = []
    for _, _, _, topic, state in streams_with_prefix(reader, "rule-pack"):
        event = decode_event(topic, state)
        assert isinstance(event, RulePackEnacted)
        found.append(read_pack(event.document, event.name))
    return found


PACKS = (
    "SELECT originator_id FROM stored_events WHERE originator_id >= 'rule-pack-' AND originator_id < 'rule-pack.'"
    " ORDER BY notification_id"
)


def digests_of(reader: "Reader") -> list[bytes]:
    """Returns the digests of the packs enacted, in order; the packs themselves are not read."""
    return [bytes.fromhex(str(stream).rpartition("-")[2]) for (stream,) in reader.query(PACKS)]


def violations_of(reader: "Reader", period: int) -> dict[str, tuple[int, int, Event]]:
    """Returns the last event of every violation of a period by its stream, with its position and version."""
    last: dict[str, tuple[int, int, Event]] = {}
    for position, stream, version, topic, state in streams_with_prefix(reader, f"violation-{period:06d}"):
        last[stream] = (position, version, decode_event(topic, state))
    return last


def review(ledger: "Base", book: Book, period: int, reason: str) -> Reviewed:
    """Reviews a period under the packs in force and writes what changed, in transactions of BATCH events.

    What was found is judged as of one position of the log; whoever appends meanwhile is seen by the next review.
    """
    if not book.held:
        raise Refused(
            Refusal.RULES_NOT_ENACTED, "expected a pack of rules in force, got none: `settlement rules enact`"
        )
    with ledger.store.read() as reader:
        last = _last(reader, period)
        held = violations_of(reader, period)
        since = last.position if last is not None and last.book == book.digest else 0
        if since and not reader.query(ANY_SINCE, (since, *(each.TOPIC for each in REVIEWED))):
            assert last is not None
            open_ = [event for _, _, event in held.values() if isinstance(event, ViolationFound)]
            amount = sum(event.amount_fen for event in open_)
            return Reviewed(period, since, last.rules, 0, 0, 0, 0, len(open_), amount, True)
        collected = collect(reader, period, since)
        position = reader.size
    found = dict(_violations(book, period, collected))
    new, lifted = _changes(held, found, set(collected.tokens.tolist()), period)
    standing = {stream: event for stream, (_, _, event) in held.items() if isinstance(event, ViolationFound)}
    standing |= {stream: event for stream, _, event in new if isinstance(event, ViolationFound)}
    for stream, _, _ in lifted:
        del standing[stream]
    amount = sum(event.amount_fen for event in standing.values())
    done = PeriodReviewed(
        *(0, 0, period, position, book.digest, len(book.held), len(collected.tokens), len(collected.bill)),
        *(len(new), len(lifted), amount),
    )
    _write(ledger, [*new, *lifted], done, reason)
    counts = (len(collected.tokens), len(collected.bill), len(new), len(lifted), len(standing))
    return Reviewed(period, position, len(book.held), *counts, amount, False)


def _last(reader: "Reader", period: int) -> PeriodReviewed | None:
    events = reader.stream(review_stream(period))
    if not events:
        return None
    event = decode_event(events[-1][2], events[-1][3])
    assert isinstance(event, PeriodReviewed)
    return event


def _violations(book: Book, period: int, collected: Collected) -> Iterator[tuple[str, ViolationFound]]:
    """Yields (stream, event) of what violates in claims of a period: one a rule, person and window."""
    hits = find_hits(book, collected.visits, collected.bill)
    own = np.flatnonzero(collected.period[hits.visit] == period)
    rule, kind, window, visit, line, fen = (column[own] for column in hits)
    token = collected.visits.token[visit]
    claim = collected.visits.key[visit]
    whole = line == WHOLE
    if len(collected.bill):
        event, index = (np.where(whole, 0, column[line]) for column in (collected.event, collected.index))
    else:
        event = index = np.zeros(len(line), np.int64)
    order = np.lexsort((index, event, claim, window, token, rule))
    keys = np.column_stack([rule, token, window])[order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]) if len(keys) else np.zeros(0, np.int64)
    rows = np.column_stack([claim, event, index, fen])[order].tolist()
    heads = np.column_stack([rule, token, kind, window])[order][starts].tolist()
    stops = [*starts[1:].tolist(), len(rows)] if heads else []
    for (at, who, of_kind, of_window), begin, stop in zip(heads, starts.tolist(), stops, strict=True):
        held = book.held[at]
        charges = tuple(map(tuple, rows[begin:stop]))
        yield (
            violation_stream(period, who, held.rule.code, held.version, of_window),
            ViolationFound(
                *(0, 0, period, who, held.rule.code, held.version, held.pack),
                DEFINITE if held.rule.result == "definite" else SUSPECT,
                *(of_kind, of_window, sum(row[3] for row in charges)),
                charges,
            ),
        )


Change = tuple[str, int, Event]


def _changes(
    held: dict[str, tuple[int, int, Event]], found: dict[str, ViolationFound], tokens: set[int], period: int
) -> tuple[list[Change], list[Change]]:
    """Returns (found, lifted): what the log does not say yet, each with its stream and version."""
    new: list[Change] = []
    for stream, event in found.items():
        _, version, last = held.get(stream, (0, 0, None))
        if last is None or _said(last) != _said(event):
            new.append((stream, version + 1, event))
    lifted: list[Change] = []
    for stream, (_, version, last) in held.items():
        if isinstance(last, ViolationFound) and last.token in tokens and stream not in found:
            lifted.append((stream, version + 1, ViolationLifted(0, 0, period, last.token, last.rule)))
    return new, lifted


def _said(event: Event) -> tuple[object, ...]:
    return (event.TOPIC, *(getattr(event, name) for name in event.__struct_fields__[2:]))


def _write(ledger: "Base", changes: Sequence[Change], done: PeriodReviewed, reason: str) -> None:
    """Writes changes in batches, each with its command, and the review's completion with the last of them.

    Raises Refused (run_outdated) where another review has said meanwhile what one of them says.
    """
    batches = [changes[at : at + BATCH] for at in range(0, len(changes), BATCH)] or [()]
    try:
        for number, batch in enumerate(batches, 1):
            with ledger.transaction() as tx:
                arguments = {"period": done.period, "part": number, "parts": len(batches)}
                cause, command = ledger.command(tx, "review", reason, arguments, digest=done.book)
                events = [
                    (stream, version, msgspec.structs.replace(event, cause=cause)) for stream, version, event in batch
                ]
                if number == len(batches):
                    stream = review_stream(done.period)
                    version = tx.stream_heads([stream]).get(stream, 0) + 1
                    events.append((stream, version, msgspec.structs.replace(done, cause=cause)))
                ledger.append(tx, [command, *events])
    except Conflict as error:
        raise Refused(
            Refusal.RUN_OUTDATED, f"another review of {done.period} was recorded meanwhile: review it again"
        ) from error


__all__ = ["Reviewed", "digests_of", "packs_of", "review", "violations_of"]
