"""Times the exact, per-field reconciliation of two files, in turn with a plain join of the same two files in Polars."""

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.settling import digest
from bench.timing import measure, took_ns
from bench.workbench import MONTH, Workbench
from console.generate import SEED, generate
from ledger.plans import PolicyBook
from ledger.profile import load_profile
from ledger.reconciling.comparing import Comparison, compare, named
from ledger.reconciling.sides import Side, open_details, read_file
from ledger.reconciling.totals import ByType, by_type

KEY = ("insu_admdvs", "setl_id")

#: Every so many rows: one that the other side does not have, one with another amount, one of another visit.
DROPPED, CHANGED, MOVED = 997, 499, 1_499


def written(folder: Path, rows: int) -> tuple[Path, Path]:
    """Returns two files of a month: as generated, and in another order with planted differences."""
    ours, theirs = folder / f"ours-{rows}.csv", folder / f"theirs-{rows}.csv"
    generate(ours, rows, SEED, MONTH, faults=0, source_percent=100)
    header, *lines = ours.read_text(encoding="utf-8").splitlines(keepends=True)
    places = header.strip().split(",")
    amount, visit = places.index("hifp_pay"), places.index("mdtrt_id")
    order = np.random.Generator(np.random.PCG64(SEED)).permutation(rows).tolist()
    with theirs.open("w", encoding="utf-8") as out:
        out.write(header)
        for at in order:
            line = lines[at]
            if at % DROPPED == 0:
                continue
            if at % CHANGED == 0 or at % MOVED == 0:
                cells = line.split(",")
                cells[amount] = "1.23" if at % CHANGED == 0 else cells[amount]
                cells[visit] = "V-1" if at % MOVED == 0 else cells[visit]
                line = ",".join(cells)
            out.write(line)
    return ours, theirs


Reconciled = tuple[Side, Side, Comparison, ByType, ByType]


def reconciled(ours: Path, theirs: Path) -> Reconciled:
    """Returns what becomes of two files: totals by insurance type, and each row by field; both are read at once."""
    book = PolicyBook()
    with ThreadPoolExecutor(2) as pool:
        a, b = pool.map(lambda path: read_file(open_details(path, load_profile()), book), (ours, theirs))
    return a, b, compare(a, b), by_type(a, True), by_type(b, True)


def joined(ours: Path, theirs: Path) -> Any:
    """Returns the plain join in Polars, every column as it stands."""
    left, right = (polars.scan_csv(path, infer_schema_length=0) for path in (ours, theirs))
    return left.join(right, on=list(KEY)).collect()


def outcome(done: Reconciled) -> set[tuple[str, str]]:
    """Returns each claim that does not stand alike, with what is wrong with it."""
    ours, theirs, comparison, *_ = done
    found = {(ours.key(row), "missing there") for row in comparison.alone.tolist()}
    for row in np.flatnonzero(comparison.met < 0).tolist():
        found.add((theirs.key(row), "missing here"))
    for row in np.flatnonzero(comparison.differing).tolist():
        numbers, texts = named(int(comparison.differing[row]))
        found.add((theirs.key(row), " ".join(sorted([*numbers, *texts]))))
    return found


def expected(ours: Path, theirs: Path) -> set[tuple[str, str]]:
    """Returns the same by dictionaries of text cells: the plain way, a row at a time."""
    sides: list[dict[tuple[str, ...], dict[str, str]]] = []
    for path in (ours, theirs):
        with path.open(encoding="utf-8", newline="") as file:
            sides.append({tuple(row[name] for name in KEY): row for row in csv.DictReader(file)})
    mine, yours = sides
    found = {(key[1], "missing there") for key in mine.keys() - yours.keys()}
    found |= {(key[1], "missing here") for key in yours.keys() - mine.keys()}
    for key in mine.keys() & yours.keys():
        unlike = [name for name, cell in mine[key].items() if yours[key][name] not in ("", cell)]
        if unlike:
            found.add((key[1], " ".join(sorted(unlike))))
    return found


@pytest.mark.benchmark(group="reconcile")
def test_reconcile(benchmark: BenchmarkFixture, workbench: Workbench) -> None:
    """Reads two files of a month, joins them exactly, and says of every claim in which fields it differs."""
    rows = workbench.size.reconcile_rows
    small = written(workbench.folder, workbench.size.checked_claims)
    assert outcome(reconciled(*small)) == expected(*small)
    ours, theirs = written(workbench.folder, rows)
    found = outcome(reconciled(ours, theirs))
    missing = sum(what == "missing there" for _, what in found)
    assert missing == -(-rows // DROPPED)
    assert len(joined(ours, theirs)) == rows - missing

    timing = measure(
        benchmark,
        lambda: reconciled(ours, theirs),
        rival=lambda: took_ns(lambda: joined(ours, theirs)),
        rounds=workbench.size.rounds,
    )

    result = digest([np.array(sorted(f"{key} {what}" for key, what in found), dtype="S").view(np.uint8)])
    benchmark.extra_info["result_sha256"] = result
    workbench.note(
        {
            "reconcile.rows": rows,
            "reconcile.breaks": len(found),
            "reconcile.ns_per_row": timing.median_ns / rows,
            "reconcile.vs_polars_join": timing.times_less,
            "reconcile.result_sha256": result,
        }
    )
