"""Takes in off-site filings (备案), and what belongs to a visit: chronic entitlements and visits not yet settled.

A new filing is refused, and named with its reason, while the person's benefits are suspended or ended on its first
day, or while a noted visit that began before it is unsettled: no claim of its ``mdtrt_id`` is booked.
"""

from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import FACT
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.events import FilingRegistered
from ledger.filings import Filing, Span, holdings, rank
from ledger.keys import entitlement_stream, filing_stream, visit_stream
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.register_events import STATUS_ACTIVE, EntitlementRegistered, FilingEnded, VisitOpened
from ledger.register_file import DAY, REGION, Headed, RegisterError, RegisterFile, Row, day, region, value_on
from ledger.registering_members import members_of
from ledger.registers import FILINGS
from ledger.reports import RefusedRow

if TYPE_CHECKING:
    from ledger.store import Transaction

DELETE_FILINGS = "DELETE FROM filing WHERE token = ?"
SUPERSEDED = "another filing holds these days"

Numbered = list[tuple[int, Row]]
Spans = dict[int, tuple[Span, ...]]


def tokens_of(tx: "Transaction", file: RegisterFile, rows: Numbered) -> dict[str, int]:
    """Returns the tokens of a file's persons; one who is not enrolled refuses the file."""
    tokens = tx.tokens(sorted({row["psn_no"] for _, row in rows}))
    for number, row in rows:
        if row["psn_no"] not in tokens:
            raise RegisterError(
                f"{file.path.name} row {number}, psn_no: expected an enrolled person, got {row['psn_no']!r}:"
                " register members first"
            )
    return tokens


def register_filings(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int, list[RefusedRow]]:
    """Returns (events, how many filings are new, those refused); where filings overlap one keeps the days."""
    rows = list(file.records())
    tokens = tokens_of(tx, file, rows)
    histories = _histories(tx, sorted(set(tokens.values())))
    admission = _Admission(tx, sorted(set(tokens.values())))
    events: list[Headed] = []
    refused: list[RefusedRow] = []
    fresh: dict[int, dict[int, int]] = {}
    for number, row in rows:
        token = tokens[row["psn_no"]]
        history = histories[token]
        filing = _filing(file, number, row, cause + 1 + len(events))
        if any(each[1:] == filing[1:] for each in history.filings):
            continue
        refusal = admission.check(token, filing.begin)
        if refusal:
            refused.append(RefusedRow(number, refusal[0].code, refusal[1]))
            continue
        history.filings.append(filing)
        history.version += 1
        fresh.setdefault(token, {})[filing.position] = number
        events.append((filing_stream(token), history.version, FilingRegistered(cause, number, token, *filing[1:])))
    new = len(events)
    for token, numbers in fresh.items():
        events += _ended(histories[token], token, numbers, cause)
    if fresh:
        _put_filings(tx, {token: histories[token] for token in fresh})
    return events, new, refused


class _History:
    """Is one person's filings as the log has them: each as registered, the days each holds, the stream's version."""

    def __init__(self) -> None:
        self.filings: list[Filing] = []
        self.held: Spans = {}
        self.version = 0


def _histories(tx: "Transaction", tokens: list[int]) -> dict[int, _History]:
    histories = {token: _History() for token in tokens}
    streams = [filing_stream(token) for token in tokens]
    columns = "originator_version, notification_id, topic, state"
    found = tx.lookup("stored_events", "originator_id", columns, streams) if streams else []
    for at, version, position, topic, state in sorted(found, key=lambda row: int(row[2])):
        history = histories[tokens[int(at)]]
        history.version = max(history.version, int(version))
        event = decode_event(str(topic), bytes(state))
        if isinstance(event, FilingRegistered):
            filing = Filing(int(position), event.filing, event.region, event.begin, event.to)
            history.filings.append(filing)
            history.held[filing.position] = ((filing.begin, filing.to),)
        elif isinstance(event, FilingEnded):
            history.held[event.filing] = event.kept
    return histories


def _filing(file: RegisterFile, number: int, row: Row, position: int) -> Filing:
    if row["type"] not in FILINGS:
        raise file.error(number, "type", f"one of {', '.join(FILINGS)}", row["type"])
    place = file.read(number, row, "region", REGION, region)
    begin, to = file.span(number, row)
    return Filing(position, FILINGS[row["type"]], place, begin, to)


def _ended(history: _History, token: int, numbers: dict[int, int], cause: int) -> list[Headed]:
    """Returns the ends of filings whose days another one holds now; ``numbers`` are rows of the new ones."""
    events: list[Headed] = []
    now = holdings(history.filings)
    rows = {filing.position: filing for filing in history.filings}
    for position, kept in now.items():
        own = rows[position]
        if kept == history.held.get(position, ((own.begin, own.to),)):
            continue
        better = [each for each in history.filings if rank(each) < rank(own) and _overlap(each, own)]
        by = min(better, key=rank).position
        history.version += 1
        number = numbers.get(position) or numbers.get(by, 0)
        ended = FilingEnded(cause, number, token, position, by, SUPERSEDED, kept)
        events.append((filing_stream(token), history.version, ended))
    history.held = now
    return events


def _overlap(one: Filing, other: Filing) -> bool:
    shares = (not other.to or one.begin <= other.to) and (not one.to or other.begin <= one.to)
    return one.region == other.region and shares


