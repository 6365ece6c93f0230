"""Makes clearing worlds: a generated month whose claims gather in a few cities, taken in, closed and signed."""

import csv
from pathlib import Path

from console.generate import generate
from console.places import regions
from ledger.service import Ledger
from tests.ledger.worlds import opened, sign

PERIOD = 202403
SHANWEI, TAIAN = 441500, 370900
#: The provinces whose residents, and whose claims, are taken for the two cities'.
INSURED = {"13": "4415", "14": "4415", "43": "4415", "22": "3709", "23": "3709"}
TREATED = {"13": "3709", "33": "4415", "36": "4415", "22": "4415", "14": "3709", "41": "3709"}

Row = dict[str, str]


def gathered(path: Path, claims: int = 3_000, *, source_percent: int = 100, seed: int = 7) -> list[Row]:
    """Writes a generated month whose claims gather in Shanwei and Tai'an, and returns its sound rows."""
    made = path.with_suffix(".made")
    generate(made, claims, seed, "2024-03", persons=600, faults=0, off_site_percent=60, source_percent=source_percent)
    with made.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name, prefixes in (("insu_admdvs", INSURED), ("mdtrtarea_admvs", TREATED)):
            row[name] = prefixes.get(row[name][:2], row[name][:4]) + row[name][4:]
    write(path, rows)
    return rows


def write(path: Path, rows: list[Row]) -> Path:
    """Writes rows as a claim file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def region(code: str) -> int:
    """Returns the pooling area of a six-digit code."""
    prefix = int(code[:2])
    return prefix * 10_000 if prefix in (11, 12, 31, 50) else int(code[:4]) * 100


def book_of(url: str, path: Path, *, closed: bool = True, signed: bool = True) -> Ledger:
    """Returns an open ledger with the file taken in, its periods closed and the last of them signed."""
    book = opened(url, sorted({place.code for place in regions()}))
    book.intake(path)
    for period in [each.period for each in book.periods()] if closed else []:
        if period <= PERIOD:
            book.close(period)
    if closed and signed:
        sign(book, PERIOD)
    return book
