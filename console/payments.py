"""Commands on payments: pay, pay confirm."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from cyclopts import App

import ledger
from console import output
from console.options import NO_OPTIONS, Amount, Options, Period
from console.output import Column, count
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.reports import Payment


def register(app: App) -> None:
    """Adds this family to the command line."""
    pay = App(name="pay", help="Instruct what a closed period owes, and confirm what the bank paid.")
    pay.default(instruct)
    pay.command(confirm)
    app.command(pay)


def instruct(
    *, period: Period, to: Literal["all", "regions", "institutions"] = "all", options: Options = NO_OPTIONS
) -> None:
    """Instruct the payments of a closed period: region to region, and agency to institution.

    Parameters
    ----------
    period
        The clearing period, as yyyymm; it must be closed.
    to
        Whom to pay: regions (就医地), institutions (定点医药机构), or all.
    """
    with ledger.open(options.store, actor=options.who) as book:
        paid = book.pay(period, to, reason=options.reason)
    if options.json:
        output.print_json(paid)
        return
    print_payments(paid)


def print_payments(paid: "Iterable[Payment]") -> None:
    """Prints payments with their keys and a total."""
    rows = [(each.key, each.payer, each.payee, each.acts, each.amount_fen) for each in paid]
    columns = (
        Column("payment", "付款"),
        Column("payer", "付款方"),
        Column("payee", "收款方"),
        Column("acts", "笔数", count),
        Column("due", "应付", yuan),
    )
    total = (f"{len(rows):,} payments", None, None, sum(row[3] for row in rows), sum(row[4] for row in rows))
    output.print_table(columns, rows, total=total)


def confirm(payment: str, /, *, receipt: str, amount: Amount | None = None, options: Options = NO_OPTIONS) -> None:
    """Confirm an instructed payment by the bank's receipt.

    Parameters
    ----------
    payment
        The payment's key, as `pay` prints it.
    receipt
        The bank's receipt number.
    amount
        What the receipt says, in yuan; refused unless it is the amount instructed.
    """
    with ledger.open(options.store, actor=options.who) as book:
        confirmed = book.confirm(payment, receipt, amount_fen=amount, reason=options.reason)
    if options.json:
        output.print_json(confirmed)
    else:
        output.print_line(f"confirmed {confirmed.key}: {yuan(confirmed.amount_fen)} by receipt {receipt}")
