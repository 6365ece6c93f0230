"""A case's whole life on one screen, from every key that leads to it."""

from pathlib import Path

import pytest

import projections
from console.main import main
from projections.trace_tree import CaseTrace, ClaimsTrace, ClaimTrace
from tests.casework.worlds import act, closed, key, month


def test_a_case_and_its_money_are_traced_from_every_key(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The case lists each act once, in order, with amounts, who and why; claim and institution name the case."""
    with month(store_url, tmp_path) as book:
        closed(book, "C1", (key(1), 100_000))
        book.case_acts(
            [
                act("raise", "C1", kind="clawed_back"),
                act("collect", "C1", kind="clawed_back", amount_fen=40_000, receipt="R-1"),
                act("write_off", "C1", kind="clawed_back", amount_fen=60_000, reason="insolvent"),
            ],
            reason="settling it",
        )
    with projections.open(store_url) as read:
        (found,) = read.trace("C1").found
        assert isinstance(found, CaseTrace)
        assert [(step.what, step.amount_fen) for step in found.steps] == [
            ("case-opened", 100_000),
            ("case-submitted", 100_000),
            ("case-decided", 100_000),
            ("case-closed", 0),
            ("recovery-raised", 100_000),
            ("recovery-collected", 40_000),
            ("recovery-written-off", 60_000),
        ]
        assert {step.actor for step in found.steps} == {"li"}
        assert found.steps[-1].text == "insolvent"
        for step in found.steps:
            assert read.trace(step.position).found == (found,)
        (claim,) = read.trace(key(1)).found
        assert isinstance(claim, ClaimTrace) and claim.cases == ("C1",)
        (other,) = read.trace(key(2)).found
        assert isinstance(other, ClaimTrace) and other.cases == ()
        (institution,) = read.trace("H26010100001").found
        assert isinstance(institution, ClaimsTrace) and institution.cases == ("C1",)
    assert main(["trace", "C1", "--store", store_url]) == 0
    said = capsys.readouterr().out
    assert "recovery-collected 400.00 by li (receipt R-1)" in said
