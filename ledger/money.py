"""Turns fen into yuan text and back, at the edge only: inside, every amount is an integer of fen."""

import re

#: The largest absolute amount a cell may carry, in fen: 10,000,000,000,000.00 yuan.
LIMIT_FEN = 10**15

_YUAN = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]{1,2}))?")


def fen_from_text(text: str) -> int:
    """Returns the fen of yuan text such as ``-163.11``; digits, an optional sign, at most two decimals.

    Raises ValueError where the text is anything else or the amount is above 10,000,000,000,000.00 absolute.
    """
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError(f"expected an amount in yuan with at most two decimals, got {text!r}")
    sign, yuan, decimals = match.groups()
    fen = int(yuan) * 100 + int((decimals or "").ljust(2, "0"))
    if fen > LIMIT_FEN:
        raise ValueError(f"expected an amount of at most {yuan_display(LIMIT_FEN)} yuan, got {text!r}")
    return -fen if sign == "-" else fen


def scaled_from_text(text: str, decimals: int) -> int:
    """Returns decimal text as an integer of 10**-decimals; raises ValueError for other text or more decimals.

    >>> scaled_from_text("4.525", 6)
    4525000
    """
    match = re.fullmatch(r"([+-]?)([0-9]{1,15})(?:\.([0-9]+))?", text)
    if match is None or len(match[3] or "") > decimals:
        raise ValueError(f"expected a number with at most {decimals} decimals, got {text!r}")
    value = int(match[2] + (match[3] or "").ljust(decimals, "0"))
    return -value if match[1] == "-" else value


def yuan_text(fen: int) -> str:
    """Returns fen as yuan text for files and ``--json``.

    >>> yuan_text(-123450)
    '-1234.50'
    """
    yuan, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{yuan}.{rest:02d}"


def yuan_display(fen: int) -> str:
    """Returns fen as yuan text for people.

    >>> yuan_display(123450)
    '1,234.50'
    """
    yuan, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{yuan:,}.{rest:02d}"


def round_half_up(numerator: int, denominator: int) -> int:
    """Returns numerator / denominator rounded to an integer, halves away from zero; ``denominator`` above zero.

    This is the specification of every rounding in the kernels (DOMAIN section 4). A refund negates amounts and
    never rounds, so the direction of negative halves is only a matter of symmetry.

    >>> round_half_up(5, 10), round_half_up(-5, 10), round_half_up(4999, 10000)
    (1, -1, 0)
    """
    if denominator <= 0:
        raise ValueError(f"expected a denominator above zero, got {denominator}")
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -rounded if numerator < 0 else rounded
