"""The mapper: events to the bytes of the log and back, by topic alone."""

import subprocess
import sys

import pytest
from eventsourcing.persistence import EventStore, MapperDeserialisationError, StoredEvent

import ledger.store
from ledger.block import EventBlock
from ledger.events import Event, OpeningAccount, OpeningBalance, PeriodOpened
from ledger.mapper import EventMapper, RecordedEvent, decode_event, encode_event
from ledger.refusals import StoreError
from tests.store.samples import all_rows

EVENTS: list[tuple[str, int, Event]] = [
    ("opening-balances", 1, OpeningBalance(1, 1, (("支付:340100", -5), ("fund", 5)))),
    ("account-000000001", 1, OpeningAccount(1, 2, 1, 2**63 - 1)),
    ("account-000000002", 1, OpeningAccount(1, 3, 2, -(2**63))),
    ("period-202401", 1, PeriodOpened(cause=9, row=0, period=202401)),
]


def test_the_library_and_the_block_write_the_same_bytes(store_url: str) -> None:
    """Events put through the library's EventStore come back equal, and their rows equal those of a block."""
    with ledger.store.create(store_url) as store:
        events = EventStore(EventMapper(), store.recorder)
        events.put([RecordedEvent(*event) for event in EVENTS])
        assert list(events.get("account-000000002")) == [RecordedEvent(*EVENTS[2])]
        put = all_rows(store)
        with store.begin() as tx:
            tx.append(
                EventBlock.from_events([(f"again-{stream}", version, event) for stream, version, event in EVENTS])
            )
        appended = all_rows(store)[len(EVENTS) :]
    assert [row[2:] for row in put] == [row[2:] for row in appended]
    assert [decode_event(topic, state) for _, _, _, topic, state in put] == [event for _, _, event in EVENTS]


def test_an_unknown_topic_is_named() -> None:
    """A topic nobody registered is an error that says what to do, with the place of the event."""
    with pytest.raises(StoreError, match="got 'claim-filed/99'"):
        decode_event("claim-filed/99", b"\x90")
    with pytest.raises(MapperDeserialisationError, match=r"stream 'claim-1', version 3.*'claim-filed/99'"):
        EventMapper().to_domain_event(StoredEvent("claim-1", 3, "claim-filed/99", b"\x90"))


@pytest.mark.parametrize("state", [b"", b"\x93\x01\x02", b"\x94\x01\x02\x03\x04", encode_event(EVENTS[1][2])])
def test_a_state_of_another_shape_is_refused(state: bytes) -> None:
    """A state that is cut short, too long or another event's is an error."""
    with pytest.raises(StoreError, match="expected a period-opened/1 event"):
        decode_event("period-opened/1", state)


def test_every_topic_resolves_in_a_fresh_process() -> None:
    """Importing the mapper alone is enough to read every topic of the log."""
    code = "from ledger import mapper, topics; assert set(mapper._DECODERS) == set(topics.TOPICS) != set()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_columns_of_a_block_have_one_length() -> None:
    """A block whose columns do not fit together is refused before it reaches a database."""
    block = EventBlock.from_events(EVENTS)
    assert len(block) == 4 and len(EventBlock.from_events([])) == 0
    with pytest.raises(ValueError, match="expected 3 streams"):
        EventBlock(block.streams, block.versions[:3], block.topics, block.topic_names, block.states)
    with pytest.raises(ValueError, match="expected topics from 0 to 1"):
        EventBlock(block.streams, block.versions, block.topics, block.topic_names[:2], block.states)
