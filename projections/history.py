"""Lists every event that touched what a key leads to, in log order: amount, who, when, why, and the file row."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from core_ext.layout import AMOUNT
from ledger.casework.events import KINDS
from ledger.event import Event
from ledger.events import (
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    CommandRecorded,
    JobBatch,
    JobStarted,
)
from ledger.keys import (
    account_stream,
    claim_stream,
    clawback_stream,
    described_stream,
    disease_stream,
    docket_stream,
    entitlement_stream,
    filing_stream,
    finding_stream,
    institution_stream,
    manual_stream,
    member_stream,
    payee_stream,
    person_year_stream,
    receipt_stream,
    recovery_stream,
    reimbursement_stream,
    stay_stream,
    visit_stream,
)
from ledger.line_events import LinesFiled
from ledger.manual.events import ManualOwed
from ledger.mapper import decode_event
from projections.casework.life import amount_of, text_of
from projections.trace_tree import (
    CaseTrace,
    Claim,
    ClaimsTrace,
    ClaimTrace,
    ClawbackTrace,
    CodeTrace,
    EventTrace,
    Found,
    JobTrace,
    ManualTrace,
    Payment,
    PaymentTrace,
    RowTrace,
    Step,
    ViolationTrace,
)

if TYPE_CHECKING:
    from ledger.store import Reader

#: Breaks of reconciliation end with the claim they are about.
SELECT_BREAKS = (
    "SELECT DISTINCT originator_id FROM stored_events"
    " WHERE originator_id >= 'break-' AND originator_id < 'break.' AND originator_id LIKE ? ESCAPE '!'"
)


def streams_of(reader: "Reader", found: Iterable[Found]) -> list[str]:
    """Returns the streams of what a key led to and of everything that hangs on it."""
    streams: dict[str, None] = {}
    for each in found:
        streams.update(dict.fromkeys(_streams(reader, each)))
    return list(streams)


def _streams(reader: "Reader", found: Found) -> list[str]:
    match found:
        case ClaimTrace():
            return _of_claim(reader, found)
        case PaymentTrace():
            return [*_of_payment(found.payment), *(_of_act(claim)[0] for claim in found.claims)]
        case ClawbackTrace():
            return [clawback_stream(found.clawback.case), *(_of_act(found.claim) if found.claim else ())]
        case CaseTrace():
            return [*_of_cases([found.case]), *found.violations]
        case ViolationTrace():
            claims = [stream for claim in found.claims for stream in _of_act(claim)]
            return [found.stream, *_of_cases(found.cases), *claims]
        case ManualTrace():
            own = [
                reimbursement_stream(each) for each in (found.follows, found.application, *found.followed_by) if each
            ]
            acts = [stream for act in (found.claim, found.refund) if act is not None for stream in _of_act(act)]
            return [*own, *acts, *(_of_payment(found.payment) if found.payment else ())]
        case CodeTrace():
            return [stream for claim in found.claims for stream in _of_claim(reader, claim)]
        case RowTrace(claim=claim):
            return _of_claim(reader, claim) if claim is not None else []
        case JobTrace():
            return [found.stream]
        case ClaimsTrace():
            return _of_list(reader, found)
        case EventTrace():
            return [found.stream]


def _of_act(claim: Claim) -> list[str]:
    """Returns the streams of a booked act: its own, what was found about it, and how it was reimbursed."""
    own = claim_stream(claim.insured_region, claim.key.partition("/")[2])
    return [own, finding_stream(claim.claim), manual_stream(claim.claim)]


def _of_claim(reader: "Reader", found: ClaimTrace) -> list[str]:
    acts = [found.claim, *found.refunds]
    streams = [stream for act in acts for stream in _of_act(act)]
    setl_id = found.claim.key.partition("/")[2].replace("!", "!!").replace("%", "!%").replace("_", "!_")
    pattern = f"break-%-{found.claim.insured_region:06d}-{setl_id}"
    streams += [str(stream) for (stream,) in reader.query(SELECT_BREAKS, (pattern,))]
    streams += [reimbursement_stream(found.application)] if found.application else []
    streams += [stream for payment in found.payments for stream in _of_payment(payment)]
    streams += [clawback_stream(clawback.case) for clawback in found.clawbacks]
    return [*streams, *found.violations, *_of_cases(found.cases)]


def _of_payment(payment: Payment) -> list[str]:
    region = int(payment.payee) if payment.payee.isdecimal() else payment.payer
    return [payment.stream, *(receipt_stream(each, payment.receipt) for each in (payment.payer, region))]


def _of_cases(cases: Iterable[str]) -> list[str]:
    return [
        stream
        for case in cases
        for stream in (docket_stream(case), *(recovery_stream(kind, case) for kind in KINDS.values()))
    ]


def _of_list(reader: "Reader", found: ClaimsTrace) -> list[str]:
    """Returns the streams of a person or an institution: its registers, its acts, cases, violations, applications."""
    if found.of == "person":
        token = found.token
        of = (member_stream, filing_stream, entitlement_stream, visit_stream, described_stream, account_stream)
        own = [each(token) for each in (*of, disease_stream, stay_stream)]
        years = {claim.month // 100 for claim in found.claims}
        own += [person_year_stream(token, year) for year in sorted({*years, *(year + 1 for year in years)})]
    else:
        own = [institution_stream(found.key), payee_stream(found.key)]
    own += [stream for claim in found.claims for stream in _of_act(claim)]
    own += [reimbursement_stream(application) for application in found.applications]
    return [*own, *found.violations, *_of_cases(found.cases)]


def history(reader: "Reader", found: Iterable[Found]) -> tuple[Step, ...]:
    """Returns every event of these streams, in log order, with who caused it, when and why."""
    placed = {
        position: (stream, decode_event(topic, state))
        for stream in streams_of(reader, found)
        for position, _, topic, state in reader.stream(stream)
    }
    causes = reader.events_at(sorted({_cause(event) for _, event in placed.values()} - {0}))
    said = {at: decode_event(row[2], row[3]) for at, row in causes.items()}
    return tuple(
        _step(position, stream, event, said.get(_cause(event))) for position, (stream, event) in sorted(placed.items())
    )


def _cause(event: Event) -> int:
    return int(getattr(event, "cause", 0))


def _step(position: int, stream: str, event: Event, cause: Event | None) -> Step:
    by = event if isinstance(event, JobStarted) else cause
    actor = reason = source = ""
    recorded_at = event.recorded_at if isinstance(event, JobBatch) else 0
    if isinstance(by, CommandRecorded | JobStarted):
        actor, reason, source = by.actor, by.reason, by.source
        recorded_at = recorded_at or by.recorded_at
    what, row = event.TOPIC.partition("/")[0], int(getattr(event, "row", 0))
    return Step(position, recorded_at, stream, what, _amount(event), text_of(event), actor, reason, source, row)


def _amount(event: Event) -> int:
    """Returns the fen an event speaks of: a claim's fee, what its funds and account pay, or the event's own amount."""
    match event:
        case ClaimFiled():
            return event.medfee_sumamt
        case ClaimSettled() | ClaimReversed():
            return event.amounts[AMOUNT["fund_pay_sumamt"]] + event.amounts[AMOUNT["acct_pay"]]
        case LinesFiled():
            return event.sums[0]
        case ManualOwed():
            return event.fund_fen + event.account_fen
    return amount_of(event)
