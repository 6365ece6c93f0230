"""Takes a generated month from its file to the statement, as a host program would."""

import hashlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import msgspec

import ledger
import projections
from console.places import regions
from ledger.intake import IntakeReport
from ledger.store import connect
from projections.statement import Statement

PERIOD = 202403
#: The clock of every month, in microseconds since 1970 UTC: with one time the log's bytes follow from the file.
RECORDED_AT = 1_711_929_600_000_000
PAGE = 16_384
#: Every region a generated claim may name.
MONTH_REGIONS = tuple(sorted({place.code for place in regions()}))

LogRow = tuple[int, str, int, str, bytes]


@dataclass(frozen=True, slots=True)
class Month:
    """Is what a month came to, and how long its two halves took in nanoseconds."""

    report: IntakeReport
    statement: Statement
    intake_ns: int
    statement_ns: int


def run_month(url: str, file: Path) -> Month:
    """Creates a store, enacts the assumed policy everywhere, takes the file in and derives the statement."""
    begun = perf_counter_ns()
    with ledger.create(url, actor="bench", clock_us=lambda: RECORDED_AT) as book:
        book.enact("national-default", MONTH_REGIONS, assumed=True, reason="bench")
        report = book.intake(file, reason="bench", quarantine=file.with_suffix(".quarantine"))
    taken_in = perf_counter_ns()
    with projections.open(url) as read:
        statement = read.statement(PERIOD)
    return Month(report, statement, taken_in - begun, perf_counter_ns() - taken_in)


def log_rows(url: str) -> Generator[LogRow, None, None]:
    """Yields every row of a store's log."""
    with connect(url) as store, store.read() as reader:
        for page in reader.pages(limit=PAGE):
            yield from page


def digest_rows(rows: Iterable[LogRow]) -> str:
    """Returns SHA-256 over rows of a log, in hexadecimal."""
    digest = hashlib.sha256()
    encoder = msgspec.msgpack.Encoder()
    for row in rows:
        digest.update(encoder.encode(tuple(row)))
    return digest.hexdigest()


def digest_month(url: str, month: Month) -> str:
    """Returns SHA-256 over a month's log, report and statement: equal on every database, by either set of kernels."""
    report = msgspec.structs.replace(month.report, quarantine_path=None)
    said = msgspec.json.encode([report, month.statement], order="sorted")
    return hashlib.sha256(digest_rows(log_rows(url)).encode() + said).hexdigest()


def digest_file(path: Path) -> str:
    """Returns SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
