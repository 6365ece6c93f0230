"""Lines taken in together with their claims, and the sign of a refund's lines."""

import json
from pathlib import Path
from typing import Literal

import pytest

from console.main import main
from ledger.profile import Profile
from tests.ledger.worlds import claim, opened, refund, write
from tests.lines.files import differences, line, write_lines
from tests.lines.test_filing import SPLIT_300, run

POSITIVE = ("medfee_sumamt", "fulamt_ownpay_amt", "preselfpay_amt", "inscp_scp_amt")


def test_claims_and_lines_come_in_together(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command books claims and files their lines; a claim whose lines are not its split is counted and found."""
    opened(sqlite_url).close_store()
    claims = write(tmp_path / "claims.csv", [claim(at, **SPLIT_300) for at in (1, 2, 3)])
    whole = [line(1, 1), line(1, 2), line(1, 3, chrgitm_lv="03")]
    lines = write_lines(tmp_path / "lines.csv", [*whole, line(2, 1), line(2, 2)])
    asked = ["intake", str(claims), "--lines", str(lines), "--store", sqlite_url]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "claims whose lines do not agree: 1, see findings" in shown
    assert main(["findings", "--store", sqlite_url, "--json"]) == 0
    found = {each["claim"].partition("/")[2] for each in json.loads(capsys.readouterr().out)}
    assert found == {"S000002"}
    assert main([*asked, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["claims"][0]["duplicate"], again["lines"]["booked"], again["differing"]) == (3, 0, 0)
    assert main([*asked, "--dry-run"]) == 2
    assert "--lines goes with one file" in capsys.readouterr().err


@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_a_refunds_lines_follow_the_senders_sign(
    sqlite_url: str, tmp_path: Path, sign: Literal["positive", "negative"]
) -> None:
    """Where refunds come with positive amounts so do their lines: both mirror the original; else they do not agree."""
    first = claim(1, **SPLIT_300)
    back = refund(first, 2) | {name: SPLIT_300[name] for name in POSITIVE}
    profile = tmp_path / "sender.toml"
    profile.write_text('refund_amounts = "positive"', encoding="utf-8")
    kinds = [{}, {}, {"chrgitm_lv": "03"}]
    rows = [line(1, at, **cells) for at, cells in enumerate(kinds)]
    # A line taken back inside the refund is the other way round: here one unit more and one less.
    rows += [line(2, at, **cells) for at, cells in enumerate([*kinds, {}, {"cnt": "-1"}])]
    with opened(sqlite_url) as book:
        assert book.intake(write(tmp_path / "claims.csv", [first, back]), profile).booked == 2
        report = run(book, write_lines(tmp_path / "lines.csv", rows), 3, Profile(refund_amounts=sign))
        assert report.booked == 8
        assert [finding.differing for finding in differences(book)] == ([] if sign == "positive" else [0])
        again = run(book, tmp_path / "lines.csv", 100, Profile(refund_amounts=sign))
        assert again.booked == 0
