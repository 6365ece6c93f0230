"""Says how much memory this process holds, as Linux counts it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_EVERY_S = 0.02


def held_kib(name: str) -> int:
    """Returns a figure of /proc/self/status; raises RuntimeError where there is none of that name."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RuntimeError(f"expected {name} in /proc/self/status, got none: this bench needs Linux")


def peak_rss_kib() -> int:
    """Returns the most resident memory of this process so far; unlike ru_maxrss it holds nothing of the parent's."""
    return held_kib("VmHWM")


def anonymous_kib() -> int:
    """Returns the anonymous memory of this process: pages of mapped files are cache, not memory it holds."""
    return held_kib("RssAnon")


class Peak:
    """Is the most anonymous memory seen so far, in KiB."""

    def __init__(self) -> None:
        self.kib = anonymous_kib()

    def look(self) -> None:
        """Looks again."""
        self.kib = max(self.kib, anonymous_kib())


@contextmanager
def watched() -> Iterator[Peak]:
    """Gives the peak of anonymous memory, which a thread watches until the end of the block."""
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY_S):
            peak.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
        peak.look()
