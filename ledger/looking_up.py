"""Asks the registers about a batch of claims, by each claim's day, and notes what they refuse or decide otherwise."""

from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import FACT
from core_ext.text import text_at, to_list
from ledger.policy_terms import MED_TYPES
from ledger.refusals import Refusal
from ledger.registers import UNRATED, Ints, entitled, load_institutions, load_members
from ledger.side_columns import DISEASE

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.knowledge import Knowledge
    from ledger.profile import Profile
    from ledger.store import Reader


def look_up(tx: "Reader", batch: "Batch", knowledge: "Knowledge", profile: "Profile") -> None:
    """Fills what registers say of a batch: assistance class, class, level, faults and flags.

    A reason found here refuses a claim that nobody has paid yet; one that its source has settled keeps it as a flag,
    and a refund follows its original whatever the registers say now. That a person must be enrolled holds for all.
    """
    days = batch.facts[:, FACT[profile.register_day]]
    if profile.register_day == "setl_time":
        days = days // 1_000_000
    asked = batch.person_tokens if knowledge.members else np.zeros_like(batch.person_tokens)
    members = load_members(tx, asked, batch.person, days)
    batch.assist = members.assist
    batch.flagged = np.zeros(batch.n, np.int64)
    none = np.zeros(batch.n, np.int64)
    batch.psn_type = none
    if profile.psn_class == "register":
        given = batch.facts[:, FACT["psn_type"]]
        batch.psn_type = np.where(members.psn_type != given, members.psn_type, 0)
    if profile.persons == "registered":
        batch.faults[members.enrolled == 0] |= 1 << Refusal.UNKNOWN_PSN_NO
        _note(batch, members.reason)
    batch.level = _institutions(tx, batch, knowledge, profile, days)
    if profile.chronic == "entitled":
        rows = np.flatnonzero(batch.facts[:, FACT["med_type"]] == MED_TYPES["chronic"])
        named = batch.columns.texts.get(DISEASE)
        diseases = [text_at(named, row) for row in rows.tolist()] if named is not None else None
        held = entitled(tx, batch.facts[rows, FACT["token"]], days[rows], diseases) if len(rows) else rows > 0
        missing = rows[~held]
        reason = none.copy()
        reason[missing] = Refusal.ENTITLEMENT_MISSING
        _note(batch, reason)


def _institutions(tx: "Reader", batch: "Batch", knowledge: "Knowledge", profile: "Profile", days: Ints) -> Ints:
    """Returns the level each claim is decided by: its institution's where it names none itself, else 0."""
    registered = profile.institutions == "registered"
    if not registered and not knowledge.institutions:
        return np.zeros(batch.n, np.int64)
    codes = to_list(batch.columns.texts["fixmedins_code"])
    found = load_institutions(tx, codes, batch.facts[:, FACT["med_type"]], days)
    if registered:
        _note(batch, found.reason)
    unrated = np.isin(batch.facts[:, FACT["hosp_lv"]], UNRATED)
    return np.where(unrated, found.level, 0)


def _note(batch: "Batch", reason: Ints) -> None:
    """Notes reasons (0: none): a fault of what nobody has paid, a flag of what its source has settled."""
    own = (reason > 0) & (batch.columns.refund == 0)
    bits = np.where(own, np.int64(1) << reason, 0)
    settled = batch.columns.settled.astype(bool)
    batch.faults |= np.where(settled, 0, bits)
    batch.flagged |= np.where(settled, bits, 0)
