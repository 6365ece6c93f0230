"""The command trace: from a payment to its claims and file rows, and from a file row to its payment."""

from collections.abc import Iterator
from typing import TypeAlias

from cyclopts import App

import projections
from console import output
from console.answers import moment
from console.failures import UserError
from console.options import NO_OPTIONS, AtLeastZero, Options
from console.output import Column, count, day_text
from ledger.money import yuan_display as yuan
from projections.trace_tree import (
    CaseTrace,
    Claim,
    ClaimsTrace,
    ClaimTrace,
    Clawback,
    ClawbackTrace,
    CodeTrace,
    EventTrace,
    FileRow,
    Found,
    JobTrace,
    ManualTrace,
    Payment,
    PaymentTrace,
    RowTrace,
    Step,
    ViolationTrace,
)

#: How deep a line stands, what it is about, and its text.
Line: TypeAlias = tuple[int, str, str]


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(trace)


def trace(key: str, /, *, listed: AtLeastZero = 20, events: bool = False, options: Options = NO_OPTIONS) -> None:
    """Follow a key through the log, both ways: payment to claims to file rows, file row to claim to payment.

    Parameters
    ----------
    key
        A claim (REGION/SETL_ID, SETL_ID or message id), a trace code (追溯码), a payment, a clawback, a case,
        a violation, an application (手工报销), a file, FILE#ROW, an institution, a person or a log position.
    listed
        How many claims to list where a key has many; all of them are counted and summed.
    events
        List every event that touched it too, in order: amount, who, when, why, file and row.
    """
    with projections.open(options.store) as read:
        found = read.trace(key, listed, events=events)
    if not found.found:
        raise UserError("unknown_key", f"expected a key of the log, got {key!r}: nothing there has it")
    if options.json:
        output.print_json(found)
        return
    for each in found.found:
        print_found(each)
    if events:
        print_steps(found.steps)
    output.print_line(f"as of position {found.position:,}")


def print_steps(steps: tuple[Step, ...]) -> None:
    """Prints events as a table, the earliest first."""
    columns = (
        *(
            Column("position", "位置", count),
            Column("when", "时间"),
            Column("what", "事件"),
            Column("amount", "金额", yuan),
        ),
        *(Column("who", "经办"), Column("why", "事由"), Column("from", "来源"), Column("said", "说明")),
    )
    rows = [
        (
            *(each.position, _moment(each.recorded_at), each.what, each.amount_fen, each.actor, each.reason),
            *(f"{each.source}#{each.row}" if each.source and each.row else each.source, each.text),
        )
        for each in steps
    ]
    output.print_line("")
    output.print_table(columns, rows)


def _moment(recorded_at: int) -> str:
    return moment(recorded_at) if recorded_at else ""


def print_found(found: Found) -> None:
    """Prints one thing that a key led to, with what hangs on it; claims of a list as a table."""
    output.print_fields(("  " * depth + name, text) for depth, name, text in lines_of(found))
    if isinstance(found, PaymentTrace | ClaimsTrace):
        output.print_line("")
        print_claims(found.claims, found.claims_count, found.claims_fen)


def print_claims(claims: tuple[Claim, ...], number: int, sum_fen: int) -> None:
    """Prints claims as a table; the total is over all ``number`` of them, listed or not."""
    columns = (
        Column("claim", "结算单"),
        Column("file", "文件"),
        Column("row", "行", count),
        Column("medfee", "医疗费总额", yuan),
        Column("fund", "基金", yuan),
        Column("account", "个人账户", yuan),
        Column("due", "应付", yuan),
    )
    rows = [
        (
            each.key,
            each.file.source,
            each.file.row,
            each.medfee_sumamt,
            each.fund_pay_sumamt,
            each.acct_pay,
            each.due_fen,
        )
        for each in claims
    ]
    listed = "" if len(claims) == number else f" ({len(claims):,} listed)"
    output.print_table(columns, rows, total=(f"{number:,} claims{listed}", *[None] * 5, sum_fen))


