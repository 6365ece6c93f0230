"""A connection is made for appends: what it has prepared for them may be forgotten, and no append is lost by it."""

import os
import socket
from contextlib import nullcontext

import pytest

from ledger import store
from ledger.store import Conflict
from ledger.store.faults import KeyTaken
from ledger.store.postgres_connection import connect
from ledger.store.url import PostgresURL, parse_url
from tests.store.samples import all_rows, append, block_of, many


def test_appends_go_on_behind_what_forgets_statements(postgres_url: str) -> None:
    """A rollback, a message seen before, a conflict and a dropped table leave the next append as it was."""
    rows = []
    with store.create(postgres_url) as opened:
        # So often that the driver has prepared statements of its own, which it then has forgotten too.
        for turn in range(8):
            part = many(f"claim-a{turn}", 3)
            with pytest.raises(KeyTaken) if turn >= 5 else nullcontext(), opened.begin() as tx:
                first = tx.append(block_of(part))
                tx.add_messages([f"m{turn % 5}"], [first])
            rows += part if turn < 5 else []
        with pytest.raises(RuntimeError), opened.begin() as tx:
            tx.append(block_of(many("claim-b", 3)))
            raise RuntimeError
        for part in (many("claim-c", 3), many("claim-d", 600)):
            append(opened, part)
            rows += part
            with pytest.raises(Conflict):
                append(opened, part)
        with opened.begin() as tx:
            tx.execute("CREATE TABLE beside (a int)")
            tx.append(block_of(many("claim-e", 3)))
            tx.execute("DROP TABLE beside")
        append(opened, many("claim-f", 3))
        rows += many("claim-e", 3) + many("claim-f", 3)
        assert all_rows(opened) == [(i, *row) for i, row in enumerate(rows, 1)]


def test_statements_of_the_driver_outlive_refused_appends(postgres_url: str) -> None:
    """However often transactions are rolled back, what the driver has prepared is there when it is used."""
    with store.create(postgres_url) as opened:
        for turn in range(40):
            if turn % 3 == 1:
                with pytest.raises(RuntimeError), opened.begin() as tx:
                    tx.append(block_of(many(f"claim-{turn}", 3)))
                    raise RuntimeError
            with opened.begin() as tx:
                tx.append(block_of(many(f"claim-{turn}", 3)))
                tx.add_messages([f"m{turn}"], [1])
                assert tx.stream_heads([f"claim-{turn}-000000"]) == {f"claim-{turn}-000000": 2}
            with opened.write() as writer:
                writer.execute(f"CREATE TABLE beside_{turn} (a int)")
                writer.execute(f"DROP TABLE beside_{turn}")
        assert len(all_rows(opened)) == 120


def test_an_append_prepares_again_what_somebody_else_had_forgotten(postgres_url: str) -> None:
    """Statements that vanished behind the ledger's back are missed before anything is written, and prepared again."""
    with store.create(postgres_url) as opened:
        assert append(opened, many("claim-a", 3)) == 1
        with opened.write() as writer:
            writer.execute("DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$")
        assert append(opened, many("claim-b", 3)) == 4
        assert len(all_rows(opened)) == 6


def test_a_local_socket_is_as_wide_as_the_system_lets_it_be(postgres_url: str) -> None:
    """The rows of a block wait in the socket, not in the client; a connection over TCP is left as it is."""
    place = parse_url(postgres_url)
    assert isinstance(place, PostgresURL)
    with connect(place) as connection, socket.socket(fileno=os.dup(connection.fileno())) as used:
        if used.family != socket.AF_UNIX:
            return
        with socket.socket(socket.AF_UNIX) as plain:
            asked = plain.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            widest = plain.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == widest >= asked
