"""Is what every sheet is drawn up from: one period of one store at one log position, and the terms in force for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ledger import explain
from ledger.clearing.states import Clearing, State, read_clearing
from ledger.clearing.terms import Terms, terms_in_force, terms_named
from ledger.events import ClaimFiled, ClawbackRaised, PeriodClosed
from ledger.knowledge import streams_with_prefix, unfinished_jobs
from ledger.manual.events import ManualOwed
from ledger.manual.owing import owed_events
from ledger.mapper import decode_event
from ledger.policy import digest_of
from ledger.reconciling.breaks import carried
from ledger.refusals import Refusal, Refused
from ledger.upcasting import topics_of
from projections.clearing import lines
from projections.clearing.lines import Lines
from projections.clearing.quarantine import CLAIMS, LINES, Quarantine, read_quarantine
from projections.clearing.sheets import StatementError

if TYPE_CHECKING:
    from ledger.reconciling.reports import Break
    from ledger.store import Reader

SELECT_POSITION = "SELECT position FROM projection WHERE name = ?"

TOTALS = (
    *("fund_pay_sumamt", "acct_pay", "late_acts", "late_medfee_fen"),
    *("assumed_claims", "assumed_medfee_fen", "unchecked_claims", "unchecked_medfee_fen"),
)


@dataclass(frozen=True, slots=True)
class Deduction:
    """Is an audit deduction (审核扣款) that falls into the period: a clawback raised before its cut-off."""

    position: int
    case: str
    raised: ClawbackRaised
    filed: ClaimFiled


@dataclass(frozen=True)
class Context:
    """Is one period at one position; ``region`` restricts what is stated to where it stands."""

    reader: "Reader"
    period: int
    region: int | None
    position: int
    state: Clearing
    terms: Terms
    terms_digest: str

    @cached_property
    def began(self) -> int:
        """Returns the position of the cut-off before this period's, 0 where it is the first."""
        return cut_off_before(self.reader, self.state, self.position)

    @property
    def ended(self) -> int:
        """Returns the position of the cut-off, or the one stated while the period is open."""
        return self.state.closed or self.position

    def lines(self, period: int | None = None) -> Lines:
        """Returns the lines of a period (None: this one), out of the table where it still stands as it did then."""
        wanted = self.period if period is None else period
        state = self.state if wanted == self.period else read_clearing(self.reader, wanted, self.position)
        held = int(self.reader.query(SELECT_POSITION, (lines.MODEL.name,))[0][0])
        rows = None
        if not state.closed and self.position != held:
            rows = lines.as_of(self.reader, wanted, state.opened, self.position) if state.opened else []
        return Lines(self.reader, wanted, self.terms.types, rows)

    def closed_before(self, count: int) -> list[int]:
        """Returns up to ``count`` periods before this one that were cut off, latest first."""
        events = streams_with_prefix(self.reader, "period")
        closed = {
            int(stream.removeprefix("period-"))
            for at, stream, _, topic, _ in events
            if topic in topics_of(PeriodClosed) and at <= self.position
        }
        return sorted((period for period in closed if period < self.period), reverse=True)[:count]

    @cached_property
    def deductions(self) -> list[Deduction]:
        """Returns the deductions between the cut-off before and this one, of the region where one is given."""
        raised: list[tuple[int, str, ClawbackRaised]] = []
        for at, stream, _, topic, state in streams_with_prefix(self.reader, "clawback"):
            if topic in topics_of(ClawbackRaised) and self.began < at <= self.ended:
                event = decode_event(topic, state)
                assert isinstance(event, ClawbackRaised)
                if self.region is None or self.region in (event.insured_region, event.treatment_region):
                    raised.append((at, stream.removeprefix("clawback-"), event))
        filed = self.reader.events_at(sorted({event.claim for _, _, event in raised}))
        found = []
        for at, case, event in raised:
            claim = decode_event(filed[event.claim][2], filed[event.claim][3])
            assert isinstance(claim, ClaimFiled)
            found.append(Deduction(at, case, event, claim))
        return found

    def deducted(self) -> dict[tuple[int, int], int]:
        """Returns what was deducted per (insured region, treatment region), in fen."""
        sums: dict[tuple[int, int], int] = {}
        for each in self.deductions:
            pair = (each.raised.insured_region, each.raised.treatment_region)
            sums[pair] = sums.get(pair, 0) + each.raised.amount_fen
        return sums

    @cached_property
    def totals(self) -> dict[str, int]:
        """Returns what the period's lines sum to: what is paid, and what a reader must know beside it."""
        return dict(zip(TOTALS, self.lines().sums((), TOTALS, self.region)[0], strict=True))

    @cached_property
    def quarantine(self) -> Quarantine:
        """Returns what was quarantined between the cut-off before and this one, of the region where one is given."""
        return read_quarantine(self.reader, self.began, self.ended, self.region)

    @cached_property
    def carried(self) -> "list[Break]":
        """Returns the open breaks that the statement lists, as they stood when it was drawn up (before: where asked).

        With a region those of its residents and those against it.
        """
        found = carried(self.reader, self.period, self.state.drawn or self.position)
        if self.region is None:
            return found
        code = f"{self.region:06d}"
        return [each for each in found if code in (each.counterpart, each.claim.partition("/")[0])]

    @cached_property
    def reimbursed(self) -> list[ManualOwed]:
        """Returns what persons are owed for claims reimbursed by hand, as of the position."""
        return list(owed_events(self.reader, self.position))

    def by_hand(self) -> dict[tuple[int, int], int]:
        """Returns what of the period's dues is owed to persons instead, per (insured, treatment region), in fen."""
        sums: dict[tuple[int, int], int] = {}
        for owed in self._by_hand:
            pair = (owed.insured_region, owed.treatment_region)
            sums[pair] = sums.get(pair, 0) + owed.fund_fen + owed.account_fen
        return sums

    @property
    def _by_hand(self) -> list[ManualOwed]:
        found = [owed for owed in self.reimbursed if owed.period == self.period]
        return [owed for owed in found if self.region in (None, owed.insured_region, owed.treatment_region)]

    def remarks(self) -> tuple[tuple[str, int, int], ...]:
        """Returns what a reader must know beside the figures: (what, count, fen), what is nil left out."""
        totals = self.totals
        late, late_fen = totals["late_acts"], totals["late_medfee_fen"]
        months = self.lines().sums(("month",), ("late_acts", "late_medfee_fen"), self.region) if late else []
        overdue = [row for row in months if row[1] and self.terms.overdue(row[0], self.period)]
        found = (
            ("late", late, late_fen),
            ("overdue", sum(row[1] for row in overdue), sum(row[2] for row in overdue)),
            ("assumed", totals["assumed_claims"], totals["assumed_medfee_fen"]),
            ("unchecked", totals["unchecked_claims"], totals["unchecked_medfee_fen"]),
            ("deducted", len(self.deductions), sum(each.raised.amount_fen for each in self.deductions)),
            ("by_hand", sum(owed.times for owed in self._by_hand), sum(self.by_hand().values())),
            ("carried", len(self.carried), sum(abs(each.difference_fen) for each in self.carried)),
            ("quarantined", *self.quarantine.of(CLAIMS)),
            ("quarantined_lines", *self.quarantine.of(LINES)),
            ("unplaced", self.quarantine.unplaced, self.quarantine.unplaced_fen),
            ("unread", self.quarantine.unread, 0),
            ("mended", self.quarantine.mended, self.quarantine.mended_fen),
        )
        return tuple(remark for remark in found if remark[1] or remark[2])


