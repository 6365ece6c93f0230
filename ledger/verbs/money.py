"""Are the commands about money: payments of signed clearings and clawbacks of what was paid."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from core_ext.layout import FUND_PARTS
from ledger import clawbacks, explain, payments
from ledger.casework.carrying import carried, settle_carried
from ledger.clearing.states import decide_pay, read_clearing
from ledger.events import PAYMENT_INSTITUTION, ClaimFiled, ClaimReversed, ClawbackRaised, Event
from ledger.keys import clawback_stream
from ledger.lookup import find_claim
from ledger.mapper import decode_event
from ledger.originals import pool_of
from ledger.paying.withholding import withhold
from ledger.refusals import Refusal, Refused
from ledger.reports import Clawback, Payment
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.clearing.states import Clearing
    from ledger.store import Reader, Transaction
    from ledger.writing import Header


class Money(Base):
    """Instructs payments of clearings, raises and collects clawbacks."""

    def pay(
        self, period: int, to: str = "all", *, offset: bool = False, payer: int | None = None, reason: str = ""
    ) -> list[Payment]:
        """Instructs what a signed clearing owes: region to region, and treatment region to institution.

        ``to`` is ``regions``, ``institutions`` or ``all``; ``payer`` the region that pays (None: every one). A payee
        is paid once a period: asking again is refused. The terms the clearing was drawn up under say what is retained.
        ``offset`` sets off what cases still claim of institutions, as ``clawback_offset`` does of one; what they owe
        back is set off in any case. The acts are summed outside the log's lock: behind the cut-off they do not change.
        """
        from ledger.acts import read_acts
        from ledger.clearing.figures import fold_period
        from ledger.institution_pay.setting import with_differences

        def payable(reader: "Reader") -> "Clearing":
            state = read_clearing(reader, period)
            if refusal := decide_pay(state):
                raise Refused(refusal, explain.clearing(refusal, state, 0))
            return state

        kinds = payments.KINDS.get(to)
        if kinds is None:
            raise Refused(Refusal.UNKNOWN_KEY, f"expected one of {', '.join(payments.KINDS)} to pay, got {to!r}")
        with self.store.read() as reader:
            state = payable(reader)
            figures = fold_period(read_acts(reader, after=state.opened, stop=state.closed), period)
        with self.transaction() as tx:
            state = payable(tx)
            owed = figures.dues(kinds)
            if PAYMENT_INSTITUTION in kinds:
                owed = with_differences(tx, period, owed)
            settled = settle_carried(owed, carried(tx), kinds)
            whole = {payments.due_stream(period, due): due for due in settled if payer in (None, due.payer)}
            paid = tx.stream_heads(list(whole))
            assert state.drafted is not None
            arguments: dict[str, object] = {"period": period, "to": to} | ({"offset": True} if offset else {})
            arguments |= {} if payer is None else {"payer": payer}
            cause, command = self.command(tx, "pay", reason, arguments)
            dues, behind = withhold(tx, whole, paid, state.drafted.terms, cause, offset=offset)
            decided = payments.decide_instruct(period, dues, paid, cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.payment(decided, period))
            opened = [(command, None), *((header, None) for header in decided)]
            self.append_opened(tx, [*opened, *behind.headed(tx)])
            return [Payment.of(stream, payments.evolve(payments.PaymentState(), event)) for stream, _, event in decided]

    def clawback_raise(self, case: str, claim: str, amount_fen: int, reason: str) -> Clawback:
        """Raises a clawback on a claim's funds under a case number; together never more than the funds paid."""
        with self.transaction() as tx:
            stream = clawback_stream(explain.key("case", case))
            position, filed, decision = find_claim(tx, claim)
            state = self._clawback(tx, stream)
            recovered = self.knowledge.recovered.get(position, [0] * len(FUND_PARTS))
            cause, command = self.command(
                tx, "clawback raise", reason, {"amount_fen": amount_fen, "case": case, "claim": claim}
            )
            decided = clawbacks.decide_raise(
                state,
                cause=cause,
                claim=position,
                regions=(filed.insured_region, filed.treatment_region),
                institution=filed.fixmedins_code,
                amount_fen=amount_fen,
                amounts=decision.amounts,
                recovered=recovered,
                reversed_=isinstance(decision, ClaimReversed) or bool(tx.reversals([position])),
                order=self._fund_order(decision.policy),
            )
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.clawback(decided, case, claim, amount_fen, decision.amounts, recovered))
            assert isinstance(decided, ClawbackRaised)
            decided = msgspec.structs.replace(decided, pool=pool_of(decision.how))
            self.append(tx, [command, (stream, 1, decided)], filed)
            return Clawback.of(case, filed.setl_id, clawbacks.evolve(state, decided))

    def clawback_collect(self, case: str, amount_fen: int, receipt: str, *, reason: str = "") -> Clawback:
        """Collects a part of a clawback by a receipt; never more than is outstanding, a receipt counts once."""
        with self.transaction() as tx:
            stream = clawback_stream(explain.key("case", case))
            state = self._clawback(tx, stream)
            receipt = explain.key("receipt", receipt)
            cause, command = self.command(
                tx, "clawback collect", reason, {"amount_fen": amount_fen, "case": case, "receipt": receipt}
            )
            decided = clawbacks.decide_collect(state, cause=cause, amount_fen=amount_fen, receipt=receipt)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.collection(decided, case, amount_fen, receipt, state))
            return self._collected(tx, case, state, command, decided)

    def clawback_offset(self, case: str, amount_fen: int | None = None, *, reason: str = "") -> Clawback:
        """Sets a clawback, or a part of it, off against what the institution is paid next (None: all outstanding)."""
        with self.transaction() as tx:
            stream = clawback_stream(explain.key("case", case))
            state = self._clawback(tx, stream)
            amount = state.outstanding_fen if amount_fen is None else amount_fen
            arguments = {"amount_fen": amount, "case": case}
            cause, command = self.command(tx, "clawback offset", reason, arguments)
            decided = clawbacks.decide_offset(state, cause=cause, amount_fen=amount)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.collection(decided, case, amount, "", state))
            return self._collected(tx, case, state, command, decided)

    def _collected(
        self, tx: "Transaction", case: str, state: clawbacks.ClawbackState, command: "Header", decided: Event
    ) -> Clawback:
        """Appends what collects a part of a clawback."""
        stream = clawback_stream(case)
        self.append(tx, [command, (stream, tx.stream_heads([stream])[stream] + 1, decided)], state.raised)
        assert state.raised is not None
        filed = decode_event(ClaimFiled.TOPIC, tx.events_at([state.raised.claim])[state.raised.claim][3])
        assert isinstance(filed, ClaimFiled)
        return Clawback.of(case, filed.setl_id, clawbacks.evolve(state, decided))

    def _fund_order(self, digest: bytes) -> Sequence[str]:
        """Returns the order in which a policy's funds get money back, the default where it names none."""
        policy = self.knowledge.policies.policy_named(digest)
        return (policy.header.clawback_order if policy else ()) or clawbacks.DEFAULT_FUND_ORDER

    def _clawback(self, tx: "Transaction", stream: str) -> clawbacks.ClawbackState:
        state = clawbacks.ClawbackState()
        for _, _, topic, stored in tx.stream(stream):
            state = clawbacks.evolve(state, decode_event(topic, stored))
        return state
