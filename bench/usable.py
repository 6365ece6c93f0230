"""Does a day's and a month's work on a large store and says what each took: ``python -m bench.usable URL [FOLDER]``.

The store is one that ``bench.large --url`` left: a single open month. Everything is asked as a user asks it, with
the peak of anonymous memory beside each; at the end the month is closed, signed, sealed and replayed, and the store
verified.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ledger
import projections
from bench.memory import watched
from bench.month import RECORDED_AT
from bench.test_single import claims_of, percentiles_ms, settle_one_by_one
from bench.workbench import MONTH
from console.generate import MOST_CLAIMS, SEED, generate
from ledger.service import Ledger
from projections.reader import Projections

PERIOD = int(MONTH.replace("-", ""))
SINGLE = 500
FILED = 10_000


class Work:
    """Is what was done so far: seconds and memory of each piece of work."""

    def __init__(self) -> None:
        self.figures: dict[str, float | int | str] = {}

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """Times a piece of work, watches its memory, and says both on stderr as soon as they are known."""
        with watched() as peak:
            begun, used = time.perf_counter(), time.process_time()
            yield
            took, cpu = time.perf_counter() - begun, time.process_time() - used
        peak_mib = peak.kib / 1024
        self.figures[f"{name}_s"] = round(took, 3)
        self.figures[f"{name}_cpu_s"] = round(cpu, 3)
        self.figures[f"{name}_mib"] = round(peak_mib)
        print(f"{name:<20}{took:>10.3f} s {cpu:>10.3f} s of a core {peak_mib:>8.0f} MiB", file=sys.stderr)


def month_of(work: Work, url: str, folder: Path) -> None:
    """Does what a month asks for, from the derived tables to the replay."""
    with work.piece("open"):
        book = ledger.open(url, actor="bench", clock_us=lambda: RECORDED_AT)
        read = projections.open(url)
    with book, read:
        with work.piece("catch_up"):
            work.figures["events"] = read.catch_up()
        by_day(work, book, read, folder)
        by_month(work, book, read, url, folder)


def by_day(work: Work, book: Ledger, read: Projections, folder: Path) -> None:
    """Settles claims, takes a file in, and looks around."""
    # The numbers behind any that the store's own file may have.
    for at, (name, claims) in enumerate((("single", SINGLE * 2), ("filed", FILED)), 1):
        path = folder / f"{name}.csv"
        generate(path, claims, SEED + len(name), MONTH, faults=0, numbered_from=at * MOST_CLAIMS + 1)
    single = [each for each in claims_of(folder / "single.csv") if not each.init_setl_id][:SINGLE]
    with work.piece("settle_first"):
        settle_one_by_one(book, single[:1])
    with work.piece("settle_singly"):
        work.figures |= percentiles_ms("settle", settle_one_by_one(book, single[1:]))
    with work.piece("intake_10k"):
        report = book.intake(folder / "filed.csv", reason="bench", quarantine=folder / "filed.bad")
    assert report.booked == FILED - report.quarantined > 0
    with work.piece("statement"):
        work.figures["lines"] = len(read.statement(PERIOD).lines)
    with work.piece("balances"):
        work.figures["accounts"] = len(read.balances().accounts)
    with work.piece("trace_claim"):
        assert read.trace(single[0].setl_id).found
    with work.piece("explain_claim"):
        assert book.explain(single[0].setl_id).steps
    with work.piece("reverse"):
        book.reverse(single[0].setl_id, "bench")
    with work.piece("findings"):
        read.findings(PERIOD)
    with work.piece("prove"):
        assert read.prove(single[1].setl_id, read.checkpoint()) is not None


def by_month(work: Work, book: Ledger, read: Projections, url: str, folder: Path) -> None:
    """Closes the month, signs, pays, seals and replays it, asks for another policy, and verifies the store."""
    for each in book.periods():
        if each.period < PERIOD:
            book.close(each.period, reason="bench")
    for name in ("close", "draft", "check"):
        with work.piece(name):
            getattr(book, name)(PERIOD, reason="bench")
    with work.piece("sign"), ledger.open(url, actor="director", clock_us=lambda: RECORDED_AT) as other:
        other.sign(PERIOD, reason="bench")
    with work.piece("issue_payable"):
        read.issue("payable", PERIOD)
    with work.piece("pay"):
        payments = book.pay(PERIOD, reason="bench")
    largest = max(payments, key=lambda each: each.amount_fen)
    with work.piece("trace_payment"):
        assert read.trace(largest.key).found
    with work.piece("seal"):
        book.seal(PERIOD, reason="bench")
    with work.piece("replay"):
        report = book.replay(PERIOD)
    assert not report.differences
    work.figures["acts"] = report.acts
    with work.piece("verify"):
        found = read.verify()
    assert not found, found[:3]


def main() -> int:
    """Works on the store the command line names and prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.usable", description="Work on a large store.")
    parser.add_argument("url", help="a store that bench.large left")
    parser.add_argument("folder", type=Path, help="where files go")
    asked = parser.parse_args()
    work = Work()
    month_of(work, asked.url, asked.folder)
    print(json.dumps(work.figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
