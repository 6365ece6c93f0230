"""Has the database itself checked: that a SQLite file is sound page by page, and that the log's guards are in place."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.store.schema import GUARDS, postgres_statements, sqlite_statements
from projections.catch_up import CREATE_STATE
from projections.findings import Finding, Findings
from projections.tables import ReadModel

if TYPE_CHECKING:
    from ledger.store import Reader

#: How many lines of damage SQLite lists.
LISTED = 20

SQLITE_MASTER = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
# A trigger that is disabled, or fires on replicas only, guards nothing; nor does one whose function does nothing.
POSTGRES_TRIGGERS = (
    "SELECT t.tgname, c.relname, CAST(t.tgenabled AS text), CAST(t.tgtype AS int), pg_get_triggerdef(t.oid), p.prosrc"
    " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_proc p ON p.oid = t.tgfoid WHERE n.nspname = current_schema() AND NOT t.tgisinternal ORDER BY t.tgname"
)
# What is not a plain table, hides rows from some who ask, or answers for another table, answers as somebody likes.
POSTGRES_RELATIONS = (
    "SELECT c.relname, CAST(c.relkind AS text), CAST(c.relrowsecurity AS int), CAST(c.relhasrules AS int),"
    " CAST(EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)) AS int) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() ORDER BY c.relname"
)
POSTGRES_KEYS = (
    "SELECT c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND k.contype IN ('p', 'u')"
)
SELECT_HEADS = "SELECT COUNT(*) FROM log_head"
# What pg_trigger.tgtype says of each guard: 1 for each row, 2 before, 8 DELETE, 16 UPDATE, 32 TRUNCATE.
_FIRES = {"stored_events_refuse_change": 58, "log_head_refuse_back": 19, "log_head_refuse_delete": 42}

_CREATED = re.compile(r"CREATE (TABLE|INDEX|TRIGGER) (?:IF NOT EXISTS )?(\w+)")


def check_database(reader: "Reader", dialect: str, models: Sequence[ReadModel], found: Findings) -> None:
    """Names what is damaged in the file (SQLite finds its own), and each trigger that no longer refuses changes.

    On SQLite a table, index or trigger must also be stated as this package states it: a letter there is a rule. And
    each cell must be of its column's type.
    PostgreSQL checks a page's checksum whenever it reads one, and refuses the query; there the keys, the guards'
    functions and that tables are plain ones are held against what this package created.
    """
    if dialect == "sqlite":
        damage = [str(line) for (line,) in reader.query(f"PRAGMA integrity_check({LISTED})") if line != "ok"]
        for line in damage:
            found.other("damaged-file", "the database file", "a sound file", line)
        _check_statements(reader, models, found)
        if not damage:
            _check_types(reader, found)
        return
    _check_guards(reader, found)
    _check_relations(reader, models, found)


def unreadable(found: Sequence[Finding]) -> bool:
    """Tells whether nothing read from a store with these findings can be relied on, not even that a number is one."""
    return any(finding.kind in ("damaged-file", "mistyped-row") for finding in found)


def _check_types(reader: "Reader", found: Findings) -> None:
    """Names rows with a cell that is not of its column's type: SQLite types cells and not columns."""
    for (name,) in reader.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        columns = reader.query(f"PRAGMA table_info({name})")
        types = {str(column): str(type_).lower() for _, column, type_, *_ in columns}
        keys = [str(column) for _, column, _, _, _, key in columns if key]
        never_null = {str(column) for _, column, _, not_null, _, key in columns if not_null or key}
        empty = ("", ", 'null'")
        unlike = " OR ".join(
            f"typeof({column}) NOT IN ('{type_}'{empty[column not in never_null]})" for column, type_ in types.items()
        )
        shown = ", ".join([*(f"typeof({column})" for column in types), *(f"quote({key})" for key in keys)])
        for row in reader.query(f"SELECT {shown} FROM {name} WHERE {unlike} LIMIT {LISTED}"):
            wrong = [
                (column, types[column], got) for column, got in zip(types, row, strict=False) if got != types[column]
            ]
            found.other(
                "mistyped-row",
                " ".join([str(name), *(f"{key}={cell}" for key, cell in zip(keys, row[len(types) :], strict=True))]),
                ", ".join(f"{column} of type {type_}" for column, type_, _ in wrong),
                ", ".join(f"{column} of type {got}" for column, _, got in wrong),
            )


