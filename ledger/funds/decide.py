"""Decides a fund's opening, once, and its income, once a document (DOMAIN section 10a)."""

from typing import TYPE_CHECKING

from ledger.event import Event
from ledger.funds.events import (
    INCOME_CONTRIBUTION,
    INCOME_INTEREST,
    INCOME_OTHER,
    INCOME_SUBSIDY,
    INCOME_TRANSFER,
    FundIncome,
    FundOpened,
)
from ledger.keys import fund_stream
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader

KINDS = {
    "contribution": INCOME_CONTRIBUTION,
    "subsidy": INCOME_SUBSIDY,
    "transfer": INCOME_TRANSFER,
    "interest": INCOME_INTEREST,
    "other": INCOME_OTHER,
}
KIND_NAMES = {code: name for name, code in KINDS.items()}

#: What a fund is called (DOMAIN section 6, fund_pay_type).
FUND_NAMES = {
    310100: "职工统筹",
    310200: "个人账户",
    310201: "个人账户共济",
    320100: "公务员补助",
    330100: "职工大额",
    340100: "离休",
    350100: "伤残军人",
    370100: "企业补充",
    390100: "居民统筹",
    390200: "居民大病",
    510100: "生育",
    610100: "医疗救助",
    999997: "其他基金",
}


def read_fund(reader: "Reader", region: int, fund: int) -> list[Event]:
    """Returns a fund's opening and income in log order."""
    return [decode_event(topic, state) for _, _, topic, state in reader.stream(fund_stream(region, fund))]


def check_fund(fund: int) -> None:
    """Raises Refused (bad_code) where a number is no fund's."""
    if fund not in FUND_NAMES:
        raise Refused(Refusal.BAD_CODE, f"expected one of the funds {', '.join(map(str, FUND_NAMES))}, got {fund}")


def decide_open(before: list[Event], event: FundOpened) -> Refusal:
    """Returns why a fund is not opened, or Refusal.NONE; STREAM_EXISTS where it is or has income."""
    return Refusal.STREAM_EXISTS if before else Refusal.NONE


def decide_income(before: list[Event], event: FundIncome) -> Refusal:
    """Returns why an income is not booked, or Refusal.NONE; a document with other content is STREAM_EXISTS."""
    if not event.amount_fen:
        return Refusal.POSTINGS_EMPTY
    if any(isinstance(each, FundIncome) and each.document == event.document for each in before):
        return Refusal.STREAM_EXISTS
    return Refusal.NONE


def is_same(before: list[Event], event: FundOpened | FundIncome) -> bool:
    """Returns whether the log has the very opening or income already."""
    return any(_content(each) == _content(event) for each in before)


def _content(event: Event) -> tuple[object, ...]:
    if isinstance(event, FundOpened):
        return ("opened", event.period, event.amount_fen)
    if isinstance(event, FundIncome):
        return (event.kind, event.period, event.amount_fen, event.document)
    return ()
