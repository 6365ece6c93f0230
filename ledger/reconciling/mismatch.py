"""Writes the mismatch file: the rows that do not stand alike, in the shape their file came in, with the result.

``stmt_rslt`` and ``memo`` are the interface's own columns (message 3202); a file that has them gets them filled, any
other gets them behind its own. Rows that the counterpart does not have are written from what stands here.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core_ext.defusing import escaped
from core_ext.layout import ABSENT
from ledger.money import yuan_text
from ledger.quarantine import write_csv
from ledger.reconciling.events import (
    DIFFERS,
    DUPLICATE,
    MISSING_HERE,
    MISSING_THERE,
    OTHER_PERIOD,
    OUTCOMES,
    UNREADABLE,
    BreakFound,
)
from ledger.reconciling.finding import Seen
from ledger.reconciling.sides import NUMBER, TEXTS, Side

if TYPE_CHECKING:
    from ledger.source import Source
    from ledger.store import Reader

RESULT, MEMO = "stmt_rslt", "memo"

#: The interface's result codes (recall): 101 the centre has more, 102 the other side has more, 103 they differ.
CODES = {
    MISSING_HERE: "102",
    MISSING_THERE: "101",
    DIFFERS: "103",
    DUPLICATE: "102",
    OTHER_PERIOD: "102",
    UNREADABLE: "103",
}

_DAYS = ("begndate", "enddate")
_CODES = ("insu_admdvs", "mdtrtarea_admvs", "hosp_lv", "insutype", "psn_type", "med_type")


def write_mismatches(
    path: Path, source: "Source", seen: Sequence[Seen], keyless: Sequence[int], ours: Side, numbers: dict[int, str]
) -> Path:
    """Writes the mismatch file and returns its path; ``keyless`` are rows that no break can name.

    ``numbers`` has the person number of each token among our rows that they do not have.
    """
    extra = [name for name in (RESULT, MEMO) if name not in source.national]
    write_csv(path, [*map(escaped, source.columns), *extra], _rows(source, seen, keyless, ours, numbers))
    return path


def person_numbers(reader: "Reader", seen: Sequence[Seen], ours: Side) -> dict[int, str]:
    """Returns token → person number of our rows that they do not have; nothing where this role may not read persons."""
    tokens = sorted({int(ours.numbers[each.ours, NUMBER["psn_no"]]) for each in seen if not each.rows})
    if not tokens or not reader.may_read("person"):
        return {}
    return {token: number for token, (number, _) in reader.persons(tokens).items()}


def _rows(
    source: "Source", seen: Sequence[Seen], keyless: Sequence[int], ours: Side, numbers: dict[int, str]
) -> Iterator[list[str]]:
    results: dict[int, list[tuple[str, str]]] = {}
    for each in seen:
        for row in each.rows:
            results.setdefault(row, []).append((CODES[each.found.kind], memo(each.found)))
    for row in keyless:
        results.setdefault(row, []).append((CODES[UNREADABLE], OUTCOMES[UNREADABLE]))
    for row, cells in source.each_record(results):
        result, texts = results[row][0][0], "; ".join(text for _, text in results[row])
        padded = [*cells, *[""] * len(source.columns)][: len(source.columns)]
        yield _with_result(source, padded, result, texts)
    for each in seen:
        if not each.rows:
            cells = [_cell(name, ours, each.ours, numbers) for name in source.national]
            yield _with_result(source, cells, CODES[each.found.kind], memo(each.found))


def _with_result(source: "Source", cells: Sequence[str], result: str, text: str) -> list[str]:
    values = {RESULT: result, MEMO: text}
    own = [values.pop(name, cell) for name, cell in zip(source.national, cells, strict=True)]
    return [escaped(cell) for cell in (*own, *values.values())]


def memo(found: BreakFound) -> str:
    """Returns a break in words: what it is, and each field that differs with what stands here."""
    text = OUTCOMES[found.kind]
    if found.kind == OTHER_PERIOD:
        text += f" (booked here in {found.booked_period})"
    if found.kind == DUPLICATE:
        text += f" ({found.copies} beyond the first)"
    parts = [f"{name} {shown(name, ours)} here, {shown(name, theirs)} there" for name, ours, theirs in found.fields]
    parts += [f"{name} {ours} here, {theirs} there" if theirs else name for name, ours, theirs in found.texts]
    return f"{text}: {', '.join(parts)}" if parts else text


def shown(name: str, value: int) -> str:
    """Returns a number as files write it: yuan, a day, a moment or a code; a person's token says no more than that."""
    if value == ABSENT:
        return ""
    if name == "psn_no":
        return "another person" if value else "an unknown person"
    if name == "setl_time":
        text = f"{value:014d}"
        return f"{_day(text)} {text[8:10]}:{text[10:12]}:{text[12:]}"
    if name in _DAYS:
        return _day(f"{value:08d}")
    if name in _CODES:
        return f"{value:06d}" if name.endswith(("admdvs", "admvs")) else str(value)
    return yuan_text(value)


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _cell(name: str, ours: Side, row: int, numbers: dict[int, str]) -> str:
    if name == "setl_id":
        return ours.key(row)
    if name == "psn_no":
        return numbers.get(int(ours.numbers[row, NUMBER["psn_no"]]), "")
    if name == "refd_setl_flag":
        return str(int(ours.refund[row]))
    if name in TEXTS:
        return ours.text(name, row)
    return shown(name, int(ours.numbers[row, NUMBER[name]])) if name in NUMBER else ""
