"""Commands on the money of cases, each kind apart: recovery …, recoveries."""

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

import projections
from console import output
from console.casework import act_of, take, today
from console.options import NO_OPTIONS, Amount, AmountIn, Case, Day, OnDay, Options, ReceiptIn
from console.output import Column, count
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from projections.casework.docket import MoneyLine

Kind = Literal["refused", "deducted", "clawed_back", "voluntary", "penalty", "fine"]
KindOfMoney = Annotated[Kind, Parameter(help="The kind of money.")]


def register(app: App) -> None:
    """Adds this family to the command line."""
    recovery = App(name="recovery", help="Raise and collect what a closed case brings, each kind of money apart.")
    recovery.command(raise_money, name="raise")
    recovery.command(write_off, name="write-off")
    for command in (collect, offset, instal, reverse):
        recovery.command(command)
    app.command(recovery)
    app.command(recoveries)


def raise_money(
    case: Case,
    /,
    *,
    kind: Kind,
    claims: str = "",
    amount: Amount = 0,
    multiple: str = "",
    fraud: bool = False,
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Raise money of one kind out of a closed case; principal splits over claims and the funds that paid them.

    Parameters
    ----------
    kind
        拒付, 审核扣款, 追回, 自查自纠退回, 违约金 or 行政罚款.
    claims
        REGION/SETL_ID=YUAN between spaces; all that is upheld and not raised yet by default.
    amount
        Of a penalty, in yuan.
    multiple
        Of a fine: how many times what is upheld, such as 1.5.
    fraud
        The fine is one for fraud.
    """
    said = {"claims": claims, "multiple": multiple}
    take(options, act_of("raise", case, on, said, kind=kind, amount_fen=amount, fraud=fraud))


def collect(
    case: Case,
    /,
    *,
    kind: KindOfMoney,
    amount: AmountIn,
    receipt: ReceiptIn,
    on: OnDay = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Collect by a receipt; never more than is outstanding."""
    take(options, act_of("collect", case, on, {}, kind=kind, amount_fen=amount, receipt=receipt))


def offset(
    case: Case, /, *, kind: KindOfMoney, amount: Amount = 0, on: OnDay = 0, options: Options = NO_OPTIONS
) -> None:
    """Set an amount off against what the institution is paid next (抵扣); `pay --offset` does so for all.

    Parameters
    ----------
    amount
        What is set off, in yuan; all that is outstanding by default.
    """
    take(options, act_of("offset", case, on, {}, kind=kind, amount_fen=amount))


def instal(case: Case, /, *, kind: KindOfMoney, instalments: str, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Agree on instalments of all that is outstanding.

    Parameters
    ----------
    instalments
        YYYYMMDD=YUAN between spaces.
    """
    take(options, act_of("instal", case, on, {"instalments": instalments}, kind=kind))


def write_off(
    case: Case, /, *, kind: KindOfMoney, amount: Amount, on: OnDay = 0, options: Options = NO_OPTIONS
) -> None:
    """Write off what cannot be collected; --reason says why.

    Parameters
    ----------
    amount
        What is written off, in yuan.
    """
    reason = options.why("recovery write-off")
    take(options, act_of("write_off", case, on, {}, kind=kind, amount_fen=amount, reason=reason))


def reverse(case: Case, /, *, kind: KindOfMoney, amount: Amount, on: OnDay = 0, options: Options = NO_OPTIONS) -> None:
    """Reverse after a won appeal: first what is outstanding, then what came in, which goes back; --reason says why.

    Parameters
    ----------
    amount
        What is reversed, in yuan.
    """
    reason = options.why("recovery reverse")
    take(options, act_of("reverse", case, on, {}, kind=kind, amount_fen=amount, reason=reason))


def recoveries(
    *,
    by: Literal["kind", "debtor", "debtors"] = "kind",
    wan: bool = False,
    on: Day = 0,
    options: Options = NO_OPTIONS,
) -> None:
    """Sum up the money of cases: what comes back to funds, and apart from it penalties and fines.

    Parameters
    ----------
    by
        By kind, by each debtor, or institutions and persons.
    wan
        Print amounts in 万 yuan, rounded to two decimals.
    on
        As of which day instalments are missed (YYYY-MM-DD), today by default.
    """
    with projections.open(options.store) as read:
        found = read.recoveries(on or today(), by)
    if options.json:
        output.print_json(found)
        return
    shown = in_wan if wan else yuan
    _print_money("to the funds 基金", found.principal, shown)
    if found.apart:
        _print_money("apart from the funds 不入基金", found.apart, shown)
    if found.rewards_fen:
        output.print_line(f"rewards from the treasury 举报奖励: {shown(found.rewards_fen)}")


def in_wan(fen: int) -> str:
    """Returns fen as 万 yuan with two decimals, half up."""
    from ledger.money import round_half_up

    return yuan(round_half_up(fen, 10_000))


def _print_money(title: str, lines: "tuple[MoneyLine, ...]", shown: object) -> None:
    assert callable(shown)
    figures = (
        *(("raised", "应收"), ("collected", "已收"), ("offset", "抵扣"), ("written off", "核销")),
        *(("cancelled", "撤销"), ("repaid", "退还"), ("outstanding", "未收"), ("missed", "逾期")),
    )
    columns = (
        *(Column("kind", "类别"), Column("of", "对象"), Column("number", "笔数", count)),
        *(Column(name, term, right=True) for name, term in figures),
    )
    rows = [(each.kind, each.key, each.recoveries, *map(shown, _amounts(each))) for each in lines]
    sums = [sum(column) for column in zip(*map(_amounts, lines), strict=True)] or [0] * 8
    total = ("", "", sum(each.recoveries for each in lines), *map(shown, sums))
    output.print_table(columns, rows, title=title, total=total)


def _amounts(line: "MoneyLine") -> tuple[int, ...]:
    return (
        *(line.raised_fen, line.collected_fen, line.offset_fen, line.written_off_fen, line.cancelled_fen),
        *(line.repaid_fen, line.outstanding_fen, line.missed_fen),
    )
