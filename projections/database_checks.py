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

_CREATED = re.compile(r"CREATE (TABLE|INDEX|TRIGGER) (\w+)")
# A column and its type; none of them may be NULL.
_TYPED = re.compile(r"(\w+) (INTEGER|TEXT|BLOB)\b")


def check_database(reader: "Reader", dialect: str, models: Sequence[ReadModel], found: Findings) -> None:
    """Names what is damaged in the file (SQLite finds its own), and each trigger that no longer refuses changes.

    On SQLite a table, index or trigger must also be stated as this package states it: a letter there is a rule. And
    each cell must be of its column's type. Tables of others are left alone.
    PostgreSQL checks a page's checksum whenever it reads one, and refuses the query; there the keys, the guards'
    functions and that tables are plain ones are held against what this package created.
    """
    if dialect == "sqlite":
        damage = [str(line) for (line,) in reader.query(f"PRAGMA integrity_check({LISTED})") if line != "ok"]
        for line in damage:
            found.other("damaged-file", "the database file", "a sound file", line)
        _check_statements(reader, models, found)
        if not damage:
            _check_types(reader, models, found)
        return
    _check_guards(reader, found)
    _check_relations(reader, models, found)


def unreadable(found: Sequence[Finding]) -> bool:
    """Tells whether nothing read from a store with these findings can be relied on, not even that a number is one."""
    return any(finding.kind in ("damaged-file", "mistyped-row") for finding in found)


#: A key that says who somebody is: its rows are named by their table alone.
SECRET = {("person_number", "psn_no")}


def _check_types(reader: "Reader", models: Sequence[ReadModel], found: Findings) -> None:
    """Names rows with a cell not of the type its column is stated with: SQLite types cells and not columns."""
    for kind, name, text in _stated("sqlite", models):
        if kind != "table":
            continue
        stated = dict(_TYPED.findall(text))
        held = [(str(column), key) for _, column, _, _, _, key in reader.query(f"PRAGMA table_info({name})")]
        types = {column: stated[column].lower() for column, _ in held if column in stated}
        keys = [column for column, key in held if key and (name, column) not in SECRET]
        unlike = " OR ".join(f"typeof({column}) <> '{type_}'" for column, type_ in types.items())
        shown = ", ".join([*(f"typeof({column})" for column in types), *(f"quote({key})" for key in keys)])
        rows = reader.query(f"SELECT {shown} FROM {name} WHERE {unlike} LIMIT {LISTED}") if types else []
        for row in rows:
            wrong = [
                (column, types[column], got) for column, got in zip(types, row, strict=False) if got != types[column]
            ]
            found.other(
                "mistyped-row",
                " ".join([name, *(f"{key}={cell}" for key, cell in zip(keys, row[len(types) :], strict=True))]),
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


def _stated(dialect: str, models: Sequence[ReadModel]) -> list[tuple[str, str, str]]:
    """Returns (kind, name, statement) of all that this package makes for a store and its models, but their indexes."""
    own = sqlite_statements() if dialect == "sqlite" else postgres_statements()
    derived = [table.creation(dialect) for model in models for table in model.tables]
    texts = [text.strip().replace(" IF NOT EXISTS", "", 1) for text in (*own, CREATE_STATE[dialect], *derived)]
    return [(made[1].lower(), made[2], text) for text in texts if (made := _CREATED.match(text))]


def _check_relations(reader: "Reader", models: Sequence[ReadModel], found: Findings) -> None:
    keys: dict[str, set[str]] = {}
    for table, key in reader.query(POSTGRES_KEYS):
        keys.setdefault(str(table), set()).add(str(key).replace('"', ""))
    held = {str(name): tuple(rest) for name, *rest in reader.query(POSTGRES_RELATIONS)}
    for kind, name, statement in _stated("postgres", models):
        if kind != "table":
            continue
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
    stated = {(kind, name): text for kind, name, text in _stated("sqlite", models)}
    for (kind, name), text in stated.items():
        if (got := held.get((kind, name))) != text:
            wrong = "missing-guard" if kind == "trigger" else "edited-schema"
            found.other(wrong, f"{kind} {name}", text, got or f"no such {kind}")
    # One that is missing keeps nothing from anybody, and the next to catch up builds it; another one might.
    indexing = [each for model in models for table in model.tables for each in table.indexing().items()]
    indexes = {name: statement.replace(" IF NOT EXISTS", "", 1) for name, statement in indexing}
    names = {text: name for name, text in indexes.items()}
    for (kind, name), text in sorted(held.items()):
        meant = name if name in indexes else names.get(text, "")
        if meant and (kind, name, text) != ("index", meant, indexes[meant]):
            found.other("edited-schema", f"index {meant}", indexes[meant], f"{kind} {name}: {text}")
    for kind, name in sorted(held.keys() - stated.keys()):
        if kind == "trigger":
            found.other("foreign-trigger", f"trigger {name}", "no other trigger", held[kind, name])
