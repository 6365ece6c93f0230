"""Runs a reconciliation: reads both sides, compares, and appends what is new in one transaction.

Reading and comparing hold no lock; what the log said up to ``stood_at`` is what was compared. Breaks are then decided
against their streams as they stand in the writing transaction.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import ABSENT
from core_ext.text import to_list
from ledger import explain
from ledger.acts import read_acts
from ledger.knowledge import Knowledge, unfinished_jobs
from ledger.mapper import decode_event
from ledger.profile import Profile
from ledger.quarantine import check_place
from ledger.reconciling.breaks import break_states
from ledger.reconciling.comparing import compare
from ledger.reconciling.events import OUTCOMES, BreakFound, BreakResolved, ReconciliationRun
from ledger.reconciling.finding import Finder, Seen, booked_elsewhere
from ledger.reconciling.mismatch import person_numbers, write_mismatches
from ledger.reconciling.reports import Break, Reconciled
from ledger.reconciling.scope import Scope, equal_texts
from ledger.reconciling.sides import NUMBER, Details, Side, open_details, read_acts_as, read_file
from ledger.reconciling.states import (
    BreakState,
    break_stream,
    decide_found,
    decide_gone,
    evolve,
    meets_carried,
    run_stream,
)
from ledger.reconciling.totals import ByType, TotalsFile, by_type, is_totals, lines, read_totals, summed
from ledger.records import Records
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base
    from ledger.writing import Header

#: A person's numbers a look-up.
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class _View:
    """Is what a run sees: totals of both sides, breaks, rows no break can name, and up to where the log was read."""

    scope: Scope
    stood_at: int
    runs: int
    ours: Side
    totals: tuple[ByType, ByType, ByType]
    seen: list[Seen]
    keyless: list[int]
    matched: int
    numbers: dict[int, str]


def run_reconcile(
    ledger: "Base",
    path: Path,
    scope: Scope,
    profile: Profile,
    *,
    totals: Path | None = None,
    mismatches: Path | None = None,
    reason: str = "",
) -> Reconciled:
    """Reconciles a counterpart's file with what stands here; writes events only where they say something new.

    ``path`` may be a totals file alone. Raises SourceError for a file that cannot be read, Refused where a job is
    unfinished, keys are ambiguous or totals are of another time.
    """
    with Records(path, profile) as records:
        only_totals = is_totals([profile.columns.get(name, name) for name in records.header])
    stated = read_totals(totals or path, profile, scope) if only_totals or totals else None
    if stated is not None and stated.refunds is not None:
        scope = replace(scope, refunds=stated.refunds)
    source = None if only_totals else open_details(path, profile)
    digest = source.digest if source is not None else stated.digest if stated is not None else b""
    with ledger.store.read() as reader:
        view = _look(reader, scope, source, stated)
    run = _run_of(view, source is not None, digest, profile)
    target = mismatches or path.with_name(f"{path.stem}.mismatch.csv")
    if source is not None and (view.seen or view.keyless):
        check_place(target, "the rows that do not stand alike", "--mismatches")
    reconciled = _append(ledger, view, run, path, reason)
    if source is None or not (view.seen or view.keyless):
        return reconciled
    written = write_mismatches(target, source, view.seen, view.keyless, view.ours, view.numbers)
    return msgspec.structs.replace(reconciled, mismatch_path=str(written))


def _look(reader: "Reader", scope: Scope, source: Details | None, stated: TotalsFile | None) -> _View:
    known = Knowledge()
    known.refresh(reader)
    if unfinished := unfinished_jobs(reader):
        raise Refused(Refusal.JOB_UNFINISHED, explain.unfinished(unfinished))
    after, stop = scope.bounds(known.periods)
    runs = len(reader.stream(run_stream(scope.period, scope.day, scope.counterpart)))
    with ThreadPoolExecutor(1) as pool:
        # The kernels that read a file let go of the interpreter: both sides are read at once.
        reading = pool.submit(read_file, source, known.policies, scope.refunds) if source is not None else None
        ours = read_acts_as(read_acts(reader, after, stop), scope)
        theirs = reading.result() if reading is not None else None
    details_typed = source is not None and "insutype" in source.national
    mine = by_type(ours, details_typed if stated is None else stated.typed)
    if source is None or theirs is None:
        assert stated is not None
        return _View(scope, reader.size, runs, ours, (mine, stated.by_type, stated.by_type), [], [], 0, {})
    if "psn_no" in theirs.texts and reader.may_read("person"):
        _name_persons(reader, theirs)
    comparison = compare(ours, theirs, "insu_admdvs" in source.national)
    unmet = np.flatnonzero(comparison.leading & (comparison.met < 0) & comparison.readable)
    elsewhere, elsewhere_of = booked_elsewhere(reader, theirs, unmet)
    finder = Finder(scope, source.digest, ours, theirs, comparison, elsewhere, elsewhere_of, source.columns)
    seen = list(finder.breaks())
    summed_up = by_type(theirs, details_typed)
    totals = (mine, summed_up, stated.by_type if stated is not None else summed_up)
    keyless = theirs.row[comparison.first < 0].tolist()
    numbers = person_numbers(reader, seen, ours)
    return _View(scope, reader.size, runs, ours, totals, seen, keyless, comparison.matched, numbers)


def _name_persons(reader: "Reader", theirs: Side) -> None:
    """Puts the token of each row's person beside its amounts: 0 for a number nobody has, ABSENT without one."""
    numbers = to_list(theirs.texts["psn_no"])
    column = theirs.numbers[:, NUMBER["psn_no"]]
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        tokens = reader.tokens(sorted({number for number in part if number}))
        column[start : start + CHUNK] = [tokens.get(number, 0) if number else ABSENT for number in part]


