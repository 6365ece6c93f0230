"""Sealing: what a sealed period holds, that it replays like the log, and that a crash leaves before or after."""

import shutil
import tomllib
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import ledger
import projections
from ledger.knowledge import Knowledge
from ledger.refusals import Refused
from ledger.replaying.comparing import replay_segment
from ledger.segments import writing
from ledger.segments.events import PeriodSealed
from ledger.segments.making import make
from ledger.segments.reading import Segment
from tests.ledger.registry import told
from tests.ledger.test_replay import alter, month, rounds_down, with_amount, with_before
from tests.ledger.worlds import REPOSITORY, claim, clock, opened, refund, sign, write


def test_a_sealed_period_replays_like_its_log(store_url: str, tmp_path: Path) -> None:
    """A closed period is sealed and replays without a difference, from its segment and from the log."""
    with opened(store_url) as book:
        book.segments = tmp_path / "segments"
        book.intake(month(tmp_path))
        with pytest.raises(Refused, match="close it first"):
            book.seal(202401)
        closed = book.close(202401)
        with pytest.raises(Refused, match="draft, check and sign it first"):
            book.seal(202401)
        sign(book, 202401)
        sealed = book.seal(202401)
        assert (sealed.rows, sealed.refunds, sealed.medfee_fen) == (closed.acts, 2, closed.medfee_fen)
        assert sealed.totals == closed.totals
        report, from_log = book.replay(202401), book.replay(202401, from_log=True)
        assert (report.read, report.acts, report.differences) == ("segment", 42, ())
        assert (from_log.read, from_log.acts, from_log.differences) == ("log", 42, ())


def test_a_sealed_clearing_is_final(store_url: str, tmp_path: Path) -> None:
    """Sealing ends a clearing: who checked and signed stays known, it is not withdrawn, and it can still be paid."""
    with opened(store_url) as book:
        book.segments = tmp_path / "segments"
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)
        signed = book.clearing(202401)
        book.seal(202401)
        sealed = book.clearing(202401)
        assert (signed.state, sealed.state) == ("signed", "sealed") and sealed.position > signed.position
        assert sealed.checked_by == signed.checked_by == "tester" and sealed.signed_by == "tester's director"
        assert (sealed.acts, sealed.medfee_fen, sealed.terms) == (signed.acts, signed.medfee_fen, signed.terms)
        with pytest.raises(Refused, match="sealed"):
            book.withdraw(202401, reason="too late")
        assert book.pay(202401) and book.clearing(202401).state == "sealed"


def test_a_clearing_withdrawn_while_it_is_sealed_stays_unsealed(tmp_path: Path) -> None:
    """Whoever withdraws the signature while the segment is written wins: the period is not sealed."""
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)

        def withdrawn(step: str) -> None:
            if step == "written":
                book.withdraw(202401, reason="a file was missing")

        with pytest.raises(Refused, match="sign it first"):
            book.seal(202401, step=withdrawn)
        assert book.clearing(202401).state == "cut_off"
        sign(book, 202401)
        assert not book.seal(202401).already


def test_a_period_is_sealed_once_from_however_many_folders(store_url: str, tmp_path: Path) -> None:
    """Two hosts, each with segments of its own, seal a month at once: the log says it once, and either replays it."""
    with opened(store_url) as book, ledger.open(store_url, actor="other", segments=tmp_path / "other") as other:
        book.segments = tmp_path / "own"
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)
        first = []
        own = book.seal(202401, step=lambda step: first.append(other.seal(202401)) if step == "written" else None)
        assert (first[0].already, own.already, own.digest) == (False, True, first[0].digest)
        assert len(told(book, PeriodSealed)) == 1
        for each in (book, other):
            assert (each.replay(202401).read, each.replay(202401).differences) == ("segment", ())


class Killed(BaseException):
    """Stands for a process that is no more."""


