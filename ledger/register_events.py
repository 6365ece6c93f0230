"""Defines the events of the registers: institutions, members, entitlements, visits, filings and what they find.

The rules of ``ledger.events`` hold: positional, integers and codes, fields only appended; topics are for ever.
"""

from ledger.event import Event

#: A register's status: in force (in network, entitled), suspended, ended (terminated).
STATUS_ACTIVE, STATUS_SUSPENDED, STATUS_ENDED = 1, 2, 3
#: Why a person's coverage begins when it does: as the register says, at birth, late, or late but exempt.
ENROLMENT_AS_STATED, ENROLMENT_NEWBORN, ENROLMENT_LATE, ENROLMENT_EXEMPT = 0, 1, 2, 3


class MemberChanged(Event, frozen=True):
    """States what holds of an enrolled person from ``begin`` on, until a later day's value; fields as enrolled."""

    TOPIC = "member-changed/1"
    cause: int
    row: int
    token: int
    insu_admdvs: int
    insutype: int
    psn_type: int
    assist_class: int
    begin: int
    covered_from: int
    status: int
    rule: int


class EnrolmentRuleSet(Event, frozen=True):
    """Sets from ``begin`` how enrolments of a region and insurance type start to pay (DOMAIN section 10).

    ``newborn_days`` covers from birth whoever is enrolled within them; an enrolment after the day ``on_time_until``
    (mmdd) of its year is late and pays from the first day of the ``late_months``-th month after it, unless its class
    is one of ``exempt``: then it pays from the day of enrolment.
    """

    TOPIC = "enrolment-rule-set/1"
    cause: int
    row: int
    region: int
    insutype: int
    begin: int
    newborn_days: int
    on_time_until: int
    late_months: int
    exempt: tuple[str, ...]


class EntitlementRegistered(Event, frozen=True):
    """Entitles a person to chronic outpatient benefits for a disease, both days included; ``to`` 0 has no end."""

    TOPIC = "entitlement-registered/1"
    cause: int
    row: int
    token: int
    disease: str
    begin: int
    to: int


class VisitOpened(Event, frozen=True):
    """Notes a visit (就诊登记) that began on a day and is unsettled until a claim of its ``mdtrt_id`` is booked."""

    TOPIC = "visit-opened/1"
    cause: int
    row: int
    token: int
    mdtrt_id: str
    begin: int


class InstitutionRegistered(Event, frozen=True):
    """Registers an institution (定点医药机构): what holds of it from ``begin`` on, until a later day's value.

    ``hosp_lv`` 0 or 9 is unrated; ``grade`` is the level whose ratios an unrated one takes, 0 none. ``med_types`` are
    its capabilities, empty for all.
    """

    TOPIC = "institution-registered/1"
    cause: int
    row: int
    code: str
    begin: int
    name: str
    region: int
    hosp_lv: int
    grade: int
    med_types: tuple[int, ...]
    bank_account: str


class InstitutionChanged(Event, frozen=True):
    """States what holds of a registered institution from ``begin`` on, in network; fields as registered."""

    TOPIC = "institution-changed/1"
    cause: int
    row: int
    code: str
    begin: int
    name: str
    region: int
    hosp_lv: int
    grade: int
    med_types: tuple[int, ...]
    bank_account: str


class InstitutionSuspended(Event, frozen=True):
    """Suspends an institution from ``begin`` on, until a later day's value; everything else of it stands."""

    TOPIC = "institution-suspended/1"
    cause: int
    row: int
    code: str
    begin: int
    reason: str


class InstitutionTerminated(Event, frozen=True):
    """Ends an institution's contract from ``begin`` on; everything else of it stands."""

    TOPIC = "institution-terminated/1"
    cause: int
    row: int
    code: str
    begin: int
    reason: str


class FilingEnded(Event, frozen=True):
    """Ends a filing on days that another one holds; ``kept`` are the (begin, to) on which it still counts.

    ``filing`` is the position of its FilingRegistered, ``by`` that of the filing that holds those days now.
    """

    TOPIC = "filing-ended/1"
    cause: int
    row: int
    token: int
    filing: int
    by: int
    reason: str
    kept: tuple[tuple[int, int], ...]


class ClaimFlagged(Event, frozen=True):
    """Finds that a claim its source had paid meets a reason (a Refusal) for which it would be refused unpaid."""

    TOPIC = "claim-flagged/1"
    cause: int
    row: int
    claim: int
    reason: int
