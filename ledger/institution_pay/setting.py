"""Sets what agencies pay their institutions for a closed period, from its acts, the policies and the groupings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core_ext.layout import AMOUNT, FACT, HOW
from core_ext.text import text_at
from ledger.benefit_events import ClaimGrouped, InstitutionPaymentSet
from ledger.event import Event
from ledger.events import BASIS_RESETTLED, PAYMENT_INSTITUTION
from ledger.institution_pay.deciding import (
    PaidClaim,
    Set,
    changes,
    difference,
    given_back,
    key_of,
    named,
    package,
    payable,
    rule_for,
    rules_on,
    standard_of,
)
from ledger.institution_pay.groupings import groupings
from ledger.keys import institution_payment_stream, payment_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.payment_terms import PackagePayment, Payment
from ledger.payments import Due
from ledger.refusals import Refusal, Refused
from ledger.replaying.events import ClaimResettled

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.plans import PolicyBook
    from ledger.policy import Policy
    from ledger.store import Reader, Transaction

Institution = tuple[int, str]


class Ungrouped(msgspec.Struct, frozen=True):
    """Is a claim that a rule is for and nothing gives an amount: it stays itemised. ``claim`` is its position."""

    claim: int
    setl_id: str
    institution: str
    rule: str


class InstitutionsSet(msgspec.Struct, frozen=True):
    """Is what one command set: how many amounts are new or changed, by how much, and what stays itemised for want."""

    period: int
    changed: int
    change_fen: int
    ungrouped: tuple[Ungrouped, ...]


@dataclass(slots=True)
class _Found:
    """Is what a period's acts come to, institution by institution."""

    decided: dict[Institution, list[Set]] = field(default_factory=dict)
    packages: dict[tuple[int, str, str], tuple[PackagePayment, list[PaidClaim]]] = field(default_factory=dict)
    ungrouped: list[Ungrouped] = field(default_factory=list)
    here: dict[int, Set] = field(default_factory=dict)
    logged: dict[int, InstitutionPaymentSet] | None = None

    def add(self, each: Set) -> None:
        """Adds what is paid for a claim or a package."""
        self.decided.setdefault((each.region, each.institution), []).append(each)


def set_institutions(
    tx: "Transaction", pages: Iterable["Acts"], policies: "PolicyBook", period: int, cause: int
) -> tuple[list[tuple[str, int, Event]], InstitutionsSet]:
    """Returns the events that a period's amounts differ by from what stands, and a report of them.

    Raises Refused where an amount would change behind a payment that is instructed already.
    """
    ruled = {region: policy for region, policy in policies.policies_in_force().items() if _has_rules(policy)}
    found = _Found()
    _packages(found, ruled, period)
    known = groupings(tx) if ruled else {}
    for acts in pages:
        rows = np.flatnonzero(
            (acts.period == period) & np.isin(acts.facts[:, FACT["treatment_region"]], np.array([*ruled], np.int64))
        )
        for row in rows.tolist():
            claim = _paid_claim(acts, row)
            policy = ruled[claim.region]
            rule = rule_for(rules_on(policy, claim.day), claim)
            if isinstance(rule, PackagePayment):
                key = (claim.region, claim.institution, rule.name)
                found.packages.setdefault(key, (rule, []))[1].append(claim)
            elif acts.basis[row] == BASIS_RESETTLED:
                _anew(tx, found, claim, rule)
            elif claim.original:
                _refund(tx, found, claim, rule)
            elif rule is not None:
                _claim(found, policy, claim, known.get(claim.claim), text_at(acts.texts["setl_id"], row), rule)
    for (region, institution, _), (rule, claims) in found.packages.items():
        found.add(package(rule, region, institution, claims))
    return _events(tx, found, period, cause)


def _has_rules(policy: "Policy") -> bool:
    return "clearing.institution_payment" in policy.parameters


def _packages(found: _Found, ruled: Mapping[int, "Policy"], period: int) -> None:
    """Notes every package of the period: an institution without a claim is paid as well."""
    for region, policy in ruled.items():
        for rule in rules_on(policy, period * 100 + 1):
            for each in rule.heads if isinstance(rule, PackagePayment) else ():
                assert isinstance(rule, PackagePayment)
                found.packages[region, each.institution, rule.name] = (rule, [])


def _claim(
    found: _Found, policy: "Policy", claim: PaidClaim, grouping: ClaimGrouped | None, setl_id: str, rule: Payment
) -> None:
    standard = standard_of(policy, rule, claim, grouping)
    if standard is None:
        found.ungrouped.append(Ungrouped(claim.claim, setl_id, claim.institution, rule.name))
        return
    each = Set(
        claim.region, claim.institution, *named(rule), claim.insutype, claim.claim, 1,
        grouping.group if grouping else "", standard, claim.fund_fen, payable(rule, claim, standard),
    )  # fmt: skip
    found.here[claim.claim] = each
    found.add(each)


def _original(tx: "Transaction", found: _Found, claim: PaidClaim) -> Set | InstitutionPaymentSet | None:
    """Returns what an act's original was paid, set by this command or by one for an earlier period."""
    if claim.original in found.here:
        return found.here[claim.original]
    if found.logged is None:
        found.logged = {event.claim: event for event in _all_set(tx) if event.claim}
    return found.logged.get(claim.original)


