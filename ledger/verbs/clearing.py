"""Are the commands that clear a period: draft, check, sign, withdraw, its terms and its calendar."""

from pathlib import Path
from typing import TYPE_CHECKING

from ledger import explain
from ledger.clearing import states
from ledger.clearing.events import ClearingDrafted, ClearingTermsSet
from ledger.clearing.states import read_clearing
from ledger.file_kinds import document_at
from ledger.keys import CLEARING_TERMS, period_stream
from ledger.refusals import Refusal, Refused
from ledger.reports import ClearingReport, TermsReport
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.clearing.calendar import Step
    from ledger.clearing.terms import Terms
    from ledger.events import Event
    from ledger.store import Transaction


class Clearings(Base):
    """Draws up, checks, signs and withdraws clearings."""

    def draft(self, period: int, *, reason: str = "") -> ClearingReport:
        """Draws up the clearing tables of a closed period under the terms in force; refused where they stand.

        The acts are summed outside the log's lock: behind the cut-off they do not change.
        """
        from ledger.acts import read_acts
        from ledger.clearing.reading import draw_up
        from ledger.clearing.terms import terms_in_force
        from ledger.policy import digest_of

        with self.store.read() as reader:
            before = read_clearing(reader, period)
            self._refuse(states.decide_draft(before), before)
            drawn = draw_up(read_acts(reader, after=before.opened, stop=before.closed), before)
        with self.transaction() as tx:
            state = read_clearing(tx, period)
            self._refuse(states.decide_draft(state), state)
            terms, document, held = terms_in_force(tx, period)
            cause, command = self.command(tx, "draft", reason, {"period": period})
            events = [command]
            if not held:
                version = len(tx.stream(CLEARING_TERMS)) + 1
                default = ClearingTermsSet(cause, 0, digest_of(document), terms.name, document, 0)
                events.append((CLEARING_TERMS, version, default))
            figures = drawn.figures
            drafted = ClearingDrafted(
                cause, 0, period, self.actor, state.closed, digest_of(document), figures.acts, figures.person_times,
                figures.totals[2], *drawn.paid_fen, drawn.late(), *drawn.overdue(terms), figures.digest(),
            )  # fmt: skip
            return self._step(tx, state, events, drafted)

    def check(self, period: int, *, reason: str = "") -> ClearingReport:
        """Confirms a draft; claims carried beyond the terms are refused without a reason."""
        with self.transaction() as tx:
            state = read_clearing(tx, period)
            cause, command = self.command(tx, "check", reason, {"period": period})
            decided = states.decide_check(state, self.actor, cause, reasoned=bool(reason.strip()))
            return self._step(tx, state, [command], decided)

    def sign(self, period: int, *, reason: str = "") -> ClearingReport:
        """Signs a checked clearing; refused to whoever checked it. Only then is the period paid."""
        with self.transaction() as tx:
            state = read_clearing(tx, period)
            cause, command = self.command(tx, "sign", reason, {"period": period})
            return self._step(tx, state, [command], states.decide_sign(state, self.actor, cause))

    def withdraw(self, period: int, *, of: int | None = None, reason: str = "") -> ClearingReport:
        """Takes a clearing back to the cut-off as a whole, until it is paid.

        ``of`` is the position of the confirmation taken back (``ClearingReport.position``), the last where None.
        """
        with self.transaction() as tx:
            state = read_clearing(tx, period)
            of = state.position if of is None else of
            cause, command = self.command(tx, "withdraw", reason, {"of": of, "period": period})
            paid = states.is_paid(tx, period)
            return self._step(tx, state, [command], states.decide_withdraw(state, self.actor, of, cause, paid=paid), of)

    def clearing(self, period: int) -> ClearingReport:
        """Returns how far a period's clearing got."""
        with self.store.read() as reader:
            return ClearingReport.of(read_clearing(reader, period), paid=states.is_paid(reader, period))

    def set_terms(self, path: str | Path, *, begin_period: int, reason: str = "") -> TermsReport:
        """Sets the terms of clearing from a period on; the same document for the same period changes nothing."""
        from ledger.clearing.terms import read_terms, terms_in_force
        from ledger.policy import digest_of

        document = document_at(path, Refusal.TERMS_INVALID)
        terms = read_terms(document, str(path))
        with self.transaction() as tx:
            _, held, stands = terms_in_force(tx, begin_period)
            report = TermsReport(terms.name, digest_of(document).hex(), begin_period, document)
            if stands and held == document:
                return report
            cause, command = self.command(
                tx, "terms set", reason, {"begin_period": begin_period}, terms.name, digest_of(document)
            )
            event = ClearingTermsSet(cause, 0, digest_of(document), terms.name, document, begin_period)
            self.append(tx, [command, (CLEARING_TERMS, len(tx.stream(CLEARING_TERMS)) + 1, event)])
            return report

    def terms(self, period: int) -> TermsReport:
        """Returns the terms of clearing in force for a period; the shipped ones where none were set."""
        from ledger.clearing.terms import terms_in_force
        from ledger.policy import digest_of

        with self.store.read() as reader:
            terms, document, _ = terms_in_force(reader, period)
            return TermsReport(terms.name, digest_of(document).hex(), period, document)

    def calendar(self, period: int, on: int | None = None) -> "list[Step]":
        """Returns what is due when for a month's clearing, and what is overdue on a day (yyyymmdd; None: today).

        Raises CalendarUnpublishedError where working days fall in a year whose calendar is not published.
        """
        from ledger.clearing.calendar import steps
        from ledger.clearing.terms import terms_in_force
        from ledger.reversing import moment

        with self.store.read() as reader:
            day = moment(self.clock_us()) // 1_000_000 if on is None else on
            terms: Terms = terms_in_force(reader, period)[0]
            return steps(reader, read_clearing(reader, period), terms, day)

    def _step(
        self,
        tx: "Transaction",
        state: states.Clearing,
        events: "list[tuple[str, int, Event]]",
        decided: "Event | Refusal",
        of: int = 0,
    ) -> ClearingReport:
        """Appends what was decided behind a command, or raises why not."""
        if isinstance(decided, Refusal):
            raise Refused(decided, explain.clearing(decided, state, of))
        stream = period_stream(state.period)
        version = tx.stream_heads([stream])[stream] + 1
        events.append((stream, version, decided))
        position = tx.size + len(events)
        self.append(tx, events)
        return ClearingReport.of(states.evolve(state, position, decided), paid=False)

    def _refuse(self, refusal: Refusal, state: states.Clearing) -> None:
        if refusal:
            raise Refused(refusal, explain.clearing(refusal, state, 0))
