"""Takes acts on cases in turn, inside one transaction: reads the streams they touch, decides, and keeps the events."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from core_ext.layout import FUND_PARTS
from ledger import clawbacks
from ledger.casework import cases, recoveries
from ledger.casework.acts import Act
from ledger.casework.cases import CaseState, Step
from ledger.casework.events import (
    CLOSED,
    FINE,
    KINDS,
    PRINCIPAL_KINDS,
    SOURCES,
    CaseOpened,
    CaseSanctioned,
    RecoveryReversed,
    TipRewarded,
)
from ledger.casework.recoveries import RecoveryState
from ledger.casework.terms import Terms, terms_of, terms_on
from ledger.casework.wording import on_case, on_money
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled, Event
from ledger.explain import key
from ledger.keys import docket_stream, institution_stream, recovery_stream
from ledger.lookup import find_claim
from ledger.mapper import decode_event
from ledger.money import yuan_display as yuan
from ledger.postings import checked_postings
from ledger.refusals import Refusal, Refused
from ledger.register_events import STATUS_ENDED, STATUS_SUSPENDED
from ledger.registering_institutions import change_status

if TYPE_CHECKING:
    from ledger.knowledge import Knowledge
    from ledger.store import Transaction
    from ledger.writing import Header

STATUSES = {"suspended": STATUS_SUSPENDED, "terminated": STATUS_ENDED, "referred": 0}


class Settled(NamedTuple):
    """Is a claim as it stands: position, facts, what its funds paid and what came back of it, the policy's order."""

    position: int
    filed: ClaimFiled
    paid: list[int]
    recovered: list[int]
    order: Sequence[str]

    @property
    def left_fen(self) -> int:
        """Returns what its funds can still get back."""
        return sum(self.paid) - sum(self.recovered)


