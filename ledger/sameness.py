"""Tells whether a row says again what the log already holds: every fact of the filed claim is compared.

A person's name is no fact of a settlement and is not in the log, so it does not count; neither do the job and
the row a claim came from.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from core_ext.layout import ABSENT, FACTS
from core_ext.text import text_at
from ledger.events import ClaimFiled
from ledger.mapper import decode_event

if TYPE_CHECKING:
    from ledger.booking import Batch

TEXTS = ("setl_id", "mdtrt_id", "medins_setl_id", "fixmedins_code", "init_setl_id")


def filed_claim(batch: "Batch", row: int, cause: int) -> ClaimFiled:
    """Returns the ClaimFiled of one row of a batch: the plain twin of the columnar encoding."""
    columns = batch.columns
    facts: dict[str, Any] = dict(zip(FACTS, batch.facts[row].tolist(), strict=True))
    facts |= {name: text_at(columns.texts[name], row) for name in TEXTS}
    given = None
    if columns.settled[row]:
        given = tuple(None if value == ABSENT else value for value in columns.given[row].tolist())
    return ClaimFiled(cause=cause, row=columns.first_row + row, given=given, **facts)


def same_rows(batch: "Batch", one: int, other: int) -> bool:
    """Returns whether two rows of a batch are equal in every fact, as ``same_content`` says of a stored one."""
    if batch.person[one] != batch.person[other]:
        return False
    claim, earlier = filed_claim(batch, one, 0), filed_claim(batch, other, 0)
    return msgspec.structs.replace(claim, row=earlier.row) == earlier


def same_content(batch: "Batch", row: int, state: bytes) -> bool:
    """Returns whether a row equals the stored ClaimFiled in every fact."""
    stored = decode_event(ClaimFiled.TOPIC, state)
    assert isinstance(stored, ClaimFiled)
    fresh = filed_claim(batch, row, stored.cause)
    return msgspec.structs.replace(fresh, row=stored.row) == stored
