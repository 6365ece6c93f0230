"""Store URLs: wholly understood or refused, with what was expected and what came."""

import os
from pathlib import Path

import pytest

from ledger.refusals import StoreError
from ledger.store import connect
from ledger.store.url import PostgresURL, SQLiteURL, parse_url


def test_three_slashes_are_relative_and_four_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative path is resolved once, where the URL is read: a later change of folder leads nowhere else."""
    monkeypatch.chdir(tmp_path)
    relative = parse_url("sqlite:///a%20b/ledger.db")
    assert isinstance(relative, SQLiteURL)
    assert relative.path == tmp_path / "a b" / "ledger.db"
    os.chdir("/")
    assert relative.path == tmp_path / "a b" / "ledger.db"
    absolute = parse_url("sqlite:////var/lib/账本.db")
    assert isinstance(absolute, SQLiteURL) and absolute.path == Path("/var/lib/账本.db")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "expected sqlite:///relative.db"),
        ("ledger.db", "got 'ledger.db'"),
        ("mysql://h/db", "got 'mysql://…'"),
        ("sqlite://ledger.db", "three slashes"),
        ("sqlite:ledger.db", "expected sqlite:///relative.db"),
        ("sqlite:///", "name of a file"),
        ("sqlite:////var/lib/", "name of a file"),
        ("sqlite:///:memory:", "outlives the process"),
        ("sqlite:///file:ledger.db", "outlives the process"),
        ("sqlite:///ledger.db?mode=ro", "no options"),
        ("sqlite:///ledger.db?", "no options"),
        ("sqlite:///ledger.db#x", "no options"),
        ("postgresql://h/db?pool_size=3", "pool_size"),
        ("postgresql://h/db?schema=Public", "schema="),
        ("postgresql://h/db?schema=pg_x", "schema="),
        ("postgresql://h/db?schema=", "schema="),
        ("postgresql://h/db?schema=a%22b", "schema="),
        ("postgresql://h/db?service=other", "service="),
    ],
)
def test_anything_else_is_refused(url: str, says: str) -> None:
    """A URL that is not wholly understood opens nothing, and the message says what was expected."""
    with pytest.raises(StoreError, match=says):
        parse_url(url)


def test_a_port_is_a_number() -> None:
    """What only libpq can judge is refused when the store is opened, as StoreError too."""
    with pytest.raises(StoreError, match="port"):
        connect("postgresql://me@h:port/db")


def test_every_option_but_schema_is_for_libpq() -> None:
    """``schema=`` names the schema, everything else reaches libpq untouched."""
    url = parse_url("postgresql://me:p%40ss@h:5433/db?sslmode=require&schema=other_1&connect_timeout=3")
    assert isinstance(url, PostgresURL)
    assert url.schema == "other_1"
    assert url.conninfo == "postgresql://me:p%40ss@h:5433/db?sslmode=require&connect_timeout=3"
    plain = parse_url("postgresql://h/db")
    assert isinstance(plain, PostgresURL) and plain.schema == "settlement_ledger"


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:hush@h/db?password=hush&host=/run", "postgresql://me:hush@h/db?x=1", "postgresql://:hush@[h/db"],
)
def test_passwords_stay_out_of_messages(url: str) -> None:
    """Neither the name of a place nor an error about it repeats the password."""
    try:
        text = parse_url(url).place
    except StoreError as error:
        text = str(error)
    assert "hush" not in text
