"""Are the commands about allowances without a claim: grant, pay, revoke, list."""

from typing import TYPE_CHECKING

import msgspec

from ledger import explain
from ledger.allowance import deciding
from ledger.benefit_events import AllowanceGranted
from ledger.keys import allowance_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import yuan_display
from ledger.policy_terms import INSUTYPES, MATERNITY_INSUTYPE
from ledger.refusals import Refusal, Refused
from ledger.register_file import date_of
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.policy import Policy
    from ledger.policy_terms import Rules
    from ledger.store import Reader, Transaction


class Allowance(msgspec.Struct, frozen=True):
    """Is one allowance: its key, whom it is for and whom it is paid to, fen, and how far it is."""

    key: str
    region: int
    begin: int
    days: int
    base_fen: int
    amount_fen: int
    fund: int
    payee: str
    state: str
    receipt: str


class Allowances(Base):
    """Grants, pays and revokes the maternity allowance (生育津贴)."""

    def grant_allowance(
        self,
        psn_no: str,
        region: int,
        *,
        leave: str,
        begin: int,
        wage_fen: int,
        children: int = 1,
        payee: str = "",
        employer: str = "",
        reason: str = "",
    ) -> Allowance:
        """Grants a person the maternity allowance of a leave that begins on a day, and returns it.

        ``wage_fen`` is the employer's monthly mean wage. The region's policy says the days of each ``leave`` and
        whether the person is paid (or ``payee``, another person of the register) or the employer, who must be named.
        A person has one allowance for one day of beginning; a revoked one may be granted anew.
        """
        if not 0 < wage_fen < 10**12 or not 1 <= children <= 9:
            got = f"{yuan_display(wage_fen)} and {children}"
            raise Refused(Refusal.BAD_VALUE, f"expected a wage above 0 and 1 to 9 children, got {got}")
        with self.transaction() as tx:
            policy, digest, rules = self._rules(region, begin)
            terms = rules.maternity_allowance
            days = deciding.days_of_leave(terms, leave, children)
            if days is None:
                known = ", ".join(each.leave for each in terms.leaves) or "none"
                raise Refused(
                    Refusal.ALLOWANCE_WITHOUT_RULE,
                    f"policy {policy.header.name}: expected a leave it has an allowance for ({known}), got {leave!r}",
                )
            tokens = tx.tokens([number for number in (psn_no, payee) if number])
            self._check_person(tx, tokens.get(psn_no, 0), psn_no, region, begin)
            if payee and payee not in tokens:
                raise Refused(Refusal.UNKNOWN_PSN_NO, f"expected a registered payee, got {payee!r}")
            to_employer = terms.paid_to == "employer"
            if to_employer != bool(employer) or (to_employer and payee):
                expected = "--employer and no --payee" if to_employer else "no --employer"
                raise Refused(
                    Refusal.BAD_VALUE,
                    f"policy {policy.header.name} pays the {terms.paid_to}: expected {expected},"
                    f" got {employer or payee or 'nothing'}",
                )
            stream = allowance_stream(region, tokens[psn_no], deciding.MATERNITY_ALLOWANCE, begin)
            have, state = _state(tx, stream)
            if state.granted is not None and not state.revoked:
                raise Refused(
                    Refusal.STREAM_EXISTS, f"{stream} is granted already: {yuan_display(state.granted.amount_fen)}"
                )
            if state.paid is not None:
                raise Refused(Refusal.ALREADY_PAID, f"{stream} was paid before it was revoked: collect it first")
            arguments = {"begin": begin, "leave": leave, "region": region, "wage_fen": wage_fen, "children": children}
            cause, command = self.command(tx, "allowance grant", reason, arguments)
            pool = MATERNITY_INSUTYPE if rules.maternity_paid_from == "maternity_fund" else INSUTYPES["employee"]
            event = AllowanceGranted(
                cause, 0, tokens[psn_no], region, deciding.MATERNITY_ALLOWANCE, begin, days, wage_fen,
                deciding.amount(wage_fen, days, terms.month_days), pool * 1000 + 100,
                0 if to_employer else tokens[payee or psn_no], explain.key("employer", employer) if employer else "",
                digest,
            )  # fmt: skip
            self.append(tx, [command, (stream, have + 1, event)])
            return _report(stream, deciding.evolve(state, event))

    def pay_allowance(self, key: str, receipt: str, *, amount_fen: int | None = None, reason: str = "") -> Allowance:
        """Pays a granted allowance in full by the bank's receipt; ``amount_fen`` must be its amount where given."""
        with self.transaction() as tx:
            have, state = _state(tx, key)
            receipt = explain.key("receipt", receipt)
            cause, command = self.command(tx, "allowance pay", reason, {"allowance": key, "receipt": receipt})
            due = state.granted.amount_fen if state.granted else 0
            decided = deciding.decide_pay(state, receipt, due if amount_fen is None else amount_fen, cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, _refused(decided, key, state, amount_fen or 0))
            self.append(tx, [command, (key, have + 1, decided)], state.granted)
            return _report(key, deciding.evolve(state, decided))

    def revoke_allowance(self, key: str, *, reason: str) -> Allowance:
        """Revokes a granted allowance in full; of one that was paid the payee owes the amount back."""
        with self.transaction() as tx:
            have, state = _state(tx, key)
            cause, command = self.command(tx, "allowance revoke", reason, {"allowance": key})
            decided = deciding.decide_revoke(state, cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, _refused(decided, key, state, 0))
            self.append(tx, [command, (key, have + 1, decided)], state.granted)
            return _report(key, deciding.evolve(state, decided))

    def allowances(self) -> list[Allowance]:
        """Returns every allowance, by its key."""
        with self.store.read() as reader:
            states: dict[str, deciding.AllowanceState] = {}
            for _, stream, _, topic, state in streams_with_prefix(reader, "allowance"):
                before = states.get(stream, deciding.AllowanceState())
                states[stream] = deciding.evolve(before, decode_event(topic, state))
        return [_report(stream, state) for stream, state in sorted(states.items())]

    def _rules(self, region: int, day: int) -> "tuple[Policy, bytes, Rules]":
        digest = self.knowledge.policies.digest_in_force(region)
        policy = self.knowledge.policies.policy_named(digest) if digest else None
        rules = policy.rules_on("employee", day) if policy else None
        if digest is None or policy is None or rules is None:
            raise Refused(
                Refusal.NO_POLICY, f"expected a policy for employees in force in {region:06d} on {day}, got none"
            )
        return policy, digest, rules

    def _check_person(self, tx: "Transaction", token: int, psn_no: str, region: int, day: int) -> None:
        """Raises Refused unless the person is an employee of the region whose benefits are paid on the day."""
        import numpy as np

        from ledger.registers import load_members

        if not token:
            raise Refused(Refusal.UNKNOWN_PSN_NO, f"expected a registered person, got {psn_no!r}")
        found = load_members(tx, np.array([token], np.int64), np.zeros(1, np.int64), np.array([day], np.int64))
        rows = tx.lookup("member", "token", "begin, insutype, insu_admdvs", np.array([token], np.int64))
        held = max((tuple(map(int, row[1:])) for row in rows if int(row[1]) <= day), default=(0, 0, 0))
        owner = int(self.knowledge.policies.region_of(np.array([held[2]], np.int64))[0])
        insured = held[1] in (INSUTYPES["employee"], MATERNITY_INSUTYPE) and owner == region
        if not found.enrolled[0] or found.reason[0] or not insured:
            reason = Refusal(int(found.reason[0])).code if found.reason[0] else f"insutype {held[1]} in {owner:06d}"
            raise Refused(
                Refusal.ALLOWANCE_NOT_ENTITLED,
                f"expected an employee of {region:06d} whose benefits are paid on {date_of(day)},"
                f" got {psn_no!r}: {reason}",
            )


