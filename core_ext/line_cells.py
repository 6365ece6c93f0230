"""Names what the lines kernel takes in and hands out: the columns of fee lines, and the parts a line splits into.

Prices are integers of 1e-6 yuan, counts of 1e-4, ratios basis points, amounts fen, a day ``yyyymmdd``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.cells import LIMIT_FEN
from core_ext.text import Texts

LINE_TEXTS = ("setl_id", "feedetl_sn", "med_list_codg", "drug_trac_codg")

LINES = (
    "insu_admdvs",
    "chrgitm_lv",  # 1 甲, 2 乙, 3 丙
    "list_type",  # kind of catalogue; 0 where the file does not say
    "lmt_used_flag",  # 1: the item is paid under a limit
    "hosp_appr_flag",  # 1: the limit is met
    "trdn_flag",  # 1: from a split pack
    "fee_ocur_time",  # the day only
    "pric",
    "cnt",
    "selfpay_prop",
    "pric_uplmt_amt",  # NO_CAP where there is none
    "det_item_fee_sumamt",  # this and the next four: what the source gives, ABSENT where it gives none
    "fulamt_ownpay_amt",
    "overlmt_amt",
    "preselfpay_amt",
    "inscp_scp_amt",
)
#: The amounts of a line: the whole, and the four parts that sum to it.
PARTS = LINES[-5:]

LINE_COLUMNS = LINE_TEXTS + LINES
CODES = LINES[:6]
#: Columns that may be empty or missing altogether, and what they are then.
OPTIONAL_CODES = ("list_type", "lmt_used_flag", "hosp_appr_flag", "trdn_flag")
LINE = {name: at for at, name in enumerate(LINES)}

PRICE_DECIMALS, COUNT_DECIMALS, RATIO_DECIMALS = 6, 4, 4
#: price x count in fen: 1e-6 yuan x 1e-4 = 1e-8 fen.
PRODUCT_PER_FEN = 10**8
ONE_BP = 10_000

#: The cell 999999 (yuan) says that a price has no cap.
NO_CAP = 999_999 * 10**6
#: The largest price (1,000,000,000 yuan) and count (1,000,000,000): their product needs 128 bits.
LIMIT_PRICE = 10**15
LIMIT_COUNT = 10**13

#: Reasons of lines beside those of ``core_ext.cells``, by number.
BAD_RATIO = 32

#: A person may hold a drug under a quarter's and a year's maximum at once.
WINDOWS = 2


class LineCells(NamedTuple):
    """Holds what records of fee lines say: ``table`` int64[n, LINES], faults and texts as in ``core_ext.cells.Parsed``.

    ``head`` is 1 where a row with a sound key (insu_admdvs, setl_id) has another one than the sound row before it.
    """

    table: NDArray[np.int64]
    faults: NDArray[np.int64]
    field: NDArray[np.int64]
    head: NDArray[np.int64]
    texts: tuple[Texts, ...]


def check_split(
    table: NDArray[np.int64],
    full: NDArray[np.int64],
    caps: NDArray[np.int64],
    slots: NDArray[np.int64],
    taken: NDArray[np.int64],
    maximum: NDArray[np.int64],
) -> None:
    """Checks what ``split`` takes in; raises ValueError for shapes that do not fit and numbers out of range."""
    n = len(table)
    shapes = (table.shape[1], len(full), len(caps), slots.shape, len(maximum))
    if shapes != (len(LINES), n, n, (n, WINDOWS), len(taken)):
        raise ValueError(f"expected {n} lines of {len(LINES)} columns and as many slots as maxima, got {shapes}")
    if n and bool(((slots[:, 0] == slots[:, 1]) & (slots[:, 0] >= 0)).any()):
        raise ValueError("expected two slots of a line to be different maxima, got one twice")
    ratios = table[:, LINE["selfpay_prop"]]
    if n and not 0 <= int(ratios.min()) <= int(ratios.max()) <= ONE_BP:
        raise ValueError(f"expected ratios from 0 to {ONE_BP} basis points, got another")
    if n and int(caps.min()) < 0:
        raise ValueError(f"expected caps of at least 0, got {caps.min()}")
    if (
        len(taken)
        and not 0 <= int(min(taken.min(), maximum.min())) <= int(max(taken.max(), maximum.max())) <= LIMIT_FEN
    ):
        raise ValueError(f"expected maxima and what was taken from 0 to {LIMIT_FEN} fen, got others")
    if n and not -1 <= int(slots.min()) <= int(slots.max()) < len(taken):
        raise ValueError(f"expected slots from -1 to {len(taken) - 1}, got {slots.min()} to {slots.max()}")


def too_large(row: int) -> OverflowError:
    """Returns the error for a line whose amounts leave the range of amounts."""
    return OverflowError(f"line {row}: expected amounts of at most {LIMIT_FEN} fen, got a larger one")


def not_packed(at: int) -> ValueError:
    """Returns the error for packed numbers that end in the middle of one or hold one of more than 64 bits."""
    return ValueError(f"packed numbers: expected a whole number of 64 bits at byte {at}, got none")
