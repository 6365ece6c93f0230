"""Writes every changed claim of a what-if to a file, Parquet or CSV by its ending: there whole, or not at all."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from core_ext.layout import AMOUNTS, FACT
from ledger.refusals import Refusal, Refused
from ledger.replaying.changing import Changes

_KEYS = ("insured_region", "treatment_region", "token", "insutype", "psn_type", "med_type", "hosp_lv", "setl_time")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.int64(), False) for name in ("period", "claim")),
        pa.field("setl_id", pa.string(), False),
        *(pa.field(name, pa.int64(), False) for name in _KEYS),
        pa.field("refusal", pa.string(), False),
        *(pa.field(f"{name}{end}", pa.int64(), False) for name in AMOUNTS for end in ("", "_new", "_diff")),
    ]
)


class Listing:
    """Is the file of changed claims on its way: amounts as integer fen, each as booked, as it would be, and between."""

    def __init__(self, path: Path) -> None:
        if path.suffix not in (".parquet", ".csv"):
            raise Refused(Refusal.BAD_VALUE, f"expected a file that ends in .parquet or .csv, got {path.name!r}")
        self._path = path
        self._making = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._writer: Any = (
            pq.ParquetWriter(self._making, _SCHEMA)
            if path.suffix == ".parquet"
            else csv.CSVWriter(self._making, _SCHEMA)
        )

    def __enter__(self) -> "Listing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if kind is None:
            self._making.replace(self._path)
        else:
            self._making.unlink(missing_ok=True)

    def add(self, changes: Changes) -> None:
        """Writes the changed claims of one batch."""
        if not len(changes):
            return
        offsets, data = changes.setl_id
        texts = pa.Array.from_buffers(
            pa.string(), len(changes), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
        )
        columns: list[Any] = [pa.array(changes.period), pa.array(changes.claim), texts]
        columns += [pa.array(np.ascontiguousarray(changes.facts[:, FACT[name]])) for name in _KEYS]
        columns.append(pa.array([Refusal(code).code if code else "" for code in changes.code.tolist()]))
        for at in range(len(AMOUNTS)):
            old, new = np.ascontiguousarray(changes.old[:, at]), np.ascontiguousarray(changes.new[:, at])
            columns += [pa.array(old), pa.array(new), pa.array(new - old)]
        self._writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
