"""Times a closed month's statements: all ordered pairs and a city's details in both roles, and rows of a workbook."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from openpyxl import load_workbook
from pytest_benchmark.fixture import BenchmarkFixture

import ledger
import projections
from bench.month import PERIOD, RECORDED_AT, digest_file
from bench.stores import SQLiteStores
from bench.timing import measure
from bench.workbench import MONTH, Workbench
from console import generate
from console.generate import SEED
from console.places import Place, regions
from ledger.service import Ledger
from ledger.store import connect
from projections.clearing.lines import Lines, as_of
from projections.clearing.sheets import FIELDS, Issued
from projections.clearing.workbook import HEAD_ROWS, write_workbook
from projections.clearing.writing import as_csv
from projections.reader import Projections

#: Cities of the month: municipalities are one each, every other province so many that there are 400.
CITIES = 400
MUNICIPALITIES = (11, 12, 31, 50)


def places() -> tuple[Place, ...]:
    """Returns 400 pooling areas in the 31 provinces, each province with as many as it takes."""
    provinces = sorted({place.province for place in regions()})
    codes = [province * 10_000 for province in MUNICIPALITIES]
    number = 0
    while len(codes) < CITIES:
        number += 1
        codes += [province * 10_000 + number * 100 for province in provinces if province not in MUNICIPALITIES]
    return tuple(Place(code, code // 10_000, "", "") for code in sorted(codes[:CITIES]))


@pytest.fixture(scope="module")
def month(workbench: Workbench, sqlite_stores: SQLiteStores) -> Iterator[tuple[str, Path]]:
    """Gives a store with a signed month, every table caught up, and the month's file."""
    file = workbench.folder / "clearing.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "regions", places)
        generate.generate(file, workbench.size.clearing_claims, SEED, MONTH)
    url = sqlite_stores.fresh()
    with ledger.create(url, actor="bench", clock_us=lambda: RECORDED_AT) as book:
        book.enact("national-default", sorted(place.code for place in places()), assumed=True, reason="bench")
        book.intake(file, reason="bench", quarantine=file.with_suffix(".quarantine"))
        for period in [each.period for each in book.periods() if each.period <= PERIOD]:
            book.close(period)
        book.draft(PERIOD)
        book.check(PERIOD)
        Ledger(book.store, "director", book.clock_us).sign(PERIOD)
    with projections.open(url) as read:
        read.catch_up()
    yield url, file
    sqlite_stores.clear()


def busiest(pairs: Issued) -> int:
    """Returns the region that stands in most lines."""
    names = pairs.sheets[0].columns
    at = (names.index("insured_region"), names.index("treatment_region"))
    seen: dict[int, int] = {}
    for row in pairs.sheets[0].rows:
        for place in at:
            seen[row[place]] = seen.get(row[place], 0) + 1
    return max(seen, key=lambda region: (seen[region], -region))


def state(read: Projections, city: int) -> tuple[Issued, str]:
    """Returns the statement of all pairs, and a city's details in both roles as the text of their export."""
    return read.issue("pairs", PERIOD), as_csv(read.issue("detail", PERIOD, city), "zh")


@pytest.mark.benchmark(group="clearing")
def test_statement(benchmark: BenchmarkFixture, workbench: Workbench, month: tuple[str, Path]) -> None:
    """States all ordered pairs, and exports one city's details in both roles, as of the signature."""
    url, file = month
    with projections.open(url) as read:
        city = busiest(read.issue("pairs", PERIOD))
        pairs, details = state(read, city)
        _check_against_the_log(url, pairs)
        found: list[tuple[Issued, str]] = []

        def own() -> None:
            found[:] = [state(read, city)]

        timing = measure(benchmark, own, rounds=workbench.size.month_rounds)
        assert found == [(pairs, details)]
    result = hashlib.sha256(msgspec.json.encode(pairs) + details.encode()).hexdigest()
    benchmark.extra_info["result_sha256"] = result
    workbench.note(
        {
            "clearing.statement_s": timing.median_ns / 1e9,
            "clearing.claims": workbench.size.clearing_claims,
            "clearing.cities": CITIES,
            "clearing.pair_lines": len(pairs.sheets[0].rows),
            "clearing.detail_rows": details.count("\n") - 2,
            "clearing.workload_sha256": digest_file(file),
            "clearing.result_sha256": result,
        }
    )


def _check_against_the_log(url: str, pairs: Issued) -> None:
    """Compares every line of the pairs with the sums of lines read out of the log itself."""
    sheet = pairs.sheets[0]
    with connect(url) as store, store.read() as reader:
        lines = Lines(reader, PERIOD, {}, as_of(reader, PERIOD, 0, pairs.position))
        names = sheet.columns[5:-1]
        # The generated kinds of care are clearing types themselves.
        assert [(*row[:4], *row[5:-1]) for row in sheet.rows] == lines.sums((*sheet.columns[:3], "med_type"), names)


@pytest.mark.benchmark(group="clearing")
def test_workbook(benchmark: BenchmarkFixture, workbench: Workbench, month: tuple[str, Path]) -> None:
    """Writes a workbook of lines of all pairs."""
    with projections.open(month[0]) as read:
        issued = read.issue("pairs", PERIOD)
    kept = msgspec.structs.replace(issued.sheets[0], rows=issued.sheets[0].rows[: workbench.size.workbook_rows])
    issued = msgspec.structs.replace(issued, sheets=(kept,))
    content = write_workbook(issued, "zh")
    _check_cells(issued, content)

    timing = measure(benchmark, lambda: write_workbook(issued, "zh"), rounds=workbench.size.month_rounds)

    assert write_workbook(issued, "zh") == content
    workbench.note(
        {
            "xlsx.rows_per_s": len(kept.rows) / timing.median_ns * 1e9,
            "xlsx.rows": len(kept.rows),
            "xlsx.columns": len(kept.columns),
            "xlsx.bytes": len(content),
        }
    )


def _check_cells(issued: Issued, content: bytes) -> None:
    """Compares every amount and count of the workbook with the statement's."""
    sheet = issued.sheets[0]
    page = load_workbook(io.BytesIO(content), read_only=True).worksheets[0]
    read = page.iter_rows(min_row=HEAD_ROWS + 1, max_row=HEAD_ROWS + len(sheet.rows), values_only=True)
    units = [FIELDS[name].unit for name in sheet.columns]
    for cells, row in zip(read, sheet.rows, strict=True):
        for unit, cell, value in zip(units, cells, row, strict=True):
            if unit in ("fen", "count"):
                assert isinstance(cell, int | float)
                assert round(cell * (100 if unit == "fen" else 1)) == value
