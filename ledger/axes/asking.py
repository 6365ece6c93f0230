"""Finds what a question on the axis of policy versions means: which document stands in for which region's."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ledger.acts import Acts, act_codes, acts_of
from ledger.axes.repricing import Counts, repriced
from ledger.events import ClaimFiled, PolicyEnacted
from ledger.knowledge import Knowledge, streams_with_prefix
from ledger.mapper import decode_event
from ledger.plans import PolicyBook
from ledger.policy import digest_of, read_policy
from ledger.refusals import Refusal, Refused
from ledger.replaying.asking import expect_same_year, regions_of
from ledger.segments.making import make
from ledger.segments.reading import Segment
from ledger.segments.shape import CASE_INTS
from ledger.verbs.policies import read_document

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

#: Hexadecimal digits from which on a text may name an enacted document by the beginning of its digest.
SHORTEST_DIGEST = 8


@dataclass
class PolicyVersion:
    """Is one point of the axis: a document (file, shipped name or digest), or what was enacted up to a position."""

    policy: str | None = None
    regions: tuple[int, ...] = ()
    enacted_to: int | None = None


@dataclass
class Repriced:
    """Is a log up to ``position`` priced under other documents: iterate for its changes, then read the counts."""

    position: int
    instead: dict[int, bytes]
    changes: Iterator[Acts] = field(repr=False)
    counts: Counts = field(default_factory=Counts)


def enactments(reader: "Reader") -> list[tuple[int, PolicyEnacted]]:
    """Returns every (position, enactment), in log order."""
    found = []
    for position, _, _, topic, state in streams_with_prefix(reader, "policy"):
        event = decode_event(topic, state)
        assert isinstance(event, PolicyEnacted)
        found.append((position, event))
    return found


@contextmanager
def priced_log(
    ledger: "Base",
    version: PolicyVersion,
    position: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Repriced]:
    """Yields the log up to a position (None: its head) priced under another policy version.

    Raises Refused for a document that is none, for regions without acts under it, and where it keeps another benefit
    year.
    """
    with ledger.store.read() as reader, tempfile.TemporaryDirectory(prefix="ledger-axes-") as own:
        stop = reader.size if position is None else position
        known = Knowledge()
        known.refresh(reader)
        periods = sorted(period for period, opened in known.periods.opened.items() if opened <= stop)
        if not periods:
            raise Refused(Refusal.PERIOD_EMPTY, f"expected claims up to position {stop:,}, got none")
        make(reader, known.policies, periods, (0, stop), Path(own), progress=progress)
        instead = documents(reader, known, Segment(Path(own)), version)
        counts = Counts()
        yield Repriced(stop, instead, repriced(Path(own), known.policies, instead, counts, reader=reader), counts)


def documents(reader: "Reader", known: Knowledge, segment: Segment, version: PolicyVersion) -> dict[int, bytes]:
    """Returns the digest of the document that stands in for each region's; empty where none was in force."""
    if version.enacted_to is not None:
        if version.policy is not None:
            raise Refused(Refusal.BAD_VALUE, "expected a policy or the position it was enacted by, got both")
        book = PolicyBook()
        for position, event in enactments(reader):
            if position <= version.enacted_to:
                book.enact(event)
        ever = sorted({region for _, event in enactments(reader) for region in event.regions})
        wanted = [region for region in ever if not version.regions or region in version.regions]
        return same_year(segment, known, {region: book.digest_in_force(region) or b"" for region in wanted})
    assert version.policy is not None
    digest = named(reader, version.policy)
    if digest is None:
        document, where = read_document(version.policy)
        digest, policy = digest_of(document), read_policy(document, where)
        if known.policies.policy_named(digest) is None:
            known.policies.know({digest: policy})
    found = known.policies.policy_named(digest)
    assert found is not None
    regions = regions_of(segment, known, found, version.regions, version.policy)
    return same_year(segment, known, dict.fromkeys(regions, digest))


def named(reader: "Reader", text: str) -> bytes | None:
    """Returns the digest of the enacted document whose digest begins with a text; None where it is no digest.

    Raises Refused where several begin so.
    """
    if len(text) < SHORTEST_DIGEST or not all(c in "0123456789abcdef" for c in text.lower()):
        return None
    found = sorted({e.digest for _, e in enactments(reader) if e.digest.hex().startswith(text.lower())})
    if len(found) > 1:
        listed = ", ".join(digest.hex() for digest in found)
        raise Refused(Refusal.UNKNOWN_KEY, f"expected the digest of one enacted policy, got {text!r} of {listed}")
    if not found:
        raise Refused(
            Refusal.UNKNOWN_KEY, f"expected the digest of an enacted policy (settlement policy show), got {text!r}"
        )
    return found[0]


def same_year(segment: Segment, known: Knowledge, instead: dict[int, bytes]) -> dict[int, bytes]:
    """Returns the documents; raises Refused where one keeps another benefit year than those it stands in for."""
    regions = segment.cases[:, CASE_INTS.index("region")]
    for digest in sorted({digest for digest in instead.values() if digest}):
        policy = known.policies.policy_named(digest)
        assert policy is not None, "the documents asked about are known to the book"
        mine = {region: digest for region, each in instead.items() if each == digest and np.any(regions == region)}
        if mine:
            expect_same_year(segment, known, policy, mine, policy.header.name)
    return instead


def acts_at(reader: "Reader", positions: Sequence[int]) -> Acts:
    """Returns the acts whose ClaimFiled, or whose ClaimResettled, stand at positions."""
    events = reader.events_at(positions)
    decisions = [at + 1 for at, row in events.items() if row[2] == ClaimFiled.TOPIC]
    rows = sorted((events | reader.events_at(decisions)).items())
    places = np.array([at for at, _ in rows], np.int64)
    return acts_of(places, act_codes([row[2] for _, row in rows]), [bytes(row[3]) for _, row in rows])
