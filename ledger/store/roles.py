"""Closes a PostgreSQL store to all but two roles: one that may append, and one that may read all but persons.

The roles cannot log in: a database's administrator grants them to those who can. Neither owns anything, so neither
can drop a trigger, truncate a table or change an event; erasing, upgrading and rebuilding are the owner's.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.store.link import Link
    from ledger.store.session import Writer
    from ledger.store.store import Store

WRITER, READER = "ledger_writer", "ledger_reader"

_APPEND, _KEEP, _READ, _NOTHING = "SELECT, INSERT", "SELECT, INSERT, UPDATE", "SELECT", ""
# What is merged into its table is deleted.
_RUN = "SELECT, INSERT, DELETE"

#: What the writer and the reader may do with every table of a store; a table not named here is closed to both.
GRANTS: dict[str, tuple[str, str]] = {
    "stored_events": (_APPEND, _READ),
    "log_head": ("SELECT, UPDATE (size, recorded_at, tokens)", _READ),
    "schema_version": (_READ, _READ),
    "person": (_APPEND, _NOTHING),
    "person_block": (_APPEND, _NOTHING),
    "person_number": (_APPEND, _NOTHING),
    "person_run": (_RUN, _NOTHING),
    "person_seal": (_APPEND, _READ),
    "person_year": (_KEEP, _READ),
    "person_year_run": (_RUN, _READ),
    "account": (_KEEP, _READ),
    "account_run": (_RUN, _READ),
    "member": (_KEEP, _READ),
    # A filing that another ends is written again with the days it keeps.
    "filing": ("SELECT, INSERT, DELETE", _READ),
    "entitlement": (_KEEP, _READ),
    "visit": (_APPEND, _READ),
    "institution": (_KEEP, _READ),
    "enrolment_rule": (_KEEP, _READ),
    "message": (_APPEND, _READ),
    "message_run": (_RUN, _READ),
    "reversal": (_APPEND, _READ),
    "trace_code": (_KEEP, _READ),
    "price_cap": (_APPEND, _READ),
    "drug_cap": (_APPEND, _READ),
    "drug_use": (_APPEND, _READ),
}
#: A query first brings its derived table up to the log, so whoever reads may fill those, and never empty them.
DERIVED = _KEEP

# Two stores of one server may make the roles at once; the one that comes second finds them.
CREATE_ROLE = """
DO $$BEGIN CREATE ROLE {} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END$$"""
SCHEMA = "SELECT current_schema()"
SELECT_GRANTED = (
    "SELECT rolname FROM pg_roles WHERE rolname IN (?, ?) AND has_table_privilege(rolname, 'stored_events', 'SELECT')"
)


def grant_roles(store: "Store", derived: Sequence[str] = ()) -> None:
    """Makes the two roles where they are missing and gives them, on this store, what ``GRANTS`` says and no more.

    ``derived`` names the tables that can be derived again from the log. Doing it again gives the same. Raises
    StoreError on SQLite, whose only guard besides its triggers is who may write the file, and for an account that
    may not create roles.
    """
    if store.dialect != "postgres":
        raise StoreError(
            f"expected a PostgreSQL store to make roles in, got {store!r}: a SQLite file is as safe as its folder"
        )
    with store.write() as writer:
        schema = f'"{writer.query(SCHEMA)[0][0]}"'
        both = f"{WRITER}, {READER}"
        for role in (WRITER, READER):
            writer.execute(CREATE_ROLE.format(role))
        writer.execute(f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC, {both}")
        writer.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {both}")
        writer.execute(f"GRANT USAGE ON SCHEMA {schema} TO {both}")
        _grant(writer, (WRITER, READER))
        for table in derived:
            writer.execute(f"GRANT {DERIVED} ON {table} TO {both}")


def grant_new_tables(link: "Link") -> None:
    """Gives those of the two roles that a PostgreSQL store has let in what ``GRANTS`` says, also on its new tables."""
    _grant(link, [str(role) for (role,) in link.query(SELECT_GRANTED, (WRITER, READER))])


def _grant(to: "Link | Writer", roles: Sequence[str]) -> None:
    for table, (of_writer, of_reader) in GRANTS.items():
        for role, privileges in ((WRITER, of_writer), (READER, of_reader)):
            if privileges and role in roles:
                to.execute(f"GRANT {privileges} ON {table} TO {role}")
