"""Keeps a spreadsheet from running a cell as a formula, and undoes exactly that.

A cell that begins like a formula is written with an apostrophe in front; plain numbers such as ``-163.11`` are
left alone. Apostrophes already there are doubled up first, so every cell has one written form and back.
Bytes that are not UTF-8 are written as ``\\xNN``, and a backslash that would read like one as ``\\x5C``.
"""

import re

#: What a spreadsheet runs as a formula at the start of a cell: = + - @, tab, CR, LF and their full-width forms.
_FORMULA = re.compile(r"'*(?:[=+\-@\t\r\n]|＝|＋|－|＠)")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_FORMULA_BYTES = re.compile(_FORMULA.pattern.encode())
_PLAIN_NUMBER_BYTES = re.compile(_PLAIN_NUMBER.pattern.encode())
_PSEUDO_ESCAPE = re.compile(r"\\(?=x[0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"\\x([89A-F][0-9A-F]|5C)")
_UNREADABLE = re.compile("[\udc80-\udcff]")


def defused(text: str) -> str:
    """Returns a cell as a file may carry it: an apostrophe in front where a spreadsheet would run it."""
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def escaped(text: str) -> str:
    """Returns text with unreadable bytes (lone surrogates, as ``surrogateescape`` leaves them) as ``\\xNN``."""
    return _UNREADABLE.sub(lambda hit: f"\\x{ord(hit[0]) - 0xDC00:02X}", _PSEUDO_ESCAPE.sub(r"\\x5C", text))


def undone(cell: bytes) -> bytes:
    """Returns the cell that ``defused(escaped(cell))`` was made of, as bytes."""
    if cell[:1] == b"'" and _FORMULA_BYTES.match(cell, 1) and not _PLAIN_NUMBER_BYTES.fullmatch(cell, 1):
        cell = cell[1:]
    return _ESCAPE.sub(lambda hit: bytes([int(hit[1], 16)]), cell)
