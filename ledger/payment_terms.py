"""Defines how a policy says what an agency pays its institutions: fixed amount, DRG, DIP or package (DOMAIN section 4).

These terms change money between agency and institution only; a person's benefit stays itemised.
"""

from typing import Literal, TypeAlias

from ledger.policy_terms import Fen, FenAtLevel, MedType, Part


class Weight(int):
    """Is a weight or a number of points in 1/10000, written ``"1.2345"``."""


class PointValue(int):
    """Is yuan a point in 1/10000 yuan, written ``"96.1234"``."""


class Group(Part, frozen=True):
    """Is a case group and its weight or points."""

    group: str
    weight: Weight


class Heads(Part, frozen=True):
    """Is how many persons an institution is paid for."""

    institution: str
    persons: int


class PaymentRule(Part, frozen=True, kw_only=True):
    """Is the base of every rule: the claims it is for, its name on statements and its clearing type.

    ``covers`` says whether the amount is for the whole fee, so that the person's and the hospital's parts come off
    it, or for the fund's part alone. Claims of persons insured elsewhere are paid as itemised unless ``off_site``.
    """

    name: str
    med_types: tuple[MedType, ...]
    insutypes: tuple[Literal["employee", "resident"], ...] = ("employee", "resident")
    clr_type: int = 0
    covers: Literal["whole_fee", "fund_part"] = "whole_fee"
    off_site: bool = False


class FixedPayment(PaymentRule, frozen=True, tag_field="method", tag="fixed"):
    """Is a fixed amount a claim (定额), by hospital level or one for all."""

    amount: FenAtLevel


class DrgPayment(PaymentRule, frozen=True, tag_field="method", tag="drg"):
    """Is a rate a unit of weight (DRG); ``groups`` are weights for groupings that state none."""

    rate: Fen
    groups: tuple[Group, ...] = ()


class DipPayment(PaymentRule, frozen=True, tag_field="method", tag="dip"):
    """Is a value a point (DIP); ``groups`` are points for groupings that state none."""

    point_value: PointValue
    groups: tuple[Group, ...] = ()


class PackagePayment(PaymentRule, frozen=True, tag_field="method", tag="package"):
    """Is an amount a head and period (打包付费) for all claims of an institution together."""

    per_head: Fen
    heads: tuple[Heads, ...]


Payment: TypeAlias = FixedPayment | DrgPayment | DipPayment | PackagePayment

#: The method of each rule as events and clearing types carry it.
METHODS = {"fixed": 1, "drg": 2, "dip": 3, "package": 4}