def _put_filings(tx: "Transaction", histories: dict[int, _History]) -> None:
    """Writes anew the days that each person's filings hold."""
    tx.executemany(DELETE_FILINGS, [(token,) for token in histories])
    data = np.array(
        [
            (token, filing.filing, filing.region, begin, to)
            for token, history in histories.items()
            for filing in history.filings
            for begin, to in history.held[filing.position]
        ],
        np.int64,
    ).reshape(-1, 5)
    tx.put("filing", ("token", "filing", "region", "begin", "to_"), [data[:, at].copy() for at in range(5)])


class _Admission:
    """Says whether a person may file: what their register holds, and which of their visits are unsettled."""

    def __init__(self, tx: "Transaction", tokens: list[int]) -> None:
        self.members = members_of(tx, tokens)
        self.visits = unsettled_visits(tx, tokens)

    def check(self, token: int, begin: int) -> tuple[Refusal, str] | None:
        """Returns why a filing from a day is refused, None where it is not."""
        member = value_on(self.members.get(token, {}), begin)
        if member is not None and member.status != STATUS_ACTIVE:
            return Refusal.FILING_SUSPENDED, "expected benefits in force on its first day, got suspended or ended ones"
        older = [(since, visit) for visit, since in self.visits.get(token, {}).items() if since < begin]
        if older:
            since, visit = min(older)
            text = f"expected no unsettled visit older than it, got {visit} of {since}: settle that one first"
            return Refusal.FILING_UNSETTLED, text
        return None


def unsettled_visits(tx: "Transaction", tokens: list[int]) -> dict[int, dict[str, int]]:
    """Returns, by person, the noted visits (mdtrt_id → first day) of which no claim is booked and stands."""
    noted: dict[int, dict[str, int]] = {}
    found = tx.lookup("visit", "token", "mdtrt_id, begin", np.array(tokens, np.int64)) if tokens else []
    for at, visit, begin in found:
        noted.setdefault(tokens[int(at)], {})[str(visit)] = int(begin)
    if not noted:
        return noted
    # No stream of the log is a person's claims: what is settled is read from all of them, once a file,
    # and only where one of the file's persons has a visit noted.
    settled: dict[int, tuple[int, str]] = {}
    tokens_noted = np.array(sorted(noted), np.int64)
    for acts in read_acts(tx):
        own = np.isin(acts.facts[:, FACT["token"]], tokens_noted) & ~acts.reversed
        for row in np.flatnonzero(own).tolist():
            token, visit = int(acts.facts[row, FACT["token"]]), text_at(acts.texts["mdtrt_id"], row)
            if visit in noted[token]:
                settled[int(acts.claim[row])] = (token, visit)
    reversed_ = tx.reversals(list(settled)) if settled else {}
    for claim, (token, visit) in settled.items():
        if claim not in reversed_:
            noted[token].pop(visit, None)
    return noted


def register_entitlements(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the chronic entitlements that are new, and writes their register beside them."""
    rows = list(file.records())
    tokens = tokens_of(tx, file, rows)
    numbers = sorted(set(tokens.values()))
    heads = tx.stream_heads([entitlement_stream(token) for token in numbers])
    found = tx.lookup("entitlement", "token", "disease, begin, to_", np.array(numbers, np.int64)) if numbers else []
    known = {(numbers[int(at)], str(disease), int(begin)): int(to) for at, disease, begin, to in found}
    events: list[Headed] = []
    fresh: dict[tuple[int, str, int], int] = {}
    for number, row in rows:
        token, disease = tokens[row["psn_no"]], file.text(number, row, "disease")
        begin, to = file.span(number, row)
        key = (token, disease, begin)
        if known.get(key) == to:
            continue
        if key in fresh:
            raise file.error(number, "to", "one end for a person, disease and first day", row["to"])
        known[key] = fresh[key] = to
        stream = entitlement_stream(token)
        heads[stream] = heads.get(stream, 0) + 1
        events.append((stream, heads[stream], EntitlementRegistered(cause, number, *key, to)))
    if fresh:
        columns = (
            np.array([key[0] for key in fresh], np.int64),
            [key[1] for key in fresh],
            np.array([key[2] for key in fresh], np.int64),
            np.array(list(fresh.values()), np.int64),
        )
        replace = "ON CONFLICT (token, disease, begin) DO UPDATE SET to_ = excluded.to_"
        tx.put("entitlement", ("token", "disease", "begin", "to_"), columns, replace)
    return events, len(fresh)


def register_visits(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the visits that are new, and writes them beside."""
    rows = list(file.records())
    tokens = tokens_of(tx, file, rows)
    numbers = sorted(set(tokens.values()))
    heads = tx.stream_heads([visit_stream(token) for token in numbers])
    found = tx.lookup("visit", "token", "mdtrt_id, begin", np.array(numbers, np.int64)) if numbers else []
    known = {(numbers[int(at)], str(visit)): int(begin) for at, visit, begin in found}
    events: list[Headed] = []
    fresh: dict[tuple[int, str], int] = {}
    for number, row in rows:
        key = (tokens[row["psn_no"]], file.text(number, row, "mdtrt_id"))
        begin = file.read(number, row, "from", DAY, day)
        if known.get(key) == begin:
            continue
        if key in known:
            raise file.error(number, "from", f"the day the visit is noted with, {known[key]}", row["from"])
        known[key] = fresh[key] = begin
        stream = visit_stream(key[0])
        heads[stream] = heads.get(stream, 0) + 1
        events.append((stream, heads[stream], VisitOpened(cause, number, *key, begin)))
    if fresh:
        tokens_, days = (np.array(values, np.int64) for values in ([key[0] for key in fresh], list(fresh.values())))
        tx.put("visit", ("token", "mdtrt_id", "begin"), (tokens_, [key[1] for key in fresh], days))
    return events, len(fresh)