def _state(reader: "Reader", stream: str) -> tuple[int, deciding.AllowanceState]:
    """Returns (events so far, state) of an allowance; raises Refused for a key of another kind."""
    if not stream.startswith("allowance-"):
        raise Refused(Refusal.UNKNOWN_KEY, f"expected the key of an allowance (allowance-…), got {stream!r}")
    state = deciding.AllowanceState()
    events = reader.stream(stream)
    for _, _, topic, stored in events:
        state = deciding.evolve(state, decode_event(topic, stored))
    return len(events), state


def _refused(refusal: Refusal, key: str, state: deciding.AllowanceState, amount_fen: int) -> str:
    if refusal == Refusal.NOT_INSTRUCTED:
        return f"expected the key of a granted allowance, got {key!r}"
    if refusal == Refusal.ALLOWANCE_REVOKED:
        return f"{key} is revoked"
    if refusal == Refusal.ALREADY_PAID:
        assert state.paid is not None
        return f"{key} is paid already by receipt {state.paid.receipt}"
    assert state.granted is not None
    return f"{key}: expected {yuan_display(state.granted.amount_fen)}, got {yuan_display(amount_fen)}"


def _report(key: str, state: deciding.AllowanceState) -> Allowance:
    granted = state.granted
    assert granted is not None
    where = "revoked" if state.revoked else "paid" if state.paid else "granted"
    return Allowance(
        key, granted.region, granted.begin, granted.days, granted.base_fen, granted.amount_fen, granted.fund,
        granted.employer or f"person {granted.payee:09d}", where, state.paid.receipt if state.paid else "",
    )  # fmt: skip
