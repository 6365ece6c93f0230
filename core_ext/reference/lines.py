"""Specifies fee lines: how their cells are read, how a line splits into its parts, how lines are packed (DOMAIN 3)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core_ext import cells as c
from core_ext import line_cells as lc
from core_ext.cells import Cells
from core_ext.layout import ABSENT
from core_ext.line_cells import LINE, LINE_COLUMNS, LINE_TEXTS, LINES, PARTS, LineCells
from core_ext.reference.row import CODE, CONTROL, Row, day, decimal, is_setl_id, is_utf8, moment
from core_ext.text import texts_from_list

Int64s = NDArray[np.int64]

_AT = {name: at for at, name in enumerate(LINE_COLUMNS)}
_SCALES = {
    "pric": (lc.PRICE_DECIMALS, lc.LIMIT_PRICE),
    "cnt": (lc.COUNT_DECIMALS, lc.LIMIT_COUNT),
    "selfpay_prop": (lc.RATIO_DECIMALS, lc.LIMIT_PRICE),
    "pric_uplmt_amt": (lc.PRICE_DECIMALS, lc.LIMIT_PRICE),
    **dict.fromkeys(PARTS, (2, c.LIMIT_FEN)),
}
_MAY_BE_EMPTY = ("selfpay_prop", "pric_uplmt_amt", *PARTS)


def read(data: NDArray[np.uint8], cells: Cells, rows: int, columns: Int64s) -> LineCells:
    """Returns what the first ``rows`` records of ``cells`` say, with every fault that the row alone can show."""
    table = np.zeros((rows, len(LINES)), np.int64)
    faults, head = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    field = np.full(rows, -1, np.int64)
    texts: list[list[bytes]] = [[] for _ in LINE_TEXTS]
    raw, where = data.tobytes(), columns.tolist()
    key: tuple[int, bytes] | None = None
    for i in range(rows):
        if cells.shape[i] != c.WHOLE:
            faults[i] = 1 << c.ROW_SHAPE
            for column in texts:
                column.append(b"")
            continue
        bounds = zip(cells.starts[i].tolist(), cells.ends[i].tolist(), strict=True)
        line = Row([raw[start:stop] for start, stop in bounds], where, _AT)
        for at, cell in enumerate(line.cells):
            if not is_utf8(cell):
                line.fail_at(c.NOT_UTF8, at)
        found = _texts(line)
        for column, text in zip(texts, found, strict=True):
            column.append(text)
        sound = _codes(line, table[i]) and found[0] != b""
        _day(line, table[i])
        _numbers(line, table[i])
        if sound:
            head[i] = key != (int(table[i, 0]), found[0])
            key = (int(table[i, 0]), found[0])
        faults[i], field[i] = line.faults, line.field
    return LineCells(table, faults, field, head, tuple(texts_from_list(column) for column in texts))


def _texts(line: Row) -> list[bytes]:
    texts = []
    for name in LINE_TEXTS:
        cell = line.cell(name)
        sound = is_utf8(cell)
        if sound:
            text = cell.decode()
            size = c.KEY_BYTES if name != "drug_trac_codg" else len(cell)
            sound = len(cell) <= size and not CONTROL.search(text)
            sound = sound and (name != "setl_id" or is_setl_id(text)) and (name != "feedetl_sn" or text != "")
            if not sound:
                line.fail(c.BAD_KEY, name)
        texts.append(cell if sound else b"")
    return texts


def _codes(line: Row, row: Int64s) -> bool:
    """Reads the codes; returns whether that of the region, a part of the key, is sound."""
    key = True
    for name in lc.CODES:
        cell = line.cell(name)
        if CODE.fullmatch(cell):
            row[LINE[name]] = int(cell)
        elif cell != b"" or name not in lc.OPTIONAL_CODES:
            line.fail(c.BAD_CODE, name)
            key = key and name != "insu_admdvs"
    if line.cell("chrgitm_lv") != b"" and not 1 <= int(row[LINE["chrgitm_lv"]]) <= 3:
        line.fail(c.BAD_CODE, "chrgitm_lv")
    return key


def _day(line: Row, row: Int64s) -> None:
    cell = line.cell("fee_ocur_time")
    row[LINE["fee_ocur_time"]] = day(cell) if len(cell) == 10 else moment(cell) // 1_000_000
    if not row[LINE["fee_ocur_time"]]:
        line.fail(c.BAD_DATE, "fee_ocur_time")


def _numbers(line: Row, row: Int64s) -> None:
    sound = True
    for name, (decimals, limit) in _SCALES.items():
        cell = line.cell(name)
        if cell == b"" and name in _MAY_BE_EMPTY:
            row[LINE[name]] = lc.NO_CAP if name == "pric_uplmt_amt" else 0 if name == "selfpay_prop" else ABSENT
            continue
        value, faults = decimal(cell, decimals, limit)
        for fault in faults:
            line.fail(fault, name)
        row[LINE[name]] = value
        sound = sound and (not faults or name not in ("pric", "cnt"))
        if name == "pric_uplmt_amt" and value < 0:
            line.fail(c.AMOUNT_RANGE, name)
        if name == "selfpay_prop" and not 0 <= value <= lc.ONE_BP:
            line.fail(lc.BAD_RATIO, name)
    product = abs(int(row[LINE["pric"]]) * int(row[LINE["cnt"]]))
    if sound and _rounded(product, lc.PRODUCT_PER_FEN) > c.LIMIT_FEN:
        line.fail(c.AMOUNT_RANGE, "pric")


def _rounded(numerator: int, denominator: int) -> int:
    """Returns a quotient of numbers that are not negative, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def split(
    table: Int64s, full: Int64s, caps: Int64s, slots: Int64s, taken: Int64s, maximum: Int64s
) -> tuple[Int64s, Int64s]:
    """Returns (parts int64[n, PARTS] in fen, used int64[n]) of each line, in order; a negative line mirrors.

    ``full`` is 1 where a line is full self-pay, ``caps`` its price cap (NO_CAP or above: none). ``slots`` int64[n, 2]
    names the drug maxima a line counts toward (-1: none): what ``taken`` holds of a slot and the line's payable part
    may not exceed ``maximum``; the excess becomes full self-pay, the rest advances ``taken`` (a negative line gives
    back, never more than was taken). ``used`` is what the line counts. Raises OverflowError naming the line.
    """
    lc.check_split(table, full, caps, slots, taken, maximum)
    parts, used = np.zeros((len(table), len(PARTS)), np.int64), np.zeros(len(table), np.int64)
    for i, line in enumerate(table.tolist()):
        price, count, ratio = line[LINE["pric"]], line[LINE["cnt"]], line[LINE["selfpay_prop"]]
        sign = -1 if (price < 0) != (count < 0) else 1
        price, count = abs(price), abs(count)
        amount = _rounded(price * count, lc.PRODUCT_PER_FEN)
        if amount > c.LIMIT_FEN:
            raise lc.too_large(i)
        if full[i]:
            parts[i, :2] = sign * amount
            continue
        over = _rounded(max(0, price - int(caps[i])) * count, lc.PRODUCT_PER_FEN) if caps[i] < lc.NO_CAP else 0
        payable = amount - over
        allowed = payable
        for slot in slots[i].tolist():
            if slot >= 0:
                room = int(taken[slot]) if sign < 0 else int(maximum[slot]) - int(taken[slot])
                allowed = min(allowed, max(0, room))
        for slot in slots[i].tolist():
            if slot >= 0:
                taken[slot] += sign * allowed
                used[i] = sign * allowed
        preself = _rounded(allowed * ratio, lc.ONE_BP)
        parts[i] = [sign * fen for fen in (amount, payable - allowed, over, preself, allowed - preself)]
    return parts, used


