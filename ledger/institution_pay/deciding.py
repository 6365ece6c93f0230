"""Decides what an agency pays for claims instead of their itemised fund parts (DOMAIN section 4, last paragraph).

``covers = "whole_fee"``: the amount is for the whole fee, so the fund's part of it is what the person and the hospital
leave, never below zero. ``covers = "fund_part"``: the amount is what the fund pays. A refund gives back what its
original was paid.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ledger.benefit_events import ClaimGrouped, InstitutionPaymentSet
from ledger.payment_terms import (
    METHODS,
    DipPayment,
    DrgPayment,
    FixedPayment,
    PackagePayment,
    Payment,
)
from ledger.policy import Policy
from ledger.policy_terms import INSUTYPES, MATERNITY_INSUTYPE, MED_TYPES

_SECTION = {code: name for name, code in INSUTYPES.items()} | {MATERNITY_INSUTYPE: "employee"}
_MED_TYPES = {code: name for name, code in MED_TYPES.items()}


class PaidClaim(NamedTuple):
    """Is an act of a period as its institution's payment sees it; fen. ``original`` is the claim a refund refunds."""

    claim: int
    original: int
    region: int
    insured_region: int
    institution: str
    insutype: int
    med_type: int
    hosp_lv: int
    day: int
    medfee_fen: int
    fund_fen: int


class Set(NamedTuple):
    """Is what is paid instead, before it is compared with what stands."""

    region: int
    institution: str
    rule: str
    method: int
    clr_type: int
    insutype: int
    claim: int
    acts: int
    group: str
    standard_fen: int
    itemised_fen: int
    payable_fen: int


def rules_on(policy: Policy, day: int) -> tuple[Payment, ...]:
    """Returns the rules of institution payment in force on a day, none where the policy states none."""
    dated = policy.parameters.get("clearing.institution_payment")
    return (dated.at(day) if dated is not None else None) or ()


def rule_for(rules: Sequence[Payment], claim: PaidClaim) -> Payment | None:
    """Returns the first rule that fits a claim, None where it is paid as itemised."""
    for rule in rules:
        if (
            _MED_TYPES.get(claim.med_type) in rule.med_types
            and _SECTION.get(claim.insutype) in rule.insutypes
            and (rule.off_site or claim.insured_region == claim.region)
            and (not isinstance(rule, PackagePayment) or claim.institution in {e.institution for e in rule.heads})
        ):
            return rule
    return None


def standard_of(policy: Policy, rule: Payment, claim: PaidClaim, grouping: ClaimGrouped | None) -> int | None:
    """Returns the amount of a claim under a rule, fen, rounded half-up once; None where nothing gives it.

    A fixed amount needs one for the hospital's level, DRG and DIP a grouping with a weight of its own or the policy's.
    """
    if isinstance(rule, FixedPayment):
        return policy.level(rule.amount, claim.hosp_lv)
    if not isinstance(rule, DrgPayment | DipPayment) or grouping is None:
        return None
    weights = {each.group: int(each.weight) for each in rule.groups}
    weight = grouping.weight or weights.get(grouping.group)
    if not weight:
        return None
    # A rate is fen a weight of 10,000 parts; a point value is 1/100 fen a point of 10,000 parts.
    rate, parts = (rule.rate, 10_000) if isinstance(rule, DrgPayment) else (rule.point_value, 1_000_000)
    return (2 * weight * rate + parts) // (2 * parts)


def payable(rule: Payment, claim: PaidClaim, standard_fen: int) -> int:
    """Returns what the agency pays for a claim under its standard amount, never below zero."""
    if rule.covers == "fund_part":
        return standard_fen
    return max(0, standard_fen - (claim.medfee_fen - claim.fund_fen))


def package(rule: PackagePayment, region: int, institution: str, claims: Sequence[PaidClaim]) -> Set:
    """Returns what an institution is paid for a period's claims together."""
    persons = next(each.persons for each in rule.heads if each.institution == institution)
    standard = rule.per_head * persons
    itemised = sum(claim.fund_fen for claim in claims)
    borne = 0 if rule.covers == "fund_part" else sum(claim.medfee_fen for claim in claims) - itemised
    return Set(region, institution, *named(rule), 0, 0, len(claims), "", standard, itemised, max(0, standard - borne))


def given_back(claim: PaidClaim, of: "Set | InstitutionPaymentSet") -> Set:
    """Returns what a refund gives back: what its original was paid, all of it."""
    rule, method, clr_type = of.rule, of.method, of.clr_type
    return Set(
        claim.region, claim.institution, rule, method, clr_type, claim.insutype, claim.claim, 1, of.group,
        -of.standard_fen, claim.fund_fen, -of.payable_fen,
    )  # fmt: skip


def named(rule: Payment) -> tuple[str, int, int]:
    """Returns a rule's name, method and clearing type as events carry them."""
    return rule.name, METHODS[str(rule.__struct_config__.tag)], rule.clr_type


def changes(
    decided: Sequence[Set], standing: Mapping[tuple[str, int], InstitutionPaymentSet], period: int, cause: int
) -> list[InstitutionPaymentSet]:
    """Returns the events that bring one institution from what stands to what is decided.

    A claim is known by its position, a package by its rule. What no rule pays otherwise any more is itemised again.
    """
    events = []
    wanted = set()
    for each in decided:
        key = key_of(each.rule, each.claim)
        wanted.add(key)
        last = standing.get(key)
        event = InstitutionPaymentSet(
            cause, 0, period, each.region, each.institution, each.rule, each.method, each.clr_type,
            each.insutype, each.claim, each.acts, each.group, each.standard_fen,
            each.itemised_fen, each.payable_fen, each.payable_fen - each.itemised_fen - difference(last),
        )  # fmt: skip
        if last is None or _said(last) != _said(event):
            events.append(event)
    for key, last in standing.items():
        if key not in wanted and difference(last):
            itemised = last.itemised_fen
            events.append(
                InstitutionPaymentSet(
                    cause,
                    0,
                    last.period,
                    last.region,
                    last.fixmedins_code,
                    last.rule,
                    last.method,
                    last.clr_type,
                    last.insutype,
                    last.claim,
                    last.acts,
                    last.group,
                    itemised,
                    itemised,
                    itemised,
                    -difference(last),
                )
            )
    return events


def key_of(rule: str, claim: int) -> tuple[str, int]:
    """Returns what an amount is about: a claim, whatever rule pays it, or a package."""
    return ("", claim) if claim else (rule, 0)


def difference(event: InstitutionPaymentSet | None) -> int:
    """Returns what stands on the difference account for what an event is about, fen."""
    return event.payable_fen - event.itemised_fen if event is not None else 0


def _said(event: InstitutionPaymentSet) -> tuple[object, ...]:
    return (event.rule, event.method, event.clr_type, event.group, event.acts, event.standard_fen, event.itemised_fen,
            event.payable_fen)  # fmt: skip