@pytest.mark.parametrize("at", ["began", "written", "durable", "renamed", "said"])
def test_a_crash_at_any_step_leaves_an_unsealed_or_a_sealed_period(tmp_path: Path, at: str) -> None:
    """Whatever step a sealing dies at, the period replays, and sealing again completes it and leaves no stray files."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    folder = tmp_path / "ledger.db.segments"
    with opened(url) as book:
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)

        def die(step: str) -> None:
            if step == at:
                raise Killed

        with pytest.raises(Killed):
            book.seal(202401, step=die)
    with ledger.open(url, actor="tester") as book:
        assert book.replay(202401).differences == ()
        sealed = book.seal(202401)
        assert sealed.already == (at == "said")
        assert book.replay(202401).read == "segment"
        assert sorted(path.name for path in folder.iterdir()) == [".lock", sealed.folder.name]
    with projections.open(url) as read:
        assert read.verify() == []


def test_lost_files_are_written_anew_with_the_same_meaning(tmp_path: Path) -> None:
    """A segment whose files are gone, or were written in other batches, has the digest that the log names."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)
        sealed = book.seal(202401)
        shutil.rmtree(sealed.folder)
        with pytest.raises(Refused, match="seal"):
            book.replay(202401)
        again = book.seal(202401)
        assert again.already and again.written and again.digest == sealed.digest
        assert Segment(again.folder).digest().hex() == sealed.digest
        with book.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            reach = (known.periods.opened[202401], known.periods.closed[202401])
            monkey = writing.BATCH_ACTS
            writing.BATCH_ACTS = 2
            try:
                small = tmp_path / "small"
                small.mkdir()
                made = make(reader, known.policies, [202401], reach, small)
            finally:
                writing.BATCH_ACTS = monkey
            assert made.digest.hex() == sealed.digest == Segment(small).digest().hex()
            assert Segment(small).batches == 10
            assert replay_segment(small, known.policies).differences == ()


@pytest.mark.parametrize("name", ["acts.arrow", "years.arrow", "cases.arrow", "lines.arrow"])
def test_verify_finds_altered_and_missing_segments(tmp_path: Path, name: str) -> None:
    """One changed byte in any file of a segment is found, and so is a missing one; the log itself is whole."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)
        sealed = book.seal(202401)
    with projections.open(url) as read:
        assert read.verify() == []
        path = sealed.folder / name
        table = pa.ipc.open_file(path.read_bytes()).read_all()
        column = "insutype" if "insutype" in table.column_names else "token"
        at = table.column_names.index(column)
        values = table.column(column).to_numpy().copy()
        values[0] += 1
        field = table.schema.field(at)
        table = table.set_column(at, field, pa.array(values, field.type))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        assert [each.kind for each in read.verify()] == ["altered-segment"]
        path.unlink()
        assert [each.kind for each in read.verify()] == ["altered-segment"]
        shutil.rmtree(sealed.folder)
        assert [each.kind for each in read.verify()] == ["missing-segment"]


def test_a_log_altered_behind_its_seal_is_found(tmp_path: Path) -> None:
    """A log that no longer comes to what was sealed is named, by its acts and by their digest."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        (position,) = alter(book, tmp_path / "ledger.db", lambda event: with_amount(event, "hifp_pay", 1), [7])
    with ledger.open(url, actor="auditor") as book:
        assert [each.position for each in book.replay(202401, from_log=True).differences] == [position]
        assert book.replay(202401).differences == ()
        shutil.rmtree(tmp_path / "ledger.db.segments")
        with pytest.raises(Refused, match="run verify"):
            book.seal(202401)


