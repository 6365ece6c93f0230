"""Tells what a file is that is not what a command expected, and what to do about it, in words for an error."""

import codecs
from collections.abc import Sequence
from pathlib import Path

from ledger.refusals import Refusal, Refused, SourceError

_AS_CSV = "save the sheet as CSV in UTF-8"

#: How files begin that are given in place of text.
_STARTS = (
    (b"PK\x03\x04", f"an Excel workbook or another ZIP archive: {_AS_CSV}"),
    (b"\xd0\xcf\x11\xe0", f"an old Excel workbook: {_AS_CSV}"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"%PDF", "a PDF: ask its sender for the data"),
    (b"SQLite format 3\x00", "a SQLite database: name it as --store sqlite:///FILE"),
    (b"PAR1", "a Parquet file: write it as CSV in UTF-8"),
    (codecs.BOM_UTF16_LE, "text in UTF-16: save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "text in UTF-16: save it as UTF-8"),
)

GB18030 = "text in GB18030 (GBK)"
#: How much of a file's beginning tells its encoding.
TOLD_BY = 1 << 18

#: A column only files of one kind have, what such a file is, and the command that takes it.
_KINDS = (
    ("feedetl_sn", "fee lines", "settlement lines FILE"),
    ("medfee_sumamt", "claims", "settlement intake FILE"),
    ("assist_class", "members", "settlement register FILE"),
    ("capabilities", "institutions", "settlement register FILE"),
    ("凭证号", "a bank's answers", "settlement bank-return FILE"),
)

#: Separators a file may have in place of commas.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def document_at(path: str | Path, refusal: Refusal, name: str = "") -> str:
    """Returns a document's text; raises Refused for the given reason where it is no UTF-8, OSError as it reads.

    ``name`` is what the error calls it, by default its path.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refused(refusal, f"{name or path}: expected UTF-8 text, got {bytes_found(error.object)}") from None


def check_at_rest(path: Path) -> None:
    """Raises SourceError for a pipe, which can be read only once; before it is opened, when it would be waited for."""
    if path.is_fifo():
        raise SourceError(
            f"{path}: expected a file, which is read more than once, got a pipe: write it to a file first"
        )


def bytes_found(content: bytes) -> str:
    """Returns what bytes are that are no UTF-8 text, and what to do."""
    for start, found in _STARTS:
        if content.startswith(start):
            return found
    return f"{GB18030}: save it as UTF-8" if reads_as_gb18030(content) else "bytes that are no text"


def reads_as_gb18030(content: bytes) -> bool:
    """Returns whether bytes, perhaps cut off at their end, are printable text in GB18030."""
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(content)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t\u3000" for character in text)


def is_gb18030(content: bytes) -> bool:
    """Returns whether a file that begins so is in GB18030 as a whole and no UTF-8 with some damaged rows.

    That is so where no line with more than ASCII in it is UTF-8, at least two are not, and all are GB18030. Where no
    more of them is damaged than reads as characters of UTF-8, they are that, cut in the middle of a character.
    """
    lines = [line for line in content[:TOLD_BY].split(b"\n")[:-1] if not line.isascii()]
    if len(lines) < 2 or any(map(is_utf8, lines)) or not all(map(reads_as_gb18030, lines)):
        return False
    text = b"\n".join(lines).decode(errors="replace")
    damaged = text.count("\ufffd")
    return damaged > sum(not character.isascii() for character in text) - damaged


def is_utf8(line: bytes) -> bool:
    """Returns whether bytes are text."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def rather(columns: Sequence[str]) -> str:
    """Returns, to be put behind an error about a header, which file this seems to be; nothing where that is unknown."""
    if len(columns) == 1:
        for separator, name in _SEPARATORS.items():
            if separator in columns[0]:
                return f"; its cells are apart by {name}: save it with commas, or say so in a profile (delimiter)"
    for column, what, command in _KINDS:
        if column in columns:
            return f"; these look like {what}: {command}"
    return ""
