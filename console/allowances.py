"""Commands on allowances without a claim (生育津贴): allowance, allowance grant, pay and revoke."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyclopts import App

import ledger
from console import output
from console.options import NO_OPTIONS, Amount, Day, Options, Region
from console.output import Column, count, day_text
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.verbs.allowances import Allowance


def register(app: App) -> None:
    """Adds this family to the command line."""
    allowance = App(name="allowance", help="Grant, pay and revoke the maternity allowance (生育津贴).")
    allowance.default(listed)
    for command in (grant, pay, revoke):
        allowance.command(command)
    app.command(allowance)


def listed(*, options: Options = NO_OPTIONS) -> None:
    """List every allowance: for whom, how much, from which fund, paid or not."""
    with ledger.open(options.store, actor=options.who) as book:
        found = book.allowances()
    _print(found, options)


def grant(
    person: str,
    /,
    *,
    region: Region,
    leave: str,
    begin: Day,
    wage: Amount,
    children: int = 1,
    payee: str = "",
    employer: str = "",
    options: Options = NO_OPTIONS,
) -> None:
    """Grant the maternity allowance for a leave: monthly wage by the days of a month, for the days of the leave.

    Parameters
    ----------
    person
        The person's number, as the register of members has it.
    region
        The insured region whose policy grants it and whose fund pays.
    leave
        The kind of leave, as the policy names it.
    begin
        The day on which the leave begins, as yyyy-mm-dd.
    wage
        The employer's monthly mean wage a person of the year before, in yuan.
    children
        How many children were born.
    payee
        Another person who is paid, where the policy pays the person.
    employer
        The employer who is paid, where the policy pays the employer.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.grant_allowance(
            person, region, leave=leave, begin=begin, wage_fen=wage, children=children, payee=payee,
            employer=employer, reason=options.reason,
        )  # fmt: skip
    _print([found], options)


def pay(key: str, /, *, receipt: str, amount: Amount | None = None, options: Options = NO_OPTIONS) -> None:
    """Pay a granted allowance by the bank's receipt.

    Parameters
    ----------
    key
        The allowance's key, as `allowance` lists it.
    receipt
        The bank's receipt number.
    amount
        What the receipt says, in yuan; refused unless it is the amount granted.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.pay_allowance(key, receipt, amount_fen=amount, reason=options.reason)
    _print([found], options)


def revoke(key: str, /, *, options: Options = NO_OPTIONS) -> None:
    """Revoke an allowance in full; of one that was paid the payee then owes the amount back. Needs --reason.

    Parameters
    ----------
    key
        The allowance's key, as `allowance` lists it.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.revoke_allowance(key, reason=options.why("allowance revoke"))
    _print([found], options)


def _print(found: "Sequence[Allowance]", options: Options) -> None:
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("allowance", "津贴"),
        Column("payee", "收款方"),
        Column("begin", "开始", day_text),
        Column("days", "天数", count),
        Column("wage", "月平均工资", yuan),
        Column("amount", "金额", yuan),
        Column("fund", "基金"),
        Column("state", "状态"),
    )
    rows = [
        (each.key, each.payee, each.begin, each.days, each.base_fen, each.amount_fen, str(each.fund), each.state)
        for each in found
    ]
    output.print_table(columns, rows)
