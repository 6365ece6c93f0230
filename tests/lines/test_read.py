"""Cells of fee lines: both twins read any file alike, and the edges of their numbers are where they should be."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _lines as compiled
from core_ext.cells import new_cells
from core_ext.layout import ABSENT
from core_ext.line_cells import LINE, LINE_COLUMNS, NO_CAP, LineCells
from core_ext.reference import lines as reference
from core_ext.reference.split import split
from ledger.refusals import Refusal

SOUND = dict.fromkeys(LINE_COLUMNS, "") | {
    "setl_id": "S1",
    "feedetl_sn": "F1",
    "med_list_codg": "X1",
    "insu_admdvs": "260101",
    "chrgitm_lv": "02",
    "fee_ocur_time": "2024-02-29",
    "pric": "4.52",
    "cnt": "1",
    "selfpay_prop": "0.05",
}
TWINS = pytest.mark.parametrize("twin", [compiled, reference], ids=["compiled", "reference"])


def cut(content: bytes, rows: int, columns: int) -> tuple[np.ndarray, object, int]:
    data = np.frombuffer(content, np.uint8).copy()
    cells = new_cells(rows, columns)
    count, _ = split(data, 0, len(data), True, ord(","), 0, cells, 0)
    return data, cells, count


def read(twin: ModuleType, *changes: dict[str, str]) -> LineCells:
    """Returns what sound lines say after each dict of changed cells."""
    rows = [",".join({**SOUND, **change}.values()) for change in changes]
    data, cells, count = cut("\n".join(rows).encode(), len(rows), len(LINE_COLUMNS))
    found: LineCells = twin.read(data, cells, count, np.arange(len(LINE_COLUMNS), dtype=np.int64))
    return found


def faults(found: LineCells) -> list[list[str]]:
    return [[Refusal(bit).code for bit in range(63) if bits >> bit & 1] for bits in found.faults.tolist()]


@TWINS
def test_a_sound_line_is_integers(twin: ModuleType) -> None:
    """Price in 1e-6 yuan, count in 1e-4, ratio in basis points; what is not said is absent, or no cap."""
    found = read(twin, {}, {"pric": "-0.000001", "cnt": "0.0001", "pric_uplmt_amt": "12.5", "inscp_scp_amt": "1.2"})
    names = ("insu_admdvs", "fee_ocur_time", "pric", "cnt", "selfpay_prop", "pric_uplmt_amt", "inscp_scp_amt")
    assert [[int(row[LINE[name]]) for name in names] for row in found.table] == [
        [260101, 20240229, 4_520_000, 10_000, 500, NO_CAP, ABSENT],
        [260101, 20240229, -1, 1, 500, 12_500_000, 120],
    ]
    assert found.faults.tolist() == [0, 0]
    assert found.head.tolist() == [1, 0]


@TWINS
@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        ("pric", "1000000000", []),
        ("pric", "1000000000.000001", ["amount_range"]),
        ("pric", "1000000000.0000001", ["amount_precision", "amount_range"]),
        ("pric", "", ["amount_text"]),
        ("pric", "1e3", ["amount_text"]),
        ("cnt", "1.23456", ["amount_precision"]),
        ("cnt", "99999999999999999999999", ["amount_range"]),
        ("selfpay_prop", "1", []),
        ("selfpay_prop", "1.0001", ["bad_ratio"]),
        ("selfpay_prop", "-0.1", ["bad_ratio"]),
        ("pric_uplmt_amt", "-1", ["amount_range"]),
        ("chrgitm_lv", "", ["bad_code"]),
        ("chrgitm_lv", "04", ["bad_code"]),
        ("trdn_flag", "x", ["bad_code"]),
        ("fee_ocur_time", "2023-02-29", ["bad_date"]),
        ("fee_ocur_time", "2024-02-29 23:59:59", []),
        ("setl_id", "S 1", ["bad_key"]),
        ("feedetl_sn", "", ["bad_key"]),
        ("drug_trac_codg", ";".join(["81234567890123456789"] * 9), []),
    ],
)
def test_cells_at_the_edges(twin: ModuleType, cell: str, value: str, reason: list[str]) -> None:
    """Each cell is judged at the edge of what it may be."""
    assert faults(read(twin, {cell: value})) == [reason]


@TWINS
def test_a_damaged_row_does_not_end_a_run(twin: ModuleType) -> None:
    """A run goes on over rows whose key cannot be read; another claim or region begins one."""
    found = read(twin, {}, {"setl_id": ""}, {"pric": "x"}, {"insu_admdvs": "260102"}, {"setl_id": "S2"}, {})
    assert found.head.tolist() == [1, 0, 0, 1, 1, 1]


def plain(found: LineCells) -> list[object]:
    """Returns what a twin read as values that compare."""
    texts = ((column.offsets.tolist(), column.data.tobytes()) for column in found.texts)
    return [*(column.tolist() for column in found[:4]), *texts]


CELLS = st.one_of(
    st.sampled_from(["", "1", "-1", "0.5", "999999", "1000000000", "1.23456789", "2024-01-01", "2024-01-01 10:00:00"]),
    st.sampled_from(["01", "S1", "S2", "260101", "é", "\u3000", "a b", "9" * 30, "0." + "0" * 20 + "1", "+2.50", ".5"]),
    st.text("0123456789.-+", max_size=12),
)


@settings(max_examples=150)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(LINE_COLUMNS), CELLS, max_size=4), min_size=1, max_size=5),
    missing=st.sets(st.sampled_from(LINE_COLUMNS), max_size=4),
    junk=st.binary(max_size=6),
)
def test_both_twins_read_alike(rows: list[dict[str, str]], missing: set[str], junk: bytes) -> None:
    """Whatever a file holds, both kernels say the same of it."""
    content = "\n".join(",".join({**SOUND, **row}.values()) for row in rows).encode()
    content = content[: len(content) // 2] + junk + content[len(content) // 2 :]
    data, cells, count = cut(content, 8, len(LINE_COLUMNS))
    columns = np.array([-1 if name in missing else at for at, name in enumerate(LINE_COLUMNS)], np.int64)
    said = [twin.read(data, cells, count, columns) for twin in (compiled, reference)]
    assert plain(said[0]) == plain(said[1])
