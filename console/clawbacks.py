"""Commands on clawbacks (追回): clawback raise, clawback collect, clawback offset."""

from cyclopts import App

import ledger
from console import output
from console.options import NO_OPTIONS, Amount, AmountIn, Case, Claim, Options, ReceiptIn
from ledger.money import yuan_display as yuan


def register(app: App) -> None:
    """Adds this family to the command line."""
    clawback = App(name="clawback", help="Claw back (追回) what a fund paid on a claim.")
    clawback.command(raise_clawback, name="raise")
    clawback.command(collect)
    clawback.command(offset)
    app.command(clawback)


def raise_clawback(case: Case, /, *, claim: Claim, amount: Amount, options: Options = NO_OPTIONS) -> None:
    """Raise a clawback on a settled claim; it splits back over the funds that paid.

    Parameters
    ----------
    amount
        What to claw back, in yuan.
    """
    reason = options.why("clawback raise")
    with ledger.open(options.store, actor=options.who) as book:
        raised = book.clawback_raise(case, claim, amount, reason)
    output.answer(options, raised, f"raised {raised.case}: {yuan(raised.amount_fen)} on claim {raised.claim}")


def collect(case: Case, /, *, amount: AmountIn, receipt: ReceiptIn, options: Options = NO_OPTIONS) -> None:
    """Collect a part of a clawback, or all of it."""
    with ledger.open(options.store, actor=options.who) as book:
        clawback = book.clawback_collect(case, amount, receipt, reason=options.reason)
    output.answer(
        options, clawback, f"collected {yuan(amount)} of {clawback.case}, outstanding {yuan(clawback.outstanding_fen)}"
    )


def offset(case: Case, /, *, amount: Amount | None = None, options: Options = NO_OPTIONS) -> None:
    """Set a clawback off against what the institution is paid next (抵扣); `pay --offset` does so for all.

    Parameters
    ----------
    amount
        What is set off, in yuan; all that is outstanding by default.
    """
    with ledger.open(options.store, actor=options.who) as book:
        clawback = book.clawback_offset(case, amount, reason=options.reason)
    output.answer(options, clawback, f"set off on {clawback.case}, outstanding {yuan(clawback.outstanding_fen)}")
