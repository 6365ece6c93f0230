"""What is read behind a batch that is still being written is what is read once it is committed."""

from pathlib import Path

import numpy as np
import pytest

from ledger import booking, intake
from ledger.events import JobBatch
from ledger.keys import YEARS, message_key
from ledger.knowledge import Knowledge
from ledger.source import ClaimColumns
from ledger.store import Reader
from ledger.store.pending import Pending, PendingReader
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.test_decided_ahead import entangled
from tests.ledger.test_intake import run
from tests.ledger.worlds import opened, rows_of, write


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


@pytest.mark.parametrize("batch_rows", [8, 16])
def test_what_is_written_reads_as_it_will(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Persons, years, accounts, messages, refunds, streams and events, of a transaction's batches and all before."""
    path = write(tmp_path / "claims.csv", entangled())
    behind, compared = list[tuple[Pending, list[object]]](), list[int]()

    def beginning(
        job: intake.ClaimJob, left: ClaimColumns, pending: Pending | None, known: Knowledge, remember: object
    ) -> None:
        assert pending is not None
        with book.store.read() as reader:
            # Its own connection, however long that takes.
            ahead = PendingReader(reader._link, pending)
            ahead.archives = reader.archives
            behind.append((pending, said(ahead)))

    def committed(_: int) -> None:
        pending, expected = behind[-1]
        with book.store.read() as reader:
            assert expected == said(reader)
        compared.append(sum(block.topic_names.count(JobBatch.TOPIC) for block in pending.blocks))

    monkeypatch.setattr(intake.ClaimJob, "_begin_ahead", beginning)
    # Rows that meet others cut their batch, so that a transaction has several pieces.
    monkeypatch.setattr(booking, "fallen_and_risen", lambda batch: (set(), {0} if batch.repeats else set()))
    with opened(store_url) as book:
        members = [f"P{i},某,260101,310,11,,9{i}000.00" for i in range(3)]
        registered(book, tmp_path, f"{MEMBERS},account_balance", *members)
        run(book, path, batch_rows, committed)
        assert len({balance for _, balance in rows_of(book, "account", "token")}) >= len(members)
    assert len(compared) > 3 and min(compared) == 1 < max(compared)
