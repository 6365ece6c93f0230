"""Has the database itself checked: that a SQLite file is sound page by page, and that the log's guards are in place."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.store.schema import GUARDS, sqlite_statements
from projections.catch_up import CREATE_STATE
from projections.findings import Findings
from projections.tables import ReadModel

if TYPE_CHECKING:
    from ledger.store import Reader

#: How many lines of damage SQLite lists.
LISTED = 20

SQLITE_MASTER = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
# A trigger that is disabled, or fires on replicas only, guards nothing.
POSTGRES_TRIGGERS = (
    "SELECT t.tgname, CAST(t.tgenabled AS text) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT t.tgisinternal"
)


_CREATED = re.compile(r"CREATE (TABLE|INDEX|TRIGGER) (?:IF NOT EXISTS )?(\w+)")


def check_database(reader: "Reader", dialect: str, models: Sequence[ReadModel], found: Findings) -> None:
    """Names what is damaged in the file (SQLite finds its own), and each trigger that no longer refuses changes.

    On SQLite a table, index or trigger must also be stated as this package states it: a letter there is a rule.
    PostgreSQL checks a page's checksum whenever it reads one, and refuses the query.
    """
    if dialect == "sqlite":
        for (line,) in reader.query(f"PRAGMA integrity_check({LISTED})"):
            if line != "ok":
                found.other("damaged-file", "the database file", "a sound file", str(line))
        _check_statements(reader, models, found)
        return
    held = {str(name): str(enabled) for name, enabled in reader.query(POSTGRES_TRIGGERS)}
    for name in sorted(GUARDS["postgres"]):
        if held.get(name) not in ("O", "A"):
            got = f"state {held[name]}" if name in held else "no such trigger"
            found.other("missing-guard", f"trigger {name}", "an enabled trigger", got)


def _check_statements(reader: "Reader", models: Sequence[ReadModel], found: Findings) -> None:
    statements = [*sqlite_statements(), CREATE_STATE["sqlite"]]
    statements += [each for model in models for table in model.tables for each in table.statements("sqlite")]
    held = {(str(kind), str(name)): str(sql) for kind, name, sql in reader.query(SQLITE_MASTER)}
    for statement in statements:
        text = statement.strip().replace(" IF NOT EXISTS", "", 1)
        created = _CREATED.match(text)
        if created is None:
            continue
        key = created[1].lower(), created[2]
        if held.get(key) != text:
            kind = "missing-guard" if key[0] == "trigger" else "edited-schema"
            found.other(kind, f"{key[0]} {key[1]}", text, held.get(key, f"no such {key[0]}"))
