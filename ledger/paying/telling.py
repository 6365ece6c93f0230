"""Puts refusals on payments, receipts, bank files and advances into words: expected, got, what to do."""

from ledger.money import yuan_display as yuan
from ledger.paying.receipts import ReceiptState
from ledger.payments import PaymentState
from ledger.refusals import Refusal


def tell(
    refusal: Refusal,
    *,
    payment: str = "",
    state: PaymentState | None = None,
    receipt: str = "",
    held: ReceiptState | None = None,
    region: int = 0,
    got_fen: int = 0,
    limit_fen: int = 0,
) -> str:
    """Returns why a step is refused."""
    state, held = state or PaymentState(), held or ReceiptState()
    return {
        Refusal.NOT_INSTRUCTED: f"expected the key of an instructed payment (payment-…), got {payment!r}",
        Refusal.BAD_KEY: "expected the bank's receipt number, got nothing",
        Refusal.POSTINGS_EMPTY: f"expected an amount above zero, got {yuan(got_fen)}",
        Refusal.ALREADY_PAID: f"{payment} is confirmed already by receipt {', '.join(state.receipts)}",
        Refusal.UNKNOWN_KEY: f"expected a receipt in suspense, got {receipt!r}: suspend lists them",
        Refusal.WRONG_AMOUNT: f"{payment}: expected up to {yuan(state.transit_fen)} in transit or"
        f" {yuan(state.received_fen)} received, got {yuan(got_fen)}",
        Refusal.RECEIPT_EXHAUSTED: f"receipt {receipt}: expected at most {yuan(held.left_fen)} (what it still may"
        f" confirm of {yuan(held.amount_fen)}), got {yuan(got_fen)}",
        Refusal.RECEIPT_CONFLICT: f"receipt {receipt or 'of the return'} stands in the log with another amount or use"
        f" ({yuan(held.amount_fen)})",
        Refusal.NOT_IN_TRANSIT: f"{payment}: expected money in transit, got none ({state.code}): resend it first",
        Refusal.NOTHING_TO_RESEND: f"{payment}: expected money that failed or came back, got none ({state.code})",
        Refusal.STALE_ATTEMPT: f"{payment}: expected attempt {state.attempt} and the failure at position"
        f" {state.failure}, got another one",
        Refusal.WRONG_PARTY: f"{payment}: expected a receipt at the bank of who is owed,"
        f" got one of region {region:06d}",
        Refusal.NOTHING_RETAINED: f"{payment}: expected money retained in that year, got none",
        Refusal.OVER_PAYABLE: f"{payment}: expected at most {yuan(limit_fen)}, got {yuan(got_fen)}",
        Refusal.GUARANTEE_EXCEEDED: f"{payment}: expected at most {yuan(limit_fen)} (what its guarantee leaves),"
        f" got {yuan(got_fen)}",
        Refusal.QUOTA_UNCHANGED: f"{payment}: the quota is {yuan(got_fen)} already",
        Refusal.STREAM_EXISTS: f"{payment} has been decided already, with other figures",
    }[refusal]
