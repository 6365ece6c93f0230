"""Draws up what each fund had, took in, spent and has: income − spend = change, with personal accounts apart.

Claims are summed per clearing period from the clearing lines; what else moves a fund stands in the month it was
recorded in: clawbacks, the money of cases and kept retention come back to it, surpluses and allowances are spent.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ledger.events import CommandRecorded, OpeningBalance
from ledger.funds.decide import KINDS
from ledger.funds.events import FundIncome, FundOpened
from ledger.keys import OPENING_BALANCES
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import round_half_up
from ledger.postings import ACCOUNT_CODE, FUND_KINDS, fund_codes, postings
from ledger.reversing import moment
from projections.balance_runs import read_balances
from projections.balances import with_opened
from projections.clearing.lines import FUNDS, LINE, POOL
from projections.pages import Placed

if TYPE_CHECKING:
    from ledger.store import Reader

#: What claims of a region's residents took of each fund, by period.
SUMS = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in (*FUNDS, "acct_pay"))
SPENT = f"SELECT period, insured_region, insutype, {SUMS} FROM {LINE.name} GROUP BY period, insured_region, insutype"

#: The streams of what moves funds beside claims and income.
BESIDE = ("clawback", "recovery", "retention", "surplus", "allowance")
POOL_PART = FUNDS.index("hifp_pay")

#: Months of spending that a fund's months payable are measured by.
MONTHS = 12

#: A fund of a region.
Key = tuple[int, int]


class FundAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Is one fund of a region from a month to a month (yyyymm): fen, months payable in tenths.

    ``opening_fen + income_fen − spend_fen + recovered_fen = closing_fen``. ``income`` is by kind. ``months_tenths`` is
    the closing balance over the mean month of spending, None where nothing was spent. ``account`` says that it is the
    personal accounts, which are no pool. ``booked_fen`` is what the books hold now.
    """

    region: int
    fund_pay_type: int
    account: bool
    opening_fen: int
    income: dict[str, int]
    income_fen: int
    spend_fen: int
    recovered_fen: int
    closing_fen: int
    change_fen: int
    months_tenths: int | None
    booked_fen: int


class _Flows:
    """Is what moved each fund, month by month: opening, income by kind, spending, recoveries (fen)."""

    def __init__(self) -> None:
        self.opened: dict[Key, int] = {}
        self.income: dict[Key, list[tuple[int, int, int]]] = {}
        self.spent: dict[Key, dict[int, int]] = {}
        self.recovered: dict[Key, dict[int, int]] = {}

    def keys(self) -> set[Key]:
        return self.opened.keys() | self.income.keys() | self.spent.keys() | self.recovered.keys()

    def spend(self, key: Key, month: int, amount_fen: int) -> None:
        if amount_fen:
            months = self.spent.setdefault(key, {})
            months[month] = months.get(month, 0) + amount_fen

    def recover(self, key: Key, month: int, amount_fen: int) -> None:
        if amount_fen:
            months = self.recovered.setdefault(key, {})
            months[month] = months.get(month, 0) + amount_fen


def fund_accounts(reader: "Reader", begin: int, to: int, region: int | None) -> list[FundAccount]:
    """Returns every fund from a month to a month (yyyymm, both included), of one region where one is given."""
    flows = _read(reader)
    booked = _booked(reader)
    found = []
    for key in sorted(flows.keys() | booked.keys()):
        if region in (None, key[0]):
            found.append(_account(flows, key, begin, to, booked.get(key, 0)))
    return found


