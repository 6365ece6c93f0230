"""Decides from which day a person's benefits are paid: newborns from birth, late ones later (DOMAIN section 10)."""

from typing import NamedTuple

from ledger.register_events import ENROLMENT_AS_STATED, ENROLMENT_EXEMPT, ENROLMENT_LATE, ENROLMENT_NEWBORN
from ledger.register_file import date_of


class EnrolmentRule(NamedTuple):
    """Is the rule in force on the day of an enrolment; fields as in EnrolmentRuleSet."""

    newborn_days: int
    on_time_until: int
    late_months: int
    exempt: tuple[str, ...]


class Enrolment(NamedTuple):
    """Is what a register says of an enrolment: days as yyyymmdd, 0 where it says nothing; its class, ``""`` none."""

    begin: int
    enrolled: int
    birth: int
    enrolment_class: str


def coverage(rule: EnrolmentRule | None, enrolment: Enrolment) -> tuple[int, int]:
    """Returns (the first day benefits are paid for, why: ENROLMENT_*).

    Without a rule, or without a day of enrolment, it is the day the register states.

    >>> coverage(EnrolmentRule(90, 228, 1, ("veteran",)), Enrolment(0, 20240310, 20240101, ""))
    (20240101, 1)
    >>> coverage(EnrolmentRule(90, 228, 1, ("veteran",)), Enrolment(0, 20240310, 0, ""))
    (20240401, 2)
    """
    stated = enrolment.begin or enrolment.enrolled
    if rule is None or not enrolment.enrolled:
        return stated, ENROLMENT_AS_STATED
    if enrolment.birth:
        age = (date_of(enrolment.enrolled) - date_of(enrolment.birth)).days
        if 0 <= age <= rule.newborn_days:
            return enrolment.birth, ENROLMENT_NEWBORN
    if enrolment.enrolled % 10_000 <= rule.on_time_until:
        return stated, ENROLMENT_AS_STATED
    if enrolment.enrolment_class in rule.exempt:
        return enrolment.enrolled, ENROLMENT_EXEMPT
    months = enrolment.enrolled // 10_000 * 12 + enrolment.enrolled // 100 % 100 - 1 + rule.late_months
    late = months // 12 * 10_000 + (months % 12 + 1) * 100 + 1
    return max(late, enrolment.begin), ENROLMENT_LATE
