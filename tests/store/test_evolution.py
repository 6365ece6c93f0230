"""Events outlive their classes: what an older version wrote is read as what it meant, and stays as it was written."""

from collections.abc import Iterator

import msgspec
import pytest

import projections
from console.event_table import table, unit_of
from ledger import store
from ledger.events import ClawbackCollected, ClawbackRaised, Event
from ledger.mapper import decode_event, encode_event
from ledger.refusals import StoreError
from ledger.topics import EVENTS, TOPICS
from ledger.upcasting import PAST, Past, topics_of, upcast
from projections.trace_tree import ClawbackTrace
from tests.console.documents import ROOT, blocks
from tests.projections.books import full_book
from tests.store.samples import block_of


@pytest.fixture
def example() -> Iterator[dict[str, object]]:
    """Runs the worked example of docs/events.md as it stands there, and takes its entry away afterwards."""
    (program,) = blocks("docs/events.md", "python")
    names: dict[str, object] = {"__name__": "example"}
    before = dict(PAST)
    try:
        exec(program, names)
        yield names
    finally:
        PAST.clear()
        PAST.update(before)


def test_the_table_of_events_is_current() -> None:
    """docs/events.md is what the classes say today (else: run `make docs`), every field with its unit."""
    assert (ROOT / "docs" / "events.md").read_text(encoding="utf-8") == table()
    text = table()
    for event in EVENTS:
        assert f"### `{event.TOPIC}` {event.__name__}" in text
        assert all(unit_of(event, name) for name in event.__struct_fields__)


def test_no_topic_is_both_past_and_present() -> None:
    """A topic has one class; a past one leads, step by step, to a present one of the same name."""
    assert PAST.keys() & TOPICS.keys() == set()
    for topic, past in PAST.items():
        assert topic == past.event.TOPIC


def test_past_versions_chain(example: dict[str, object]) -> None:
    """An event two versions old takes two steps, and SQL asks for every topic a class was ever stored under."""

    class Oldest(Event, frozen=True):
        """Collects a part of a clawback, in tens of yuan."""

        TOPIC = "clawback-collected/00"
        cause: int
        amount_ten_yuan: int

    older = PAST["clawback-collected/0"].event

    def to_yuan(past: Event) -> Event:
        assert isinstance(past, Oldest)
        return older(past.cause, 0, past.amount_ten_yuan * 10)

    PAST[Oldest.TOPIC] = Past(Oldest, to_yuan)
    expected = ClawbackCollected(7, 0, 3_000, "not recorded")
    assert upcast(Oldest(7, 3)) == expected
    assert decode_event(Oldest.TOPIC, msgspec.msgpack.encode(Oldest(7, 3))) == expected
    assert topics_of(ClawbackCollected) == [ClawbackCollected.TOPIC, "clawback-collected/0", Oldest.TOPIC]
    assert topics_of(ClawbackRaised) == [ClawbackRaised.TOPIC]
    with pytest.raises(StoreError, match="expected a clawback-collected/0 event"):
        decode_event("clawback-collected/0", encode_event(expected))


def test_a_log_with_a_past_version_reads_and_proves(store_url: str, example: dict[str, object]) -> None:
    """Balances, trace, proof and verification take an old event as what it meant; its bytes stay as they were."""
    book = full_book()
    position = next(at for at, row in enumerate(book.log, 1) if isinstance(row[2], ClawbackRaised))
    case, raised = book.log[position - 1][0], book.log[position - 1][2]
    assert isinstance(raised, ClawbackRaised)
    book.save(store_url)
    with projections.open(store_url) as read:
        before = read.balances().accounts
        (found,) = read.trace(case).found
        assert isinstance(found, ClawbackTrace)
        outstanding = found.clawback.outstanding_fen
        assert outstanding >= 100
    version = len([row for row in book.log if row[0] == case]) + 1
    state = msgspec.msgpack.encode(PAST["clawback-collected/0"].event(1, 0, 1))
    with store.connect(store_url) as opened, opened.begin(clock_us=lambda: 1) as tx:
        last = tx.append(block_of([(case, version, "clawback-collected/0", state)]))
    with projections.open(store_url) as read:
        after = read.balances().accounts
        assert sum(after.values()) == 0
        assert {abs(after[name] - before.get(name, 0)) for name in after} == {0, 100}
        (found,) = read.trace(case).found
        assert isinstance(found, ClawbackTrace)
        assert found.clawback.outstanding_fen == outstanding - 100
        assert found.clawback.collected[-1].receipt == "not recorded"
        assert read.verify() == []
        proof = read.prove(str(last), read.checkpoint())
        (proven,) = [event for event in proof.events if event.position == last]
        assert (proven.topic, proven.state) == ("clawback-collected/0", state)
        assert proven.event == ClawbackCollected(1, 0, 100, "not recorded")
        read.rebuild()
        assert read.verify() == []
        assert [each.event for each in read.events(last - 1)] == [proven.event]


def test_without_its_entry_a_past_version_is_named(store_url: str) -> None:
    """A topic no version of this package knows is refused and found, never passed over."""
    full_book().save(store_url)
    with store.connect(store_url) as opened, opened.begin(clock_us=lambda: 1) as tx:
        tx.append(block_of([("clawback-x", 1, "clawback-collected/0", b"\x93\x01\x00\x01")]))
    with projections.open(store_url) as read:
        with pytest.raises(StoreError, match="clawback-collected/0"):
            read.balances()
        assert [finding.kind for finding in read.verify()] == ["unknown-topic"]
