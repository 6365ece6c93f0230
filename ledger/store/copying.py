"""Copies a whole store into an empty place, from either database to either: ids, bytes and the write side's state.

All of it is one transaction on the target, read from one snapshot of the source: until it commits there is no ledger
in the target, whatever happens. Derived tables stay behind; they are derived again.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.codec_fields import Encoded
from core_ext.kernels import load
from core_ext.text import texts_from_list
from ledger.block import EventBlock
from ledger.refusals import Refusal, Refused, StoreError
from ledger.store import person_blocks, runs
from ledger.store.link import Backend, Link
from ledger.store.session import SELECT_EVENTS, Reader
from ledger.store.text_runs import MESSAGE_RUNS, NUMBER_RUNS

if TYPE_CHECKING:
    from ledger.store.session import EventRow
    from ledger.store.store import Store

#: Rows read and written at a time.
PAGE = 8_192
#: The same where a row is a block of thousands of persons.
PAGES = {"person_block": 32}

Progress = Callable[[int], None]

#: Every table of the write side's state: its key, by which it is read in order, and all its columns.
STATE: dict[str, tuple[str, tuple[str, ...]]] = {
    "person": ("token", ("token", "psn_no", "psn_name", "salt")),
    "person_block": ("first", person_blocks.COLUMNS),
    "person_number": ("psn_no", ("psn_no", "token")),
    "person_run": ("run", NUMBER_RUNS.columns),
    "person_seal": ("first", ("first", "seals")),
    "person_year": ("key", ("key", "version", "state")),
    "person_year_run": ("run", runs.COLUMNS),
    "account": ("token", ("token", "balance_fen", "version")),
    "account_run": ("run", runs.COLUMNS),
    "member": (
        "token",
        ("token", "begin", "insu_admdvs", "insutype", "psn_type", "assist_class", "covered_from", "status"),
    ),
    "filing": ("token", ("token", "filing", "region", "begin", "to_")),
    "entitlement": ("token", ("token", "disease", "begin", "to_")),
    "visit": ("token", ("token", "mdtrt_id", "begin")),
    "institution": (
        "code",
        ("code", "begin", "status", "name", "region", "hosp_lv", "grade", "med_types", "bank_account"),
    ),
    "enrolment_rule": (
        "region",
        ("region", "insutype", "begin", "newborn_days", "on_time_until", "late_months", "exempt"),
    ),
    "message": ("msgid", ("msgid", "position")),
    "message_run": ("run", MESSAGE_RUNS.columns),
    "reversal": ("claim", ("claim", "by_position")),
    "trace_code": ("code", ("code", "claim")),
    "price_cap": ("position", ("med_list_codg", "begin", "to_", "cap", "position")),
    "drug_cap": ("position", ("med_list_codg", "window_", "begin", "to_", "maximum_fen", "position")),
    "drug_use": ("token", ("token", "med_list_codg", "day", "claim", "used_fen")),
}

# A key may stand in several rows: a page ends behind all rows of its last key.
LAST_KEY = "SELECT MAX({key}) FROM (SELECT {key} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT {limit}) AS page"
FIRST_KEY = "SELECT MIN({key}) FROM {table}"
SELECT_STATE = "SELECT {columns} FROM {table} WHERE {key} >= ? AND {key} <= ? ORDER BY {columns}"
SELECT_HEAD = "SELECT size, recorded_at, tokens FROM log_head"
WRITE_HEAD = "UPDATE log_head SET size = ?, recorded_at = ?, tokens = ?"


def copy_store(source: "Store", target: Backend, progress: Progress | None = None) -> int:
    """Copies a store into an empty place and returns the number of events; ``progress`` is told them as they go.

    What was written is read again and compared before it is committed. Raises Refused where the target holds
    anything, StoreError where the source is not whole or the target has other bytes; the target then holds nothing.
    """
    try:
        target.check_place(True)
        with source.read() as reader, target.create_link() as link:
            held = target.tables(link)
            if held:
                raise Refused(
                    Refusal.STORE_NOT_EMPTY,
                    f"expected nothing at {target.place}, got the tables {', '.join(sorted(held)[:5])}:"
                    " copy to a new file or schema",
                )
            for statement in target.statements():
                link.execute(statement)
            digest = _copy_events(reader, link, progress)
            for table in STATE:
                _copy_table(reader, link, table)
            link.execute(WRITE_HEAD, reader.query(SELECT_HEAD)[0])
            _compare(reader, link, digest, target.place)
            return reader.size
    finally:
        target.close()


def _copy_events(reader: Reader, link: Link, progress: Progress | None) -> bytes:
    """Writes every event at its own position and returns the digest of their leaves."""
    if reader.detached:
        raise StoreError(
            f"expected a source whose events are all in its log, got {', '.join(map(str, reader.detached))} detached:"
            " run settlement attach first"
        )
    digest = sha256()
    for rows in _events(reader.query, reader.size):
        link.append(_block(rows), rows[0][0])
        digest.update(_leaves(rows))
        if progress is not None:
            progress(rows[-1][0])
    return digest.digest()


def _events(query: Callable[..., list[Any]], size: int) -> "Iterator[list[EventRow]]":
    for after in range(0, size, PAGE):
        stop = min(after + PAGE, size)
        rows = query(SELECT_EVENTS, (after, stop))
        if [row[0] for row in rows] != list(range(after + 1, stop + 1)):
            raise StoreError(f"expected every position from {after + 1} to {stop}, got {len(rows)} events: run verify")
        yield rows


def _block(rows: "list[EventRow]") -> EventBlock:
    names = tuple(dict.fromkeys(row[3] for row in rows))
    at = {name: i for i, name in enumerate(names)}
    return EventBlock(
        texts_from_list([row[1] for row in rows]),
        np.array([row[2] for row in rows], dtype=np.int64),
        np.array([at[row[3]] for row in rows], dtype=np.int64),
        names,
        Encoded(*texts_from_list([row[4] for row in rows])),
    )


def _leaves(rows: "list[EventRow]") -> bytes:
    positions, streams, versions, topics, states = zip(*rows, strict=True)
    leaves: bytes = load("tree").leaf_hashes(positions, topics, states, streams, versions)
    return leaves


def _copy_table(reader: Reader, link: Link, table: str) -> None:
    columns = STATE[table][1]
    for rows in _state(reader.query, table):
        link.put(table, columns, list(zip(*rows, strict=True)))


def _state(query: Callable[..., list[Any]], table: str) -> Iterator[list[tuple[Any, ...]]]:
    """Yields a table's rows in order of its key, a page at a time."""
    key, columns = STATE[table]
    at = columns.index(key)
    first = query(FIRST_KEY.format(key=key, table=table))[0][0]
    statement = SELECT_STATE.format(columns=", ".join(columns), table=table, key=key)
    last = LAST_KEY.format(key=key, table=table, limit=PAGES.get(table, PAGE))
    stop = first
    while first is not None:
        rows = query(statement, (first, stop))
        # The row of the page before is read once more, and left out.
        yield rows if first == stop else [row for row in rows if row[at] != first]
        first, stop = stop, query(last, (stop,))[0][0]
        if stop is None:
            return


def _compare(reader: Reader, link: Link, digest: bytes, place: str) -> None:
    """Raises StoreError unless the target reads as the source does."""
    written = sha256()
    for rows in _events(link.query, reader.size):
        written.update(_leaves(rows))
    if written.digest() != digest:
        raise StoreError(f"expected the source's events at {place}, got others: nothing was copied")
    if link.query(SELECT_HEAD) != reader.query(SELECT_HEAD):
        raise StoreError(f"expected the source's head at {place}, got another: nothing was copied")
    for table in STATE:
        for mine, theirs in zip_longest(_state(reader.query, table), _state(link.query, table)):
            if mine != theirs:
                raise StoreError(f"expected the source's {table} at {place}, got other rows: nothing was copied")
