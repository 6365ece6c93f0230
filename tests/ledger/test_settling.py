"""Promises to a service that settles claims one at a time, from many threads, or many at a time."""

import datetime
import signal
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import ledger
from ledger.claim import Claim
from ledger.events import ClaimFiled, CommandRecorded
from ledger.grouping import Group
from ledger.mapper import decode_event
from ledger.refusals import OutcomeUnknown, Refusal, Refused
from tests.ledger.worlds import claim, clock, events_of, opened, refund, rows_of, write


def as_claim(row: dict[str, str], **cells: Any) -> Claim:
    """Returns a row of a claim file as a value."""
    return Claim(**{name: value for name, value in row.items() if name in Claim.__struct_fields__} | cells)


#: Fields that say where in its log an event stands.
PLACES = ("cause", "row", "claim", "original")


def facts_of(events: list[tuple[int, str, int, str, bytes]]) -> list[tuple[str, int, str, tuple[Any, ...]]]:
    """Returns stream, version, topic and fields of claims' events, without what names the command and its rows."""
    found = []
    first: int = 0
    for position, stream, version, topic, state in events:
        event = decode_event(topic, state)
        if isinstance(event, ClaimFiled):
            first = first or position
        if not first:
            continue
        fields = [getattr(event, name) for name in event.__struct_fields__ if name not in PLACES]
        if topic.startswith(("claim-", "settlement-")):
            found.append((stream, version, topic, tuple(fields)))
    return found


def test_a_claim_given_as_a_value_books_what_a_file_books(store_url: str, tmp_path: Path) -> None:
    """Computed, settled by their source, refunded, of one person: the events and the state are those of a file."""
    rows = [claim(i, psn_no=f"P{i % 3:06d}", hosp_lv="3" if i % 2 else "2") for i in range(1, 12)]
    rows.append(refund(rows[4], 90, psn_no=rows[4]["psn_no"]))
    with opened(f"sqlite:///{tmp_path / 'file.db'}") as book:
        report = book.intake(write(tmp_path / "claims.csv", rows))
        assert report.booked == len(rows)
        expected, state = facts_of(events_of(book)), rows_of(book, "person_year", "key")
    with opened(store_url) as book:
        results = book.settle(map(as_claim, rows), reason="at the counter")
        assert [result.outcome for result in results] == ["booked"] * len(rows)
        assert [result.setl_id for result in results] == [row["setl_id"] for row in rows]
        events = events_of(book)
        assert sorted(facts_of(events)) == sorted(expected)
        assert [tuple(map(bytes, row[2:])) for row in rows_of(book, "person_year", "key")] == [
            tuple(map(bytes, row[2:])) for row in state
        ]
        for result in results:
            assert events[result.position - 1][1].endswith(result.setl_id)
        commands = [decode_event(event[3], event[4]) for event in events if event[3] == CommandRecorded.TOPIC]
        last = commands[-1]
        assert isinstance(last, CommandRecorded)
        assert (last.verb, last.reason, last.actor) == ("settle", "at the counter", "tester")


def test_a_repeated_call_says_what_was_booked_and_writes_nothing(store_url: str) -> None:
    """A caller that lost its answer asks again: the same amounts, the same position, the log as it was."""
    with opened(store_url) as book:
        (first,) = book.settle([as_claim(claim(1))])
        before = events_of(book)
        (again,) = book.settle([as_claim(claim(1))])
        assert again == type(first)(
            "duplicate", first.setl_id, first.position, first.period, first.amounts, first.balc, first.late
        )
        twice = book.settle([as_claim(claim(1)), as_claim(claim(2)), as_claim(claim(2))])
        assert [result.outcome for result in twice] == ["duplicate", "booked", "duplicate"]
        assert twice[1].position == twice[2].position
        assert events_of(book)[: len(before)] == before


def test_what_cannot_be_booked_is_refused_in_words_and_leaves_the_log_as_it_was(store_url: str) -> None:
    """Each refused claim has the reason a file's row has; the sound one beside it books."""
    with opened(store_url) as book:
        before = events_of(book)
        bad = as_claim(claim(1), enddate="2024-01-01")
        (refused,) = book.settle([bad])
        assert (refused.outcome, refused.reason, refused.field) == ("refused", "end_before_begin", "enddate")
        assert (refused.expected, refused.got) == ("begndate 2024-01-02 or a later day", "2024-01-01")
        assert events_of(book) == before
        other = as_claim(claim(2), insu_admdvs="110101")
        results = book.settle([bad, as_claim(claim(3)), other, as_claim(claim(3), medfee_sumamt="9999.00")])
        assert [result.reason for result in results] == ["end_before_begin", "", "no_policy", "setl_id_conflict"]
        assert len(facts_of(events_of(book))) == 2


