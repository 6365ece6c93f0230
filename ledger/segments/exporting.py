"""Writes a segment as Parquet: an export for DuckDB, Polars and Spark, never what the ledger itself reads."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core_ext.layout import AMOUNTS, FACTS
from ledger.acts import ACT_TEXTS
from ledger.segments.reading import Segment
from ledger.segments.shape import DELTAS, HEAD, HOWS

#: What is exported of an act, under the names of the national interface where it has one: amounts are integer fen.
COLUMNS = (*ACT_TEXTS, *HEAD, *FACTS, *AMOUNTS, *DELTAS, *HOWS)

_WIDE = pa.schema([pa.field(name, pa.string() if name in ACT_TEXTS else pa.int64(), False) for name in COLUMNS])


def export_parquet(folder: Path, path: Path) -> int:
    """Writes the acts of a segment to a Parquet file and returns how many; the file is there whole or not at all."""
    segment = Segment(folder)
    rows = 0
    making = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with pq.ParquetWriter(making, _WIDE, compression="zstd") as writer:
            for batch in segment.all():
                own = batch.acts.filter(pc.equal(batch.acts.column("carried"), 0))
                writer.write_batch(own.select(list(COLUMNS)).cast(_WIDE))
                rows += own.num_rows
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)
    return rows
