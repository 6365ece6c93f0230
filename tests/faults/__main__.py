"""Runs every fault many times over: ``python -m tests.faults`` (``make faults``), two parts at a time, from one seed.

Each part is a file of tests, or a share of the policies drawn over the language. What a part came to is kept under
``build/``: run again with the same SEED and the same sources, the parts that passed are not run again. At the end
stands one table, whose counts ``docs/durability.md`` sums up; the exit status is 1 where a part failed or something was
tried less often than was asked.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
LANGUAGE = "tests/settle/test_language.py"

#: How many shares the policies are drawn in: many, so that two processes end at nearly the same time.
SHARES = 8

#: What must have been tried at least so often, by harness and count.
ASKED = {
    ("kill -9, sqlite", "killed_in_the_middle"): 500,
    ("kill -9, postgres", "killed_in_the_middle"): 100,
    ("immediate server stops", "stops"): 20,
    ("immediate server stops, as recommended", "stops"): 20,
    ("forged proofs", "tried"): 100_000,
}

#: The longest first, so that none is left over at the end.
FIRST = ("test_kills.py", "test_failing_disk.py", "test_tables.py", "test_power_cuts.py", "test_flips.py")


@dataclass(frozen=True)
class Part:
    """Is one process of tests: its name, what pytest is given, and what its environment says beside the seed."""

    name: str
    tests: str
    settings: tuple[tuple[str, str], ...] = ()


def parts(examples: int) -> list[Part]:
    """Returns every part, those that take longest first."""
    names = sorted(path.name for path in HERE.glob("test_*.py"))
    names.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    files = [Part(name.removesuffix(".py"), f"tests/faults/{name}") for name in names]
    size = -(-examples // SHARES)
    shares = [
        Part(
            f"language-{share + 1}",
            LANGUAGE,
            (("LEDGER_EXAMPLES", str(size)), ("LEDGER_FAULT_SHARE", str(share))),
        )
        for share in range(SHARES)
    ]
    # Kills wait most of their time for others, drawing policies never does: side by side they fill two cores.
    return [*files[: len(FIRST)], *shares, *files[len(FIRST) :]]


def sources() -> str:
    """Returns a digest of the sources: what another tree passed says nothing of this one."""
    digest = hashlib.sha256()
    for folder in ("core_ext", "ledger", "projections", "console", "tests"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in (".py", ".pyx", ".pxd", ".h", ".toml"):
                digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


def run(part: Part, kept: Path, seed: int, few: bool) -> bool:
    """Runs a part unless it has passed before; returns whether it passes. Its output and counts are kept."""
    done, journal = kept / f"{part.name}.done", kept / f"{part.name}.jsonl"
    if done.exists():
        told(f"{part.name}: passed before")
        return True
    journal.unlink(missing_ok=True)
    settings = {"LEDGER_FAULTS": "few" if few else "full", "LEDGER_FAULT_SEED": str(seed)}
    settings |= {"LEDGER_FAULT_JOURNAL": str(journal), **dict(part.settings)}
    started = time.monotonic()
    told(f"{part.name}: began")
    with (kept / f"{part.name}.txt").open("w", encoding="utf-8") as output:
        status = subprocess.run(
            [sys.executable, "-m", "pytest", part.tests, "-s", f"--junitxml={kept / part.name}.xml"],
            cwd=REPOSITORY,
            env={**os.environ, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    minutes = (time.monotonic() - started) / 60
    told(f"{part.name}: {'passed' if status == 0 else f'FAILED, see {output.name}'} after {minutes:.1f} min")
    if status == 0:
        done.write_text(f"{minutes:.1f}\n", encoding="utf-8")
    return status == 0


def told(text: str) -> None:
    """Says how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def counted(kept: Path, every: Iterable[Part]) -> dict[str, dict[str, int]]:
    """Returns the counts of every harness, those of shares and of many lines with one name added up."""
    found: dict[str, dict[str, int]] = {}
    for part in every:
        path = kept / f"{part.name}.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            entry = json.loads(line)
            counts = found.setdefault(entry["harness"], {})
            for name, count in entry["counts"].items():
                counts[name] = counts.get(name, 0) + count
    return found


def passed(kept: Path, every: Iterable[Part]) -> int:
    """Returns how many tests passed, canaries among them: a canary passes where its fault was noticed."""
    tests = 0
    for part in every:
        path = kept / f"{part.name}.xml"
        for suite in ElementTree.parse(path).iter("testsuite") if path.exists() else ():
            tests += int(suite.get("tests", 0)) - sum(int(suite.get(name, 0)) for name in ("errors", "failures"))
    return tests


def missed(found: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yields what was tried less often than was asked."""
    for (harness, name), least in ASKED.items():
        count = found.get(harness, {}).get(name, 0)
        if count < least:
            yield f"{harness}: expected {least:,} {name.replace('_', ' ')} or more, got {count:,}"


def main() -> int:
    """Runs what is left of every part, prints the table, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--examples", type=int, default=100_000, help="policies drawn over the language")
    parser.add_argument("--lanes", type=int, default=2, help="parts at a time")
    parser.add_argument("--few", action="store_true", help="as often as an ordinary run tries, to see that all run")
    given = parser.parse_args()
    kept = REPOSITORY / "build" / f"faults-{given.seed}-{given.examples}-{sources()}{'-few' if given.few else ''}"
    kept.mkdir(parents=True, exist_ok=True)
    every, started = parts(given.examples), time.monotonic()
    told(f"seed {given.seed}, {given.examples:,} policies, {len(every)} parts; what is done is kept in {kept}")
    with ThreadPoolExecutor(given.lanes) as lanes:
        whole = list(lanes.map(lambda part: run(part, kept, given.seed, given.few), every))
    found = counted(kept, every)
    print(f"\nSeed {given.seed}:\n\n| fault | tried and found |\n| --- | --- |")
    for harness, counts in found.items():
        text = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
        print(f"| {harness} | {text} |")
    print(f"| every canary must fail, every promise hold | {passed(kept, every):,} tests passed |")
    short = [] if given.few else list(missed(found))
    failed = [part.name for part, passes in zip(every, whole, strict=True) if not passes]
    for line in (*short, *(f"{name}: failed" for name in failed)):
        print(line)
    told(f"{len(every) - len(failed)} of {len(every)} parts passed in {(time.monotonic() - started) / 60:.0f} min")
    return 1 if short or failed else 0


if __name__ == "__main__":
    sys.exit(main())
