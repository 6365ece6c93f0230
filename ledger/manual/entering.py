"""Reads and settles the claim of an application by the same kernels and checks as a claim of a file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.cells import COLUMNS, new_cells
from core_ext.layout import AMOUNTS, FACT, FUND_PARTS
from ledger import booking, clawbacks, writing
from ledger.manual.states import Application
from ledger.postings import ACCOUNT_CODE, fund_codes
from ledger.profile import load_profile
from ledger.quarantine import explain
from ledger.refusals import Refusal, Refused
from ledger.settling import columns_of
from ledger.side_columns import SIDE_COLUMNS, read_side, side_places

if TYPE_CHECKING:
    from ledger.booking import Batch
    from ledger.knowledge import Knowledge
    from ledger.source import ClaimColumns
    from ledger.store import Transaction

Cells = tuple[tuple[str, str], ...]

#: What may be entered of a claim, in order: a file's columns and those that only some policies ask for.
NAMES = (*COLUMNS, *SIDE_COLUMNS)
#: What the log never holds of a person.
IDENTITY = ("psn_no", "psn_name")
_ACCOUNT = AMOUNTS.index("acct_pay")


def cells_of(claim: dict[str, str], on: int) -> Cells:
    """Returns a claim's cells without the person's own; without a ``setl_time`` it is settled on the day.

    Refused (manual_source_settled) where a source settled it, or where it is a refund.
    """
    if claim.get("fund_pay_sumamt") or claim.get("init_setl_id"):
        name = "fund_pay_sumamt" if claim.get("fund_pay_sumamt") else "init_setl_id"
        raise Refused(
            Refusal.MANUAL_SOURCE_SETTLED,
            f"{name}: expected a claim that nobody has settled, got {claim[name]!r}: it came directly, or is a refund",
        )
    day = f"{on // 10_000:04d}-{on // 100 % 100:02d}-{on % 100:02d}"
    cells = {"setl_time": f"{day} 12:00:00"} | claim
    return tuple((name, cells[name]) for name in NAMES if cells.get(name) and name not in IDENTITY)


def decided(tx: "Transaction", knowledge: "Knowledge", state: Application, cells: Cells, row: int) -> "Batch":
    """Returns the decision on an application's claim as it would book now; writes nothing.

    Refused for what would put it into quarantine, with field, expected and got, and (manual_person) where it is not
    the claim of the person and region that the application was accepted of.
    """
    accepted = state.accepted
    assert accepted is not None
    profile = load_profile()
    # The token is known; the kernel only asks for a number that is one.
    said = {"psn_no": "0", "refd_setl_flag": "0"} | dict(cells)
    record = [said.get(name, "") for name in COLUMNS]
    columns = columns_of([record], profile, row)
    columns.facts[0, FACT["token"]] = accepted.token
    _add_side(columns, said)
    batch = booking.decide(tx, columns, knowledge, profile)
    where = f"application {accepted.application}"
    reason = Refusal(int(batch.reasons()[0]))
    if batch.duplicate_of:
        reason = Refusal.SETL_ID_CONFLICT
    if reason:
        fields = batch.columns.fields_of(np.arange(1), np.array([int(reason)], np.int64)).tolist()
        name = NAMES[fields[0]] if fields[0] >= 0 else ""
        field, expected, got = explain(reason, name, said, profile.insutypes)
        raise Refused(reason, f"{where}: {field}: expected {expected}, got {got!r}")
    if int(batch.facts[0, FACT["insured_region"]]) != accepted.region:
        raise Refused(
            Refusal.MANUAL_PERSON,
            f"{where}: expected a claim of region {accepted.region:06d}, got"
            f" {int(batch.facts[0, FACT['insured_region']]):06d}",
        )
    return batch


def _add_side(columns: "ClaimColumns", said: dict[str, str]) -> None:
    """Reads the side columns that were entered, as those of a file are read."""
    cells, data = new_cells(1, len(NAMES)), bytearray()
    for name in SIDE_COLUMNS:
        at = NAMES.index(name)
        cells.starts[0, at] = len(data)
        data += said.get(name, "").encode()
        cells.ends[0, at] = len(data)
    places = side_places([name if said.get(name) else "" for name in NAMES])
    raw = np.frombuffer(bytes(data), np.uint8)
    columns.texts.update(read_side(places, raw, cells, 1, columns.faults, columns.field))


def settle(tx: "Transaction", knowledge: "Knowledge", batch: "Batch", cause: int) -> int:
    """Books a decided claim behind its command, like a file's, and returns the position of its ClaimFiled."""
    order, opened = writing.write(tx, batch, knowledge, cause, [])
    knowledge.appended(tx.size, opened)
    return int(order.filed_at[0])


def parts_of(knowledge: "Knowledge", batch: "Batch") -> tuple[tuple[int, int], ...]:
    """Returns (fund code, fen) of what a decided claim pays, in the order in which its funds get money back."""
    enacted = int(batch.policy[0])
    digest = knowledge.policies.digests[enacted].tobytes() if enacted >= 0 else b""
    return parts_under(knowledge, digest, int(batch.facts[0, FACT["insutype"]]), batch.booked[0].tolist())


def parts_under(
    knowledge: "Knowledge", digest: bytes, insutype: int, amounts: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Returns (fund code, fen) of amounts decided under a policy, in the order in which its funds get money back."""
    policy = knowledge.policies.policy_named(digest)
    order = (policy.header.clawback_order if policy is not None else ()) or clawbacks.DEFAULT_FUND_ORDER
    codes = dict(zip((AMOUNTS[at] for at in FUND_PARTS), fund_codes(insutype), strict=True))
    parts = [(codes[name], amounts[AMOUNTS.index(name)]) for name in order]
    return tuple((code, fen) for code, fen in [*parts, (ACCOUNT_CODE, amounts[_ACCOUNT])] if fen)
