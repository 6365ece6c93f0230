"""The line to PostgreSQL is cut at every message of an append: what is said holds, what is unknown the log tells."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError, StoredEvent
from psycopg.conninfo import conninfo_to_dict

import ledger
import ledger.store
from ledger.refusals import OutcomeUnknown, Refused, StoreError
from ledger.service import Ledger
from ledger.store import Store
from tests.faults.plan import report, times
from tests.faults.proxy import TO_CLIENT, TO_SERVER, Proxy
from tests.ledger.worlds import claim, clock, events_of, write
from tests.store.samples import TOPICS, all_rows, append, many

#: One append by an INSERT of arrays, one by a COPY that goes with the commit, one by a COPY of its own.
SIZES = (3, 150, 700)


@pytest.fixture
def proxy(postgres_server: str) -> Iterator[Proxy]:
    with psycopg.connect(postgres_server) as connection:
        folder = connection.execute("SHOW unix_socket_directories").fetchone()
    assert folder is not None
    made = Proxy(Path(folder[0]) / ".s.PGSQL.5432")
    yield made
    made.close()


@pytest.fixture
def url(postgres_url: str, postgres_server: str, proxy: Proxy) -> str:
    """Returns the URL of the store through the proxy."""
    options = conninfo_to_dict(postgres_server)
    schema = postgres_url.rpartition("schema=")[2]
    return f"postgresql://{options['user']}@/{options['dbname']}?host={proxy.folder}&schema={schema}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with ledger.store.create(url) as made:
        yield made


def there(store: Store, streams: list[str]) -> bool:
    """Returns whether a stream has events, asked under the log's lock: a commit still under way has ended by then."""
    with store.begin() as tx:
        return bool(tx.stream_heads(streams))


def steps(store: Store, proxy: Proxy, size: int) -> dict[str, int]:
    """Returns how many messages one append exchanges in each direction."""
    append(store, many("warm", size))
    proxy.arm()
    append(store, many("counted", size))
    return dict(proxy.passed)


@pytest.mark.parametrize("size", SIZES)
def test_a_line_cut_at_any_message_leaves_what_was_said(size: int, store: Store, proxy: Proxy) -> None:
    """Behind every message in either direction the line is cut once: acknowledged is there, refused is not, and where
    the outcome is unknown the log tells; doing it again then leaves it there exactly once."""
    messages = steps(store, proxy, size)
    every = [(way, k) for way in (TO_SERVER, TO_CLIENT) for k in range(1, messages[way] + 2)]
    # All of them, also in an ordinary run: how many an append exchanges hangs on what its connection has prepared.
    said = {"kept": 0, "refused": 0, "unknown": 0}
    committed = blind = tried = 0
    for number, (way, k) in enumerate(every * times(1, 4)):
        rows = many(f"cut-{number:06d}", size)
        streams = [rows[0][0]]
        # Behind a cut the connection is a new one, which has prepared what an append runs once it has run one.
        append(store, many(f"warm-{number:06d}", size))
        proxy.arm(way, k)
        outcome = _said(store, rows)
        proxy.arm()
        is_there = there(store, streams)
        said[outcome] += 1
        assert is_there or outcome != "kept", (way, k)
        assert not is_there or outcome != "refused", (way, k)
        committed += outcome == "unknown" and is_there
        blind += outcome != "kept" and is_there
        if not is_there:
            append(store, rows)
        with store.read() as reader:
            found = [row[1:] for page in reader.pages() for row in page if row[1].startswith(f"cut-{number:06d}-")]
        assert found == rows
        tried += 1
    report(
        f"line cut, {size} events", tried=tried, acknowledged=said["kept"], refused=said["refused"],
        unknown=said["unknown"], of_these_committed=committed, lost=0, twice=0,
    )  # fmt: skip
    assert said["refused"] and said["unknown"] >= committed > 0
    # The canary: whoever takes "unknown" for "not done" and does it again under another name has it twice.
    assert blind > 0


def _said(store: Store, rows: list[tuple[str, int, str, bytes]]) -> str:
    try:
        append(store, rows)
    except OutcomeUnknown:
        return "unknown"
    except StoreError:
        return "refused"
    return "kept"


