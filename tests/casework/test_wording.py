"""What refuses an act on a case, and what a case's life says, is in the words and the units it was typed in."""

from pathlib import Path

import pytest

import projections
from ledger.casework.acts import digest_of_text
from ledger.refusals import Refused
from projections.trace_tree import CaseTrace
from tests.casework.worlds import act, by, closed, key, month
from tests.ledger.worlds import claim, write


def test_a_refused_act_names_claim_limit_and_what_came_in_yuan(sqlite_url: str, tmp_path: Path) -> None:
    """Too much in question, two debtors, too high a fine or reward: each is named with its limit, in yuan or times."""
    with month(sqlite_url, tmp_path) as book:
        book.intake(write(tmp_path / "other.csv", [claim(9, fixmedins_code="H26010199999")]))
        with pytest.raises(Refused, match=r"claim S000001: expected 0\.00 to [0-9,.]+ .*, got 100,000,000\.00"):
            book.case_act(act("open", claims=((key(1), 10**10),)))
        with pytest.raises(Refused, match=r"got H\w+ \(\d{6}\), H26010199999 \(\d{6}\)$"):
            book.case_act(act("open", claims=((key(1), 100), (key(9), 100))))
        closed(book, "C1", (key(1), 100), source="tip_off")
        by(book, "zhao")
        with pytest.raises(Refused, match=r"expected 1\.00 to 2\.00 times what is upheld, got 2\.50"):
            book.case_act(act("raise", kind="fine", multiple=25_000))
        with pytest.raises(Refused, match=r"up to [0-9,]+\.[0-9]{2}, got 10,000,000\.00"):
            book.case_act(act("reward", amount_fen=10**9, receipt="R"))
        book.case_act(act("raise", kind="fine", multiple=15_000))
        book.case_act(act("raise", kind="clawed_back"))
    with projections.open(sqlite_url) as read:
        (case,) = read.trace("C1").found
        assert isinstance(case, CaseTrace)
        said = [step.text for step in case.steps]
        assert "1.50 times 1.00" in said and any(text.endswith(": 1.00") for text in said)


@pytest.mark.parametrize("text", ["zz", "ab", "1" * 63, " " + "1" * 64, "１" * 64])
def test_evidence_is_the_digest_of_a_document(text: str) -> None:
    """Anything but 64 hex digits is refused as such."""
    with pytest.raises(ValueError, match="SHA-256 digest of a document, 64 hex digits"):
        digest_of_text(text)