def _refund(tx: "Transaction", found: _Found, claim: PaidClaim, rule: Payment | None) -> None:
    """Gives back what a refund's original was paid; one booked anew since, by the fund parts that stood then."""
    of = _original(tx, found, claim)
    if of is None:
        return
    back = given_back(claim, of)
    if rule is not None and rule.name == of.rule and -claim.fund_fen != of.itemised_fen:
        stood = claim._replace(fund_fen=-claim.fund_fen, medfee_fen=-claim.medfee_fen)
        back = back._replace(payable_fen=-payable(rule, stood, of.standard_fen))
    found.add(back)


def _anew(tx: "Transaction", found: _Found, claim: PaidClaim, rule: Payment | None) -> None:
    """Adds what a claim booked anew changes: its standard amount stands, its fund parts are others."""
    of = _original(tx, found, claim)
    if of is None or rule is None or rule.name != of.rule:
        return
    event = decode_event(ClaimResettled.TOPIC, tx.events_at([claim.claim])[claim.claim][3])
    assert isinstance(event, ClaimResettled)
    fund = AMOUNT["fund_pay_sumamt"]
    now, stood = (
        payable(rule, claim._replace(medfee_fen=event.medfee_sumamt, fund_fen=amounts[fund]), of.standard_fen)
        for amounts in (event.amounts, event.reversed)
    )
    found.add(
        Set(
            claim.region, claim.institution, of.rule, of.method, of.clr_type, claim.insutype, claim.claim, 1, of.group,
            0, claim.fund_fen, now - stood,
        )
    )  # fmt: skip


def _all_set(reader: "Reader") -> Iterable[InstitutionPaymentSet]:
    for _, _, _, topic, state in streams_with_prefix(reader, "agency-payment"):
        event = decode_event(topic, state)
        assert isinstance(event, InstitutionPaymentSet)
        yield event


def _paid_claim(acts: "Acts", row: int) -> PaidClaim:
    facts = acts.facts[row]
    level = int(acts.how[row, HOW.index("hosp_lv")]) or int(facts[FACT["hosp_lv"]])
    return PaidClaim(
        int(acts.claim[row]), int(acts.original[row]), int(facts[FACT["treatment_region"]]),
        int(facts[FACT["insured_region"]]), text_at(acts.texts["fixmedins_code"], row), int(facts[FACT["insutype"]]),
        int(facts[FACT["med_type"]]), level, int(facts[FACT["setl_time"]]) // 10**6,
        int(facts[FACT["medfee_sumamt"]]), int(acts.booked[row, AMOUNT["fund_pay_sumamt"]]),
    )  # fmt: skip


Standing = dict[tuple[str, int], InstitutionPaymentSet]


def standing(reader: "Reader", period: int) -> dict[Institution, tuple[int, Standing]]:
    """Returns, by institution, how many events a period's stream has and the last of each claim and package."""
    found: dict[Institution, tuple[int, Standing]] = {}
    for _, _, version, topic, state in streams_with_prefix(reader, f"agency-payment-{period:06d}"):
        event = decode_event(topic, state)
        assert isinstance(event, InstitutionPaymentSet)
        _, last = found.get((event.region, event.fixmedins_code), (0, {}))
        last[key_of(event.rule, event.claim)] = event
        found[event.region, event.fixmedins_code] = version, last
    return found


def _events(
    tx: "Transaction", found: _Found, period: int, cause: int
) -> tuple[list[tuple[str, int, Event]], InstitutionsSet]:
    stand = standing(tx, period)
    instructed = tx.stream_heads(
        [payment_stream(PAYMENT_INSTITUTION, period, *each) for each in {*stand, *found.decided}]
    )
    events: list[tuple[str, int, Event]] = []
    moved = 0
    for institution in sorted({*stand, *found.decided}):
        version, last = stand.get(institution, (0, {}))
        changed = changes(found.decided.get(institution, []), last, period, cause)
        payment = payment_stream(PAYMENT_INSTITUTION, period, *institution)
        if payment in instructed and any(event.change_fen for event in changed):
            raise Refused(
                Refusal.PAYMENT_INSTRUCTED,
                f"{payment} is instructed already: expected amounts as they were, got other ones; settle the change"
                " in a later period",
            )
        stream = institution_payment_stream(period, *institution)
        events += [(stream, version + at, event) for at, event in enumerate(changed, 1)]
        moved += sum(event.change_fen for event in changed)
    return events, InstitutionsSet(period, len(events), moved, tuple(found.ungrouped))


def with_differences(reader: "Reader", period: int, dues: list[Due]) -> list[Due]:
    """Returns dues in which each institution is owed what is set for it, not its itemised fund parts."""
    owed = {
        institution: sum(difference(event) for event in last.values())
        for institution, (_, last) in standing(reader, period).items()
    }
    found = []
    for due in dues:
        more = owed.pop((due.payer, due.payee), 0) if due.kind == PAYMENT_INSTITUTION else 0
        found.append(msgspec.structs.replace(due, fund_fen=due.fund_fen + more))
    return found + [Due(PAYMENT_INSTITUTION, *each, 0, more, 0) for each, more in sorted(owed.items()) if more]
