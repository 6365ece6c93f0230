"""The power may go at any moment: what was not synced is gone or half there, and no acknowledged batch is."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import ledger.store
from ledger.refusals import LedgerError, StoreError
from tests.faults.apsw_connection import connector
from tests.faults.disk import Disk, Image, mounted
from tests.faults.outcomes import Promises, broken
from tests.faults.plan import drawn, report, times
from tests.store.samples import all_rows

BATCHES = 24


def write_some(folder: Path, disk: Disk, **pragmas: str) -> Promises:
    """Appends batches over the disk, closing and opening the store now and then, and marks each acknowledgement."""
    promises = Promises()
    url = f"sqlite:///{folder / 'ledger.db'}"
    with mounted(disk) as name:
        connect = connector(name, wal_autocheckpoint="24", **pragmas)
        number = 0
        while number < BATCHES:
            # A connection closes with an error where its last checkpoint fails; sqlite3 would not say so.
            with contextlib.suppress(LedgerError, sqlite3.Error), ledger.store.create(url, connector=connect) as store:
                for _ in range(8):
                    promises.append(store, number, disk.mark)
                    number += 1
    return promises


def cuts(disk: Disk, rng: random.Random, every: int) -> Iterator[tuple[dict[str, bytes], list[int]]]:
    """Yields what a power cut leaves after some of the operations, and what had been acknowledged by then."""
    image, told = Image(), []
    for at, operation in enumerate(disk.log):
        image.take(operation)
        if operation.kind == "mark":
            told.append(operation.number)
        if at % every == rng.randrange(every):
            yield image.cut(rng, rng.choice((0.0, 0.1, 0.5, 0.9, 1.0))), list(told)


def found_after(files: dict[str, bytes], folder: Path, told: list[int], refused: list[int]) -> list[str]:
    """Returns what is wrong with a store found after a power cut, opened with the ordinary driver."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        with ledger.store.connect(f"sqlite:///{folder / 'ledger.db'}") as store:
            with store.read() as reader:
                sound = reader.query("PRAGMA integrity_check")
                size = reader.size
            rows = all_rows(store)
    except StoreError as error:
        # Before the first acknowledgement there may be no store yet.
        return [f"cannot be opened: {error}"] if told else []
    return broken(rows, told, refused) + ([] if sound == [("ok",)] and size == len(rows) else [f"unsound: {sound}"])


def losses(tmp_path: Path, rng: random.Random, every: int, **pragmas: str) -> tuple[int, list[str]]:
    """Returns how many power cuts were tried on a store with these settings, and what was wrong after them."""
    disk = Disk()
    folder = tmp_path / "written"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    promises = write_some(folder, disk, **pragmas)
    assert promises.kept == list(range(BATCHES))
    tried, wrong = 0, []
    for files, told in cuts(disk, rng, every):
        tried += 1
        wrong += found_after(files, tmp_path / "found", told, [])
    return tried, wrong


def test_no_power_cut_loses_an_acknowledged_batch(tmp_path: Path) -> None:
    """Whenever the power goes and whatever unsynced sectors survive, every acknowledged batch is there and whole."""
    rng, tried = drawn("power cuts"), 0
    for _ in range(times(1, 12)):
        more, wrong = losses(tmp_path, rng, times(6, 1))
        assert wrong == []
        tried += more
    report("power cuts, synchronous=FULL", tried=tried, batches_lost=0)
    assert tried > times(60, 3_000)


@pytest.mark.parametrize("setting", ["OFF", "NORMAL"])
def test_the_power_cuts_do_lose_what_is_not_synced(setting: str, tmp_path: Path) -> None:
    """The canary: with a weaker ``synchronous`` the same power cuts lose acknowledged batches, and this sees it."""
    tried, wrong = losses(tmp_path, drawn(f"power cuts {setting}"), times(6, 1), synchronous=setting)
    lost = [text for text in wrong if "was acknowledged and is lost" in text or "cannot be opened" in text]
    report(f"power cuts, synchronous={setting}", tried=tried, losses_seen=len(lost))
    assert lost


def test_a_sync_that_failed_and_dropped_its_data_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A disk that fails one sync, forgets what it was to write and then works again loses no acknowledged batch."""
    rng, tried = drawn("dropped syncs"), 0
    probe = Disk()
    (tmp_path / "probe").mkdir()
    write_some(tmp_path / "probe", probe)
    syncs = probe.counts["sync"]
    for trial in range(times(10, syncs)):
        nth = rng.randrange(1, syncs + 1) if times(1, 0) else trial + 1
        disk = Disk()

        def fail(kind: str, file: str, size: int, disk: Disk = disk, nth: int = nth) -> None:
            if kind == "sync" and disk.counts["sync"] == nth:
                raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)

        disk.fault = fail
        folder = tmp_path / f"written-{trial}"
        folder.mkdir()
        promises = write_some(folder, disk)
        image = Image()
        for operation in disk.log:
            image.take(operation)
        for kept in (0.0, 0.5):
            tried += 1
            wrong = found_after(image.cut(rng, kept), tmp_path / "found", promises.kept, promises.refused)
            assert wrong == [], (nth, promises)
    report("failed syncs and a power cut", tried=tried, batches_lost=0)
