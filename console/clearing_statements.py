"""Prints, writes and checks clearing statements of every kind."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import projections
from console import failures, output
from console.failures import UserError
from console.options import Options
from console.output import Column, count, yuan_grouped
from ledger.money import yuan_display as yuan
from ledger.money import yuan_text

if TYPE_CHECKING:
    from projections.clearing.reissue import Reference
    from projections.clearing.sheets import Issued


def give(issued: "Issued", format: str, lang: str, out: Path | None, options: Options) -> None:
    """Prints a statement or writes it to a file; an existing file is never overwritten."""
    content = _content(issued, "json" if options.json else format, lang)
    if out is not None:
        with out.open("xb") as file:
            file.write(content)
        if options.json:
            output.print_json({"file": out, "position": issued.position, "root": issued.root})
        else:
            rows = sum(len(sheet.rows) for sheet in issued.sheets)
            output.print_line(f"{out}: {count(rows)} rows as of position {count(issued.position)}")
    elif format == "xlsx":
        raise UserError("usage", "expected --out FILE beside --format xlsx: a workbook is no text")
    elif format == "table" and not options.json:
        print_sheets(issued, lang)
    else:
        sys.stdout.write(content.decode("utf-8"))


def _content(issued: "Issued", format: str, lang: str) -> bytes:
    if format == "xlsx":
        from projections.clearing.workbook import write_workbook

        return write_workbook(issued, lang)
    from projections.clearing.writing import as_csv, as_json

    if format == "csv":
        return as_csv(issued, lang).encode()
    return as_json(issued, lang).encode()


def print_sheets(issued: "Issued", lang: str) -> None:
    """Prints a statement's sheets as tables with totals and remarks; funds that paid nothing are left out."""
    from projections.clearing.lines import FUNDS
    from projections.clearing.sheets import LANGUAGES, REMARKS, STATES

    language = LANGUAGES.index(lang)
    for sheet in issued.sheets:
        shown = [at for at, name in enumerate(sheet.columns) if name not in FUNDS or any(row[at] for row in sheet.rows)]
        columns = [_column(sheet.columns[at], lang) for at in shown]
        cells = [[_cell(sheet.columns[at], row[at], lang) for at in shown] for row in sheet.rows]
        total: list[Any] = [sheet.totals[at] for at in shown]
        title = f"{sheet.title(lang)} {issued.period} {STATES[issued.state][language]}"
        if any(each is not None for each in total) and total[0] is None:
            total[0] = ("合计", "total")[language]
        output.print_table(columns, cells, title=title, total=total)
        output.print_line("")
    for code, number, fen in issued.remarks:
        output.print_line(f"{REMARKS[code][language]}: {count(number)}, {yuan(fen)}")
    output.print_line(issued.reference(lang))


def _column(name: str, lang: str) -> Column:
    from projections.clearing.sheets import FIELDS, LANGUAGES

    field = FIELDS[name]
    writers: dict[str, Callable[[Any], str]] = {"fen": yuan, "count": count, "ratio": yuan_grouped}
    return Column(field[LANGUAGES.index(lang)], "", writers.get(field.unit, str))


def _cell(name: str, cell: Any, lang: str) -> Any:
    from projections.clearing.sheets import FIELDS, shown

    if FIELDS[name].unit in ("fen", "count"):
        return cell
    if FIELDS[name].unit == "ratio":
        return None if cell is None else f"{yuan_text(cell)}%"
    return shown(name, cell, lang)


def verify_file(path: Path, options: Options) -> int:
    """Checks a statement file against the log and says whether it is as issued; exit status 1 if not."""
    from projections.clearing.reissue import check_file

    with projections.open(options.store) as read:

        def draw_up(reference: "Reference") -> "Issued":
            return read.issue(reference.kind, reference.period, reference.region, position=reference.position)

        checked = check_file(path, draw_up)
    if options.json:
        output.print_json({"findings": checked.findings, "reference": checked.reference, "same": checked.same_bytes})
    elif checked.findings:
        columns = (Column("finding"), Column("where"), Column("expected"), Column("got"))
        output.print_table(columns, [(each.kind, each.where, each.expected, each.got) for each in checked.findings])
        output.print_line(f"{len(checked.findings)} findings: {path} is not what was issued")
    else:
        how = "byte for byte" if checked.same_bytes else "in every cell; another program has saved it"
        output.print_line(f"0 findings: {path} is as issued at position {count(checked.reference.position)}, {how}")
    return failures.CHECK_FAILED if checked.findings else failures.OK
