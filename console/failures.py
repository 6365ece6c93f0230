"""Turns what went wrong into one line, a stable code and an exit status; a user never meets a traceback."""

from typing import NamedTuple

from cyclopts import CycloptsError

from ledger.refusals import LedgerError, OutcomeUnknown, Refused, StoreError

OK, CHECK_FAILED, USER_ERROR, UNKNOWN_OUTCOME, A_BUG, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 3, 70, 130, 141


class UserError(Exception):
    """Is a request that cannot be carried out as it was typed; ``code`` is stable, the text says what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Failure(NamedTuple):
    """Is an error as it is shown: a stable code, one line of text, the exit status."""

    code: str
    text: str
    status: int


def failure_of(error: BaseException) -> Failure | None:
    """Returns how to show ``error``, or None where it can only be a bug and its traceback is worth having."""
    match error:
        case UserError():
            return Failure(error.code, _one_line(error), USER_ERROR)
        case CycloptsError():
            return Failure("usage", _one_line(error), USER_ERROR)
        case Refused():
            return Failure(error.refusal.code, _one_line(error), USER_ERROR)
        case OutcomeUnknown():
            return Failure("outcome_unknown", _one_line(error), UNKNOWN_OUTCOME)
        case StoreError():
            return Failure("store", _one_line(error), USER_ERROR)
        case LedgerError():
            return Failure(type(error).__name__.removesuffix("Error").lower(), _one_line(error), USER_ERROR)
        case ImportError() if (error.name or "").startswith("core_ext.") or "core_ext._" in str(error):
            return Failure("not_built", _one_line(error), USER_ERROR)
        case UnicodeEncodeError() if "surrogates" in error.reason:
            # What the shell passed on is no text: the bytes stand as surrogates in the argument.
            shown = ascii(error.object)
            return Failure("usage", f"expected text in UTF-8, got {shown}: look at the argument's bytes", USER_ERROR)
        case OSError():
            return Failure("file", _file_text(error), USER_ERROR)
        case KeyboardInterrupt():
            return Failure(
                "interrupted", "stopped by the keyboard; what is committed stands, run it again", INTERRUPTED
            )
    return None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _file_text(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        what = "is there already, and nothing is overwritten: name another"
    else:
        what = (error.strerror or str(error)).lower()
    return f"{error.filename}: {what}" if error.filename else what
