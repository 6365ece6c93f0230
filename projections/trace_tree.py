"""Names what tracing finds: payment, claims, file rows, and back; amounts in fen, places as log positions."""

from typing import TypeAlias

import msgspec


class FileRow(msgspec.Struct, frozen=True):
    """Is where an event came from: the job (or command) at ``cause``, its source by name and digest, and the row."""

    cause: int
    verb: str
    source: str
    digest: str
    row: int


class Payment(msgspec.Struct, frozen=True):
    """Is a payment and how far it got: ``kind`` names what is paid, ``amount_fen`` what was owed."""

    stream: str
    position: int
    kind: str
    period: int
    payer: int
    payee: str
    acts: int
    amount_fen: int
    confirmed: int
    receipt: str
    withheld_fen: int = 0
    returned_fen: int = 0
    state: str = ""


class Collection(msgspec.Struct, frozen=True):
    """Is what one receipt brought of a clawback, or (without a receipt) what was set off against next payments.

    ``payment`` is the one with which it was set off, empty where it was decided on the case.
    """

    position: int
    amount_fen: int
    receipt: str
    payment: str = ""


class Clawback(msgspec.Struct, frozen=True):
    """Is a clawback case: what was raised on which claim, split over the funds that paid, and what came in."""

    case: str
    position: int
    claim: int
    amount_fen: int
    funds: dict[str, int]
    collected: tuple[Collection, ...]

    @property
    def outstanding_fen(self) -> int:
        """Returns what is still to collect."""
        return self.amount_fen - sum(part.amount_fen for part in self.collected)


class Claim(msgspec.Struct, frozen=True):
    """Is a booked act: its keys, its dimensions, what it owes, and the file row it came from.

    ``claim`` is the position of its ClaimFiled, ``decision`` of ClaimSettled or ClaimReversed, ``original`` that of
    the ClaimFiled a refund refunds (0: none). ``person`` is a token, never a number.
    """

    key: str
    claim: int
    decision: int
    refund: bool
    original: int
    medins_setl_id: str
    fixmedins_code: str
    person: int
    insured_region: int
    treatment_region: int
    insutype: int
    month: int
    period: int
    basis: int
    flags: int
    medfee_sumamt: int
    fund_pay_sumamt: int
    acct_pay: int
    file: FileRow

    @property
    def due_fen(self) -> int:
        """Returns what the act adds to its payments: the fund and account parts."""
        return self.fund_pay_sumamt + self.acct_pay


class ClaimTrace(msgspec.Struct, frozen=True, tag="claim"):
    """Is a claim with everything that followed from it; ``refunds`` refund it, ``anew`` booked it with other amounts
    (each listed with what it changed).

    ``flags`` are the reasons for which registers would have refused it, had its source not paid it already.
    """

    claim: Claim
    refunds: tuple[Claim, ...]
    payments: tuple[Payment, ...]
    clawbacks: tuple[Clawback, ...]
    flags: tuple[str, ...] = ()
    anew: tuple[Claim, ...] = ()
    cases: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
    application: str = ""


class PaymentTrace(msgspec.Struct, frozen=True, tag="payment"):
    """Is a payment with the claims it pays: all are counted and summed, the first of them listed."""

    payment: Payment
    claims: tuple[Claim, ...]
    claims_count: int
    claims_fen: int
    application: str = ""

    @property
    def agrees(self) -> bool:
        """Returns whether the claims' dues sum to the amount instructed and what came off it."""
        paid = self.payment
        due_fen = paid.amount_fen + paid.withheld_fen + paid.returned_fen
        return self.claims_fen == due_fen and self.claims_count == paid.acts


class ClawbackTrace(msgspec.Struct, frozen=True, tag="clawback"):
    """Is a clawback with the claim it was raised on."""

    clawback: Clawback
    claim: Claim | None


class CaseStep(msgspec.Struct, frozen=True):
    """Is one act on a case or its money (``kind``, else empty): day, what, fen, words, who, when, file and row."""

    position: int
    on: int
    what: str
    kind: str
    amount_fen: int
    text: str
    actor: str
    recorded_at: int
    source: str
    row: int


