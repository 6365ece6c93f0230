"""Defines the events around a benefit: a disease's limit used, an allowance paid, what an institution is paid instead.

The rules of ``ledger.events`` hold: positional, integers and codes, fields only appended; topics are for ever.
"""

from ledger.event import Event


class DiseaseLimitUsed(Event, frozen=True):
    """States what a claim used of the limit of its disease; a refund gives back what its original used, below zero.

    ``year`` is the benefit year, ``period`` the month (yyyymm) of settlement that a monthly limit looks at;
    ``used_fen`` is the basic fund's part. It stands behind its claim, whatever decided that.
    """

    TOPIC = "disease-limit-used/1"
    cause: int
    row: int
    token: int
    claim: int
    disease: str
    year: int
    period: int
    used_fen: int


class ClaimGrouped(Event, frozen=True):
    """Groups a claim for payment of its institution (DRG group or DIP disease); a later one replaces it.

    ``weight`` is its weight or points in 1/10000, 0 where the policy's table of groups has them.
    """

    TOPIC = "claim-grouped/1"
    cause: int
    row: int
    claim: int
    group: str
    weight: int


class InstitutionPaymentSet(Event, frozen=True):
    """Sets what an agency pays an institution instead of a claim's itemised fund part, in a closed period.

    ``claim`` is the position of the ClaimFiled, 0 for a package over all of an institution's claims; ``rule`` the
    policy's name for it, ``method`` 1 fixed, 2 DRG, 3 DIP, 4 package. ``payable_fen`` replaces ``itemised_fen``;
    ``change_fen`` is what that adds to the difference account beyond what an earlier event for the same set.
    """

    TOPIC = "institution-payment-set/1"
    cause: int
    row: int
    period: int
    region: int
    fixmedins_code: str
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
    change_fen: int


class AllowanceGranted(Event, frozen=True):
    """Grants an allowance without a claim, such as 生育津贴: what a fund owes a payee for a person.

    ``kind`` 1 is the maternity allowance; ``base_fen`` is the employer's monthly mean wage a person, ``days`` the days
    of leave, ``payee`` the token of the person paid (0: the employer, by ``employer``); ``fund`` the code of DOMAIN
    section 6.
    """

    TOPIC = "allowance-granted/1"
    cause: int
    row: int
    token: int
    region: int
    kind: int
    begin: int
    days: int
    base_fen: int
    amount_fen: int
    fund: int
    payee: int
    employer: str
    policy: bytes


class AllowancePaid(Event, frozen=True):
    """Pays a granted allowance in full by the bank's receipt number."""

    TOPIC = "allowance-paid/1"
    cause: int
    row: int
    amount_fen: int
    receipt: str


class AllowanceRevoked(Event, frozen=True):
    """Revokes a granted allowance in full; one that was paid is then owed back by its payee."""

    TOPIC = "allowance-revoked/1"
    cause: int
    row: int
    amount_fen: int
