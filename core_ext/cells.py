"""Names what the split and parse kernels take in and hand out: records cut into cells, and the columns cells become.

``COLUMNS`` are the national columns a kernel reads. A *column map* is an ``int64`` array of that length: the
place of each one in the file, or -1 where the file has no such column. A *fault* is a bit: bit ``k`` stands for
the reason that carries number ``k`` (``ledger.refusals.Refusal``; a test holds the two to one numbering).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import AMOUNTS, FACTS
from core_ext.text import Texts

#: The facts a file does not carry: lookups fill them in later.
LOOKED_UP = ("token", "insured_region", "treatment_region")

TEXT_COLUMNS = (
    "setl_id",
    "mdtrt_id",
    "medins_setl_id",
    "fixmedins_code",
    "init_setl_id",
    "psn_no",
    "psn_name",
)
FACT_COLUMNS = tuple(name for name in FACTS if name not in LOOKED_UP)
COLUMNS = TEXT_COLUMNS + FACT_COLUMNS + AMOUNTS

ROW_SHAPE = 1
NOT_UTF8 = 2
UNSAFE_TEXT = 3
BAD_KEY = 4
MISSING_PSN_NO = 7
BAD_CODE = 9
BAD_DATE = 10
END_BEFORE_BEGIN = 11
UNKNOWN_INSUTYPE = 12
AMOUNT_TEXT = 14
AMOUNT_PRECISION = 15
AMOUNT_RANGE = 16
NEGATIVE_WITHOUT_INIT = 17
IDENTITY_I1 = 21

#: The longest key in bytes, and the largest absolute amount in fen (10,000,000,000,000.00 yuan).
KEY_BYTES = 64
LIMIT_FEN = 10**15
#: The longest code in digits.
CODE_DIGITS = 12

LINE_ENDS = b"\r\n"
QUOTE = 0x22

#: What ``Cells.shape`` says of a record.
WHOLE, WRONG_COUNT, BAD_QUOTES = 0, 1, 2


class Cells(NamedTuple):
    """Holds records cut into cells: cell ``c`` of record ``r`` is ``data[starts[r, c]:ends[r, c]]``.

    ``records`` has the first byte of each record and the one behind its last; ``shape`` is WHOLE, or says why the
    record has no cells (all zero): another number of cells than the header, or quotes that do not close.
    """

    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    records: NDArray[np.int64]
    shape: NDArray[np.uint8]


def new_cells(rows: int, columns: int) -> Cells:
    """Returns a table for that many records of that many cells."""
    return Cells(
        np.zeros((rows, columns), np.int32),
        np.zeros((rows, columns), np.int32),
        np.zeros((rows, 2), np.int64),
        np.zeros(rows, np.uint8),
    )


def cut_record(raw: bytes, begin: int, end: int, delimiter: int) -> tuple[int, list[tuple[int, int, bool]], bool, bool]:
    """Returns (end of the record, its cells, whether its quotes are sound, whether a line end was there).

    A cell is (first byte, byte behind the last, quoted), without its quotes. Text behind a closing quote is unsound,
    as is a quote that nothing closes; a quote inside an unquoted cell is a character like any other.
    """
    bounds: list[tuple[int, int, bool]] = []
    sound = True
    at = begin
    while True:
        first = at
        quoted = at < end and raw[at] == QUOTE
        if quoted:
            first = last = at + 1
            while (last := raw.find(b'"', last, end)) >= 0 and raw[last + 1 : min(last + 2, end)] == b'"':
                last += 2
            if last < 0:
                return end, bounds, False, False
            at = last + 1
        while at < end and raw[at] != delimiter and raw[at] not in LINE_ENDS:
            sound = sound and not quoted
            at += 1
        bounds.append((first, last if quoted else at, quoted))
        if at == end or raw[at] in LINE_ENDS:
            return at, bounds, sound, at < end
        at += 1


class Parsed(NamedTuple):
    """Holds what records say: one row a record; amounts in fen, dates and codes as in ``core_ext.layout``.

    ``settled`` is 1 where the row carries fund_pay_sumamt, ``refund`` where it carries init_setl_id. ``field`` is
    the file column of the first failing cell of the lowest fault, -1 without one or where no cell is to blame.
    A cell that fails is 0 among facts, ABSENT in ``given`` and empty among ``texts`` (in order of TEXT_COLUMNS).
    """

    facts: NDArray[np.int64]
    given: NDArray[np.int64]
    settled: NDArray[np.int64]
    refund: NDArray[np.int64]
    faults: NDArray[np.int64]
    field: NDArray[np.int64]
    texts: tuple[Texts, ...]
