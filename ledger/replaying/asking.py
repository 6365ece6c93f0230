"""Answers what a period would be under another policy: finds the acts, the document, and whom it stands in for."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ledger import explain
from ledger.keys import following_month
from ledger.knowledge import Knowledge, unfinished_jobs
from ledger.policy import Policy, digest_of, read_policy
from ledger.refusals import Refusal, Refused
from ledger.replaying.correcting import Touched
from ledger.replaying.listing import Listing
from ledger.replaying.sweeping import Question, Sweep, sweep
from ledger.replaying.variants import read_variants
from ledger.replaying.whatif import Correction, WhatIf, what_if
from ledger.segments.making import make
from ledger.segments.reading import Segment
from ledger.segments.sealing import open_segment, sealed_periods
from ledger.segments.shape import CASE_INTS
from ledger.store.url import segments_folder
from ledger.verbs.policies import read_document

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base


class Asked(msgspec.Struct, frozen=True):
    """Is a what-if: ``policy`` a file or a shipped name, the first and last period, the regions it stands in for.

    Without ``regions`` it stands in for the documents of its own name.
    """

    policy: str | Path | None
    first: int
    last: int
    regions: tuple[int, ...] = ()
    from_log: bool = False
    #: The position of a register command: the claims it reaches back to are decided by what registers say now.
    register: int = 0


def ask(
    ledger: "Base",
    asked: Asked,
    diff: Path | None,
    correction: Correction | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[WhatIf, bytes, str]:
    """Returns the what-if, the digest of the document and the document; every changed claim goes to ``diff``.

    A ``correction`` is given every batch's changes, and what it has to look at beside them.
    Raises Refused where a period has no acts, or the document keeps another benefit year than those it stands in for:
    accumulators of one cannot be carried into the other.
    """
    if asked.policy is None:
        return _by_register(ledger, asked, diff, correction, progress), b"", ""
    document, where = read_document(asked.policy)
    policy, digest = read_policy(document, where), digest_of(document)
    with ledger.store.read() as reader:
        known = Knowledge()
        known.refresh(reader)
        periods = periods_of(reader, known, asked)
        known.policies.know({digest: policy})
        with acts_of_periods(ledger, reader, known, periods, asked.from_log, progress) as folder:
            segment = Segment(folder)
            instead = dict.fromkeys(regions_of(segment, known, policy, asked.regions, where), digest)
            expect_same_year(segment, known, policy, instead, where)
            with _listed(diff) as listing:
                found = what_if(
                    folder, known.policies, instead, periods=periods, kernel=ledger.kernel,
                    sinks=[listing.add] if listing is not None else [], progress=progress, reader=reader,
                    correction=correction,
                )  # fmt: skip
    return found, digest, document


@contextmanager
def _listed(diff: Path | None) -> Iterator[Listing | None]:
    """Gives the list of changed claims that is asked for, None: none is."""
    if diff is None:
        yield None
        return
    with Listing(diff) as listing:
        yield listing


def _by_register(
    ledger: "Base",
    asked: Asked,
    diff: Path | None,
    correction: Correction | None,
    progress: Callable[[int], None] | None,
) -> WhatIf:
    """Returns what periods would be had a register been told in time, for the claims it reaches back to."""
    with ledger.store.read() as reader:
        known = Knowledge()
        known.refresh(reader)
        periods = periods_of(reader, known, asked)
        late = Touched(reader, known.policies, asked.register)
        with (
            acts_of_periods(ledger, reader, known, periods, asked.from_log, progress) as folder,
            _listed(diff) as listing,
        ):
            # Registers are read through the one connection, so one thread asks.
            return what_if(
                folder, known.policies, {}, periods=periods, kernel=ledger.kernel, threads=1,
                sinks=[listing.add] if listing is not None else [], progress=progress, touched=late, reader=reader,
                correction=correction,
            )  # fmt: skip


def periods_of(reader: "Reader", known: Knowledge, asked: Asked) -> list[int]:
    """Returns the periods asked for that are open or were; raises Refused where none is, or a job is unfinished."""
    periods = [asked.first]
    if asked.last < asked.first:
        raise Refused(Refusal.BAD_VALUE, f"expected --to {asked.first} or later, got {asked.last}")
    while periods[-1] < asked.last:
        periods.append(following_month(periods[-1]))
    found = [period for period in periods if period in known.periods.opened]
    if not found:
        raise Refused(Refusal.PERIOD_EMPTY, explain.period(Refusal.PERIOD_EMPTY, asked.first, known.periods, {}))
    if unfinished := unfinished_jobs(reader):
        raise Refused(Refusal.JOB_UNFINISHED, explain.unfinished(unfinished))
    return found


@contextmanager
def acts_of_periods(
    ledger: "Base",
    reader: "Reader",
    known: Knowledge,
    periods: list[int],
    from_log: bool,
    progress: Callable[[int], None] | None,
) -> Iterator[Path]:
    """Yields a segment of the periods: the sealed one of a single period, otherwise one made from the log for now.

    Acts of several months interleave in the log; made together they are carried in the order they were committed.
    """
    sealed = sealed_periods(reader)
    place = segments_folder(ledger.store.url, ledger.segments)
    if len(periods) == 1 and periods[0] in sealed and not from_log and place is not None:
        yield open_segment(place, sealed[periods[0]]).folder
        return
    opened, closed = known.periods.opened, known.periods.closed
    reach = (min(opened[p] for p in periods), max(closed.get(p, reader.size) for p in periods))
    with tempfile.TemporaryDirectory(prefix="ledger-replay-") as own:
        make(reader, known.policies, periods, reach, Path(own), progress=progress)
        yield Path(own)


def regions_of(segment: Segment, known: Knowledge, policy: Policy, asked: Sequence[int], where: str) -> list[int]:
    """Returns the regions the document stands in for."""
    if asked:
        return sorted(set(asked))
    cases = segment.cases
    named = {
        at
        for at, digest in enumerate(segment.policies)
        if (other := known.policies.policy_named(digest)) is not None and other.header.name == policy.header.name
    }
    mine = np.isin(cases[:, CASE_INTS.index("policy")], list(named))
    regions = sorted(set(cases[mine, CASE_INTS.index("region")].tolist()))
    if not regions:
        raise Refused(
            Refusal.UNKNOWN_KEY,
            f"{where}: expected acts under a policy named {policy.header.name!r} in the period, got none:"
            " say with --regions whose policy it stands in for",
        )
    return regions


def expect_same_year(
    segment: Segment, known: Knowledge, policy: Policy, instead: "dict[int, bytes]", where: str
) -> None:
    """Raises Refused where a document keeps another benefit year than those it stands in for."""
    cases = segment.cases
    mine = np.isin(cases[:, CASE_INTS.index("region")], list(instead))
    for at in np.unique(cases[mine, CASE_INTS.index("policy")]).tolist():
        other = known.policies.policy_named(segment.policies[at])
        if other is None:
            continue
        for name in ("benefit_year_starts", "benefit_year_date"):
            old, new = getattr(other.header, name), getattr(policy.header, name)
            if old != new:
                raise Refused(
                    Refusal.POLICY_INVALID,
                    f"{where}: policy.{name}: expected {old!r}, as in the policy it stands in for, got {new!r}:"
                    " accumulators cannot be carried into another benefit year",
                )


def ask_many(
    ledger: "Base", policies: str | Path, asked: Asked, progress: Callable[[int], None] | None = None
) -> Sweep:
    """Returns what periods would be under each policy of a folder, a document or a grid; ``asked`` names none.

    Raises Refused as ``ask`` does, and where the policies are none.
    """
    keys, variants = read_variants(policies)
    with ledger.store.read() as reader:
        known = Knowledge()
        known.refresh(reader)
        periods = periods_of(reader, known, asked)
        known.policies.know({each.digest: each.policy for each in variants})
        with acts_of_periods(ledger, reader, known, periods, asked.from_log, progress) as folder:
            segment = Segment(folder)
            questions = []
            for each in variants:
                where = f"{policies}: {each.name}"
                instead = dict.fromkeys(regions_of(segment, known, each.policy, asked.regions, where), each.digest)
                expect_same_year(segment, known, each.policy, instead, where)
                questions.append(Question(each.name, each.settings, instead))
            return sweep(
                folder, known.policies, questions, periods=periods, keys=keys, progress=progress, reader=reader
            )
