"""Commands on cases of supervision: case …, cases."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

import ledger
import projections
from console import output
from console.failures import UserError
from console.options import NO_OPTIONS, Amount, AtLeastOne, Case, Day, OnDay, Options, PeriodReviewed
from console.output import Column, count, day_text
from ledger.local_time import CHINA
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.casework.acts import Act
    from ledger.verbs.casework import ActsTaken

Source = Literal["review", "sampling", "expert", "co_investigation", "joint_inspection", "tip_off", "self_inspection"]
Status = Literal["suspended", "terminated", "referred"]
FirstOwner = Annotated[str, Parameter(help="Who owns the first stage.")]
Evidence = Annotated[str, Parameter(help="SHA-256 digests of documents, between spaces.")]


def register(app: App) -> None:
    """Adds this family to the command line."""
    case = App(name="case", help="Take a case of supervision from 机审 to 关闭, or many from a file.")
    for command in (terms, submit, decide, appeal, close, expire, sanction, reward, run, sample):
        case.command(command)
    case.command(open_case, name="open")
    case.command(from_review, name="from-review")
    app.command(case)
    app.command(cases)


def terms(terms: str, /, *, options: Options = NO_OPTIONS) -> None:
    """Put the limits of cases in force: working days a stage, what expiry does, multiples of fines.

    Parameters
    ----------
    terms
        A document (TOML), or the name of a shipped one: national-2021.
    """
    with ledger.open(options.store, actor=options.who) as book:
        digest = book.enact_case_terms(terms, reason=options.reason)
    output.answer(options, {"terms": terms, "digest": digest}, f"in force: {terms} {digest}")


def open_case(
    case: Case,
    /,
    *,
    claims: str,
    owner: FirstOwner,
    source: Source = "review",
    person: bool = False,
    evidence: Evidence = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Open a case on claims of one institution or person.

    Parameters
    ----------
    claims
        REGION/SETL_ID=YUAN between spaces; without an amount all that the funds paid is in question.
    source
        Where the case comes from.
    person
        The person owes it, not the institution.
    """
    said = {"claims": claims, "evidence": evidence}
    take(options, act_of("open", case, on, said, owner=owner, source=source, person=person))