def test_amounts_days_and_codes_may_be_values_but_never_floats(store_url: str) -> None:
    """Decimal, date, datetime and int mean what their text means; a float, a bool or an int amount is refused."""
    with opened(store_url) as book:
        given = as_claim(
            claim(1),
            insutype=390,
            begndate=datetime.date(2024, 1, 2),
            enddate=datetime.date(2024, 1, 5),
            setl_time=datetime.datetime(2024, 1, 5, 8, 0, 0),
            medfee_sumamt=Decimal("10000"),
            inscp_scp_amt=Decimal("1E+4"),
        )
        (booked,) = book.settle([given])
        (again,) = book.settle([as_claim(claim(1))])
        assert (booked.outcome, again.outcome) == ("booked", "duplicate")
        size = len(events_of(book))
        for wrong in ({"medfee_sumamt": 1.5}, {"medfee_sumamt": 15}, {"insutype": True}, {"setl_id": 7}):
            with pytest.raises(
                Refused, match=f"claim 2, {next(iter(wrong))}: expected .*nothing was written"
            ) as refused:
                book.settle([as_claim(claim(4)), as_claim(claim(5), **wrong)])
            assert refused.value.refusal == Refusal.BAD_VALUE
        assert len(events_of(book)) == size


def test_a_moment_with_a_zone_is_settled_at_its_time_in_china(store_url: str) -> None:
    """16:30 UTC on the last day of January is half past midnight of 1 February: the claim is February's."""
    moment = datetime.datetime(2024, 1, 31, 16, 30, tzinfo=datetime.UTC)
    with opened(store_url) as book:
        (booked,) = book.settle([as_claim(claim(1), setl_time=moment)])
        (again,) = book.settle([as_claim(claim(1), setl_time="2024-02-01 00:30:00")])
        assert (booked.outcome, booked.period, again.outcome) == ("booked", 202402, "duplicate")


def test_a_profile_that_reads_a_files_own_columns_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """A Claim has the national names: a sender's renames and meanings have nothing to say about it."""
    profile = tmp_path / "sender.toml"
    profile.write_text('nulls = ["NULL"]\n', encoding="utf-8")
    with opened(sqlite_url) as book, pytest.raises(Refused, match="profile sender: expected one without columns"):
        book.settle([as_claim(claim(1))], profile=profile)


