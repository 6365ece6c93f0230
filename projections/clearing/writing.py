"""Writes an issued statement as CSV and as JSON: the same statement gives the same bytes."""

import csv
import io
import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from ledger.money import yuan_text
from projections.clearing.sheets import FIELDS, Issued, Sheet, cell_text


def as_csv(issued: Issued, lang: str) -> str:
    """Returns a statement as CSV under field names, amounts in yuan, words as codes; its reference is the last line.

    Sheets of the same columns stand below one header, others behind an empty line.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for at, (columns, sheets) in enumerate(groupby(issued.sheets, key=lambda sheet: sheet.columns)):
        if at:
            out.write("\n")
        writer.writerow([name.removesuffix("_fen") for name in columns])
        for sheet in sheets:
            writer.writerows(_text_rows(sheet))
    out.write(f"# {issued.reference(lang)}\n")
    return out.getvalue()


def _text_rows(sheet: Sheet) -> Iterable[Iterable[Any]]:
    """Returns a sheet's rows as text, column by column."""
    if not sheet.rows:
        return []
    columns = []
    for name, cells in zip(sheet.columns, zip(*sheet.rows, strict=True), strict=True):
        unit = FIELDS[name].unit
        if unit in ("count", "code", "text"):
            columns.append(list(cells))
        elif unit == "fen":
            columns.append([yuan_text(cell) for cell in cells])
        else:
            columns.append([cell_text(name, cell, "") for cell in cells])
    return zip(*columns, strict=True)


def as_object(issued: Issued, lang: str) -> dict[str, Any]:
    """Returns a statement as JSON values: amounts are integers of fen, ratios basis points."""
    return {
        "reference": issued.reference(lang),
        **{name: getattr(issued, name) for name in issued.__struct_fields__ if name not in ("sheets", "remarks")},
        "remarks": [{"of": code, "count": count, "amount_fen": fen} for code, count, fen in issued.remarks],
        "sheets": [
            {
                "name": sheet.name,
                "title": sheet.title(lang),
                "rows": [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows],
                "totals": {
                    name: sum_ for name, sum_ in zip(sheet.columns, sheet.totals, strict=True) if sum_ is not None
                },
            }
            for sheet in issued.sheets
        ],
    }


def as_json(issued: Issued, lang: str) -> str:
    """Returns a statement as JSON text."""
    return json.dumps(as_object(issued, lang), ensure_ascii=False, indent=2) + "\n"
