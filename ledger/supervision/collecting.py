"""Collects from the log what a review looks at: the visits and lines of persons, with what registers say of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import FACT
from core_ext.rule_tables import Int64s
from core_ext.text import to_list
from ledger.acts import read_acts
from ledger.benefit_events import DiseaseLimitUsed
from ledger.knowledge import streams_with_prefix
from ledger.line_columns import GIVEN, NUMBER, NUMBERS, SPLIT, own_amounts
from ledger.line_events import LinesFiled
from ledger.manual.docket import applications
from ledger.mapper import decode_event
from ledger.side_columns import DISEASE
from ledger.supervision.charges import Bill, Visits
from ledger.supervision.events import ManualClaimAccepted, PersonDescribed

if TYPE_CHECKING:
    from ledger.store import Reader

PAGE_LINES = 4_096
_FACTS = (
    "token", "begndate", "enddate", "insutype", "hosp_lv", "med_type", "insured_region", "treatment_region",
    "medfee_sumamt",
)  # fmt: skip
KNOWN_INSTITUTIONS = "SELECT DISTINCT code FROM institution"


@dataclass(slots=True)
class Claims:
    """Is every settled claim of the log: position, period, facts (_FACTS), institution by number, whether it stands."""

    position: Int64s
    period: Int64s
    facts: Int64s
    institution: Int64s
    codes: list[str]
    stands: "np.ndarray"
    refunds: Int64s  # tokens of refunds behind ``since``


@dataclass(slots=True)
class Collected:
    """Is what a review looks at; ``period`` is that of each visit, ``event`` and ``index`` where a line is filed."""

    tokens: Int64s
    visits: Visits
    period: Int64s
    bill: Bill
    event: Int64s
    index: Int64s


def collect(reader: "Reader", period: int, since: int) -> Collected:
    """Returns the visits of whoever has a claim in a period, with those of their year and the one before it.

    ``since`` above 0 leaves out persons of whom nothing came to the log behind that position.
    """
    claims = _claims(reader, since)
    described = {token: event for token, _, event in _described(reader)}
    manual = {event.claim: event.accepted for event in _manual(reader)}
    of_period = claims.period == period
    tokens = np.unique(claims.facts[of_period, 0])
    if since:
        tokens = tokens[np.isin(tokens, _touched(reader, claims, since))]
    first = int(claims.facts[of_period, 1].min()) // 10_000 - 1 if of_period.any() else 0
    kept = np.flatnonzero(
        np.isin(claims.facts[:, 0], tokens) & claims.stands & (claims.facts[:, 2] >= first * 10_000 + 101)
    )
    facts = dict(zip(_FACTS, claims.facts[kept].T, strict=True))
    known = {str(code) for (code,) in reader.query(KNOWN_INSTITUTIONS)}
    registered = np.array([int(code in known) if known else -1 for code in claims.codes], np.int64)
    position = claims.position[kept]
    persons = [described.get(token) for token in facts["token"].tolist()] if described else [None] * len(kept)
    visits = Visits(
        token=facts["token"],
        key=position,
        begin=facts["begndate"],
        end=facts["enddate"],
        insutype=facts["insutype"],
        hosp_lv=facts["hosp_lv"],
        med_type=facts["med_type"],
        insured_region=facts["insured_region"],
        treatment_region=facts["treatment_region"],
        amount=facts["medfee_sumamt"],
        institution=claims.institution[kept],
        registered=registered[claims.institution[kept]] if len(kept) else kept,
        manual=np.isin(position, np.array(list(manual), np.int64)).astype(np.int64),
        applied=np.array([manual.get(at, 0) for at in position.tolist()], np.int64),
        sex=np.array([0 if each is None else each.gend for each in persons], np.int64),
        birth=np.array([0 if each is None else each.brdy for each in persons], np.int64),
        death=np.array([0 if each is None else each.die_date for each in persons], np.int64),
        diagnosis=_diagnoses(reader, position),
    )
    bill, event, index = _bill(reader, position)
    return Collected(tokens, visits, claims.period[kept], bill, event, index)


def _claims(reader: "Reader", since: int) -> Claims:
    parts: list[tuple[Int64s, ...]] = []
    refunded: list[Int64s] = []
    refunds: list[Int64s] = []
    numbers: dict[str, int] = {}
    columns = [FACT[name] for name in _FACTS]
    for acts in read_acts(reader):
        settled = ~acts.reversed
        names = to_list(acts.texts["fixmedins_code"])
        institution = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
        facts = acts.facts[:, columns]
        parts.append((acts.claim[settled], acts.period[settled], facts[settled], institution[settled]))
        refunded.append(acts.original[acts.reversed])
        refunds.append(facts[acts.reversed & (acts.claim > since), 0])
    if not parts:
        none = np.zeros(0, np.int64)
        return Claims(none, none, np.zeros((0, len(_FACTS)), np.int64), none, [], none.astype(bool), none)
    position, period, table, institution = (np.concatenate([part[at] for part in parts]) for at in range(4))
    stands = ~np.isin(position, np.concatenate(refunded)) & (table[:, _FACTS.index("medfee_sumamt")] >= 0)
    return Claims(position, period, table, institution, list(numbers), stands, np.concatenate(refunds))


def _touched(reader: "Reader", claims: Claims, since: int) -> Int64s:
    """Returns the tokens of whom something came to the log behind a position."""
    filed = [event.claim for page in _filed(reader, since) for _, event in page]
    late = [event.claim for event in _manual(reader, since)]
    of_lines = np.isin(claims.position, np.array(filed + late, np.int64))
    described = np.array([token for token, _, _ in _described(reader, since)], np.int64)
    return np.concatenate([claims.facts[(claims.position > since) | of_lines, 0], claims.refunds, described])


def _described(reader: "Reader", since: int = 0) -> Iterator[tuple[int, int, PersonDescribed]]:
    """Yields (token, position, event) of persons described, the latest of a person last."""
    for position, _, _, topic, state in streams_with_prefix(reader, "described"):
        event = decode_event(topic, state)
        assert isinstance(event, PersonDescribed)
        if position > since:
            yield event.token, position, event


def _diagnoses(reader: "Reader", position: Int64s) -> list[str]:
    """Returns the disease (dise_codg) of each claim where the log says it: it used a limit, or was entered by hand.

    A file's other claims carry none: nothing is found of them by a diagnosis.
    """
    known: dict[int, str] = {}
    for _, _, _, topic, state in streams_with_prefix(reader, "disease"):
        used = decode_event(topic, state)
        assert isinstance(used, DiseaseLimitUsed)
        known[used.claim] = used.disease
    for application in applications(reader).values():
        disease = dict(application.cells).get(DISEASE)
        if disease and application.settled is not None:
            known[application.settled.claim] = disease
    return [known.get(at, "") for at in position.tolist()] if known else [""] * len(position)


def _manual(reader: "Reader", since: int = 0) -> Iterator[ManualClaimAccepted]:
    for position, _, _, topic, state in streams_with_prefix(reader, "manual"):
        if topic == ManualClaimAccepted.TOPIC and position > since:
            event = decode_event(topic, state)
            assert isinstance(event, ManualClaimAccepted)
            yield event


def _filed(reader: "Reader", since: int = 0) -> Iterator[list[tuple[int, LinesFiled]]]:
    decode = msgspec.msgpack.Decoder(LinesFiled).decode
    for page in reader.states(since, topics=LinesFiled.TOPIC, limit=PAGE_LINES):
        yield [(position, decode(state)) for position, state in page]


def _bill(reader: "Reader", visits: Int64s) -> tuple[Bill, Int64s, Int64s]:
    """Returns the lines filed under visits (positions of their ClaimFiled, ascending), and where each one is filed."""
    unpack = load("lines").unpack
    tables: list[Int64s] = []
    items: list[str] = []
    of_visit: list[Int64s] = []
    events: list[Int64s] = []
    indexes: list[Int64s] = []
    for page in _filed(reader):
        if not page:
            continue
        claim = np.array([event.claim for _, event in page], np.int64)
        at = np.searchsorted(visits, claim)
        there = at < len(visits)
        there[there] = visits[at[there]] == claim[there]
        kept = [page[row] for row in np.flatnonzero(there).tolist()]
        if not kept:
            continue
        # Packed numbers end where they end, and so do lines of text: those of a page are read in one go.
        tables.append(unpack(b"".join([event.numbers for _, event in kept]), len(NUMBERS)))
        items += "".join([event.texts for _, event in kept]).replace("\n", "\t").split("\t")[1::3]
        counts = np.array([event.lines for _, event in kept], np.int64)
        of_visit.append(np.repeat(at[there], counts))
        events.append(np.repeat(np.array([position for position, _ in kept], np.int64), counts))
        indexes.append(np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts))
    if not tables:
        none = np.zeros(0, np.int64)
        return Bill(none, [], none, none, none, none), none, none
    table = np.concatenate(tables)
    amount = own_amounts(table[:, GIVEN], table[:, SPLIT])[:, 0]
    day, cnt, pric = (np.ascontiguousarray(table[:, NUMBER[name]]) for name in ("fee_ocur_time", "cnt", "pric"))
    visit, event, index = (np.concatenate(each) for each in (of_visit, events, indexes))
    return Bill(visit, items, day, cnt, pric, amount), event, index
