"""Reads acts on applications for manual reimbursement: one from a caller, or many from a CSV file, a row each."""

import csv
import io
from pathlib import Path

import msgspec

from core_ext.cells import COLUMNS
from ledger.casework.acts import digest_of_text
from ledger.file_kinds import bytes_found
from ledger.manual.events import OUTCOMES
from ledger.money import fen_from_text
from ledger.refusals import Refusal, Refused
from ledger.side_columns import SIDE_COLUMNS

VERBS = (
    "accept",
    "archive",
    "enter",
    "review",
    "settle",
    "confirm",
    "pay",
    "recover",
    "collect",
    "request",
    "complete",
)


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Is one act on an application; ``on`` yyyymmdd (0: today), ``evidence`` SHA-256 of documents, ``row`` its file's.

    ``psn_no`` and ``insu_admdvs`` say whose application is accepted, ``claim`` holds a claim's cells by national field
    name, ``account`` is the bank and the last digits of the person's account.
    """

    act: str
    application: str
    on: int = 0
    owner: str = ""
    psn_no: str = ""
    insu_admdvs: int = 0
    follows: str = ""
    evidence: tuple[bytes, ...] = ()
    claim: dict[str, str] = {}
    outcome: str = "pass"
    account: str = ""
    amount_fen: int = 0
    receipt: str = ""
    reason: str = ""
    row: int = 0


_OWN = ("act", "application", "on", "owner", "follows", "evidence", "outcome", "account", "amount", "receipt", "reason")


def read_acts_file(path: Path) -> tuple[list[Act], bytes]:
    """Returns the acts of a CSV file and its bytes; columns are those of Act and the national names of a claim's facts.

    ``amount`` is in yuan, ``on`` a day, ``evidence`` hex digests between spaces. Raises Refused (bad_value) naming row
    and column.
    """
    rows, content = read_rows(path)
    return [_act(path.name, number, row) for number, row in enumerate(rows, 1)], content


def read_rows(path: Path) -> tuple[list[dict[str, str]], bytes]:
    """Returns the rows of a CSV file, blank cells left out, and its bytes; raises Refused (bad_value)."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(Refusal.BAD_VALUE, f"{path.name}: expected UTF-8 text, got {bytes_found(content)}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    unknown = sorted(set(reader.fieldnames or ["nothing"]) - {*_OWN, *COLUMNS, *SIDE_COLUMNS, "refd_setl_flag"})
    if unknown:
        raise Refused(
            Refusal.BAD_VALUE,
            f"{path.name}: expected columns of {', '.join(_OWN)} and national field names of a claim, got"
            f" {', '.join(unknown)}",
        )
    rows = []
    for number, row in enumerate(reader, 1):
        if "" in row:
            raise Refused(Refusal.BAD_VALUE, f"{path.name}, row {number}: expected as many cells as columns, got more")
        rows.append({name: cell.strip() for name, cell in row.items() if cell.strip()})
    return rows, content


def _act(where: str, number: int, row: dict[str, str]) -> Act:
    values: dict[str, object] = {"row": number}
    if row.get("act") not in VERBS or "application" not in row:
        raise Refused(
            Refusal.BAD_VALUE,
            f"{where}, row {number}: expected act ({', '.join(VERBS)}) and application, got {row.get('act')!r}",
        )
    for name, text in row.items():
        try:
            values.update(_said(name, text) if name in _OWN else {})
            if name == "insu_admdvs" and row["act"] == "accept":
                values["insu_admdvs"] = int(text)
        except ValueError as error:
            raise Refused(Refusal.BAD_VALUE, f"{where}, row {number}, {name}: {error}, got {text!r}") from None
    values["psn_no"] = row.get("psn_no", "")
    values["claim"] = {name: text for name, text in row.items() if name not in _OWN}
    return msgspec.convert(values, Act)


def _said(name: str, text: str) -> dict[str, object]:
    match name:
        case "amount":
            return {"amount_fen": fen_from_text(text)}
        case "on":
            return {"on": int(text.replace("-", ""))}
        case "evidence":
            return {"evidence": evidence_of(text)}
        case "account":
            return {"account": account_of(text, "")}
        case "outcome":
            if text not in OUTCOMES:
                raise ValueError(f"expected one of {', '.join(OUTCOMES)}")
    return {name: text}


def evidence_of(text: str) -> tuple[bytes, ...]:
    """Returns hex digests between spaces as bytes; raises ValueError."""
    return tuple(digest_of_text(part) for part in text.split())


def account_of(number: str, bank: str) -> str:
    """Returns what the log keeps of a person's bank account: the bank and the last four digits, never all of them.

    Raises Refused (no_account) for a number of fewer than eight digits.
    """
    digits = number.replace(" ", "")
    if not digits.isascii() or not digits.isdecimal() or len(digits) < 8:
        raise Refused(
            Refusal.NO_ACCOUNT, f"expected the number of a bank account, eight digits at least, got {len(digits)}"
        )
    return f"{bank} ****{digits[-4:]}".strip()
