"""Runs a process that kills itself in the middle of what it does."""

import os
import signal
import subprocess
import sys

from tests.ledger.worlds import REPOSITORY


def kill(script: str, url: str, left: int) -> None:
    """Runs a script over a store that lets ``left`` of the statements it counts happen and is killed in the next."""
    done = subprocess.run(
        [sys.executable, "-c", script, url, str(left)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
