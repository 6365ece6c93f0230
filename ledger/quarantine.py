"""Writes the rows that were not booked beside their source, each with its reason, ready to be mended and retried.

Every CSV this project writes goes through ``write_csv`` or ``write_rows``: RFC 4180, UTF-8, LF, cells defused
(``core_ext.defusing``). A quarantine file is the source's columns behind five diagnostic ones; read back, each
cell is again the source's, byte for byte.
"""

import csv
import filecmp
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from core_ext.defusing import defused, escaped
from ledger.money import LIMIT_FEN, fen_from_text, yuan_display, yuan_text
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.source import Source

DIAGNOSTICS = ("row", "reason", "field", "expected", "got")

_I1_PARTS = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
_I2_PARTS = ("fund_pay_sumamt", "psn_part_amt", "hosp_part_amt")
_I3_PARTS = ("acct_pay", "psn_cash_pay")
_I5_PARTS = (
    "hifp_pay",
    "cvlserv_pay",
    "hifes_pay",
    "hifmi_pay",
    "hifob_pay",
    "hifdm_pay",
    "maf_pay",
    "oth_pay",
)

#: The column that shows a reason which is not found in one cell of the row alone.
COLUMN_OF = {
    Refusal.SETL_ID_CONFLICT: "setl_id",
    Refusal.MSGID_CONFLICT: "medins_setl_id",
    Refusal.UNKNOWN_PSN_NO: "psn_no",
    Refusal.NO_POLICY: "insu_admdvs",
    Refusal.REFUND_UNKNOWN: "init_setl_id",
    Refusal.REFUND_TWICE: "init_setl_id",
    Refusal.REFUND_MISMATCH: "medfee_sumamt",
    Refusal.IDENTITY_I1: "medfee_sumamt",
    Refusal.IDENTITY_I2: "medfee_sumamt",
    Refusal.IDENTITY_I3: "psn_part_amt",
    Refusal.IDENTITY_I5: "fund_pay_sumamt",
    Refusal.ARITHMETIC_OVERFLOW: "medfee_sumamt",
    Refusal.REFUND_CLAWED_BACK: "init_setl_id",
    Refusal.BAD_CODE: "mdtrtarea_admvs",
    Refusal.BAD_DATE: "setl_time",
    Refusal.INSTITUTION_UNKNOWN: "fixmedins_code",
    Refusal.INSTITUTION_TERMINATED: "fixmedins_code",
    Refusal.INSTITUTION_SUSPENDED: "fixmedins_code",
    Refusal.INSTITUTION_INCAPABLE: "med_type",
    Refusal.MEMBER_ENDED: "psn_no",
    Refusal.MEMBER_SUSPENDED: "psn_no",
    Refusal.MEMBER_NOT_COVERED: "psn_no",
    Refusal.ENTITLEMENT_MISSING: "psn_no",
    Refusal.REFUND_FLAG: "refd_setl_flag",
    Refusal.LINE_CLAIM_UNKNOWN: "setl_id",
    Refusal.LINE_CONFLICT: "feedetl_sn",
    Refusal.BAD_RATIO: "selfpay_prop",
}

_EXPECTED = {
    Refusal.NOT_UTF8: "text in the source's encoding",
    Refusal.UNSAFE_TEXT: "a name without control characters that does not begin with = + - @",
    Refusal.BAD_KEY: "at most 64 bytes without control characters",
    Refusal.SETL_ID_CONFLICT: "a setl_id not booked in its region with other content",
    Refusal.MSGID_CONFLICT: "a medins_setl_id not booked with other content",
    Refusal.MISSING_PSN_NO: "a person number",
    Refusal.UNKNOWN_PSN_NO: "the number of a registered person",
    Refusal.BAD_CODE: "a code of 1 to 12 digits",
    Refusal.BAD_DATE: "a day of the calendar as YYYY-MM-DD",
    Refusal.AMOUNT_TEXT: "an amount: digits, an optional sign, an optional point",
    Refusal.AMOUNT_PRECISION: "at most two digits after the point",
    Refusal.AMOUNT_RANGE: f"at most {yuan_display(LIMIT_FEN)}, positive or negative",
    Refusal.NEGATIVE_WITHOUT_INIT: "an amount of at least 0, or the init_setl_id of the settlement it refunds",
    Refusal.REFUND_UNKNOWN: "the setl_id of a booked settlement of the same region that is no refund",
    Refusal.REFUND_TWICE: "a settlement that is not refunded yet",
    Refusal.ARITHMETIC_OVERFLOW: "sums below 2**63 fen",
    Refusal.REFUND_CLAWED_BACK: "a settlement whose funds have no money back by clawback",
    Refusal.INSTITUTION_UNKNOWN: "a registered institution, in force on the claim's day",
    Refusal.INSTITUTION_TERMINATED: "an institution in network on the claim's day",
    Refusal.INSTITUTION_SUSPENDED: "an institution in network on the claim's day",
    Refusal.INSTITUTION_INCAPABLE: "a med_type the institution may settle on the claim's day",
    Refusal.MEMBER_ENDED: "a person whose enrolment has not ended on the claim's day",
    Refusal.MEMBER_SUSPENDED: "a person whose benefits are not suspended on the claim's day",
    Refusal.MEMBER_NOT_COVERED: "a person covered on the claim's day",
    Refusal.ENTITLEMENT_MISSING: "a person with a chronic entitlement in force on the claim's day",
    Refusal.REFUND_FLAG: "1 on a refund (a row with init_setl_id), 0 on every other row",
    Refusal.LINE_CLAIM_UNKNOWN: "the setl_id of a booked settlement of the same region: take the claims in first",
    Refusal.LINE_CONFLICT: "a feedetl_sn that its claim does not have with other content",
    Refusal.BAD_RATIO: "a ratio from 0 to 1, at most four digits after the point",
}

