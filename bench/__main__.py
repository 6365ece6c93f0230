"""Runs the bench and writes its report: ``python -m bench [--smoke] [--report PATH] [options of pytest]``."""

import argparse
import sys
from pathlib import Path

import pytest

from bench.report import COMMITTED, SMOKE

HERE = Path(__file__).parent


def main() -> int:
    """Runs the bench as the command line says and returns pytest's exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and write a report.")
    parser.add_argument("--smoke", action="store_true", help="the smoke size, reported to .benchmarks/smoke.json")
    parser.add_argument("--report", type=Path, help="write the report there instead")
    asked, more = parser.parse_known_args()
    report = (asked.report or (SMOKE if asked.smoke else COMMITTED)).resolve()
    return int(
        pytest.main(
            [
                f"--rootdir={HERE.parent}",
                f"--config-file={HERE.parent / 'pyproject.toml'}",
                # The project's own options skip benches.
                *("-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider", "-q"),
                *("--benchmark-only", "--benchmark-columns=median,iqr,rounds"),
                f"--bench-size={'smoke' if asked.smoke else 'real'}",
                f"--bench-report={report}",
                *more,
                str(HERE),
            ]
        )
    )


if __name__ == "__main__":
    sys.exit(main())
