"""Answers for one claim on each axis, and says why the answers differ: which event, which parameter of which policy."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import AMOUNT, FACT
from core_ext.text import text_at, texts_from_list
from ledger.acts import Acts
from ledger.axes.asking import acts_at, enactments
from ledger.axes.repricing import Counts, repriced
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_RESETTLED, CommandRecorded, JobStarted
from ledger.explanation import Explainer
from ledger.knowledge import Knowledge
from ledger.mapper import decode_event
from ledger.policy import Policy
from ledger.policy_views import differences, values_of
from ledger.replaying.repricing import reprice
from ledger.segments.making import make

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

_FUND, _PART = AMOUNT["fund_pay_sumamt"], AMOUNT["psn_part_amt"]


class Recorded(msgspec.Struct, frozen=True):
    """Is what stood of the claim from a position on, fen, and the command that made it so.

    ``what`` is settled, booked anew or refunded; ``recorded_at`` the command's time, microseconds since 1970 UTC.
    """

    position: int
    what: str
    fund_fen: int
    personal_fen: int
    recorded_at: int
    command: int
    verb: str
    actor: str
    reason: str


class Because(msgspec.Struct, frozen=True):
    """Is a parameter that two policies word differently, and what that alone changes in what the funds pay, fen."""

    key: str
    old: str | None
    new: str | None
    fund_fen: int
    personal_fen: int


class Earlier(msgspec.Struct, frozen=True):
    """Is another claim of the person that would be settled otherwise, or that was taken in another order."""

    position: int
    setl_id: str
    served: int
    fund_fen: int


class Versioned(msgspec.Struct, frozen=True):
    """Is the claim under one policy that was ever enacted for its region, fen.

    ``alone`` is with the accumulators as they stood, the others with the person's earlier claims under it too;
    ``stands`` marks the policy it was decided by. ``because`` has the parameters, ``through`` the earlier claims.
    """

    policy: str
    digest: str
    enacted: int
    stands: bool
    priced: bool
    fund_fen: int
    personal_fen: int
    alone_fund_fen: int
    alone_personal_fen: int
    because: tuple[Because, ...]
    through: tuple[Earlier, ...]


class Served(msgspec.Struct, frozen=True):
    """Is the claim by date of service: it counts from the day ``since`` on (yyyymmdd), fen.

    ``fund_fen`` is what funds would pay had claims come in the order of service; ``overtaken`` are those of the person
    that were taken in the other order.
    """

    since: int
    fund_fen: int
    overtaken: tuple[Earlier, ...]


class Answers(msgspec.Struct, frozen=True):
    """Is a claim on three axes; ``fund_fen`` and ``personal_fen`` are what it was settled at, before any correction."""

    claim: int
    fund_fen: int
    personal_fen: int
    recorded: tuple[Recorded, ...]
    served: Served | None
    versions: tuple[Versioned, ...]


def answers(ledger: "Base", claim: int, person: Sequence[int]) -> Answers:
    """Returns the answers for the claim filed at a position; ``person`` are the positions of all acts of its person.

    A refund and what a source settled have the axis of recorded time alone: no policy and no order changes them.
    """
    with ledger.store.read() as reader, tempfile.TemporaryDirectory(prefix="ledger-axes-") as own:
        known = Knowledge()
        known.refresh(reader)
        acts = acts_at(reader, person)
        (at,) = np.flatnonzero((acts.claim == claim) & (acts.basis != BASIS_RESETTLED)).tolist()
        fund, part = int(acts.booked[at, _FUND]), int(acts.booked[at, _PART])
        recorded = _recorded(reader, acts, at)
        if acts.basis[at] != BASIS_KERNEL:
            return Answers(claim, fund, part, recorded, None, ())
        folder, reach = Path(own), (int(acts.claim.min()) - 1, int(acts.position.max()))
        make(reader, known.policies, sorted(set(acts.period.tolist())), reach, folder, pages=[acts])
        versions = _Versions(reader, known, folder, acts, at).all()
        return Answers(claim, fund, part, recorded, _served(known, folder, acts, at), versions)


def _recorded(reader: "Reader", acts: Acts, at: int) -> tuple[Recorded, ...]:
    claim = int(acts.claim[at])
    later = np.flatnonzero((acts.original == claim) & np.isin(acts.basis, (BASIS_REFUND, BASIS_RESETTLED)))
    fund, part = int(acts.booked[at, _FUND]), int(acts.booked[at, _PART])
    first = "refund" if acts.basis[at] == BASIS_REFUND else "settled"
    found = [_stood(reader, acts, at, first, fund, part)]
    for row in sorted(later.tolist(), key=lambda row: int(acts.position[row])):
        fund, part = fund + int(acts.booked[row, _FUND]), part + int(acts.booked[row, _PART])
        what = "refunded" if acts.basis[row] == BASIS_REFUND else "booked anew"
        found.append(_stood(reader, acts, row, what, fund, part))
    return tuple(found)


def _stood(reader: "Reader", acts: Acts, at: int, what: str, fund: int, part: int) -> Recorded:
    cause = int(acts.cause[at])
    (_, _, topic, state) = reader.events_at([cause])[cause]
    event = decode_event(topic, state)
    assert isinstance(event, CommandRecorded | JobStarted)
    return Recorded(
        int(acts.position[at]), what, fund, part, event.recorded_at, cause, event.verb, event.actor, event.reason
    )


def _served(known: Knowledge, folder: Path, acts: Acts, at: int) -> Served:
    """Returns the claim in the order of service, and the person's claims that were taken in the other order."""
    claim, day = int(acts.claim[at]), acts.facts[:, FACT["begndate"]]
    found = {each.claim: each.fund_new_fen for each in reprice(folder, known.policies).claims}
    gone = acts.original[acts.basis == BASIS_REFUND]
    other = (acts.basis == BASIS_KERNEL) & (acts.year == acts.year[at]) & ~np.isin(acts.claim, gone)
    crossed = (acts.claim > claim) & (day < day[at]) | (acts.claim < claim) & (day > day[at])
    fund = int(acts.booked[at, _FUND])
    return Served(
        int(acts.facts[at, FACT["enddate"]]),
        found.get(claim, fund),
        tuple(_earlier(acts, row, int(acts.booked[row, _FUND])) for row in np.flatnonzero(other & crossed).tolist()),
    )


