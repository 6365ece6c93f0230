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
    cut; ``arm_at`` cuts it at the first message with a text in it, which still passes or no longer does.
    """

    def __init__(self, server_socket: Path) -> None:
        self._server = server_socket
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-proxy-"))
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / server_socket.name))
        self._listening.listen(64)
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self._at: tuple[bytes, bool] | None = None
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
            self._at = None

    def arm_at(self, text: bytes, passing: bool) -> None:
        """Cuts at the next message to the server with ``text`` in it: behind it where ``passing``, else before it."""
        self.arm()
        with self._lock:
            self._at = (text, passing)

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
                        passes, goes_on = self._judged(direction, message)
                        if passes:
                            try:
                                other.sendall(message)
                            except OSError:
                                return
                        if not goes_on:
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
            framed = True
            whole.append(data[:length])
            data = data[length:]

    def _judged(self, direction: str, message: bytes) -> tuple[bool, bool]:
        """Returns whether a message passes, and whether the line goes on behind it."""
        with self._lock:
            if self._at is not None and direction == TO_SERVER and self._at[0] in message:
                passing, self._at, self.cut = self._at[1], None, True
                return passing, False
            self.passed[direction] += 1
            if direction not in self._left:
                return True, True
            self._left[direction] -= 1
            if self._left[direction] > 0:
                return True, True
            self._left, self.cut = {}, True
            return True, False
