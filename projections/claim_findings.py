"""Lists what was found about claims: amounts unlike the policy's, lines unlike the split, codes settled twice."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS
from core_ext.line_cells import PARTS
from ledger.acts import build_acts
from ledger.after_refunds import outdated
from ledger.events import BASIS_RESETTLED, ClaimReversed, ClaimSettled, Event, SettlementDiffers
from ledger.knowledge import Knowledge
from ledger.line_events import LinesDiffer, TraceCodeRepeated
from ledger.mapper import decode_event, encode_event
from ledger.resettled import resettlements, standing
from projections.trace import ACT

if TYPE_CHECKING:
    from ledger.store import Reader

#: Fields of a claim, in the order of the lines' PARTS.
CLAIM_FIELDS = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")

KINDS = {
    SettlementDiffers.TOPIC: "settlement_differs",
    LinesDiffer.TOPIC: "lines_differ",
    TraceCodeRepeated.TOPIC: "trace_code_repeated",
}

#: A difference of lines is open while no later lines of its claim stand behind it.
SELECT_FINDINGS = """
SELECT f.position, f.topic, f.claim, a.insured_region, a.setl_id, a.period
FROM finding AS f JOIN trace_act AS a ON a.claim = f.claim
WHERE (? = 0 OR a.period = ?) AND NOT (f.topic = ? AND EXISTS (
    SELECT 1 FROM filed_lines AS l WHERE l.claim = f.claim AND l.position > f.position))
