"""Opens the read side of a store: balances, statements, traces, events and proofs, each caught up before it answers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from ledger.clearing.states import read_clearing
from ledger.events import Event
from ledger.mapper import decode_event
from ledger.reconciling.breaks import carried as breaks_at
from ledger.reconciling.reports import BreakTotals
from ledger.refusals import StoreError
from ledger.store.seals import digests_of
from projections import axes, balances, claim_findings, line_index, proof, statement, trace
from projections import breaks as break_rows
from projections.as_of import position_at
from projections.balance_runs import read_balances
from projections.breaks import OPEN, BreakList
from projections.catch_up import Progress, catch_up, ensure
from projections.clearing import lines
from projections.clearing.context import SELECT_POSITION, refuse_unfinished
from projections.pages import PAGE_EVENTS
from projections.proof import Tree
from projections.rebuilding import rebuild
from projections.statement import Statement, read_statement, statement_of
from projections.tables import ReadModel, Rows, Table
from projections.trace_tree import Trace
from projections.tracing import LISTED, Tracer

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.store import Reader, Store
    from projections.casework.docket import CaseLine, Recoveries
    from projections.checkpoint import Checkpoint
    from projections.claim_findings import ClaimFinding
    from projections.clearing.quarantine import Quarantine
    from projections.clearing.sheets import Issued
    from projections.evidence import Proof
    from projections.findings import Finding
    from projections.funds.accounts import FundAccount
    from projections.funds.views import AdvanceUse, InScope, Receivable
    from projections.institution_payments import InstitutionPayments
    from projections.manual.docket import Applications
    from projections.signing import PublicKey, Signer
    from projections.supervision.violations import RuleTotal, Violation


MODELS = (
    *(balances.MODEL, proof.MODEL, statement.MODEL, trace.MODEL, line_index.MODEL),
    *(lines.MODEL, break_rows.MODEL),
)


class Balances(msgspec.Struct, frozen=True):
    """Is every account's balance in fen as of a log position; debits are positive."""

    position: int
    accounts: dict[str, int]


class PositionedEvent(msgspec.Struct, frozen=True):
    """Is an event of the log with its place."""

    position: int
    stream: str
    version: int
    topic: str
    event: Event


