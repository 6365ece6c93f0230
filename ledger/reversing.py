"""Cancels one settlement at the ledger itself: files its exact negative and books it like any refund."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ABSENT, AMOUNTS, FACT, FACTS
from core_ext.text import texts_from_list
from ledger import booking, explain, writing
from ledger.events import ClaimFiled, ClaimReversed
from ledger.local_time import local
from ledger.lookup import find_claim
from ledger.profile import load_profile
from ledger.refusals import Refusal, Refused
from ledger.reports import Reversed

if TYPE_CHECKING:
    from ledger.source import ClaimColumns
    from ledger.store import Transaction
    from ledger.verbs.base import Base

MONEY = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt", "hosp_part_amt")


def reverse_claim(ledger: "Base", claim: str, reason: str, setl_id: str | None) -> Reversed:
    """Books the refund of a claim and returns it; refused where it is a refund itself or reversed already."""
    with ledger.transaction() as tx:
        cause, command = ledger.command(tx, "reverse", reason, {"claim": claim})
        return reverse_in(tx, ledger, claim, cause, [command], setl_id)


def reverse_in(
    tx: "Transaction",
    ledger: "Base",
    claim: str,
    cause: int,
    headers: "Sequence[writing.Header]" = (),
    setl_id: str | None = None,
) -> Reversed:
    """Books the refund of a claim behind ``headers``, in a transaction that goes on; refused as ``reverse_claim``."""
    position, filed, decision = find_claim(tx, claim)
    if isinstance(decision, ClaimReversed) or tx.reversals([position]):
        raise Refused(Refusal.ALREADY_REVERSED, f"claim {claim} is reversed already, or is itself a refund")
    refund = setl_id or f"{filed.setl_id}-R"
    columns = negated(filed, explain.key("settlement (--setl-id)", refund), moment(tx.recorded_at))
    batch = booking.decide(tx, columns, ledger.knowledge, load_profile())
    refused = Refusal(int(batch.reasons()[0]))
    if refused or batch.duplicate_of:
        reasons = {Refusal.REFUND_CLAWED_BACK: "its funds have money back by clawback already"}
        raise Refused(
            refused or Refusal.SETL_ID_CONFLICT,
            f"claim {claim}: its refund {refund} is refused:"
            f" {reasons.get(refused, 'give another --setl-id, this one is taken')}",
        )
    order, opened = writing.write(tx, batch, ledger.knowledge, cause, list(headers))
    ledger.knowledge.appended(tx.size, opened)
    amounts = dict(zip(AMOUNTS, batch.booked[0].tolist(), strict=True))
    return Reversed(
        int(order.filed_at[0]),
        columns_id(columns),
        filed.setl_id,
        int(batch.period[0]),
        amounts,
        int(batch.balc[0]),
    )


def negated(filed: ClaimFiled, setl_id: str, setl_time: int) -> "ClaimColumns":
    """Returns the one-row batch that refunds a filed claim: every money fact negated, settled at ``setl_time``."""
    from ledger.source import ClaimColumns

    facts = np.array([[getattr(filed, name) for name in FACTS]], np.int64)
    for name in MONEY:
        facts[0, FACT[name]] *= -1
    facts[0, FACT["setl_time"]] = setl_time
    texts = {
        "setl_id": setl_id,
        "mdtrt_id": filed.mdtrt_id,
        "medins_setl_id": "",
        "fixmedins_code": filed.fixmedins_code,
        "init_setl_id": filed.setl_id,
        "psn_no": "",
        "psn_name": "",
    }
    return ClaimColumns(
        first_row=0,
        n=1,
        facts=facts,
        given=np.full((1, len(AMOUNTS)), ABSENT, np.int64),
        settled=np.zeros(1, np.int64),
        refund=np.ones(1, np.int64),
        texts={name: texts_from_list([text]) for name, text in texts.items()},
        faults=np.zeros(1, np.int64),
        field=np.full(1, -1, np.int64),
        places={},
    )


def columns_id(columns: "ClaimColumns") -> str:
    """Returns the setl_id of a one-row batch."""
    from core_ext.text import text_at

    return text_at(columns.texts["setl_id"], 0)


def moment(recorded_at: int) -> int:
    """Returns a recorded time as yyyymmddHHMMSS in China."""
    return int(local(recorded_at).strftime("%Y%m%d%H%M%S"))
