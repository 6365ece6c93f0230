"""Lists every event of the log and finds its class by the TOPIC it is stored under.

A topic is for ever: fields are only appended to an event, each with a default, and events that changed otherwise are
upcast (``ledger.upcasting``). docs/events.md is generated from this list.
"""

from ledger.benefit_events import (
    AllowanceGranted,
    AllowancePaid,
    AllowanceRevoked,
    ClaimGrouped,
    DiseaseLimitUsed,
    InstitutionPaymentSet,
)
from ledger.casework.events import CASEWORK_EVENTS
from ledger.clearing.events import ClearingChecked, ClearingDrafted, ClearingSigned, ClearingTermsSet, ClearingWithdrawn
from ledger.events import (
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    ClawbackCollected,
    ClawbackRaised,
    CommandRecorded,
    EventClass,
    FilingRegistered,
    JobAbandoned,
    JobBatch,
    JobCompleted,
    JobStarted,
    MemberEnrolled,
    OpeningAccount,
    OpeningAccumulator,
    OpeningBalance,
    PaymentConfirmed,
    PaymentInstructed,
    PeriodClosed,
    PeriodOpened,
    PolicyEnacted,
    SettlementDiffers,
)
from ledger.funds.events import FUND_EVENTS
from ledger.line_events import DrugCapSet, LinesDiffer, LinesFiled, PriceCapSet, TraceCodeRepeated
from ledger.manual.events import MANUAL_EVENTS
from ledger.paying.events import PAYING_EVENTS
from ledger.reconciling.events import RECONCILING_EVENTS
from ledger.register_events import (
    ClaimFlagged,
    EnrolmentRuleSet,
    EntitlementRegistered,
    FilingEnded,
    InstitutionChanged,
    InstitutionRegistered,
    InstitutionSuspended,
    InstitutionTerminated,
    MemberChanged,
    VisitOpened,
)
from ledger.replaying.events import ClaimResettled
from ledger.segments.events import PeriodAttached, PeriodDetached, PeriodSealed
from ledger.stays.events import StayPartCounted
from ledger.supervision.events import (
    ManualClaimAccepted,
    PeriodReviewed,
    PersonDescribed,
    RulePackEnacted,
    ViolationFound,
    ViolationLifted,
)

EVENTS: tuple[EventClass, ...] = (
    CommandRecorded,
    JobStarted,
    JobBatch,
    JobCompleted,
    JobAbandoned,
    PolicyEnacted,
    MemberEnrolled,
    OpeningAccount,
    OpeningAccumulator,
    OpeningBalance,
    FilingRegistered,
    ClaimFiled,
    ClaimSettled,
    ClaimReversed,
    SettlementDiffers,
    PeriodOpened,
    PeriodClosed,
    PaymentInstructed,
    PaymentConfirmed,
    ClawbackRaised,
    ClawbackCollected,
    MemberChanged,
    EnrolmentRuleSet,
    EntitlementRegistered,
    VisitOpened,
    InstitutionRegistered,
    InstitutionChanged,
    InstitutionSuspended,
    InstitutionTerminated,
    FilingEnded,
    ClaimFlagged,
    LinesFiled,
    LinesDiffer,
    TraceCodeRepeated,
    PriceCapSet,
    DrugCapSet,
    *RECONCILING_EVENTS,
    ClearingTermsSet,
    ClearingDrafted,
    ClearingChecked,
    ClearingSigned,
    ClearingWithdrawn,
    RulePackEnacted,
    PersonDescribed,
    ManualClaimAccepted,
    ViolationFound,
    ViolationLifted,
    PeriodReviewed,
    PeriodSealed,
    ClaimResettled,
    *CASEWORK_EVENTS,
    *PAYING_EVENTS,
    *FUND_EVENTS,
    DiseaseLimitUsed,
    ClaimGrouped,
    InstitutionPaymentSet,
    AllowanceGranted,
    AllowancePaid,
    AllowanceRevoked,
    StayPartCounted,
    *MANUAL_EVENTS,
    PeriodDetached,
    PeriodAttached,
)

TOPICS: dict[str, EventClass] = {event.TOPIC: event for event in EVENTS}
