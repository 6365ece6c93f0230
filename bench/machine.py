"""Describes the machine and the versions a report was measured with."""

import hashlib
import os
import platform
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What is measured, and what measures it.
PACKAGES = ("bench", "console", "core_ext", "ledger", "projections")
SOURCES = frozenset((".py", ".pyx", ".pxd", ".h", ".toml", ".so"))
LIBRARIES = ("eventsourcing", "msgspec", "numpy", "psycopg", "pyarrow")


def describe(folder: Path) -> dict[str, str | int | float]:
    """Returns the machine and the versions by name; ``folder`` is where the stores of the bench lie."""
    return {
        "machine.cpu": _cpu(),
        "machine.cores": os.cpu_count() or 0,
        "machine.memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "machine.system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "machine.filesystem": filesystem(folder),
        "machine.load_before": round(os.getloadavg()[0], 2),
        "version.python": platform.python_version(),
        "version.sqlite": sqlite3.sqlite_version,
        **{f"version.{library}": version(library) for library in LIBRARIES},
    }


def source_digest(root: Path = ROOT) -> str:
    """Returns SHA-256 over every source, policy and built kernel, in hexadecimal: which code a report is of."""
    found = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in SOURCES:
                found.update(f"{path.relative_to(root)}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def filesystem(folder: Path) -> str:
    """Returns the type of the file system a folder lies on: on one in memory nothing is durable."""
    asked = subprocess.run(["df", "-PT", str(folder)], capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()[-1].split()[1]


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
