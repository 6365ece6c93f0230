"""Times the rules kernel against plain C, DuckDB and polars, and a review that books what it finds."""

import csv
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import ledger
from bench.billed import billed_claims, violations_at_once
from bench.rivals import Duck, PlainC, Polars
from bench.rules import ITEMS, RULES, SEED, Workload, book_of, windowed, workload
from bench.settling import digest
from bench.stores import SQLiteStores
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from console.places import regions
from core_ext import _rules
from core_ext import rule_tables as t
from core_ext.reference import rules as reference
from core_ext.rule_tables import RULE
from ledger.service import Ledger
from ledger.supervision.book import Book
from ledger.supervision.charges import find_all, find_hits
from ledger.supervision.reviewing import Reviewed
from ledger.supervision.terms import KINDS
from ledger.supervision.volume import generated_pack, item_code

#: By size: lines of the kernel, lines for DuckDB and polars, lines for the reference, claims of the review, rounds.
SIZES = {"smoke": (100_000, 100_000, 3_000, 500, 3), "real": (5_000_000, 1_000_000, 20_000, 40_000, 5)}
LINES_A_CLAIM = 5
#: Claims reviewed one by one.
SINGLE_CLAIMS = 1_000


@pytest.fixture(scope="module")
def sizes(workbench: Workbench) -> tuple[int, int, int, int, int]:
    """Returns how much is measured."""
    return SIZES[workbench.size.name]


@pytest.fixture(scope="module")
def large(workbench: Workbench, sizes: tuple[int, int, int, int, int]) -> Workload:
    """Returns the lines of the kernel's figures, and notes in the report what they are."""
    made = workload(sizes[0])
    book, table = made.book, made.charges.table
    kinds = {held.rule.kind for held in book.held} | {f"{held.rule.kind} {held.rule.by}" for held in book.held}
    workbench.note(
        {
            "rules.lines": table.shape[1],
            "rules.rules": len(book.held),
            "rules.items": ITEMS,
            "rules.seed": SEED,
            "rules.kinds": len(kinds - KINDS.keys()),
            "rules.windowed_share": windowed(book.rules),
            "rules.rules_per_line": float(np.diff(book.first)[table[1]].mean()),
            "rules.workload_sha256": digest((table, book.rules, book.first, book.others)),
        }
    )
    return made


def found(made: Workload) -> np.ndarray:
    """Returns what the kernel finds."""
    book = made.book
    return np.asarray(book.kernel.find(made.charges.table))


def pairs(hits: np.ndarray) -> np.ndarray:
    """Returns (rule, charge) in one order, to compare."""
    return hits[np.lexsort((hits[:, 1], hits[:, 0]))][:, :2]


@pytest.mark.benchmark(group="rules")
def test_rules(
    benchmark: BenchmarkFixture, workbench: Workbench, large: Workload, sizes: tuple[int, int, int, int, int]
) -> None:
    """Finds every violation in turn with a plain C loop, which gives the same ones to the fen."""
    book, table = large.book, large.charges.table
    start = np.flatnonzero(np.diff(table[0], prepend=-1))
    few = np.ascontiguousarray(table[:, : start[start <= sizes[2]][-1]])
    tables = (book.rules, book.first, book.others)
    assert np.array_equal(_rules.Rules(*tables).find(few), reference.Rules(*tables).find(few))
    plain = PlainC(workbench.folder, table, book)
    hits = found(large)
    plain.run()
    assert np.array_equal(plain.result(), hits)

    timing = measure(benchmark, lambda: found(large), rival=lambda: took_ns(plain.run), rounds=sizes[4])

    assert np.array_equal(plain.result(), found(large))
    benchmark.extra_info["result_sha256"] = digest([hits])
    workbench.note(
        {
            "rules.ns_per_line": timing.median_ns / table.shape[1],
            # The rival's time over the kernel's says how many times faster the kernel is; the promise is the other way.
            "rules.vs_c": 1 / timing.times_less,
            "rules.hit_share": len(np.unique(hits[:, 1])) / table.shape[1],
            "rules.result_sha256": digest([hits]),
        }
    )


@pytest.mark.benchmark(group="rules")
@pytest.mark.parametrize(("name", "engine"), [("duckdb", Duck), ("polars", Polars)])
def test_rules_against_engines(
    benchmark: BenchmarkFixture,
    workbench: Workbench,
    sizes: tuple[int, int, int, int, int],
    name: str,
    engine: type[Duck] | type[Polars],
) -> None:
    """Finds every violation in turn with an engine that has all cores; both give the same pairs of rule and line."""
    made = workload(sizes[1])
    expected = pairs(found(made))
    assert len(np.unique(made.book.rules[expected[:, 0], RULE["op"]])) >= 4
    rival = engine(made.charges.table, made.book)
    rival.run()
    assert np.array_equal(pairs(rival.result()), expected)

    # Both have every core: the engine its own threads, the kernel a block of persons a thread.
    assert np.array_equal(find_all(made.book.kernel, made.charges.table), found(made))
    timing = measure(
        benchmark,
        lambda: find_all(made.book.kernel, made.charges.table),
        rival=lambda: took_ns(rival.run),
        rounds=3,
    )

    assert np.array_equal(pairs(rival.result()), expected)
    workbench.note({f"rules.vs_{name}": timing.times_less, "rules.engine_lines": made.charges.table.shape[1]})


