"""Defines every event of the log: frozen, positional, integers and codes only.

A stored event is (originator id, version, topic, state): stream and version live in the row, the state is
the msgpack array of the fields below, in this order. A topic is for ever; a change of meaning is a new
topic; fields are only appended, with defaults. ``cause`` is the log position of the command or job that
made the event, ``row`` the row of its source file (from 1; 0 where there is no file).

Streams: ``claim-<region>-<setl_id>`` (filed, decided, differs, lines) · ``py-<year>-<token>`` (opening
accumulators) · ``account-<token>`` · ``member-<token>`` · ``filing-<token>`` · ``policy-<digest>`` ·
``period-<yyyymm>`` · ``payment-<kind>-<yyyymm>-<payer>-<payee>`` · ``clawback-<case>`` · ``opening-balances`` ·
``command-<position>`` · ``job-<verb>-<digest>`` · ``institution-<code>`` · ``entitlement-<token>`` ·
``visit-<token>`` · ``enrolment-<region>-<insutype>`` · ``finding-<position of the claim>`` · ``price-cap-<item>`` ·
``drug-cap-<item>`` · ``reconciliation-<month or day>-<counterpart>`` ·
``break-<yyyymm>-<counterpart>-<region>-<setl_id>`` · ``clearing-terms`` · ``rule-pack-<digest>`` ·
``described-<token>`` · ``manual-<position of the claim>`` · ``review-<yyyymm>`` ·
``violation-<yyyymm>-<token>-<rule>-<version>-<window>`` ·
``case-terms-<digest>`` · ``docket-<case>`` · ``recovery-<kind>-<case>`` · ``disease-<token>`` ·
``stay-<token>`` · ``grouping-<position of the claim>`` · ``agency-payment-<yyyymm>-<region>-<code>`` ·
``allowance-<region>-<token>-<kind>-<day>``; and
those of ``ledger.paying.events``, ``ledger.funds.events`` and ``ledger.manual.events``.
A decision (ClaimSettled, ClaimReversed) stands directly behind its ClaimFiled: position + 1.
"""

from typing import TypeAlias

from ledger.event import Event as Event
from ledger.register_events import STATUS_ACTIVE

BASIS_KERNEL, BASIS_SOURCE, BASIS_REFUND, BASIS_RESETTLED = 1, 2, 3, 4
FLAG_ASSUMED, FLAG_NOT_CHECKED, FLAG_LATE = 1, 2, 4
#: A stay that was divided between benefit years by its days (``ledger.stays``), and its refund.
FLAG_DIVIDED = 8
PAYMENT_REGION, PAYMENT_INSTITUTION = 1, 2
PAYMENT_RETENTION, PAYMENT_ADVANCE, PAYMENT_WORKING, PAYMENT_SUPPLIER, PAYMENT_SURPLUS = 3, 4, 5, 6, 7
PAYMENT_SENT_BACK, PAYMENT_PERSON = 8, 9


class CommandRecorded(Event, frozen=True):
    """Records who asked for what and why; ``recorded_at`` is microseconds since 1970 UTC, never decreasing."""

    TOPIC = "command-recorded/1"
    recorded_at: int
    verb: str
    actor: str
    reason: str
    source: str
    digest: bytes
    kernel: bytes
    arguments: str


class JobStarted(Event, frozen=True):
    """Opens a job of many transactions over one source; a second start of the same source is a new version.

    ``retry`` is 1 where the source is a quarantine file that came back mended.
    """

    TOPIC = "job-started/1"
    recorded_at: int
    verb: str
    actor: str
    reason: str
    source: str
    digest: bytes
    profile: bytes
    kernel: bytes
    retry: int = 0


