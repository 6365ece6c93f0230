"""Makes segments directly, without a log: a settled workload written as sealed, and the same again for more persons."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.claims import Workload, workload
from bench.settling import CHANGED
from core_ext.kernels import load
from core_ext.layout import ABSENT, AMOUNTS, FACTS, HOW
from core_ext.settling import COMPUTE, REFUND
from core_ext.text import texts_from_list
from ledger.acts import ACT_TEXTS
from ledger.events import BASIS_KERNEL, BASIS_REFUND, BASIS_SOURCE
from ledger.plans import PolicyBook
from ledger.segments.shape import BEFORES, DELTAS, GIVENS, HOWS
from ledger.segments.spilling import AT, SPILLED, span
from ledger.segments.writing import SegmentWriter

PERIOD = 202403


def settled(made: Workload) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Returns a workload, settled, as rows of SPILLED; positions as if every claim stood behind the one before."""
    batch = made.batch
    kept = {name: getattr(batch, name).copy() for name in CHANGED}
    load("settle").settle(*batch)
    if batch.code.any():
        raise RuntimeError(f"expected claims that settle, got {int((batch.code != 0).sum())} refused")
    for name, values in kept.items():
        getattr(batch, name)[:] = values
    how = batch.how.copy()
    how[:, HOW.index("assist_class")] = np.where(batch.kind == REFUND, 0, made.assist)
    n = len(batch.plan)
    rows = np.zeros((n, len(SPILLED)), np.int64)
    rows[:, AT["claim"]] = np.arange(n) * 2 + 1
    rows[:, AT["position"]] = rows[:, AT["claim"]] + 1
    rows[:, AT["row"]] = np.arange(n) + 1
    rows[:, AT["reversed"]] = batch.kind == REFUND
    rows[:, AT["original"]] = np.where(batch.ref >= 0, rows[np.maximum(batch.ref, 0), AT["claim"]], 0)
    rows[:, AT["basis"]] = np.where(
        batch.kind == REFUND, BASIS_REFUND, np.where(batch.kind == COMPUTE, BASIS_KERNEL, BASIS_SOURCE)
    )
    rows[:, AT["period"]] = PERIOD
    rows[:, AT["year"]] = made.book.benefit_years(batch.facts, made.enactment)
    rows[:, AT["balc"]] = batch.balc
    for names, table in (
        (FACTS, batch.facts), (AMOUNTS, batch.booked), (GIVENS, batch.given), (BEFORES, batch.before),
        (DELTAS, batch.delta), (HOWS, how),
    ):  # fmt: skip
        rows[:, span(names)] = table
    there = ((batch.given != ABSENT).astype(np.int64) << np.arange(len(AMOUNTS))).sum(axis=1)
    rows[:, AT["present"]] = np.where(there > 0, there, -1)
    rows[:, AT["filed"]] = made.filed
    rows[:, AT["policy"]] = np.maximum(made.enactment, 0)
    return rows


def write_segment(folder: Path, made: Workload) -> bytes:
    """Writes a workload as a sealed segment and returns its digest."""
    rows = settled(made)
    folder.mkdir()
    writer = SegmentWriter(
        folder, PERIOD, [bytes(each) for each in made.book.digests], rows.min(axis=0), rows.max(axis=0)
    )
    ids = texts_from_list([f"{claim:019d}" for claim in rows[:, AT["claim"]].tolist()])
    institutions = texts_from_list([f"H{region:06d}00001" for region in rows[:, AT["treatment_region"]].tolist()])
    none = texts_from_list([""] * len(rows))
    named = {"setl_id": ids, "fixmedins_code": institutions}
    writer.add((rows, [named.get(name, none) for name in ACT_TEXTS]))
    return writer.finish()


def claims_segment(folder: Path, claims: int) -> tuple[Path, PolicyBook, Workload]:
    """Returns a segment of so many claims, the policies they stand under, and the workload it was written from."""
    made = workload(folder, claims)
    path = folder / f"segment-{claims}"
    write_segment(path, made)
    return path, made.book, made


def repeat(source: Path, target: Path, times: int) -> None:
    """Writes a segment of the same claims, ``times`` times over, each time of other persons."""
    target.mkdir()
    for name in ("cases.arrow", "lines.arrow"):
        (target / name).write_bytes((source / name).read_bytes())
    persons = _largest(source / "acts.arrow", "token") + 1
    positions = _largest(source / "acts.arrow", "position") + 1
    years = sum(
        pa.ipc.open_file(pa.memory_map(str(source / "years.arrow"))).get_batch(at).num_rows
        for at in range(pa.ipc.open_file(pa.memory_map(str(source / "years.arrow"))).num_record_batches)
    )
    moved = {"token": persons, "claim": positions, "position": positions, "original": positions}
    moved |= {"slot": years, "holder": years}
    for name in ("acts.arrow", "years.arrow"):
        reader = pa.ipc.open_file(pa.memory_map(str(source / name)))
        schema = pa.schema(
            [field.with_type(pa.int64()) if field.name in moved else field for field in reader.schema],
            reader.schema.metadata,
        )
        with pa.OSFile(str(target / name), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for time in range(times):
                for at in range(reader.num_record_batches):
                    batch = reader.get_batch(at)
                    columns = [
                        _moved(batch.column(field.name), moved[field.name] * time, field.name)
                        if field.name in moved
                        else batch.column(field.name)
                        for field in schema
                    ]
                    writer.write_batch(pa.record_batch(columns, schema=schema))


def _moved(column: Any, by: int, name: str) -> Any:
    values = np.asarray(column.to_numpy(zero_copy_only=True), np.int64)
    return pa.array(np.where(values > 0, values + by, 0) if name == "original" else values + by)


def _largest(path: Path, column: str) -> int:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return max(
        int(reader.get_batch(at).column(column).to_numpy(zero_copy_only=True).max())
        for at in range(reader.num_record_batches)
    )
