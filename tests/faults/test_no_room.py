"""PostgreSQL runs out of room: batches are refused or their outcome is unknown, and none acknowledged is lost."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ledger.store
from ledger.refusals import OutcomeUnknown, StoreError
from ledger.store import Store
from tests.faults.plan import report, times
from tests.faults.servers import SEGMENT_BYTES, server
from tests.store.samples import TOPICS, all_rows, append

#: What one event's state takes: below what PostgreSQL would move out of the row.
STATE_BYTES = 1_900


def batch(number: int) -> list[tuple[str, int, str, bytes]]:
    """Returns a batch of about a megabyte that cannot be compressed."""
    return [(f"batch-{number:04d}-{i:03d}", 1, TOPICS[0], os.urandom(STATE_BYTES)) for i in range(600)]


def fill(
    store: Store, kept: dict[int, list[tuple[str, int, str, bytes]]], first: int, most: int, failures: int = 3
) -> list[str]:
    """Appends batches until ``failures`` are not acknowledged and notes those that are; returns what was said."""
    said = []
    for number in range(first, first + most):
        rows = batch(number)
        try:
            append(store, rows)
        except (StoreError, OutcomeUnknown) as error:
            said.append(f"{type(error).__name__}: {error}")
            if len(said) == failures:
                break
        else:
            kept[number] = rows
    return said


def lost(store: Store, kept: dict[int, list[tuple[str, int, str, bytes]]]) -> list[str]:
    """Returns the batches acknowledged that are not there, and those of which only a part is."""
    rows = all_rows(store)
    wrong = [] if [row[0] for row in rows] == list(range(1, len(rows) + 1)) else ["positions are not 1, 2, 3, …"]
    there: dict[int, list[tuple[str, int, str, bytes]]] = {}
    for _, *event in rows:
        there.setdefault(int(event[0].split("-")[1]), []).append((event[0], event[1], event[2], event[3]))
    wrong += [
        f"batch {number} was acknowledged and is not there" for number in kept if there.get(number) != kept[number]
    ]
    return wrong + [f"batch {number} is not whole" for number, events in there.items() if len(events) != 600]


def test_a_server_that_may_write_no_larger_file_refuses_batches() -> None:
    """The table cannot grow, as on a full disk: the kernel refuses the server any file beyond 16 MiB (RLIMIT_FSIZE).
    Batches are refused, all acknowledged ones stay, and with room again the log goes on."""
    kept: dict[int, list[tuple[str, int, str, bytes]]] = {}
    with server() as running:
        running.start(SEGMENT_BYTES)
        with ledger.store.create(running.url) as store:
            said = fill(store, kept, 0, 60)
            assert len(said) == 3 and all("nothing was written" in text for text in said), said
            assert any("could not extend file" in text for text in said), said
            assert lost(store, kept) == []
        running.stop()
        running.start()
        with ledger.store.connect(running.url) as store:
            assert lost(store, kept) == []
            assert fill(store, kept, 100, 2) == []
            assert lost(store, kept) == []
            # The canary: a batch nobody acknowledged is missed where it is said to have been.
            assert lost(store, {**kept, 999: batch(999)}) == ["batch 999 was acknowledged and is not there"]
    report("no file beyond 16 MiB, PostgreSQL", batches_kept=len(kept), refused=len(said), lost=0)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path | None]:
    """Gives the folder of a file system of so many megabytes; None where this account may not mount one."""
    # Not under pytest's folder, which every run that starts closes to other accounts: the server is another one.
    folder = Path(tempfile.mkdtemp(prefix="ledger-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield folder if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def test_a_server_on_a_full_disk_loses_nothing() -> None:
    """The whole server on a disk of its own that fills up, write-ahead log and all, as far as this account may mount
    one: it may crash on it, and once there is room it recovers every acknowledged batch."""
    rounds = crashes = acknowledged = unknown = 0
    for number in range(times(1, 3)):
        with small_disk(128) as folder:
            if folder is None:
                # An account that may not mount a disk has the limit on files alone; the report says 0 disks.
                break
            with server(folder) as running:
                kept: dict[int, list[tuple[str, int, str, bytes]]] = {}
                running.start()
                ballast = folder / "ballast"
                ledger.store.create(running.url).close()
                free = os.statvfs(ballast.parent)
                room = free.f_bavail * free.f_bsize
                ballast.write_bytes(bytes(room - (6 + 4 * number << 20)))
                with ledger.store.connect(running.url) as store:
                    # A server that crashed on it cannot come back before there is room: one failure is enough.
                    said = fill(store, kept, 0, 60, 1)
                assert said
                unknown += sum("OutcomeUnknown" in text for text in said)
                ballast.unlink()
                crashes += "PANIC" in (running.data.parent / "server.log").read_text()
                running.stop(signal.SIGQUIT)
                running.start()
                with ledger.store.connect(running.url) as store:
                    assert lost(store, kept) == []
                    assert fill(store, kept, 100, 1) == []
                rounds, acknowledged = rounds + 1, acknowledged + len(kept)
    report("full disk, PostgreSQL", disks=rounds, crashes=crashes, batches_kept=acknowledged, unknown=unknown, lost=0)
    assert rounds == times(1, 3) or os.geteuid() != 0
