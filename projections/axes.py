"""Folds the log on three axes: up to a position, services up to a day, amounts under another policy version."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from core_ext.codec_fields import joined_states
from core_ext.layout import FACT
from ledger.acts import ACT_TEXTS, Acts
from ledger.events import BASIS_REFUND, BASIS_RESETTLED, ClaimFiled
from ledger.mapper import decode_event
from projections.grouping import Int64s
from projections.pages import PAGE_EVENTS, Page, read_page
from projections.tables import ReadModel, Rows, Table, apply

if TYPE_CHECKING:
    from ledger.store import Reader

#: The acts of a person; the key of one that books a claim anew is its own position.
ACTS_OF_PERSON = (
    "SELECT claim FROM trace_act WHERE token = (SELECT token FROM trace_act WHERE claim = ?) ORDER BY claim"
)


def folded(
    reader: "Reader",
    model: ReadModel,
    table: Table,
    stop: int,
    served_to: int | None = None,
    changes: Iterable[Acts] | None = None,
    page_events: int = PAGE_EVENTS,
) -> Rows:
    """Returns a table of sums as the log up to a position gives it, and what ``changes`` book added.

    With ``served_to`` (yyyymmdd) only claims whose service ended by then count, a refund with the service it takes
    back; what is no service (payments, cases, openings) is then left out.
    """
    tables: dict[str, Rows] = {}
    for page in _pages(reader, stop, changes or (), page_events):
        if served_to is not None:
            page = page_of(reader, served(reader, page.acts, served_to), page)
        apply(tables, model.fold(reader, page))
    return tables.get(table.name, {})


def _pages(reader: "Reader", stop: int, changes: Iterable[Acts], page_events: int) -> Iterator[Page]:
    after = 0
    while after < stop:
        page = read_page(reader, after, stop, False, page_events)
        yield page
        after = page.stop
    for acts in changes:
        yield page_of(reader, acts)


def page_of(reader: "Reader", acts: Acts, of: Page | None = None) -> Page:
    """Returns a page that holds acts and nothing else; those of another page with the events that book claims anew."""
    page = Page(reader, 0, 0, np.zeros(0, np.int64), (), joined_states([]))
    resettled = []
    if of is not None and (acts.basis == BASIS_RESETTLED).any():
        kept = set(acts.position.tolist())
        resettled = [(at, event) for at, event in of.resettled if at in kept]
    vars(page)["acts"], vars(page)["others"], vars(page)["resettled"] = acts, [], resettled
    return page


def served(reader: "Reader", acts: Acts, day: int) -> Acts:
    """Returns the acts whose service ended by a day."""
    ended = acts.facts[:, FACT["enddate"]].copy()
    refunds = np.flatnonzero((acts.basis == BASIS_REFUND) & (acts.original > 0))
    if len(refunds):
        originals = acts.original[refunds]
        events = reader.events_at(np.unique(originals))
        days = {at: _ended(topic, state) for at, (_, _, topic, state) in events.items()}
        ended[refunds] = [days[at] for at in originals.tolist()]
    return taken(acts, np.flatnonzero(ended <= day))


def _ended(topic: str, state: bytes) -> int:
    filed = decode_event(topic, state)
    assert isinstance(filed, ClaimFiled)
    return filed.enddate


def taken(acts: Acts, rows: Int64s) -> Acts:
    """Returns some of the acts."""
    from core_ext.text import texts_taken

    values = {name: getattr(acts, name) for name in Acts.__slots__}
    arrays = {name: np.ascontiguousarray(each[rows]) for name, each in values.items() if isinstance(each, np.ndarray)}
    texts = {name: texts_taken(acts.texts[name], rows) for name in ACT_TEXTS}
    return Acts(**arrays, policy=texts_taken(acts.policy, rows), texts=texts)