def _run_of(view: _View, details: bool, digest: bytes, profile: Profile) -> ReconciliationRun:
    scope = view.scope
    ours, theirs, stated = (summed(totals) for totals in view.totals)
    counts = [view.matched, *[0] * (len(OUTCOMES) - 1)]
    for each in view.seen:
        counts[each.found.kind] += each.found.copies or 1
    counts[OUTCOMES.index("unreadable")] += len(view.keyless)
    return ReconciliationRun(
        0, 0, scope.period, scope.day, scope.counterpart, scope.own, scope.role, int(scope.refunds), int(details),
        digest, profile.digest, view.stood_at, ours, theirs, stated, tuple(counts), 0, 0,
    )  # fmt: skip


def _append(ledger: "Base", view: _View, run: ReconciliationRun, path: Path, reason: str) -> Reconciled:
    scope = view.scope
    stream = run_stream(scope.period, scope.day, scope.counterpart)
    with ledger.transaction() as tx:
        before = tx.stream(stream)
        if len(before) != view.runs:
            raise Refused(Refusal.RUN_OUTDATED, f"another run of {stream} was recorded meanwhile: run it again")
        arguments = {"counterpart": scope.counterpart, "day": scope.day, "period": scope.period}
        cause, command = ledger.command(tx, "reconcile", reason, arguments, path.name, run.digest)
        states = {state.stream: state for state in break_states(tx, _first_period(scope.period), scope.period)}
        events, settled = _decide(view, run, states, cause)
        counts = list(run.outcomes)
        for each in settled:
            counts[each.kind] -= 1
            counts[0] += 1
        found = sum(isinstance(event, BreakFound) for _, _, event in events)
        run = msgspec.structs.replace(
            run, cause=cause, outcomes=tuple(counts), found=found, resolved=len(events) - found
        )
        last = decode_event(before[-1][2], before[-1][3]) if before else None
        already = not events and isinstance(last, ReconciliationRun) and _same(last, run)
        if not already:
            ledger.append(tx, [command, (stream, len(before) + 1, run), *events])
        for at, (name, _, event) in enumerate(events, cause + 2):
            evolve(states.setdefault(name, BreakState(name)), at, event)
        return _report(view, run, states, settled, before[-1][0] if already else cause + 1, already, path)


