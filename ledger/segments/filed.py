"""Says what was filed when an act was decided: from the log, so that it is the same whenever it is asked."""

from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import FACT, HOW
from ledger.acts import Acts
from ledger.events import FilingRegistered
from ledger.filings import NEVER
from ledger.keys import filing_stream
from ledger.mapper import decode_event
from ledger.register_events import FilingEnded
from ledger.registers import FILING_CLASSES
from ledger.segments.shape import Ints

if TYPE_CHECKING:
    from ledger.event import Event
    from ledger.plans import PolicyBook
    from ledger.store import Reader

#: The filing types a class of filing implies, as a mask: the one that decided. ``no_filing_needed`` implies none.
_IMPLIED = np.array([{"long_term": 1, "referral": 2, "emergency": 4, "temporary": 8}.get(c, 0) for c in FILING_CLASSES])
_NONE_NEEDED = FILING_CLASSES.index("no_filing_needed")
_LONG_TERM = 1

Spans = dict[int, tuple[int, int, list[tuple[int, int]]]]


def filed_masks(reader: "Reader", policies: "PolicyBook", acts: Acts) -> Ints:
    """Returns the filing types that decided each act, as a mask (1 long term, 2 referral, 4 emergency, 8 temporary).

    The class recorded with an act tells it, but where its policy needed no filing: there the log says what was filed
    besides, up to the act.
    """
    filing = acts.how[:, HOW.index("filing")]
    masks = np.asarray(_IMPLIED[np.clip(filing, 0, len(_IMPLIED) - 1)], np.int64)
    rows = np.flatnonzero(filing == _NONE_NEEDED)
    if len(rows):
        histories = _histories(reader, np.unique(acts.facts[rows, FACT["token"]]))
        for row in rows.tolist():
            history = histories.get(int(acts.facts[row, FACT["token"]]))
            if history:
                masks[row] = _mask(history, policies, acts, row) & ~_LONG_TERM
    return masks


def _histories(reader: "Reader", tokens: Ints) -> "dict[int, list[tuple[int, Event]]]":
    """Returns (position, event) of every filing of persons, in log order."""
    listed = tokens.tolist()
    streams = [filing_stream(token) for token in listed]
    found: dict[int, list[tuple[int, Event]]] = {}
    columns = "notification_id, topic, state"
    rows = reader.lookup("stored_events", "originator_id", columns, streams)
    for at, position, topic, state in sorted(rows, key=lambda row: int(row[1])):
        found.setdefault(listed[int(at)], []).append((int(position), decode_event(str(topic), bytes(state))))
    return found


def _mask(history: "list[tuple[int, Event]]", policies: "PolicyBook", acts: Acts, row: int) -> int:
    spans: Spans = {}
    for position, event in history:
        if position >= acts.claim[row]:
            break
        if isinstance(event, FilingRegistered):
            spans[position] = (event.filing, event.region, [(event.begin, event.to or NEVER)])
        elif isinstance(event, FilingEnded) and event.filing in spans:
            kind, region, _ = spans[event.filing]
            spans[event.filing] = (kind, region, [(begin, to or NEVER) for begin, to in event.kept])
    facts = acts.facts[row]
    mask = 0
    for kind, region, days in spans.values():
        (area,) = policies.region_of(np.array([region], np.int64)).tolist()
        if area == facts[FACT["treatment_region"]] and any(
            begin <= facts[FACT["enddate"]] and to >= facts[FACT["begndate"]] for begin, to in days
        ):
            mask |= 1 << (kind - 1)
    return mask
