"""Says how often each fault is tried: a few times in every run, many times in ``make faults``, always from a seed.

``LEDGER_FAULTS=full`` asks for the many, ``LEDGER_FAULT_SEED`` for another seed than 1. Every harness ends with one
line that names its seed and its counts; where ``LEDGER_FAULT_JOURNAL`` names a file it stands there as JSON too.
"""

import json
import os
import random
from pathlib import Path

FULL = os.environ.get("LEDGER_FAULTS", "") == "full"
SEED = int(os.environ.get("LEDGER_FAULT_SEED", "1"))


def times(few: int, many: int) -> int:
    """Returns how often to try: ``few`` in an ordinary run, ``many`` in ``make faults``."""
    return many if FULL else few


def drawn(harness: str) -> random.Random:
    """Returns the random numbers of one harness: the same for the same seed, whatever else runs."""
    return random.Random(f"{harness} {SEED}")


def report(harness: str, **counts: int) -> None:
    """Prints what a harness tried and found, on one line."""
    told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    print(f"\nFAULTS {harness}: seed {SEED}: {told}", flush=True)
    if journal := os.environ.get("LEDGER_FAULT_JOURNAL", ""):
        with Path(journal).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"harness": harness, "seed": SEED, "counts": counts}) + "\n")
