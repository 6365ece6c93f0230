"""A file that is not what a command expects is named for what it is, with what to do, and nothing is booked."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

import ledger
from ledger.file_kinds import bytes_found, is_gb18030
from ledger.refusals import LedgerError
from ledger.service import Ledger
from tests.ledger.worlds import REPOSITORY, events_of

EXAMPLE = REPOSITORY / "docs" / "example"


@pytest.fixture
def book(tmp_path: Path, sqlite_url: str) -> Ledger:
    """Gives a store with the example's policy, beside its files and the same in other guises."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    for name in ("claims", "members", "lines"):
        text = (tmp_path / f"{name}.csv").read_text(encoding="utf-8")
        (tmp_path / f"{name}-gbk.csv").write_bytes(text.encode("gbk"))
        (tmp_path / f"{name}-utf16.csv").write_text(text, encoding="utf-16")
        (tmp_path / f"{name}-semicolons.csv").write_text(text.replace(",", ";"), encoding="utf-8")
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        with xlsxwriter.Workbook(str(tmp_path / f"{name}.xlsx")) as workbook:
            workbook.add_worksheet().write(0, 0, text.split(",")[0])
    store = ledger.create(sqlite_url, actor="tester")
    store.enact("qingyuan", [441800])
    return store


TAKES: dict[str, Callable[[Ledger, Path], object]] = {
    "claims": lambda book, path: book.intake(path),
    "lines": lambda book, path: book.lines(path),
    "members": lambda book, path: book.register(path),
}


@pytest.mark.parametrize(
    ("given", "to", "said"),
    [
        ("claims.xlsx", "claims", "got an Excel workbook or another ZIP archive: save the sheet as CSV in UTF-8"),
        ("members.xlsx", "members", "got an Excel workbook or another ZIP archive: save the sheet as CSV in UTF-8"),
        ("claims.csv.gz", "claims", "got a gzip archive: unpack it first"),
        ("claims-utf16.csv", "claims", "got text in UTF-16: save it as UTF-8"),
        ("members-utf16.csv", "members", "got text in UTF-16: save it as UTF-8"),
        ("claims-gbk.csv", "claims", "save it as UTF-8, or take it in with --profile national-gb18030"),
        ("members-gbk.csv", "members", r"got text in GB18030 \(GBK\): save it as UTF-8"),
        (
            "claims-semicolons.csv",
            "claims",
            "its cells are apart by semicolons: save it with commas, or say so in a profile",
        ),
        ("members-semicolons.csv", "members", "its cells are apart by semicolons"),
        ("members.csv", "claims", "these look like members: settlement register FILE"),
        ("lines.csv", "claims", "these look like fee lines: settlement lines FILE"),
        ("claims.csv", "lines", "these look like claims: settlement intake FILE"),
        ("claims.csv", "members", "these look like claims: settlement intake FILE"),
        ("lines.csv", "members", "these look like fee lines: settlement lines FILE"),
    ],
)
def test_another_file_is_named_for_what_it_is(given: str, to: str, said: str, book: Ledger, tmp_path: Path) -> None:
    """A workbook, an archive, another encoding, separator or kind of file: what it is, which command takes it."""
    before = events_of(book)
    with book, pytest.raises(LedgerError, match=said) as refused:
        TAKES[to](book, tmp_path / given)
    assert "\\x" not in str(refused.value)
    with ledger.open(book.store.url, actor="tester") as again:
        assert events_of(again) == before


def test_a_file_of_a_chinese_spreadsheet_is_taken_in_with_its_profile(book: Ledger, tmp_path: Path) -> None:
    """The shipped profile for GB18030 books what the same file in UTF-8 books."""
    with book:
        book.register(tmp_path / "members.csv")
        report = book.intake(tmp_path / "claims-gbk.csv", "national-gb18030")
        assert (report.booked, report.reasons) == (5, {"identity_I1": 1})


def test_some_damaged_rows_are_no_other_encoding() -> None:
    """One line of sound UTF-8, one that is no GB18030 either, or a single damaged one: rows are judged one by one."""
    name = "陈一".encode("gbk")
    assert is_gb18030(b"a,b\n1," + name + b"\n2," + name + b"\n")
    assert not is_gb18030(b"a,b\n1," + name + b"\n2,\xe9\x99\x88\n")
    assert not is_gb18030(b"a,b\n1," + name + b"\n2,\xff\xff\n")
    assert not is_gb18030(b"a,b\n1," + name + b"\n")
    # Names cut in a character, as a field of so many bytes cuts them, read as GB18030 by chance.
    for name in ("陈", "欧阳", "司马相"):
        for cut in (b"\xe4", b"\xe4\xb8"):
            row = name.encode() + cut + b"\n"
            assert not is_gb18030(b"a,b\n1," + row + b"2," + row)
    assert bytes_found(b"\xff\x00\xff") == "bytes that are no text"
