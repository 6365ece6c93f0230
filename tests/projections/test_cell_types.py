"""On SQLite, which types cells and not columns, a cell of another type than its column's is named before all else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import projections
from tests.ledger.worlds import claim, opened, write
from tests.projections.test_verify import found_of_members


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE account SET balance_fen = balance_fen + 0.5", "account token="),
        ("UPDATE account SET balance_fen = 1e300", "account token="),
        ("UPDATE person_year SET version = version + 0.5", "person_year key="),
        ("UPDATE message SET position = position + 0.5", "message msgid="),
        ("UPDATE message SET position = 1e300", "message msgid="),
        ("UPDATE reversal SET by_position = by_position + 0.5", "reversal claim="),
        ("INSERT INTO balance_run VALUES (3, x'', 'text')", "balance_run run=3"),
        ("UPDATE person_seal SET seals = 'text'", "person_seal first="),
    ],
)
def test_a_cell_of_another_type_is_named(sqlite_url: str, tmp_path: Path, statement: str, where: str) -> None:
    """SQLite keeps whatever it is given; a fraction is not taken for the integer below it, and nothing ends in vain."""
    found = found_of_members(sqlite_url, tmp_path, statement)
    assert found and all(finding.kind == "mistyped-row" and finding.where.startswith(where) for finding in found)


def edited(url: str, *statements: str) -> None:
    """Runs statements as somebody does who has the file."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw, raw:
        for statement in statements:
            raw.execute(statement)


def verified(url: str, folder: Path) -> None:
    """Makes a store of two claims in which nothing is found."""
    with opened(url) as book, projections.open(url) as read:
        book.intake(write(folder / "claims.csv", [claim(1), claim(2)]))
        read.catch_up()
        assert read.verify() == []


@pytest.mark.parametrize(
    "statements",
    [
        ("ANALYZE",),
        ("CREATE TABLE notes (note, size VARCHAR(9))", "INSERT INTO notes VALUES ('mine', 'large')"),
    ],
)
def test_a_table_beside_the_ledgers_is_not_looked_at(
    sqlite_url: str, tmp_path: Path, statements: tuple[str, ...]
) -> None:
    """What SQLite's planner or an operator keeps in the file, of whatever types, is no finding."""
    verified(sqlite_url, tmp_path)
    edited(sqlite_url, *statements)
    with projections.open(sqlite_url) as read:
        assert read.verify() == []


def test_a_column_stated_otherwise_excuses_no_cell(sqlite_url: str, tmp_path: Path) -> None:
    """The types are those this package states, whatever the file says its columns are."""
    verified(sqlite_url, tmp_path)
    restated = (
        "UPDATE sqlite_master SET sql = replace(sql, 'version INTEGER', 'version BLOB') WHERE name = 'person_year'"
    )
    edited(sqlite_url, "PRAGMA writable_schema = ON", restated)
    edited(sqlite_url, "UPDATE person_year SET version = 'one' WHERE key = (SELECT MIN(key) FROM person_year)")
    with projections.open(sqlite_url) as read:
        found = read.verify()
    assert [finding.kind for finding in found] == ["edited-schema", "mistyped-row"]
    assert (found[1].expected, found[1].got) == ("version of type integer", "version of type text")
