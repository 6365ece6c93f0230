"""A statement file is what was issued, and whoever edits any cell of it is found."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

import projections
from projections.clearing.issue import KINDS
from projections.clearing.reissue import Checked, Reference, check_file
from projections.clearing.sheets import FIELDS, Issued, StatementError
from projections.clearing.workbook import HEAD_ROWS, write_workbook
from projections.clearing.writing import as_csv, as_json
from projections.reader import Projections
from tests.clearing.worlds import PERIOD, SHANWEI, book_of, gathered


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Gives a signed month."""
    folder = tmp_path_factory.mktemp("files")
    gathered(folder / "claims.csv", 400, source_percent=80)
    made = f"sqlite:///{folder / 'ledger.db'}"
    book_of(made, folder / "claims.csv").close_store()
    return made


def drawer(read: Projections) -> Callable[[Reference], Issued]:
    """Returns what draws up a statement by its reference."""
    return lambda of: read.issue(of.kind, of.period, of.region, position=of.position)


def checked(read: Projections, path: Path, content: bytes) -> Checked:
    """Returns the check of a file with that content."""
    path.write_bytes(content)
    return check_file(path, drawer(read))


def saved(book: Workbook) -> bytes:
    """Returns a workbook's bytes as another program saves it."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_file_and_the_same_bytes_again(kind: str, lang: str, url: str, tmp_path: Path) -> None:
    """As workbook, CSV and JSON, in both languages: issued twice it is one file, and it verifies."""
    with projections.open(url) as read:
        issued = [read.issue(kind, PERIOD, SHANWEI if kind in ("roles", "detail") else None) for _ in range(2)]
        writers: tuple[Callable[[Issued, str], bytes], ...] = (
            write_workbook,
            lambda of, lang: as_csv(of, lang).encode(),
            lambda of, lang: as_json(of, lang).encode(),
        )
        for write in writers:
            first, second = (write(each, lang) for each in issued)
            assert first == second
            assert checked(read, tmp_path / "file", first) == (
                Reference(kind, PERIOD, issued[0].region, lang, issued[0].position, issued[0].root), [], True
            )  # fmt: skip


def test_an_edit_of_any_cell_of_a_workbook_is_found(url: str, tmp_path: Path) -> None:
    """Each cell in turn, header, amount, code, total, remark, signature or reference, is named when it was edited."""
    with projections.open(url) as read:
        content = write_workbook(read.issue("payable", PERIOD, SHANWEI), "zh")
        (name,) = load_workbook(io.BytesIO(content)).sheetnames
        cells = [
            cell.coordinate
            for row in load_workbook(io.BytesIO(content))[name].iter_rows()
            for cell in row
            if cell.value is not None
        ]
        assert len(cells) > 60
        for at in cells:
            book = load_workbook(io.BytesIO(content))
            old = book[name][at].value
            book[name][at].value = old + 1 if isinstance(old, int) else f"{old}1" if isinstance(old, str) else "0"
            (finding,) = checked(read, tmp_path / "edited.xlsx", saved(book)).findings
            assert finding.kind == "edited-cell" and finding.where.endswith(f" {at}")
        book = load_workbook(io.BytesIO(content))
        book[name]["Z99"].value = "added"
        assert len(checked(read, tmp_path / "added.xlsx", saved(book)).findings) == 1
        book = load_workbook(io.BytesIO(content))
        book.create_sheet("另表")
        assert [each.kind for each in checked(read, tmp_path / "sheet.xlsx", saved(book)).findings] == ["edited-sheets"]


def test_a_number_turned_into_text_and_a_total_turned_into_a_number_are_found(url: str, tmp_path: Path) -> None:
    """What looks the same but no longer adds up is an edit."""
    with projections.open(url) as read:
        content = write_workbook(read.issue("payable", PERIOD, SHANWEI), "zh")
        book = load_workbook(io.BytesIO(content))
        page = book.worksheets[0]
        page["D4"].value = str(page["D4"].value)
        assert len(checked(read, tmp_path / "text.xlsx", saved(book)).findings) == 1
        values = load_workbook(io.BytesIO(content), data_only=True).worksheets[0]
        last = next(row for row in range(4, 500) if values.cell(row, 1).value == "合计")
        book = load_workbook(io.BytesIO(content))
        book.worksheets[0].cell(last, 4).value = values.cell(last, 4).value
        assert len(checked(read, tmp_path / "total.xlsx", saved(book)).findings) == 1


def test_a_workbook_only_saved_again_is_as_issued(url: str, tmp_path: Path) -> None:
    """Other bytes with the same cells are no finding, and are told from the original."""
    with projections.open(url) as read:
        content = write_workbook(read.issue("chain", PERIOD), "en")
        found = checked(read, tmp_path / "again.xlsx", saved(load_workbook(io.BytesIO(content))))
        assert (found.findings, found.same_bytes) == ([], False)


@pytest.mark.parametrize("write", [as_csv, as_json], ids=["csv", "json"])
def test_an_edited_line_of_a_text_file_is_found(write: Callable[[Issued, str], str], url: str, tmp_path: Path) -> None:
    """Any changed, missing or added line is a finding with its number; a claimed other log is one too."""
    with projections.open(url) as read:
        issued = read.issue("payable", PERIOD, SHANWEI)
        lines = write(issued, "zh").splitlines()
        edited = next(at for at, line in enumerate(lines) if ".5" in line or 'fen": 1' in line)
        changed = [*lines]
        changed[edited] = changed[edited].replace(".5", ".6").replace('fen": 1', 'fen": 2')
        (finding,) = checked(read, tmp_path / "a", "\n".join([*changed, ""]).encode()).findings
        assert finding.where == f"a line {edited + 1}"
        assert checked(read, tmp_path / "a", "\n".join([*lines[:3], *lines[4:], ""]).encode()).findings
        other = write(issued, "zh").replace(issued.root, "00" * 32)
        assert "other-log" in [each.kind for each in checked(read, tmp_path / "a", other.encode()).findings]


def test_a_workbook_is_typed_frozen_totalled_and_fit_to_print(url: str) -> None:
    """Amounts are numbers, codes are text, the header stays, totals are formulas with our own sum, the page is A4."""
    with projections.open(url) as read:
        issued = read.issue("payable", PERIOD)
    content = write_workbook(issued, "zh")
    book, values = (load_workbook(io.BytesIO(content), data_only=each) for each in (False, True))
    page, sheet = book.worksheets[0], issued.sheets[0]
    assert page.freeze_panes == f"A{HEAD_ROWS + 1}"
    assert (page.page_setup.paperSize, page.page_setup.orientation) == (9, "landscape")
    assert page.print_title_rows == f"${HEAD_ROWS}:${HEAD_ROWS}"
    assert [cell.value for cell in page[HEAD_ROWS]] == [FIELDS[name].zh for name in sheet.columns]
    total = HEAD_ROWS + len(sheet.rows) + 1
    for column, name in enumerate(sheet.columns, 1):
        below = [page.cell(row, column).value for row in range(HEAD_ROWS + 1, total)]
        if FIELDS[name].unit not in ("fen", "count"):
            assert all(isinstance(cell, str) for cell in below)
            continue
        formula, value = page.cell(total, column).value, values.worksheets[0].cell(total, column).value
        assert str(formula).startswith("=SUM(")
        factor = 100 if FIELDS[name].unit == "fen" else 1
        cells = [round(cell * factor) for cell in below]
        assert cells == [row[column - 1] for row in sheet.rows]
        assert round(value * factor) == sum(cells) == sheet.totals[column - 1]
    said = [str(row[0].value) for row in page.iter_rows(min_row=total + 1) if row[0].value]
    assert any(line.startswith("制表: tester") for line in said)
    assert any(line.startswith("签章: tester's director") for line in said)
    assert said[-1] == f"凭证: {issued.reference('zh')}"
    assert book.properties.created is not None and book.properties.created.year == 2024


@pytest.mark.parametrize("content", [b"setl_id,medfee\n1,2\n", b"\xff\xfe\x00", b"PK\x03\x04 not a workbook"])
def test_a_file_that_is_no_statement_is_refused_by_name(content: bytes, url: str, tmp_path: Path) -> None:
    """Another file is not found to be edited: it is said not to be a statement."""
    with projections.open(url) as read, pytest.raises(StatementError, match="expected a"):
        checked(read, tmp_path / "other", content)


def test_a_workbook_of_another_origin_is_refused_by_name(url: str, tmp_path: Path) -> None:
    """A workbook without a reference is not a statement."""
    with projections.open(url) as read, pytest.raises(StatementError, match="with its reference"):
        checked(read, tmp_path / "other.xlsx", saved(Workbook()))
