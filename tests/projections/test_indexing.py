"""A model's indexes are built once its rows are there, whatever interrupts it, and answers are right without them."""

from pathlib import Path

import pytest

import projections
from ledger import store
from ledger.store import Store
from projections.catch_up import catch_up
from projections.indexing import missing
from projections.reader import MODELS
from tests.ledger.worlds import opened
from tests.projections.killing import kill
from tests.projections.test_models import tables
from tests.replay.stories import february, january

#: Every index of every model.
INDEXES = sorted(name for model in MODELS for table in model.tables for name in table.indexing())

#: A process that catches up and is killed in its first, second, … statement behind the first page.
KILLED = """
import os, signal, sys
from ledger import store
from ledger.store.session import Writer
from projections.catch_up import catch_up
from projections.reader import MODELS

url, left = sys.argv[1], int(sys.argv[2])
execute = Writer.execute

def counted(self, sql, params=()):
    global left
    if sql.startswith(("CREATE INDEX", "PRAGMA")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return execute(self, sql, params)

Writer.execute = counted
with store.connect(url) as opened:
    catch_up(opened, MODELS, page_events=16)
"""


def lacking(held: Store) -> list[str]:
    """Returns the statements of the indexes that a store does not have."""
    with held.read() as reader:
        return [statement for _, statement in missing(reader, held.dialect, MODELS)]


def test_an_index_is_built_when_its_rows_are_there(store_url: str, tmp_path: Path) -> None:
    """While a model fills from the beginning it has no index; at the head of the log it has each; later ones stay."""
    with opened(store_url) as book, projections.open(store_url) as read, store.connect(store_url) as held:
        book.intake(january(tmp_path))
        seen: list[int] = []
        catch_up(held, MODELS, lambda _: seen.append(len(lacking(held))), page_events=16)
        assert len(seen) > 3 and set(seen) == {len(INDEXES)}
        assert lacking(held) == [] and read.verify() == []
        book.intake(february(tmp_path))
        seen.clear()
        catch_up(held, MODELS, lambda _: seen.append(len(lacking(held))), page_events=16)
        assert len(seen) > 3 and set(seen) == {0}


def test_a_model_without_indexes_answers_as_one_with_them(store_url: str, tmp_path: Path) -> None:
    """Whoever asks while a model fills gets what he gets afterwards, and verify finds nothing."""
    with opened(store_url) as book, projections.open(store_url) as read, store.connect(store_url) as held:
        book.intake(january(tmp_path))
        keys = ("P000003", "H47010100001", "260100/S000004", 1)
        asked: list[object] = []

        def meanwhile(_: int) -> None:
            if not asked:
                asked.append(read.verify())
                asked.extend(read.trace(key) for key in keys)

        catch_up(held, MODELS, meanwhile, page_events=16)
        assert asked == [[], *(read.trace(key) for key in keys)]
        assert lacking(held) == []


@pytest.mark.parametrize("left", [0, 1, 4, 9])
def test_a_model_killed_before_an_index_gets_it_from_the_next(store_url: str, tmp_path: Path, left: int) -> None:
    """Killed at any index the rows are there; verify finds nothing, and the next to catch up builds what is missing."""
    with opened(store_url) as book, projections.open(store_url) as read, store.connect(store_url) as held:
        book.intake(january(tmp_path))
        kill(KILLED, store_url, left)
        assert lacking(held) != []
        filled = tables(store_url)
        # It finds nothing, and then catches up.
        assert read.verify() == []
        assert lacking(held) == [] and tables(store_url) == filled
        read.rebuild()
        assert lacking(held) == [] and tables(store_url) == filled


def test_an_index_taken_away_is_built_again(store_url: str, tmp_path: Path) -> None:
    """An index that somebody dropped is there again behind the next catching up."""
    with opened(store_url) as book, projections.open(store_url) as read, store.connect(store_url) as held:
        book.intake(january(tmp_path))
        read.catch_up()
        with held.write() as writer:
            for name in INDEXES:
                writer.execute(f"DROP INDEX {name}")
        assert len(lacking(held)) == len(INDEXES)
        read.trace("P000003")
        assert {statement.split()[5].rpartition("_")[0] for statement in lacking(held)} == {"reconciliation_break"}
        read.breaks()
        assert lacking(held) == []


def test_an_index_over_other_rows_is_a_finding(sqlite_url: str, tmp_path: Path) -> None:
    """An index by the right name that leaves rows out is found: queries would go by it."""
    with opened(sqlite_url) as book, projections.open(sqlite_url) as read, store.connect(sqlite_url) as held:
        book.intake(january(tmp_path))
        read.catch_up()
        with held.write() as writer:
            writer.execute("DROP INDEX trace_act_person")
            writer.execute("CREATE INDEX trace_act_person ON trace_act (token) WHERE token > 3")
        found = read.verify()
        assert [(each.kind, each.where) for each in found] == [("edited-schema", "index trace_act_person")]


def test_roles_find_the_indexes_built(postgres_url: str, tmp_path: Path) -> None:
    """Whoever may fill a table and not own it could build no index, so that they are there before it may."""
    with opened(postgres_url) as book, store.connect(postgres_url) as held:
        book.intake(january(tmp_path))
        projections.grant_roles(postgres_url)
        assert lacking(held) == []
