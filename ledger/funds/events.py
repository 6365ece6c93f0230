"""Defines what a fund opens with and what comes in: streams ``fund-<region>-<fund>``, a document counts once."""

from ledger.event import Event

INCOME_CONTRIBUTION, INCOME_SUBSIDY, INCOME_TRANSFER, INCOME_INTEREST, INCOME_OTHER = 1, 2, 3, 4, 5


class FundOpened(Event, frozen=True):
    """Opens a fund of a region with what it had (累计结余)."""

    TOPIC = "fund-opened/1"
    cause: int
    row: int
    region: int
    fund_pay_type: int
    period: int
    amount_fen: int


class FundIncome(Event, frozen=True):
    """Brings income into a fund, booked in a month: ``kind`` INCOME_*, ``document`` the number it came under."""

    TOPIC = "fund-income/1"
    cause: int
    row: int
    region: int
    fund_pay_type: int
    kind: int
    period: int
    amount_fen: int
    document: str


FUND_EVENTS: tuple[type[Event], ...] = (FundOpened, FundIncome)