def _read(reader: "Reader") -> _Flows:
    flows = _Flows()
    for period, region, insutype, *parts in reader.query(SPENT):
        for code, fen in zip((*fund_codes(int(insutype)), ACCOUNT_CODE), parts, strict=True):
            flows.spend((int(region), code), int(period), int(fen))
    for period, region, insutype, pool, fen in reader.query(POOL.select()):
        for of, paid in ((int(pool), int(fen)), (int(insutype), -int(fen))):
            flows.spend((int(region), fund_codes(of)[POOL_PART]), int(period), paid)
    for _, (_, opening) in reader.first_events([OPENING_BALANCES]).items():
        began = decode_event(OpeningBalance.TOPIC, opening)
        assert isinstance(began, OpeningBalance)
        for account, fen in began.postings:
            if (key := _fund_of(account)) is not None:
                flows.opened[key] = flows.opened.get(key, 0) - fen
    for _, _, _, topic, state in streams_with_prefix(reader, "fund"):
        event = decode_event(topic, state)
        if isinstance(event, FundOpened):
            key = (event.region, event.fund_pay_type)
            flows.opened[key] = flows.opened.get(key, 0) + event.amount_fen
        elif isinstance(event, FundIncome):
            taken = flows.income.setdefault((event.region, event.fund_pay_type), [])
            taken.append((event.period, event.kind, event.amount_fen))
    _beside(reader, flows)
    return flows


def _beside(reader: "Reader", flows: _Flows) -> None:
    """Adds what moved funds beside claims and income, by what it posted, in the month it was recorded in."""
    placed = [
        Placed(position, stream, version, decode_event(topic, state), state)
        for prefix in BESIDE
        for position, stream, version, topic, state in streams_with_prefix(reader, prefix)
    ]
    moved: list[tuple[int, Key, int]] = []
    for each, opened in with_opened(reader, placed):
        for account, fen in postings(each.event, opened):
            if (key := _fund_of(account)) is not None:
                moved.append((int(getattr(each.event, "cause", 0)), key, fen))
    months = _months(reader, {cause for cause, _, _ in moved})
    for cause, key, fen in moved:
        if fen > 0:
            flows.spend(key, months[cause], fen)
        else:
            flows.recover(key, months[cause], -fen)


def _months(reader: "Reader", causes: set[int]) -> dict[int, int]:
    """Returns the month (yyyymm) each command was recorded in."""
    months = {}
    for position, (_, _, topic, state) in reader.events_at(sorted(causes)).items() if causes else ():
        command = decode_event(topic, state)
        assert isinstance(command, CommandRecorded)
        months[position] = moment(command.recorded_at) // 10**8
    return months


def _booked(reader: "Reader") -> dict[Key, int]:
    """Returns what the books hold of each fund: credits less debits of its accounts."""
    sums: dict[Key, int] = {}
    for account, amount_fen in read_balances(reader).items():
        if amount_fen and (key := _fund_of(account)) is not None:
            sums[key] = sums.get(key, 0) - amount_fen
    return sums


def _fund_of(account: str) -> Key | None:
    """Returns the fund an account of the books is part of, None for an account of something else."""
    kind, region, code = (*account.split(":"), "", "")[:3]
    return (int(region), int(code)) if kind in FUND_KINDS and region.isdecimal() and code.isdecimal() else None


def _account(flows: _Flows, key: Key, begin: int, to: int, booked_fen: int) -> FundAccount:
    income, spent, recovered = flows.income.get(key, []), flows.spent.get(key, {}), flows.recovered.get(key, {})

    def within(months: Iterable[tuple[int, int]], first: int, last: int) -> int:
        return sum(fen for month, fen in months if first <= month <= last)

    before = begin - 1
    opening = flows.opened.get(key, 0) + sum(fen for month, _, fen in income if month <= before)
    opening += within(recovered.items(), 0, before) - within(spent.items(), 0, before)
    by_kind = {
        name: sum(fen for month, each, fen in income if each == code and begin <= month <= to)
        for name, code in KINDS.items()
    }
    taken, out, back = (
        sum(by_kind.values()), within(spent.items(), begin, to), within(recovered.items(), begin, to),
    )  # fmt: skip
    closing = opening + taken - out + back
    last = sorted(month for month in spent if month <= to)[-MONTHS:]
    mean = sum(spent[month] for month in last)
    return FundAccount(
        region=key[0], fund_pay_type=key[1], account=key[1] == ACCOUNT_CODE, opening_fen=opening,
        income={name: fen for name, fen in by_kind.items() if fen}, income_fen=taken, spend_fen=out, recovered_fen=back,
        closing_fen=closing, change_fen=taken - out + back,
        months_tenths=round_half_up(closing * 10 * len(last), mean) if mean > 0 else None, booked_fen=booked_fen,
    )  # fmt: skip
