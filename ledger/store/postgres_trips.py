"""Has a PostgreSQL server run several statements in one trip, the rows of a COPY among them.

A cursor makes a trip of each: where one waits for the other across two processes, that costs more than a hundred rows.
"""

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators, pq
from psycopg.waiting import Wait

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

SUCCEEDED = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COPY_IN)


def ask(connection: psycopg.Connection[Any], statements: bytes) -> "list[PGresult]":
    """Returns the results of statements without parameters, values as text, run one behind the other in one trip.

    They end with a COPY that now waits for its rows (``feed``), where there is one. Raises psycopg.Error for the first
    that fails: the server runs none behind it.
    """
    with connection.lock:
        return connection.wait(_asked(connection.pgconn, statements))


def feed(connection: psycopg.Connection[Any], rows: bytes) -> "list[PGresult]":
    """Returns the results of a COPY that waited for its rows, trailer included, and of the statements behind it.

    Raises psycopg.Error as ``ask`` does.
    """
    with connection.lock:
        return connection.wait(_fed(connection.pgconn, rows))


def numbers(result: "PGresult") -> list[tuple[int, ...]]:
    """Returns the rows of a result whose columns are integers, none of them NULL."""
    cells = [[result.get_value(row, at) for at in range(result.nfields)] for row in range(result.ntuples)]
    return [tuple(int(cell) for cell in row if cell is not None) for row in cells]


def _asked(pgconn: "PGconn", statements: bytes) -> "PQGen[list[PGresult]]":
    pgconn.send_query(statements)
    return _checked((yield from generators.execute(pgconn)))


def _fed(pgconn: "PGconn", rows: bytes) -> "PQGen[list[PGresult]]":
    yield from generators.copy_to(pgconn, rows, flush=False)
    while not pgconn.put_copy_end():
        yield Wait.W
    return _checked((yield from generators.execute(pgconn)))


def _checked(results: "list[PGresult]") -> "list[PGresult]":
    for result in results:
        if result.status not in SUCCEEDED:
            raise psycopg.errors.error_from_result(result)
    return results
