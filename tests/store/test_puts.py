"""Rows for several tables of PostgreSQL wait for each other: as many as there is room for, and no two that conflict."""

import pytest

from ledger.store import postgres_puts
from ledger.store.postgres_puts import Puts


def test_what_waits_is_one_statement_and_gone_behind_it() -> None:
    """All rows are put in by one statement, their arrays in its order; nothing is left to be put in twice."""
    puts = Puts()
    assert puts.taken() is None
    puts.add("a", "INSERT A", [b"1", b"2"], False)
    puts.add("b", "INSERT B", [b"3"], True)
    assert puts.taken() == ("WITH put_0 AS (INSERT A) INSERT B", [b"1", b"2", b"3"])
    assert puts.taken() is None


def test_rows_with_a_clause_for_a_conflict_stand_alone_in_their_table() -> None:
    """Others of their table, before or behind, go in another statement; those of other tables in the same."""
    puts = Puts()
    puts.add("plain", "INSERT", [], False)
    puts.add("clause", "INSERT", [], True)
    told = {
        (table, clause): puts.takes(table, clause) for table in ("plain", "clause", "c") for clause in (False, True)
    }
    assert [of for of, takes in told.items() if takes] == [("plain", False), ("c", False), ("c", True)]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many rows' statements nor many bytes pile up."""
    monkeypatch.setattr(postgres_puts, "MOST_PUTS", 2)
    monkeypatch.setattr(postgres_puts, "MOST_BYTES", 10)
    puts = Puts()
    puts.add("a", "INSERT", [b"x" * 9], False)
    assert puts.takes("b", False)
    puts.add("b", "INSERT", [], False)
    assert not puts.takes("c", False)
    puts.taken()
    puts.add("a", "INSERT", [b"x" * 5, b"x" * 5], False)
    assert not puts.takes("b", False)
