"""Replay on a real local Spark: the same report as on this machine alone, whatever is wrong with the month."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from console.main import main
from ledger.refusals import Refusal, Refused
from ledger.replaying import spark as sparking
from ledger.replaying.comparing import replay_segment
from ledger.segments import writing
from ledger.segments.reading import Segment
from ledger.service import Ledger
from tests.ledger.worlds import opened, sign
from tests.replay.stories import REGIONS, february, january, other_policy


def sealed_month(book: Ledger, tmp_path: Path) -> None:
    """Takes two months in, books some of January anew into February with a refund of it, and seals both."""
    policy = other_policy(tmp_path, ('"500.00"', '"700.00"'))
    book.intake(january(tmp_path))
    book.close(202401)
    book.enact(policy, list(REGIONS), assumed=True)
    found = book.correct(policy, 202401, "resolution 7").found.largest[0]
    book.reverse(f"{found.region:06d}/{found.setl_id}", "cancelled")
    book.intake(february(tmp_path))
    book.close(202402)
    for period in (202401, 202402):
        sign(book, period)
        book.seal(period)


def test_a_month_on_spark_is_the_month_on_this_machine(
    spark: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Months sealed in many batches, corrections, refunds and one planted fault among them, give the same report."""
    monkeypatch.setattr(writing, "BATCH_ACTS", 5)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        sealed_month(book, tmp_path)
        folders = {period: book._segment(period).folder for period in (202401, 202402)}
        assert all(Segment(folder).batches > 5 for folder in folders.values())
        with sparking.session() as context:
            for period in folders:
                local, found = book.replay(period), book.replay_on_spark(period)
                assert (found.read, local.read) == ("spark", "segment")
                assert (found.acts, found.lines) == (local.acts, local.lines)
                assert found.differences == local.differences == ()
            with pytest.raises(Refused, match="every task") as caught:
                sparking.shared_out(context, tmp_path / "not mounted there", 3, [])
            assert caught.value.refusal == Refusal.SPARK_FAILED
            # The last person's batch of a segment in which one amount is not what the policy gives.
            altered = tmp_path / "altered"
            shutil.copytree(folders[202401], altered)
            alter(altered / "acts.arrow")
            with book.store.read() as reader:
                planted = sparking.replay_on_spark(altered, reader)
            assert planted.differences and planted.differences == local_report(book, altered)
    capfd.readouterr()
    command = ["replay", "--store", url, "--period", "202401", "--engine", "spark"]
    assert main([*command, "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["acts"], said["differences"], said["read"]) == (63, [], "spark")
    shutil.rmtree(folders[202402])
    with opened_again(url) as book, pytest.raises(Refused, match="seal"):
        book.replay_on_spark(202402)


def opened_again(url: str) -> Ledger:
    """Returns the ledger of a store that is there."""
    import ledger

    return ledger.open(url, actor="tester")


def local_report(book: Ledger, folder: Path) -> object:
    """Returns the differences of a segment as this machine finds them."""
    from ledger.knowledge import Knowledge

    with book.store.read() as reader:
        known = Knowledge()
        known.refresh(reader)
        return replay_segment(folder, known.policies, reader=reader).differences


def alter(path: Path) -> None:
    """Adds a fen to what the pool pays of the last act of a segment's file."""
    import pyarrow as pa

    with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
        batches = [reader.get_batch(at) for at in range(reader.num_record_batches)]
        schema = reader.schema
    last = batches[-1]
    at = schema.get_field_index("hifp_pay")
    values = last.column(at).to_pylist()
    values[-1] += 1
    batches[-1] = last.set_column(at, schema.field(at), pa.array(values, schema.field(at).type))
    path.unlink()
    with path.open("wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def test_what_spark_cannot_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without PySpark, without a sealed month or with another question it says what to do, and decides nothing."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(january(tmp_path, 3))
        with pytest.raises(Refused, match="not sealed"):
            book.replay_on_spark(202401)
    assert main(["replay", "--store", url, "--period", "202401", "--engine", "spark", "--from-log"]) == 2
    assert "replays a sealed period" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(Refused, match="settlement-ledger\\[spark\\]"), sparking.session():
        pass


def test_every_batch_is_in_one_share() -> None:
    """Shares cover every batch once, in order, and none is empty."""
    for batches in range(40):
        for parts in (1, 2, 7, 64):
            shares = sparking.shares(batches, parts)
            assert [at for share in shares for at in range(*share)] == list(range(batches))
            assert all(first < stop for first, stop in shares) and len(shares) <= parts
