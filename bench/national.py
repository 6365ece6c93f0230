"""Replays a nationwide month of cross-region claims: ``python -m bench.national [MILLIONS] [FOLDER]``.

The segment is made directly: a million claims settled and sealed, then the same for other persons again and again.
"""

import json
import sys
import tempfile
from pathlib import Path

from bench.replaying import run_apart
from bench.segments import claims_segment, repeat

MILLION = 1_000_000


def main() -> int:
    """Prints the figures of a month with its statement, and of one under another policy of one province."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    with tempfile.TemporaryDirectory(prefix="ledger-national-", dir=sys.argv[2] if len(sys.argv) > 2 else None) as made:
        folder = Path(made)
        source, _, _ = claims_segment(folder, MILLION)
        month = folder / "month"
        repeat(source, month, times)
        size = sum(path.stat().st_size for path in month.iterdir())
        figures: dict[str, float | int | str] = {"national.claims": times * MILLION, "national.segment_mib": size >> 20}
        for name, diff in (("statement", None), ("policy", folder / "diff.parquet")):
            run_apart(source, diff)
            found = run_apart(month, diff)
            figures |= {
                f"national.{name}_s": round(found.wall_ns / 1e9, 2),
                f"national.{name}_cpu_s": round(found.cpu_ns / 1e9, 2),
                f"national.{name}_anonymous_mib": found.peak_anonymous_kib >> 10,
                f"national.{name}_result_sha256": found.digest,
            }
            if diff is not None:
                figures |= {"national.policy_changed": found.changed, "national.diff_mib": diff.stat().st_size >> 20}
        print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