def _earlier(acts: Acts, row: int, fund_fen: int) -> Earlier:
    served = int(acts.facts[row, FACT["begndate"]])
    return Earlier(int(acts.claim[row]), text_at(acts.texts["setl_id"], row), served, fund_fen)


class _Versions:
    """Prices one claim under every policy enacted for its region."""

    def __init__(self, reader: "Reader", known: Knowledge, folder: Path, acts: Acts, at: int) -> None:
        self._reader = reader
        self._book, self._folder, self._acts, self._at = known.policies, folder, acts, at
        self._claim = int(acts.claim[at])
        self._region = int(acts.facts[at, FACT["insured_region"]])
        self._booked = (int(acts.booked[at, _FUND]), int(acts.booked[at, _PART]))
        index, digests = acts.policies()
        self._own = digests[int(index[at])]

    def all(self) -> tuple[Versioned, ...]:
        """Returns the claim under each document once, in the order in which they were enacted."""
        first: dict[bytes, int] = {}
        for position, event in enactments(self._reader):
            if self._region in event.regions:
                first.setdefault(event.digest, position)
        return tuple(self._under(digest, position) for digest, position in first.items())

    def _priced(self, digest: bytes, only: int) -> tuple[tuple[int, int], bool, list[Acts]]:
        """Returns (fund, personal), whether there is a rule, and every act of the person that changes."""
        counts = Counts()
        pages = list(
            repriced(
                self._folder, self._book, {self._region: digest}, counts, only=only, threads=1, reader=self._reader
            )
        )
        fund, part = self._booked
        for acts in pages:
            for row in np.flatnonzero(acts.claim == self._claim).tolist():
                fund, part = fund + int(acts.booked[row, _FUND]), part + int(acts.booked[row, _PART])
        return (fund, part), not (only and counts.unpriced), pages

    def _under(self, digest: bytes, enacted: int) -> Versioned:
        policy = self._book.policy_named(digest)
        assert policy is not None, "what was enacted is known to the book"
        amounts, _, changed = self._priced(digest, 0)
        alone, priced, _ = self._priced(digest, self._claim)
        through: list[Earlier] = []
        for page in changed if amounts != alone else ():
            rows = np.flatnonzero((page.claim < self._claim) & (page.year == self._acts.year[self._at]))
            through += [_earlier(page, row, int(page.booked[row, _FUND])) for row in rows.tolist()]
        because = self._because(policy, digest, alone) if priced and alone != self._booked else ()
        return Versioned(
            policy.header.name, digest.hex(), enacted, digest == self._own, priced, *amounts, *alone, because,
            tuple(through),
        )  # fmt: skip

    def _because(self, new: Policy, digest: bytes, alone: tuple[int, int]) -> tuple[Because, ...]:
        """Returns the parameters that, put back to what they were, change the claim, and by how much each does.

        Of a parameter's keys those are named that the claim's explanation hangs on under either policy.
        """
        old = self._book.policy_named(self._own)
        if old is None:
            return ()
        hangs = self._consulted(self._own) | self._consulted(digest)
        keys: dict[str, list[tuple[str, str | None, str | None]]] = {}
        for key, before, now in differences(values_of(old), values_of(new)):
            path = next(p for p in (*new.parameters, *old.parameters) if key.startswith(f"{p}."))
            keys.setdefault(path, []).append((key, before, now))
        found = []
        for path, changed in keys.items():
            without = self._without(new, old, path)
            fund, part = (a - b for a, b in zip(alone, without, strict=True))
            if not fund and not part:
                continue
            named = [each for each in changed if _undated(each[0], path) in hangs] or changed
            found += [Because(*each, fund, part) for each in named]
        return tuple(found)

    def _consulted(self, digest: bytes) -> set[str]:
        """Returns the keys the claim's explanation hangs on under a document."""
        acts = acts_under(self._acts, self._at, digest)
        steps = Explainer(self._book).explain(acts, 0).steps
        return {each.key for step in steps for rule in step.rules for each in rule.parameters}

    def _without(self, new: Policy, old: Policy, path: str) -> tuple[int, int]:
        """Returns (fund, personal) under a document with one parameter put back to what it was."""
        parameters = {name: dated for name, dated in new.parameters.items() if name != path}
        if path in old.parameters:
            parameters[path] = old.parameters[path]
        variant = f"without {path}".encode()
        self._book.know({variant: Policy(new.header, parameters)})
        try:
            amounts, priced, _ = self._priced(variant, self._claim)
        except (AttributeError, KeyError, TypeError, ValueError):
            # Put back alone it makes no policy that can be compiled: all of the change hangs on it.
            return self._booked
        return amounts if priced else self._booked


def _undated(key: str, path: str) -> str:
    """Returns a key without the day in it, as explanations write it.

    >>> _undated("resident.inpatient.segments.2020-01-01[0].ratio", "resident.inpatient.segments")
    'resident.inpatient.segments[0].ratio'
    """
    return path + key[len(path) + len(".2020-01-01") :]


def acts_under(acts: Acts, at: int, digest: bytes) -> Acts:
    """Returns one act of a page as if it had been decided under another document."""
    one = slice(at, at + 1)
    values = {name: getattr(acts, name) for name in Acts.__slots__}
    arrays = {name: np.ascontiguousarray(each[one]) for name, each in values.items() if isinstance(each, np.ndarray)}
    texts = {name: texts_from_list([text_at(each, at)]) for name, each in acts.texts.items()}
    return Acts(**arrays, policy=texts_from_list([digest]), texts=texts)