class Projections:
    """Is the read side of one store; a context manager. Threads may share it, a forked child opens its own."""

    def __init__(self, store: "Store", page_events: int = PAGE_EVENTS) -> None:
        self._store = store
        #: Where sealed segments are; None: beside a SQLite file.
        self.segments: Path | None = None
        self._page_events = page_events
        ensure(store, MODELS)

    def __enter__(self) -> "Projections":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    def catch_up(self, progress: Progress | None = None) -> int:
        """Brings every model up to the head of the log and returns its position; ``progress`` is told each page's."""
        return catch_up(self._store, MODELS, progress, self._page_events)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Folds the log anew beside every model and swaps the result in; returns the position reached.

        Whoever asks meanwhile gets the rows there were; a crash leaves those or the new ones.
        """
        return rebuild(self._store, MODELS, progress, self._page_events)

    def balances(
        self,
        as_of: int | datetime | None = None,
        *,
        served_to: int | None = None,
        changes: "Iterable[Acts] | None" = None,
    ) -> Balances:
        """Returns every account's balance: now, behind a log position, or as recorded at a moment (with time zone).

        With ``served_to`` (yyyymmdd) claims whose service ended by then count alone; ``changes`` are what another
        policy version changes of the log up to there (``Ledger.priced``). Raises ValueError for a position beyond the
        log or a moment without a time zone.
        """
        if as_of is None and served_to is None and changes is None:
            catch_up(self._store, [balances.MODEL], page_events=self._page_events)
            with self._store.read() as reader:
                return Balances(_position(reader, balances.MODEL.name), read_balances(reader))
        stop, held = self._folded(balances.MODEL, balances.BALANCE, as_of, served_to, changes)
        return Balances(stop, {account: values[0] for (account,), values in sorted(held.items())})

    def statement(
        self,
        period: int | None = None,
        region: int | None = None,
        *,
        as_of: int | datetime | None = None,
        served_to: int | None = None,
        changes: "Iterable[Acts] | None" = None,
    ) -> Statement:
        """Returns the clearing statement of a period (yyyymm; None: all), of one region's pairs where one is given.

        The axes and what they raise are those of ``balances``. As things stand, it is refused while a job is
        unfinished (job_unfinished) unless the period is closed: half a file is no statement.
        """
        if as_of is not None or served_to is not None or changes is not None:
            stop, rows = self._folded(statement.MODEL, statement.LINE, as_of, served_to, changes)
            return statement_of(rows, period, region, stop)
        catch_up(self._store, [statement.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            if period is None or not read_clearing(reader, period).closed:
                refuse_unfinished(reader)
            return read_statement(reader, period, region, _position(reader, statement.MODEL.name))

    def position(self, as_of: int | datetime) -> int:
        """Returns the log position that stands for a moment, or the position itself; raises as ``balances``."""
        if isinstance(as_of, datetime):
            catch_up(self._store, [trace.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            return position_at(reader, as_of)

    def acts_of_person(self, claim: int) -> list[int]:
        """Returns the positions of every act of the person whose claim was filed at a position, in log order."""
        catch_up(self._store, [trace.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            return [int(at) for (at,) in reader.query(axes.ACTS_OF_PERSON, (claim,))]

    def _folded(
        self,
        model: ReadModel,
        table: Table,
        as_of: int | datetime | None,
        served_to: int | None,
        changes: "Iterable[Acts] | None",
    ) -> tuple[int, Rows]:
        """Returns a position and a table of sums as the log up to there gives it, on every axis asked about."""
        stop = None if as_of is None else self.position(as_of)
        with self._store.read() as reader:
            stop = reader.size if stop is None else stop
            return stop, axes.folded(reader, model, table, stop, served_to, changes, self._page_events)

    def issue(self, kind: str, period: int, region: int | None = None, *, position: int | None = None) -> "Issued":
        """Returns a clearing statement (清算表) of a kind: of a closed period as of where its clearing stands.

        A past ``position`` draws up the statement that was issued then. Raises StatementError, and Refused
        (job_unfinished) where the period is open there and a job was not over.
        """
        from projections.clearing.issue import issue

        models = [proof.MODEL, trace.MODEL, lines.MODEL, *([balances.MODEL] if kind == "advances" else [])]
        catch_up(self._store, models, page_events=self._page_events)
        with self._tree() as (tree, reader):
            return issue(reader, tree, kind, period, region, position)

    def funds(self, begin: int, to: int, region: int | None = None) -> "list[FundAccount]":
        """Returns what each fund had, took in, spent and has, from a month to a month (yyyymm)."""
        from projections.funds.accounts import fund_accounts

        with self._beside_claims() as reader:
            return fund_accounts(reader, begin, to, region)

    def in_scope(self, begin: int, to: int, region: int | None = None) -> "list[InScope]":
        """Returns the share of in-scope cost the funds paid, by insurance type and kind of care."""
        from projections.funds.views import in_scope

        with self._beside_claims() as reader:
            return in_scope(reader, begin, to, region)

    def receivables(self, on: int, region: int | None = None) -> "list[Receivable]":
        """Returns what regions are owed by counterparts for periods up to a month (yyyymm), by age."""
        from projections.funds.views import receivables

        with self._beside_claims() as reader:
            return receivables(reader, on, region)

    def advances(self, period: int) -> "list[AdvanceUse]":
        """Returns every advance and its use, warned of by the terms of a period."""
        from ledger.clearing.terms import terms_in_force
        from projections.funds.views import advances

        with self._beside_claims() as reader:
            return advances(reader, terms_in_force(reader, period)[0], _position(reader, balances.MODEL.name))

    @contextmanager
    def _beside_claims(self) -> "Iterator[Reader]":
        catch_up(self._store, [balances.MODEL, lines.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            yield reader

    def trace(self, key: str | int, listed: int = LISTED, *, events: bool = False) -> Trace:
        """Returns everything a key leads to, at most ``listed`` claims a list; an int is a log position.

        ``events`` asks for every event that touched it too, in log order.
        """
        catch_up(self._store, [trace.MODEL, line_index.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            return Tracer(reader, _position(reader, trace.MODEL.name), listed).trace(key, events)

    def findings(self, period: int | None = None) -> "list[ClaimFinding]":
        """Returns what was found about claims, by field, in log order; of one clearing period where one is given.

        Behind them stands what a refund leaves different (``settled_before_refund``): asked anew each time.
        """
        catch_up(self._store, [trace.MODEL, line_index.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            of_claims = list(claim_findings.find(reader, period or 0))
            return of_claims + list(claim_findings.find_outdated(reader, period or 0))

    def institution_payments(
        self, period: int, region: int | None = None, *, claims: bool = False
    ) -> "InstitutionPayments":
        """Returns what institutions are paid for a period instead of itemised amounts; see the command of that name."""
        from projections.institution_payments import institution_payments

        with self._store.read() as reader:
            return institution_payments(reader, period, region, claims)

    def quarantine(self, period: int, region: int | None = None) -> "Quarantine":
        """Returns the rows quarantined while a period was open, of one region where it is given."""
        from projections.clearing.context import quarantine_of

        catch_up(self._store, [trace.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            return quarantine_of(reader, period, region)

    def breaks(
        self, period: int | None = None, counterpart: str = "", owner: str = "", status: str = OPEN
    ) -> BreakList:
        """Returns the breaks of reconciliation found or standing in a period, of a counterpart, an owner, in a state.

        ``status`` is open, all, or one state by name. Raises ValueError for another one.
        """
        if status not in break_rows.STATUSES:
            raise ValueError(f"expected a state of {', '.join(break_rows.STATUSES)}, got {status!r}")
        catch_up(self._store, [break_rows.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            found = break_rows.listed(reader, period or 0, counterpart, owner, status)
            return BreakList(_position(reader, break_rows.MODEL.name), BreakTotals.of(found), found)

    def carried(self, period: int, *, position: int | None = None) -> BreakList:
        """Returns the open breaks that a period's statement lists, those still open from earlier periods included.

        With a ``position`` they are those that stood open there.
        """
        if position is not None:
            with self._store.read() as reader:
                found = breaks_at(reader, period, position)
                return BreakList(position, BreakTotals.of(found), found)
        catch_up(self._store, [break_rows.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            found = break_rows.carried(reader, period)
            return BreakList(_position(reader, break_rows.MODEL.name), BreakTotals.of(found), found)

    def violations(self, period: int, rule: str = "") -> "list[Violation]":
        """Returns what rules found in a period and still holds, with claims and lines; of one rule if one is given."""
        from projections.supervision.violations import listed

        with self._store.read() as reader:
            return listed(reader, period, rule)

    def violations_by_rule(self, period: int) -> "list[RuleTotal]":
        """Returns what each rule found in a period and still holds, the largest amount first."""
        from projections.supervision.violations import totals

        with self._store.read() as reader:
            return totals(reader, period)

    def cases(self, on: int, due: bool = False) -> "list[CaseLine]":
        """Returns every case as it stands, in the order they were opened; ``due``: only those late on a day."""
        from projections.casework.docket import cases

        with self._store.read() as reader:
            return cases(reader, on, due)

    def applications(self, on: int, late: bool = False) -> "Applications":
        """Returns every application for manual reimbursement and who is late on a day; ``late``: only those late."""
        from projections.manual.docket import listed

        with self._store.read() as reader:
            return listed(reader, on, late)

    def recoveries(self, on: int, by: str = "kind") -> "Recoveries":
        """Returns the money of cases, kinds apart, by ``kind``, ``debtor`` or ``debtors`` (institutions, persons)."""
        from projections.casework.docket import recoveries

        with self._store.read() as reader:
            return recoveries(reader, on, by)

    def events(self, after: int = 0) -> Iterator[PositionedEvent]:
        """Yields the events behind position ``after`` up to the present head, in log order, for a host's followers."""
        with self._store.read() as reader:
            for page in reader.pages(after):
                for position, stream, version, topic, state in page:
                    yield PositionedEvent(position, stream, version, topic, decode_event(topic, state))

    def root(self, size: int | None = None) -> tuple[int, bytes]:
        """Returns (size, root) of the tree over the first ``size`` events (None: all there are)."""
        with self._tree() as (tree, _):
            size = tree.size if size is None else size
            return size, tree.root(size)

    def inclusion(self, position: int, size: int | None = None) -> list[bytes]:
        """Returns the audit path of the event at ``position`` in the tree of ``size`` events (None: all)."""
        with self._tree() as (tree, _):
            return tree.inclusion(position, size)

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """Returns the proof that the tree of ``old`` events is the beginning of the tree of ``size`` (None: all)."""
        with self._tree() as (tree, _):
            return tree.consistency(old, size)

    @contextmanager
    def _tree(self) -> "Iterator[tuple[Tree, Reader]]":
        catch_up(self._store, [proof.MODEL], page_events=self._page_events)
        with self._store.read() as reader:
            yield proof.tree_of(reader, _position(reader, proof.MODEL.name)), reader

    def checkpoint(self, signer: "Signer | None" = None, next_key: "PublicKey | None" = None) -> "Checkpoint":
        """Returns the checkpoint of the log as it stands, signed where a key is given; the tree catches up first.

        ``next_key`` announces the key that signs from then on. Raises ProofError for an empty log.
        """
        from projections.checkpoint import state

        with self._tree() as (tree, reader):
            given = reader.tokens_given
            digest = digests_of(reader, [given]).get(given)
            if digest is None:
                raise StoreError(f"expected the seals of {given} persons, got fewer: run verify")
            return state(tree.size, tree.root(), reader.recorded_at, signer, next_key, (given, digest))

    def prove(self, key: str | int, checkpoint: "Checkpoint") -> "Proof":
        """Returns the proof that a claim's, payment's or clawback's events, or that at a position, are in the log.

        Raises ProofError for another key, a checkpoint of another log, or one that does not reach the events.
        """
        from projections.evidence import positions_of, prove

        trace = self.trace(key)
        with self._tree() as (tree, reader):
            return prove(reader, tree, str(key), positions_of(reader, trace), checkpoint)

    def verify(self, checkpoints: "Sequence[Checkpoint]" = (), now_us: int | None = None) -> "list[Finding]":
        """Returns what is wrong with the log and with the models' rows; nothing where all is well.

        Models are verified where they stand, before they catch up; where nothing is found they then catch up, so
        that every event so far is anchored in the tree for the next time. Then the log is held against
        ``checkpoints`` that others kept: each must be its beginning. Without one it is internally consistent only.
        ``now_us`` is the time of day of whoever verifies (microseconds since 1970 UTC): nothing may have been recorded
        more than a day after it. Of a damaged file nothing but the damage is told.
        """
        from ledger.store.url import segments_folder
        from projections.database_checks import unreadable
        from projections.verify import verify, verify_checkpoints

        folder = segments_folder(self._store.url, self.segments)
        found = verify(self._store, MODELS, self._page_events, folder, now_us)
        if unreadable(found):
            return found
        if not found:
            self.catch_up()
        return found + verify_checkpoints(self._store, checkpoints)

    def unseen_segments(self) -> list[int]:
        """Returns the sealed periods (yyyymm) whose files ``verify`` cannot look at, for want of a folder."""
        from ledger.segments.sealing import sealed_periods
        from ledger.store.url import segments_folder

        if segments_folder(self._store.url, self.segments) is not None:
            return []
        with self._store.read() as reader:
            return sorted(sealed_periods(reader))


def _position(reader: "Reader", name: str) -> int:
    return int(reader.query(SELECT_POSITION, (name,))[0][0])