class Desk:
    """Is the state of every case that a run of acts touches; ``headers`` are the events decided so far."""

    def __init__(self, tx: "Transaction", knowledge: "Knowledge", cause: int, actor: str, today: int) -> None:
        self._tx = tx
        self._knowledge = knowledge
        self._cause = cause
        self._actor = actor
        self._today = today
        self._terms = terms_of(tx)
        self._cases: dict[str, CaseState] = {}
        self._money: dict[str, RecoveryState] = {}
        self._versions: dict[str, int] = {}
        self._recovered: dict[int, list[int]] = {at: list(funds) for at, funds in knowledge.recovered.items()}
        self.headers: list[Header] = []

    def take(self, act: Act) -> None:
        """Decides one act and keeps its event; raises Refused, and then nothing of the run may be written."""
        acts: dict[str, Callable[[Act], None]] = {
            "open": self._open,
            "submit": self._submit,
            "decide": self._decide,
            "appeal": self._appeal,
            "close": self._close,
            "reward": self._reward,
            "sanction": self._sanction,
            "raise": self._raise,
            **dict.fromkeys(("collect", "offset", "instal", "write_off", "reverse"), self._follow),
        }
        key("case", act.case)
        acts[act.act](act)

    def expire(self, case: str, on: int) -> None:
        """Notes the expiry of a case's stage where it is past its limit on a day."""
        step = Step(self._cause, on, self._actor)
        if event := cases.decide_expiry(self.case(case), step, self._terms_on(on)):
            self._keep_case(case, event)

    def case(self, case: str) -> CaseState:
        """Returns a case as it stands behind the acts taken so far."""
        if case not in self._cases:
            self._cases[case] = CaseState()
            for event in self._read(docket_stream(case)):
                cases.evolve(self._cases[case], event)
        return self._cases[case]

    def money(self, kind: int, case: str) -> RecoveryState:
        """Returns one kind of money of a case as it stands behind the acts taken so far."""
        stream = recovery_stream(kind, case)
        if stream not in self._money:
            self._money[stream] = RecoveryState()
            for event in self._read(stream):
                recoveries.evolve(self._money[stream], event)
        return self._money[stream]

    def _read(self, stream: str) -> list[Event]:
        events = [decode_event(topic, state) for _, _, topic, state in self._tx.stream(stream)]
        self._versions[stream] = len(events)
        return events

    def _terms_on(self, on: int) -> Terms:
        return terms_on(self._terms, on)

    def _step(self, act: Act) -> Step:
        return Step(self._cause, act.on or self._today, self._actor, act.owner, act.evidence)

    def _keep(self, stream: str, event: Event) -> None:
        if stream not in self._versions:
            self._versions.update({stream: self._tx.stream_heads([stream]).get(stream, 0)})
        self._versions[stream] += 1
        self.headers.append((stream, self._versions[stream], event))

    def _keep_case(self, case: str, event: Event) -> None:
        cases.evolve(self._cases[case], event)
        self._keep(docket_stream(case), event)

    def _decided(self, act: Act, decided: Event | Refusal) -> None:
        if isinstance(decided, Refusal):
            raise on_case(decided, act, self.case(act.case))
        self._keep_case(act.case, decided)

    def _claim(self, claim: str | int) -> Settled:
        """Returns a claim by its key or position; refused where it is unknown, a refund or refunded."""
        if isinstance(claim, str):
            position, filed, decision = find_claim(self._tx, claim)
        else:
            position = claim
            found = self._tx.events_at([claim, claim + 1])
            facts, decided = (decode_event(*found[at][2:]) for at in (claim, claim + 1))
            assert isinstance(facts, ClaimFiled) and isinstance(decided, ClaimSettled | ClaimReversed)
            filed, decision = facts, decided
        if isinstance(decision, ClaimReversed) or self._tx.reversals([position]):
            raise Refused(
                Refusal.ALREADY_REVERSED, f"claim {filed.setl_id} is reversed: its funds have their money back"
            )
        policy = self._knowledge.policies.policy_named(decision.policy)
        order = (policy.header.clawback_order if policy else ()) or clawbacks.DEFAULT_FUND_ORDER
        paid = [decision.amounts[at] for at in FUND_PARTS]
        recovered = self._recovered.setdefault(position, [0] * len(FUND_PARTS))
        return Settled(position, filed, paid, recovered, order)

    def _open(self, act: Act) -> None:
        state, step = self.case(act.case), self._step(act)
        if state.opened is not None:
            raise on_case(Refusal.STREAM_EXISTS, act, state)
        if act.source not in SOURCES or not act.claims:
            raise Refused(
                Refusal.BAD_VALUE,
                f"case {act.case}: expected claims and a source ({', '.join(SOURCES)}), got {act.source!r}",
            )
        if not act.owner:
            raise on_case(Refusal.CASE_OWNER, act, state)
        claims = [(self._claim(claim), fen) for claim, fen in act.claims]
        debtors = {self._debtor(claim, act.person) for claim, _ in claims}
        if len(debtors) != 1 or len({claim.position for claim, _ in claims}) != len(claims):
            got = ", ".join(f"{debtor} ({region:06d})" for debtor, region in sorted(debtors))
            raise Refused(Refusal.CASE_MIXED, f"case {act.case}: expected claims of one debtor, each once, got {got}")
        ((debtor, region),) = debtors
        items = tuple((claim.position, claim.left_fen if fen < 0 else fen) for claim, fen in claims)
        for (claim, _), (_, fen) in zip(claims, items, strict=True):
            if not 0 <= fen <= claim.left_fen:
                raise Refused(
                    Refusal.CASE_AMOUNT,
                    f"case {act.case}: claim {claim.filed.setl_id}: expected 0.00 to {yuan(claim.left_fen)}"
                    f" (what its funds paid, less what is claimed back), got {yuan(fen)}",
                )
        due = cases.due_day(self._terms_on(step.on), 1, step.on)
        said = (act.case, SOURCES[act.source], debtor, region, step.on, act.owner, due, items, act.violations)
        self._keep_case(act.case, CaseOpened(self._cause, act.row, *said, act.evidence, act.seed))

    @staticmethod
    def _debtor(claim: Settled, person: bool) -> tuple[str, int]:
        """Returns who owes it, and the region that collects: the insured one of a person, else the treatment one."""
        if person:
            return f"person-{claim.filed.token:09d}", claim.filed.insured_region
        return claim.filed.fixmedins_code, claim.filed.treatment_region

    def _shares(self, act: Act, state: CaseState) -> list[int]:
        """Returns the fen an act names for each item, what stands for an item it leaves out."""
        assert state.opened is not None
        shares = dict(zip((at for at, _ in state.opened.items), state.shares, strict=True))
        for claim, fen in act.claims:
            position = self._claim(claim).position
            if position not in shares:
                raise Refused(Refusal.CASE_MIXED, f"case {act.case}: expected a claim of the case, got {claim}")
            shares[position] = shares[position] if fen < 0 else fen
        return list(shares.values())

    def _submit(self, act: Act) -> None:
        state, step = self._known(act), self._step(act)
        assert state.opened is not None
        most = [self._claim(at).left_fen for at, _ in state.opened.items]
        self._decided(act, cases.decide_submit(state, step, self._terms_on(step.on), self._shares(act, state), most))

    def _decide(self, act: Act) -> None:
        state, step = self._known(act), self._step(act)
        shares = self._shares(act, state)
        self._decided(act, cases.decide_stage(state, step, self._terms_on(step.on), shares, act.members))

    def _appeal(self, act: Act) -> None:
        state, step = self._known(act), self._step(act)
        self._decided(act, cases.decide_appeal(state, step, self._terms_on(step.on), act.reason))

    def _close(self, act: Act) -> None:
        self._decided(act, cases.decide_close(self._known(act), self._step(act), act.accepted))

    def _known(self, act: Act) -> CaseState:
        state = self.case(act.case)
        if state.opened is None:
            raise on_case(Refusal.UNKNOWN_KEY, act, state)
        return state

    def _closed(self, act: Act) -> CaseState:
        state = self._known(act)
        if state.stage != CLOSED:
            raise on_case(Refusal.CASE_NOT_CLOSED, act, state)
        return state

    def _reward(self, act: Act) -> None:
        state, step = self._closed(act), self._step(act)
        assert state.opened is not None
        most = self._terms_on(step.on).reward_most_fen - state.rewarded_fen
        if state.opened.source != SOURCES["tip_off"] or not 0 < act.amount_fen <= most or not act.receipt:
            raise Refused(
                Refusal.REWARD_TOO_LARGE,
                f"case {act.case}: expected a tip-off's case, a receipt and up to {yuan(most)},"
                f" got {yuan(act.amount_fen)}",
            )
        said = (step.on, state.opened.region, act.amount_fen, act.receipt)
        self._keep_case(act.case, TipRewarded(self._cause, act.row, *said))

    def _sanction(self, act: Act) -> None:
        """Suspends, terminates or refers; the first two reach the register from their day on."""
        state, step = self._closed(act), self._step(act)
        assert state.opened is not None
        if act.status not in STATUSES or not act.reason.strip():
            raise Refused(
                Refusal.BAD_VALUE,
                f"case {act.case}: expected a reason and one of {', '.join(STATUSES)}, got {act.status!r}",
            )
        status, begin = STATUSES[act.status], act.begin or step.on
        event = CaseSanctioned(self._cause, act.row, step.on, status, begin, act.reason)
        self._keep_case(act.case, event)
        if status:
            change = change_status(self._tx, self._cause, act.row, state.opened.debtor, begin, status, act.reason)
            self._keep(institution_stream(state.opened.debtor), change)

    def _kind(self, act: Act) -> int:
        if act.kind not in KINDS:
            raise on_money(Refusal.BAD_VALUE, act, RecoveryState())
        return KINDS[act.kind]

    def _raise(self, act: Act) -> None:
        kind, state, step = self._kind(act), self._closed(act), self._step(act)
        assert state.opened is not None
        terms = self._terms_on(step.on)
        parts = self._parts(act, state) if kind in PRINCIPAL_KINDS else []
        allowed = (terms.fraud_bp if act.fraud else terms.fine_bp) if kind == FINE else (0, 0)
        held = self.money(kind, act.case)
        decided = recoveries.decide_raise(
            held,
            cause=self._cause,
            kind=kind,
            case=act.case,
            debtor=state.opened.debtor,
            region=state.opened.region,
            on=step.on,
            amount_fen=sum(part[4] for part in parts) if kind in PRINCIPAL_KINDS else act.amount_fen,
            parts=parts,
            base_fen=state.amount_fen if kind == FINE else 0,
            multiple=act.multiple,
            allowed=allowed,
        )
        if isinstance(decided, Refusal):
            raise on_money(decided, act, held, allowed)
        for claim, _, fund, _, fen in parts:
            self._recovered[claim][fund] += fen
        self._keep_money(kind, act.case, decided)

    def _parts(self, act: Act, state: CaseState) -> list[tuple[int, int, int, int, int]]:
        """Returns the parts of what is raised: the claims an act names, else all that is upheld and not raised yet."""
        assert state.opened is not None
        left = dict(zip((at for at, _ in state.opened.items), state.shares, strict=True))
        for kind in PRINCIPAL_KINDS:
            raised = self.money(kind, act.case).raised
            for claim, _, _, _, fen in raised.parts if raised else ():
                left[claim] -= fen
        wanted = {self._claim(claim).position: fen for claim, fen in act.claims}
        parts: list[tuple[int, int, int, int, int]] = []
        for at, most in left.items():
            fen = wanted.pop(at, 0 if act.claims else -1)
            fen = most if fen < 0 else fen
            found = self._claim(at)
            insured, insutype = found.filed.insured_region, found.filed.insutype
            own = recoveries.parts_of(at, insured, insutype, fen, found.paid, found.recovered, found.order)
            if fen > most or own is None:
                raise on_money(Refusal.CLAWBACK_TOO_LARGE, act, RecoveryState())
            parts += own
        if wanted:
            raise Refused(Refusal.CASE_MIXED, f"case {act.case}: expected claims of the case, got others")
        return parts

    def _follow(self, act: Act) -> None:
        kind, on = self._kind(act), act.on or self._today
        state, cause, fen = self.money(kind, act.case), self._cause, act.amount_fen
        if act.act == "collect":
            decided = recoveries.decide_collect(state, cause, on, fen, act.receipt)
        elif act.act == "offset":
            decided = recoveries.decide_offset(state, cause, on, fen or sum(state.outstanding))
        elif act.act == "instal":
            decided = recoveries.decide_instal(state, cause, on, act.instalments)
        elif act.act == "write_off":
            decided = recoveries.decide_write_off(state, cause, on, fen, act.reason)
        else:
            decided = recoveries.decide_reverse(state, cause, on, fen, act.reason)
        if isinstance(decided, Refusal):
            raise on_money(decided, act, state)
        if isinstance(decided, RecoveryReversed) and state.raised is not None and state.raised.parts:
            for part, a, b in zip(state.raised.parts, decided.cancelled, decided.repaid, strict=True):
                self._recovered.setdefault(part[0], [0] * len(FUND_PARTS))[part[2]] -= a + b
        self._keep_money(kind, act.case, decided)

    def _keep_money(self, kind: int, case: str, event: Event) -> None:
        state = recoveries.evolve(self.money(kind, case), event)
        checked_postings(event, state.raised)
        self._keep(recovery_stream(kind, case), event)