def test_threads_that_settle_at_once_leave_what_some_serial_order_leaves(store_url: str) -> None:
    """Eight threads over four persons: every answer is durable, claims share commands, replay finds nothing."""
    with opened(store_url) as book:
        answers: list[list[Any]] = [[] for _ in range(8)]

        def work(writer: int) -> None:
            for i in range(6):
                row = claim(writer * 100 + i, psn_no=f"P{i % 4:06d}")
                answers[writer] += book.settle([as_claim(row)])
                with book.store.read() as reader:
                    assert reader.size > answers[writer][-1].position

        threads = [threading.Thread(target=work, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert [result.outcome for found in answers for result in found] == ["booked"] * 48
        events = events_of(book)
        assert [event[0] for event in events] == list(range(1, len(events) + 1))
        for writer, found in enumerate(answers):
            assert [result.setl_id for result in found] == [f"S{writer * 100 + i:06d}" for i in range(6)]
        assert book.replay(202401).differences == ()


def test_thousands_of_claims_are_booked_some_thousand_a_transaction(sqlite_url: str, monkeypatch: Any) -> None:
    """A long iterable is taken bit by bit, in order, each part under a command of its own."""
    monkeypatch.setattr("ledger.verbs.settling.MOST", 4)
    with opened(sqlite_url) as book:
        results = book.settle(as_claim(claim(i)) for i in range(1, 11))
        assert [result.outcome for result in results] == ["booked"] * 10
        settles = [
            event
            for _, _, _, topic, state in events_of(book)
            if isinstance(event := decode_event(topic, state), CommandRecorded) and event.verb == "settle"
        ]
        assert [event.arguments for event in settles] == ['{"claims":4}', '{"claims":4}', '{"claims":2}']


def test_an_empty_call_answers_nothing(sqlite_url: str) -> None:
    """No claims, no command."""
    with ledger.create(sqlite_url, actor="tester", clock_us=clock()) as book:
        assert book.settle([]) == []
        assert events_of(book) == []


class _Gate:
    """Lets the first group wait until the others have queued up behind it."""

    def __init__(self, most: int = 100) -> None:
        self.groups: list[list[int]] = []
        self.open = threading.Event()
        self.begun = threading.Event()
        self.error: BaseException | None = None
        self.group: Group[int, int] = Group(self.run, lambda command: command // 100, most)

    def run(self, commands: Any) -> list[int]:
        self.groups.append(list(commands))
        self.begun.set()
        if len(self.groups) == 1:
            assert self.open.wait(30)
        elif self.error is not None:
            raise self.error
        return [command + 1 for command in commands]

    def submit(self, commands: list[int]) -> dict[int, int | BaseException]:
        """Submits commands in order, each from a thread of its own, and returns what each got."""
        got: dict[int, int | BaseException] = {}

        def work(command: int) -> None:
            try:
                got[command] = self.group.submit(command)
            except BaseException as error:
                got[command] = error

        threads = []
        for at, command in enumerate(commands):
            threads.append(threading.Thread(target=work, args=(command,)))
            threads[-1].start()
            assert self.begun.wait(30)
            while self.group.waiting <= at:
                pass
        self.open.set()
        for thread in threads:
            thread.join(30)
        return got


def test_commands_that_wait_are_committed_together_in_the_order_they_came() -> None:
    """While one commits, alike ones gather: one group each, none larger than allowed, every one with its own answer."""
    gate = _Gate(most=3)
    commands = [1, 2, 3, 4, 5, 201, 6]
    assert gate.submit(commands) == {command: command + 1 for command in commands}
    assert gate.groups == [[1], [2, 3, 4], [5], [201], [6]]
    assert gate.group.waiting == 0


def test_a_group_that_fails_fails_for_everyone_in_it_and_for_nobody_else() -> None:
    """An error reaches all whose commit it was; one that ends the leading thread leaves the others without outcome."""
    gate = _Gate()
    gate.error = Refused(Refusal.BAD_VALUE, "no")
    got = gate.submit([1, 2, 3])
    assert (got[1], got[2], got[3]) == (2, gate.error, gate.error)
    gate.error = None
    assert gate.group.submit(7) == 8
    gate = _Gate()
    gate.error = KeyboardInterrupt()
    got = gate.submit([1, 2, 3])
    assert got[1] == 2 and isinstance(got[2], KeyboardInterrupt) and isinstance(got[3], OutcomeUnknown)


class _CalledOffError(BaseException):
    """Is what a host's signal handler raises in its main thread."""


def test_a_host_that_stops_waiting_keeps_nobody_behind_it_waiting() -> None:
    """Where a signal ends one thread's wait its claim is not booked, and those of the threads behind it are."""
    gate = _Gate()
    got: dict[int, int] = {}

    def begin(command: int) -> threading.Thread:
        thread = threading.Thread(target=lambda: got.update({command: gate.group.submit(command)}), daemon=True)
        thread.start()
        return thread

    def call_off(main: int) -> None:
        while gate.group.waiting < 2:
            pass
        threads.append(begin(3))
        while gate.group.waiting < 3:
            pass
        signal.pthread_kill(main, signal.SIGUSR1)

    def end_wait(*_: object) -> None:
        raise _CalledOffError

    before = signal.signal(signal.SIGUSR1, end_wait)
    try:
        threads = [begin(1)]
        assert gate.begun.wait(30)
        caller = threading.Thread(target=call_off, args=(threading.get_ident(),))
        caller.start()
        with pytest.raises(_CalledOffError):
            gate.group.submit(2)
        caller.join(30)
    finally:
        signal.signal(signal.SIGUSR1, before)
    gate.open.set()
    for thread in threads:
        thread.join(10)
    assert got == {1: 2, 3: 4} and gate.groups == [[1], [3]]
    assert gate.group.submit(4) == 5


def test_a_claim_of_its_required_fields_alone_is_booked(store_url: str) -> None:
    """What a caller leaves out reads as a column that a file does not have: no hospital share, no level given."""
    needed = {field.name: claim(1)[field.name] for field in msgspec.structs.fields(Claim) if field.required}
    with opened(store_url) as book:
        (result,) = book.settle([Claim(**needed)])
        assert (result.outcome, result.reason, result.field) == ("booked", "", "")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (lambda: as_claim(claim(1)), r"expected claims in a list, got one claim: settle\(\[claim\]\)"),
        (lambda: [as_claim(claim(1)), claim(2)], "claim 2: expected ledger.Claim, got dict; nothing was written"),
    ],
    ids=["a claim by itself", "a dictionary"],
)
def test_what_is_no_list_of_claims_is_refused_by_name(claims: Callable[[], Any], expected: str, store_url: str) -> None:
    """A host that hands in something else is told so, and nothing is written."""
    with opened(store_url) as book:
        before = events_of(book)
        with pytest.raises(Refused, match=expected) as refused:
            book.settle(claims())
        assert refused.value.refusal == Refusal.BAD_VALUE
        assert events_of(book) == before


@pytest.mark.parametrize("regions", ["441800", 441800, ["441800"], [4418]])
def test_regions_that_are_no_list_of_codes_are_refused_by_name(regions: Any, store_url: str) -> None:
    """Enacting for text, for a single number or for four digits is told with what was expected."""
    with opened(store_url) as book, pytest.raises(Refused, match="regions: expected") as refused:
        book.enact("qingyuan", regions)
    assert refused.value.refusal == Refusal.BAD_VALUE
