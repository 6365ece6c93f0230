"""Two stores, each fed its own side's claims alone: exactly what was planted comes out, seen from either side."""

import csv
from pathlib import Path

import pytest

import projections
from ledger.reconciling.reports import Break, Reconciled
from ledger.service import Ledger
from tests.ledger.worlds import write
from tests.reconcile.sides import INSURED, TREATMENT, Row, booked, month, settled

Planted = set[tuple[str, str, tuple[str, ...]]]


@pytest.fixture
def urls(request: pytest.FixtureRequest, store_url: str, tmp_path: Path) -> tuple[str, str]:
    """Returns two places without a store on one kind of database."""
    if store_url.startswith("sqlite"):
        return store_url, f"sqlite:///{tmp_path / 'other.db'}"
    return store_url, f"{store_url}_other"


@pytest.fixture(autouse=True)
def other_schema_dropped(urls: tuple[str, str], request: pytest.FixtureRequest) -> object:
    """Drops the second schema of a test on PostgreSQL."""
    yield
    if urls[1].startswith("postgres"):
        import psycopg
        from psycopg import sql

        server, schema = urls[1].rsplit("schema=", 1)
        with psycopg.connect(server.rstrip("?&"), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def planted() -> tuple[list[Row], list[Row], list[Row]]:
    """Returns our claims, theirs, and what they send: theirs with one claim twice."""
    common = month()
    ours, theirs = [dict(row) for row in common], [dict(row) for row in common]
    ours.append(settled(901, fund=600, account=5))
    theirs.append(settled(902, fund=610))
    ours.append(settled(903, fund=620, day=1))
    theirs.append(settled(903, fund=620, day=29, month=2))
    for rows, fund, visit in ((ours, 300, "M-OURS"), (theirs, 310, "M-THEIRS")):
        rows.append(settled(904, fund=fund))
        rows.append(settled(905, fund=400, mdtrt_id=visit))
        rows.append(settled(906, fund=450, med_type="21" if rows is ours else "11"))
    return ours, theirs, [*[row for row in theirs if "-03-" in row["setl_time"]], dict(theirs[3])]


def seen(report: Reconciled) -> Planted:
    return {(each.kind, each.claim, tuple(name for name, _, _ in each.fields)) for each in report.breaks}


def key(serial: int) -> str:
    return f"{INSURED}/S{serial:06d}"


def of(book: Ledger, report: Reconciled, kind: str) -> Break:
    (found,) = [each for each in report.breaks if each.kind == kind]
    return found


def test_exactly_the_planted_breaks_come_out_on_both_sides(urls: tuple[str, str], tmp_path: Path) -> None:
    """What only one side has, what differs and by which field, what is stated twice or in another month: no more."""
    ours, theirs, sent = planted()
    with booked(urls[0], tmp_path / "ours.csv", ours) as a, booked(urls[1], tmp_path / "theirs.csv", theirs) as b:
        at_a = a.reconcile(write(tmp_path / "from_b.csv", sent), str(TREATMENT), period=202403)
        at_b = b.reconcile(tmp_path / "ours.csv", str(INSURED), period=202403)

        differing: Planted = {
            ("differs", key(904), ("hifp_pay", "fund_pay_sumamt", "psn_part_amt", "psn_cash_pay")),
            ("differs", key(905), ("mdtrt_id",)),
            ("differs", key(906), ("med_type",)),
        }
        assert seen(at_a) == differing | {
            ("missing_there", key(901), ()),
            ("missing_here", key(902), ()),
            ("missing_there", key(903), ()),
            ("duplicate", key(4), ()),
        }
        times = ("begndate", "enddate", "setl_time")
        assert seen(at_b) == differing | {
            ("missing_here", key(901), ()),
            ("missing_there", key(902), ()),
            ("other_period", key(903), times),
        }
        assert at_a.outcomes == {
            "matched": 40, "missing_here": 1, "missing_there": 2, "differs": 3, "duplicate": 1, "other_period": 0,
            "unreadable": 0,
        }  # fmt: skip
        assert of(a, at_a, "missing_here").difference_fen == 61_000
        assert of(b, at_b, "other_period").booked_period == 202402
        assert (at_a.found, at_b.found) == (7, 6)
        assert not at_a.agrees and not at_b.agrees
        # What one side lacks, the other has in excess: the same fen, seen from across.
        assert of(b, at_b, "missing_here").difference_fen == 60_500
        assert {each.difference_fen for each in at_a.breaks if each.claim == key(901)} == {-60_500}
        (fund,) = [each for each in at_a.breaks if each.claim == key(904)]
        assert ("fund_pay_sumamt", "30000", "31000") in fund.fields
        assert fund.difference_fen == 1_000


def test_sides_that_agree_have_no_break(urls: tuple[str, str], tmp_path: Path) -> None:
    """Two stores of the same claims agree in totals and in every field, refunds in or out, by month and by day."""
    rows = month()
    with booked(urls[0], tmp_path / "a.csv", rows) as a, booked(urls[1], tmp_path / "b.csv", rows) as b:
        for book, file, counterpart in ((a, "b.csv", TREATMENT), (b, "a.csv", INSURED)):
            report = book.reconcile(tmp_path / file, str(counterpart), period=202403)
            assert report.agrees and report.breaks == () and report.mismatch_path is None
            assert report.outcomes["matched"] == 40
            without = book.reconcile(tmp_path / file, str(counterpart), period=202403, refunds=False)
            assert without.agrees and without.outcomes["matched"] == 39
        day = write(tmp_path / "day.csv", [row for row in rows if row["setl_time"].startswith("2024-03-07")])
        daily = a.reconcile(day, str(TREATMENT), day=20240307)
        assert daily.agrees and daily.outcomes["matched"] == 2
        # The province of the counterpart, and one hospital of it, have the same claims.
        assert a.reconcile(tmp_path / "b.csv", "410000", period=202403).agrees
        assert a.reconcile(tmp_path / "b.csv", "H41010200001", period=202403).agrees


def test_a_break_lives_from_run_to_run(urls: tuple[str, str], tmp_path: Path) -> None:
    """The same file finds nothing new, a mended one corrects what it no longer shows, and lists agree throughout."""
    ours, _, sent = planted()
    with booked(urls[0], tmp_path / "ours.csv", ours) as book:
        first = book.reconcile(write(tmp_path / "sent.csv", sent), str(TREATMENT), period=202403)
        with projections.open(urls[0]) as reader:
            assert [each.key for each in reader.breaks(202403).breaks] == sorted(each.key for each in first.breaks)
        again = book.reconcile(tmp_path / "sent.csv", str(TREATMENT), period=202403)
        assert again.already and (again.position, again.found, again.resolved) == (first.position, 0, 0)
        with book.store.read() as log:
            size = log.size

        mended = [row for row in sent if row["setl_id"] not in ("S000902", "S000904")][:-1]
        mended += [row for row in ours if row["setl_id"] in ("S000901", "S000904")]
        third = book.reconcile(write(tmp_path / "mended.csv", mended), str(TREATMENT), period=202403)
        assert (third.found, third.resolved) == (0, 4)
        assert {each.claim for each in third.breaks} == {key(903), key(905), key(906)}
        with projections.open(urls[0]) as reader:
            still = reader.breaks(202403)
            done = reader.breaks(202403, status="corrected").breaks
            assert {each.claim for each in still.breaks} == {key(903), key(905), key(906)}
            assert {each.claim: each.corrected for each in done} == {
                key(901): "there", key(902): "there", key(904): "there", key(4): "there"
            }  # fmt: skip
            assert still.totals.count == 3 and still.totals.difference_fen == -62_000
        with book.store.read() as log:
            assert log.size == size + 2 + 4
        # The old file, sent again, shows them again: they are open again.
        back = book.reconcile(tmp_path / "sent.csv", str(TREATMENT), period=202403)
        assert (back.found, back.resolved) == (4, 0)


def test_a_claim_booked_late_here_corrects_what_was_missing_here(urls: tuple[str, str], tmp_path: Path) -> None:
    """Once the missing claim is taken in, the same file shows it no longer, and it was put right here."""
    rows = month()
    with booked(urls[0], tmp_path / "ours.csv", rows[:-2]) as book:
        write(tmp_path / "theirs.csv", rows)
        first = book.reconcile(tmp_path / "theirs.csv", str(TREATMENT), period=202403)
        assert {each.kind for each in first.breaks} == {"missing_here"} and first.found == 2
        book.intake(tmp_path / "theirs.csv")
        second = book.reconcile(tmp_path / "theirs.csv", str(TREATMENT), period=202403)
        assert second.agrees and (second.found, second.resolved) == (0, 2)
        with projections.open(urls[0]) as reader:
            assert [each.corrected for each in reader.breaks(status="corrected").breaks] == ["here", "here"]
            assert reader.verify() == []


def test_a_claim_cleared_a_period_later_settles_the_carried_break(urls: tuple[str, str], tmp_path: Path) -> None:
    """What they lacked in March and send in April is one claim: the carried break ends, and no new one opens."""
    march, april = month(), [settled(700 + n, month=4, day=3) for n in range(5)]
    with booked(urls[0], tmp_path / "ours.csv", [*march, settled(901, fund=600), *april]) as book:
        write(tmp_path / "march.csv", march)
        first = book.reconcile(tmp_path / "march.csv", str(TREATMENT), period=202403)
        assert [each.kind for each in first.breaks] == ["missing_there"]
        carried = book.break_carry(key(901), "they book it in April")
        assert (carried.status, carried.standing) == ("carried", 202404)
        with projections.open(urls[0]) as reader:
            assert [each.claim for each in reader.carried(202404).breaks] == [key(901)]
            assert reader.carried(202402).totals.count == 0

        write(tmp_path / "april.csv", [*april, settled(901, fund=600)])
        second = book.reconcile(tmp_path / "april.csv", str(TREATMENT), period=202404)
        assert (second.breaks, second.outcomes["matched"], second.resolved) == ((), 6, 1)
        with projections.open(urls[0]) as reader:
            assert reader.carried(202404).totals.count == 0
        # March's file shows the old half again; it is settled.
        assert book.reconcile(tmp_path / "march.csv", str(TREATMENT), period=202403).found == 0


def test_the_mismatch_file_has_the_shape_it_came_in(urls: tuple[str, str], tmp_path: Path) -> None:
    """Each row that does not stand alike is there once, as it came, with its result; what they lack is written out."""
    ours, _, sent = planted()
    with booked(urls[0], tmp_path / "ours.csv", ours) as book:
        report = book.reconcile(write(tmp_path / "sent.csv", sent), str(TREATMENT), period=202403)
    assert report.mismatch_path == str(tmp_path / "sent.mismatch.csv")
    with (tmp_path / "sent.mismatch.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*sent[0], "stmt_rslt", "memo"] == list(rows[0])
    by_id = {row["setl_id"]: row for row in rows}
    assert len(rows) == len(by_id) == 7
    assert {row["setl_id"]: row["stmt_rslt"] for row in rows} == {
        "S000902": "102", "S000904": "103", "S000905": "103", "S000906": "103", "S000004": "102", "S000901": "101",
        "S000903": "101",
    }  # fmt: skip
    assert {name: by_id["S000902"][name] for name in sent[0]} == settled(902, fund=610)
    assert by_id["S000905"]["memo"] == "differs: mdtrt_id M-OURS here, M-THEIRS there"
    written = by_id["S000901"]
    shown = {
        "psn_no": "P000901",
        "setl_time": "2024-03-05 08:00:00",
        "fund_pay_sumamt": "600.00",
        "refd_setl_flag": "0",
    }
    assert {name: written[name] for name in shown} == shown