class JobBatch(Event, frozen=True):
    """Records the outcome of ``rows`` rows from ``first_row``: booked ones are events, the others are named here.

    ``medfee_fen`` is the total fee of the booked ones, ``late`` how many of them book into a later period than their
    own month, ``periods`` the clearing periods they book into.
    ``duplicates`` holds (row, position of the equal ClaimFiled), ``quarantined`` (row, Refusal, field number).
    ``quarantined_fen`` holds the total fee of each quarantined row (a fee line's amount), 0 for those whose fee cannot
    be read: ``unread`` names these rows. ``quarantined_regions`` holds the (insured, treatment) region of each
    quarantined claim, 0 where it cannot be read; fee lines have none.
    """

    TOPIC = "job-batch/1"
    cause: int
    recorded_at: int
    first_row: int
    rows: int
    booked: int
    medfee_fen: int
    late: int
    periods: tuple[int, ...]
    duplicates: tuple[tuple[int, int], ...]
    quarantined: tuple[tuple[int, int, int], ...]
    quarantined_fen: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    quarantined_regions: tuple[tuple[int, int], ...] = ()


class JobCompleted(Event, frozen=True):
    """Closes a job: rows = booked + duplicate + quarantined; ``medfee_fen`` is the sum over booked rows."""

    TOPIC = "job-completed/1"
    cause: int
    recorded_at: int
    rows: int
    booked: int
    duplicate: int
    quarantined: int
    medfee_fen: int


class JobAbandoned(Event, frozen=True):
    """Ends a job that never completed; ``command`` is the position of who said so and why."""

    TOPIC = "job-abandoned/1"
    cause: int
    recorded_at: int
    command: int


class PolicyEnacted(Event, frozen=True):
    """Puts a policy document in force for regions; ``digest`` is SHA-256 of the document, cut to 16 bytes."""

    TOPIC = "policy-enacted/1"
    cause: int
    row: int
    digest: bytes
    name: str
    document: str
    regions: tuple[int, ...]
    assumed: bool


class MemberEnrolled(Event, frozen=True):
    """Enrols a person: pooling code, insurance type, class, assistance class (0 none), in force from ``begin``.

    ``covered_from`` is the first day benefits are paid for (0: always), as the enrolment rule of that day gave it,
    and ``rule`` which part of it did (ENROLMENT_*). ``status`` is one of STATUS_*.
    """

    TOPIC = "member-enrolled/1"
    cause: int
    row: int
    token: int
    insu_admdvs: int
    insutype: int
    psn_type: int
    assist_class: int
    begin: int = 0
    covered_from: int = 0
    status: int = STATUS_ACTIVE
    rule: int = 0


class OpeningAccount(Event, frozen=True):
    """Opens a personal account with a balance in fen."""

    TOPIC = "opening-account/1"
    cause: int
    row: int
    token: int
    balance_fen: int


class OpeningAccumulator(Event, frozen=True):
    """Opens a person-year with accumulators in the order of ``core_ext.layout.ACCUMULATORS``."""

    TOPIC = "opening-accumulator/1"
    cause: int
    row: int
    token: int
    year: int
    values: tuple[int, ...]


class OpeningBalance(Event, frozen=True):
    """Opens the books: (account, amount in fen) that sum to zero."""

    TOPIC = "opening-balance/1"
    cause: int
    row: int
    postings: tuple[tuple[str, int], ...]


class FilingRegistered(Event, frozen=True):
    """Registers an off-site filing (备案) of a person for a region, both days included; ``to`` 0 has no end."""

    TOPIC = "filing-registered/1"
    cause: int
    row: int
    token: int
    filing: int
    region: int
    begin: int
    to: int


class ClaimFiled(Event, frozen=True):
    """States the facts of one settlement as its source gave them (national field names, fen, yyyymmdd).

    ``given`` holds the source's own amounts in the order of ``core_ext.layout.AMOUNTS`` (None: the cell was
    empty), or is None for a row the source did not settle.
    """

    TOPIC = "claim-filed/1"
    cause: int
    row: int
    token: int
    insu_admdvs: int
    mdtrtarea_admvs: int
    insured_region: int
    treatment_region: int
    hosp_lv: int
    insutype: int
    psn_type: int
    med_type: int
    begndate: int
    enddate: int
    setl_time: int
    medfee_sumamt: int
    fulamt_ownpay_amt: int
    overlmt_selfpay: int
    preselfpay_amt: int
    inscp_scp_amt: int
    hosp_part_amt: int
    setl_id: str
    mdtrt_id: str
    medins_setl_id: str
    fixmedins_code: str
    init_setl_id: str
    given: tuple[int | None, ...] | None


