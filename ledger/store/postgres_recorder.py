"""Is the library's PostgreSQL recorder over the ledger's table."""

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from ledger.store.postgres_connection import (
    COPY_EVENTS,
    COPY_FROM,
    LedgerDatastore,
    bytea_array,
    int_array,
    text_array,
)

# One round trip: the row lock on log_head lasts to the commit, so ids are gap-free and in commit order.
INSERT_EVENTS = """
WITH head AS (
  UPDATE log_head SET size = size + %(n)s RETURNING size
), inserted AS (
  INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)
  SELECT head.size - %(n)s + e.at, e.originator_id, e.originator_version, e.topic, e.state
  FROM head, unnest(%(ids)s::text[], %(versions)s::bigint[], %(topics)s::text[], %(states)s::bytea[])
    WITH ORDINALITY AS e(originator_id, originator_version, topic, state, at)
)
SELECT size, pg_notify(%(channel)s, '') FROM head"""
TAKE_HEAD = "UPDATE log_head SET size = size + %s RETURNING size, pg_notify(%s, '')"


class PostgresRecorder(PostgresApplicationRecorder):
    """Is the library's recorder with positions from log_head; its database functions and composites are not used."""

    def __init__(self, datastore: LedgerDatastore) -> None:
        super().__init__(datastore)
        # ``ledger.store.create`` makes the tables, and the schema is the channel its subscribers listen on.
        self.sql_create_statements.clear()
        self.channel_name = datastore.schema

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Returns the positions of the events, all inserted or none; raises the library's IntegrityError.

        It is never tried again by itself: after a connection lost in the commit only the log knows what happened,
        and, since fewer than ``COPY_FROM`` events are one statement that commits itself, only once the server is done
        with the lost session (``pg_stat_activity``).
        """
        n = len(stored_events)
        if not n:
            return []
        with self.datastore.get_connection() as connection:
            if n < COPY_FROM:
                row = connection.execute(INSERT_EVENTS, self._arrays(stored_events)).fetchone()
            else:
                with connection.transaction(), connection.cursor() as cursor:
                    row = cursor.execute(TAKE_HEAD, (n, self.channel_name)).fetchone()
                    assert row is not None
                    first = row["size"] - n + 1
                    with cursor.copy(COPY_EVENTS) as copy:
                        copy.set_types(("text", "int8", "text", "bytea", "int8"))
                        for position, event in enumerate(stored_events, first):
                            copy.write_row(
                                (str(event.originator_id), event.originator_version, event.topic, event.state, position)
                            )
        assert row is not None
        return list(range(row["size"] - n + 1, row["size"] + 1))

    def _arrays(self, stored_events: Sequence[StoredEvent]) -> dict[str, Any]:
        return {
            "n": len(stored_events),
            "ids": text_array([str(event.originator_id) for event in stored_events]),
            "versions": int_array([event.originator_version for event in stored_events]),
            "topics": text_array([event.topic for event in stored_events]),
            "states": bytea_array([event.state for event in stored_events]),
            "channel": self.channel_name,
        }
