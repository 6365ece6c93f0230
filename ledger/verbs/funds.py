"""Are the commands on funds: what they open with, and what comes in."""

from ledger import explain
from ledger.funds import decide
from ledger.funds.events import FundIncome, FundOpened
from ledger.keys import fund_stream
from ledger.money import yuan_display
from ledger.paying.reports import Income
from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base


class Funds(Base):
    """Opens funds and books their income; what they spend follows from claims."""

    def open_fund(self, region: int, fund: int, amount_fen: int, *, period: int, reason: str = "") -> Income:
        """Opens a fund with what it had before ``period`` (yyyymm); once, and before any income."""
        return self._fund(FundOpened(0, 0, region, fund, period, amount_fen), "fund open", reason)

    def fund_income(
        self, region: int, fund: int, kind: str, amount_fen: int, *, period: int, document: str, reason: str = ""
    ) -> Income:
        """Books income of a fund in a month (yyyymm): a contribution, subsidy, transfer, interest or other.

        A document is booked once: again with equal content it changes nothing, with other content it is refused. An
        amount below zero takes income back.
        """
        if kind not in decide.KINDS:
            raise Refused(Refusal.UNKNOWN_KEY, f"expected one of {', '.join(decide.KINDS)}, got {kind!r}")
        document = explain.key("document", document)
        event = FundIncome(0, 0, region, fund, decide.KINDS[kind], period, amount_fen, document)
        return self._fund(event, "fund income", reason)

    def _fund(self, event: FundOpened | FundIncome, verb: str, reason: str) -> Income:
        import msgspec

        decide.check_fund(event.fund_pay_type)
        with self.transaction() as tx:
            before = decide.read_fund(tx, event.region, event.fund_pay_type)
            if decide.is_same(before, event):
                return _report(event, already=True)
            if isinstance(event, FundOpened):
                refusal = decide.decide_open(before, event)
            else:
                refusal = decide.decide_income(before, event)
            if refusal:
                raise Refused(refusal, _tell(refusal, event))
            arguments = {"amount_fen": event.amount_fen, "fund": event.fund_pay_type, "region": event.region}
            cause, command = self.command(tx, verb, reason, arguments)
            event = msgspec.structs.replace(event, cause=cause)
            self.append(tx, [command, (fund_stream(event.region, event.fund_pay_type), len(before) + 1, event)])
            return _report(event, already=False)


def _tell(refusal: Refusal, event: FundOpened | FundIncome) -> str:
    where = f"fund {event.fund_pay_type} of {event.region:06d}"
    return {
        Refusal.POSTINGS_EMPTY: f"{where}: expected an amount other than 0.00, got {yuan_display(event.amount_fen)}",
        Refusal.STREAM_EXISTS: f"{where}: expected a fund without opening or income, got one that has begun"
        if isinstance(event, FundOpened)
        else f"{where}: document {event.document} is booked already with other figures",
    }[refusal]


def _report(event: FundOpened | FundIncome, *, already: bool) -> Income:
    if isinstance(event, FundOpened):
        return Income(event.region, event.fund_pay_type, "opening", event.period, event.amount_fen, "", already)
    kind = decide.KIND_NAMES[event.kind]
    return Income(event.region, event.fund_pay_type, kind, event.period, event.amount_fen, event.document, already)
