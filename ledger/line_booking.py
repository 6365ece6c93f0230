"""Decides a batch of fee lines inside one transaction: which are booked, what they split into, what does not agree.

Lines belong to a booked claim. The claim was paid as it stands, so nothing here refuses or changes it: what its lines
say otherwise, and a trace code settled before, are findings.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core_ext.kernels import load
from core_ext.layout import ABSENT, FACT, FACTS
from core_ext.line_cells import LINE, PARTS
from core_ext.text import Texts, text_at, to_list
from ledger.caps import DrugCaps, any_cap, price_caps
from ledger.columnar import decode_columns
from ledger.events import ClaimFiled
from ledger.keys import claim_stream
from ledger.line_columns import differing, lines_of, own_amounts
from ledger.line_events import LinesDiffer, LinesFiled
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.trace_codes import CodeBook, find_codes

if TYPE_CHECKING:
    from ledger.knowledge import Knowledge
    from ledger.line_source import LineColumns
    from ledger.profile import Profile
    from ledger.store import Transaction

Int64s = NDArray[np.int64]

_GIVEN = slice(LINE[PARTS[0]], LINE[PARTS[0]] + len(PARTS))
_SPLITS = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
#: A row whose lines are filed by the same batch; its event's position is known once the batch is arranged.
OWN_EVENT = -1

CLASS_C = 3
APPROVED = 1


@dataclass(slots=True)
class Claims:
    """Is the claims of a batch's runs, one row a run: what the log holds of each.

    ``position`` of the ClaimFiled (0: no such claim), ``version`` of its stream's last event, ``token``, ``splits``
    int64[r, 5], ``original`` the position of the claim it refunds (0: none), ``filed`` its earlier LinesFiled with
    their positions, ``differed`` the lines that differed after the last of them.
    """

    position: Int64s
    version: Int64s
    token: Int64s
    splits: Int64s
    original: Int64s
    filed: dict[int, list[tuple[int, LinesFiled]]] = field(default_factory=dict)
    differed: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class LineBatch:
    """Is a batch of fee lines decided: ``rows`` are booked, in order, and the arrays behind them have their rows.

    ``of`` numbers the run of each booked row, ``parts`` are what the rules split it into, ``used`` what it
    counts toward drug maxima. ``sums`` (their own), ``split`` and ``differing`` are those of this batch per run.
    """

    columns: "LineColumns"
    streams: list[str]
    claims: Claims
    faults: Int64s
    duplicate_of: dict[int, int]
    rows: Int64s
    of: Int64s
    parts: Int64s
    used: Int64s
    sums: Int64s
    split: Int64s
    differing: Int64s
    items: list[str]
    codes: CodeBook

    def reasons(self) -> Int64s:
        """Returns each row's Refusal: the lowest that applies; 0 for booked rows and duplicates."""
        lowest = self.faults & -self.faults
        # A power of two below 2**53 is exact as a double, so is its logarithm.
        reason = np.where(self.faults == 0, 0, np.log2(np.maximum(lowest, 1)).astype(np.int64))
        for row in self.duplicate_of:
            reason[row] = 0
        return np.asarray(reason, np.int64)


def decide(tx: "Transaction", columns: "LineColumns", knowledge: "Knowledge", profile: "Profile") -> LineBatch:
    """Returns the decision on the first runs of ``columns``, up to one of a claim that an earlier one has."""
    run = np.cumsum(columns.head) - 1
    heads = np.flatnonzero(columns.head)
    regions = knowledge.policies.region_of(columns.table[heads, LINE["insu_admdvs"]]).tolist()
    setl_ids = _texts_at(columns, "setl_id", heads)
    streams = [claim_stream(region, setl_id) for region, setl_id in zip(regions, setl_ids, strict=True)]
    seen: set[str] = set()
    for stream, row in zip(streams, heads.tolist(), strict=True):
        if stream in seen:
            return decide(tx, columns.slice(0, row), knowledge, profile)
        seen.add(stream)
    claims = _find_claims(tx, streams)
    capped = any_cap(tx)
    if capped and (at := _first_refund_of(claims)):
        # What its original counts is known once that is written.
        return decide(tx, columns.slice(0, int(heads[at])), knowledge, profile)
    if profile.refund_amounts == "positive":
        columns = _refunds_negated(columns, run, claims)
    faults = columns.faults.copy()
    known = (run >= 0) & (claims.position[run] > 0) if len(streams) else run >= 0
    faults[(run >= 0) & ~known] |= 1 << Refusal.LINE_CLAIM_UNKNOWN
    duplicate_of = _find_known(columns, claims, faults)
    sound = faults == 0
    sound[list(duplicate_of)] = False
    rows = np.flatnonzero(sound)
    return _split(tx, profile, columns, streams, run, claims, faults, duplicate_of, rows, capped)


def _refunds_negated(columns: "LineColumns", run: Int64s, claims: Claims) -> "LineColumns":
    """Returns the columns with the lines of refunds negated where they come with positive amounts, as their claim did.

    A run is positive where its prices times counts are: a line taken back inside it is the other way round.
    """
    refunds = np.flatnonzero(claims.original > 0)
    table = columns.table
    for at in refunds.tolist():
        rows = np.flatnonzero((run == at) & (columns.faults == 0))
        pairs = table[rows][:, [LINE["pric"], LINE["cnt"]]].tolist()
        if sum(price * count for price, count in pairs) > 0:
            table = table.copy() if table is columns.table else table
            table[rows, LINE["cnt"]] *= -1
            given = table[rows, _GIVEN]
            table[rows, _GIVEN] = np.where(given == ABSENT, ABSENT, -given)
    return columns if table is columns.table else replace(columns, table=table)


