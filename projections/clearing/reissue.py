"""Checks a statement file against the log: what it says it is, is drawn up again and compared cell by cell.

A file that a spreadsheet program has only saved again holds the same cells in other bytes, and is no finding.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable
from decimal import Decimal
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from projections.clearing.sheets import Issued, StatementError
from projections.clearing.workbook import PROPERTY, write_workbook
from projections.clearing.writing import as_csv, as_json
from projections.findings import Finding

if TYPE_CHECKING:
    from openpyxl import Workbook

#: Findings of one file are listed up to this many.
LISTED = 100

_NUMBER = re.compile(r"-?[0-9.,]+")
_REFERENCE = re.compile(
    r"settlement-statement/1 kind=([a-z]+) period=(\d{6}) region=(\d{6}|all) lang=(zh|en)"
    r" position=(\d{1,18}) root=([0-9a-f]{64})"
)


class Reference(NamedTuple):
    """Is which statement a file says it is."""

    kind: str
    period: int
    region: int | None
    lang: str
    position: int
    root: str


class Checked(NamedTuple):
    """Is a checked file: what it says it is, what is wrong with it, and whether its very bytes are as issued."""

    reference: Reference
    findings: list[Finding]
    same_bytes: bool


def reference_of(text: str) -> Reference:
    """Returns the reference in a text; raises StatementError where there is none."""
    found = list(_REFERENCE.finditer(text))
    if not found:
        raise StatementError("expected a file that `settlement statement` wrote, with its reference, got another one")
    kind, period, region, lang, position, root = found[-1].groups()
    return Reference(kind, int(period), None if region == "all" else int(region), lang, int(position), root)


def check_file(path: Path, draw_up: Callable[[Reference], Issued]) -> Checked:
    """Returns what is wrong with a statement file, nothing where it is as issued.

    ``draw_up`` issues what a reference names. Raises StatementError for a file that is no statement, and OSError.
    """
    content = path.read_bytes()
    if zipfile.is_zipfile(io.BytesIO(content)):
        return _check_workbook(path, content, draw_up)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise StatementError(f"{path}: expected a statement as XLSX, CSV or JSON, got other bytes") from None
    reference = reference_of(text)
    issued = draw_up(reference)
    write = as_json if text.lstrip().startswith("{") else as_csv
    again = write(issued, reference.lang)
    findings = _root_findings(path, reference, issued)
    pairs = _differing(again.splitlines(), text.splitlines())
    findings += [Finding("edited-line", f"{path.name} line {at}", was, got) for at, was, got in pairs]
    return Checked(reference, _listed(findings), again == text)


def _root_findings(path: Path, reference: Reference, issued: Issued) -> list[Finding]:
    if reference.root == issued.root:
        return []
    where = f"{path.name}: root of the first {reference.position} events"
    return [Finding("other-log", where, issued.root, reference.root)]


def _differing(expected: list[str], got: list[str]) -> Iterable[tuple[int, str, str]]:
    for at in range(max(len(expected), len(got))):
        a, b = (lines[at] if at < len(lines) else "no line" for lines in (expected, got))
        if a != b:
            from_ = max(0, next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0) - 30)
            yield at + 1, a[from_ : from_ + 80], b[from_ : from_ + 80]


def _check_workbook(path: Path, content: bytes, draw_up: Callable[[Reference], Issued]) -> Checked:
    held = _Cells(path, content)
    reference = reference_of(held.reference)
    issued = draw_up(reference)
    again = write_workbook(issued, reference.lang)
    findings = _root_findings(path, reference, issued)
    if again == content:
        return Checked(reference, findings, True)
    expected = _Cells(path, again)
    if held.sheets.keys() != expected.sheets.keys():
        findings.append(Finding("edited-sheets", path.name, ", ".join(expected.sheets), ", ".join(held.sheets)))
    for name in expected.sheets.keys() & held.sheets.keys():
        cells, was = held.sheets[name], expected.sheets[name]
        for at in sorted(was.keys() | cells.keys()):
            a, b = was.get(at, ("", None)), cells.get(at, ("", None))
            # A program that does not calculate saves formulas without values: those are then no finding.
            if a[0] != b[0] or (b[1] is not None and a[1] != b[1]):
                findings.append(Finding("edited-cell", f"{path.name} {name} {_name(at)}", _text(a), _text(b)))
    return Checked(reference, _listed(findings), False)


def _listed(findings: list[Finding]) -> list[Finding]:
    more = len(findings) - LISTED
    return (
        findings if more <= 0 else [*findings[:LISTED], Finding("more", "the same file", "no finding", f"{more} more")]
    )


def _text(cell: tuple[str, str | None]) -> str:
    formula, value = cell
    if cell == ("", None):
        return "nothing"
    return formula if value is None or value == formula else f"{formula} = {value}"


def _name(at: tuple[int, int]) -> str:
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(at[1])}{at[0]}"


class _Cells:
    """Is what a workbook holds: per sheet and (row, column) the cell's content and, of a formula, its value."""

    def __init__(self, path: Path, content: bytes) -> None:
        formulas, values = self._open(path, content, False), self._open(path, content, True)
        properties = vars(formulas)["custom_doc_props"]
        self.reference = str(properties[PROPERTY].value) if PROPERTY in properties.names else ""
        self.sheets: dict[str, dict[tuple[int, int], tuple[str, str | None]]] = {}
        for name in formulas.sheetnames:
            cells: dict[tuple[int, int], tuple[str, str | None]] = {}
            computed = {
                (cell.row, cell.column): cell.value
                for row in values[name].iter_rows()
                for cell in row
                if cell.value is not None
            }
            for row in formulas[name].iter_rows():
                for cell in row:
                    if cell.value is not None:
                        at = (int(cell.row), int(cell.column))
                        text = _normal(cell.value)
                        is_formula = isinstance(cell.value, str) and cell.data_type == "f"
                        value = computed.get(at) if is_formula else None
                        cells[at] = (text, None if value is None else _normal(value))
            self.sheets[name] = cells

    @staticmethod
    def _open(path: Path, content: bytes, values: bool) -> "Workbook":
        from openpyxl import load_workbook

        try:
            return load_workbook(io.BytesIO(content), data_only=values)
        except (KeyError, ValueError, zipfile.BadZipFile, SyntaxError) as error:
            raise StatementError(f"{path}: expected a workbook, got one that cannot be read: {error}") from None


def _normal(value: Any) -> str:
    """Returns a cell's content as text: numbers in one spelling whatever program wrote them, never that of a text."""
    if isinstance(value, bool) or not isinstance(value, Number):
        return f"text {value}" if _NUMBER.fullmatch(str(value)) else str(value)
    return f"{Decimal(str(value)).normalize():f}"
