"""Writes an issued statement as a workbook (XLSX): typed cells, totals that add up, a page to print and to sign.

The same statement gives the same bytes: the file's dates are the recorded time of the position it states, and the
archive's are fixed. A spreadsheet holds doubles; amounts below 10^13 yuan pass through them without loss.
"""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger.money import LIMIT_FEN
from projections.clearing.sheets import (
    FIELDS,
    LANGUAGES,
    REMARKS,
    STATES,
    SUMMED,
    Issued,
    Sheet,
    StatementError,
    cell_text,
    shown,
)

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

#: Rows a sheet of a workbook has at most, and what stands above and below a statement's rows.
MOST_ROWS = 1_048_576
HEAD_ROWS, TAIL_ROWS = 3, 8
#: The property under which the reference of the statement stands in the file.
PROPERTY = "settlement-statement"

_LABELS = {
    "period": ("清算期", "period"), "region": ("地区", "region"), "state": ("状态", "state"),
    "position": ("日志位置", "log position"), "all": ("全部", "all"), "total": ("合计", "total"),
    "drafted": ("制表", "drawn up"), "checked": ("复核", "checked"), "signed": ("签章", "signed"),
    "date": ("日期", "date"), "unit": ("金额单位：元", "amounts in yuan"), "reference": ("凭证", "reference"),
    "count": ("笔", "claims"), "page": ("第 &P 页 共 &N 页", "page &P of &N"),
}  # fmt: skip


