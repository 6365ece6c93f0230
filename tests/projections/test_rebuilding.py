"""A rebuild stands beside the live tables until it is whole: queries answer, a crash leaves before or after."""

from pathlib import Path

import pytest

import projections
from ledger import store
from ledger.refusals import StoreError
from projections.catch_up import SELECT_STATE
from projections.reader import MODELS
from projections.rebuilding import ANEW, rebuild
from tests.ledger.worlds import opened
from tests.projections.killing import kill
from tests.projections.test_models import tables
from tests.replay.stories import february, january

FORGE = "UPDATE balance SET amount_fen = amount_fen + 1"

#: A process that builds anew and is killed in its first, second, … statement of the swap.
KILLED = """
import os, signal, sys
from ledger import store
from ledger.store.session import Writer
from projections.reader import MODELS
from projections.rebuilding import rebuild

url, left = sys.argv[1], int(sys.argv[2])
execute = Writer.execute
swapping = False

def counted(self, sql, params=()):
    global left
    if swapping:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return execute(self, sql, params)

def begin():
    global swapping
    swapping = True

Writer.execute = counted
with store.connect(url) as opened:
    rebuild(opened, MODELS, page_events=2, before_swap=begin)
"""


def forge(url: str) -> None:
    """Makes every live balance wrong, so that the live rows can be told from those built anew."""
    with store.connect(url) as opened, opened.write() as writer:
        writer.execute(FORGE)


def leftovers(url: str) -> list[str]:
    """Returns the models of a rebuild that did not end."""
    with store.connect(url) as opened, opened.read() as reader:
        return [name for name, _, _ in reader.query(SELECT_STATE) if name.startswith(ANEW)]


def test_live_tables_answer_until_the_new_ones_are_whole(store_url: str, tmp_path: Path) -> None:
    """While a rebuild stands before its swap, queries answer from the live rows, and go on after new claims."""
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(january(tmp_path, 12))
        right = read.balances().accounts
        forge(store_url)
        wrong = read.balances().accounts
        seen: list[dict[str, int]] = []

        def meanwhile() -> None:
            seen.append(read.balances().accounts)
            if len(seen) == 1:
                book.intake(february(tmp_path))
                seen.append(read.balances().accounts)

        with store.connect(store_url) as other:
            reached = rebuild(other, MODELS, page_events=2, before_swap=meanwhile)
        assert wrong != right and seen[0] == wrong
        # Live rows went on during the swap's first attempt, so the new ones caught up and tried again.
        assert len(seen) == 3 and seen[1] == seen[2] != wrong
        balances = read.balances()
        assert balances.position == reached
        assert balances.accounts == read.balances(reached).accounts
        assert read.verify() == [] and leftovers(store_url) == []


@pytest.mark.parametrize("left", [0, 1, 4, 9, 20, 30])
def test_a_rebuild_killed_in_its_swap_leaves_what_was(store_url: str, tmp_path: Path, left: int) -> None:
    """Killed at any statement of the swap the live rows are those from before, and the next rebuild is whole."""
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(january(tmp_path, 6))
        read.catch_up()
        right = tables(store_url)
        forge(store_url)
        before = tables(store_url)
        kill(KILLED, store_url, left)
        assert tables(store_url) == before and leftovers(store_url)
        read.rebuild()
        assert tables(store_url) == right
        assert leftovers(store_url) == [] and read.verify() == []


def test_of_two_rebuilds_one_swaps_and_the_other_says_so(store_url: str, tmp_path: Path) -> None:
    """A rebuild that another one overtook is an error, and the tables are the other's, whole."""
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(january(tmp_path, 6))
        read.catch_up()
        right = tables(store_url)
        forge(store_url)

        def overtake() -> None:
            read.rebuild()

        with store.connect(store_url) as other, pytest.raises(StoreError, match="another rebuild"):
            rebuild(other, MODELS, before_swap=overtake)
        assert tables(store_url) == right and leftovers(store_url) == []


def test_a_derived_table_of_another_shape_is_mended(store_url: str, tmp_path: Path) -> None:
    """A derived table with a column too many or an index too few is as it should be after a rebuild."""
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(january(tmp_path, 6))
        read.catch_up()
        right = tables(store_url)
        with store.connect(store_url) as other, other.write() as writer:
            writer.execute("ALTER TABLE balance ADD COLUMN more INTEGER")
        read.rebuild()
        assert tables(store_url) == right and read.verify() == []


def test_roles_keep_their_rights_on_rebuilt_tables(postgres_url: str, tmp_path: Path) -> None:
    """Whoever may read derived tables on PostgreSQL may read them after a rebuild."""
    asked = "SELECT grantee, privilege_type FROM information_schema.role_table_grants WHERE table_name = 'balance'"
    with opened(postgres_url) as book, projections.open(postgres_url) as read:
        book.intake(january(tmp_path, 6))
        projections.grant_roles(postgres_url)
        with book.store.read() as reader:
            before = sorted(reader.query(asked))
        read.rebuild()
        with book.store.read() as reader:
            assert sorted(reader.query(asked)) == before
        assert {"ledger_reader", "ledger_writer"} <= {who for who, _ in before}
