"""Makes the stored fixture of the present schema: ``python -m tests.golden.make_store`` (never for an earlier one).

``store-<schema>.db`` is a whole SQLite store after a month of docs/example, ``store-<schema>.json`` what must be found
in it by every later version: the size, the root, and a digest of every table the write side keeps.
"""

import hashlib
import itertools
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

import ledger
import projections
from ledger.service import Ledger
from ledger.store import Reader
from ledger.store.schema import SCHEMA_VERSION

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "docs" / "example"
#: What the write side keeps, in the order of its first version; later versions may add tables and columns.
STATE = {
    "person": "token, psn_no, psn_name",
    "person_year": "key, version, state",
    "account": "token, balance_fen",
    "member": "token, insu_admdvs, insutype, psn_type, assist_class",
    "filing": "token, filing, region, begin, to_",
    "message": "msgid, position",
    "reversal": "claim, by_position",
}


def digests(reader: Reader) -> dict[str, str]:
    """Returns a digest of the rows of every table the write side keeps."""
    found = {}
    for table, columns in STATE.items():
        rows = sorted(tuple(row) for row in reader.query(f"SELECT {columns} FROM {table}"))
        found[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def summary(url: str) -> dict[str, object]:
    """Returns what a store holds: size, root, last recorded time, and the digests of its state."""
    from ledger.store import connect

    with projections.open(url) as read:
        size, root = read.root()
    with connect(url) as store, store.read() as reader:
        return {"size": size, "root": root.hex(), "recorded_at": reader.recorded_at, "state": digests(reader)}


def month(url: str, folder: Path) -> None:
    """Takes the example through a month in a new store, at fixed times."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    ticks = itertools.count(1_711_929_600_000_000, 1_000_000)
    with ledger.create(url, actor="fixture", clock_us=lambda: next(ticks)) as book:
        book.enact("qingyuan", [441800], reason="in force since 2024")
        book.register(folder / "members.csv")
        book.intake(folder / "claims.csv")
        book.close(202401, reason="month end")
        book.draft(202401)
        book.check(202401)
        Ledger(book.store, "director", book.clock_us).sign(202401)
        payments = book.pay(202401)
        book.confirm(payments[0].key, "RECEIPT-1")
        book.clawback_raise("CASE-1", "441800/S0002", 10_000, "below the standard of admission")
        book.clawback_collect("CASE-1", 6_000, "RECEIPT-2")
        book.reverse("441800/S0001", "billed to the wrong person")


def main() -> None:
    """Writes the fixture of the present schema; raises FileExistsError where there is one."""
    target = HERE / f"store-{SCHEMA_VERSION}.db"
    if target.exists():
        raise FileExistsError(f"{target.name} is there: a stored fixture is made once")
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "ledger.db"
        month(f"sqlite:///{made}", Path(name) / "files")
        with sqlite3.connect(made) as raw:
            # Before any projection: what can be derived is no part of the fixture.
            raw.execute("VACUUM INTO ?", (str(target),))
        (HERE / f"store-{SCHEMA_VERSION}.json").write_text(
            json.dumps(summary(f"sqlite:///{made}"), indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
