"""Takes millions of events in, seals and projects them, and says whether speed and memory stay what they were.

``python -m bench.large --events 10000000 [--url postgresql://…] [--folder DIR]``; a report for the screen and, with
``--report``, for a file. It exits with 1 where the second half was slower than seven tenths of the first, its slowest
tenth half as fast as the first half's, or its memory a tenth more: anonymous memory, since mapped pages are cache. It
compares halves since the runs of some hundred batches are merged at once: of ten million events a tenth meets that once
or not at all, a half twice.
"""

import argparse
import json
import sys
import tempfile
from math import inf
from pathlib import Path
from time import perf_counter
from typing import TextIO

from bench.memory import anonymous_kib
from bench.month import RECORDED_AT, digest_file
from bench.test_single import opened
from bench.workbench import MONTH
from console.generate import SEED, generate
from ledger.store import Store, connect
from projections import balances, proof
from projections.balance_runs import read_balances
from projections.catch_up import catch_up, ensure

#: Events a generated claim comes to, two and a finding now and then.
EVENTS_PER_CLAIM = 2.13
TENTHS = 10
#: The tenth with which the first half ends.
HALF = 4

#: What a second half must be of the first.
LIMITS = (
    ("_second_half_to_first", 0.7, inf),
    ("_slowest_to_first", 0.5, inf),
    ("_memory_growth", 0.0, 1.1),
)


class Course:
    """Is how far a run has come: seconds and anonymous memory at every tenth of it."""

    def __init__(self, whole: int) -> None:
        self._whole = whole
        self._begun = perf_counter()
        self.seconds: list[float] = []
        self.memory_mib: list[float] = []

    def __call__(self, done: int) -> None:
        """Notes the tenths that are done."""
        while len(self.seconds) < TENTHS and done * TENTHS >= (len(self.seconds) + 1) * self._whole:
            self.seconds.append(perf_counter() - self._begun)
            self.memory_mib.append(anonymous_kib() / 1024)

    def rates(self) -> list[float]:
        """Returns what was done a second in each tenth."""
        begins = [0.0, *self.seconds[:-1]]
        return [
            self._whole / TENTHS / (end - begin) if end > begin else float("inf")
            for begin, end in zip(begins, self.seconds, strict=True)
        ]

    def figures(self, name: str) -> dict[str, object]:
        """Returns rates and memory for the report."""
        rates = [round(rate) for rate in self.rates()]
        return {
            f"{name}_per_s": round(self._whole / self.seconds[-1]),
            f"{name}_per_s_by_tenth": rates,
            f"{name}_second_half_to_first": round(self.seconds[HALF] / (self.seconds[-1] - self.seconds[HALF]), 3),
            f"{name}_slowest_to_first": round(min(rates[HALF + 1 :]) / min(rates[: HALF + 1]), 3),
            f"{name}_memory_mib_by_tenth": [round(mib, 1) for mib in self.memory_mib],
            f"{name}_memory_growth": round(max(self.memory_mib[HALF + 1 :]) / max(self.memory_mib[: HALF + 1]), 3),
        }


def run(events: int, url: str, folder: Path) -> dict[str, object]:
    """Returns the figures of one run."""
    claims = round(events / EVENTS_PER_CLAIM)
    file = folder / "large.csv"
    generate(file, claims, SEED, MONTH)
    figures: dict[str, object] = {"claims": claims, "seed": SEED, "workload_sha256": digest_file(file)}
    with opened(url) as book:
        course = Course(claims)
        report = book.intake(file, reason="bench", quarantine=folder / "refused.csv", progress=course)
        if not report.rows == claims == report.booked + report.duplicate + report.quarantined:
            raise RuntimeError(f"expected an outcome for every one of {claims} claims, got {report}")
        figures |= course.figures("intake.claims")
    with connect(url) as store:
        with store.read() as reader:
            size = reader.size
        figures["events"] = size
        for name, model in (("seal.events", proof.MODEL), ("project.events", balances.MODEL)):
            ensure(store, [model])
            course = Course(size)
            catch_up(store, [model], course)
            figures |= course.figures(name)
        figures |= outcome(store, size)
    figures["recorded_at"] = RECORDED_AT
    return figures


def outcome(store: Store, size: int) -> dict[str, object]:
    """Returns the root over the log, and checks that its books balance."""
    with store.read() as reader:
        held = read_balances(reader)
        if total_fen := sum(held.values()):
            raise RuntimeError(f"expected balances that sum to zero, got {total_fen} fen")
        return {"root": proof.tree_of(reader, size).root().hex(), "accounts": len(held)}


def faults(figures: dict[str, object]) -> list[str]:
    """Returns what did not stay what it was, nothing where all did."""
    found = []
    for name, value in figures.items():
        for ending, least, most in LIMITS:
            if name.endswith(ending) and isinstance(value, float) and not least <= value <= most:
                asked = f"at least {least}" if value < least else f"at most {most}"
                found.append(f"{name}: expected {asked}, got {value}")
    return found


def main(out: TextIO = sys.stdout) -> int:
    """Runs the bench as the command line says and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description="Measure at length.")
    parser.add_argument("--events", type=int, default=10_000_000, help="events to take in, about")
    parser.add_argument("--url", default="", help="an empty place for the store; a SQLite file of the folder otherwise")
    parser.add_argument("--folder", type=Path, help="where files go, some 0.5 GB a million events")
    parser.add_argument("--report", type=Path, help="write the figures there too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledger-large-", dir=asked.folder) as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'large.db'}"
        figures = run(asked.events, url, Path(folder))
    text = json.dumps(figures, indent=1)
    print(text, file=out)
    if asked.report is not None:
        asked.report.write_text(text + "\n", encoding="utf-8")
    for fault in faults(figures):
        print(fault, file=out)
    return 1 if faults(figures) else 0


if __name__ == "__main__":
    sys.exit(main())