def _check_guards(reader: "Reader", found: Findings) -> None:
    """Names each guard that is gone, off, narrowed or emptied, and each trigger of somebody else's."""
    guards, bodies = GUARDS["postgres"], "".join(postgres_statements())
    held = {str(row[0]): row[1:] for row in reader.query(POSTGRES_TRIGGERS)}
    for name in sorted(guards):
        if name not in held:
            found.other("missing-guard", f"trigger {name}", "an enabled trigger", "no such trigger")
            continue
        table, enabled, fires, definition, body = held.pop(name)
        if enabled not in ("O", "A"):
            found.other("missing-guard", f"trigger {name}", "an enabled trigger", f"state {enabled}")
        elif (
            table != name[: name.index("_refuse")] or fires != _FIRES[name] or _when(definition) != _when(guards[name])
        ):
            found.other("missing-guard", f"trigger {name}", " ".join(guards[name].split()), str(definition))
        elif f"$${body}$$" not in bodies:
            found.other("missing-guard", f"trigger {name}", "a function that refuses", str(body))
    for name, (table, *_) in held.items():
        found.other("foreign-trigger", f"trigger {name}", f"no other trigger on {table}", "one")


def _when(definition: str) -> str:
    """Returns the condition of a trigger without what databases write differently."""
    return re.sub(r"[()\s]", "", definition.partition("WHEN")[2].partition("EXECUTE")[0]).lower()


def _stated(dialect: str, models: Sequence[ReadModel]) -> list[str]:
    """Returns the statements by which this package makes a store and its models, but for the models' indexes."""
    own = sqlite_statements() if dialect == "sqlite" else postgres_statements()
    derived = [table.creation(dialect) for model in models for table in model.tables]
    return [*own, CREATE_STATE[dialect], *derived]


def _check_relations(reader: "Reader", models: Sequence[ReadModel], found: Findings) -> None:
    keys: dict[str, set[str]] = {}
    for table, key in reader.query(POSTGRES_KEYS):
        keys.setdefault(str(table), set()).add(str(key).replace('"', ""))
    held = {str(name): tuple(rest) for name, *rest in reader.query(POSTGRES_RELATIONS)}
    for statement in _stated("postgres", models):
        created = _CREATED.match(statement.strip())
        if created is None or created[1] != "TABLE":
            continue
        name = created[2]
        if (got := held.get(name)) != ("r", 0, 0, 0):
            plain = "a table of its own, without rules, inheritance or row security"
            found.other("edited-schema", f"table {name}", plain, f"relation {got}" if got else "no such table")
        for key in sorted(_keys(statement) - keys.get(name, set())):
            found.other("edited-schema", f"table {name}", key, "no such constraint")
    if (heads := int(reader.query(SELECT_HEADS)[0][0])) != 1:
        found.other("edited-schema", "table log_head", "one row", f"{heads} rows")


def _keys(statement: str) -> set[str]:
    """Returns the keys that a CREATE TABLE declares, as the catalogue writes them."""
    body = statement[statement.index("(") + 1 :]
    keys = {f"{kind} ({columns})" for kind, columns in re.findall(r"(PRIMARY KEY|UNIQUE) \(([^)]*)\)", body)}
    return keys | {f"{kind} ({name})" for name, kind in re.findall(r"(\w+) [^,(]*?(PRIMARY KEY|UNIQUE)(?! \()", body)}


def _check_statements(reader: "Reader", models: Sequence[ReadModel], found: Findings) -> None:
    held = {(str(kind), str(name)): str(sql) for kind, name, sql in reader.query(SQLITE_MASTER)}
    stated = set()
    for statement in _stated("sqlite", models):
        text = statement.strip().replace(" IF NOT EXISTS", "", 1)
        created = _CREATED.match(text)
        if created is None:
            continue
        key = created[1].lower(), created[2]
        stated.add(key)
        if held.get(key) != text:
            kind = "missing-guard" if key[0] == "trigger" else "edited-schema"
            found.other(kind, f"{key[0]} {key[1]}", text, held.get(key, f"no such {key[0]}"))
    # One that is missing keeps nothing from anybody, and the next to catch up builds it; another one might.
    indexing = [each for model in models for table in model.tables for each in table.indexing().items()]
    indexes = {name: statement.replace(" IF NOT EXISTS", "", 1) for name, statement in indexing}
    names = {text: name for name, text in indexes.items()}
    for (kind, name), text in sorted(held.items()):
        meant = name if name in indexes else names.get(text, "")
        if meant and (kind, name, text) != ("index", meant, indexes[meant]):
            found.other("edited-schema", f"index {meant}", indexes[meant], f"{kind} {name}: {text}")
    for kind, name in sorted(held.keys() - stated):
        if kind == "trigger":
            found.other("foreign-trigger", f"trigger {name}", "no other trigger", held[kind, name])
