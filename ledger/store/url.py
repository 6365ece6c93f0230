"""Reads a store URL: where the store is, and nothing else decides it."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ledger.refusals import StoreError

#: The schema of PostgreSQL that holds the store unless the URL's ``schema=`` names another.
SCHEMA = "settlement_ledger"

EXPECTED = "expected sqlite:///relative.db, sqlite:////absolute.db or postgresql://user@host/database"

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class SQLiteURL:
    """Is a file; ``path`` is absolute from the moment of parsing, so that a later chdir leads nowhere else."""

    url: str
    path: Path

    @property
    def place(self) -> str:
        """Returns how messages name the store."""
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class PostgresURL:
    """Is a schema in a database; ``conninfo`` is the URL without this package's own options, for libpq."""

    url: str
    conninfo: str
    schema: str

    @property
    def place(self) -> str:
        """Returns how messages name the store: without passwords, which may stand in the address or in an option."""
        address, _, query = self.conninfo.partition("?")
        shown = [
            option for option in query.split("&") if option.partition("=")[0] in ("host", "port", "dbname", "user")
        ]
        return f"{_without_password(address)}?{'&'.join([*shown, f'schema={self.schema}'])}"


def _without_password(text: str) -> str:
    return re.sub(r"(://[^:/@?]*):[^@/]*@", r"\1@", text)


def parse_url(url: str) -> SQLiteURL | PostgresURL:
    """Returns where ``url`` points to; raises StoreError for anything that is not wholly understood.

    The path of ``sqlite:///`` is percent-decoded and takes no options; ``:memory:`` is refused, for a ledger that
    ends with its process is none. Options of ``postgresql://`` are libpq's, checked by libpq, and ``schema``.
    """
    if not isinstance(url, str):
        raise StoreError(f"{EXPECTED}, got {type(url).__name__}")
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return _sqlite(url, rest)
    if separator and scheme in ("postgresql", "postgres"):
        return _postgres(url)
    shown = f"{scheme}://…" if separator else url
    hint = f": write sqlite:///{url}" if url and ":" not in url else ""
    raise StoreError(f"{EXPECTED}, got {shown!r}{hint}")


def _sqlite(url: str, rest: str) -> SQLiteURL:
    if not rest.startswith("/"):
        raise StoreError(
            f"expected three slashes, as in sqlite:///ledger.db, or four before an absolute path, got {url!r}"
        )
    if "?" in rest or "#" in rest:
        raise StoreError(f"expected no options on a sqlite URL (write %3F and %23 in a file name), got {url!r}")
    name = unquote(rest[1:])
    if not name or name.endswith("/") or "\0" in name:
        raise StoreError(f"expected the name of a file, as in sqlite:///ledger.db, got {url!r}")
    if name == ":memory:" or name.startswith("file:"):
        raise StoreError(f"expected a file that outlives the process, got {url!r}: name a file in a temporary folder")
    return SQLiteURL(url, Path(name).absolute())


def _postgres(url: str) -> PostgresURL:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    address, _, query = url.partition("?")
    schema, kept = SCHEMA, []
    for option in query.split("&") if query else []:
        key, _, value = option.partition("=")
        if unquote(key) == "schema":
            schema = unquote(value)
        else:
            kept.append(option)
    if not _IDENTIFIER.fullmatch(schema) or schema.startswith("pg_"):
        raise StoreError(
            f"expected schema= to be lower-case letters, digits and underscores, not beginning with pg_, got {schema!r}"
        )
    conninfo = f"{address}?{'&'.join(kept)}" if kept else address
    parsed = PostgresURL(url, conninfo, schema)
    try:
        options = conninfo_to_dict(conninfo)
    except psycopg.Error as error:
        raise StoreError(
            f"expected libpq's options and schema= in {parsed.place}, got: {_without_password(str(error)).strip()}"
        ) from None
    for refused in ("service", "servicefile"):
        if refused in options:
            raise StoreError(f"expected the whole address in the URL, got {refused}= in {parsed.place}: write it out")
    return parsed


def segments_folder(url: str, given: Path | None) -> Path | None:
    """Returns where a store keeps its segments: the folder given, beside a SQLite file; None where nobody said."""
    if given is not None:
        return given
    place = parse_url(url)
    return place.path.with_name(f"{place.path.name}.segments") if isinstance(place, SQLiteURL) else None
