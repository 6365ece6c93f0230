"""Amounts are fen inside and yuan text at the edge, without a float between them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_ext import cells
from ledger.money import LIMIT_FEN, fen_from_text, round_half_up, yuan_display, yuan_text


@given(st.integers(-LIMIT_FEN, LIMIT_FEN))
def test_every_amount_comes_back_from_its_text(fen: int) -> None:
    """Fen to yuan text and back is the same fen, for files and for people."""
    assert fen_from_text(yuan_text(fen)) == fen
    assert fen_from_text(yuan_display(fen).replace(",", "")) == fen


def test_amounts_are_shown_with_two_decimals() -> None:
    """Files get plain text, people thousands separators; zero has no sign."""
    assert [yuan_text(fen) for fen in (0, 5, -5, 123450)] == ["0.00", "0.05", "-0.05", "1234.50"]
    assert [yuan_display(fen) for fen in (0, -123450, 10**15)] == ["0.00", "-1,234.50", "10,000,000,000,000.00"]


@pytest.mark.parametrize("text", ["", "-", ".5", "5.", "1,000", "1.234", "1e3", "１", " 1", "10000000000000.01"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Text that is no amount, has a third decimal or leaves the range raises."""
    with pytest.raises(ValueError, match="expected an amount"):
        fen_from_text(text)


def test_the_limit_is_the_kernels() -> None:
    """The edge and the kernel refuse the same amounts."""
    assert LIMIT_FEN == cells.LIMIT_FEN


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**6))
def test_halves_are_rounded_away_from_zero(numerator: int, denominator: int) -> None:
    """Rounding gives the nearest integer, halves away from zero, on both sides alike."""
    rounded = round_half_up(numerator, denominator)
    exact = Fraction(numerator, denominator)
    assert abs(rounded - exact) <= Fraction(1, 2)
    assert round_half_up(-numerator, denominator) == -rounded
    if abs(rounded - exact) == Fraction(1, 2):
        assert abs(rounded) > abs(exact)


def test_three_lines_of_five_fen_at_ten_percent_are_three_fen() -> None:
    """Each line rounds on its own (DOMAIN section 4): 0.05 at 10 % is 0.01 three times, not 0.02 once."""
    assert sum(round_half_up(5 * 1000, 10000) for _ in range(3)) == 3
    assert round_half_up(-5 * 1000, 10000) == -1
    with pytest.raises(ValueError, match="denominator above zero"):
        round_half_up(1, 0)
