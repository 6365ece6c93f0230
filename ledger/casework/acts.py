"""Reads acts on cases: one by one from a caller, or many from a CSV file, a row each."""

import csv
import io
import re
from pathlib import Path

import msgspec

from ledger.file_kinds import bytes_found, rather
from ledger.money import fen_from_text
from ledger.refusals import Refusal, Refused

VERBS = (
    *("open", "submit", "decide", "appeal", "close", "reward", "sanction"),
    *("raise", "collect", "offset", "instal", "write_off", "reverse"),
)


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Is one act on a case; ``on`` yyyymmdd (0: today), ``evidence`` SHA-256 of documents, ``row`` that of its file.

    ``claims`` are (REGION/SETL_ID, fen, or -1 for all that stands); ``kind`` one of KINDS for acts on money,
    ``multiple`` basis points of a fine, ``instalments`` (yyyymmdd, fen).
    """

    act: str
    case: str
    on: int = 0
    source: str = "review"
    claims: tuple[tuple[str, int], ...] = ()
    violations: tuple[str, ...] = ()
    person: bool = False
    owner: str = ""
    evidence: tuple[bytes, ...] = ()
    members: tuple[str, ...] = ()
    accepted: bool = False
    kind: str = ""
    amount_fen: int = 0
    multiple: int = 0
    fraud: bool = False
    instalments: tuple[tuple[int, int], ...] = ()
    receipt: str = ""
    reason: str = ""
    status: str = ""
    begin: int = 0
    seed: int = 0
    row: int = 0


def read_acts_file(path: Path) -> tuple[list[Act], bytes]:
    """Returns the acts of a CSV file and its bytes.

    Columns are the fields of Act, any of them left out: ``claims`` and ``instalments`` as KEY=YUAN between spaces (a
    claim without amount: all that stands), ``amount`` in yuan, ``multiple`` as 1.5, ``evidence`` hex digests. Raises
    Refused (bad_value) naming row and column.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(Refusal.BAD_VALUE, f"{path.name}: expected UTF-8 text, got {bytes_found(content)}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    known = {*Act.__struct_fields__, "amount"} - {"amount_fen", "row", "seed"}
    unknown = sorted(set(reader.fieldnames or ["nothing"]) - known)
    if unknown:
        raise Refused(
            Refusal.BAD_VALUE,
            f"{path.name}: expected columns of {', '.join(sorted(known))}, got {', '.join(unknown)}{rather(unknown)}",
        )
    return [_act(path.name, number, row) for number, row in enumerate(reader, 1)], content


def _act(where: str, number: int, row: dict[str, str | None]) -> Act:
    values: dict[str, object] = {"row": number}
    for name, cell in row.items():
        text = (cell or "").strip()
        if not text:
            continue
        try:
            values.update([value_of(name, text)])
        except ValueError as error:
            raise Refused(Refusal.BAD_VALUE, f"{where}, row {number}, {name}: {error}, got {text!r}") from None
    if values.get("act") not in VERBS or "case" not in values:
        raise Refused(
            Refusal.BAD_VALUE, f"{where}, row {number}: expected act ({', '.join(VERBS)}) and case, got {row}"
        )
    return msgspec.convert(values, Act)


def value_of(name: str, text: str) -> tuple[str, object]:
    """Returns (field, value) of a cell; raises ValueError."""
    match name:
        case "claims":
            return name, tuple(_claim(part) for part in text.split())
        case "instalments":
            return name, tuple((int(day), fen_from_text(fen)) for day, _, fen in map(_cut, text.split()))
        case "evidence":
            return name, tuple(digest_of_text(part) for part in text.split())
        case "violations" | "members":
            return name, tuple(text.split())
        case "amount":
            return "amount_fen", fen_from_text(text)
        case "multiple":
            return name, multiple_of(text)
        case "on" | "begin":
            return name, int(text.replace("-", ""))
        case "person" | "accepted" | "fraud":
            if text not in ("yes", "no"):
                raise ValueError("expected yes or no")
            return name, text == "yes"
    return name, text


def _cut(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def _claim(part: str) -> tuple[str, int]:
    key, equals, amount = _cut(part)
    return key, fen_from_text(amount) if equals else -1


def multiple_of(text: str) -> int:
    """Returns 1.5 as 15,000 basis points; raises ValueError."""
    return fen_from_text(text) * 100


def digest_of_text(text: str) -> bytes:
    """Returns a SHA-256 digest written as 64 hex digits; raises ValueError."""
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise ValueError("expected the SHA-256 digest of a document, 64 hex digits")
    return bytes.fromhex(text)
