"""Looks registers up by day for a batch: persons, institutions, entitlements, filings (DOMAIN sections 10, 10a)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.layout import FACT
from ledger.refusals import Refusal
from ledger.register_events import STATUS_ENDED, STATUS_SUSPENDED

if TYPE_CHECKING:
    from ledger.store import Reader

Ints = npt.NDArray[np.int64]

#: Filing types as FilingRegistered.filing stores them; type t counts as bit t - 1 of a mask.
FILINGS = {"long_term": 1, "referral": 2, "emergency": 3, "temporary": 4}

#: The classes a settlement may be decided under (HOW ``filing``).
FILING_CLASSES = ("", "long_term", "no_filing_needed", "referral", "emergency", "temporary", "unfiled")


#: Levels that are no level: an institution with one of them takes the ratios of its settlement grade.
UNRATED = (0, 9)

_DAYS = 100_000_000


def in_force(keys: Ints, begins: Ints, wanted: Ints, days: Ints) -> Ints:
    """Returns, for each (key, day) asked for, the row in force: its key's last that begins by then; -1 where none.

    ``keys`` and ``begins`` [k] are dated rows in any order, ``wanted`` and ``days`` [n] the question.
    """
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    packed = keys * _DAYS + begins
    order = np.argsort(packed, kind="stable")
    at = np.searchsorted(packed[order], wanted * _DAYS + days, "right") - 1
    row = order[np.maximum(at, 0)]
    return np.where((at >= 0) & (keys[row] == wanted), row, -1)


@dataclass(frozen=True, slots=True)
class MembersFound:
    """Is what the member register says of each claim's person on its day; 0 throughout where nothing is in force.

    ``enrolled`` 0/1: the person is in the register at all; ``reason`` the Refusal benefits meet on that day, 0 none.
    """

    enrolled: Ints
    assist: Ints
    psn_type: Ints
    reason: Ints


def load_members(tx: "Reader", tokens: Ints, person: Ints, days: Ints) -> MembersFound:
    """Returns what holds of persons on days: ``tokens`` by person (0 is nobody), ``person`` and ``days`` by claim."""
    columns = "begin, psn_type, assist_class, covered_from, status"
    known = np.flatnonzero(tokens > 0)
    rows = tx.lookup("member", "token", columns, tokens[known]) if len(known) else []
    table = np.array(rows, np.int64).reshape(-1, 6)
    own = known[table[:, 0]] if len(table) else table[:, 0]
    enrolled = np.zeros(len(tokens), np.int64)
    enrolled[own] = 1
    row = in_force(own, table[:, 1], person, days)
    there = row >= 0
    values = np.where(there[:, None], table[np.maximum(row, 0)], 0) if len(table) else np.zeros((len(row), 6), np.int64)
    reason = np.where(there & (days >= values[:, 4]), 0, int(Refusal.MEMBER_NOT_COVERED))
    reason = np.where(values[:, 5] == STATUS_SUSPENDED, int(Refusal.MEMBER_SUSPENDED), reason)
    reason = np.where(values[:, 5] == STATUS_ENDED, int(Refusal.MEMBER_ENDED), reason)
    reason = np.where(enrolled[person] == 1, reason, 0)
    return MembersFound(enrolled[person], values[:, 3], values[:, 2], reason)


@dataclass(frozen=True, slots=True)
class InstitutionsFound:
    """Is what the institution register says of each claim: the Refusal it meets (0 none), the level of its ratios.

    ``level`` is the institution's own, the settlement grade of an unrated one, 0 where there is neither.
    """

    reason: Ints
    level: Ints


def load_institutions(tx: "Reader", codes: Sequence[str], med_types: Ints, days: Ints) -> InstitutionsFound:
    """Returns what holds of each claim's institution on its day, by code."""
    index: dict[str, int] = {}
    of_claim = np.fromiter((index.setdefault(code, len(index)) for code in codes), np.int64, len(codes))
    rows = tx.lookup("institution", "code", "begin, status, hosp_lv, grade, med_types", list(index))
    table = np.array([row[:5] for row in rows], np.int64).reshape(-1, 5)
    row = in_force(table[:, 0], table[:, 1], of_claim, days)
    if not len(table):
        return InstitutionsFound(np.full(len(row), int(Refusal.INSTITUTION_UNKNOWN), np.int64), np.zeros_like(row))
    values = table[np.maximum(row, 0)]
    listed = {text: at for at, text in enumerate(dict.fromkeys(str(each[5]) for each in rows))}
    sets = np.fromiter((listed[str(each[5])] for each in rows), np.int64, len(rows))[np.maximum(row, 0)]
    capable = np.ones(len(row), np.bool_)
    for text, at in listed.items():
        if text:
            capable[sets == at] = np.isin(med_types[sets == at], np.array(text.split(), np.int64))
    reason = np.where(capable, 0, int(Refusal.INSTITUTION_INCAPABLE))
    reason = np.where(values[:, 2] == STATUS_SUSPENDED, int(Refusal.INSTITUTION_SUSPENDED), reason)
    reason = np.where(values[:, 2] == STATUS_ENDED, int(Refusal.INSTITUTION_TERMINATED), reason)
    reason = np.where(row >= 0, reason, int(Refusal.INSTITUTION_UNKNOWN))
    level = np.where(np.isin(values[:, 3], UNRATED), values[:, 4], values[:, 3])
    return InstitutionsFound(reason, np.where(row >= 0, level, 0))