def _first_period(period: int) -> int:
    """Returns the period a year before: no break is carried that long."""
    return period - 100


def _same(last: ReconciliationRun, run: ReconciliationRun) -> bool:
    """Returns whether two runs say the same, but for when they were and what breaks the first one opened."""
    plain = {"cause": 0, "stood_at": 0, "found": 0, "resolved": 0}
    return bool(msgspec.structs.replace(last, **plain) == msgspec.structs.replace(run, **plain))


def _decide(
    view: _View, run: ReconciliationRun, states: dict[str, BreakState], cause: int
) -> "tuple[list[Header], list[BreakFound]]":
    """Returns the events about breaks, and what is no break because it settles one carried into this period."""
    scope = view.scope
    into = {
        (state.found.insured_region, state.found.setl_id): state
        for state in states.values()
        if state.is_open and state.found.period < scope.period and state.found.counterpart == scope.counterpart
    }
    events: list[Header] = []
    settled: list[BreakFound] = []
    standing: set[str] = set()
    for each in view.seen:
        found = msgspec.structs.replace(each.found, cause=cause)
        carried = into.get((found.insured_region, found.setl_id))
        if carried is not None and not scope.day and meets_carried(carried, found):
            end = decide_gone(carried, cause, scope.period, not each.rows)
            events.append((carried.stream, carried.version + 1, end))
            settled.append(found)
            continue
        stream = break_stream(found.period, found.counterpart, found.kind, found.insured_region, found.setl_id)
        standing.add(stream)
        state = states.get(stream, BreakState(stream))
        if (new := decide_found(state, found)) is not None:
            events.append((stream, state.version + 1, new))
    if run.details and run.theirs == run.stated:
        gone = [state for name, state in states.items() if name not in standing and _is_covered(scope, state)]
        events += [(s.stream, s.version + 1, _gone(view, s, cause)) for s in gone]
    return events, settled


def _is_covered(scope: Scope, state: BreakState) -> bool:
    found = state.found
    return (
        state.is_open
        and (found.period, found.counterpart) == (scope.period, scope.counterpart)
        and scope.covers(found.own, found.role, found.day, bool(found.refund))
    )


def _gone(view: _View, state: BreakState, cause: int) -> BreakResolved:
    found = state.found
    same = equal_texts(view.ours.keys, found.setl_id.encode())
    here = bool((same & ((view.ours.codes == found.insured_region) | (found.insured_region == 0))).any())
    return decide_gone(state, cause, view.scope.period, here)


def _report(
    view: _View,
    run: ReconciliationRun,
    states: dict[str, BreakState],
    settled: Sequence[BreakFound],
    position: int,
    already: bool,
    path: Path,
) -> Reconciled:
    apart = {(each.insured_region, each.setl_id, each.kind) for each in settled}
    found = [each.found for each in view.seen]
    streams = [
        break_stream(each.period, each.counterpart, each.kind, each.insured_region, each.setl_id)
        for each in found
        if (each.insured_region, each.setl_id, each.kind) not in apart
    ]
    return Reconciled(
        position=position,
        already=already,
        period=run.period,
        day=run.day,
        counterpart=run.counterpart,
        source=path.name,
        digest=run.digest.hex(),
        refunds=bool(run.refunds),
        totals=tuple(lines(view.totals[0], view.totals[2])),
        adds_up=run.theirs == run.stated,
        outcomes=dict(zip(OUTCOMES, run.outcomes, strict=True)),
        found=run.found,
        resolved=run.resolved,
        breaks=tuple(Break.of(states[stream]) for stream in streams),
        mismatch_path=None,
    )