@pytest.mark.parametrize("name", ["hifp_pay", "psn_cash_pay", "act_pay_dedc"])
def test_altered_settlements_are_listed_alike_from_segment_and_log(tmp_path: Path, name: str) -> None:
    """Settlements altered before they were sealed are listed exactly, the same from the segment as from the log."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(month(tmp_path))
        positions = alter(book, tmp_path / "ledger.db", lambda event: with_amount(event, name, 1), [4, 11, 29])
        starts = alter(book, tmp_path / "ledger.db", with_before, [17, 23])
    with ledger.open(url, actor="auditor") as book:
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        report, from_log = book.replay(202401), book.replay(202401, from_log=True)
        assert report.read == "segment" and report.differences == from_log.differences
        assert {each.position for each in report.differences} == {*positions, *starts}


def test_a_wrong_rounding_is_listed_alike_from_segment_and_log(tmp_path: Path) -> None:
    """A kernel with one wrong rounding differs in the same claims whether it reads the segment or the log."""
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(month(tmp_path))
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        report = book.replay(202401, settle=rounds_down)
        from_log = book.replay(202401, settle=rounds_down, from_log=True)
        assert report.differences and report.differences == from_log.differences


def test_interleaved_months_replay_from_their_segments(store_url: str, tmp_path: Path) -> None:
    """A month whose acts lie between another's replays from its segment: what moved between is taken over."""
    with opened(store_url) as book:
        book.segments = tmp_path / "segments"
        rows = [
            claim(i, psn_no=f"P{i % 5:06d}", setl_time=f"2024-0{1 + i % 2}-1{i % 10} 08:00:00") for i in range(1, 60)
        ]
        book.intake(write(tmp_path / "both.csv", rows))
        for period in (202401, 202402):
            book.close(period)
            sign(book, period)
            book.seal(period)
            report = book.replay(period)
            assert (report.read, report.differences) == ("segment", ())


def test_cancelling_the_first_stay_replays_and_repricing_shows_the_difference(tmp_path: Path) -> None:
    """Stay 1, stay 2, cancel 1, late stay 0: no act differs, and the order of service is worth 84.00."""
    case = tomllib.loads((REPOSITORY / "tests" / "cases" / "two-stays.toml").read_text(encoding="utf-8"))
    policy = tmp_path / "two-stays.toml"
    policy.write_text(case["policy_text"], encoding="utf-8")
    stay = {"psn_no": "WU", "insu_admdvs": "441802", "mdtrtarea_admvs": "441802", "hosp_lv": "1"}
    stay |= {"medfee_sumamt": "8700.00", "inscp_scp_amt": "8700.00"}

    def on(serial: int, day: str) -> dict[str, str]:
        return claim(serial, **stay, begndate=day, enddate=day, setl_time=f"{day} 08:00:00")

    first, second, late = on(1, "2024-03-04"), on(2, "2024-03-12"), on(4, "2024-03-01")
    back = refund(first, 3, setl_time="2024-03-20 08:00:00")
    for sealed in (False, True):
        with ledger.create(f"sqlite:///{tmp_path / f'{sealed}.db'}", actor="tester", clock_us=clock()) as book:
            book.enact(policy, [441800])
            report = book.intake(write(tmp_path / "stays.csv", [first, second, back, late]))
            assert report.booked == 4
            if sealed:
                book.close(202403)
                sign(book, 202403)
                book.seal(202403)
            assert book.replay(202403).differences == ()
            repriced = book.reprice(202403)
            assert repriced.acts == 2 and repriced.fund_new_fen - repriced.fund_fen in (-8_400, 0, 8_400)
            assert {abs(each.fund_new_fen - each.fund_fen) for each in repriced.claims} == {8_400}


def test_other_tools_read_the_export(tmp_path: Path) -> None:
    """DuckDB and Polars sum a sealed month's Parquet to what the period was closed with."""
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(month(tmp_path))
        closed = book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        path = tmp_path / "acts.parquet"
        assert book.export(202401, path) == closed.acts
    query = "SELECT SUM(hifp_pay), SUM(medfee_sumamt), COUNT(*) FROM read_parquet(?)"
    assert duckdb.execute(query, [str(path)]).fetchone() == (closed.totals["hifp_pay"], closed.medfee_fen, closed.acts)
    assert pl.read_parquet(path)["psn_cash_pay"].sum() == closed.totals["psn_cash_pay"]
