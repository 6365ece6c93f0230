"""Is the process that the kill tests raise their writers in: it has imported everything, and forks one a line.

A writer takes files in and says so on standard output once a transaction is committed; whoever reads may kill it at
any moment. It is a process of its own so that no thread of the test run is forked.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import ledger
import ledger.intake
import ledger.replay
import ledger.store.person_blocks
import ledger.store.postgres
import ledger.store.run_writer
import ledger.store.runs
import ledger.store.sqlite
import ledger.store.text_runs
import ledger.store.tidying
from ledger import writing
from ledger.block import EventBlock
from ledger.intake import ClaimJob, run_job
from ledger.profile import load_profile
from ledger.source import open_source
from ledger.store import Store
from ledger.store.run_writer import RunWriter
from projections.reader import Projections

BATCH_ROWS = 3

# A child should not have to import what only some writers need.
for needed in ("psycopg", "pyarrow"):
    importlib.import_module(needed)


def say(text: str) -> None:
    """Writes a line at once and whole."""
    os.write(1, (text + "\n").encode())


def take_in(url: str, files: list[str], fault: str) -> None:
    """Takes files in, batch by batch, and brings the read side up after each; says what is committed.

    ``fault`` plants what the harness must find: ``early`` says so before the commit and dies in it, ``half`` commits
    a batch without its last event, ``unmerged`` takes runs of person-years away before it merges them, and dies.
    ``folding-N`` and ``merging-N`` die where the N-th piece of what runs have would be written, all others before it.
    """
    with ledger.open(url, actor="writer") as book:
        if fault == "half":
            _halve()
        if fault == "unmerged":
            ledger.intake.merge_runs = _take_away
        if fault.startswith(("folding", "merging")):
            _die_tidying(*fault.split("-"))
        read = Projections(book.store, page_events=16)
        for path in files:
            profile = load_profile()
            job = (EarlyJob if fault == "early" else ClaimJob)(book, open_source(Path(path), profile), profile, "")

            def told(row: int, path: str = path) -> None:
                say(f"kept {row} {path}")
                read.catch_up()

            run_job(job, retry=False, dry_run=False, progress=told, quarantine=None, batch_rows=BATCH_ROWS)
            say(f"done 0 {path}")


class EarlyJob(ClaimJob):
    """Is a job that says what is kept before it is, and dies."""

    def book(self, tx: Any, columns: Any) -> None:
        """Books, speaks and dies."""
        super().book(tx, columns)
        say(f"kept {self.next_row - 1} {self.source.path}")
        os.kill(os.getpid(), signal.SIGKILL)


def _take_away(store: Store, beyond: int = 0) -> None:
    with store.begin() as tx:
        if len(tx.query("SELECT run FROM person_year_run")) <= beyond:
            return
        tx.execute("DELETE FROM person_year_run")
    os.kill(os.getpid(), signal.SIGKILL)


def _die_tidying(work: str, piece: str) -> None:
    # Every batch's run stands until the end of the file.
    ledger.intake.MOST_RUNS = 99
    ledger.store.tidying.FOLDED_ROWS = 99 if work == "folding" else 0
    left = int(piece)

    def dying(write: Any) -> Any:
        def written(self: Any, *arguments: Any) -> None:
            nonlocal left
            # A batch's own run bears its position.
            left -= not any(isinstance(each, int) and each == self._size for each in arguments)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            write(self, *arguments)

        return written

    for name in ("put_run", "put_texts") if work == "folding" else ("save_merged", "add_texts"):
        setattr(RunWriter, name, dying(getattr(RunWriter, name)))


def _halve() -> None:
    whole = writing._block

    def half(*arguments: Any) -> EventBlock:
        block = whole(*arguments)
        n = max(0, len(block) - 1)
        return EventBlock(
            block.streams._replace(offsets=block.streams.offsets[: n + 1]),
            block.versions[:n],
            block.topics[:n],
            block.topic_names,
            block.states._replace(offsets=block.states.offsets[: n + 1]),
        )

    writing._block = half


def main() -> None:
    """Forks a writer for every line {url, files, fault} on standard input; an empty line ends it."""
    # Every batch of two persons leaves a run, and every third batch merges them, in two transactions or more.
    ledger.store.run_writer.RUN_ROWS, ledger.intake.MOST_RUNS = 2, 2
    ledger.store.person_blocks.BLOCK_PERSONS = 2
    ledger.store.runs.PAGE_ROWS = ledger.store.text_runs.PAGE_ROWS = 1
    ledger.store.text_runs.MERGED_ROWS = 4
    # Where keys lie over each other at the end, some files' runs are folded, others' merged.
    ledger.store.tidying.FEW_RUNS, ledger.store.tidying.FOLDED_ROWS = 1, 8
    say("ready")
    for line in sys.stdin:
        if not line.strip():
            return
        order = json.loads(line)
        named, naming = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                # Whoever reads hears the writer's process id before anything it says.
                os.read(named, 1)
                take_in(order["url"], order["files"], order["fault"])
            except Exception as error:
                say(f"error 0 {type(error).__name__}: {' '.join(str(error).split())}")
            finally:
                os._exit(0)
        say(f"pid {child} -")
        os.write(naming, b"!")
        os.waitpid(child, 0)
        os.close(named)
        os.close(naming)
        say("end 0 -")


if __name__ == "__main__":
    main()
