"""Makes a period's segment out of the log: reads the acts of the positions it was open, sorts and writes them."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.kernels import load
from core_ext.layout import HOW
from core_ext.text import Texts, texts_from_list
from ledger.acts import ACT_TEXTS, Acts, act_codes, acts_of, read_acts
from ledger.events import BASIS_REFUND, ClaimFiled, ClaimSettled
from ledger.mapper import decode_event
from ledger.resettled import resettlements, standing_of
from ledger.segments.filed import filed_masks
from ledger.segments.shape import BEFORES, DELTAS, Ints
from ledger.segments.spilling import AT, BETWEEN, ORIGINAL, OWN, SPILLED, Spill, span, spilled_rows
from ledger.segments.writing import SegmentWriter, Totals
from ledger.stays.recorded import decisions
from ledger.stays.replaying import counted_parts

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader


class Made(msgspec.Struct, frozen=True):
    """Is what a segment came to: its digest over canonical values, and the sums of its acts."""

    digest: bytes
    totals: Totals


def make(
    reader: "Reader",
    policies: "PolicyBook",
    periods: Sequence[int],
    reach: tuple[int, int],
    folder: Path | None,
    *,
    scratch: Path | None = None,
    progress: Callable[[int], None] | None = None,
    pages: Iterable[Acts] | None = None,
) -> Made:
    """Writes the segment of one or more periods into ``folder`` and returns what it came to; None: its digest alone.

    ``reach`` is the positions behind which and up to which its acts lie. Memory is bounded: rows are sorted in
    ``scratch``, a folder for files that are gone afterwards. ``pages`` stands in for the acts the log has there.
    """
    after, stop = reach
    number: dict[bytes, int] = {}
    with (
        tempfile.TemporaryDirectory(prefix="segment-", dir=scratch) as own,
        Spill(Path(own), reader.tokens_given, (stop - after) // 2) as spill,
    ):
        seen = 0
        for acts in read_acts(reader, after, stop) if pages is None else pages:
            _spill(reader, policies, acts, periods, number, spill)
            seen += len(acts)
            if progress is not None:
                progress(seen)
        spill.add(*_between(reader, after, stop))
        writer = SegmentWriter(folder, periods[0], list(number), spill.low, spill.high)
        try:
            for part in spill.parts():
                writer.add(part)
            return Made(writer.finish(), writer.totals)
        except BaseException:
            writer.abandon()
            raise


def _spill(
    reader: "Reader", policies: "PolicyBook", acts: Acts, periods: Sequence[int], number: dict[bytes, int], spill: Spill
) -> None:
    own = np.isin(acts.period, periods)
    originals = acts.original[own & (acts.basis == BASIS_REFUND)]
    # One that was booked anew stands with other amounts than its row here has.
    here = np.isin(originals, acts.claim[own])
    if len(originals):
        here &= ~np.isin(originals, _booked_anew(reader, originals[here].tolist()))
    spill.add(*_rows(reader, policies, acts, np.where(own, OWN, BETWEEN), number))
    wanted = sorted(set(originals[~here].tolist()))
    found = _originals(reader, wanted)
    # An original of this period, filed in an earlier page, is a row already.
    if found is not None and (outside := _carried(reader, found, periods)).any():
        carried = np.where(outside, ORIGINAL, -1)
        rows, texts = _rows(reader, policies, found, carried, number)
        kept = np.flatnonzero(outside)
        none = np.zeros(len(kept), np.int64)
        spill.add(rows[kept], [load("gather").gather((each,), none, kept) for each in texts])


def _between(reader: "Reader", after: int, stop: int) -> tuple[Ints, list[Texts]]:
    """Returns what divided stays and their refunds count in other years, as rows that lie between acts."""
    parts = [(at, each) for counted in counted_parts(reader, after, stop).values() for at, each in counted]
    rows = np.zeros((len(parts), len(SPILLED)), np.int64)
    decided = decisions(reader, [each.claim for _, each in parts])
    for row, (position, each) in zip(rows, parts, strict=True):
        _, decision = decided[each.claim]
        named = {"token": each.token, "claim": each.claim, "position": position, "year": each.year}
        named |= {"balc": decision.balc, "flags": decision.flags, "basis": decision.basis, "carried": BETWEEN}
        for name, value in named.items():
            row[AT[name]] = value
        row[span(BEFORES)][: len(each.before)] = each.before
        row[span(DELTAS)][: len(each.delta)] = each.delta
    return rows, [texts_from_list([""] * len(parts)) for _ in ACT_TEXTS]


def _originals(reader: "Reader", claims: list[int]) -> Acts | None:
    if not claims:
        return None
    events = reader.events_at(sorted({at for claim in claims for at in (claim, claim + 1)}))
    whole = [c for c in claims if c in events and c + 1 in events and events[c + 1][2] == ClaimSettled.TOPIC]
    positions = [at for claim in whole for at in (claim, claim + 1)]
    if not positions:
        return None
    topics, states = [events[at][2] for at in positions], [bytes(events[at][3]) for at in positions]
    acts = acts_of(np.array(positions, np.int64), act_codes(topics), states)
    found: dict[int, tuple[ClaimFiled, ClaimSettled]] = {}
    for claim in whole:
        filed, decision = (decode_event(events[at][2], events[at][3]) for at in (claim, claim + 1))
        assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled)
        found[claim] = filed, decision
    for row, (stands, anew) in enumerate(standing_of(reader, found).values()):
        if anew:
            acts.booked[row], acts.delta[row], acts.year[row] = stands.amounts, stands.delta, stands.year
            acts.how[row] = (*stands.how, *(0,) * (len(HOW) - len(stands.how)))
    return acts


def _carried(reader: "Reader", found: Acts, periods: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Returns the originals that need a row of their own: of other periods, or standing with other amounts."""
    return ~np.isin(found.period, periods) | np.isin(found.claim, _booked_anew(reader, found.claim.tolist()))


def _booked_anew(reader: "Reader", claims: list[int]) -> list[int]:
    """Returns those of the claims, by the position of their ClaimFiled, that were booked anew."""
    if not claims:
        return []
    streams = [stream for stream, _, _, _ in reader.events_at(claims).values()]
    return list(resettlements(reader, streams))


def _rows(
    reader: "Reader", policies: "PolicyBook", acts: Acts, carried: Ints, number: dict[bytes, int]
) -> tuple[Ints, list[Texts]]:
    index, digests = acts.policies()
    numbers = np.array([number.setdefault(digest, len(number)) for digest in digests] or [0], np.int64)
    filed = filed_masks(reader, policies, acts)
    return spilled_rows(acts, carried, numbers[index], filed), list(acts.texts.values())


def remove(folder: Path) -> None:
    """Removes a folder of files that no event names; one that is not there is no error."""
    shutil.rmtree(folder, ignore_errors=True)
