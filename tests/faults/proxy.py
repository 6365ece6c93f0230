"""Stands between a client and a PostgreSQL server, counts their messages and cuts the line behind a chosen one."""

import select
import shutil
import socket
import struct
import tempfile
import threading
from pathlib import Path

TO_SERVER, TO_CLIENT = "to the server", "to the client"


class Proxy:
    """Is a socket in a folder of its own whose connections lead to the server's.

    ``arm`` says behind how many messages, counted from then on over all connections, the line of that connection is
    cut: ``mute`` leaves the server's side open, as where a client's machine is gone and nobody told the server.
    """

    def __init__(self, server_socket: Path) -> None:
        self._server = server_socket
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-proxy-"))
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / server_socket.name))
        self._listening.listen(64)
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self.passed = {TO_SERVER: 0, TO_CLIENT: 0}
        self.cut = False
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, direction: str = TO_SERVER, messages: int | None = None) -> None:
        """Counts anew, and cuts behind ``messages`` messages in a direction; None: never."""
        with self._lock:
            self.passed = {TO_SERVER: 0, TO_CLIENT: 0}
            self.cut = False
            self._left = {} if messages is None else {direction: messages}

    def close(self) -> None:
        """Stops listening; open lines go on until their ends close."""
        self._open = False
        self._listening.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        # The first message of a client has no letter in front.
        framed = {client: False, server: True}
        waiting = {client: b"", server: b""}
        with client, server:
            while True:
                for side in select.select([client, server], [], [])[0]:
                    try:
                        data = side.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    other, direction = (server, TO_SERVER) if side is client else (client, TO_CLIENT)
                    whole, waiting[side], framed[side] = self._split(waiting[side] + data, framed[side])
                    for message in whole:
                        if not self._may_pass(direction):
                            return
                        try:
                            other.sendall(message)
                        except OSError:
                            return
                    if not self._may_go_on(direction):
                        return

    @staticmethod
    def _split(data: bytes, framed: bool) -> tuple[list[bytes], bytes, bool]:
        whole = []
        while True:
            start = 1 if framed else 0
            if len(data) < start + 4:
                return whole, data, framed
            length = start + int(struct.unpack_from(">i", data, start)[0])
            if len(data) < length:
                return whole, data, framed
            # What asks for encryption is answered by one letter, and then the first message comes.
            framed = framed or struct.unpack_from(">i", data, 4)[0] not in (80877103, 80877104)
            whole.append(data[:length])
            data = data[length:]

    def _may_pass(self, direction: str) -> bool:
        with self._lock:
            if self._left.get(direction) == 0:
                self._left, self.cut = {}, True
                return False
            if direction in self._left:
                self._left[direction] -= 1
            self.passed[direction] += 1
            return True

    def _may_go_on(self, direction: str) -> bool:
        with self._lock:
            if self._left.get(direction) == 0:
                self._left, self.cut = {}, True
                return False
            return True
