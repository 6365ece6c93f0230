"""Keeps sums at the head of the log: what a transaction appends is folded and written before it commits.

A host that reads balances behind every command asks for it with ``post_within``; without it they follow when they are
asked for, which costs an append nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.codec_fields import joined_states
from core_ext.text import Texts, to_list
from ledger.events import ClaimFiled
from ledger.store.follower import in_turn
from projections import balances
from projections.balance_runs import RUN_ROWS, Run, Runs, sums_of
from projections.catch_up import LOCK_STATE, catch_up, ensure, move_on
from projections.pages import Page
from projections.tables import ReadModel, added_up, write

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store import Store, Transaction


def post_within(store: "Store", models: Sequence[ReadModel] = (balances.MODEL,)) -> None:
    """Lets every later transaction of this open store fold what it appends into ``models`` before it commits.

    The models are caught up first; what the store did last in a transaction before comes behind them. A model that
    falls behind all the same, by an append of another process that does not post, stays behind until it is asked for
    or this is called again. Raises StoreError as ``catch_up`` does, and ValueError for a model whose tables are not
    all sums: those may hang on what was folded before.
    """
    if others := [model.name for model in models if model.wide or not model.adds]:
        raise ValueError(f"expected models of sums to post within the transaction, got {', '.join(others)}")
    ensure(store, models)
    catch_up(store, models)
    store.follower = in_turn(Posting(store.dialect, models), store.follower)


class Posting:
    """Posts what a transaction appends; the acts of a block are decoded and summed while the database takes it in."""

    def __init__(self, dialect: str, models: Sequence[ReadModel]) -> None:
        self._lock = LOCK_STATE[dialect]
        # In the order in which whoever catches up takes them: neither ever waits for the other crosswise.
        self._models = sorted(models, key=lambda model: model.name)
        self._runs = Runs()
        # The last position that was posted here: what comes directly behind it begins the next transaction.
        self._posted = 0

    def ahead(self, first: int, block: "EventBlock") -> "BlockPage":
        """Returns a block as a page whose acts are decoded and summed, and packed as a run where they are many."""
        page = page_of(first, [block])
        # The page keeps what it posts.
        if len(page.posted) >= RUN_ROWS and first == self._posted + 1 and balances.MODEL in self._models:
            page.run = self._runs.foreseen((list(page.posted), list(page.posted.values())))
        page.find_rest()
        return page

    def commit(
        self, tx: "Transaction", first: int, blocks: Sequence["EventBlock"], found: Sequence["BlockPage | None"]
    ) -> None:
        """Folds the blocks and writes what they change, where a model stands directly before them."""
        due = [model for model in self._models if tx.query(self._lock, (model.name,)) == [(first - 1,)]]
        if not due:
            return
        pages = pages_of(first, blocks, found)
        for model in due:
            changes = [change for page in pages for change in model.fold(tx, page) if len(change)]
            if len({change.table.name for change in changes}) < len(changes):
                changes = added_up(changes)
            for change in changes:
                if change.table is balances.BALANCE and len(change) >= RUN_ROWS:
                    run = next((page.run for page in pages if page.run is not None), None)
                    self._runs.post(tx, sums_of(change), run)
                else:
                    write(tx, added_up([change]))
            move_on(tx, model, pages[-1].stop)
        self._posted = pages[-1].stop


class BlockPage(Page):
    """Is a page that is being appended: where its events stand is in its blocks."""

    def __init__(self, blocks: Sequence["EventBlock"], *columns: Any) -> None:
        super().__init__(*columns)
        #: What the acts post, as a run, if all that is posted is that.
        self.run: Run | None = None
        self._blocks = blocks
        self._starts = list(accumulate((len(block) for block in blocks), initial=0))

    def find_rest(self) -> None:
        """Decodes what is not part of an act, which folding it looks at."""
        _ = self.others, self.resettled

    def places(self, rows: Sequence[int]) -> list[tuple[str, int]]:
        """Returns stream and version of rows."""
        found = []
        for row in rows:
            at = bisect_right(self._starts, row) - 1
            found.append(_place(self._blocks[at], row - self._starts[at]))
        return found


def pages_of(first: int, blocks: Sequence["EventBlock"], found: Sequence["BlockPage | None"]) -> Sequence["BlockPage"]:
    """Returns the blocks as pages, those ``found`` among them; as one where a claim's events stand in two blocks."""
    pages: list[BlockPage] = []
    after = first - 1
    for block, page in zip(blocks, found, strict=True):
        pages.append(page_of(after + 1, [block]) if page is None else page)
        after += len(block)
        if pages[-1].stop != after and len(pages) < len(blocks):
            return [page_of(first, blocks)]
    return pages


def page_of(first: int, blocks: Sequence["EventBlock"]) -> "BlockPage":
    """Returns the events of blocks, the first of them at position ``first``, as the page a reader would find."""
    names = list(dict.fromkeys(name for block in blocks for name in block.topic_names))
    number = {name: at for at, name in enumerate(names)}
    topics = np.concatenate(
        [np.array([number[name] for name in block.topic_names], np.int64)[block.topics] for block in blocks]
    )
    states = joined_states([block.states for block in blocks])
    if names[int(topics[-1])] == ClaimFiled.TOPIC:
        # Its decision is not there yet: what has both catches up later.
        topics = topics[:-1]
    return BlockPage(blocks, None, first - 1, first - 1 + len(topics), topics, names, states)


def _place(block: "EventBlock", row: int) -> tuple[str, int]:
    return to_list(Texts(block.streams.offsets[row : row + 2], block.streams.data))[0], int(block.versions[row])
