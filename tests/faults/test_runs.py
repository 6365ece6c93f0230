"""A bit flips in a run or a block, one goes, or one is planted: still it is found, or what comes of it is the same."""

from pathlib import Path

import pytest

import ledger.store
from ledger import intake
from ledger.refusals import LedgerError
from ledger.store import person_blocks, run_writer
from ledger.store.tidying import merge_runs
from tests.faults.plan import times
from tests.faults.test_tables import OnPostgres, OnSqlite, Rows, Whole, judged_all, meant

#: What a batch leaves as one row each, and where it comes to.
RUNS = ("account_run", "message_run", "person_block", "person_run", "person_year_run")
TABLES = ("account", "message", "person", "person_block", "person_number", "person_year")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every batch of two persons runs and a block, which nobody tidies up."""
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", 2)
    monkeypatch.setattr(intake, "tidy_runs", lambda store: None)


def merged(whole: Whole) -> Rows | None:
    """Returns the tables of a store once its runs are merged into them; None where they do not go in."""
    try:
        with ledger.store.connect(whole.url) as store:
            merge_runs(store)
    except LedgerError:
        return None
    rows = meant(whole.rows())
    return {table: rows[table] for table in TABLES}


@pytest.mark.parametrize(("made", "few", "many"), [(OnSqlite, 4, 100), (OnPostgres, 1, 10)])
def test_a_fault_in_any_run_or_block_is_found(
    made: type[Whole], few: int, many: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """On both databases opening or verifying finds it, or the database refuses it, or the tables come to what they
    would have without."""
    name = made.__name__.removeprefix("On").lower()
    whole = made(request.getfixturevalue(f"{name}_url"), tmp_path / "files")
    assert all(whole.before[table] for table in RUNS)
    expected = merged(whole)
    whole.put_back()
    assert expected is not None
    total = judged_all(whole, RUNS, times(few, many), every=True, same=lambda faulty: merged(faulty) == expected)
    assert [verdict for verdict in total if verdict.startswith("SILENT")] == []
    # The canary: what is found is found because it is looked for.
    assert total["found by verify"] > total.total() // 2