def cut_off_before(reader: "Reader", state: Clearing, position: int) -> int:
    """Returns the position of the cut-off before a period's own, as of a position; 0 where it is the first."""
    events = streams_with_prefix(reader, "period")
    closes = [at for at, _, _, topic, _ in events if topic in topics_of(PeriodClosed) and at <= position]
    return max((at for at in closes if state.closed == 0 or at < state.closed), default=0)


def quarantine_of(reader: "Reader", period: int, region: int | None) -> Quarantine:
    """Returns the quarantine of a period as it stands, whether or not jobs are under way."""
    state = read_clearing(reader, period)
    return read_quarantine(reader, cut_off_before(reader, state, reader.size), state.closed or reader.size, region)


def context(reader: "Reader", period: int, region: int | None, position: int | None) -> Context:
    """Returns the context of a period: as of a position, or where its clearing stands (open: the head).

    Raises StatementError for a period without claims and for a position beyond the log.
    """
    if position is not None and not 0 < position <= reader.size:
        raise StatementError(f"expected a position from 1 to {reader.size}, the head of the log, got {position}")
    state = read_clearing(reader, period, position)
    if state.state == State.NONE:
        raise StatementError(
            f"expected a period with claims, got {period}: run settlement periods to see what there is"
        )
    if position is None:
        position = reader.size if state.state == State.OPEN else state.position
    if state.state == State.OPEN:
        refuse_unfinished(reader, position)
    terms = terms_named(reader, state.drafted.terms) if state.drafted else None
    if terms is None:
        terms, document, _ = terms_in_force(reader, period, position)
        return Context(reader, period, region, position, state, terms, digest_of(document).hex())
    assert state.drafted is not None
    return Context(reader, period, region, position, state, terms, state.drafted.terms.hex())


def refuse_unfinished(reader: "Reader", stop: int | None = None) -> None:
    """Raises Refused while a job is unfinished at a position (None: the head): part of a file is not stated."""
    if unfinished := unfinished_jobs(reader, stop):
        raise Refused(Refusal.JOB_UNFINISHED, explain.unfinished(unfinished))


def pairs(found: Sequence[tuple[int, ...]]) -> dict[tuple[int, int], tuple[int, ...]]:
    """Returns rows keyed by two regions as a mapping from the pair to the values."""
    return {(row[0], row[1]): row[2:] for row in found}
