"""Whatever is done to a store whose batches leave runs, in whatever order, it is what a store without runs would be."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import ledger
import projections
from ledger import accounts, intake, known_messages, person_years
from ledger.claim import Claim
from ledger.profile import load_profile
from ledger.refusals import LedgerError
from ledger.service import Ledger
from ledger.source import open_source
from ledger.store import Store, person_blocks, run_writer, runs, text_runs, tidying
from ledger.store.run_writer import RunWriter
from ledger.store.tidying import merge_runs, tidy_runs
from tests.ledger.test_decided_ahead import NOON
from tests.ledger.test_drawn_ahead import drawn, office
from tests.ledger.worlds import HEADER, claim, events_of, refund, rows_of, write
from tests.store.test_text_runs import ALIKE

TABLES = (
    ("person_year", "key"),
    ("account", "token"),
    ("message", "msgid"),
    ("person", "token"),
    ("reversal", "claim"),
)
STEPS = 14

#: Message ids, as senders write them, two of each number.
SAME_NUMBER = [f"{key[14:26]}{key[:14]}{key[26:]}" for pair in ALIKE for key in pair]


def rows_for(seed: int) -> list[list[dict[str, str]]]:
    """Returns the rows of three files: of few persons and new ones, with refunds, and with keys of the files before."""
    draw = random.Random(seed)
    files: list[list[dict[str, str]]] = []
    for at in range(3):
        rows = drawn(100 * seed + at, 30)
        for row in rows:
            for name in ("setl_id", "init_setl_id", "medins_setl_id"):
                row[name] = row[name] and f"{row[name][0]}{at}{row[name][2:]}"
        before = [row for file in files for row in file]
        for row in draw.sample(before, min(len(before), draw.randint(0, 4))):
            what = draw.choice(("same", "message", "refund"))
            serial = 600 + 10 * at + len(rows)
            other = claim(serial, psn_no=row["psn_no"], medins_setl_id=row["medins_setl_id"])
            other = dict(row) if what == "same" else refund(row, serial) if what == "refund" else other
            rows.insert(draw.randint(0, len(rows)), other)
        for row in draw.sample(rows, 2):
            row["medins_setl_id"] = SAME_NUMBER[2 * at + rows.index(row) % 2]
        for row in draw.sample(rows, 3):
            row["medins_setl_id"] = draw.choice(ODD)
        files.append(rows)
    return files


#: Others that name no time: of other lengths, and of thirty characters that are more bytes.
ODD = ("x", "20240105", "Ä" * 30, "H260101000012024010508000100011", "单" * 12 + "20240105080001" + "0001")


class Killed(Exception):
    """Is the end of a job in its middle."""


def begin(book: Ledger, path: Path, batch_rows: int, batches: int, dry_run: bool = False) -> str:
    """Takes so many batches of a file in and is killed, unless the file ends before; returns what became of it."""
    left = batches

    def told(_: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Killed

    job = intake.ClaimJob(book, open_source(path, load_profile()), load_profile(), "")
    try:
        report = intake.run_job(
            job, retry=False, dry_run=dry_run, progress=told, quarantine=path.with_suffix(".bad"), batch_rows=batch_rows
        )
    except Killed:
        return "killed"
    except LedgerError as error:
        return f"{type(error).__name__}: {error}"
    return repr(report)


def settled(book: Ledger, serial: int, msgid: str, person: str) -> str:
    """Settles a claim by a single command; returns what became of it."""
    own = claim(serial, psn_no=person, medins_setl_id=msgid, setl_time="2024-01-07 08:00:00")
    with suppress(LedgerError):
        (result,) = book.settle([Claim(**{k: v for k, v in own.items() if k in Claim.__struct_fields__})])
        return f"{result.outcome} {result}"
    return "refused"


def reversed_by_hand(book: Ledger, key: str) -> str:
    """Reverses a claim by a single command; returns what became of it."""
    try:
        return repr(book.reverse(key, "filed twice"))
    except LedgerError as error:
        return f"{type(error).__name__}: {error}"


def played(url: str, folder: Path, seed: int, tidy: Callable[[Store, int], None]) -> list[object]:
    """Does things that are drawn to a new store, and returns all that came of it."""
    draw, found = random.Random(seed), []
    rows = rows_for(seed)
    files = [write(folder / f"{at}.csv", each, [*HEADER, "dise_codg"]) for at, each in enumerate(rows)]
    every = [row for each in rows for row in each]
    with office(url, folder) as book, ledger.open(url, actor="another", clock_us=lambda: NOON) as other:
        for step in range(STEPS):
            who, what, batch_rows = draw.choice((book, other)), draw.randrange(9), draw.choice((2, 3, 5, 40))
            row, path, many = draw.choice(every), draw.choice(files), draw.choice((1, 2, 4, 99))
            if what < 5:
                found.append(begin(who, path, batch_rows, many))
            elif what == 5:
                found.append(begin(who, path, batch_rows, 99, dry_run=True))
            elif what == 6:
                found.append(settled(who, 8_000 + step, draw.choice((row["medins_setl_id"], "", "x")), row["psn_no"]))
            elif what == 7:
                found.append(reversed_by_hand(who, row["setl_id"]))
            tidy(book.store, what + step)
            with projections.open(url) as read:
                assert [each for each in read.verify() if each.kind != "unfinished-job"] == []
        found += [begin(book, path, 5, 99) for path in files]
        merge_runs(book.store)
        return [*found, events_of(book), *(rows_of(book, *table) for table in TABLES)]


@pytest.mark.parametrize("seed", range(6))
def test_a_store_with_runs_is_the_store_without(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Files in several jobs, killed and taken up by others, repeated and refunded rows, single commands between, runs
    folded, merged or left: every answer, every event and what is kept are those of a store without runs."""
    draw = random.Random(seed)
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", draw.choice((1, 2, 3)))
    monkeypatch.setattr(intake, "MOST_RUNS", draw.choice((2, 6, 99)))
    monkeypatch.setattr(tidying, "FEW_RUNS", draw.choice((0, 1, 4)))
    monkeypatch.setattr(tidying, "FOLDED_ROWS", draw.choice((5, 999)))
    for kept in (accounts, person_years, known_messages):
        monkeypatch.setattr(kept, "MOST", draw.choice((3, 1_000)))
    for kept in (runs, text_runs):
        monkeypatch.setattr(kept, "PAGE_ROWS", draw.choice((1, 3, 99)))
    monkeypatch.setattr(text_runs, "MERGED_ROWS", draw.choice((1, 5, 99)))

    def tidy(store: Store, at: int) -> None:
        (tidy_runs, merge_runs, lambda _: None, lambda _: None, lambda _: None)[at % 5](store)

    written, put = 0, RunWriter._begins_run

    def counted(self: RunWriter, name: str, rows: int, fewest: int) -> bool:
        nonlocal written
        begins = put(self, name, rows, fewest)
        written += begins
        return begins

    monkeypatch.setattr(RunWriter, "_begins_run", counted)
    found = played(store_url, tmp_path, seed, tidy)
    assert written > 12
    monkeypatch.setattr(run_writer, "RUN_ROWS", 1_000)
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", 1_000)
    written = 0
    plain = played(f"sqlite:///{tmp_path / 'plain.db'}", tmp_path, seed, lambda *_: None)
    assert written == 0
    for mine, theirs in zip(found, plain, strict=True):
        assert mine == theirs
