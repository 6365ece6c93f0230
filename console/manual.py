"""Commands on manual reimbursement (手工报销): manual …."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

import ledger
import projections
from console import output
from console.casework import Evidence, today
from console.failures import UserError
from console.options import NO_OPTIONS, AmountIn, Day, OnDay, Options, ReceiptIn
from console.output import Column, count, day_text
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.verbs.manual import ManualTaken
    from projections.manual.docket import ApplicationLine

Application = Annotated[str, Parameter(help="The number of the application.")]
NextOwner = Annotated[str, Parameter(help="Who owns the next step; as the terms say by default.")]
Outcome = Literal["pass", "return", "decline"]


def register(app: App) -> None:
    """Adds this family to the command line."""
    manual = App(name="manual", help="Reimburse by hand (手工报销): from 受理 to 拨付, by the working-day clock.")
    for command in (
        terms,
        accept,
        archive,
        request,
        complete,
        enter,
        review,
        settle,
        confirm,
        pay,
        recover,
        collect,
        run,
    ):
        manual.command(command)
    manual.command(list_applications, name="list")
    app.command(manual)


def terms(terms: str, /, *, options: Options = NO_OPTIONS) -> None:
    """Put the clock of manual reimbursement in force: working days over all and of each step, and who owns it.

    Parameters
    ----------
    terms
        A document (TOML), or the name of a shipped one: taian.
    """
    with ledger.open(options.store, actor=options.who) as book:
        digest = book.enact_handling_terms(terms, reason=options.reason)
    output.answer(options, {"terms": terms, "digest": digest}, f"in force: {terms} {digest}")


def accept(
    application: Application,
    /,
    *,
    person: str,
    region: str,
    follows: str = "",
    owner: NextOwner = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Accept an application (受理); the clock starts.

    Parameters
    ----------
    person
        The person's number (psn_no).
    region
        The code of the insured place (insu_admdvs).
    follows
        The recovered application that this one pays anew.
    """
    if not region.isascii() or not region.isdecimal():
        raise UserError("usage", f"--region: expected a region code such as 440100, got {region!r}")
    said = {"psn_no": person, "insu_admdvs": int(region), "follows": follows}
    _take(options, "accept", application, on, owner=owner, **said)


