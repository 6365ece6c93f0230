"""Follows any key through the log, both ways: payment to claims to file rows, file row to claim to payments."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ledger.events import (
    BASIS_REFUND,
    BASIS_RESETTLED,
    PAYMENT_INSTITUTION,
    PAYMENT_REGION,
    ClaimFiled,
    CommandRecorded,
    JobAbandoned,
    JobBatch,
    JobCompleted,
    JobStarted,
    SettlementDiffers,
)
from ledger.keys import claim_stream, clawback_stream, finding_stream, message_key, payment_stream
from ledger.line_columns import NUMBER, lines_of
from ledger.line_events import LinesDiffer, LinesFiled, TraceCodeRepeated
from ledger.lookup import CLAIM_REGIONS
from ledger.mapper import decode_event
from ledger.payments import KIND_NAMES
from ledger.refusals import Refusal, StoreError
from ledger.register_events import ClaimFlagged
from ledger.replaying.events import ClaimResettled
from projections.history import history
from projections.pages import BESIDE_TOPICS
from projections.trace import ACT
from projections.trace_links import Linked
from projections.trace_money import clawback_of, payment_of
from projections.trace_tree import (
    Claim,
    ClaimsTrace,
    ClaimTrace,
    ClawbackTrace,
    CodeTrace,
    EventTrace,
    FileRow,
    Found,
    JobTrace,
    Payment,
    PaymentTrace,
    RowTrace,
    Trace,
)

if TYPE_CHECKING:
    from ledger.store import Reader

#: A log position has at most so many digits.
POSITION_DIGITS = 18

#: How many claims are listed where a key has many; all of them are counted and summed.
LISTED = 1_000

SELECT_ACTS = f"SELECT {', '.join(ACT.columns)} FROM trace_act WHERE {{}} ORDER BY claim LIMIT ?"
SUM_ACTS = "SELECT COUNT(*), CAST(COALESCE(SUM(fund_pay_sumamt + acct_pay), 0) AS TEXT) FROM trace_act WHERE {}"
OF_CLAIM = "claim IN (?, ?)"
OF_PERSON = "token = ?"
OF_INSTITUTION = "fixmedins_code = ?"
OF_FILE_ROW = "cause = ? AND row = ?"
OF_REFUNDED = f"original = ? AND original > 0 AND basis <> {BASIS_RESETTLED}"
OF_ANEW = f"original = ? AND original > 0 AND basis = {BASIS_RESETTLED}"
OF_REGION_PAYMENT = "period = ? AND insured_region = ? AND treatment_region = ? AND insured_region <> treatment_region"
OF_INSTITUTION_PAYMENT = "fixmedins_code = ? AND period = ? AND treatment_region = ?"

SELECT_CODE = "SELECT DISTINCT claim FROM settled_code WHERE code = ? ORDER BY claim LIMIT ?"
SELECT_LINES = "SELECT position FROM filed_lines WHERE cause = ? AND row <= ? ORDER BY row DESC, position DESC LIMIT 1"
SELECT_JOBS = "SELECT position, stream, state FROM trace_event WHERE topic = ? ORDER BY position"
SELECT_CASES = "SELECT stream FROM trace_event WHERE claim = ? AND claim > 0 ORDER BY position"


class Tracer:
    """Answers one question over one snapshot of the store, whose trace model stands at ``position``."""

    def __init__(self, reader: "Reader", position: int, listed: int = LISTED) -> None:
        self._reader = reader
        self._position = position
        self._listed = listed
        self._sources: dict[int, tuple[str, str, str]] = {}
        self._linked = Linked(reader, lambda claim: self._acts(OF_CLAIM, (claim, claim)))

    def trace(self, key: str | int, events: bool = False) -> Trace:
        """Returns everything a key leads to: all readings of the key are tried, a bare number last as a position.

        A claim by setl_id, region/setl_id or message id; a person by psn_no; an institution; a payment or other
        stream; a clawback, a case, a violation or an application; a trace code; a job by source name or digest,
        ``source#row`` for one row; a position. ``events`` asks for every event that touched it.
        """
        text = str(key).strip()
        readings: tuple[Callable[[str], list[Found]], ...] = (
            *(self._claims, self._payments, self._cases, self._linked.dockets, self._files, self._codes),
            *(self._persons, self._institutions, self._linked.violations, self._linked.applications),
        )
        found: list[Found] = []
        if not isinstance(key, int):
            for reading in readings:
                found += (match for match in reading(text) if match not in found)
        # A longer number is no position: trace codes have twenty digits.
        if not found and text.isascii() and text.isdecimal() and len(text) <= POSITION_DIGITS:
            found = self._at(int(text))
        if not found and not self._reader.may_read("person"):
            raise StoreError(
                f"expected a key this role may look up, got {text!r}, which nothing else has: if it is a person's"
                " number, ask as a role that may read persons"
            )
        return Trace(text, self._position, tuple(found), history(self._reader, found) if events else ())

    def _claims(self, key: str) -> list[Found]:
        if not key:
            return []
        region, slash, setl_id = key.partition("/")
        if key.startswith("claim-"):
            region, slash, setl_id = key.removeprefix("claim-").partition("-")
        if slash and region.isascii() and region.isdecimal():
            regions = [int(region)]
        else:
            setl_id = key
            regions = [int(found) for (found,) in self._reader.query(CLAIM_REGIONS)]
        filed = self._reader.first_events([claim_stream(region, setl_id) for region in regions])
        messages = self._reader.find_messages([message_key(key)])
        claims = {position for position, _ in filed.values()} | set(messages.values())
        acts = [act for claim in sorted(claims) for act in self._acts(OF_CLAIM, (claim, claim))]
        return [self._claim_trace(act) for act in acts]

    def _claim_trace(self, claim: Claim) -> ClaimTrace:
        """Returns a claim with its refunds, the payments of its period that hold it, and its clawbacks."""
        streams = [payment_stream(PAYMENT_INSTITUTION, claim.period, claim.treatment_region, claim.fixmedins_code)]
        if claim.insured_region != claim.treatment_region:
            payee = f"{claim.treatment_region:06d}"
            streams.insert(0, payment_stream(PAYMENT_REGION, claim.period, claim.insured_region, payee))
        payments = [payment for stream in streams if (payment := payment_of(self._reader, stream)) is not None]
        cases = [str(stream) for (stream,) in self._reader.query(SELECT_CASES, (claim.claim,))]
        clawbacks = [clawback for case in cases if (clawback := clawback_of(self._reader, case)) is not None]
        refunds = self._acts(OF_REFUNDED, (claim.claim,))
        anew = self._acts(OF_ANEW, (claim.claim,))
        flags = self._flags(claim.claim)
        taken_up = tuple(self._linked.by_key.get(claim.claim, ()))
        application = self._linked.lives.of_claim(claim.claim)
        for each in self._linked.lives.states[application].instructions if application else ():
            if (paid := payment_of(self._reader, each.payment)) is not None:
                payments.append(paid)
        return ClaimTrace(
            *(claim, tuple(refunds), tuple(payments), tuple(clawbacks), flags, tuple(anew), taken_up),
            *(self._linked.violations_of(lambda link: claim.claim in link.claims), application),
        )

    def _flags(self, claim: int) -> tuple[str, ...]:
        events = [decode_event(topic, state) for _, _, topic, state in self._reader.stream(finding_stream(claim))]
        return tuple(Refusal(event.reason).code for event in events if isinstance(event, ClaimFlagged))

    def _payments(self, key: str) -> list[Found]:
        payment = payment_of(self._reader, key) if key.startswith("payment-") else None
        return [] if payment is None else [self._payment_trace(payment)]

    def _payment_trace(self, payment: Payment) -> PaymentTrace:
        if payment.kind not in (KIND_NAMES[PAYMENT_REGION], KIND_NAMES[PAYMENT_INSTITUTION]):
            application = self._linked.lives.of_payment(payment.stream)
            acts = self._paid_by_hand(payment, application) if application else []
            total = sum(act.due_fen for act in acts)
            return PaymentTrace(payment, tuple(acts), payment.acts if acts else 0, total, application)
        if payment.kind == KIND_NAMES[PAYMENT_REGION]:
            condition = OF_REGION_PAYMENT
            params: tuple[object, ...] = (payment.period, payment.payer, int(payment.payee))
        else:
            condition = OF_INSTITUTION_PAYMENT
            params = (payment.payee, payment.period, payment.payer)
        return PaymentTrace(payment, tuple(self._acts(condition, params)), *self._sum(condition, params))

    def _paid_by_hand(self, payment: Payment, application: str) -> list[Claim]:
        """Returns what a person's payment pays: the claim, or what it was booked anew with since the one before."""
        state = self._linked.lives.states[application]
        assert state.settled is not None
        claim, streams = state.settled.claim, [each.payment for each in state.instructions]
        found = [*self._acts(OF_CLAIM, (claim, claim)), *self._acts(OF_ANEW, (claim,))]
        at = streams.index(payment.stream)
        before = payment_of(self._reader, streams[at - 1]) if at else None
        return [act for act in found if (before.position if before else 0) < act.claim < payment.position]

    def _codes(self, key: str) -> list[Found]:
        claims = [int(claim) for (claim,) in self._reader.query(SELECT_CODE, (key, self._listed))]
        acts = [act for claim in claims for act in self._acts(OF_CLAIM, (claim, claim))]
        return [CodeTrace(key, tuple(self._claim_trace(act) for act in acts))] if acts else []

    def _cases(self, key: str) -> list[Found]:
        stream = key if key.startswith("clawback-") else clawback_stream(key)
        clawback = clawback_of(self._reader, stream)
        if clawback is None:
            return []
        claims = self._acts(OF_CLAIM, (clawback.claim, clawback.claim))
        return [ClawbackTrace(clawback, claims[0] if claims else None)]

    def _persons(self, key: str) -> list[Found]:
        token = self._reader.tokens([key]).get(key, 0) if self._reader.may_read("person") else 0
        if not token:
            return []
        return [self._list("person", key, OF_PERSON, (token,), f"person-{token:09d}")]

    def _institutions(self, key: str) -> list[Found]:
        listed = self._list("institution", key, OF_INSTITUTION, (key,), key)
        return [listed] if listed.claims_count else []

    def _list(self, of: str, key: str, condition: str, params: Sequence[object], debtor: str) -> ClaimsTrace:
        acts = self._acts(condition, params)
        claims, token = {act.claim for act in acts}, params[0] if isinstance(params[0], int) else 0
        cases = dict.fromkeys(self._linked.by_key.get(debtor, ()))
        for claim in sorted(claims) if token else ():
            cases.update(dict.fromkeys(self._linked.by_key.get(claim, ())))
        found = self._linked.violations_of(lambda link: link.found.token == token or bool(link.claims & claims))
        applications = self._linked.lives.of_person(token) if token else ()
        sums = self._sum(condition, params)
        return ClaimsTrace(of, key, tuple(acts), *sums, tuple(cases), found, applications, token)

    def _files(self, key: str) -> list[Found]:
        """Returns jobs by source name, digest or stream, or what became of one row of each where ``#row`` is given."""
        name, _, number = key.rpartition("#")
        row = int(number) if name and number.isascii() and number.isdecimal() else 0
        name = name if row else key
        found: list[Found] = []
        for position, stream, state in self._reader.query(SELECT_JOBS, (JobStarted.TOPIC,)):
            job = decode_event(JobStarted.TOPIC, state)
            assert isinstance(job, JobStarted)
            if name in (job.source, job.digest.hex(), stream):
                found.append(
                    self._row(int(position), str(stream), row) if row else self._job(int(position), stream, job)
                )
        return found

    def _job(self, position: int, stream: str, job: JobStarted) -> JobTrace:
        completed = abandoned = rows = booked = duplicate = quarantined = 0
        for at, _, topic, state in self._reader.stream(stream):
            event = decode_event(topic, state)
            if isinstance(event, JobCompleted) and event.cause == position:
                completed = at
            elif isinstance(event, JobAbandoned) and event.cause == position:
                abandoned = at
            elif isinstance(event, JobBatch) and event.cause == position:
                rows, booked = rows + event.rows, booked + event.booked
                duplicate += len(event.duplicates)
                quarantined += len(event.quarantined)
        file = FileRow(position, job.verb, job.source, job.digest.hex(), 0)
        counts = (rows, booked, duplicate, quarantined)
        return JobTrace(file, str(stream), job.actor, job.reason, job.recorded_at, completed, *counts, abandoned)

    def _row(self, job: int, stream: str, row: int) -> RowTrace:
        """Returns what became of a row in one job; ``pending`` where no batch of it holds the row."""
        file = self._file(job, row)
        acts = self._acts(OF_FILE_ROW, (job, row))
        if acts:
            return RowTrace(file, "booked", "", 0, self._claim_trace(acts[0]))
        for _, _, topic, state in self._reader.stream(stream):
            if topic != JobBatch.TOPIC:
                continue
            batch = decode_event(topic, state)
            assert isinstance(batch, JobBatch)
            if batch.cause != job or not batch.first_row <= row < batch.first_row + batch.rows:
                continue
            for at, reason, field in batch.quarantined:
                if at == row:
                    return RowTrace(file, "quarantined", Refusal(reason).code, field, None)
            for at, claim in batch.duplicates:
                if at == row:
                    equal = self._acts(OF_CLAIM, (claim, claim))
                    return RowTrace(file, "duplicate", "", 0, self._claim_trace(equal[0]) if equal else None)
        return self._line(file) or RowTrace(file, "pending", "", 0, None)

    def _line(self, file: FileRow) -> RowTrace | None:
        """Returns the fee line that a row of a file of lines is, with its claim; None where it is none."""
        found = self._reader.query(SELECT_LINES, (file.cause, file.row))
        if not found:
            return None
        position = int(found[0][0])
        event = decode_event(LinesFiled.TOPIC, self._reader.events_at([position])[position][3])
        assert isinstance(event, LinesFiled)
        if file.row not in lines_of(event).table[:, NUMBER["row"]]:
            return None
        acts = self._acts(OF_CLAIM, (event.claim, event.claim))
        return RowTrace(file, "booked", "", 0, self._claim_trace(acts[0]) if acts else None)

    def _at(self, position: int) -> list[Found]:
        events = self._reader.events_at([position])
        if position not in events:
            return []
        stream, version, topic, state = events[position]
        if stream.startswith("payment-"):
            return self._payments(stream)
        if stream.startswith("clawback-"):
            return self._cases(stream)
        if stream.startswith("violation-"):
            return self._linked.violations(stream)
        if stream.startswith("reimbursement-"):
            return self._linked.applications(stream)
        if stream.startswith(("docket-", "recovery-")):
            return self._linked.dockets(stream.split("-", 1 if stream[0] == "d" else 2)[-1])
        # A decision stands behind its claim; what stands beside it names it.
        claim = position if topic == ClaimFiled.TOPIC else position - 1
        if topic in BESIDE_TOPICS:
            event = decode_event(topic, state)
            assert isinstance(event, SettlementDiffers | LinesFiled | LinesDiffer | TraceCodeRepeated)
            claim = event.claim
        if topic == ClaimResettled.TOPIC:
            anew = decode_event(topic, state)
            assert isinstance(anew, ClaimResettled)
            claim = anew.claim
        acts = self._acts(OF_CLAIM, (claim, claim))
        if stream.startswith("claim-") and acts:
            return [self._claim_trace(acts[0])]
        return [EventTrace(position, stream, version, topic)]

    def _acts(self, condition: str, params: Sequence[object]) -> list[Claim]:
        rows = self._reader.query(SELECT_ACTS.format(condition), (*params, self._listed))
        named = [dict(zip(ACT.columns, row, strict=True)) for row in rows]
        self._load_sources(row["cause"] for row in named)
        return [
            Claim(
                key=f"{row['insured_region']:06d}/{row['setl_id']}",
                decision=row["claim"] + (row["basis"] != BASIS_RESETTLED),
                refund=row["basis"] == BASIS_REFUND,
                person=row["token"],
                file=self._file(row["cause"], row["row"]),
                **{name: row[name] for name in ACT.columns if name in _CLAIM_FIELDS},
            )
            for row in named
        ]

    def _sum(self, condition: str, params: Sequence[object]) -> tuple[int, int]:
        count, total = self._reader.query(SUM_ACTS.format(condition), params)[0]
        return int(count), int(total)

    def _file(self, cause: int, row: int) -> FileRow:
        self._load_sources([cause])
        return FileRow(cause, *self._sources[cause], row)

    def _load_sources(self, causes: Iterable[int]) -> None:
        missing = sorted(set(causes) - self._sources.keys())
        if not missing:
            return
        self._sources.update(dict.fromkeys(missing, ("", "", "")))
        for position, (_, _, topic, state) in self._reader.events_at(missing).items():
            event = decode_event(topic, state)
            if isinstance(event, JobStarted | CommandRecorded):
                self._sources[position] = (event.verb, event.source, event.digest.hex())


_CLAIM_FIELDS = frozenset(Claim.__struct_fields__)