class Decision(Event, frozen=True):
    """Is what settles or reverses a claim; it stands directly behind its ClaimFiled.

    ``claim`` is the position of its ClaimFiled, ``original`` that of the one a refund refunds (else 0), ``basis``
    BASIS_*, ``period`` the clearing period yyyymm, ``policy`` the 16-byte digest (empty: not checked), ``flags``
    FLAG_*, ``amounts`` AMOUNTS in fen, ``balc`` the account balance after it, ``before`` and ``delta``
    ACCUMULATORS of the person's benefit ``year``, ``how`` HOW.
    """

    cause: int
    row: int
    claim: int
    original: int
    basis: int
    period: int
    policy: bytes
    flags: int
    amounts: tuple[int, ...]
    balc: int
    before: tuple[int, ...]
    delta: tuple[int, ...]
    how: tuple[int, ...]
    year: int


class ClaimSettled(Decision, frozen=True):
    """Books a settlement: every amount, the policy it was decided under, accumulators before and deltas."""

    TOPIC = "claim-settled/1"


class ClaimReversed(Decision, frozen=True):
    """Books a refund: the exact negative of the settlement filed at ``original`` (I7), in that one's benefit year.

    ``basis`` is refund and ``policy`` the original's.
    """

    TOPIC = "claim-reversed/1"


class SettlementDiffers(Event, frozen=True):
    """Finds that the source's amounts differ from what the policy gives; a finding, never a replacement."""

    TOPIC = "settlement-differs/1"
    cause: int
    row: int
    claim: int
    computed: tuple[int, ...]


class PeriodOpened(Event, frozen=True):
    """Opens a clearing period with its first claim."""

    TOPIC = "period-opened/1"
    cause: int
    row: int
    period: int


class PeriodClosed(Event, frozen=True):
    """Freezes a clearing period: acts, person-times, totals in the order of AMOUNTS, digest of its statement."""

    TOPIC = "period-closed/1"
    cause: int
    row: int
    period: int
    acts: int
    person_times: int
    medfee_fen: int
    totals: tuple[int, ...]
    late_acts: int
    late_medfee_fen: int
    statement: bytes


class PaymentInstructed(Event, frozen=True):
    """Instructs what is owed to one payee: ``kind`` PAYMENT_*; of a closed period for regions and institutions; fen.

    ``amount_fen`` is what is sent: fund and account parts less ``withheld_fen`` (what cases deducted or offset before:
    it stands on the account paid from already), ``returned_fen`` (what the treatment region collected for the insured
    one), ``retained_fen`` and what is ``offset_fen`` against clawbacks. ``behalf`` is the institution whose supplier
    is paid for it.
    """

    TOPIC = "payment-instructed/1"
    cause: int
    row: int
    period: int
    kind: int
    payer: int
    payee: str
    acts: int
    fund_fen: int
    account_fen: int
    amount_fen: int
    withheld_fen: int = 0
    returned_fen: int = 0
    retained_fen: int = 0
    offset_fen: int = 0
    behalf: str = ""


class PaymentConfirmed(Event, frozen=True):
    """Confirms all that was still in transit of a payment by the bank's receipt number."""

    TOPIC = "payment-confirmed/1"
    cause: int
    row: int
    amount_fen: int
    receipt: str


class ClawbackRaised(Event, frozen=True):
    """Raises a clawback (追回) on a settled claim, split over the funds that paid it (AMOUNTS[1:9] order).

    ``pool`` is the insurance type whose pool paid, 0 the claim's own.
    """

    TOPIC = "clawback-raised/1"
    cause: int
    row: int
    claim: int
    insured_region: int
    treatment_region: int
    fixmedins_code: str
    amount_fen: int
    funds: tuple[int, ...]
    pool: int = 0


class ClawbackCollected(Event, frozen=True):
    """Collects a part of a clawback by the receipt that brought it."""

    TOPIC = "clawback-collected/1"
    cause: int
    row: int
    amount_fen: int
    receipt: str


EventClass: TypeAlias = type[Event]
