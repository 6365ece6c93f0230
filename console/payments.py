"""Commands on payments: pay; its confirm, receive, fail, return, resend, list, suspend, match, give-back, account."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

import ledger
from console import output
from console.failures import UserError
from console.options import NO_OPTIONS, Amount, Options, Period, Region
from console.output import Column, count
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.paying.reports import Receipt
    from ledger.reports import Payment

PaymentKey = Annotated[str, Parameter(help="The payment's key.")]
BankReceipt = Annotated[str, Parameter(help="The bank's receipt number.")]
BankRegion = Annotated[Region, Parameter(help="The region whose bank it came to.")]


def register(app: App) -> None:
    """Adds this family to the command line."""
    pay = App(name="pay", help="Instruct what a closed period owes, and confirm what the bank paid.")
    pay.default(instruct)
    for command in (confirm, receive, fail, resend, suspend, match, account):
        pay.command(command)
    pay.command(send_back, name="return")
    pay.command(give_back, name="give-back")
    pay.command(listing, name="list")
    app.command(pay)


def instruct(
    *,
    period: Period,
    to: Literal["all", "regions", "institutions"] = "all",
    offset: bool = False,
    payer: Region | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Instruct the payments of a closed period: region to region, and agency to institution.

    Parameters
    ----------
    period
        The clearing period, as yyyymm; it must be closed.
    to
        Whom to pay: regions (就医地), institutions (定点医药机构), or all.
    offset
        Set off what cases still claim of an institution (抵扣), as `clawback offset` and `recovery offset` do of one;
        what the terms retain and what it owes back from a month below zero is withheld anyway.
    payer
        Only payments of this region: a city's own store knows what others owe, too.
    """
    with ledger.open(options.store, actor=options.who) as book:
        paid = book.pay(period, to, offset=offset, payer=payer, reason=options.reason)
    if options.json:
        output.print_json(paid)
        return
    print_payments(paid)


def print_payments(paid: "Iterable[Payment]") -> None:
    """Prints payments with their keys and a total."""
    paid = list(paid)
    rows = [(each.key, f"{each.payer:06d}", each.payee, each.acts, each.amount_fen) for each in paid]
    columns = (
        Column("payment", "付款"),
        Column("payer", "付款方"),
        Column("payee", "收款方"),
        Column("acts", "笔数", count),
        Column("due", "应付", yuan),
    )
    total = (f"{len(rows):,} payments", None, None, sum(row[3] for row in rows), sum(row[4] for row in rows))
    output.print_table(columns, rows, total=total)
    retained, offset = sum(each.retained_fen for each in paid), sum(each.offset_fen for each in paid)
    withheld, returned = sum(each.withheld_fen for each in paid), sum(each.returned_fen for each in paid)
    if retained or offset or withheld or returned:
        output.print_line(
            f"withheld beside it: retained 质量保证金 {yuan(retained)},"
            f" suppliers and owed back 代付及前期应退 {yuan(offset)},"
            f" cases 案件抵扣 {yuan(withheld)}, collected for the payer 代收退回 {yuan(returned)}"
        )


def confirm(
    payment: str,
    /,
    *,
    receipt: BankReceipt,
    amount: Amount | None = None,
    receipt_amount: Amount | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Confirm an instructed payment by the bank's receipt.

    Parameters
    ----------
    payment
        The payment's key, as `pay` prints it.
    amount
        What the receipt says, in yuan; refused unless it is the amount in transit.
    receipt_amount
        What the receipt comes to altogether where it pays several; they never use more than that.
    """
    with ledger.open(options.store, actor=options.who) as book:
        confirmed = book.confirm(payment, receipt, amount_fen=amount, receipt_fen=receipt_amount, reason=options.reason)
    output.answer(options, confirmed, f"confirmed {confirmed.key}: {yuan(confirmed.received_fen)} by receipt {receipt}")


def receive(
    payment: PaymentKey,
    /,
    *,
    receipt: BankReceipt,
    amount: Amount,
    receipt_amount: Amount | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Take what a receipt brings of a payment: a part, or all that is left in transit.

    Parameters
    ----------
    amount
        What it brings of this payment, in yuan.
    receipt_amount
        What the receipt comes to altogether where it pays several.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _tell(book.receive(payment, receipt, amount, receipt_fen=receipt_amount, reason=options.reason), options)


def fail(payment: PaymentKey, /, *, options: Options = NO_OPTIONS) -> None:
    """Say that the bank did not pay what was in transit: it is owed again. Takes `--reason`."""
    with ledger.open(options.store, actor=options.who) as book:
        _tell(book.fail(payment, reason=options.why("pay fail")), options)


def send_back(payment: PaymentKey, /, *, receipt: str, amount: Amount, options: Options = NO_OPTIONS) -> None:
    """Say that money the bank had paid came back (退票): it is owed again. Takes `--reason`.

    Parameters
    ----------
    receipt
        The bank's number of the return.
    amount
        What came back, in yuan.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _tell(book.send_back(payment, amount, receipt, reason=options.why("pay return")), options)


def resend(payment: PaymentKey, /, *, of: int | None = None, options: Options = NO_OPTIONS) -> None:
    """Instruct again what failed or came back; the next bank file holds it.

    Parameters
    ----------
    of
        The position of the failure or return, as `pay list` prints it; the last by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _tell(book.resend(payment, of=of, reason=options.reason), options)


def _tell(payment: "Payment", options: Options) -> None:
    output.answer(
        options,
        payment,
        f"{payment.key}: {payment.state}, in transit {yuan(payment.transit_fen)}, received"
        f" {yuan(payment.received_fen)}, sent back {yuan(payment.back_fen)}, attempt {payment.attempt}",
    )


def listing(*, period: Period, options: Options = NO_OPTIONS) -> None:
    """List a period's payments and how far each got.

    Parameters
    ----------
    period
        The period of the payments, as yyyymm.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.payments(period)
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("payment", "付款"), Column("state", "状态"), Column("attempt", "次数", count),
        Column("instructed", "应付", yuan), Column("retained", "质保金", yuan), Column("offset", "抵扣", yuan),
        Column("cases", "案件", yuan), Column("in transit", "在途", yuan), Column("received", "到账", yuan),
        Column("sent back", "退回", yuan), Column("set off", "已抵", yuan),
        Column("failure", "退回位置", count),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (
            *(each.key, each.state, each.attempt, each.amount_fen, each.retained_fen, each.offset_fen),
            *(each.withheld_fen, each.transit_fen, each.received_fen, each.back_fen, each.set_off_fen),
            each.failure or None,
        )
        for each in found
    ]
    sums = [sum(row[at] for row in rows) for at in range(3, 11)]
    output.print_table(columns, rows, title=f"Payments 付款 {period}", total=("total 合计", None, None, *sums, None))


