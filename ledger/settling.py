"""Books claims that come as values instead of a file: one result a claim, on the same booking path.

A claim's cells are read by the same kernel as a file's, so they mean the same and are refused for the same reasons.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from core_ext.cells import COLUMNS, KEY_BYTES, TEXT_COLUMNS, new_cells
from core_ext.kernels import load
from core_ext.layout import AMOUNT, AMOUNTS, FACTS
from ledger import booking, writing
from ledger.claim import BOOKED, DUPLICATE, REFUSED, Claim, Settled
from ledger.events import FLAG_LATE, ClaimFiled, ClaimReversed, ClaimSettled
from ledger.local_time import CHINA
from ledger.mapper import decode_event
from ledger.normalising import asks_for_normalising
from ledger.quarantine import explain
from ledger.refusals import Refusal, Refused
from ledger.source import ClaimColumns

if TYPE_CHECKING:
    from ledger.profile import Profile
    from ledger.store import Transaction
    from ledger.verbs.base import Base

VERB = "settle"

_PLACES = np.arange(len(COLUMNS), dtype=np.int64)
_AT = {name: at for at, name in enumerate(COLUMNS)}
_MONEY = frozenset(AMOUNTS) | {name for name in FACTS if name.endswith(("_amt", "_sumamt", "_selfpay"))}


def cells_of(claim: Claim, number: int) -> list[str]:
    """Returns a claim's cells in order of COLUMNS; raises Refused for a value of a type that says no such thing."""
    if not isinstance(claim, Claim):
        raise Refused(
            Refusal.BAD_VALUE, f"claim {number}: expected ledger.Claim, got {type(claim).__name__}; nothing was written"
        )
    cells = []
    for name in COLUMNS:
        value = getattr(claim, name)
        sound: tuple[type, ...] = (str,)
        if name in _MONEY:
            sound = (str, Decimal)
        elif name in ("begndate", "enddate", "setl_time"):
            sound = (str, datetime.date)
        elif name not in TEXT_COLUMNS:
            sound = (str, int)
        if not isinstance(value, sound) or isinstance(value, bool):
            kinds = " or ".join(kind.__name__ for kind in sound)
            raise Refused(
                Refusal.BAD_VALUE,
                f"claim {number}, {name}: expected {kinds}, got {type(value).__name__} {value!r}; nothing was written",
            )
        if isinstance(value, datetime.datetime):
            local = value if value.tzinfo is None else value.astimezone(CHINA)
            cells.append(local.strftime("%Y-%m-%d %H:%M:%S"))
        else:
            cells.append(f"{value:f}" if isinstance(value, Decimal) else str(value))
    return cells


def columns_of(records: Sequence[Sequence[str]], profile: "Profile", first_row: int) -> ClaimColumns:
    """Returns records of cells, each in order of COLUMNS, as the batch a file of them would give."""
    cells = new_cells(len(records), len(COLUMNS))
    data = bytearray()
    for row, record in enumerate(records):
        cells.records[row, 0] = len(data)
        for at, text in enumerate(record):
            cells.starts[row, at] = len(data)
            data += text.encode("utf-8", "surrogatepass")
            cells.ends[row, at] = len(data)
            data += b","
        cells.records[row, 1] = len(data) - 1
    # The kernel reads whole words, the last one over a cell's end.
    raw = np.frombuffer(bytes(data) + bytes(KEY_BYTES), np.uint8)
    found = load("parse").parse(raw, cells, len(records), _PLACES, np.array(profile.insutypes, np.int64))
    return ClaimColumns.of(found, first_row, _AT)


def check_profile(profile: "Profile") -> None:
    """Refuses a profile that says what a file's cells mean: a Claim has the national names and meanings."""
    if profile.columns or asks_for_normalising(profile):
        raise Refused(
            Refusal.NOT_ALLOWED,
            f"profile {profile.name}: expected one without columns and meanings of a file's own, since claims given as"
            " values have the national ones",
        )


def settle_in(
    tx: "Transaction", ledger: "Base", records: Sequence[Sequence[str]], profile: "Profile", reason: str
) -> list[Settled]:
    """Books records one after the other, each over the state the one before it left, and returns what became of each.

    Nothing is appended where nothing books; otherwise one command stands in front, and every event carries it.
    """
    rest = columns_of(records, profile, 1)
    results: list[Settled] = []
    cause = 0
    while rest.n:
        batch = booking.decide(tx, rest, ledger.knowledge, profile)
        headers = []
        if not cause and len(batch.booked_rows()):
            cause, command = ledger.command(tx, VERB, reason, {"claims": len(records)})
            headers = [command]
        filed_at = np.zeros(batch.n, np.int64)
        if len(batch.booked_rows()):
            order, opened = writing.write(tx, batch, ledger.knowledge, cause, headers)
            ledger.knowledge.appended(tx.size, opened)
            filed_at = order.filed_at
        results += _results(tx, batch, filed_at, records[len(results) :], profile)
        rest = rest.slice(batch.n, rest.n)
    return results


def _results(
    tx: "Transaction",
    batch: booking.Batch,
    filed_at: writing.Column,
    records: Sequence[Sequence[str]],
    profile: "Profile",
) -> list[Settled]:
    reasons = batch.reasons()
    fields = batch.columns.fields_of(np.arange(batch.n), reasons).tolist()
    known = _booked_before(tx, sorted(set(batch.duplicate_of.values())))
    results = []
    for row in range(batch.n):
        setl_id = records[row][_AT["setl_id"]]
        if row in batch.duplicate_of:
            results.append(known[batch.duplicate_of[row]])
        elif reasons[row]:
            refusal = Refusal(int(reasons[row]))
            name = COLUMNS[fields[row]] if fields[row] >= 0 else ""
            words = explain(refusal, name, dict(zip(COLUMNS, records[row], strict=True)), profile.insutypes)
            results.append(Settled(REFUSED, setl_id, 0, 0, {}, 0, False, (), refusal.code, *words))
        else:
            results.append(
                Settled(
                    BOOKED,
                    setl_id,
                    int(filed_at[row]),
                    int(batch.period[row]),
                    dict(zip(AMOUNTS, batch.booked[row].tolist(), strict=True)),
                    int(batch.balc[row]),
                    bool(batch.flags[row] & FLAG_LATE),
                    tuple(found.code for found in Refusal if found and int(batch.flagged[row]) >> found & 1),
                )
            )
    return results


def _booked_before(tx: "Transaction", positions: Sequence[int]) -> dict[int, Settled]:
    """Returns what was booked for the ClaimFiled events at positions."""
    if not positions:
        return {}
    found = tx.events_at([*positions, *(position + 1 for position in positions)])
    results = {}
    for position in positions:
        filed = decode_event(found[position][2], found[position][3])
        decision = decode_event(found[position + 1][2], found[position + 1][3])
        assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled | ClaimReversed)
        amounts = dict(zip(AMOUNT, decision.amounts, strict=True))
        late = bool(decision.flags & FLAG_LATE)
        results[position] = Settled(DUPLICATE, filed.setl_id, position, decision.period, amounts, decision.balc, late)
    return results
