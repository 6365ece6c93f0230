"""Reads the whole log for verification and stops at nothing: what is missing or unreadable becomes a finding."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.codec_fields import joined_states
from core_ext.layout import FACTS
from ledger.acts import (
    ACT_TOPICS,
    OTHER,
    RESETTLED,
    Acts,
    Codes,
    acts_of,
    build_acts,
    in_order,
    no_acts,
    resettled_acts,
)
from ledger.columnar import decode_columns
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.line_columns import lines_of
from ledger.line_events import LinesFiled
from ledger.mapper import decode_event, present_state
from ledger.refusals import StoreError
from ledger.replaying.events import ClaimResettled
from ledger.topics import TOPICS
from ledger.upcasting import PAST
from projections.findings import Findings
from projections.pages import BESIDE_TOPICS, Page, Placed

if TYPE_CHECKING:
    from ledger.store import Reader

WideRow = tuple[int, str, bytes, str, int]

#: position, topic, state, stream, version of every event there is
SELECT_ROWS = (
    "SELECT notification_id, topic, state, originator_id, originator_version FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id"
)
SELECT_NEXT = "SELECT MIN(notification_id) FROM stored_events WHERE notification_id > ?"
SELECT_BEFORE = "SELECT notification_id FROM stored_events WHERE notification_id < 1 ORDER BY notification_id LIMIT 20"
SELECT_LAST = "SELECT COALESCE(MAX(notification_id), 0), COUNT(*) FROM stored_events"

#: Empty positions of a gap that are named one by one: more than anybody reads.
MOST_MISSING = 1_000

_ACTS = {topic: code for code, topic in enumerate(ACT_TOPICS)}
_BESIDE = frozenset(BESIDE_TOPICS)


class ReadPage(Page):
    """Is a page whose acts and other events are those that can be read; the rest are findings already."""

    def __init__(self, reader: "Reader", after: int, stop: int, rows: list[WideRow], found: Findings) -> None:
        # Of damaged rows there are no columns; what is made of them is set below.
        super().__init__(reader, after, stop, np.zeros(0, np.int64), (), joined_states([]))
        codes = np.frombuffer(bytes([_ACTS.get(topic, OTHER) for topic in cells(rows, 1)]), np.uint8)
        rest = [rows[row] for row in np.flatnonzero(codes == OTHER).tolist()]
        self.__dict__["others"] = _readable_others([row for row in rest if row[1] not in _BESIDE], found)
        self.__dict__["beside"] = _readable_beside([row for row in rest if row[1] in _BESIDE], found)
        self.__dict__["acts"] = self._readable(codes, rows, found)
        anew = [rows[row] for row in np.flatnonzero(codes == RESETTLED).tolist()]
        self.__dict__["resettled"] = [(row[0], event) for row in anew if (event := _resettled(row)) is not None]

    def _readable(self, codes: Codes, rows: list[WideRow], found: Findings) -> Acts:
        acts = codes != OTHER
        if not acts.any():
            return no_acts()
        own = list(compress(rows, acts.tolist()))
        try:
            return acts_of(np.array(cells(own, 0), np.int64), codes[acts], cells(own, 2))
        except (StoreError, ValueError):
            # One of them is not whole: find which, and go on with the others.
            return _whole_acts(own, found)


def scan(
    reader: "Reader", stops: Sequence[int], anchored: int, found: Findings, page_events: int
) -> Iterator[tuple[int, int, list[WideRow]]]:
    """Yields (after, stop, rows) over the whole log, pages ending at ``stops`` too; names positions without event.

    Every empty position up to ``anchored`` is named; behind it, where nothing else tells how long the log was, the
    size in log_head is the finding.
    """
    last, _ = reader.query(SELECT_LAST)[0]
    size = reader.size
    for (position,) in reader.query(SELECT_BEFORE):
        found.event(position, "beyond-head", "positions from 1 on", str(position))
    after = 0
    while after < last:
        high = min((stop for stop in (*stops, last) if after < stop <= last), default=last)
        high = min(after + max(2, page_events), high)
        rows = reader.whole(reader.query(SELECT_ROWS, (after, high)), 2, (after, high))
        if rows and rows[-1][1] == ClaimFiled.TOPIC and rows[-1][0] == high < last:
            # An act is not cut in two, even where a stop says so.
            if high > after + 1:
                rows.pop()
                high -= 1
            else:
                high += 1
                rows = reader.whole(reader.query(SELECT_ROWS, (after, high)), 2, (after, high))
        if not rows:
            # Whatever an altered position says: the events behind a gap are looked for, not the gap walked through.
            (following,) = reader.query(SELECT_NEXT, (after,))[0]
            high = min([int(following) - 1, *(stop for stop in stops if stop > after)])
        if len(rows) != high - after:
            positions = [row[0] for row in rows]
            _missing(range(after + 1, high + 1), set(positions), found)
            for position, count in Counter(positions).items() if len(positions) > len(set(positions)) else ():
                if count > 1:
                    found.event(position, "doubled-event", "one event", f"{count} at one position")
        for row in rows if high > size else ():
            if row[0] > size:
                found.event(row[0], "beyond-head", f"no event behind position {size}, the head", row[1])
        yield after, high, rows
        after = high
    if anchored > last:
        _missing(range(last + 1, anchored + 1), set(), found)
        yield last, anchored, []
    if size > max(last, anchored):
        found.other("log-head", "log_head.size", f"{max(last, anchored)}, the events there are", str(size))


def cells(rows: list[WideRow], at: int) -> list[Any]:
    """Returns a column of rows."""
    return list(map(itemgetter(at), rows))


def _missing(expected: range, present: set[int], found: Findings) -> None:
    """Names every empty position of a page; of a gap without an event, however long it is said to be, the first."""
    named = expected if present else expected[:MOST_MISSING]
    for position in named:
        if position not in present:
            found.event(position, "missing-event", "an event", "none")
    if rest := expected[len(named) :]:
        found.other("missing-events", f"positions {rest[0]} to {rest[-1]}", f"{len(rest)} events", "none")


def _resettled(row: WideRow) -> ClaimResettled | None:
    """Returns a claim booked anew; None where it cannot be read, which is found among the acts."""
    try:
        event = decode_event(row[1], row[2])
    except StoreError:
        return None
    assert isinstance(event, ClaimResettled)
    return event


def _readable_others(rows: Sequence[WideRow], found: Findings) -> list[Placed]:
    events = []
    for position, topic, state, stream, version in rows:
        if topic not in TOPICS and topic not in PAST:
            found.event(position, "unknown-topic", "a topic of this version", repr(topic))
            continue
        try:
            event = decode_event(topic, state)
            events.append(Placed(position, stream, version, event, present_state(topic, state, event)))
        except StoreError as error:
            found.event(position, "undecodable-event", f"a {topic}", str(error))
    return events


def _readable_beside(rows: Sequence[WideRow], found: Findings) -> list[tuple[int, str, bytes]]:
    events = []
    for position, topic, state, _, _ in rows:
        try:
            event = decode_event(topic, state)
            if isinstance(event, LinesFiled):
                lines_of(event)
            events.append((position, topic, state))
        except (StoreError, ValueError, IndexError) as error:
            found.event(position, "undecodable-event", f"a {topic}", str(error))
    return events


def _whole_acts(rows: Sequence[WideRow], found: Findings) -> Acts:
    """Returns the acts that can be read, of claim and decision those that belong together; names every other event."""
    acts = _decided([row for row in rows if row[1] != ClaimResettled.TOPIC], found)
    anew = [row for row in rows if row[1] == ClaimResettled.TOPIC and _readable(row, found)]
    if not anew:
        return acts
    return in_order(acts, resettled_acts(np.array(cells(anew, 0), np.int64), cells(anew, 2)))


def _readable(row: WideRow, found: Findings) -> bool:
    """Returns whether an event of an act can be read, field by field and as columns; names it else."""
    position, topic, state, _, _ = row
    try:
        decode_event(topic, state)
        if topic == ClaimResettled.TOPIC:
            resettled_acts(np.array([position], np.int64), [state])
        elif topic == ClaimFiled.TOPIC:
            decode_columns(ClaimFiled, [state], {"facts": FACTS})
        else:
            decode_columns(ClaimSettled, [state])
    except (StoreError, ValueError) as error:
        found.event(position, "undecodable-event", f"a {topic}", str(error))
        return False
    return True


def _decided(rows: Sequence[WideRow], found: Findings) -> Acts:
    """Returns the acts whose two events are there, readable and of one claim; names every other."""
    at = {row[0]: row for row in rows}
    filed: list[WideRow] = []
    decided: list[WideRow] = []
    for row in rows:
        position, topic = row[0], row[1]
        if topic != ClaimFiled.TOPIC:
            before = at.get(position - 1)
            if before is None or before[1] != ClaimFiled.TOPIC:
                _unpaired(position, position - 1, "misplaced-decision", "a claim-filed/1 before it", found)
            continue
        decision = at.get(position + 1)
        if decision is None or decision[1] == ClaimFiled.TOPIC:
            _unpaired(position, position + 1, "undecided-claim", "its decision behind it", found)
        elif _whole(row, decision, found):
            filed.append(row)
            decided.append(decision)
    reversed_ = np.array([row[1] == ClaimReversed.TOPIC for row in decided], np.bool_)
    claims = np.array([row[0] for row in filed], np.int64)
    return build_acts(claims, [row[2] for row in filed], [row[2] for row in decided], reversed_)


def _unpaired(position: int, other: int, kind: str, expected: str, found: Findings) -> None:
    """Names an event without its other half; where that one is missing, it follows from that."""
    if found.has(other):
        found.attach(other, f"{kind}: position {position}: expected {expected}, got none")
    else:
        found.event(position, kind, expected, "none")


def _whole(filed: WideRow, decided: WideRow, found: Findings) -> bool:
    """Returns whether both events can be read and belong together; names what is wrong otherwise."""
    readable = _readable(filed, found) & _readable(decided, found)
    if readable:
        decision = decode_event(decided[1], decided[2])
        assert isinstance(decision, ClaimSettled | ClaimReversed)
        if decision.claim != filed[0]:
            found.event(decided[0], "misplaced-decision", f"the decision of claim {filed[0]}", f"of {decision.claim}")
            readable = False
    return readable
