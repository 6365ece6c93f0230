"""Keeps the limits of chronic diseases: what the basic fund may still pay a person for a disease in a year and a month.

What each claim used stands in events of the person's own stream, so no table is kept beside the log. A batch holds at
most one chronic claim of a person where limits are in force: the next one finds what that one used.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import AMOUNT, FACT
from core_ext.plan import NO_LIMIT
from core_ext.text import text_at
from ledger.benefit_events import DiseaseLimitUsed
from ledger.keys import YEARS, disease_stream
from ledger.mapper import decode_event
from ledger.policy_terms import INSUTYPES, MED_TYPES
from ledger.side_columns import DISEASE

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.event import Event
    from ledger.knowledge import Knowledge
    from ledger.store import Reader

Ints = NDArray[np.int64]

_INSUTYPE_NAMES = {code: name for name, code in INSUTYPES.items()}


class Limited(NamedTuple):
    """Is a claim whose disease has a limit, or a refund of one: ``left`` is what it leaves, None for a refund."""

    row: int
    token: int
    disease: str
    year: int
    period: int
    left: int | None
    gives_back: int
    version: int


def cut_at_disease(batch: "Batch", cut: int) -> int:
    """Returns how many rows may be decided together: up to the second chronic claim of a person, at most ``cut``."""
    seen: set[int] = set()
    for row in np.flatnonzero(batch.facts[:cut, FACT["med_type"]] == MED_TYPES["chronic"]).tolist():
        person = int(batch.person[row])
        if person in seen:
            return row
        seen.add(person)
    return cut


def find_limits(tx: "Reader", batch: "Batch", knowledge: "Knowledge") -> None:
    """Notes the claims of a batch that a disease's limit is about, with what it leaves them."""
    chronic = (batch.facts[:, FACT["med_type"]] == MED_TYPES["chronic"]) & (batch.kind != 0)
    for row in np.flatnonzero(chronic).tolist():
        token = int(batch.person_tokens[batch.person[row]])
        used = used_by(tx, token) if token else []
        found = _refund(batch, row, used) if batch.columns.refund[row] else _claim(batch, knowledge, row, used)
        if found is not None:
            batch.limited.append(found._replace(token=token, version=len(used) + 1))


def used_by(tx: "Reader", token: int) -> list[DiseaseLimitUsed]:
    """Returns what a person's claims used of limits, in log order."""
    events = [decode_event(topic, state) for _, _, topic, state in tx.stream(disease_stream(token))]
    return [event for event in events if isinstance(event, DiseaseLimitUsed)]


def _claim(batch: "Batch", knowledge: "Knowledge", row: int, used: list[DiseaseLimitUsed]) -> Limited | None:
    texts = batch.columns.texts.get(DISEASE)
    disease = text_at(texts, row) if texts is not None else ""
    digest = knowledge.policies.digest_in_force(int(batch.facts[row, FACT["insured_region"]]))
    policy = knowledge.policies.policy_named(digest) if digest else None
    if not disease or policy is None or batch.policy[row] < 0:
        return None
    insutype = _INSUTYPE_NAMES.get(int(batch.facts[row, FACT["insutype"]]), "")
    day = int(batch.facts[row, FACT[policy.header.policy_date]])
    rules = policy.rules_on(insutype, day if day < 10**8 else day // 10**6)
    limits = [each for each in rules.disease_limits if each.disease == disease] if rules else []
    if not limits:
        return None
    year = int(batch.slot_keys[batch.slot[row]]) % YEARS
    period = int(batch.facts[row, FACT["setl_time"]]) // 10**8
    own = [each for each in used if each.disease == disease and each.year == year]
    of_year, of_month = sum(e.used_fen for e in own), sum(e.used_fen for e in own if e.period == period)
    left = min(limits[0].yearly_cap - of_year, limits[0].monthly_cap - of_month, NO_LIMIT - 1)
    return Limited(row, 0, disease, year, period, max(0, left), 0, 0)


def _refund(batch: "Batch", row: int, used: list[DiseaseLimitUsed]) -> Limited | None:
    """Returns the refund of a claim that used a limit, as that one used it."""
    assert batch.originals is not None
    ref = int(batch.originals.ref[row])
    if ref < batch.n:
        return None
    claim = batch.originals.positions[ref - batch.n]
    own = [each for each in used if each.claim == claim]
    if not own:
        return None
    return Limited(row, 0, own[0].disease, own[0].year, own[0].period, None, own[0].used_fen, 0)


def limits_used(batch: "Batch", filed_at: Ints, cause: int) -> "list[tuple[str, int, Event]]":
    """Returns what the booked claims of a batch used of their diseases' limits, as events behind them."""
    booked = set(batch.booked_rows().tolist())
    events: list[tuple[str, int, Event]] = []
    for each in batch.limited:
        if each.row not in booked:
            continue
        token = int(batch.person_tokens[batch.person[each.row]])
        paid = -each.gives_back if each.left is None else int(batch.booked[each.row, AMOUNT["hifp_pay"]])
        event = DiseaseLimitUsed(
            cause, batch.columns.first_row + each.row, token, int(filed_at[each.row]), each.disease, each.year,
            each.period, paid,
        )  # fmt: skip
        events.append((disease_stream(token), each.version, event))
    return events
