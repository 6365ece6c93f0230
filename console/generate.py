"""Generates a platform-shaped month of claims, and the members who have them, as CSV in the national field names.

Everything follows from one seed: the same seed and sizes give the same bytes. Money is drawn and split as integer
fen (DOMAIN sections 3, 5 and 11 have the shape and the identities); a file is written in chunks of bounded memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from console.claim_file import HEADER, MEMBERS_HEADER, claims_csv, members_csv
from console.places import regions

Column: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = dict[str, Column]

SEED = 20240301
CHUNK = 65_536
#: The most rows whose four-digit serials stay apart within one second of the busiest hour.
MOST_CLAIMS = 200_000_000

#: What is planted besides sound claims, in this order at even distances through the file.
PLANTED = (
    "bad_date",
    "amount_text",
    "identity_I1",
    "missing_psn_no",
    "unknown_insutype",
    "duplicate",
    "setl_id_conflict",
)

_KINDS = np.array([21, 11, 14, 41])  # med_type: inpatient, outpatient, chronic, pharmacy
_SHARES = np.array([5, 69, 73, 100])  # their cumulative shares in percent (5, 64, 4, 27)
_MEAN_FEN = np.array([1_500_000, 30_000, 120_000, 18_000])
_DEDUCTIBLE_FEN = np.array([[30_000, 50_000, 90_000], [0, 5_000, 10_000], [0, 10_000, 20_000], [0, 0, 0]])
_HOURS = np.array([1, 1, 1, 1, 1, 1, 3, 8, 14, 16, 16, 12, 8, 9, 14, 14, 12, 9, 6, 5, 4, 3, 2, 1])
_FACTS_OF_A_CLAIM = (
    "mdtrt", "person", "region", "insu_admdvs", "insutype", "psn_type", "mdtrtarea_admvs", "institution",
    "hosp_lv", "med_type", "begin", "end",
)  # fmt: skip
_AMOUNTS_OF_A_CLAIM = (
    "medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt", "hosp_part_amt",
)  # fmt: skip


@dataclass(slots=True)
class Summary:
    """Counts what a generated file holds; ``planted`` has the rows (from 1) of each planted fault."""

    path: str
    seed: int
    period: str
    persons: int
    rows: int = 0
    claims: int = 0
    refunds: int = 0
    late: int = 0
    off_site: int = 0
    same_province: int = 0
    source_settled: int = 0
    med_types: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_KINDS.tolist(), 0))
    planted: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in PLANTED})

    def count(self, chunk: Columns) -> None:
        """Adds a chunk; planted rows are counted in ``planted`` alone."""
        planted, refund = chunk["planted"] >= 0, chunk["refund"] > 0
        sound = ~planted
        apart = sound & (chunk["region"] != chunk["treatment"])
        self.rows += len(planted)
        self.refunds += int(np.sum(refund & sound))
        self.claims += int(np.sum(~refund & sound))
        self.late += int(np.sum((chunk["late"] > 0) & sound))
        self.off_site += int(np.sum(apart))
        self.same_province += int(
            np.sum(apart & (chunk["insu_admdvs"] // 10_000 == chunk["mdtrtarea_admvs"] // 10_000))
        )
        self.source_settled += int(np.sum((chunk["settled"] > 0) & sound))
        for kind in self.med_types:
            self.med_types[kind] += int(np.sum((chunk["med_type"] == kind) & sound))
        for at in np.flatnonzero(planted).tolist():
            self.planted[PLANTED[int(chunk["planted"][at])]].append(int(chunk["number"][at]))


@dataclass(frozen=True, slots=True)
class _Shape:
    """Is what every chunk needs to know of the whole file."""

    seed: int
    claims: int
    persons: int
    late: int
    month: np.datetime64
    planted: dict[int, int]  # row from 0 → position in PLANTED
    off_site: int
    source_settled: int
    refunds: int
    numbered_from: int


def generate(
    path: str | Path,
    claims: int = 100_000,
    seed: int = SEED,
    period: str = "2024-03",
    *,
    persons: int = 0,
    faults: int = 2,
    off_site_percent: int = 30,
    source_percent: int = 15,
    refund_percent: int = 1,
    numbered_from: int = 1,
) -> Summary:
    """Writes ``claims`` rows of one month, sorted by ``setl_time``, and returns what they hold.

    A third as many persons as claims unless ``persons`` is given; the first 0.5 % of rows are late (``setl_time`` in
    the month before); each kind of PLANTED stands ``faults`` times at rows the summary names. Refunds negate the
    facts of an earlier row of the file and leave the amounts blank. Keys are made of a row's number: two files of one
    store are numbered apart by ``numbered_from``. Raises ValueError for sizes that cannot be.
    """
    if not 100 <= claims <= MOST_CLAIMS or claims < 20 * len(PLANTED) * faults or faults < 0:
        raise ValueError(
            f"claims: expected 100 to {MOST_CLAIMS:,}, and at least {20 * len(PLANTED) * faults:,} for {faults} faults"
            f" of each kind, got {claims:,}"
        )
    places = len(PLANTED) * faults
    planted = {(k + 1) * claims // (places + 1): k % len(PLANTED) for k in range(places)}
    shape = _Shape(
        seed=seed,
        claims=claims,
        persons=persons or max(claims // 3, 1),
        late=claims // 200,
        month=np.datetime64(period, "M"),
        # A duplicate needs the row before it in its own chunk.
        planted={row + (row % CHUNK == 0): kind for row, kind in planted.items()},
        off_site=off_site_percent,
        source_settled=source_percent,
        refunds=refund_percent,
        numbered_from=numbered_from,
    )
    summary = Summary(str(path), seed, period, shape.persons)
    with Path(path).open("wb") as out:
        out.write(HEADER)
        for chunk in _chunks(shape):
            summary.count(chunk)
            claims_csv(chunk, shape.month, out)
    return summary


def generate_members(path: str | Path, persons: int, seed: int = SEED) -> int:
    """Writes the members whom ``generate`` with the same seed draws from; returns the sum of balances in fen."""
    total = 0
    with Path(path).open("wb") as out:
        out.write(MEMBERS_HEADER)
        for start in range(0, persons, CHUNK):
            members = _members(seed, np.arange(start, min(start + CHUNK, persons)))
            total += int(members["balance_fen"].sum())
            members_csv(members, out)
    return total


def _mixed(seed: int, numbers: Column) -> NDArray[np.uint64]:
    """Returns 64 well-mixed bits a number (splitmix64): what a person is depends on seed and number alone."""
    state = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**63)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))


def _bits(mixed: NDArray[np.uint64], shift: int, below: int) -> Column:
    return ((mixed >> np.uint64(shift) & np.uint64(0xFFFF)) % np.uint64(below)).astype(np.int64)


def _members(seed: int, numbers: Column) -> Columns:
    codes = np.array([place.code for place in regions()])
    mixed, more = _mixed(seed, numbers), _mixed(seed + 1, numbers)
    at = _bits(mixed, 0, len(codes))
    employee = _bits(mixed, 16, 100) < 45
    age = _bits(mixed, 32, 100)
    resident_type = np.where(age < 20, 14, np.where(age < 75, 15, 16))
    poor = _bits(more, 0, 100) < np.where(employee, 1, 8)
    return {
        "person": numbers,
        "at": at,
        "region": codes[at],
        "insu_admdvs": _county(codes[at], _bits(mixed, 48, 7)),
        "insutype": np.where(employee, 310, 390),
        "psn_type": np.where(employee, np.where(age < 70, 11, 12), resident_type),
        "assist_class": np.where(poor, 1 + _bits(more, 16, 4), 0),
        "balance_fen": np.where(employee, _bits(more, 32, 60_000) * 8 + _bits(more, 48, 8), 0),
    }


def _county(region: Column, county: Column) -> Column:
    """Returns a county's code below its pooling area; 99 is the area's own seat, municipalities count 01 in between."""
    city = region + np.where(region % 10_000 == 0, 100, 0)
    return city + np.where(county == 0, 99, county)


def _treated_at(shape: _Shape, members: Columns, random: np.random.Generator) -> Column:
    """Returns the position of the region of treatment: mostly at home, else in the province or across provinces."""
    provinces = np.array([place.province for place in regions()])
    first = np.searchsorted(provinces, provinces)
    size = np.searchsorted(provinces, provinces, side="right") - first
    at, n, every = members["at"], len(members["at"]), len(provinces)
    draw, pick = random.integers(0, 1000, n), random.integers(0, 2**31, n)
    inside = (draw < shape.off_site * 4) & (size[at] > 1)
    apart = draw < shape.off_site * 10
    neighbour = first[at] + (at - first[at] + 1 + pick % np.maximum(size[at] - 1, 1)) % size[at]
    across = (first[at] + size[at] + pick % (every - size[at])) % every
    return np.where(inside, neighbour, np.where(apart, across, at))


def _second_of_day() -> Column:
    """Returns a rising table from the 86,400th parts of a day's claims to seconds: the days are busier than nights."""
    parts = 86_400 * _HOURS // _HOURS.sum()
    parts[-1] += 86_400 - parts.sum()
    return np.concatenate([hour * 3600 + np.arange(part) * 3600 // part for hour, part in enumerate(parts.tolist())])


def _times(shape: _Shape, row: Column, random: np.random.Generator) -> tuple[Column, Column, Column]:
    """Returns (late, day, second): days count from the first of the month before; times rise with the row."""
    before = int((shape.month - (shape.month - 1).astype("datetime64[D]")) / np.timedelta64(1, "D"))
    days = int(((shape.month + 1).astype("datetime64[D]") - shape.month.astype("datetime64[D]")).astype(np.int64))
    late = row < shape.late
    span = np.where(late, before, days) * 86_400
    share = np.where(late, max(shape.late, 1), shape.claims - shape.late)
    part = (np.where(late, row, row - shape.late) * span + random.integers(0, 2**40, len(row)) % span) // share
    return late.astype(np.int64), np.where(late, 0, before) + part // 86_400, _second_of_day()[part % 86_400]


def _split(kind: Column, random: np.random.Generator) -> Columns:
    """Returns facts in fen that satisfy I1: many small amounts, few large ones, the kind's mean kept."""
    n = len(kind)
    spread = random.integers(0, 4096, (3, n))
    medfee = 100 + (_MEAN_FEN[kind] * spread[0] * spread[1] * spread[2] >> 33)
    shares = random.integers(0, 20, (3, n))
    fulamt = medfee * np.maximum(shares[0] - 10, 0) // 100
    overlmt = medfee * np.maximum(shares[1] - 16, 0) // 100
    preself = medfee * np.maximum(shares[2] - 6, 0) // 100
    shared = (kind == 0) & (random.integers(0, 50, n) == 0)
    return {
        "medfee_sumamt": medfee,
        "fulamt_ownpay_amt": fulamt,
        "overlmt_selfpay": overlmt,
        "preselfpay_amt": preself,
        "inscp_scp_amt": medfee - fulamt - overlmt - preself,
        "hosp_part_amt": np.where(shared, fulamt // 2, 0),
    }


def _settle(claim: Columns, kind: Column, random: np.random.Generator) -> Columns:
    """Returns what a source might have paid, in fen: I2, I3 and I5 hold exactly, no policy stands behind it."""
    n = len(kind)
    base = claim["inscp_scp_amt"]
    deductible = np.minimum(_DEDUCTIBLE_FEN[kind, claim["hosp_lv"] - 1], base)
    ratio_bp = random.integers(50, 93, n) * 100
    employee = claim["insutype"] == 310
    hifp = (base - deductible) * ratio_bp // 10_000
    left = base - hifp
    large = (kind == 0) & (random.integers(0, 10, n) == 0)
    hifob = np.where(large & employee, left * 60 // 100, 0)
    hifmi = np.where(large & ~employee, left * 50 // 100, 0)
    maf = np.where(claim["assist_class"] > 0, (left - hifob - hifmi) * 70 // 100, 0)
    fund = hifp + hifob + hifmi + maf
    personal = claim["medfee_sumamt"] - fund - claim["hosp_part_amt"]
    account = np.where(employee, personal * random.integers(0, 5, n) // 4, 0)
    return {
        "act_pay_dedc": deductible,
        "hifp_pay": hifp,
        "hifob_pay": hifob,
        "hifmi_pay": hifmi,
        "maf_pay": maf,
        "fund_pay_sumamt": fund,
        "psn_part_amt": personal,
        "acct_pay": account,
        "psn_cash_pay": personal - account,
    }


def _chunk(shape: _Shape, start: int, stop: int, random: np.random.Generator) -> Columns:
    """Returns rows ``start`` up to ``stop`` as sound claims, before refunds and faults are planted."""
    row, n = np.arange(start, stop), stop - start
    members = _members(shape.seed, random.integers(0, shape.persons, n))
    kind = np.searchsorted(_SHARES, random.integers(0, 100, n), side="right")
    late, day, second = _times(shape, row, random)
    place = _treated_at(shape, members, random)
    area = _county(np.array([place.code for place in regions()])[place], random.integers(0, 7, n))
    # Pharmacies are numbered 1 to 10 and level 1; hospitals 11 to 30, level by number.
    number = np.where(kind == 3, 1 + random.integers(0, 10, n), 11 + random.integers(0, 20, n))
    stay = np.where(kind == 0, 1 + random.integers(0, 15, n), 0)
    claim = members | {
        "number": row + 1,  # its place in the file; a duplicate has the row, and so the keys, of another
        "row": row + shape.numbered_from,
        "mdtrt": row + shape.numbered_from,
        "late": late,
        "treatment": np.array([place.code for place in regions()])[place],
        "mdtrtarea_admvs": area,
        "institution": area * 100_000 + number,
        "hosp_lv": np.where(kind == 3, 1, 1 + number % 3),
        "med_type": _KINDS[kind],
        "begin": day - stay,
        "end": day.copy(),  # a refund keeps its claim's days and has its own moment
        "day": day,
        "second": second,
        "refund": np.zeros(n, dtype=np.int64),
        "original": np.zeros(n, dtype=np.int64),
        "original_day": np.zeros(n, dtype=np.int64),
        "settled": (random.integers(0, 100, n) < shape.source_settled).astype(np.int64),
        "planted": np.full(n, -1, dtype=np.int64),
        **_split(kind, random),
    }
    return claim | _settle(claim, kind, random)


def _refund(shape: _Shape, chunk: Columns, window: Columns, random: np.random.Generator) -> None:
    """Turns some rows of a chunk into refunds of earlier sound claims in ``window``, which ends with the chunk."""
    n, known = len(chunk["row"]), len(window["row"])
    wanted = np.flatnonzero((random.integers(0, 100, n) < shape.refunds) & (chunk["planted"] < 0))
    own = known - n + wanted
    original = (own * random.integers(0, 2**30, len(own))) >> 30
    free = (window["planted"] < 0) & (window["refunded"] == 0) & (window["refund"] == 0)
    free[own] = False
    # A row before a duplicate or conflict stays what the planted row repeats.
    repeats = np.flatnonzero(chunk["planted"] >= PLANTED.index("duplicate")) - 1
    usable = free[original] & (original < own) & ~np.isin(wanted, repeats)
    _, first = np.unique(original, return_index=True)
    usable &= np.isin(np.arange(len(own)), first)
    wanted, original = wanted[usable], original[usable]
    window["refunded"][original] = 1
    for name in (*_FACTS_OF_A_CLAIM, "treatment", "assist_class"):
        chunk[name][wanted] = window[name][original]
    for name in _AMOUNTS_OF_A_CLAIM:
        chunk[name][wanted] = -window[name][original]
    chunk["refund"][wanted], chunk["settled"][wanted] = 1, 0
    chunk["original"][wanted], chunk["original_day"][wanted] = window["row"][original], window["day"][original]


def _plant(chunk: Columns) -> None:
    """Makes each planted row what it is called; dates and texts that are no number are left to the writer."""
    for at in np.flatnonzero(chunk["planted"] >= 0).tolist():
        kind = PLANTED[int(chunk["planted"][at])]
        if kind == "identity_I1":
            chunk["inscp_scp_amt"][at] += 1
        elif kind == "unknown_insutype":
            chunk["insutype"][at] = 999
        elif kind in ("duplicate", "setl_id_conflict"):
            for name in chunk.keys() - {"planted", "number"}:
                chunk[name][at] = chunk[name][at - 1]
        if kind == "setl_id_conflict":
            chunk["medfee_sumamt"][at] += 100
            chunk["inscp_scp_amt"][at] += 100
            chunk["settled"][at] = 0


def _chunks(shape: _Shape) -> Iterator[Columns]:
    before: Columns = {}
    for number, start in enumerate(range(0, shape.claims, CHUNK)):
        stop = min(start + CHUNK, shape.claims)
        random = np.random.Generator(np.random.PCG64([shape.seed, number]))
        chunk = _chunk(shape, start, stop, random)
        for row, kind in shape.planted.items():
            if start <= row < stop:
                chunk["planted"][row - start] = kind
        chunk["refunded"] = np.zeros(stop - start, dtype=np.int64)
        window = (
            {name: np.concatenate([before[name], column]) for name, column in chunk.items()}
            if before
            else {name: column.copy() for name, column in chunk.items()}
        )
        _refund(shape, chunk, window, random)
        before = {name: column.copy() for name, column in chunk.items()}
        before["refunded"] = window["refunded"][-(stop - start) :]
        _plant(chunk)
        yield chunk
