"""Folds the log into balances: account to fen, debits positive, each book's accounts summing to zero."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from core_ext.layout import AMOUNT, FUND_PARTS
from ledger.benefit_events import AllowanceGranted, AllowancePaid, AllowanceRevoked, InstitutionPaymentSet
from ledger.casework.events import RecoveryRaised
from ledger.casework.postings import FOLLOWING, MOVING
from ledger.events import (
    ClaimFiled,
    ClawbackCollected,
    ClawbackRaised,
    Event,
    EventClass,
    OpeningAccount,
    OpeningBalance,
    PaymentConfirmed,
    PaymentInstructed,
)
from ledger.manual.postings import POSTING
from ledger.mapper import decode_event
from ledger.originals import pool_of
from ledger.paying.events import ClawbackOffset, ReceiptMatched, ReceiptSuspended
from ledger.paying.postings import PAYMENT_STEPS, PLAIN
from ledger.postings import Opened, fund_codes, postings
from ledger.refusals import StoreError
from projections.pages import Page, Placed
from projections.tables import Change, Mode, ReadModel, Table

if TYPE_CHECKING:
    from ledger.store import Reader

BALANCE = Table("balance", ("account",), ("amount_fen",), Mode.ADD, {"account": "text"}, clustered=True)

#: Sums that are not yet rows of ``balance`` (projections.balance_runs): accounts and fen, packed and compressed, and
#: the SHA-256 of that.
BALANCE_RUN = Table("balance_run", ("run",), ("digest", "sums"), Mode.RUN, {"digest": "blob", "sums": "blob"})

#: The events beside acts that post.
MONEY = (
    *(PaymentInstructed, PaymentConfirmed, *PAYMENT_STEPS, ClawbackRaised, ClawbackCollected, ClawbackOffset),
    *(ReceiptMatched, OpeningBalance, OpeningAccount, *PLAIN),
    *MOVING,
    *(InstitutionPaymentSet, AllowanceGranted, AllowancePaid, AllowanceRevoked),
    *POSTING,
)
#: What an event needs beside itself, where that opens its stream.
OPENERS: dict[type[Event], type[Event]] = {
    **dict.fromkeys((PaymentConfirmed, *PAYMENT_STEPS), PaymentInstructed),
    **dict.fromkeys((ClawbackCollected, ClawbackOffset), ClawbackRaised),
    **dict.fromkeys(FOLLOWING, RecoveryRaised),
    **dict.fromkeys((AllowancePaid, AllowanceRevoked), AllowanceGranted),
    ReceiptMatched: ReceiptSuspended,
}


def fold(reader: "Reader", page: Page) -> list[Change]:
    """Returns what a page's events post, summed per account."""
    sums = postings_of_acts(page)
    for placed, opened in with_opened(reader, page.others):
        for account, amount_fen in postings(placed.event, opened):
            sums[account] = sums.get(account, 0) + amount_fen
    return [Change(BALANCE, [list(sums), list(sums.values())])]


def postings_of_acts(page: Page) -> dict[str, int]:
    """Returns what a page's acts post, summed per account; what was booked anew gives back to the pool that paid."""
    sums = dict(page.posted)
    part = AMOUNT["hifp_pay"]
    for _, event in page.resettled:
        now, stood = (each or event.insutype for each in (pool_of(event.how), event.reversed_pool))
        if now != stood and event.reversed[part]:
            for pool, amount_fen in ((now, event.reversed[part]), (stood, -event.reversed[part])):
                account = f"expense:{event.insured_region:06d}:{fund_codes(pool)[FUND_PARTS.index(part)]}"
                sums[account] = sums.get(account, 0) + amount_fen
    return sums


MODEL = ReadModel("balances", 5, (BALANCE, BALANCE_RUN), fold, alone=lambda page: page.posted)


def with_opened(reader: "Reader", events: Iterable[Placed]) -> list[tuple[Placed, Opened | None]]:
    """Returns the money events beside acts, each with the event its postings need, read in two queries.

    Raises StoreError where that event is not in the log.
    """
    money = [placed for placed in events if isinstance(placed.event, MONEY)]
    streams = sorted({p.stream for p in money if type(p.event) in OPENERS})
    claims = sorted({p.event.claim for p in money if isinstance(p.event, ClawbackRaised)})
    topics: dict[str, EventClass] = {
        "payment": PaymentInstructed,
        "clawback": ClawbackRaised,
        "receipt": ReceiptSuspended,
        "recovery": RecoveryRaised,
        "allowance": AllowanceGranted,
    }
    openers: dict[str | int, Event] = {}
    if streams:
        for stream, (_, state) in reader.first_events(streams).items():
            openers[stream] = decode_event(topics[stream.partition("-")[0]].TOPIC, state)
    if claims:
        for position, (_, _, topic, state) in reader.events_at(claims).items():
            openers[position] = decode_event(topic, state)
    return [(placed, _opener(placed, openers)) for placed in money]


def _opener(placed: Placed, openers: dict[str | int, Event]) -> Opened | None:
    event = placed.event
    if isinstance(event, ClawbackRaised):
        key: str | int = event.claim
        expected: type[Event] = ClaimFiled
    elif type(event) in OPENERS:
        key, expected = placed.stream, OPENERS[type(event)]
    else:
        return None
    opener = openers.get(key)
    if not isinstance(opener, expected):
        got = "none" if opener is None else opener.TOPIC
        raise StoreError(
            f"position {placed.position}: expected a {expected.TOPIC} behind {event.TOPIC}, at {key!r}, got {got}"
        )
    assert isinstance(
        opener, ClaimFiled | PaymentInstructed | ClawbackRaised | RecoveryRaised | ReceiptSuspended | AllowanceGranted
    )
    return opener
