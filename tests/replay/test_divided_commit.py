"""Divided stays booked anew: every year, account, claim and sum is what a store filed under the policy has."""

from pathlib import Path

import pytest

from ledger.service import Ledger
from tests.ledger.test_divided_stays import stay, turning
from tests.ledger.worlds import write
from tests.replay.test_divided import CASES, PERIODS, files, policy, told
from tests.replay.truth import sound, stands

TO = PERIODS[-1]


def afterwards(folder: Path) -> Path:
    """Returns claims of both years that rest on what stands by then, a stay over the turn and refunds of two."""
    rows = [
        stay(41, "2024-02-10", "2024-02-12"), stay(42, "2023-09-10", "2023-09-12", setl_time="2024-02-12 08:00:00"),
        turning(43, setl_time="2024-02-13 08:00:00"), stay(44, "2024-02-10", "2024-02-12", psn_no="P2"),
        stay(45, "2024-02-10", "2024-02-12", psn_no="P3"), stay(46, "2024-02-10", "2024-02-12", psn_no="P4"),
        stay(47, "2024-02-10", "2024-02-12", psn_no="P5"),
        stay(48, "2023-09-10", "2023-09-12", psn_no="P3", setl_time="2024-02-12 08:00:00"),
    ]  # fmt: skip
    return write(folder / "afterwards.csv", rows)


def fresh(folder: Path, document: Path, taken: list[Path], name: str) -> dict[str, object]:
    """Returns what stands in a store filed under one policy from the beginning."""
    url = f"sqlite:///{folder / name}.db"
    with told(url, document, taken) as book:
        return stands(book, url)


def corrected(book: Ledger, document: Path) -> int:
    """Enacts a policy, books the months anew under it, twice, and returns how many claims that booked."""
    book.enact(document, [260100])
    done = book.correct(document, PERIODS[0], "letter 12", to=TO)
    again = book.correct(document, PERIODS[0], "letter 12", to=TO)
    assert (again.booked, again.fund_fen) == (0, 0) and again.already >= done.booked
    return done.booked


@pytest.mark.parametrize("case", CASES)
def test_after_a_correction_all_stands_as_in_a_fresh_store(tmp_path: Path, case: str) -> None:
    """Years, accounts, claims, sums and books; and claims filed afterwards are decided as in the fresh store."""
    was, would_be = (policy(tmp_path, name, *each) for name, each in zip(("was", "then"), CASES[case], strict=True))
    taken, after = files(tmp_path), afterwards(tmp_path)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with told(url, was, taken) as book:
        assert corrected(book, would_be)
        assert stands(book, url) == fresh(tmp_path, would_be, taken, "fresh")
        sound(book, url)
        book.intake(after)
        assert stands(book, url) == fresh(tmp_path, would_be, [*taken, after], "later")
        assert book.correct(would_be, PERIODS[0], "letter 12", to=TO).booked == 0
        sound(book, url)
