"""Has the database itself checked: that a SQLite file is sound page by page, and that the log's guards are in place."""

from typing import TYPE_CHECKING

from ledger.store.schema import GUARDS
from projections.findings import Findings

if TYPE_CHECKING:
    from ledger.store import Reader

#: How many lines of damage SQLite lists.
LISTED = 20

SQLITE_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
# A trigger that is disabled, or fires on replicas only, guards nothing.
POSTGRES_TRIGGERS = (
    "SELECT t.tgname, CAST(t.tgenabled AS text) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT t.tgisinternal"
)


def check_database(reader: "Reader", dialect: str, found: Findings) -> None:
    """Names what is damaged in the file (SQLite finds its own), and each trigger that no longer refuses changes.

    PostgreSQL checks a page's checksum whenever it reads one, and refuses the query.
    """
    if dialect == "sqlite":
        for (line,) in reader.query(f"PRAGMA integrity_check({LISTED})"):
            if line != "ok":
                found.other("damaged-file", "the database file", "a sound file", str(line))
        held = {str(name): str(sql) for name, sql in reader.query(SQLITE_TRIGGERS)}
        expected = {name: sql.strip() for name, sql in GUARDS["sqlite"].items()}
    else:
        held = {str(name): str(enabled) for name, enabled in reader.query(POSTGRES_TRIGGERS)}
        held = {name: "enabled" if enabled in ("O", "A") else f"state {enabled}" for name, enabled in held.items()}
        expected = dict.fromkeys(GUARDS["postgres"], "enabled")
    for name in sorted(expected):
        if held.get(name) != expected[name]:
            found.other("missing-guard", f"trigger {name}", expected[name], held.get(name, "no such trigger"))