class CaseTrace(msgspec.Struct, frozen=True, tag="case"):
    """Is a case's whole life; ``claims`` are the positions of its claims, ``violations`` what a review found.

    ``codes`` are the trace codes (追溯码) on the lines of its claims.
    """

    case: str
    source: str
    debtor: str
    stage: str
    amount_fen: int
    claims: tuple[int, ...]
    violations: tuple[str, ...]
    steps: tuple[CaseStep, ...]
    codes: tuple[str, ...] = ()


class RowTrace(msgspec.Struct, frozen=True, tag="row"):
    """Is what became of one row of a file: booked, duplicate (of ``claim``), quarantined (``reason``), or pending.

    ``field`` is the number of the field a quarantined row failed at.
    """

    file: FileRow
    outcome: str
    reason: str
    field: int
    claim: ClaimTrace | None


class CodeTrace(msgspec.Struct, frozen=True, tag="code"):
    """Is a trace code (追溯码) with the claims whose lines settled it, in order; a refund in between released it."""

    code: str
    claims: tuple[ClaimTrace, ...]


class JobTrace(msgspec.Struct, frozen=True, tag="job"):
    """Is a job over a source; ``completed`` is 0 while it is unfinished, and the counts are those so far.

    ``abandoned`` is the position of what ended it instead, 0 where nothing did.
    """

    file: FileRow
    stream: str
    actor: str
    reason: str
    recorded_at: int
    completed: int
    rows: int
    booked: int
    duplicate: int
    quarantined: int
    abandoned: int = 0


class ClaimsTrace(msgspec.Struct, frozen=True, tag="claims"):
    """Is the acts of a person or an institution: all are counted and summed, the first of them listed."""

    of: str
    key: str
    claims: tuple[Claim, ...]
    claims_count: int
    claims_fen: int
    cases: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    token: int = 0


class ViolationTrace(msgspec.Struct, frozen=True, tag="violation"):
    """Is a violation of a rule: what it last found and whether that stands, its claims, and the cases that took it up.

    ``person`` is a token, ``window`` reads by ``window_kind``.
    """

    stream: str
    rule: str
    definite: bool
    stands: bool
    period: int
    person: int
    window_kind: str
    window: int
    amount_fen: int
    claims: tuple[Claim, ...]
    cases: tuple[str, ...]


class ManualTrace(msgspec.Struct, frozen=True, tag="manual"):
    """Is an application for manual reimbursement: stage, claim, refund, payment, and what pays it anew."""

    application: str
    person: int
    region: int
    accepted: int
    limit: int
    stage: str
    owner: str
    amount_fen: int
    owed_fen: int
    claim: Claim | None
    payment: Payment | None
    follows: str
    followed_by: tuple[str, ...]
    refund: Claim | None


class EventTrace(msgspec.Struct, frozen=True, tag="event"):
    """Is any other event of the log, as its position names it."""

    position: int
    stream: str
    version: int
    topic: str


Found: TypeAlias = (
    ClaimTrace
    | PaymentTrace
    | ClawbackTrace
    | CaseTrace
    | ViolationTrace
    | ManualTrace
    | RowTrace
    | CodeTrace
    | JobTrace
    | ClaimsTrace
    | EventTrace
)


class Step(msgspec.Struct, frozen=True):
    """Is one event that touched what a key leads to: what, fen, words; who, when (microseconds), why, file and row."""

    position: int
    recorded_at: int
    stream: str
    what: str
    amount_fen: int
    text: str
    actor: str
    reason: str
    source: str
    row: int


class Trace(msgspec.Struct, frozen=True):
    """Is everything a key leads to, as of a log position; empty ``found`` means that nothing has that key.

    ``steps`` are the events that touched it, in order, where they were asked for.
    """

    key: str
    position: int
    found: tuple[Found, ...]
    steps: tuple[Step, ...] = ()
