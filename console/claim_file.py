"""Writes generated claims and members as CSV: integers become codes, dates and yuan, a column at a time."""

from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

_CLAIMS = (
    "setl_id,mdtrt_id,medins_setl_id,init_setl_id,refd_setl_flag,psn_no,psn_name,insutype,psn_type,insu_admdvs,"
    "mdtrtarea_admvs,fixmedins_code,hosp_lv,med_type,begndate,enddate,setl_time,medfee_sumamt,fulamt_ownpay_amt,"
    "overlmt_selfpay,preselfpay_amt,inscp_scp_amt,hosp_part_amt,act_pay_dedc,hifp_pay,hifob_pay,hifmi_pay,maf_pay,"
    "fund_pay_sumamt,psn_part_amt,acct_pay,psn_cash_pay"
)
_MEMBERS = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance"
HEADER = f"{_CLAIMS}\n".encode()
MEMBERS_HEADER = f"{_MEMBERS}\n".encode()
_NAMES = tuple(_CLAIMS.split(","))
_FACTS = _NAMES[_NAMES.index("medfee_sumamt") : _NAMES.index("act_pay_dedc")]
_SETTLED = _NAMES[_NAMES.index("act_pay_dedc") :]
_PLAIN = ("insutype", "psn_type", "insu_admdvs", "mdtrtarea_admvs", "hosp_lv", "med_type")
_OPTIONS = pa.csv.WriteOptions(include_header=False, quoting_style="none")


def _codes(values: NDArray[np.int64], before: str = "", there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Returns integers as text behind ``before``; empty where not ``there``."""
    text = pc.cast(pa.array(values, mask=None if there is None else ~there), pa.string())
    return pc.binary_join_element_wise(before, text, "") if before else text


def _yuan(fen: NDArray[np.int64], there: NDArray[np.bool_] | None = None) -> pa.Array:
    """Returns fen as decimals of two places; empty where not ``there``."""
    halves = np.empty((len(fen), 2), dtype=np.int64)  # a decimal is 128 bits, the upper half repeats the sign
    halves[:, 0], halves[:, 1] = fen, fen >> 63
    valid = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(fen), [valid, pa.py_buffer(halves)])


def _days(month: np.datetime64) -> tuple[pa.Array, NDArray[np.int64]]:
    """Returns (texts, yyyymmdd) of 120 days; day 0 of the generator, the first of the month before, is number 40."""
    first = (month - 1).astype("datetime64[D]") - 40
    texts = np.datetime_as_string(first + np.arange(120))
    return pa.array(texts.tolist()), np.array([int(text.replace("-", "")) for text in texts])


def _clock() -> tuple[pa.Array, NDArray[np.int64]]:
    seconds = np.arange(86_400)
    numbers = seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60
    return pa.array([f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400)]), numbers


_CLOCK: list[tuple[pa.Array, NDArray[np.int64]]] = []


def _replaced(column: pa.Array, rows: NDArray[np.bool_], text: str | None) -> pa.Array:
    if not rows.any():
        return column
    return pc.replace_with_mask(pc.cast(column, pa.string()), pa.array(rows), pa.scalar(text, pa.string()))


def claims_csv(chunk: Mapping[str, NDArray[np.int64]], month: np.datetime64, out: BinaryIO) -> None:
    """Writes a chunk of the generator; days count from the first of the month before ``month``."""
    if not _CLOCK:
        _CLOCK.append(_clock())
    (days, numbers), (clock, clock_numbers) = _days(month), _CLOCK[0]
    day, refund, settled = chunk["day"] + 40, chunk["refund"] > 0, chunk["settled"] > 0
    moment = numbers[day] * 1_000_000 + clock_numbers[chunk["second"]]
    person = _codes(chunk["region"] * 100_000_000 + chunk["person"])
    columns = {
        "setl_id": _codes(numbers[day] * 10**9 + chunk["row"], "S"),
        "mdtrt_id": _codes(10**9 + chunk["mdtrt"], "M"),
        "medins_setl_id": pc.binary_join_element_wise(
            "H", _codes(chunk["institution"]), _codes(moment * 10_000 + chunk["row"] % 10_000), ""
        ),
        "init_setl_id": _codes(numbers[chunk["original_day"] + 40] * 10**9 + chunk["original"], "S", refund),
        "refd_setl_flag": _codes(chunk["refund"]),
        "psn_no": person,
        "psn_name": pc.binary_join_element_wise("参保人", pc.utf8_slice_codeunits(person, 6), ""),
        "fixmedins_code": _codes(chunk["institution"], "H"),
        "begndate": days.take(pa.array(chunk["begin"] + 40)),
        "enddate": days.take(pa.array(chunk["end"] + 40)),
        "setl_time": pc.binary_join_element_wise(days.take(pa.array(day)), clock.take(pa.array(chunk["second"])), " "),
        **{name: _codes(chunk[name]) for name in _PLAIN},
        **{name: _yuan(chunk[name]) for name in _FACTS},
        **{name: _yuan(chunk[name], settled) for name in _SETTLED},
    }
    for number, (name, text) in enumerate((("begndate", "2024-02-30"), ("medfee_sumamt", "12.3x"))):
        columns[name] = _replaced(columns[name], chunk["planted"] == number, text)
    columns["psn_no"] = _replaced(columns["psn_no"], chunk["planted"] == 3, None)
    pa.csv.write_csv(pa.table([columns[name] for name in _NAMES], names=list(_NAMES)), out, _OPTIONS)


def members_csv(members: Mapping[str, NDArray[np.int64]], out: BinaryIO) -> None:
    """Writes a chunk of members; an assistance class of 0 is an empty cell."""
    person = _codes(members["region"] * 100_000_000 + members["person"])
    columns = [
        person,
        pc.binary_join_element_wise("参保人", pc.utf8_slice_codeunits(person, 6), ""),
        *(_codes(members[name]) for name in ("insu_admdvs", "insutype", "psn_type")),
        _codes(members["assist_class"], there=members["assist_class"] > 0),
        _yuan(members["balance_fen"]),
    ]
    pa.csv.write_csv(pa.table(columns, names=_MEMBERS.split(",")), out, _OPTIONS)