#: Cells of fee lines, whose prices and counts have more decimals than amounts.
_EXPECTED_IN = {
    (Refusal.AMOUNT_PRECISION, "pric"): "at most six digits after the point",
    (Refusal.AMOUNT_PRECISION, "pric_uplmt_amt"): "at most six digits after the point",
    (Refusal.AMOUNT_PRECISION, "cnt"): "at most four digits after the point",
    (Refusal.AMOUNT_PRECISION, "selfpay_prop"): "at most four digits after the point",
    (Refusal.AMOUNT_RANGE, "pric"): "a price of at most 1,000,000,000.00 and with its count an amount within range",
    (Refusal.AMOUNT_RANGE, "cnt"): "a count of at most 1,000,000,000",
    (Refusal.AMOUNT_RANGE, "pric_uplmt_amt"): "a price of 0 to 1,000,000,000.00; 999999 is none",
    (Refusal.BAD_CODE, "chrgitm_lv"): "01, 02 or 03 (甲, 乙, 丙)",
    (Refusal.BAD_KEY, "feedetl_sn"): "1 to 64 bytes without control characters",
    (Refusal.BAD_DATE, "fee_ocur_time"): "a day as YYYY-MM-DD, or a time as YYYY-MM-DD HH:MM:SS",
}

_SUMS = {
    Refusal.IDENTITY_I1: _I1_PARTS,
    Refusal.IDENTITY_I2: _I2_PARTS,
    Refusal.IDENTITY_I3: _I3_PARTS,
    Refusal.IDENTITY_I5: _I5_PARTS,
}


def explain(
    refusal: Refusal, column: str, record: Mapping[str, str], insutypes: Sequence[int] = ()
) -> tuple[str, str, str]:
    """Returns (field, expected, got) of a refused row in words.

    ``column`` is the national name of the cell to blame, empty for the reason's own column (``COLUMN_OF``);
    ``record`` has the row's cells by national name.
    """
    column = column or COLUMN_OF.get(refusal, "")
    got = record.get(column, "")
    expected = _EXPECTED_IN.get((refusal, column), _EXPECTED.get(refusal, ""))
    if refusal == Refusal.BAD_CODE and not record.get("fixmedins_code", "missing"):
        column, got, expected = "fixmedins_code", "", "the code of the institution the money is owed to"
    elif refusal == Refusal.BAD_CODE and column == "mdtrtarea_admvs":
        expected = "a code of six digits that names a region"
    elif refusal == Refusal.BAD_KEY and column == "setl_id":
        expected = "1 to 64 bytes, printable, without spaces and commas"
    elif refusal == Refusal.BAD_DATE and column == "setl_time":
        expected = "a time as YYYY-MM-DD HH:MM:SS, of the years 1998 to 2199"
    elif refusal == Refusal.END_BEFORE_BEGIN:
        expected = f"begndate {record.get('begndate', '')} or a later day"
    elif refusal == Refusal.UNKNOWN_INSUTYPE:
        expected = f"one of {', '.join(map(str, insutypes))}" if insutypes else "an insurance type of the profile"
    elif refusal == Refusal.NO_POLICY:
        kind = f"med_type {record.get('med_type', '')} of insutype {record.get('insutype', '')}"
        expected = f"an area with a policy in force on {record.get('setl_time', '')[:10]} that has a rule for {kind}"
    elif refusal == Refusal.REFUND_MISMATCH:
        expected = f"the exact negative of every fact and amount of settlement {record.get('init_setl_id', '')}"
    elif refusal in _SUMS:
        expected = _identity(refusal, column, record)
    return column, expected, got