@pytest.mark.benchmark(group="rules")
def test_a_year_of_manual_claims(
    benchmark: BenchmarkFixture, workbench: Workbench, sizes: tuple[int, int, int, int, int]
) -> None:
    """Reviews a year of a city's manual claims from columns: items looked up, charges sorted, rules met."""
    made = workload(sizes[1])

    def run() -> object:
        return find_hits(made.book, made.visits, made.bill)

    expected = len(found(made))
    timing = measure(benchmark, run, rounds=sizes[4])
    hits = find_hits(made.book, made.visits, made.bill)
    assert len(hits.rule) == expected
    workbench.note({"rules.manual_year_s": timing.median_ns / 1e9, "rules.manual_year_lines": len(made.bill)})


def quiet_items(book: Book) -> list[str]:
    """Returns items whose rules all look at totals: a line of a person alone violates none of them."""
    items = []
    for number in range(ITEMS):
        own = [item for item in book.items_of(item_code(number)) if book.first[item] < book.first[item + 1]]
        rows = [row for item in own for row in range(book.first[item], book.first[item + 1])]
        if rows and all(book.rules[row, RULE["op"]] in (t.TOTAL, t.PARTS, t.DEARER) for row in rows):
            items.append(item_code(number))
    return items


def write_lines(claims: Path, lines: Path, most: int, book: Book) -> int:
    """Writes five lines for each of the first claims of a file, one in a hundred of any item, and returns how many."""
    random = np.random.Generator(np.random.PCG64(SEED))
    quiet = quiet_items(book)
    header = "setl_id,insu_admdvs,feedetl_sn,med_list_codg,chrgitm_lv,list_type,lmt_used_flag,hosp_appr_flag,trdn_flag,"
    header += "fee_ocur_time,pric,cnt,selfpay_prop,pric_uplmt_amt"
    written = 0
    with claims.open(encoding="utf-8", newline="") as stream, lines.open("w", encoding="utf-8") as out:
        out.write(header + "\n")
        for row in csv.DictReader(stream):
            if written == most * LINES_A_CLAIM:
                break
            draws = random.integers(0, 100 * len(quiet), LINES_A_CLAIM).tolist()
            any_item = random.integers(0, ITEMS, LINES_A_CLAIM).tolist()
            for at, (draw, other) in enumerate(zip(draws, any_item, strict=True)):
                item = item_code(other) if draw % 100 == 0 else quiet[draw // 100]
                cells = (row["setl_id"], row["insu_admdvs"], str(at), item, "2,101,,,", row["begndate"])
                out.write(",".join((*cells, "20.00", "1", "0.1", "999999")) + "\n")
                written += 1
    return written


@pytest.mark.benchmark(group="review")
def test_review_of_one_claim(benchmark: BenchmarkFixture, workbench: Workbench, sqlite_stores: SQLiteStores) -> None:
    """Reviews claims one by one before they are settled, against the whole pack in force on a store."""
    made, claims = workload(SIZES["smoke"][0]), billed_claims(workload(SIZES["smoke"][0]), SINGLE_CLAIMS)
    pack = workbench.folder / "review-pack.toml"
    pack.write_text(generated_pack(RULES, ITEMS), encoding="utf-8")
    took: list[int] = []
    with ledger.create(sqlite_stores.fresh(), actor="bench") as book:
        book.enact_rules(pack)
        found = {(at, each.rule, each.line, each.fen) for at, claim in enumerate(claims) for each in book.review(claim)}
        assert found == violations_at_once(made, len(claims))

        def run() -> None:
            for claim in claims:
                begun = perf_counter_ns()
                book.review(claim)
                took.append(perf_counter_ns() - begun)

        measure(benchmark, run, rounds=1)
    last = took[-len(claims) :]
    lines = sum(len(claim.lines) for claim in claims)
    workbench.note(
        {
            "review.claim_lines": lines / len(claims),
            "review.claim_violations": len(found),
            "review.claim_ms": float(np.percentile(last, 50)) / 1e6,
            "review.claim_p99_ms": float(np.percentile(last, 99)) / 1e6,
        }
    )


@pytest.mark.benchmark(group="review")
def test_review(
    benchmark: BenchmarkFixture,
    workbench: Workbench,
    sqlite_stores: SQLiteStores,
    sizes: tuple[int, int, int, int, int],
) -> None:
    """Reviews a month of booked claims with their lines on SQLite, violations written; again it writes nothing."""
    claims = workbench.claim_file(workbench.size.month_claims)
    lines, pack = workbench.folder / "review-lines.csv", workbench.folder / "review-pack.toml"
    pack.write_text(generated_pack(RULES, ITEMS), encoding="utf-8")
    written = write_lines(claims, lines, sizes[3], book_of())
    open_: list[Ledger] = []
    done: list[Reviewed] = []

    def begin() -> None:
        if open_:
            open_.pop().close_store()
        book = ledger.create(sqlite_stores.fresh(), actor="bench")
        open_.append(book)
        book.enact("national-default", [place.code for place in regions()], assumed=True)
        book.intake(claims)
        book.lines(lines)
        book.enact_rules(pack)
        book.rule_book()

    def run() -> None:
        done.append(open_[0].review_period(202403))

    timing = measure(benchmark, run, prepare=begin, rounds=2)
    last = done[-1]
    assert last.found > 0 and last.lines <= written
    with open_.pop() as book:
        assert book.review_period(202403).already
    workbench.note(
        {
            "review.lines": last.lines,
            "review.violations": last.found,
            "review.rules": last.rules,
            "review.lines_per_s": last.lines / (timing.median_ns / 1e9),
        }
    )
