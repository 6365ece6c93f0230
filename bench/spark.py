"""Replays months on this machine and on a local Spark of it: ``python -m bench.spark [THOUSANDS…]``.

Spark needs a Java (JAVA_HOME) and its cores are those of this machine, so it can win nothing here: the difference is
what it costs, per job and per claim, and so from which size further machines pay.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.claims import enactments
from bench.replaying import policies, run
from bench.segments import claims_segment, repeat
from ledger.mapper import encode_event
from ledger.replaying.spark import report_of, session, shared_out
from ledger.segments.reading import Segment

THOUSAND = 1000


def descendants_cpu_s() -> float:
    """Returns the processor time of every process this one began, ended ones that were waited for included."""
    parent: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                cells = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            parent[int(entry.name)] = int(cells[1])
            used[int(entry.name)] = sum(map(int, cells[11:15]))
    family, more = set[int](), {os.getpid()}
    while more:
        family |= more
        more = {child for child, of in parent.items() if of in more} - family
    ticks = sum(used[each] for each in family - {os.getpid()} if each in used)
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Prints wall and processor seconds of each size, both ways, from the first job of a fresh Spark on."""
    sizes = [int(text) for text in sys.argv[1:]] or [1, 100, 1000, 4000]
    figures: dict[str, object] = {"cores": os.cpu_count()}
    enacted = [encode_event(event) for event in enactments()]
    policies()
    with tempfile.TemporaryDirectory(prefix="ledger-spark-") as made:
        base = Path(made)
        months = {}
        for thousands in sizes:
            whole = min(thousands, THOUSAND)
            (base / str(thousands)).mkdir()
            source, _, _ = claims_segment(base / str(thousands), whole * THOUSAND)
            months[thousands] = source
            if thousands > THOUSAND:
                months[thousands] = base / f"{thousands}-repeated"
                repeat(source, months[thousands], thousands // THOUSAND)
        began = time.perf_counter()
        with session() as context:
            context.parallelize([0], 1).count()
            figures["spark.start_s"] = round(time.perf_counter() - began, 2)
            for thousands, month in months.items():
                run(month, None)
                began, cpu = time.perf_counter(), time.process_time()
                _, _, digest = run(month, None)
                figures[f"local.{thousands}k_s"] = round(time.perf_counter() - began, 3)
                figures[f"local.{thousands}k_cpu_s"] = round(time.process_time() - cpu, 3)
                for turn in ("first", "again"):
                    began, cpu = time.perf_counter(), descendants_cpu_s()
                    report = report_of(Segment(month), shared_out(context, month, Segment(month).batches, enacted))
                    figures[f"spark.{thousands}k_{turn}_s"] = round(time.perf_counter() - began, 3)
                    figures[f"spark.{thousands}k_{turn}_cpu_s"] = round(descendants_cpu_s() - cpu, 3)
                if hashlib.sha256(repr(report.lines).encode()).hexdigest() != digest or report.differences:
                    raise RuntimeError("expected the statement this machine gives, got another from Spark")
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
