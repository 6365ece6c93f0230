"""Several processes and threads, killed ones, lost connections: the log stays one serial order without gaps."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psycopg
import pytest

import ledger.store
from ledger.refusals import OutcomeUnknown, StoreError
from ledger.store import Store
from tests.store.samples import TOPICS, all_rows, append, block_of, many

WRITER = """
import sys
import ledger.store
from tests.store.samples import TOPICS, block_of, many
url, name, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
with ledger.store.connect(url) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(turns):
        rows = many(f"claim-{name}-{turn}", (turn * 137) % 701)
        with store.begin() as tx:
            version = tx.stream_heads(["counter"]).get("counter", 0) + 1
            tx.append(block_of([*rows, ("counter", version, TOPICS[2], f"{name}-{turn}".encode())]))
"""

DYING = """
import sys, time
import ledger.store
from tests.store.samples import block_of, many
with ledger.store.connect(sys.argv[1]) as store, store.begin() as tx:
    tx.append(block_of(many("claim-dying", 5_000)))
    tx.add_persons([("gone", "")])
    print("appended", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store


@pytest.fixture
def run(store: Store) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, store.url, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def test_two_processes_give_a_serial_order(store: Store, run: Callable[..., subprocess.Popen[str]]) -> None:
    """Two writers at once: no gaps, every transaction's events together, and each sees what the one before it wrote."""
    turns = 25
    writers = [run(WRITER, name, str(turns)) for name in ("a", "b")]
    for writer in writers:
        assert _pipe(writer.stdout).readline() == "ready\n"
    for writer in writers:
        _pipe(writer.stdin).write("go\n")
        _pipe(writer.stdin).flush()
    for writer in writers:
        assert writer.wait(timeout=60) == 0
    rows = all_rows(store)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [row[2] for row in rows if row[1] == "counter"] == list(range(1, 2 * turns + 1))
    expected = []
    for position, _, _, _, state in [row for row in rows if row[1] == "counter"]:
        name, turn = state.decode().split("-")
        own = many(f"claim-{name}-{turn}", (int(turn) * 137) % 701)
        expected += own
        assert [row[1:] for row in rows[position - 1 - len(own) : position - 1]] == own
    assert len(rows) == len(expected) + 2 * turns


def test_threads_share_a_store(store: Store) -> None:
    """Threads of one process take turns; a reader is not kept waiting by them, nor they by it."""
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for turn in range(10):
                with store.begin() as tx:
                    version = tx.stream_heads(["counter"]).get("counter", 0) + 1
                    tx.append(block_of([(f"{name}-{turn}", 1, TOPICS[0], b""), ("counter", version, TOPICS[0], b"")]))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    with store.read() as before:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert before.size == 0 and list(before.pages()) == []
    assert failures == []
    assert [row[0] for row in all_rows(store)] == list(range(1, 81))


def test_reading_inside_a_writing_block_does_not_wait(store: Store) -> None:
    """While one thread writes and another waits to, the first can still read what was committed."""
    waiting = threading.Thread(target=append, args=(store, many("claim-2", 2)))
    with store.begin() as tx:
        tx.append(block_of(many("claim-1", 2)))
        waiting.start()
        time.sleep(0.1)
        started = time.monotonic()
        assert all_rows(store) == []
        assert time.monotonic() - started < 5
    waiting.join()
    assert len(all_rows(store)) == 4


def test_a_killed_writer_leaves_nothing(store: Store, run: Callable[..., subprocess.Popen[str]]) -> None:
    """A process killed before its commit has written nothing, and the next writer need not wait for anyone."""
    append(store, many("claim-before", 2))
    dying = run(DYING)
    assert _pipe(dying.stdout).readline() == "appended\n"
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    assert append(store, many("claim-after", 2)) == 3
    with store.read() as reader:
        assert reader.tokens(["gone"]) == {} and reader.size == 4
    assert [row[0] for row in all_rows(store)] == [1, 2, 3, 4]


def test_a_store_does_not_cross_a_fork(store: Store) -> None:
    """A child process that inherits an open store is told to open its own."""
    child = os.fork()
    if child == 0:
        try:
            with store.read():
                os._exit(1)
        except StoreError as error:
            os._exit(0 if "fork" in str(error) else 2)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert append(store, many("claim-1", 2)) == 1


def test_a_child_that_ends_leaves_the_stores_connections_to_its_parent(store: Store) -> None:
    """Closed in a forked child, a store neither waits for the parent's blocks nor cuts its connections off."""
    reader, writer = os.pipe()
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with store.read():
            reading.set()
            assert done.wait(30)

    thread = threading.Thread(target=read)
    thread.start()
    assert reading.wait(30)
    child = os.fork()
    if child == 0:
        try:
            os.read(reader, 1)
            signal.alarm(10)
            store.close()
            os._exit(0)
        finally:
            os._exit(1)
    with store.begin() as tx:
        os.write(writer, b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        tx.append(block_of(many("claim-1", 2)))
    done.set()
    thread.join(30)
    os.close(reader)
    os.close(writer)
    assert [row[0] for row in all_rows(store)] == [1, 2]


def test_a_closed_store_says_so(store: Store) -> None:
    """A store used after its end raises StoreError."""
    store.close()
    for opening in (store.read, store.begin, store.write):
        with pytest.raises(StoreError), opening():
            pass


def test_a_store_closed_inside_a_block_wrote_nothing(store: Store) -> None:
    """Closing a store under an open block ends the block as a failed one."""
    with pytest.raises(StoreError), store.begin() as tx:
        tx.append(block_of(many("claim-1", 2)))
        if store.dialect == "sqlite":
            store.close()
        else:
            tx.query("SELECT pg_terminate_backend(pg_backend_pid())")
    with ledger.store.connect(store.url) as again:
        assert all_rows(again) == []


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    with ledger.store.create(postgres_url) as store:
        yield store


def _cut(server: str, store: Store, where: str) -> int:
    """Ends the store's connections that match, and returns how many they were."""
    with psycopg.connect(server, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE application_name = 'settlement-ledger' AND pid <> pg_backend_pid() AND {where}"
        ).fetchall()
    return len(ended)


def test_a_connection_lost_before_the_commit_wrote_nothing(postgres_server: str, postgres_store: Store) -> None:
    """The server ends the connection inside a block: StoreError, nothing kept, and the store goes on."""
    with pytest.raises(StoreError, match="nothing was written"), postgres_store.begin() as tx:
        tx.append(block_of(many("claim-1", 2)))
        assert _cut(postgres_server, postgres_store, "state = 'idle in transaction'") >= 1
        tx.append(block_of(many("claim-2", 2)))
    assert append(postgres_store, many("claim-3", 2)) == 1


def test_a_commit_interrupted_between_its_text_and_its_rows_wrote_nothing(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short block's COPY and COMMIT are one text, its rows come behind: without them the server commits nothing."""
    with monkeypatch.context() as patch:
        patch.setattr("ledger.store.postgres_link.feed", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            append(postgres_store, many("claim-1", 150))
    assert append(postgres_store, many("claim-2", 150)) == 1
    assert {row[1][:7] for row in all_rows(postgres_store)} == {"claim-2"}


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("size", [2, 150])
def test_who_goes_on_behind_an_interrupted_question_commits_nothing(
    size: int, postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited for the question is gone with it: the transaction is not committed without."""
    with pytest.raises(StoreError, match="KeyboardInterrupt"), postgres_store.begin() as tx:
        tx.append(block_of(many("claim-1", size)))
        with monkeypatch.context() as patch:
            patch.setattr("ledger.store.postgres_link.ask", _interrupted)
            patch.setattr("ledger.store.postgres_link.Puts.taken", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                tx.query("SELECT 1")
    assert append(postgres_store, many("claim-2", size)) == 1


@pytest.mark.parametrize("size", [2, 150])
def test_what_waited_goes_nowhere_behind_its_transaction(size: int, postgres_store: Store) -> None:
    """Whoever keeps a transaction and asks it something afterwards sends nothing of what was rolled back."""
    with pytest.raises(ZeroDivisionError), postgres_store.begin() as tx:
        tx.append(block_of(many("claim-1", size)))
        raise ZeroDivisionError
    tx.query("SELECT 1")
    assert append(postgres_store, many("claim-2", size)) == 1
    assert len(all_rows(postgres_store)) == size


def test_an_interrupted_beginning_gives_its_connection_back(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock on the head goes with it: whoever appends next need not wait for a collection of garbage."""

    def begun_and_interrupted(connection: psycopg.Connection[tuple[object, ...]], statements: bytes) -> None:
        connection.execute(statements)
        raise KeyboardInterrupt

    append(postgres_store, many("claim-1", 2))
    for _ in range(20):
        with monkeypatch.context() as patch:
            patch.setattr("ledger.store.postgres.ask", begun_and_interrupted)
            with pytest.raises(KeyboardInterrupt):
                append(postgres_store, many("claim-2", 2))
    assert append(postgres_store, many("claim-2", 2)) == 3


def test_a_short_block_of_many_bytes_goes_in(postgres_store: Store) -> None:
    """However much 150 events say: what is too much to wait is under way at once, as a long block is."""
    rows = [(f"claim-{i}", 1, TOPICS[0], bytes([i]) * (50 << 10)) for i in range(150)]
    assert append(postgres_store, rows) == 1
    assert [row[4] for row in all_rows(postgres_store)] == [row[3] for row in rows]


def test_idle_connections_the_server_dropped_are_replaced(postgres_server: str, postgres_store: Store) -> None:
    """After a restart of the server the next block simply gets a new connection."""
    append(postgres_store, many("claim-1", 2))
    assert _cut(postgres_server, postgres_store, "state = 'idle'") >= 1
    assert append(postgres_store, many("claim-2", 2)) == 3


def test_a_connection_lost_in_the_commit_is_an_unknown_outcome(postgres_server: str, postgres_store: Store) -> None:
    """Whether a commit took effect is unknown when the connection is lost in it: an error apart from refusals."""
    with postgres_store.write() as writer:
        writer.execute(
            "CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN PERFORM pg_sleep(30); RETURN NULL; END$$"
        )
        writer.execute(
            "CREATE CONSTRAINT TRIGGER slow_commit AFTER UPDATE ON log_head DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow_commit()"
        )
    caught: list[BaseException] = []

    def commit() -> None:
        try:
            append(postgres_store, many("claim-1", 2))
        except BaseException as error:
            caught.append(error)

    committing = threading.Thread(target=commit)
    committing.start()
    deadline = time.monotonic() + 20
    while not _cut(postgres_server, postgres_store, "query LIKE '%COMMIT' AND state = 'active'"):
        assert time.monotonic() < deadline, "the commit never began"
        time.sleep(0.02)
    committing.join(timeout=20)
    assert [type(error) for error in caught] == [OutcomeUnknown]
    with postgres_store.write() as writer:
        writer.execute("DROP TRIGGER slow_commit ON log_head")
    assert append(postgres_store, many("claim-1", 2)) == 1


SLEEPING_TEST = """
import time

def test_sleep(postgres_server, tmp_path):
    import psycopg
    with psycopg.connect(postgres_server) as connection:
        folder = connection.execute("SHOW data_directory").fetchone()[0]
    print("SERVER", folder, flush=True)
    time.sleep(60)
"""


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_terminated_test_run_stops_its_server(tmp_path: Path) -> None:
    """The PostgreSQL server of a test run ends with it, also when the run is terminated."""
    file = tmp_path / "test_sleep.py"
    file.write_text(SLEEPING_TEST)
    environment = {key: value for key, value in os.environ.items() if key != "LEDGER_TEST_POSTGRES"}
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        folder = Path(next(line.split()[-1] for line in _pipe(run.stdout) if "SERVER" in line))
        postmaster = int((folder / "postmaster.pid").read_text().split()[0])
        assert _runs(postmaster)
        run.terminate()
        assert run.wait(timeout=30) == -signal.SIGTERM
    finally:
        run.kill()
        run.communicate()
    deadline = time.monotonic() + 20
    while _runs(postmaster):
        assert time.monotonic() < deadline, "the server still runs"
        time.sleep(0.05)
    assert not folder.exists()