@pytest.mark.parametrize("size", SIZES)
def test_the_librarys_recorder_never_tries_again_by_itself(
    size: int, store: Store, proxy: Proxy, postgres_server: str
) -> None:
    """The library tries some calls again after a lost line; ``insert_events`` is not one of them: it raises, and the
    events are there once or not at all, by the log, once the server is done with the lost connection."""
    proxy.arm()
    store.recorder.insert_events(_stored("counted", size))
    messages, tried, committed = dict(proxy.passed), 0, 0
    for way in (TO_SERVER, TO_CLIENT):
        for k in range(max(1, messages[way] - times(5, 1_000)), messages[way] + 1):
            name = f"recorded-{way[-6:]}-{k}"
            before = len(all_rows(store))
            proxy.arm(way, k)
            raised = False
            try:
                store.recorder.insert_events(_stored(name, size))
            except PersistenceError:
                raised = True
            proxy.arm()
            _wait_until_idle(postgres_server)
            is_there = there(store, [f"{name}-0"])
            assert is_there or raised
            committed += raised and is_there
            assert len(all_rows(store)) == before + size * is_there
            tried += 1
    report(f"line cut under the recorder, {size} events", tried=tried, raised_though_committed=committed, twice=0)
    assert committed


def _wait_until_idle(server: str) -> None:
    """Waits until no session of a ledger works: the recorder's one statement takes no lock before it is sent."""
    deadline = time.monotonic() + 20
    with psycopg.connect(server, autocommit=True) as connection:
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'settlement-ledger' AND state <> 'idle'"
        ).fetchall():
            assert time.monotonic() < deadline, "a session still works"
            time.sleep(0.005)


def _stored(name: str, size: int) -> list[StoredEvent]:
    return [StoredEvent(f"{name}-{i}", 1, TOPICS[0], b"x") for i in range(size)]


def commands(folder: Path) -> dict[str, Callable[[Ledger], object]]:
    """Returns one command of every family, in an order in which each may be done."""
    rows = [claim(i, psn_no=f"P{i}", insutype="310", psn_type="11") for i in range(6)]
    rows[5] |= {"mdtrtarea_admvs": "470101", "fixmedins_code": "H47010100001"}
    claims, more = write(folder / "claims.csv", rows[:5]), write(folder / "more.csv", rows[5:])
    members = folder / "members.csv"
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance"
    members.write_text(f"{header}\nP0,某,260101,310,11,,500.00\n", encoding="utf-8")
    return {
        "enact": lambda book: book.enact("national-default", [260100, 470100], assumed=True),
        "register": lambda book: book.register(members),
        "intake": lambda book: book.intake(claims),
        "a second intake": lambda book: book.intake(more),
        "reverse": lambda book: book.reverse("S000001", "filed twice"),
        "clawback raise": lambda book: book.clawback_raise("case-1", "S000002", 100, "over standard"),
        "clawback collect": lambda book: book.clawback_collect("case-1", 40, "R1"),
        "close": lambda book: book.close(202401),
        "draft": lambda book: book.draft(202401),
        "check": lambda book: book.check(202401),
        "sign": lambda book: Ledger(book.store, "director", book.clock_us).sign(202401),
        "pay": lambda book: book.pay(202401),
        "confirm": lambda book: book.confirm(_first_payment(book), "R2"),
    }


def _first_payment(book: Ledger) -> str:
    return next(event[1] for event in events_of(book) if event[3].startswith("payment-instructed"))


@pytest.mark.parametrize("passing", [True, False], ids=["lost after the COMMIT", "lost before the COMMIT"])
def test_a_command_whose_outcome_was_unknown_can_be_given_again(
    passing: bool, url: str, sqlite_url: str, proxy: Proxy, tmp_path: Path
) -> None:
    """The line is cut at the COMMIT of every command: the outcome is unknown, and giving it again either does it or is
    refused by name because it is done; the log is then that of commands whose line held."""
    tried = done = 0
    with ledger.create(sqlite_url, actor="tester", clock_us=clock()) as whole:
        for give in commands(tmp_path).values():
            give(whole)
        expected = [event[1:4] for event in events_of(whole)]
    with ledger.create(url, actor="tester", clock_us=clock()) as book:
        for name, give in commands(tmp_path).items():
            before = len(events_of(book))
            proxy.arm_at(b"COMMIT\0", passing)
            with pytest.raises(OutcomeUnknown, match="before repeating it"):
                give(book)
            assert proxy.cut, name
            proxy.arm()
            with book.store.begin() as tx:
                is_there = tx.size > before
            assert is_there == passing, name
            try:
                give(book)
            except Refused:
                assert is_there, name
            tried, done = tried + 1, done + is_there
        assert [event[1:4] for event in events_of(book)] == expected
    report("commands cut at the COMMIT", tried=tried, committed=done, lost=0, twice=0)
