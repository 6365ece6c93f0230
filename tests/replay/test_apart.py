"""Persons whose history is broken are decided in tables, the others in blocks: together they are the period."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core_ext import _settle
from ledger.knowledge import Knowledge
from ledger.plans import PolicyBook
from ledger.policy import digest_of, read_policy
from ledger.replaying.changing import Changes
from ledger.replaying.columns import apart_of, kinds_of
from ledger.replaying.comparing import replay_segment
from ledger.replaying.sweeping import Question, sweep
from ledger.replaying.whatif import what_if
from ledger.segments import writing
from ledger.segments.making import make
from ledger.segments.reading import Segment
from tests.ledger.worlds import claim, opened, refund, write
from tests.replay.stories import REGIONS, february, january, other_policy


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, PolicyBook]]:
    """Gives a February in which some persons have late claims and refunds of January between, and others none."""
    again = claim(1, psn_no="P000001", med_type="21", insutype="310", psn_type="11", medfee_sumamt="537.05",
                  inscp_scp_amt="537.05")  # fmt: skip
    new = [
        claim(300 + i, psn_no=f"Q{i % 7:06d}", begndate="2024-02-03", enddate="2024-02-03",
              setl_time="2024-02-03 09:00:00", medfee_sumamt=f"{700 + 90 * i}.15", inscp_scp_amt=f"{700 + 90 * i}.15")
        for i in range(40)
    ]  # fmt: skip
    back = refund(again, 700, setl_time="2024-02-20 08:00:00")
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(january(tmp_path))
        book.intake(february(tmp_path))
        book.intake(write(tmp_path / "new.csv", [*new, back]))
        with book.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            folder, whole = tmp_path / "acts", tmp_path / "whole"
            for made, rows in ((whole, 65_536), (folder, 25)):
                monkeypatch.setattr(writing, "BATCH_ACTS", rows)
                made.mkdir()
                make(reader, known.policies, [202402], (0, reader.size), made)
    yield folder, known.policies


def changes_of(folder: Path, book: PolicyBook, instead: dict[int, bytes], **more: Any) -> tuple[Any, list[Any]]:
    """Returns a what-if and every changed act it names, column by column."""
    seen: list[Changes] = []
    found = what_if(folder, book, instead, periods=[202402], kernel=b"", sinks=[seen.append], **more)
    tables = [
        [(*each.claim.tolist(),), each.new.tolist(), each.before.tolist(), each.delta.tolist(), each.balc.tolist(),
         each.how.tolist(), each.old.tolist(), each.policy, each.facts.tolist(), each.setl_id.data.tobytes()]
        for each in seen
    ]  # fmt: skip
    return found, tables


def test_a_mixed_month_is_the_same_in_blocks_and_in_tables(mixed: tuple[Path, PolicyBook], tmp_path: Path) -> None:
    """Differences, statement, what-if, listing and sweep of a month of broken and unbroken histories are equal."""
    folder, book = mixed
    segment = Segment(folder)
    apart = [apart_of(batch, kinds_of(batch)[0]) for batch in segment.all()]
    assert any(batch.ints("carried").any() for batch in segment.all())
    share = [0.0 if rows is None else float(np.mean(rows)) for rows in apart]
    assert len(share) > 2 and any(0 < each < 1 for each in share)
    own, tables = replay_segment(folder, book), replay_segment(folder, book, settle=_settle.settle)
    assert own == tables and own.differences == () and own.lines
    document = other_policy(tmp_path, ('"500.00"', '"700.00"'), ('2 = "0.87"', '2 = "0.84"')).read_text("utf-8")
    digest = digest_of(document)
    book.know({digest: read_policy(document, "changed")})
    instead = dict.fromkeys(REGIONS, digest)
    found, listed = changes_of(folder, book, instead)
    assert (found, listed) == changes_of(folder, book, instead, settle=_settle.settle) and found.changed > 40
    (swept,) = sweep(folder, book, [Question("changed", (), instead)], periods=[202402]).variants
    assert (swept.changed, swept.refused, swept.totals) == (found.changed, found.refused, found.totals_new)
    assert (swept.persons_gaining, swept.gained_fen) == (found.persons_gaining, found.gained_fen)
    assert (swept.persons_losing, swept.lost_fen) == (found.persons_losing, found.lost_fen)


@pytest.mark.parametrize("threads", [1, 2])
def test_how_a_segment_is_cut_is_of_no_account(mixed: tuple[Path, PolicyBook], tmp_path: Path, threads: int) -> None:
    """A what-if is named by what it found, however many batches and threads it was found in."""
    folder, book = mixed
    document = other_policy(tmp_path, ('"500.00"', '"700.00"')).read_text("utf-8")
    digest = digest_of(document)
    book.know({digest: read_policy(document, "changed")})
    found, listed = changes_of(folder, book, dict.fromkeys(REGIONS, digest), threads=threads)
    assert len(listed) == Segment(folder).batches > 2
    assert Segment(tmp_path / "whole").batches == 1
    assert found == changes_of(tmp_path / "whole", book, dict.fromkeys(REGIONS, digest))[0]