def entitled(tx: "Reader", tokens: Ints, days: Ints, diseases: Sequence[str] | None = None) -> npt.NDArray[np.bool_]:
    """Returns whether each claim's person has a chronic entitlement in force on its day.

    One to any disease counts, or to the claim's own where it names one in ``diseases``.
    """
    persons, person_of = np.unique(tokens, return_inverse=True)
    rows = tx.lookup("entitlement", "token", "begin, to_, disease", persons)
    spans = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
    claim, span = pairs(spans[:, 0], person_of)
    counts = (spans[span, 1] <= days[claim]) & ((spans[span, 2] == 0) | (spans[span, 2] >= days[claim]))
    if diseases is not None:
        to = [str(row[3]) for row in rows]
        own = [diseases[at] in ("", to[row]) for at, row in zip(claim.tolist(), span.tolist(), strict=True)]
        counts &= np.array(own, np.bool_)
    found = np.zeros(len(tokens), np.bool_)
    found[claim[counts]] = True
    return found


def pairs(keys: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """Returns (index into ``wanted``, index into ``keys``) of every pair of equal keys."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.searchsorted(ordered, wanted, "left")
    count = np.searchsorted(ordered, wanted, "right") - first
    asked = np.repeat(np.arange(len(wanted), dtype=np.int64), count)
    within = np.arange(len(asked)) - np.repeat(np.cumsum(count) - count, count)
    return asked, order[np.repeat(first, count) + within]


def filing_masks(tx: "Reader", facts: Ints, region_of: Callable[[Ints], Ints]) -> Ints:
    """Returns, for each claim, the filing types that count: its person's, its treatment region's, sharing a day.

    A filing may name a place inside its region. One without an end never ends; one filed late but before discharge
    shares the discharge day, so it counts.
    """
    masks = np.zeros(len(facts), np.int64)
    away = facts[:, FACT["insured_region"]] != facts[:, FACT["treatment_region"]]
    rows = np.flatnonzero(away & (facts[:, FACT["token"]] > 0))
    if not len(rows):
        return masks
    persons, person_of = np.unique(facts[rows, FACT["token"]], return_inverse=True)
    filings = np.array(tx.lookup("filing", "token", "filing, region, begin, to_", persons), np.int64).reshape(-1, 5)
    if not len(filings):
        return masks
    asked, at = pairs(filings[:, 0], person_of)
    pair_row, pair = rows[asked], filings[at]
    counts = (
        (region_of(pair[:, 2]) == facts[pair_row, FACT["treatment_region"]])
        & (pair[:, 3] <= facts[pair_row, FACT["enddate"]])
        & ((pair[:, 4] == 0) | (pair[:, 4] >= facts[pair_row, FACT["begndate"]]))
    )
    np.bitwise_or.at(masks, pair_row[counts], np.int64(1) << (pair[counts, 1] - 1))
    return masks
