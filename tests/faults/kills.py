"""Raises writers, kills them at any moment, and holds the log against what they had said until then."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.events import JobBatch
from ledger.keys import claim_stream, job_stream
from ledger.mapper import decode_event
from ledger.profile import load_profile
from ledger.service import Ledger
from ledger.source import open_source
from projections.reader import MODELS, Projections
from projections.tables import read_table
from tests.ledger.worlds import REPOSITORY, claim, write

ROWS = 12


@dataclass
class Said:
    """Is what a writer said before its end: the rows committed of each file, and the files it finished."""

    rows: dict[Path, int] = field(default_factory=dict)
    done: list[Path] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Nursery:
    """Is the process that forks writers, one at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def raised(self, url: str, files: Sequence[Path], fault: str = "") -> int:
        """Has a writer raised that takes files in, and returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(
            json.dumps({"url": url, "files": [str(file) for file in files], "fault": fault}) + "\n"
        )
        self._process.stdin.flush()
        kind, pid, _ = self._line().split(" ", 2)
        assert kind == "pid"
        return int(pid)

    def heard(self) -> Said:
        """Returns what the writer said, once it has ended."""
        said = Said()
        while True:
            kind, number, text = self._line().split(" ", 2)
            if kind == "end":
                return said
            if kind == "kept":
                said.rows[Path(text)] = max(said.rows.get(Path(text), 0), int(number))
            elif kind == "done":
                said.done.append(Path(text))
            else:
                said.errors.append(text)

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Gives a nursery and ends it afterwards."""
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


def file_of(folder: Path, number: int) -> Path:
    """Returns a file of claims of its own, of persons that other files have claims of too."""
    rows = [claim(number * 100 + i, psn_no=f"P{i % 7}", insutype="310", psn_type="11") for i in range(ROWS)]
    return write(folder / f"file-{number}.csv", rows)


def broken(book: Ledger, said: Said, files: Sequence[Path]) -> list[str]:
    """Returns what is wrong with a log after what a writer said: rows said to be committed that are not there, and
    files of which something else is there than the rows their batches name."""
    wrong = []
    with book.store.read() as reader:
        for path in files:
            source = open_source(path, load_profile())
            batches = [
                decode_event(topic, state)
                for _, _, topic, state in reader.stream(job_stream("intake", source.digest))
                if topic == JobBatch.TOPIC
            ]
            rows = sum(batch.rows for batch in batches if isinstance(batch, JobBatch))
            if rows < said.rows.get(path, 0) or (path in said.done and rows < ROWS):
                wrong.append(f"{path.name}: rows to {said.rows[path]} were acknowledged, {rows} are there")
            number = int(path.stem.split("-")[1])
            streams = [claim_stream(260100, f"S{number * 100 + i:06d}") for i in range(ROWS)]
            heads = reader.stream_heads(streams)
            whole = [heads.get(stream, 0) for stream in streams]
            if [head >= 2 for head in whole] != [i < rows for i in range(ROWS)] or 1 in whole:
                wrong.append(f"{path.name}: {rows} rows in batches, events of {whole}")
    return wrong


@dataclass
class Toll:
    """Is what a loop of kills came to."""

    rounds: int = 0
    killed: int = 0
    cut_off: int = 0
    acknowledged: int = 0
    wrong: list[str] = field(default_factory=list)


def kill_often(
    nursery: Nursery,
    book: Ledger,
    folder: Path,
    rounds: int,
    rng: random.Random,
    strike: Callable[[int], None] = lambda pid: os.kill(pid, signal.SIGKILL),
    middle: int = 0,
) -> Toll:
    """Raises ``rounds`` writers or more one after another and strikes each at a random moment; each takes up the files
    the one before it left. What is wrong with the log is looked for after each. ``middle`` of them, and a quarter at
    least, must have been struck before their end."""
    toll, number = Toll(), 1
    files: list[Path] = []
    # How long a writer takes that nobody strikes tells when to strike the others.
    started = time.monotonic()
    nursery.raised(book.store.url, [file_of(folder, 0)])
    toll.wrong += nursery.heard().errors
    whole_s = 2 * (time.monotonic() - started)
    # A busy machine strikes late more often; then more writers are raised, until enough were struck in the middle.
    while toll.rounds < rounds or (toll.killed <= max(rounds // 4, middle - 1) and toll.rounds < 4 * rounds):
        while len(files) < 2:
            files.append(file_of(folder, number))
            number += 1
        started = time.monotonic()
        pid = nursery.raised(book.store.url, files)
        time.sleep(rng.uniform(0, 1.2 * whole_s))
        with contextlib.suppress(ProcessLookupError):
            strike(pid)
        said = nursery.heard()
        toll.rounds += 1
        if len(said.done) == len(files):
            whole_s = 0.8 * whole_s + 0.2 * (time.monotonic() - started)
        else:
            toll.killed += 1
        toll.cut_off += bool(said.errors)
        toll.acknowledged += sum(said.rows.values())
        toll.wrong += broken(book, said, files)
        files = [file for file in files if file not in said.done]
    nursery.raised(book.store.url, files)
    said = nursery.heard()
    toll.wrong += said.errors + broken(book, said, files)
    return toll


def afterwards(book: Ledger) -> list[str]:
    """Returns what is wrong with a store at the end: findings, differences of a replay, rows that a rebuild changes."""
    read = Projections(book.store)
    wrong = [f"{finding.kind} {finding.where}" for finding in read.verify()]
    for period in book.periods():
        wrong += [f"replay: {difference}" for difference in book.replay(period.period).differences]
    held = _models(book)
    read.rebuild()
    if _models(book) != held:
        wrong.append("the read models are not those of a replay")
    return wrong


def _models(book: Ledger) -> dict[str, object]:
    with book.store.read() as reader:
        return {table.name: read_table(reader, table) for model in MODELS for table in model.tables}
