"""What is read behind a batch that is still being written is what is read once it is committed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ledger import writing
from ledger.keys import YEARS, message_key
from ledger.store import Reader, Transaction
from ledger.store.pending import Pending, PendingReader
from tests.ledger.test_decided_ahead import entangled
from tests.ledger.test_intake import run
from tests.ledger.worlds import opened, write


def said(reader: Reader) -> list[object]:
    """Returns all that a decision asks of a store: of what it has, and of what it has not."""
    rows = entangled()
    tokens = np.arange(1, reader.tokens_given + 2, dtype=np.int64)
    positions = list(range(1, reader.size + 3))
    events = reader.events_at(positions)
    return [
        reader.size,
        reader.tokens_given,
        reader.tokens(sorted({row["psn_no"] for row in rows})),
        *(column.tolist() for column in reader.load_state(tokens[::-1] * YEARS + 2024)),
        reader.load_accounts(tokens[::-1].copy()).tolist(),
        reader.find_messages(sorted({message_key(row["medins_setl_id"]) for row in rows})),
        reader.reversals(positions),
        reader.first_events(sorted({stream for stream, *_ in events.values()} | {"claim-none"})),
        events,
    ]


def test_a_batch_that_is_written_reads_as_it_will(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Persons, years, accounts, messages, refunds, streams and events, of the batch and of all before it."""
    path = write(tmp_path / "claims.csv", entangled())
    put, behind, compared = writing.put, list[list[object]](), 0

    def putting(tx: Transaction, drafted: writing.Draft, pending: Pending, *given: Any) -> None:
        if not tx.appended:
            with book.store.read() as reader:
                # Its own connection, however long that takes.
                ahead = PendingReader(reader._link, pending)
                ahead.archives = reader.archives
                behind.append(said(ahead))
        put(tx, drafted, pending, *given)

    def committed(_: int) -> None:
        nonlocal compared
        with book.store.read() as reader:
            if reader.size == behind[-1][0]:
                assert behind[-1] == said(reader)
                compared += 1

    monkeypatch.setattr(writing, "put", putting)
    with opened(store_url) as book:
        run(book, path, 4, committed)
    assert compared > 5
