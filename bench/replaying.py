"""Replays a segment in a process of its own: how long, how much memory of its own, and what came out.

``python -m bench.replaying SEGMENT [DIFF]``: with DIFF it is settled under another policy of one province.
"""

import hashlib
import json
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench.claims import policy_book, provincial
from bench.memory import watched
from console.places import regions
from ledger.plans import PolicyBook
from ledger.policy import digest_of, read_policy
from ledger.replay import ReplayReport
from ledger.replaying.comparing import replay_segment
from ledger.replaying.listing import Listing
from ledger.replaying.whatif import WhatIf, what_if

ROOT = Path(__file__).resolve().parents[1]
#: The province whose policy changes in a what-if: Guangdong, one in eleven claims.
PROVINCE = 44


class Replayed(NamedTuple):
    """Is one run: wall and processor time, the most anonymous memory, acts, changes, and what came out."""

    wall_ns: int
    cpu_ns: int
    peak_anonymous_kib: int
    acts: int
    changed: int
    digest: str


def changed_policy(book: PolicyBook) -> dict[int, bytes]:
    """Makes another policy known for every region of the province that has the provincial one; returns it by region."""
    document = provincial(40)
    digest = digest_of(document)
    book.know({digest: read_policy(document, "changed")})
    areas = [place.code for place in regions() if place.province == PROVINCE and place.code != 441800]
    return dict.fromkeys(areas, digest)


@cache
def policies() -> tuple[PolicyBook, dict[int, bytes]]:
    """Returns the policies a replay finds in the log, and which regions another one stands in for; read once."""
    book, _ = policy_book()
    return book, changed_policy(book)


def replayed(segment: Path, diff: Path | None, threads: int | None = None) -> ReplayReport | WhatIf:
    """Returns what one replay finds; raises RuntimeError where an act differs from what is recorded."""
    book, instead = policies()
    if diff is not None:
        with Listing(diff) as listing:
            return what_if(segment, book, instead, periods=[202403], kernel=b"", sinks=[listing.add], threads=threads)
    report = replay_segment(segment, book, threads=threads)
    if report.differences:
        raise RuntimeError(f"expected a replay without differences, got {report.differences[0]}")
    return report


def summed(found: ReplayReport | WhatIf) -> tuple[int, int, str]:
    """Returns (acts, changed acts, digest of the outcome)."""
    if isinstance(found, WhatIf):
        return found.acts, found.changed, found.digest
    return found.acts, 0, hashlib.sha256(repr(found.lines).encode()).hexdigest()


def run(segment: Path, diff: Path | None) -> tuple[int, int, str]:
    """Returns (acts, changed acts, digest of the outcome) of one replay; raises RuntimeError where an act differs."""
    return summed(replayed(segment, diff))


def run_apart(segment: Path, diff: Path | None = None) -> Replayed:
    """Returns one replay in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.replaying", str(segment), *([str(diff)] if diff else [])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Replayed(*json.loads(done.stdout))


def main() -> None:
    """Replays the segment the command line names."""
    segment, diff = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with watched() as peak:
        policies()
        began, cpu = time.perf_counter_ns(), time.process_time_ns()
        found = replayed(segment, diff)
        took, used = time.perf_counter_ns() - began, time.process_time_ns() - cpu
    print(json.dumps([took, used, peak.kib, *summed(found)]))


if __name__ == "__main__":
    main()