def explain_shape(cells: Sequence[str], columns: int) -> tuple[str, str, str]:
    """Returns (field, expected, got) of a record that has not the header's cells."""
    expected = f"{columns} cells, a quoted one ending right at its closing quote"
    return "", expected, f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"


def _identity(refusal: Refusal, column: str, record: Mapping[str, str]) -> str:
    """Returns the identity that does not hold, with its sum: ``medfee_sumamt = 3.10 = fund_pay_sumamt 3.00 + …``."""
    parts = [
        (name, record.get(name, ""))
        for name in _SUMS[refusal]
        if record.get(name, "") or refusal != Refusal.IDENTITY_I5
    ]
    total = _sum_fen([text for _, text in parts])
    shown = " + ".join(f"{name} {text or '(derived)'}" for name, text in parts) or "no fund part given: 0.00"
    if refusal == Refusal.IDENTITY_I3 and total is not None and total == _sum_fen([record.get(column, "")]):
        mulaid = record.get("acct_mulaid_pay", "")
        return f"acct_mulaid_pay between 0 and acct_pay {record.get('acct_pay', '')}, got {mulaid}"
    return f"{column} = {shown}" if total is None else f"{column} = {yuan_text(total)} = {shown}"


def _sum_fen(texts: Sequence[str]) -> int | None:
    """Returns the sum of amounts, None where one of them is not there or not an amount."""
    try:
        return sum(map(fen_from_text, texts))
    except ValueError:
        return None


def check_place(target: Path, what: str, option: str) -> None:
    """Refuses a place where a file cannot be written, so that it is known before anything is recorded.

    ``what`` goes there, ``option`` names another place.
    """
    other = f"name another place with {option} FILE"
    if not target.parent.is_dir():
        raise Refused(Refusal.NOT_ALLOWED, f"{target}: expected a folder for {what}, got none there: {other}")
    if target.is_dir():
        raise Refused(Refusal.NOT_ALLOWED, f"{target}: expected a file for {what}, got a folder: {other}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise Refused(
            Refusal.NOT_ALLOWED,
            f"{target.parent}: expected a folder where {what} may be written, got one that may not be: {other}",
        )


def write_quarantine(path: Path, source: "Source", rows: Iterable[tuple[int, Refusal, int]]) -> Path:
    """Writes the given (row, reason, column of ``source.columns`` or -1) with their cells; returns the file's path.

    The file is complete or not there at all: it is written under another name first. Rows are read from the
    source again, in order and in bounded memory. One that is there already, perhaps half mended, is never replaced:
    an equal one stands for this one, beside another one this one takes the next free number.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        write_csv(part, (*DIAGNOSTICS, *map(escaped, source.columns)), quarantine_rows(source, rows))
        target, number = path, 1
        while target.exists():
            if filecmp.cmp(target, part, shallow=False):
                return target
            number += 1
            target = path.with_name(f"{path.stem}-{number}{path.suffix}")
        part.replace(target)
        return target
    finally:
        part.unlink(missing_ok=True)


def quarantine_rows(source: "Source", rows: Iterable[tuple[int, Refusal, int]]) -> Iterator[list[str]]:
    """Yields the lines of a quarantine file in order of rows."""
    reasons = {row: (refusal, field) for row, refusal, field in rows}
    for row, cells in source.each_record(reasons):
        refusal, at = reasons[row]
        if refusal == Refusal.ROW_SHAPE:
            field, expected, got = explain_shape(cells, len(source.columns))
        else:
            record = dict(zip(source.national, cells, strict=True))
            column = source.national[at] if at >= 0 else ""
            national, expected, got = explain(refusal, column, record, source.profile.insutypes)
            # People look for the name that stands in their file.
            field = source.columns[source.national.index(national)] if national in source.national else national
        yield [str(row), refusal.code, *map(escaped, (field, expected, got)), *map(escaped, cells)]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Writes a CSV file whole or not at all, replacing one that is there; returns the number of rows."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            count = write_rows(file, header, rows)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def write_rows(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Writes header and rows as CSV to an open text file, cells defused; returns the number of rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([defused(name) for name in header])
    count = 0
    for row in rows:
        writer.writerow([defused(str(cell)) for cell in row])
        count += 1
    return count