def suspend(
    *,
    region: BankRegion | None = None,
    receipt: BankReceipt = "",
    amount: Amount = 0,
    sender: str = "",
    options: Options = NO_OPTIONS,
) -> None:
    """Take a receipt that nobody can place into suspense (待查); without `--receipt`, list what is there.

    Parameters
    ----------
    amount
        What it brought, in yuan.
    sender
        Who sent it, as the bank says.
    """
    with ledger.open(options.store, actor=options.who) as book:
        if not receipt:
            _print_receipts(book.suspended(), options)
            return
        if region is None:
            raise UserError("usage", "expected --region beside --receipt: whose bank it came to")
        _print_receipts([book.suspend(region, receipt, amount, sender=sender, reason=options.reason)], options)


def match(
    receipt: BankReceipt, /, *, region: BankRegion, to: str, amount: Amount | None = None, options: Options = NO_OPTIONS
) -> None:
    """Match a suspended receipt, or a part of it, with the payment or clawback case it turned out to be.

    Parameters
    ----------
    to
        The key of the payment, or the number of the clawback case.
    amount
        What of it, in yuan; all that is left by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        _print_receipts([book.match(region, receipt, to, amount_fen=amount, reason=options.reason)], options)


def give_back(
    receipt: BankReceipt,
    /,
    *,
    region: BankRegion,
    period: Period,
    to: str = "",
    amount: Amount | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Send a suspended receipt, or a part of it, back to its sender (退回原路): a payment that goes the way of all.

    Parameters
    ----------
    period
        The month it is paid under, as yyyymm.
    to
        Who gets it; the sender by default. The account is that of `pay account`.
    amount
        What of it, in yuan; all that is left by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.give_back(region, receipt, period=period, payee=to, amount_fen=amount, reason=options.reason)
    output.answer(options, done, f"instructed {done.key}: {yuan(done.amount_fen)} back to {done.payee}")


def _print_receipts(found: "Iterable[Receipt]", options: Options) -> None:
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("region", "地区"), Column("receipt", "流水号"), Column("sender", "付款人"),
        Column("amount", "金额", yuan), Column("matched", "已核销", yuan), Column("sent back", "已退回", yuan),
        Column("left", "待查", yuan),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (
            f"{each.region:06d}",
            each.receipt,
            each.sender,
            each.amount_fen,
            each.matched_fen,
            each.sent_back_fen,
            each.left_fen,
        )
        for each in found
    ]
    sums = [sum(row[at] for row in rows) for at in range(3, 7)]
    output.print_table(columns, rows, title="Receipts in suspense 待查", total=("total 合计", None, None, *sums))


def account(payee: str, /, *, account: str, name: str, bank: str = "", options: Options = NO_OPTIONS) -> None:
    """Set the bank account of a payee (region, institution or supplier) for the files that follow.

    Parameters
    ----------
    payee
        The region's code, the institution's code, or the supplier's.
    account
        The account number.
    name
        The account's holder, as the bank knows it.
    bank
        The bank that keeps it.
    """
    with ledger.open(options.store, actor=options.who) as book:
        found = book.payee_account(payee, account, name=name, bank=bank, reason=options.reason)
    output.answer(
        options, found, f"{found.payee}: {found.name}, {found.bank or 'bank not named'}, account {found.account}"
    )