def submit(
    case: Case,
    /,
    *,
    owner: str,
    claims: str = "",
    evidence: Evidence = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Hand the material to the first review (初审), with what was found on each claim.

    Parameters
    ----------
    owner
        Who owns the first review.
    claims
        REGION/SETL_ID=YUAN between spaces, where it is other than when the case was opened.
    """
    take(options, act_of("submit", case, on, {"claims": claims, "evidence": evidence}, owner=owner))


def decide(
    case: Case,
    /,
    *,
    evidence: Evidence,
    claims: str = "",
    owner: str = "",
    members: str = "",
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Decide the stage a case is in: 初审, 复审 or 合议; in part where claims are named with less.

    Parameters
    ----------
    claims
        REGION/SETL_ID=YUAN upheld, between spaces; what is not named is upheld as it stands.
    owner
        Who owns the next stage.
    members
        Who sits on the panel, between spaces.
    """
    said = {"claims": claims, "evidence": evidence, "members": members}
    take(options, act_of("decide", case, on, said, owner=owner))


def appeal(case: Case, /, *, owner: str, evidence: Evidence, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Appeal (申诉) against the first review, until its last day; --reason says on what grounds.

    Parameters
    ----------
    owner
        Who owns the second review: nobody who decided the first.
    """
    reason = options.why("case appeal")
    take(options, act_of("appeal", case, on, {"evidence": evidence}, owner=owner, reason=reason))


def close(
    case: Case, /, *, accepted: bool = False, evidence: Evidence = "", on: OnDay = 0, options: Options = NO_OPTIONS
) -> None:
    """Close a case that is concluded, or whose debtor accepts it in writing.

    Parameters
    ----------
    accepted
        The debtor accepts what stands; needs the document.
    """
    take(options, act_of("close", case, on, {"evidence": evidence}, accepted=accepted))


def expire(*, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Do to every case past its limit what the terms say: note it, pass it on, or dismiss it."""
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.expire_cases(on, reason=options.reason))


def sanction(case: str, /, *, status: Status, begin: Day = 0, on: Day = 0, options: Options = NO_OPTIONS) -> None:
    """Suspend or terminate a case's institution in the register, or refer the case; --reason says why.

    Parameters
    ----------
    case
        The number of a closed case.
    status
        What becomes of the institution.
    begin
        From which day on (YYYY-MM-DD), the act's by default.
    on
        The day of the act (YYYY-MM-DD), today by default.
    """
    reason = options.why("case sanction")
    take(options, act_of("sanction", case, on, {}, status=status, begin=begin, reason=reason))


def reward(case: str, /, *, amount: Amount, receipt: str, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Reward the tip-off a case came from, out of the treasury.

    Parameters
    ----------
    case
        The number of a closed case.
    amount
        The reward, in yuan.
    receipt
        The receipt of its payment.
    """
    take(options, act_of("reward", case, on, {}, amount_fen=amount, receipt=receipt))


def run(file: Path, /, *, options: Options = NO_OPTIONS) -> None:
    """Take the acts of a CSV file in turn (act, case, and the options of that act as columns), all or none.

    Parameters
    ----------
    file
        The file; acts are open, submit, decide, appeal, close, reward, sanction, raise, collect, offset, instal,
        write_off and reverse.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.case_file(file, reason=options.reason))


def from_review(
    *, period: PeriodReviewed, owner: FirstOwner, rule: str = "", on: OnDay = 0, options: Options = NO_OPTIONS
) -> None:
    """Open one case an institution out of what the machine review (机审) found in a period.

    Parameters
    ----------
    rule
        Only what the rule of this code found.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.cases_from_review(period, owner, on=on, rule=rule, reason=options.reason))


def sample(
    *,
    period: PeriodReviewed,
    size: AtLeastOne,
    seed: int,
    owner: FirstOwner,
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Draw claims of a period (抽查) and open a case for each; the same seed draws the same claims.

    Parameters
    ----------
    size
        How many claims.
    seed
        What draws them.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.sample_cases(period, size, seed, owner, on=on, reason=options.reason))


def cases(*, due: bool = False, on: Day = 0, options: Options = NO_OPTIONS) -> None:
    """List cases with stage, owner and limit.

    Parameters
    ----------
    due
        Only those past their limit.
    on
        As of which day (YYYY-MM-DD), today by default.
    """
    with projections.open(options.store) as read:
        lines = read.cases(on or today(), due)
    if options.json:
        output.print_json(lines)
        return
    columns = (
        *(Column("case", "案件"), Column("source", "来源"), Column("debtor", "对象"), Column("stage", "环节")),
        *(Column("owner", "经办"), Column("due", "期限", day_text), Column("late", "逾期")),
        *(Column("claims", "结算单", count), Column("amount", "金额", yuan)),
    )
    rows = [
        (
            *(each.case, each.source, each.debtor, each.stage, each.owner or "—", each.due),
            *("late" if each.late else "", each.items, each.amount_fen),
        )
        for each in lines
    ]
    late = sum(each.late for each in lines)
    output.print_table(columns, rows)
    output.print_line(f"{len(lines):,} cases, {late:,} late, {yuan(sum(each.amount_fen for each in lines))}")


def act_of(verb: str, case: str, on: int, texts: dict[str, str], **values: object) -> "Act":
    """Returns an act out of what the command line says; raises UserError naming the option."""
    import msgspec

    from ledger.casework.acts import Act, value_of

    for name, text in texts.items():
        if text.strip():
            try:
                values.update([value_of(name, text)])
            except ValueError as error:
                raise UserError("usage", f"--{name}: {error}, got {text!r}") from None
    return msgspec.convert({"act": verb, "case": case, "on": on, **values}, Act)


def take(options: Options, act: "Act") -> None:
    """Takes one act and prints what was written."""
    with ledger.open(options.store, actor=options.who) as book:
        _print_taken(options, book.case_act(act, reason=options.reason))


def _print_taken(options: Options, taken: "ActsTaken") -> None:
    named = ", ".join(taken.cases[:5]) + (", …" if len(taken.cases) > 5 else "")
    output.answer(
        options, taken, f"{taken.events:,} events on {len(taken.cases):,} cases{': ' if named else ''}{named}"
    )


def today() -> int:
    """Returns the day in China as yyyymmdd."""
    return int(datetime.now(CHINA).strftime("%Y%m%d"))
