"""Keeps the figures of a run, and says whether they make a report."""

import json
from collections.abc import Mapping
from pathlib import Path

Figure = str | int | float

COMMITTED = Path(__file__).with_name("report.json")
SMOKE = Path(__file__).resolve().parents[1] / ".benchmarks" / "smoke.json"

#: What every report has; whoever reads one may rely on these names.
PROMISED = (
    "settle.ns_per_claim",
    "settle.vs_reference",
    "append.sqlite.events_per_s",
    "append.postgres.events_per_s",
    "month.claims_per_s",
    "month.x10_growth",
)
DESCRIBED = (
    "date",
    "source_sha256",
    "size",
    "machine.cpu",
    "machine.cores",
    "machine.filesystem",
    "version.python",
    "version.sqlite",
    "version.postgres",
    "postgres.wal_writer_delay",
    "settle.claims",
    "settle.seed",
    "settle.workload_sha256",
    "settle.result_sha256",
    "append.events_per_transaction",
    "append.workload_sha256",
    "month.claims",
    "month.seed",
    "month.workload_sha256",
    "month.result_sha256",
    "month.peak_rss_mib",
    "month.x10_peak_rss_mib",
)


def faults(report: Mapping[str, object]) -> list[str]:
    """Returns what keeps a map from being a report, nothing where it is one."""
    found = [f"{name}: expected in the report, got nothing" for name in (*PROMISED, *DESCRIBED) if name not in report]
    for name, value in report.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            found.append(f"{name}: expected a text or a number, got {type(value).__name__}")
        elif name in PROMISED and (isinstance(value, str) or not value > 0):
            found.append(f"{name}: expected a number above 0, got {value!r}")
        elif name.endswith("_sha256") and not (isinstance(value, str) and len(value) == 64):
            found.append(f"{name}: expected 64 hexadecimal digits, got {value!r}")
    return found


def rounded(value: float) -> float:
    """Returns a measured figure to four digits: the rest is noise."""
    near = float(f"{value:.4g}")
    return int(near) if near == int(near) else near


def write(report: Mapping[str, Figure], path: Path) -> None:
    """Writes a report, one figure a line in the order of names; raises ValueError where it is none."""
    if found := faults(report):
        raise ValueError("no report: " + "; ".join(found))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(sorted(report.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
