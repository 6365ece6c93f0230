"""Folds the log again beside the models and compares their rows, keeping apart what an altered event explains.

The trace model says what every act and event was when it was folded. So where an event is altered or missing, the
rows it moved are expected to hold what it was, exactly; only what then still differs was edited in the rows.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ledger.events import BASIS_RESETTLED, ClaimFiled
from ledger.mapper import decode_event
from ledger.postings import Opened, Posting, checked_postings
from ledger.refusals import Refused, StoreError
from projections import balances, breaks, line_index, statement, trace
from projections.balance_runs import rows_of_balances
from projections.balances import BALANCE, BALANCE_RUN, with_opened
from projections.clearing import lines
from projections.findings import Findings, unlike
from projections.log_scan import ReadPage
from projections.pages import Placed
from projections.statement import LINE
from projections.tables import Change, Row, Rows, Table, added_up, apply, change_of, read_table
from projections.trace import ACT, EVENT
from projections.was import Was, line_of_act, postings_of_act, postings_of_events

if TYPE_CHECKING:
    from ledger.store import Reader

SELECT_OF_STREAM = f"SELECT {', '.join(EVENT.columns)} FROM trace_event WHERE stream = ? ORDER BY position"
_BASIS = ACT.values.index("basis")
#: Rows of page sums that come together before they are added up: some tens of megabytes.
_FLUSHED_ROWS = 262_144
SELECT_CASES = "SELECT stream FROM trace_event WHERE claim = ? AND claim > 0"


class RowChecks:
    """Is the checks of one verification against the models' rows; ``at`` holds the position of each model."""

    def __init__(self, reader: "Reader", at: dict[str, int], found: Findings) -> None:
        self._reader = reader
        self._at = at
        self._found = found
        self._tables: dict[str, Rows] = {BALANCE.name: {}, LINE.name: {}}
        self._acts: dict[int, tuple[Row | None, Row | None]] = {}
        self._streams: dict[str, int] = {}
        self._untold: list[int] = []
        self._held: list[Change] = []
        self._rows = 0
        self._breaks: set[str] = set()

    def check(self, page: ReadPage, posted: Sequence[Posting]) -> None:
        """Adds a page to the rebuilt tables and compares the trace rows of its positions."""
        if page.stop <= self._at[statement.MODEL.name]:
            self._add(statement.fold(self._reader, page))
        if page.stop <= self._at[lines.MODEL.name]:
            # A claim booked anew is counted as what it was filed as. Where that cannot be read it is a finding, and
            # the rows of this model are compared no more.
            with suppress(StoreError):
                self._add(lines.fold(self._reader, page))
        if page.stop <= self._at[balances.MODEL.name]:
            sums = balances.postings_of_acts(page)
            for account, amount_fen in posted:
                sums[account] = sums.get(account, 0) + amount_fen
            self._add([Change(BALANCE, [list(sums), list(sums.values())])])
        if page.stop <= self._at[breaks.MODEL.name]:
            self._breaks |= {placed.stream for placed in page.others if isinstance(placed.event, breaks.FAMILY)}
        self._check_trace(page)
        self._check_lines(page)

    def _add(self, changes: Sequence[Change]) -> None:
        self._held += changes
        self._rows += sum(map(len, changes))
        if self._rows < _FLUSHED_ROWS:
            return
        try:
            self._held, self._rows = added_up(self._held), 0
        except OverflowError:
            self._flush()

    def _flush(self) -> None:
        """Adds what was held to the rebuilt tables."""
        try:
            held = added_up(self._held)
        except OverflowError:
            # What an altered event brings may leave 64 bits; one by one it is added up beyond them.
            held = self._held
        apply(self._tables, held)
        self._held, self._rows = [], 0

    def _check_lines(self, page: ReadPage) -> None:
        """Compares the index of fee lines; what a wrong event put there is that event's finding, not the row's."""
        if page.stop > self._at[line_index.MODEL.name]:
            return
        for change in line_index.index(page):
            for key, now, row in self._unlike(change, page):
                if not self._found.has(int(key[0])):
                    edited(self._found, change.table, key, now, row)

    def _unlike(self, change: Change, page: ReadPage) -> Iterable[tuple[Row, Row | None, Row | None]]:
        """Returns (key, expected, got) where a table whose key begins with a position is not as a page gives it."""
        table, width = change.table, len(change.table.key)
        condition = f"{table.key[0]} > ? AND {table.key[0]} <= ?"
        ours, rows = change.rows(), self._reader.query(table.select(condition), (page.after, page.stop))
        # Both come in the order of their keys, so that nearly always this is all.
        if ours == rows:
            return ()
        return unlike(*({row[:width]: row[width:] for row in side} for side in (ours, rows)))

    def _check_trace(self, page: ReadPage) -> None:
        wrong = [position for position in self._found.positions() if page.after < position <= page.stop]
        if page.stop > self._at[trace.MODEL.name]:
            self._untold += wrong
            return
        for change in trace.fold(self._reader, page):
            for key, now, row in self._unlike(change, page):
                self._differs(change.table, key, now, row)

    def _differs(self, table: Table, key: Row, now: Row | None, held: Row | None) -> None:
        """Keeps what a wrong event was, or names the row that was edited."""
        position = int(key[0])
        anew = table is ACT and any(row is not None and row[_BASIS] == BASIS_RESETTLED for row in (held, now))
        culprits = (position, position + 1) if table is ACT and not anew else (position,)
        culprit = next((at for at in culprits if self._found.has(at)), 0)
        if not culprit:
            edited(self._found, table, key, now, held)
            return
        if table is ACT:
            self._acts[position] = (held, now)
            if held is not None:
                was = Was.of(key + held)
                if anew:
                    self._found.name(position, f"{was.stream}, claim-resettled/1")
                else:
                    self._found.name(position, f"{was.stream} version 1, claim-filed/1")
                    self._found.name(position + 1, f"decision of {was.stream}")
        else:
            for row in (held, now):
                if row is not None:
                    self._streams[str(row[0])] = culprit
            if held is not None:
                self._found.name(position, f"{held[0]} version {held[1]}, {held[2]}")
        for name, old, new in zip(table.values, held or (), now or (), strict=False):
            if old != new and not isinstance(old, bytes):
                self._found.attach(culprit, f"{name} was {old}, is {new}")

    def finish(self) -> None:
        """Names the rows of balances and statements that neither the log nor what it was explains."""
        self._flush()
        gone = [at for at in self._found.positions("missing-event") if at > self._at[trace.MODEL.name]]
        self._untold += [at for at in gone if at not in self._untold]
        for at in self._found.positions():
            for (stream,) in self._reader.query(SELECT_CASES, (at,)) if self._traced else ():
                self._streams.setdefault(str(stream), at)
        explained: dict[str, set[Row]] = {BALANCE.name: set(), LINE.name: set()}
        for claim, (held, now) in self._acts.items():
            culprit = claim if self._found.has(claim) else claim + 1
            for sign, row in ((1, held), (-1, now)):
                if row is not None:
                    was = Was.of((claim, *row))
                    self._correct(BALANCE, postings_of_act(was), sign, culprit, explained)
                    self._correct(LINE, [line_of_act(was)], sign, culprit, explained)
        for stream, culprit in self._streams.items():
            if culprit <= self._at[balances.MODEL.name]:
                self._correct(BALANCE, self._stream_was(stream), 1, culprit, explained)
                self._correct(BALANCE, self._stream_is(stream), -1, culprit, explained)
        self._compare(BALANCE, explained[BALANCE.name])
        self._compare(LINE, explained[LINE.name])
        if not self._found.positions():
            # What an altered event was cannot be told here: the trace does not keep every dimension.
            lines.check_rows(self._reader, self._tables, self._found)
            self._check_breaks()
        self._check_outside()

    def _check_breaks(self) -> None:
        """Names the rows of breaks that are not how their streams stand."""
        expected = breaks.rows_at(self._reader, self._breaks, self._at[breaks.MODEL.name])
        held = read_table(self._reader, breaks.BREAK)
        for key, now, row in unlike(expected, held):
            edited(self._found, breaks.BREAK, key, now, row)

    def _check_outside(self) -> None:
        """Names rows of positions that no page has: before the first event, or behind where their model stands."""
        for model, tables in ((trace.MODEL, (ACT, EVENT)), (line_index.MODEL, line_index.TABLES)):
            for table in tables:
                condition = f"({table.key[0]} < 1 OR {table.key[0]} > ?)"
                for row in self._reader.query(table.select(condition), (self._at[model.name],)):
                    width = len(table.key)
                    edited(self._found, table, row[:width], None, row[width:])

    @property
    def _traced(self) -> bool:
        return self._at[trace.MODEL.name] > 0

    def _correct(
        self, table: Table, rows: Iterable[Row], sign: int, culprit: int, explained: dict[str, set[Row]]
    ) -> None:
        """Adds (1) or takes (-1) rows of a wrong event to the rebuilt table, so that it holds what the event was."""
        model = balances.MODEL if table is BALANCE else statement.MODEL
        if culprit > self._at[model.name]:
            return
        width = len(table.key)
        sums: dict[Row, Row] = {}
        for row in rows:
            values = tuple(sign * value for value in row[width:])
            old = sums.get(row[:width])
            sums[row[:width]] = values if old is None else tuple(a + b for a, b in zip(old, values, strict=True))
        change = change_of(table, [key + values for key, values in sums.items()])
        apply(self._tables, [change])
        explained[table.name] |= sums.keys()
        for key in sums:
            self._found.attach(culprit, f"moves {where(table, key)}")

    def _stream_was(self, stream: str) -> list[Posting]:
        rows = self._reader.query(SELECT_OF_STREAM, (stream,))
        events = [Placed(row[0], row[1], row[2], decode_event(row[3], row[5]), row[5]) for row in rows]
        return postings_of_events(events, self._filed_was)

    def _filed_was(self, claim: int) -> ClaimFiled | None:
        rows = self._reader.query(ACT.select("claim = ?"), (claim,))
        return Was.of(rows[0]).filed if rows else None

    def _stream_is(self, stream: str) -> list[Posting]:
        posted: list[Posting] = []
        for position, version, topic, state in self._reader.stream(stream):
            try:
                placed = Placed(position, stream, version, decode_event(topic, state), state)
                posted += [p for event, opened in with_opened(self._reader, [placed]) for p in checked(event, opened)]
            except StoreError:
                # It is a finding where it stands, and it posted nothing to the rebuilt table either.
                continue
        return posted

    def _compare(self, table: Table, explained: set[Row]) -> None:
        rebuilt = self._tables[table.name]
        try:
            held = rows_of_balances(self._reader) if table is BALANCE else read_table(self._reader, table)
        except StoreError as error:
            self._found.other("edited-row", BALANCE_RUN.name, "accounts and a sum for each", str(error))
            return
        for key, now, row in unlike(rebuilt, held):
            if key in explained and not any(now or ()) and not any(row or ()):
                continue
            if self._untold:
                # The trace model never saw these events: what they were cannot be told from their effects.
                self._found.attach(self._untold[0], f"moves {where(table, key)}")
            else:
                edited(self._found, table, key, now, row)


