"""Amounts in capitals are what a bank accepts on a bill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.clearing.capitals import capitals

#: The worked examples of the rules for filling in bills (正确填写票据和结算凭证的基本规定), and edges.
EXAMPLES = {
    140950: "壹仟肆佰零玖元伍角",
    600714: "陆仟零柒元壹角肆分",
    168032: "壹仟陆佰捌拾元零叁角贰分",
    10700053: "壹拾万柒仟元零伍角叁分",
    1640902: "壹万陆仟肆佰零玖元零贰分",
    32504: "叁佰贰拾伍元零肆分",
    0: "零元整",
    5: "伍分",
    50: "伍角",
    100: "壹元整",
    100_000_000: "壹佰万元整",
    1_000_000_000_005: "壹佰亿元零伍分",
    100_010_001_000_100: "壹万零壹亿零壹万零壹元整",
    -1005: "负壹拾元零伍分",
}


@pytest.mark.parametrize(("fen", "text"), EXAMPLES.items(), ids=EXAMPLES.values())
def test_the_published_examples_read_as_published(fen: int, text: str) -> None:
    """Each amount reads as the rules print it."""
    assert capitals(fen) == text


def read(text: str) -> int:
    """Returns the fen that capitals say, read from left to right by the value of each character."""
    sign = -1 if text.startswith("负") else 1
    total = section = digit = fen = 0
    for character in text.removeprefix("负"):
        if character in "零壹贰叁肆伍陆柒捌玖":
            digit = "零壹贰叁肆伍陆柒捌玖".index(character)
        elif character in "拾佰仟":
            section += digit * 10 ** ("拾佰仟".index(character) + 1)
            digit = 0
        elif character in "万亿":
            total = (total + section + digit) * 10_000 if character == "万" else total
            if character == "亿":
                total = (total + section + digit) * 10**8
            section = digit = 0
        elif character == "元":
            fen += (total + section + digit) * 100
            digit = 0
        elif character in "角分":
            fen += digit * (10 if character == "角" else 1)
            digit = 0
    return sign * fen


def yuan_read(text: str) -> int:
    """Returns ``read`` of capitals taken apart at 亿 first: 万 before it multiplies by both."""
    whole, mark, rest = text.partition("元")
    if not mark:
        return read(text)
    sign = -1 if whole.startswith("负") else 1
    high, mark, low = whole.removeprefix("负").rpartition("亿")
    upper = abs(read(f"{high}元")) * 10**8 if mark else 0
    return sign * (upper + abs(read(f"{low}元")) + abs(read(rest)))


@given(st.integers(-(10**17), 10**17))
def test_no_two_amounts_read_alike(fen: int) -> None:
    """Every amount to the fen is read back from its capitals."""
    assert yuan_read(capitals(fen)) == fen
    assert "零零" not in capitals(fen)


def test_an_amount_that_cannot_be_read_is_refused() -> None:
    """Beyond 10^16 yuan there is no reading, and none is invented."""
    with pytest.raises(ValueError, match="expected an amount below"):
        capitals(10**18)