def _first_refund_of(claims: Claims) -> int:
    """Returns the first run whose claim refunds that of an earlier run of the batch, 0 where there is none."""
    earlier: set[int] = set()
    for at, (position, original) in enumerate(zip(claims.position.tolist(), claims.original.tolist(), strict=True)):
        if original and original in earlier:
            return at
        earlier.add(position)
    return 0


def _texts_at(columns: "LineColumns", name: str, rows: Int64s) -> list[str]:
    """Returns the texts of a column in some rows."""
    return to_list(Texts(*load("gather").gather((columns.texts[name],), np.zeros(len(rows), np.int64), rows)))


def _find_claims(tx: "Transaction", streams: list[str]) -> Claims:
    n = len(streams)
    position, version, token, original = np.zeros((4, n), np.int64)
    claims = Claims(position, version, token, np.zeros((n, len(PARTS)), np.int64), original)
    columns = "originator_version, notification_id, topic, state"
    found = sorted(tx.lookup("stored_events", "originator_id", columns, streams)) if streams else []
    filed: list[tuple[int, bytes]] = []
    for at, version, position, topic, state in found:
        claims.version[at] = version
        if topic == ClaimFiled.TOPIC:
            claims.position[at] = position
            filed.append((at, state))
        elif topic == LinesFiled.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, LinesFiled)
            claims.filed.setdefault(at, []).append((position, event))
            claims.differed.pop(at, None)
        elif topic == LinesDiffer.TOPIC:
            finding = decode_event(topic, state)
            assert isinstance(finding, LinesDiffer)
            claims.differed[at] = finding.differing
    if filed:
        index = np.array([at for at, _ in filed], np.int64)
        facts: dict[str, Any] = decode_columns(ClaimFiled, [state for _, state in filed], {"facts": FACTS})
        table = facts["facts"]
        claims.token[index] = table[:, FACT["token"]]
        claims.splits[index] = table[:, [FACT[name] for name in _SPLITS]]
        _find_originals(tx, claims, index, table, to_list(facts["init_setl_id"]))
    return claims


def _find_originals(tx: "Transaction", claims: Claims, index: Int64s, facts: Int64s, refunded: list[str]) -> None:
    regions = facts[:, FACT["insured_region"]].tolist()
    streams = {at: claim_stream(regions[at], setl_id) for at, setl_id in enumerate(refunded) if setl_id}
    found = tx.first_events(sorted(set(streams.values()))) if streams else {}
    for at, stream in streams.items():
        claims.original[index[at]] = found[stream][0]


def _find_known(columns: "LineColumns", claims: Claims, faults: Int64s) -> dict[int, int]:
    """Marks lines their claim has already: equal ones are duplicates of an event, others conflict."""
    serials = to_list(columns.texts["feedetl_sn"])
    duplicate_of: dict[int, int] = {}
    begins = np.flatnonzero(columns.head).tolist()
    for at, (begin, stop) in enumerate(zip(begins, [*begins[1:], columns.n], strict=True)):
        if at not in claims.filed and len(set(serials[begin:stop])) == stop - begin:
            continue
        held: dict[str, tuple[int, tuple[object, ...]]] = {}
        for position, event in claims.filed.get(at, ()):
            lines = lines_of(event)
            held |= {serial: (position, lines.content(i)) for i, serial in enumerate(lines.serials)}
        for row in range(begin, stop):
            if faults[row]:
                continue
            content = (
                *columns.table[row, 1:].tolist(),
                *(text_at(columns.texts[name], row) for name in ("med_list_codg", "drug_trac_codg")),
            )
            if serials[row] not in held:
                held[serials[row]] = (OWN_EVENT, content)
            elif held[serials[row]][1] == content:
                duplicate_of[row] = held[serials[row]][0]
            else:
                faults[row] |= 1 << Refusal.LINE_CONFLICT
    return duplicate_of


def _split(
    tx: "Transaction",
    profile: "Profile",
    columns: "LineColumns",
    streams: list[str],
    run: Int64s,
    claims: Claims,
    faults: Int64s,
    duplicate_of: dict[int, int],
    rows: Int64s,
    capped: bool,
) -> LineBatch:
    """Splits the lines that are booked, sums them per run and looks for repeated trace codes."""
    table, of = np.ascontiguousarray(columns.table[rows]), run[rows]
    # The items' names cost more than their split: they are looked at where a register names some.
    items = _texts_at(columns, "med_list_codg", rows) if capped else []
    tokens, days = claims.token[of], table[:, LINE["fee_ocur_time"]]
    full = (table[:, LINE["chrgitm_lv"]] == CLASS_C) | (np.diff(columns.texts["med_list_codg"].offsets)[rows] == 0)
    full |= (table[:, LINE["lmt_used_flag"]] == 1) & (table[:, LINE["hosp_appr_flag"]] != APPROVED)
    caps = price_caps(tx, items, days, table[:, LINE["pric_uplmt_amt"]].copy())
    room = DrugCaps(tx, items, tokens).room(tx, items, days, tokens, claims.position[of], claims.original[of])
    parts, used = load("lines").split(table, full.astype(np.int64), caps, room.slots, *room.arrays())
    given = table[:, _GIVEN]
    apart = differing(given, parts, profile.line_tolerance_fen)
    sums, split = np.zeros((2, len(streams), len(PARTS)), np.int64)
    fold = load("fold").fold
    fold(of, own_amounts(given, parts), sums)
    fold(of, parts, split)
    return LineBatch(
        columns=columns,
        streams=streams,
        claims=claims,
        faults=faults,
        duplicate_of=duplicate_of,
        rows=rows,
        of=of,
        parts=parts,
        used=used,
        sums=sums,
        split=split,
        differing=np.bincount(of[apart], minlength=len(streams)),
        items=items,
        codes=find_codes(tx, columns, rows, of, claims, profile),
    )