def archive(
    application: Application,
    /,
    *,
    evidence: Evidence,
    owner: NextOwner = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Archive the documents (归档): their SHA-256 digests go into the log."""
    _take(options, "archive", application, on, owner=owner, evidence=_evidence(evidence))


def request(application: Application, /, *, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Ask the person for what is missing (补正): --reason says what, all at once; the clock stands still."""
    _take(options, "request", application, on, reason=options.reason)


def complete(application: Application, /, *, evidence: Evidence, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Take in what was missing; the working days it took count in no limit."""
    _take(options, "complete", application, on, evidence=_evidence(evidence))


def enter(
    application: Application, file: Path, /, *, owner: NextOwner = "", on: OnDay = 0, options: Options = NO_OPTIONS
) -> None:
    """Enter the claim (录入), read and checked as intake does; until it is reviewed a later entry takes its place.

    Parameters
    ----------
    file
        A CSV file of one row in the national field names, without the amounts of a settlement.
    """
    from ledger.manual.acts import read_rows

    rows, _ = read_rows(file)
    if len(rows) != 1:
        raise UserError("usage", f"{file.name}: expected one row, the claim of the application, got {len(rows):,}")
    _take(options, "enter", application, on, owner=owner, claim=rows[0], row=1)


def review(
    application: Application,
    /,
    *,
    outcome: Outcome = "pass",
    owner: NextOwner = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Review what was entered (审核), by somebody else than who entered it; --reason says why it does not pass.

    Parameters
    ----------
    outcome
        It passes, goes back to be entered again, or nothing is paid.
    """
    _take(options, "review", application, on, owner=owner, outcome=outcome, reason=options.reason)


def settle(application: Application, /, *, owner: NextOwner = "", on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Settle the claim (结算) by the policy in force, as every claim is; what it pays is owed to the person."""
    _take(options, "settle", application, on, owner=owner)


def confirm(
    application: Application,
    /,
    *,
    evidence: Evidence = "",
    owner: NextOwner = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Confirm the amount (确认), by somebody who neither entered nor reviewed it."""
    _take(options, "confirm", application, on, owner=owner, evidence=_evidence(evidence))


def pay(
    application: Application,
    /,
    *,
    account: str,
    bank: str = "",
    owner: NextOwner = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Instruct the payment to the person (拨付); the bank's receipt goes to `pay confirm`, as for every payment.

    Parameters
    ----------
    account
        The number of the person's bank account; the log keeps its last four digits.
    bank
        The name of the bank.
    """
    from ledger.manual.acts import account_of

    _take(options, "pay", application, on, owner=owner, account=account_of(account, bank))


def recover(application: Application, /, *, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Recover a settled application: its claim is refunded, and what was paid is owed by the person, fund by fund."""
    _take(options, "recover", application, on, reason=options.why("manual recover"))


def collect(
    application: Application, /, *, amount: AmountIn, receipt: ReceiptIn, on: OnDay = 0, options: Options = NO_OPTIONS
) -> None:
    """Collect from the person what a recovered application brought, never more than is owed."""
    _take(options, "collect", application, on, amount_fen=amount, receipt=receipt)


def run(file: Path, /, *, options: Options = NO_OPTIONS) -> None:
    """Take the acts of a CSV file in turn, all of them or none.

    Parameters
    ----------
    file
        Columns are act (accept, archive, enter, review, settle, confirm, pay, recover, collect), application, on,
        owner, follows, evidence, outcome, account, amount, receipt, reason, and the national names of a claim's facts.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.manual_file(file, reason=options.reason))


def list_applications(*, late: bool = False, on: Day = 0, options: Options = NO_OPTIONS) -> None:
    """List applications with stage, owner and clock, and who is late.

    Parameters
    ----------
    late
        Only those past a day of theirs.
    on
        As of which day (YYYY-MM-DD), today by default.
    """
    with projections.open(options.store) as read:
        found = read.applications(on or today(), late)
    if options.json:
        output.print_json(found)
        return
    columns = (
        *(Column("application", "申请"), Column("person", "参保人", str), Column("accepted", "受理日", day_text)),
        *(Column("stage", "环节"), Column("owner", "经办"), Column("due", "环节期限", day_text)),
        *(Column("limit", "总期限", day_text), Column("late", "逾期")),
        *(Column("amount", "金额", yuan), Column("owed", "应退", yuan), Column("further", "补差", yuan)),
    )
    rows = [
        (
            *(each.application, each.person, each.accepted, each.stage, _owner(each), each.due),
            *(each.limit, "late" if each.late else "", each.amount_fen, each.owed_fen),
            each.further_fen,
        )
        for each in found.lines
    ]
    output.print_table(columns, rows)
    if found.late:
        output.print_line("")
        late_columns = (
            *(Column("late", "逾期经办"), Column("applications", "件数", count)),
            *(Column("amount", "金额", yuan), Column("since", "自", day_text)),
        )
        output.print_table(
            late_columns, [(each.owner, each.applications, each.amount_fen, each.since) for each in found.late]
        )
    late_count = sum(each.applications for each in found.late)
    total = yuan(sum(each.amount_fen for each in found.lines))
    output.print_line(f"{len(found.lines):,} applications, {late_count:,} late, {total}")


def _owner(line: "ApplicationLine") -> str:
    return f"补正, since {line.waiting}" if line.waiting else line.owner or "—"


def _evidence(text: str) -> tuple[bytes, ...]:
    from ledger.manual.acts import evidence_of

    try:
        return evidence_of(text)
    except ValueError as error:
        raise UserError("usage", f"--evidence: {error}, got {text!r}") from None


def _take(options: Options, verb: str, application: str, on: int, **values: object) -> None:
    """Takes one act and prints what was written."""
    import msgspec

    from ledger.manual.acts import Act

    act = msgspec.convert({"act": verb, "application": application, "on": on, **values}, Act)
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.manual_act(act, reason=options.reason))


def _print_taken(options: Options, taken: "ManualTaken") -> None:
    named = ", ".join(taken.applications[:5]) + (", …" if len(taken.applications) > 5 else "")
    number = len(taken.applications)
    output.answer(options, taken, f"{taken.acts:,} acts on {number:,} applications{': ' if named else ''}{named}")
