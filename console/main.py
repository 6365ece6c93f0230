"""Is the command ``settlement``: assembles the commands, runs one, and turns failures into exit statuses."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from cyclopts import App, Parameter

import core_ext
import ledger
import projections
from console import (
    advances,
    allowances,
    balances,
    banking,
    casework,
    claims,
    clawbacks,
    clearing,
    demo,
    detaching,
    enactments,
    explanations,
    failures,
    fee_lines,
    funds,
    institutions,
    manual,
    output,
    payments,
    periods,
    proofs,
    reconciling,
    recoveries,
    registers,
    replays,
    reviews,
    rules,
    statements,
    sweeps,
    traces,
    upkeep,
)
from console.failures import Failure, UserError, failure_of
from console.options import options_last

EPILOGUE = """\
Exit status: 0 done; 1 a check found something; 2 the request was refused, nothing was written; \
3 the outcome is unknown, look before you repeat it."""

#: An option that is not given is off; there is no --no-option.
PARAMETERS = Parameter(negative="")

FAMILIES = (
    demo, upkeep, proofs, enactments, registers, claims, fee_lines, explanations, statements, periods, clearing,
    rules, reviews, payments, clawbacks, casework, recoveries, reconciling, balances, traces, replays, sweeps,
    detaching, banking, advances, funds, institutions, allowances, manual,
)  # fmt: skip


def application() -> App:
    """Returns the command line: one family of commands per module."""
    app = App(
        name="settlement",
        help="Keeps the settlement ledger of basic medical insurance across regions (异地就医直接结算).",
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        default_parameter=PARAMETERS,
        suppress_keyboard_interrupt=False,
        version=lambda: version("settlement-ledger"),
    )
    for family in FAMILIES:
        family.register(app)
    for order, command in enumerate(app):
        app[command].sort_key = order
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status; prints one line on stderr for a user's mistake."""
    tokens = options_last(sys.argv[1:] if argv is None else argv)
    output.make_printable(sys.stdout)
    output.make_printable(sys.stderr)
    try:
        expect_our_packages()
        status = application()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return status if isinstance(status, int) else failures.OK
    except BrokenPipeError:
        # The reader of our output went away: nothing to say, and nobody to say it to at interpreter exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failures.CLOSED_PIPE
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        failure = failure_of(error)
        if failure is None:
            traceback.print_exc()
            return failures.A_BUG
        report(failure, as_json="--json" in tokens)
        return failure.status


def report(failure: Failure, *, as_json: bool) -> None:
    """Prints a failure: a JSON object on stdout where JSON was asked for, else one line on stderr."""
    if as_json:
        output.print_json({"error": failure.code, "message": failure.text})
    else:
        print(f"settlement: {failure.code}: {failure.text}", file=sys.stderr)


def expect_our_packages() -> None:
    """Raises UserError if another distribution's package shadows one of ours."""
    home = Path(__file__).resolve().parent.parent
    for package in (core_ext, ledger, projections):
        found = Path(str(package.__file__)).resolve().parent.parent
        if found != home:
            raise UserError(
                "shadowed", f"expected the package {package.__name__} in {home}, got another one in {found}"
            )
