"""The same commands at once, from processes and threads, on both databases: each has its effect once."""

import multiprocessing
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.refusals import Refused
from ledger.service import Ledger
from projections.reader import Projections
from tests.faults.plan import report, times
from tests.ledger.worlds import claim, clock, events_of, opened, write

WRITERS = times(4, 8)

#: What each command is refused for where another has done it; one that is simply done already is refused for nothing.
DONE = {
    "enact": None,
    "register": None,
    "intake": None,
    "reverse": "already_reversed",
    "clawback raise": "stream_exists",
    "clawback collect": "stream_exists",
    "close": "period_closed",
    "draft": "clearing_stands",
    "check": "clearing_stands",
    "sign": "clearing_stands",
    "pay": "already_paid",
    "confirm": "already_paid",
}


def files(folder: Path) -> Path:
    """Writes the files the commands take in."""
    rows = [claim(i, psn_no=f"P{i % 3}", insutype="310", psn_type="11") for i in range(9)]
    write(folder / "claims.csv", rows)
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance"
    (folder / "members.csv").write_text(f"{header}\nP0,某,260101,310,11,,500.00\n", encoding="utf-8")
    return folder


def give(book: Ledger, name: str, folder: Path) -> object:
    """Gives one command."""
    if name == "enact":
        return book.enact("qingyuan", [441800])
    if name == "register":
        return book.register(folder / "members.csv")
    if name == "intake":
        return book.intake(folder / "claims.csv", quarantine=folder / f"q-{threading.get_ident()}.csv")
    if name == "reverse":
        return book.reverse("S000001", "filed twice")
    if name == "clawback raise":
        return book.clawback_raise("case-1", "S000002", 100, "over standard")
    if name == "clawback collect":
        return book.clawback_collect("case-1", 40, "R1")
    if name == "close":
        return book.close(202401)
    if name == "draft":
        return book.draft(202401)
    if name == "check":
        return book.check(202401)
    if name == "sign":
        return Ledger(book.store, "director", book.clock_us).sign(202401)
    if name == "pay":
        return book.pay(202401)
    payment = next(event[1] for event in events_of(book) if event[3].startswith("payment-instructed"))
    return book.confirm(payment, "R2")


def outcome(book: Ledger, name: str, folder: Path) -> str:
    """Gives a command and returns ``done``, or what it was refused for."""
    try:
        give(book, name, folder)
    except Refused as refused:
        return refused.refusal.code
    return "done"


def _process(url: str, folder: str, name: str, gate: Any, said: Any) -> None:
    with ledger.open(url, actor="process", clock_us=clock()) as book:
        for each in DONE if name == "all" else [name]:
            gate.wait(60)
            said.put((each, outcome(book, each, Path(folder))))


def checked(url: str, alone: list[tuple[str, int, str]], said: dict[str, Counter[str]], writers: int) -> None:
    """Checks that the log is that of one writer alone, and that the others were told by name or found it done."""
    with ledger.open(url, actor="auditor") as book:
        there = [event[1:4] for event in events_of(book)]
        assert Counter(_named(there)) == Counter(_named(alone))
        assert Projections(book.store).verify() == []
        assert book.replay(202401).differences == ()
    for name, refusal in DONE.items():
        assert said[name].total() == writers, name
        if refusal is None:
            assert said[name] == Counter({"done": writers}), name
        else:
            assert said[name]["done"] == 1 and set(said[name]) <= {"done", refusal}, (name, said)


def _named(events: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Returns events without those that name a position: commands, and findings about a claim's position."""
    return [event for event in events if not event[0].startswith(("command-", "job-"))] + [
        ("command", 0, topic) for stream, _, topic in events if stream.startswith("command-")
    ]


@pytest.fixture
def alone(tmp_path: Path) -> list[tuple[str, int, str]]:
    """Returns the events that the commands leave where one writer gives each of them once."""
    folder = tmp_path / "alone"
    folder.mkdir()
    with opened(f"sqlite:///{folder / 'alone.db'}") as book:
        files(folder)
        for name in DONE:
            give(book, name, folder)
        return [event[1:4] for event in events_of(book)]


def test_the_same_commands_from_processes_have_one_effect(
    store_url: str, tmp_path: Path, alone: list[tuple[str, int, str]]
) -> None:
    """Processes that give every command at the same moment: one of each has its effect, the others find it done."""
    opened(store_url).close_store()
    files(tmp_path)
    context, writers = multiprocessing.get_context("spawn"), times(3, 8)
    gate, said = context.Barrier(writers), context.Queue()
    processes = [
        context.Process(target=_process, args=(store_url, str(tmp_path), "all", gate, said)) for _ in range(writers)
    ]
    for process in processes:
        process.start()
    heard: dict[str, Counter[str]] = {name: Counter() for name in DONE}
    for _ in range(writers * len(DONE)):
        name, what = said.get(timeout=120)
        heard[name][what] += 1
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    checked(store_url, alone, heard, writers)
    report("the same commands from processes", writers=writers, commands=len(DONE), effects_twice=0)


@pytest.mark.parametrize("shared", [True, False], ids=["one ledger", "a ledger each"])
def test_the_same_commands_from_threads_have_one_effect(
    shared: bool, store_url: str, tmp_path: Path, alone: list[tuple[str, int, str]]
) -> None:
    """Threads with one ledger between them, or one each, giving every command at the same moment: one effect each."""
    heard: dict[str, Counter[str]] = {name: Counter() for name in DONE}
    failures: list[BaseException] = []
    lock, gate = threading.Lock(), threading.Barrier(WRITERS)
    with opened(store_url) as common:
        files(tmp_path)

        def work() -> None:
            book = common if shared else ledger.open(store_url, actor="thread", clock_us=clock())
            try:
                for name in DONE:
                    gate.wait(60)
                    what = outcome(book, name, tmp_path)
                    with lock:
                        heard[name][what] += 1
            except BaseException as error:
                failures.append(error)
                gate.abort()
            finally:
                if not shared:
                    book.close_store()

        threads = [threading.Thread(target=work) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert failures == []
    checked(store_url, alone, heard, WRITERS)
    report("the same commands from threads", writers=WRITERS, commands=len(DONE), effects_twice=0)


def test_an_effect_that_is_there_twice_is_noticed(
    sqlite_url: str, tmp_path: Path, alone: list[tuple[str, int, str]]
) -> None:
    """The canary: a second part collected under a receipt of its own is not what one writer alone leaves."""
    with opened(sqlite_url) as book:
        files(tmp_path)
        for name in DONE:
            give(book, name, tmp_path)
        book.clawback_collect("case-1", 40, "R1-again")
    said = {name: Counter({"done": 1}) for name in DONE}
    with pytest.raises(AssertionError):
        checked(sqlite_url, alone, said, 1)