def lines_of(found: Found) -> Iterator[Line]:
    """Yields the lines of one thing found, without the claims of a list."""
    match found:
        case ClaimTrace():
            yield from _claim(found)
        case PaymentTrace():
            yield from _payment(0, found.payment)
            verdict = "is their sum" if found.agrees else f"DIFFERS from their sum {yuan(found.claims_fen)}"
            yield 1, "claims", f"{found.claims_count:,}; the amount {verdict}"
            yield from _leads((), (), (found.application,) if found.application else ())
        case ClawbackTrace():
            yield from _clawback(0, found.clawback)
            if found.claim is not None:
                yield from _act(1, "claim 结算", found.claim)
        case CaseTrace():
            yield from _case(found)
        case ViolationTrace():
            yield from _violation(found)
        case ManualTrace():
            yield from _application(found)
        case RowTrace():
            reason = f" ({found.reason})" if found.reason else ""
            yield 0, "row 行", f"{_place(found.file)}: {found.outcome}{reason}"
            if found.claim is not None:
                yield from ((depth + 1, name, text) for depth, name, text in _claim(found.claim))
        case CodeTrace():
            yield 0, "trace code 追溯码", f"{found.code}: settled by {len(found.claims):,} claims"
            for each in found.claims:
                yield from ((depth + 1, name, text) for depth, name, text in _claim(each))
        case JobTrace():
            state = "complete" if found.completed else "abandoned" if found.abandoned else "unfinished"
            yield 0, "job", f"{found.file.cause:,} {found.file.verb} {found.file.source}, {state}, by {found.actor}"
            yield 1, "digest", found.file.digest
            yield (
                1,
                "rows",
                (
                    f"{found.rows:,} = {found.booked:,} booked + {found.duplicate:,} duplicate"
                    f" + {found.quarantined:,} quarantined"
                ),
            )
        case ClaimsTrace():
            yield 0, found.of, f"{found.key}: {found.claims_count:,} claims"
            yield from _leads(found.cases, found.violations, found.applications)
        case EventTrace():
            yield 0, "event", f"{found.position:,} {found.topic} in {found.stream}, version {found.version}"


def _claim(found: ClaimTrace) -> Iterator[Line]:
    yield from _act(0, "refund 退费" if found.claim.refund else "claim 结算", found.claim)
    for refund in found.refunds:
        yield from _act(1, "refund 退费", refund)
    for anew in found.anew:
        yield from _act(1, "booked anew 重新结算", anew)
    for payment in found.payments:
        yield from _payment(1, payment)
    for clawback in found.clawbacks:
        yield from _clawback(1, clawback)
    yield from _leads(found.cases, found.violations, (found.application,) if found.application else ())
    for flag in found.flags:
        yield 1, "flag 标记", f"{flag}: a register would have refused it unpaid"


def _act(depth: int, name: str, claim: Claim) -> Iterator[Line]:
    yield depth, name, f"{claim.key} at position {claim.claim:,}, decided at {claim.decision:,}"
    yield depth + 1, "from", _place(claim.file)
    yield (
        depth + 1,
        "where",
        (
            f"insured 参保地 {claim.insured_region:06d}, treatment 就医地 {claim.treatment_region:06d},"
            f" institution 机构 {claim.fixmedins_code}, insutype 险种 {claim.insutype}"
        ),
    )
    yield depth + 1, "when", f"month 业务月 {claim.month}, clearing period 清算期 {claim.period}"
    yield (
        depth + 1,
        "amounts",
        (
            f"medfee 医疗费 {yuan(claim.medfee_sumamt)}, fund 基金 {yuan(claim.fund_pay_sumamt)},"
            f" account 账户 {yuan(claim.acct_pay)}, due 应付 {yuan(claim.due_fen)}"
        ),
    )


