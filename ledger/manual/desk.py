"""Takes acts on applications in turn, inside one transaction: each is decided over what the ones before it wrote."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import AMOUNT, FACT
from ledger import payments
from ledger.block import EventBlock
from ledger.event import Event
from ledger.events import PAYMENT_PERSON, ClaimFiled, ClaimSettled
from ledger.explain import key
from ledger.keys import manual_stream, payment_stream, reimbursement_stream
from ledger.manual import entering, states
from ledger.manual.acts import Act
from ledger.manual.docket import read_application
from ledger.manual.events import OUTCOMES, ManualOwed
from ledger.manual.owing import owed_to_persons, standing_fen
from ledger.manual.postings import FURTHER, person_payee
from ledger.manual.states import Application, Doing
from ledger.manual.terms import Terms, terms_of, terms_on
from ledger.manual.wording import refused
from ledger.mapper import decode_event
from ledger.payments import Due, instruction
from ledger.postings import checked_postings
from ledger.refusals import Refusal, Refused
from ledger.resettled import standing_of
from ledger.reversing import reverse_in
from ledger.supervision.events import ManualClaimAccepted

if TYPE_CHECKING:
    from ledger.postings import Opened
    from ledger.store import Transaction
    from ledger.verbs.base import Base


class Desk:
    """Decides and appends acts behind their command, which stands at ``cause``."""

    def __init__(self, ledger: "Base", tx: "Transaction", cause: int, today: int) -> None:
        self._ledger = ledger
        self._tx = tx
        self._cause = cause
        self._today = today
        self._terms = terms_of(tx)

    def take(self, act: Act) -> None:
        """Decides one act and appends what it writes; raises Refused, and then the transaction has to be given up."""
        acts: dict[str, Callable[[Act, Doing, Application], None]] = {
            "accept": self._accept,
            "archive": self._archive,
            "enter": self._enter,
            "review": self._review,
            "settle": self._settle,
            "confirm": self._confirm,
            "pay": self._pay,
            "recover": self._recover,
            "collect": self._collect,
            "request": self._request,
            "complete": self._complete,
        }
        key("application", act.application)
        doing = Doing(self._cause, act.row, act.on or self._today, self._ledger.actor, act.owner)
        acts[act.act](act, doing, read_application(self._tx, act.application))

    def _terms_of(self, state: Application) -> Terms:
        """Returns the terms of the day on which an application was accepted: they go with it to its end."""
        assert state.accepted is not None
        return terms_on(self._terms, state.accepted.region, state.accepted.on)

    def _known(self, act: Act, state: Application) -> Terms:
        if state.accepted is None:
            raise refused(Refusal.UNKNOWN_KEY, act, state)
        return self._terms_of(state)

    def _append(self, stream: str, version: int, event: Event, opened: "Opened | None" = None) -> None:
        checked_postings(event, opened)
        self._tx.append(EventBlock.from_events([(stream, version, event)]))

    def _decided(self, act: Act, state: Application, decided: Event | Refusal) -> None:
        if isinstance(decided, Refusal):
            raise refused(decided, act, state)
        self._append(reimbursement_stream(act.application), state.version + 1, decided)
        states.evolve(state, decided)

    def _accept(self, act: Act, doing: Doing, state: Application) -> None:
        codes = np.array([act.insu_admdvs], np.int64)
        region = int(self._ledger.knowledge.policies.region_of(codes)[0])
        if not act.psn_no or not region:
            raise Refused(
                Refusal.BAD_VALUE,
                f"application {act.application}: expected a person (psn_no) and the code of a region with a policy"
                f" (insu_admdvs), got {'a person' if act.psn_no else 'nobody'} and {act.insu_admdvs:06d}",
            )
        token = self._tx.add_persons([(act.psn_no, "")])[act.psn_no]
        if act.follows:
            self._followed(act, token, region)
        terms = terms_on(self._terms, region, doing.on)
        self._decided(
            act, state, states.decide_accept(state, doing, terms, act.application, token, region, act.follows)
        )

    def _followed(self, act: Act, token: int, region: int) -> None:
        """Refuses to pay anew what was not recovered, or is somebody else's."""
        followed = read_application(self._tx, act.follows)
        before = followed.accepted
        if before is None or followed.recovered is None or (before.token, before.region) != (token, region):
            raise Refused(
                Refusal.MANUAL_NOT_RECOVERED,
                f"application {act.application}: expected to follow a recovered application of the same person and"
                f" region, got {act.follows}: recover it first",
            )

    def _archive(self, act: Act, doing: Doing, state: Application) -> None:
        self._decided(act, state, states.decide_archive(state, doing, self._known(act, state), act.evidence))

    def _request(self, act: Act, doing: Doing, state: Application) -> None:
        self._decided(act, state, states.decide_request(state, doing, act.reason))

    def _complete(self, act: Act, doing: Doing, state: Application) -> None:
        self._decided(act, state, states.decide_complete(state, doing, act.evidence))

    def _enter(self, act: Act, doing: Doing, state: Application) -> None:
        terms = self._known(act, state)
        assert state.accepted is not None
        if refusal := states.refusal_of(state, "enter", doing):
            raise refused(refusal, act, state)
        named = act.claim.get("psn_no", "")
        if named and self._tx.tokens([named]).get(named) != state.accepted.token:
            raise Refused(
                Refusal.MANUAL_PERSON,
                f"application {act.application}: psn_no: expected the person whose application it is, got another one",
            )
        cells = entering.cells_of(act.claim, doing.on)
        entering.decided(self._tx, self._ledger.knowledge, state, cells, act.row)
        self._decided(act, state, states.decide_enter(state, doing, terms, cells))

    def _review(self, act: Act, doing: Doing, state: Application) -> None:
        terms = self._known(act, state)
        if act.outcome not in OUTCOMES:
            raise Refused(
                Refusal.BAD_VALUE,
                f"application {act.application}: expected one of {', '.join(OUTCOMES)}, got {act.outcome!r}",
            )
        self._decided(act, state, states.decide_review(state, doing, terms, OUTCOMES[act.outcome], act.reason))

    def _settle(self, act: Act, doing: Doing, state: Application) -> None:
        """Books the claim on the ordinary path and turns what it owes to the person."""
        terms = self._known(act, state)
        if refusal := states.refusal_of(state, "settle", doing):
            raise refused(refusal, act, state)
        assert state.accepted is not None
        knowledge = self._ledger.knowledge
        batch = entering.decided(self._tx, knowledge, state, state.cells, act.row)
        parts = entering.parts_of(knowledge, batch)
        claim = entering.settle(self._tx, knowledge, batch, doing.cause)
        period, facts = int(batch.period[0]), batch.facts[0].tolist()
        stream = manual_stream(claim)
        self._append(stream, 1, ManualClaimAccepted(doing.cause, doing.row, claim, state.accepted.on))
        amounts = batch.booked[0].tolist()
        owed = ManualOwed(
            cause=doing.cause,
            row=doing.row,
            claim=claim,
            application=act.application,
            token=state.accepted.token,
            insured_region=facts[FACT["insured_region"]],
            treatment_region=facts[FACT["treatment_region"]],
            fixmedins_code=dict(state.cells)["fixmedins_code"],
            med_type=facts[FACT["med_type"]],
            period=period,
            times=1,
            fund_fen=amounts[AMOUNT["fund_pay_sumamt"]],
            account_fen=amounts[AMOUNT["acct_pay"]],
        )
        self._append(stream, 2, owed)
        self._decided(act, state, states.decide_settled(state, doing, terms, claim, period, parts))

    def _confirm(self, act: Act, doing: Doing, state: Application) -> None:
        self._decided(act, state, states.decide_confirm(state, doing, self._known(act, state), act.evidence))

    def _pay(self, act: Act, doing: Doing, state: Application) -> None:
        """Instructs what is owed of the claim as it stands, less what the person owes out of the one it follows."""
        self._known(act, state)
        if refusal := states.refusal_of(state, "pay", doing):
            raise refused(refusal, act, state)
        settled, accepted = state.settled, state.accepted
        assert settled is not None and accepted is not None
        before = read_application(self._tx, accepted.follows) if accepted.follows else Application()
        owed, _ = owed_to_persons(self._tx, [settled.claim])[settled.claim]
        paid = [payments.read_payment(self._tx, each.payment)[0].instructed for each in state.instructions]
        account = owed.account_fen - sum(each.account_fen for each in paid if each)
        left = owed.fund_fen + owed.account_fen - state.instructed_fen
        withheld = min(max(left, 0), sum(before.outstanding))
        payee, number = person_payee(accepted.token), len(state.instructions)
        named = f"{payment_stream(PAYMENT_PERSON, owed.period, accepted.region, payee)}-{act.application}"
        stream = self._free(named, number)
        self._decided(act, state, states.decide_pay(state, doing, stream, left, withheld, act.account))
        if withheld:
            off = states.decide_set_off(before, doing, withheld, act.application)
            if isinstance(off, Refusal):
                raise refused(off, act, before)
            self._append(reimbursement_stream(accepted.follows), before.version + 1, off)
        due = Due(PAYMENT_PERSON, accepted.region, payee, 0 if number else 1, left - account, account, withheld)
        self._append(stream, 1, instruction(owed.period, due, doing.cause))

    def _free(self, named: str, number: int) -> str:
        """Returns the name of a payment behind ``number`` others that no other application's payment has."""
        stream = f"{named}{FURTHER}{number + 1}" if number else named
        while payments.read_payment(self._tx, stream)[1]:
            number += 1
            stream = f"{named}{FURTHER}{number + 1}"
        return stream

    def _recover(self, act: Act, doing: Doing, state: Application) -> None:
        """Refunds the claim of an application in full; what was paid is owed by the person, fund by fund.

        A claim that was refunded by other means is not refunded again. A payment that failed is no hindrance where it
        may not be sent again, because less stands than was instructed.
        """
        self._known(act, state)
        if refusal := states.refusal_of(state, "recover", doing):
            raise refused(refusal, act, state)
        settled = state.settled
        assert settled is not None
        paid = 0
        whole = standing_fen(self._tx, settled.claim) >= state.instructed_fen
        for instructed in state.instructions:
            payment, _ = payments.read_payment(self._tx, instructed.payment)
            if payment.transit_fen or (payment.back_fen and whole):
                raise Refused(
                    Refusal.MANUAL_TRANSIT,
                    f"application {act.application}: expected a payment that the bank has confirmed, got"
                    f" {instructed.payment} {payment.code}: confirm or resend it first",
                )
            paid += payment.received_fen + instructed.withheld_fen
        rows = self._tx.events_at([settled.claim, settled.claim + 1])
        filed, decision = (decode_event(*rows[at][2:]) for at in sorted(rows))
        assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled)
        stands, anew = standing_of(self._tx, {settled.claim: (filed, decision)})[settled.claim]
        knowledge = self._ledger.knowledge
        parts = entering.parts_under(knowledge, stands.policy, filed.insutype, stands.amounts) if anew else None
        refund = self._tx.reversals([settled.claim]).get(settled.claim, 0)
        if not refund:
            name = f"{filed.insured_region:06d}/{filed.setl_id}"
            refund = reverse_in(self._tx, self._ledger, name, doing.cause).position
        self._decided(act, state, states.decide_recover(state, doing, refund, paid, act.reason, parts))

    def _collect(self, act: Act, doing: Doing, state: Application) -> None:
        self._known(act, state)
        self._decided(act, state, states.decide_collect(state, doing, act.amount_fen, act.receipt))