ORDER BY f.position"""

#: Persons with a settlement behind a refunded one, and all of their acts, each person's in log order.
SELECT_REFUNDED = f"""
SELECT a.claim, a.token FROM trace_act AS a WHERE a.basis <> {BASIS_RESETTLED} AND a.token IN (
    SELECT r.token FROM trace_act AS r JOIN trace_act AS l ON l.token = r.token AND l.claim > r.original
    WHERE r.original > 0 AND r.basis <> {BASIS_RESETTLED} AND l.original = 0) ORDER BY a.token, a.claim"""

CHUNK = 1_000
#: Acts of whole persons that are decided again together.
CHUNK_ACTS = 32_768


class ClaimFinding(msgspec.Struct, frozen=True):
    """Is one finding about one field of a claim, amounts in fen; ``claim`` is REGION/SETL_ID.

    ``stated_fen`` is what the claim says, ``found_fen`` what the policy or the lines say. Where ``lines`` is above 0
    it is the lines: so many differ, together they say ``stated_fen`` and the rules ``found_fen``. A repeated trace
    code has ``code`` and ``first``, the claim that settled it before.
    """

    kind: str
    position: int
    claim: str
    period: int
    field: str
    stated_fen: int
    found_fen: int
    difference_fen: int
    lines: int = 0
    code: str = ""
    first: str = ""


def find(reader: "Reader", period: int = 0) -> Iterator[ClaimFinding]:
    """Yields the findings in log order, those of claims of one clearing period where one is given."""
    rows = reader.query(SELECT_FINDINGS, (period, period, LinesDiffer.TOPIC))
    for at in range(0, len(rows), CHUNK):
        chunk = rows[at : at + CHUNK]
        wanted = {row[0] for row in chunk} | {row[2] + 1 for row in chunk if row[1] == SettlementDiffers.TOPIC}
        found = reader.events_at(sorted(wanted))
        events = {position: decode_event(topic, state) for position, (_, _, topic, state) in found.items()}
        names = _names(reader, {event.first for event in events.values() if isinstance(event, TraceCodeRepeated)})
        for position, topic, claim, region, setl_id, booked in chunk:
            named = (KINDS[topic], int(position), f"{region:06d}/{setl_id}", int(booked))
            event = events[position]
            if isinstance(event, TraceCodeRepeated):
                code = (event.code, names.get(event.first, ""))
                yield ClaimFinding(*named, "drug_trac_codg", 0, 0, 0, 1, *code)
                continue
            for field, stated, other, lines in _fields(event, events.get(claim + 1)):
                yield ClaimFinding(*named, field, stated, other, other - stated, lines)


def find_outdated(reader: "Reader", period: int = 0) -> Iterator[ClaimFinding]:
    """Yields what standing settlements would be had the refunded ones before them never been; nobody is re-priced."""
    known = Knowledge()
    known.refresh(reader)
    found = [each for claims in _refunded(reader) for each in _outdated(reader, known, claims, period)]
    yield from sorted(found, key=lambda each: each.position)


def _refunded(reader: "Reader") -> Iterator[list[int]]:
    """Yields the acts of persons with a settlement behind a refunded one, whole persons at a time, in log order."""
    claims: list[int] = []
    last = 0
    for claim, token in reader.query(SELECT_REFUNDED, ()):
        if token != last and len(claims) >= CHUNK_ACTS:
            yield sorted(claims)
            claims = []
        claims.append(int(claim))
        last = token
    if claims:
        yield sorted(claims)


def _outdated(reader: "Reader", known: Knowledge, claims: list[int], period: int) -> Iterator[ClaimFinding]:
    events = reader.events_at([at for claim in claims for at in (claim, claim + 1)])
    acts = build_acts(
        np.array(claims, np.int64),
        [events[claim][3] for claim in claims],
        _standing(reader, claims, events),
        np.array([events[claim + 1][2] == ClaimReversed.TOPIC for claim in claims], np.bool_),
    )
    names = _names(reader, claims)
    for each in outdated(acts, known.policies):
        booked_in = int(acts.period[each.row])
        if period in (0, booked_in):
            difference = each.would_be_fen - each.booked_fen
            yield ClaimFinding(
                "settled_before_refund", each.claim, names[each.claim], booked_in, each.field, each.booked_fen,
                each.would_be_fen, difference,
            )  # fmt: skip


def _standing(reader: "Reader", claims: list[int], events: Mapping[int, tuple[str, int, str, bytes]]) -> list[bytes]:
    """Returns the decision of each claim as a state; of one that was booked anew with what stands now."""
    later = resettlements(reader, sorted({events[claim][0] for claim in claims}))
    states = []
    for claim in claims:
        _, _, topic, state = events[claim + 1]
        if claim in later:
            decision = decode_event(topic, state)
            assert isinstance(decision, ClaimSettled)
            stands = standing(decision, later[claim])
            paid = decision.amounts[AMOUNT["acct_pay"]] - stands.amounts[AMOUNT["acct_pay"]]
            state = encode_event(msgspec.structs.replace(stands, balc=decision.balc + paid))
        states.append(state)
    return states


def _names(reader: "Reader", claims: Collection[int]) -> dict[int, str]:
    """Returns REGION/SETL_ID of claims by position."""
    keys = np.array(sorted(claims), np.int64)
    rows = reader.lookup(ACT.name, "claim", "claim, insured_region, setl_id", keys) if claims else []
    return {int(claim): f"{region:06d}/{setl_id}" for _, claim, region, setl_id in rows}


def _fields(event: Event, decision: Event | None) -> Iterator[tuple[str, int, int, int]]:
    """Yields (field, what the claim says, what was found, the lines that differ) of a difference."""
    match event:
        case SettlementDiffers():
            assert isinstance(decision, ClaimSettled | ClaimReversed)
            for name, stated, computed in zip(AMOUNTS, decision.amounts, event.computed, strict=True):
                if stated != computed:
                    yield name, stated, computed, 0
        case LinesDiffer():
            for name, stated, summed in zip(CLAIM_FIELDS, event.claimed, event.sums, strict=True):
                if stated != summed:
                    yield name, stated, summed, 0
            if event.differing:
                for name, given, split in zip(PARTS, event.sums, event.split, strict=True):
                    if given != split:
                        yield name, given, split, event.differing
                if event.sums == event.split:
                    # Lines too high and too low that cancel out.
                    yield PARTS[0], event.sums[0], event.split[0], event.differing