def _payment(depth: int, payment: Payment) -> Iterator[Line]:
    state = f"confirmed by receipt {payment.receipt}" if payment.confirmed else payment.state
    yield depth, "payment 付款", f"{payment.stream}, {state}"
    yield (
        depth + 1,
        "amount",
        (
            f"{yuan(payment.amount_fen)} from {payment.payer:06d} to {payment.payee}"
            f" for {payment.acts:,} acts of {payment.period}"
        ),
    )


def _clawback(depth: int, clawback: Clawback) -> Iterator[Line]:
    yield (
        depth,
        "clawback 追回",
        (f"{clawback.case}: raised {yuan(clawback.amount_fen)}, outstanding {yuan(clawback.outstanding_fen)}"),
    )
    yield depth + 1, "funds 基金", ", ".join(f"{name} {yuan(part)}" for name, part in clawback.funds.items())
    for part in clawback.collected:
        if part.receipt:
            yield depth + 1, "collected", f"{yuan(part.amount_fen)} by receipt {part.receipt}"
        else:
            yield depth + 1, "set off 抵扣", f"{yuan(part.amount_fen)} against {part.payment or 'the next payments'}"


def _case(found: CaseTrace) -> Iterator[Line]:
    yield (
        0,
        "case 案件",
        f"{found.case} from {found.source} against {found.debtor}: {found.stage}, {yuan(found.amount_fen)}",
    )
    for step in found.steps:
        what = f"{step.kind} {step.what}".strip()
        row = f", {step.source} row {step.row:,}" if step.source and step.row else ""
        text = f" ({step.text})" if step.text else ""
        yield (
            1,
            day_text(step.on) or "—",
            f"{step.position:,} {what} {yuan(step.amount_fen)} by {step.actor}{row}{text}",
        )

    for violation in found.violations:
        yield 1, "violation 违规", violation
    if found.codes:
        yield 1, "trace codes 追溯码", ", ".join(found.codes)


def _violation(found: ViolationTrace) -> Iterator[Line]:
    certain, stands = "definite" if found.definite else "suspect", "stands" if found.stands else "lifted"
    yield 0, "violation 违规", f"{found.stream}: rule {found.rule}, {certain}, {stands}, {yuan(found.amount_fen)}"
    yield 1, "when", f"period {found.period}, {found.window_kind} {found.window}"
    for claim in found.claims:
        yield from _act(1, "claim 结算", claim)
    yield from _leads(found.cases, (), ())


def _application(found: ManualTrace) -> Iterator[Line]:
    owed = f", owed back {yuan(found.owed_fen)}" if found.owed_fen else ""
    yield 0, "application 手工报销", f"{found.application}: {found.stage}, {yuan(found.amount_fen)}{owed}"
    yield (
        1,
        "when",
        f"accepted {day_text(found.accepted)}, until {day_text(found.limit)}"
        f"{f', with {found.owner}' if found.owner else ''}",
    )
    if found.claim is not None:
        yield from _act(1, "claim 结算", found.claim)
    if found.refund is not None:
        yield from _act(1, "refund 退费", found.refund)
    if found.payment is not None:
        yield from _payment(1, found.payment)
    for name in (found.follows, *found.followed_by):
        if name:
            yield 1, "paid anew 重新支付" if name != found.follows else "follows 承接", name


def _leads(cases: tuple[str, ...], violations: tuple[str, ...], applications: tuple[str, ...]) -> Iterator[Line]:
    """Yields what else to trace from here."""
    yield from ((1, "case 案件", f"{case}: trace it") for case in cases)
    yield from ((1, "violation 违规", f"{violation}: trace it") for violation in violations)
    yield from ((1, "application 手工报销", f"{application}: trace it") for application in applications)


def _place(file: FileRow) -> str:
    if not file.row:
        return f"{file.verb} at position {file.cause:,}"
    return f"{file.source} row {file.row:,} (job {file.cause:,})"