def write_workbook(issued: Issued, lang: str) -> bytes:
    """Returns the workbook's bytes; raises StatementError for more rows than a sheet holds.

    Every total is a formula with the statement's own sum as its value.
    """
    from xlsxwriter import Workbook

    out = io.BytesIO()
    # Rows are written in order and strings beside them, so memory does not grow with the sheet.
    book = Workbook(out, {"constant_memory": True, "in_memory": False, "strings_to_formulas": False,
                          "strings_to_urls": False, "strings_to_numbers": False})  # fmt: skip
    recorded = datetime.fromtimestamp(issued.recorded_at // 1_000_000, UTC).replace(tzinfo=None)
    book.set_properties({"title": issued.sheets[0].title(lang), "created": recorded, "comments": "settlement ledger"})
    book.set_custom_property(PROPERTY, issued.reference(lang), "text")
    styles = _styles(book)
    for sheet in issued.sheets:
        if len(sheet.rows) + HEAD_ROWS + TAIL_ROWS + len(issued.remarks) > MOST_ROWS:
            raise StatementError(
                f"expected at most {MOST_ROWS:,} rows in a sheet, got {len(sheet.rows):,}: ask for --format csv"
            )
        # A sheet's name has at most 31 characters and no colon.
        page = book.add_worksheet(sheet.title(lang)[:31].replace("：", " ").replace(":", " "))
        _write_sheet(page, issued, sheet, lang, styles)
    book.close()
    return out.getvalue()


def _styles(book: "Workbook") -> "dict[str, Format]":
    line: dict[str, Any] = {"border": 1, "valign": "vcenter", "font_size": 9}
    return {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "note": book.add_format({"font_size": 9}),
        "head": book.add_format({**line, "bold": True, "align": "center", "text_wrap": True, "bg_color": "#DDEBF7"}),
        "fen": book.add_format({**line, "num_format": "#,##0.00"}),
        "count": book.add_format({**line, "num_format": "#,##0"}),
        "ratio": book.add_format({**line, "num_format": "0.00%"}),
        "text": book.add_format({**line, "num_format": "@"}),
        "fen_total": book.add_format({**line, "num_format": "#,##0.00", "bold": True, "top": 2}),
        "count_total": book.add_format({**line, "num_format": "#,##0", "bold": True, "top": 2}),
        "text_total": book.add_format({**line, "bold": True, "top": 2}),
    }


def _write_sheet(page: "Worksheet", issued: Issued, sheet: Sheet, lang: str, styles: "dict[str, Format]") -> None:
    """Writes one sheet: title, what it states, header, rows, totals, remarks, signatures; set up for A4."""
    at = LANGUAGES.index(lang)
    label = {name: texts[at] for name, texts in _LABELS.items()}
    _set_up(page, issued, sheet, lang)
    region = f"{issued.region:06d}" if issued.region is not None else label["all"]
    page.write_string(0, 0, sheet.title(lang), styles["title"])
    stated = (
        f"{label['period']} {cell_text('period', issued.period, lang)}    {label['region']} {region}    "
        f"{label['state']} {STATES[issued.state][at]}    {label['position']} {issued.position}    {label['unit']}"
    )
    page.write_string(1, 0, stated, styles["note"])
    for column, name in enumerate(sheet.columns):
        page.write_string(2, column, FIELDS[name][at], styles["head"])
    last = write_rows(page, sheet, lang, styles)
    _write_totals(page, sheet, last, label["total"], styles)
    row = last + 2
    for code, count, fen in issued.remarks:
        remark = f"{REMARKS[code][at]}: {count:,} {label['count']}, {cell_text('amount_fen', fen, lang)}"
        page.write_string(row, 0, remark, styles["note"])
        row += 1
    people = (("drafted", issued.drafted_by), ("checked", issued.checked_by), ("signed", issued.signed_by))
    for role, name in people:
        page.write_string(row + 1, 0, f"{label[role]}: {name or '____________'}    {label['date']}: ____________",
                          styles["note"])  # fmt: skip
        row += 1
    page.write_string(row + 1, 0, f"{label['reference']}: {issued.reference(lang)}", styles["note"])


def write_rows(page: "Worksheet", sheet: Sheet, lang: str, styles: "dict[str, Format]") -> int:
    """Writes the rows as typed cells below the header and returns the row behind them."""
    units = [FIELDS[name].unit for name in sheet.columns]
    for number, row in enumerate(sheet.rows, HEAD_ROWS):
        for column, (name, unit, cell) in enumerate(zip(sheet.columns, units, row, strict=True)):
            if unit == "fen":
                page.write_number(number, column, _yuan(cell), styles["fen"])
            elif unit == "count":
                page.write_number(number, column, cell, styles["count"])
            elif unit == "ratio" and cell is not None:
                page.write_number(number, column, Decimal(cell).scaleb(-4), styles["ratio"])
            else:
                page.write_string(number, column, shown(name, cell, lang), styles["text"])
    return HEAD_ROWS + len(sheet.rows)


def _write_totals(page: "Worksheet", sheet: Sheet, row: int, label: str, styles: "dict[str, Format]") -> None:
    from xlsxwriter.utility import xl_col_to_name

    for column, (name, total) in enumerate(zip(sheet.columns, sheet.totals, strict=True)):
        unit = FIELDS[name].unit
        if total is None or unit not in SUMMED:
            page.write_string(row, column, "" if column else label, styles["text_total"])
            continue
        letter = xl_col_to_name(column)
        formula = f"=SUM({letter}{HEAD_ROWS + 1}:{letter}{row})" if sheet.rows else "=0"
        value = _yuan(total) if unit == "fen" else total
        page.write_formula(row, column, formula, styles[f"{unit}_total"], value)


def _set_up(page: "Worksheet", issued: Issued, sheet: Sheet, lang: str) -> None:
    page.set_paper(9)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.repeat_rows(HEAD_ROWS - 1)
    page.freeze_panes(HEAD_ROWS, 0)
    page.set_footer(f"&L{issued.period} {issued.position}&R{_LABELS['page'][LANGUAGES.index(lang)]}")
    widths = {"fen": 16, "count": 10, "ratio": 10, "text": 18, "time": 19}
    for column, name in enumerate(sheet.columns):
        width = 34 if name in ("capitals", "medins_setl_id") else widths.get(FIELDS[name].unit, 12)
        page.set_column(column, column, width)


def _yuan(fen: int) -> Decimal:
    """Returns fen as yuan; raises StatementError for an amount a spreadsheet would round."""
    if abs(fen) >= LIMIT_FEN:
        raise StatementError(f"expected amounts below {LIMIT_FEN // 100:,} yuan in a workbook, got {fen} fen: use csv")
    return Decimal(fen).scaleb(-2)