def checked(placed: Placed, opened: Opened | None) -> list[Posting]:
    """Returns what an event posts where that balances, nothing where it does not."""

    try:
        return checked_postings(placed.event, opened)
    except Refused:
        return []


def where(table: Table, key: Row) -> str:
    """Returns how a finding names a row: its table and its key."""
    return f"{table.name} {' '.join(f'{name}={cell}' for name, cell in zip(table.key, key, strict=True))}"


def edited(found: Findings, table: Table, key: Row, expected: Row | None, got: Row | None) -> None:
    """Adds the finding of a row that is not what the log gives, with the columns that differ."""
    if expected is None or got is None:
        sides = [_cells(table.values, row) if row is not None else "no row" for row in (expected, got)]
    else:
        names = [name for name, a, b in zip(table.values, expected, got, strict=True) if a != b]
        sides = [
            _cells(names, [cell for cell, a, b in zip(row, expected, got, strict=True) if a != b])
            for row in (expected, got)
        ]
    found.other("edited-row", where(table, key), sides[0], sides[1])


def _cells(names: Iterable[str], cells: Iterable[Any]) -> str:
    shown = ((name, cell.hex() if isinstance(cell, bytes) else cell) for name, cell in zip(names, cells, strict=True))
    return " ".join(f"{name}={cell}" for name, cell in shown)