def pack(table: Int64s, starts: Int64s) -> tuple[Int64s, NDArray[np.uint8]]:
    """Returns (offsets, bytes): the rows from ``starts[k]`` to the next start as one string of numbers, row by row.

    A number is 0 where it is ABSENT, else its zigzag plus one, seven bits a byte, the lowest first.
    """
    out = bytearray()
    offsets = [0]
    bounds = [*starts.tolist(), len(table)]
    for begin, stop in pairwise(bounds):
        for value in table[begin:stop].ravel().tolist():
            coded = 0 if value == ABSENT else (2 * value if value >= 0 else -2 * value - 1) + 1
            while coded > 127:
                out.append(coded & 127 | 128)
                coded >>= 7
            out.append(coded)
        offsets.append(len(out))
    return np.array(offsets, np.int64), np.frombuffer(bytes(out), np.uint8)


def unpack(packed: bytes, columns: int) -> Int64s:
    """Returns the table int64[n, columns] that ``pack`` packed; raises ValueError for bytes that it never writes."""
    values: list[int] = []
    at = coded = shift = 0
    for at, byte in enumerate(packed):
        coded |= (byte & 127) << shift
        if coded >= 2**64 or shift > 63:
            raise lc.not_packed(at)
        if byte & 128:
            shift += 7
            continue
        zigzag = coded - 1
        values.append(ABSENT if coded == 0 else zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2)
        coded = shift = 0
    if shift or len(values) % columns:
        raise lc.not_packed(len(packed))
    return np.array(values, np.int64).reshape(-1, columns)
