"""Runs a month in a process of its own and prints what it came to, and the most memory it held.

``python -m bench.apart URL FILE``; ``LEDGER_KERNELS=reference`` runs it by the plain-Python references.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from bench.memory import peak_rss_kib
from bench.month import digest_month, run_month

ROOT = Path(__file__).resolve().parents[1]


class Apart(NamedTuple):
    """Is what a month in a process of its own came to: its digest, its time and its peak of resident memory."""

    digest: str
    duration_ns: int
    peak_rss_kib: int


def run_apart(url: str, file: Path, kernels: str = "compiled") -> Apart:
    """Returns what a month came to in a process of its own, by the named kernels."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.apart", url, str(file)],
        cwd=ROOT,
        env=os.environ | {"LEDGER_KERNELS": kernels},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Apart(*json.loads(done.stdout))


def main() -> None:
    """Runs the month the command line names."""
    url, file = sys.argv[1:]
    month = run_month(url, Path(file))
    peak = peak_rss_kib()
    print(json.dumps([digest_month(url, month), month.intake_ns + month.statement_ns, peak]))


if __name__ == "__main__":
    main()
