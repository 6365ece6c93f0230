"""Are the commands on advances, retention, guarantees and retained surpluses: each an account of its own."""

import re
from typing import TYPE_CHECKING

from ledger import explain, payments
from ledger.clearing.terms import Terms, terms_in_force
from ledger.events import PAYMENT_INSTITUTION, PAYMENT_RETENTION, PAYMENT_SUPPLIER, PAYMENT_SURPLUS, Event
from ledger.funds.decide import check_fund
from ledger.keys import guarantee_stream, payment_stream, retention_stream, surplus_stream
from ledger.money import yuan_display
from ledger.paying import advances, guarantees
from ledger.paying.events import (
    ADVANCE_INSTITUTION,
    ADVANCE_REGION,
    WHY_ADJUSTED,
    WHY_EMERGENCY,
    WHY_YEARLY,
    AdvanceSet,
    GuaranteeSet,
    RetentionReleased,
    SupplierPaid,
    SurplusRetained,
)
from ledger.paying.reports import Advance, Guarantee, Released
from ledger.paying.telling import tell
from ledger.payments import Due, instruction
from ledger.refusals import Refusal, Refused
from ledger.reports import Payment
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.writing import Header


class Advances(Base):
    """Sets advances and retention, pays suppliers and surpluses; the payments go the way of all payments."""

    def advance_quotas(self, year: int, period: int, *, reason: str = "") -> list[Advance]:
        """Sets every pair of provinces' quota (预付金) from last year's fourth quarter and instructs the differences.

        So many times (the terms say) the monthly mean of what was due in periods 10 to 12. A quota that is so already
        stays; refused (QUOTA_UNCHANGED) where all are.
        """
        with self.store.read() as reader:
            months = [(year - 1) * 100 + month for month in (10, 11, 12)]
            sums = advances.between_provinces(advances.closed_figures(reader, months, every=True))
        bases = {(payer, f"{payee:06d}"): fen for (payer, payee), fen in sums.items()}
        return self._yearly(ADVANCE_REGION, year, period, bases, 3, reason)

    def working_capital(self, year: int, period: int, *, region: int | None = None, reason: str = "") -> list[Advance]:
        """Sets every institution's 周转金 from the closed months of last year and instructs the differences."""
        with self.store.read() as reader:
            months = [(year - 1) * 100 + month for month in range(1, 13)]
            figures = advances.closed_figures(reader, months, every=False)
        return self._yearly(
            ADVANCE_INSTITUTION, year, period, advances.to_institutions(figures, region), len(figures), reason
        )

    def _yearly(
        self, scope: int, year: int, period: int, bases: dict[tuple[int, str], int], base_months: int, reason: str
    ) -> list[Advance]:
        with self.transaction() as tx:
            terms: Terms = terms_in_force(tx, period)[0]
            times = terms.advance if scope == ADVANCE_REGION else terms.working_capital
            verb = "advance quota" if scope == ADVANCE_REGION else "advance working"
            cause, command = self.command(tx, verb, reason, {"period": period, "year": year})
            events: list[Header] = [command]
            for (payer, payee), base_fen in sorted(bases.items()):
                before, version = advances.read_advance(tx, scope, payer, payee)
                decided = advances.decide_set(
                    before, version, cause=cause, period=period, scope=scope, payer=payer, payee=payee, year=year,
                    why=WHY_YEARLY, quota_fen=advances.quota(base_fen, base_months, times.quota_months),
                    base=(base_fen, base_months, times.quota_months),
                )  # fmt: skip
                if not isinstance(decided, Refusal):
                    events += decided
            if len(events) == 1:
                text = f"expected quotas of {year} that change something, got none: they stand already"
                raise Refused(Refusal.QUOTA_UNCHANGED, text)
            self.append(tx, events)
            return [_advance(event) for _, _, event in events if isinstance(event, AdvanceSet)]

    def advance_adjust(
        self,
        payer: int,
        payee: str,
        period: int,
        *,
        quota_fen: int | None = None,
        increase_fen: int | None = None,
        institution: bool = False,
        reason: str = "",
    ) -> Advance:
        """Sets an advance to another quota, or raises it in an emergency, and instructs the difference."""
        scope = ADVANCE_INSTITUTION if institution else ADVANCE_REGION
        if (quota_fen is None) == (increase_fen is None) or (increase_fen is not None and increase_fen <= 0):
            raise Refused(Refusal.BAD_VALUE, "expected a new quota or an increase above zero, one of them")
        if not institution and (not re.fullmatch("[0-9]{6}", payee) or int(payee) == payer):
            raise Refused(
                Refusal.BAD_VALUE,
                f"expected another region than {payer:06d} as the payee, six digits, or an institution said to be one,"
                f" got {payee!r}",
            )
        with self.transaction() as tx:
            payee = explain.key("payee", payee)
            before, version = advances.read_advance(tx, scope, payer, payee)
            had = before.quota_fen if before else 0
            wanted = had + increase_fen if increase_fen is not None else quota_fen or 0
            arguments = {"payee": payee, "payer": payer, "period": period, "quota_fen": wanted}
            cause, command = self.command(tx, "advance adjust", reason, arguments)
            why = WHY_ADJUSTED if increase_fen is None else WHY_EMERGENCY
            decided = advances.decide_set(
                before, version, cause=cause, period=period, scope=scope, payer=payer, payee=payee,
                year=period // 100, why=why, quota_fen=wanted,
            )  # fmt: skip
            if isinstance(decided, Refusal):
                where = f"{payer:06d} to {payee}"
                text = f"expected a quota from 0.00, got {yuan_display(wanted)}" if decided is Refusal.BAD_VALUE else ""
                raise Refused(decided, text or tell(decided, payment=where, got_fen=had))
            self.append(tx, [command, *decided])
            event = decided[0][2]
            assert isinstance(event, AdvanceSet)
            return _advance(event)

    def release_retention(
        self, region: int, institution: str, year: int, period: int, released_fen: int, fund: int, *, reason: str = ""
    ) -> Released:
        """Ends a year's retention after the assessment: a part is paid, the rest stays with a fund."""
        check_fund(fund)
        with self.transaction() as tx:
            stream = retention_stream(region, explain.key("institution", institution), year)
            paid = [payment_stream(PAYMENT_INSTITUTION, year * 100 + m, region, institution) for m in range(1, 13)]
            states = [payments.read_payment(tx, each)[0].instructed for each in paid]
            retained = sum(each.retained_fen for each in states if each)
            where = f"{institution} in {year}"
            if tx.stream_heads([stream]):
                raise Refused(Refusal.STREAM_EXISTS, tell(Refusal.STREAM_EXISTS, payment=f"retention of {where}"))
            if retained <= 0:
                raise Refused(Refusal.NOTHING_RETAINED, tell(Refusal.NOTHING_RETAINED, payment=where))
            if not 0 <= released_fen <= retained:
                text = tell(Refusal.OVER_PAYABLE, payment=where, limit_fen=retained, got_fen=released_fen)
                raise Refused(Refusal.OVER_PAYABLE, text)
            arguments = {"institution": institution, "released_fen": released_fen, "year": year}
            cause, command = self.command(tx, "retention release", reason, arguments)
            kept = retained - released_fen
            event = RetentionReleased(cause, 0, region, institution, year, retained, released_fen, kept, fund)
            events: list[Header] = [command, (stream, 1, event)]
            key = f"{payment_stream(PAYMENT_RETENTION, period, region, institution)}-{year}"
            if released_fen:
                due = Due(PAYMENT_RETENTION, region, institution, 0, released_fen, 0)
                events.append((key, 1, instruction(period, due, cause)))
            self.append(tx, events)
            return Released(region, institution, year, retained, released_fen, kept, key if released_fen else "")

    def grant_surplus(
        self, region: int, institution: str, year: int, period: int, amount_fen: int, fund: int, *, reason: str = ""
    ) -> Payment:
        """Grants an institution its retained surplus (结余留用) of a year, and instructs it; once a year."""
        check_fund(fund)
        with self.transaction() as tx:
            stream = surplus_stream(region, explain.key("institution", institution), year)
            where = f"surplus of {institution} in {year}"
            if amount_fen <= 0:
                raise Refused(Refusal.POSTINGS_EMPTY, tell(Refusal.POSTINGS_EMPTY, got_fen=amount_fen))
            if tx.stream_heads([stream]):
                raise Refused(Refusal.STREAM_EXISTS, tell(Refusal.STREAM_EXISTS, payment=where))
            arguments = {"amount_fen": amount_fen, "institution": institution, "year": year}
            cause, command = self.command(tx, "surplus", reason, arguments)
            key = f"{payment_stream(PAYMENT_SURPLUS, period, region, institution)}-{year}"
            instructed = instruction(period, Due(PAYMENT_SURPLUS, region, institution, 0, amount_fen, 0), cause)
            granted = SurplusRetained(cause, 0, region, institution, year, fund, amount_fen)
            self.append(tx, [command, (stream, 1, granted), (key, 1, instructed)])
            return Payment.of(key, payments.evolve(payments.PaymentState(), instructed))

    def set_guarantee(
        self,
        region: int,
        institution: str,
        limit_fen: int,
        *,
        bank: str,
        code: str,
        begin: int,
        to: int = 0,
        reason: str = "",
    ) -> Guarantee:
        """Sets the bank guarantee (保函) under which an institution's drug suppliers are paid; it replaces the last.

        It holds from ``begin`` to ``to`` (yyyymmdd; 0: without an end).
        """
        if to and to < begin:
            raise Refused(Refusal.BAD_VALUE, f"expected a last day of {begin} or later, got {to}")
        with self.transaction() as tx:
            stream = guarantee_stream(region, explain.key("institution", institution))
            state = guarantees.read_guarantee(tx, region, institution)
            if limit_fen < state.used_fen or limit_fen <= 0:
                text = f"expected a limit of at least {yuan_display(max(1, state.used_fen))} (what is in use)"
                raise Refused(Refusal.BAD_VALUE, f"{text}, got {yuan_display(limit_fen)}")
            cause, command = self.command(tx, "guarantee", reason, {"code": code, "institution": institution})
            event = GuaranteeSet(cause, 0, region, institution, bank, code, limit_fen, begin, to)
            self.append(tx, [command, (stream, state.version + 1, event)])
            return guarantees.report(guarantees.evolve(state, event))

    def pay_supplier(
        self,
        region: int,
        institution: str,
        supplier: str,
        amount_fen: int,
        *,
        period: int,
        invoice: str,
        on: int,
        reason: str = "",
    ) -> Payment:
        """Pays a drug supplier for an institution (第三方支付) under its bank guarantee, never beyond the limit.

        The invoice is paid once. What was paid is taken off what the institution's next clearings owe it.
        """
        with self.transaction() as tx:
            for what, text in (("institution", institution), ("supplier", supplier), ("invoice", invoice)):
                explain.key(what, text)
            state = guarantees.read_guarantee(tx, region, institution)
            arguments = {"amount_fen": amount_fen, "institution": institution, "invoice": invoice, "supplier": supplier}
            cause, command = self.command(tx, "supplier pay", reason, arguments)
            decided = guarantees.decide_pay(state, supplier, invoice, amount_fen, on)
            if decided:
                where = f"{institution} to {supplier}, invoice {invoice}"
                text = tell(decided, payment=where, limit_fen=state.left_fen(on), got_fen=amount_fen)
                raise Refused(decided, text)
            key = f"{payment_stream(PAYMENT_SUPPLIER, period, region, supplier)}-{invoice}"
            if tx.stream_heads([key]):
                raise Refused(Refusal.STREAM_EXISTS, tell(Refusal.STREAM_EXISTS, payment=key))
            due = Due(PAYMENT_SUPPLIER, region, supplier, 0, amount_fen, 0)
            instructed = instruction(period, due, cause, institution)
            stream = guarantee_stream(region, institution)
            paid: Event = SupplierPaid(cause, 0, supplier, invoice, amount_fen, key)
            self.append(tx, [command, (stream, state.version + 1, paid), (key, 1, instructed)])
            return Payment.of(key, payments.evolve(payments.PaymentState(), instructed))

    def guarantees(self) -> list[Guarantee]:
        """Returns every institution's guarantee and what of it is in use."""
        with self.store.read() as reader:
            return [guarantees.report(each) for each in guarantees.read_all(reader)]


def _advance(event: AdvanceSet) -> Advance:
    return Advance(
        advances.SCOPES[event.scope], event.payer, event.payee, event.year, advances.REASONS[event.why],
        event.base_fen, event.base_months, event.months, event.quota_fen, event.before_fen, event.payment,
    )  # fmt: skip
