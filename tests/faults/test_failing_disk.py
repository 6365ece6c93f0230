"""Every read, write, sync and truncate of SQLite may fail: what the store says of a batch is what the log shows."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

import ledger
import ledger.store
import projections
from ledger.intake import run_intake
from ledger.profile import load_profile
from ledger.refusals import LedgerError, OutcomeUnknown, StoreError
from ledger.service import Ledger
from projections.reader import MODELS, Projections
from projections.tables import read_table
from tests.faults.apsw_connection import connector
from tests.faults.disk import Disk, mounted
from tests.faults.outcomes import Promises, broken
from tests.faults.plan import drawn, report, times
from tests.ledger.worlds import claim, clock, events_of, refund, write
from tests.store.samples import all_rows

CODES = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "delete": apsw.SQLITE_IOERR_DELETE,
}
BATCHES = 20


def failing(kind: str, at: int, again: bool, code: int) -> Disk:
    """Returns a disk whose ``at``-th operation of a kind fails, and every later one too where ``again``."""
    disk = Disk()

    def fault(what: str, file: str, size: int) -> None:
        nth = disk.counts[what]
        if what == kind and (nth == at or (again and nth > at)):
            raise apsw.exception_for(code)

    disk.fault = fault
    return disk


def write_some(url: str, disk: Disk) -> Promises:
    """Appends batches to a store that is there, over the disk, opening it anew every seven."""
    promises = Promises()
    with mounted(disk) as name:
        connect = connector(name, wal_autocheckpoint="16", cache_size="4")
        for start in range(0, BATCHES, 7):
            with (
                contextlib.suppress(LedgerError, sqlite3.Error),
                ledger.store.connect(url, connector=connect) as store,
            ):
                for number in range(start, min(start + 7, BATCHES)):
                    promises.append(store, number)
                    if number % 3:
                        continue
                    # Reading may fail, and must not answer wrongly.
                    with contextlib.suppress(StoreError):
                        rows = all_rows(store)
                        assert broken(rows, promises.kept, promises.refused) == []
    return promises


def after(url: str, promises: Promises) -> list[str]:
    """Returns what is wrong with the store once the disk is sound again."""
    with ledger.store.connect(url) as store:
        wrong = broken(all_rows(store), promises.kept, promises.refused)
        with store.read() as reader:
            if reader.query("PRAGMA integrity_check") != [("ok",)]:
                wrong.append("unsound")
        more = Promises()
        more.append(store, BATCHES)
        return wrong + more.errors


def fresh(folder: Path) -> str:
    """Returns the URL of an empty store in a new folder."""
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.db'}"
    ledger.store.create(url).close()
    return url


@pytest.mark.parametrize("kind", sorted(CODES))
def test_what_is_said_of_a_batch_holds_whichever_operation_fails(kind: str, tmp_path: Path) -> None:
    """Whichever operation fails, once or from then on: acknowledged is there, refused is not, and nothing is half."""
    probe = Disk()
    write_some(fresh(tmp_path / "probe"), probe)
    total = probe.counts[kind]
    rng = drawn(f"failing {kind}")
    chosen = range(1, total + 1) if times(0, 1) else sorted(rng.sample(range(1, total + 1), min(total, 6)))
    tried = refused = unknown = 0
    for nth, at in enumerate(chosen):
        # Each fails once; every third also for good, from then on.
        for again in (False, True) if nth % 3 == 0 else (False,):
            disk = failing(kind, at, again, CODES[kind])
            disk.short = kind == "write" and at % 2 == 0
            folder = tmp_path / f"{kind}-{at}-{again}"
            url = fresh(folder)
            promises = write_some(url, disk)
            assert after(url, promises) == [], (at, again, disk.short)
            shutil.rmtree(folder)
            tried += 1
            refused += len(promises.refused)
            unknown += len(promises.unknown)
    report(f"failing {kind}", tried=tried, operations=total, refused=refused, outcome_unknown=unknown, broken=0)
    assert refused + unknown or kind in ("truncate", "delete")


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """A disk with room for only so many bytes more, whole pages or half of one: batches are refused, none is half."""
    rng, tried, refused, unknown = drawn("full disk"), 0, 0, 0
    for trial in range(times(6, 300)):
        room = rng.randrange(200_000)
        disk = Disk(short=trial % 2 == 1)
        left = [room]

        def fault(kind: str, file: str, size: int, left: list[int] = left) -> None:
            if kind == "write":
                if size > left[0]:
                    raise apsw.exception_for(apsw.SQLITE_FULL)
                left[0] -= size

        disk.fault = fault
        url = fresh(tmp_path / f"full-{trial}")
        promises = write_some(url, disk)
        assert after(url, promises) == [], room
        tried, refused, unknown = tried + 1, refused + len(promises.refused), unknown + len(promises.unknown)
    report("full disk", tried=tried, refused=refused, outcome_unknown=unknown, broken=0)
    assert refused


def test_a_forged_acknowledgement_is_noticed(tmp_path: Path) -> None:
    """The canary: one batch said to be kept that is not, one said to be refused that is there, and one cut in two."""
    url = fresh(tmp_path / "forged")
    promises = write_some(url, Disk())
    assert promises.kept == list(range(BATCHES))
    with ledger.store.connect(url) as store:
        rows = all_rows(store)
    assert broken(rows, promises.kept) == []
    assert broken(rows, [*promises.kept, 99]) == ["batch 99 was acknowledged and is lost"]
    assert broken(rows, promises.kept[1:], [0]) == ["batch 0 was refused and is there"]
    assert broken(rows[:-1], promises.kept[:-1]) == [f"batch {BATCHES - 1} is not whole"]
    assert broken(rows[1:], []) != []


def some_claims() -> list[dict[str, str]]:
    """Returns claims of four persons with a refund, a duplicate and one that cannot be booked."""
    rows = [claim(i, psn_no=f"P{i % 4}", insutype="310", psn_type="11") for i in range(14)]
    return [*rows, refund(rows[3], 90), rows[5], claim(91, insu_admdvs="999999")]


def take_in(book: Ledger, path: Path) -> None:
    """Takes the file in, in batches of four rows."""
    run_intake(
        book, path, load_profile(), reason="", retry=False, dry_run=False, progress=None, quarantine=None, batch_rows=4
    )


def whole_run(url: str, path: Path, connect: Callable[..., object] | None = None) -> None:
    """Opens a ledger, enacts, takes the file in and brings the read side up to it."""
    with Ledger(ledger.store.create(url, connector=connect), "tester", clock()) as book:
        book.enact("national-default", [260100, 470100], assumed=True)
        take_in(book, path)
        Projections(book.store, page_events=8).catch_up()


def tables_of(read: Projections, url: str) -> dict[str, object]:
    """Returns every row of every read model."""
    with ledger.store.connect(url) as store, store.read() as reader:
        return {table.name: read_table(reader, table) for model in MODELS for table in model.tables}


def test_an_intake_over_a_failing_disk_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """An intake that a disk fault stopped anywhere, run again, leaves the very decisions of one that was not stopped,
    and read models that are those of a replay."""
    path = write(tmp_path / "claims.csv", some_claims())
    whole, rng, tried, stopped = tmp_path / "whole.db", drawn("failing intake"), 0, 0
    probe = Disk()
    with mounted(probe) as name:
        whole_run(f"sqlite:///{whole}", path, connector(name))
    with ledger.open(f"sqlite:///{whole}", actor="auditor") as book:
        expected = decisions(book)
    for trial in range(times(5, 250)):
        kind = rng.choice(("read", "write", "sync"))
        disk = failing(kind, rng.randrange(1, probe.counts[kind] + 1), rng.random() < 0.5, CODES[kind])
        url = f"sqlite:///{tmp_path / f'{trial}.db'}"
        with mounted(disk) as name:
            try:
                whole_run(url, path, connector(name))
            except (LedgerError, sqlite3.Error):
                stopped += 1
        whole_run(url, path)
        with ledger.open(url, actor="auditor") as book, projections.open(url) as read:
            assert decisions(book) == expected
            assert read.verify() == []
            held = tables_of(read, url)
            read.rebuild()
            assert tables_of(read, url) == held
        tried += 1
    report("intake over a failing disk", tried=tried, stopped=stopped, different=0)
    assert stopped


def decisions(book: Ledger) -> list[tuple[str, int, str, bytes]]:
    """Returns what was decided of every claim, without the positions that an earlier attempt may have moved."""
    import msgspec

    from ledger.mapper import decode_event, encode_event

    found = []
    for _, stream, version, topic, state in events_of(book):
        if not stream.startswith("claim-"):
            continue
        event = decode_event(topic, state)
        fields = {name: 0 for name in ("cause", "claim", "original") if name in event.__struct_fields__}
        found.append((stream, version, topic, encode_event(msgspec.structs.replace(event, **fields))))
    return sorted(found)


def test_a_failed_sync_is_an_unknown_outcome(tmp_path: Path) -> None:
    """A commit whose sync failed may or may not come back: the store says so instead of guessing."""
    url = fresh(tmp_path / "unknown")
    disk = Disk()
    with mounted(disk) as name, ledger.store.connect(url, connector=connector(name)) as store:
        disk.fault = lambda kind, file, size: _raise(apsw.SQLITE_IOERR_FSYNC) if kind == "sync" else None
        with pytest.raises(OutcomeUnknown, match="look whether the command is in the log"):
            promises = Promises()
            with store.begin(lambda: 1) as tx:
                tx.add_persons([("somebody", "")])
        disk.fault = lambda kind, file, size: None
        promises.append(store, 1)
        assert promises.kept == [1]


def _raise(code: int) -> None:
    raise apsw.exception_for(code)
