"""Reads the columns of a claim file that only some policies ask for: age or day of birth, and the chronic disease.

They are no facts of a settlement and are not filed with it: what a decision took from them stands in its ``how``, or
in an event of its own. A file without such a column pays nothing for them. A person whose claim states no age has the
one the register knows (``person-described/1``).
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core_ext.cells import WHOLE, Cells
from core_ext.text import Texts, text_at, texts_from_list
from ledger.keys import described_stream
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.supervision.events import PersonDescribed

if TYPE_CHECKING:
    from ledger.source import ClaimColumns
    from ledger.store import Reader

Ints = NDArray[np.int64]

BIRTH, AGE, DISEASE = "brdy", "age", "dise_codg"
SIDE_COLUMNS = (BIRTH, AGE, DISEASE)

_DAY = re.compile(rb"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_AGE = re.compile(rb"[0-9]{1,3}")
_DISEASE = re.compile(rb"[0-9A-Za-z.]{1,30}")
_FORMS = {BIRTH: (_DAY, Refusal.BAD_DATE), AGE: (_AGE, Refusal.BAD_CODE), DISEASE: (_DISEASE, Refusal.BAD_CODE)}
_OLDEST = 150


def side_places(national: Sequence[str]) -> dict[str, int]:
    """Returns where a file has side columns, by national name."""
    return {name: list(national).index(name) for name in SIDE_COLUMNS if name in national}


def read_side(
    places: dict[str, int], data: NDArray[np.uint8], cells: Cells, rows: int, faults: Ints, field: Ints
) -> dict[str, Texts]:
    """Returns the side columns of a batch; a cell that cannot be read is empty there and a fault of its row."""
    if not places:
        return {}
    raw = data.tobytes()
    found = {}
    for name, at in places.items():
        form, refusal = _FORMS[name]
        texts = []
        for row, (start, end) in enumerate(zip(cells.starts[:rows, at], cells.ends[:rows, at], strict=True)):
            text = raw[start:end] if cells.shape[row] == WHOLE else b""
            if text and (form.fullmatch(text) is None or (name == AGE and int(text) > _OLDEST)):
                text = b""
                _fail(faults, field, row, int(refusal), at)
            texts.append(text)
        found[name] = texts_from_list(texts)
    return found


def _fail(faults: Ints, field: Ints, row: int, refusal: int, at: int) -> None:
    """Notes a fault of a cell; an earlier fault of a lower number keeps its own cell to show."""
    if not int(faults[row]) & ((1 << refusal) - 1) and not int(faults[row]) >> refusal & 1:
        field[row] = at
    faults[row] |= 1 << refusal


def births(columns: "ClaimColumns") -> tuple[Ints, Ints]:
    """Returns each claim's (day of birth yyyymmdd, 1 + the age it states), 0 where the file says nothing."""
    born, stated = np.zeros(columns.n, np.int64), np.zeros(columns.n, np.int64)
    for row in range(columns.n) if BIRTH in columns.texts else ():
        born[row] = int(text_at(columns.texts[BIRTH], row).replace("-", "") or 0)
    for row in range(columns.n) if AGE in columns.texts else ():
        text = text_at(columns.texts[AGE], row)
        stated[row] = 1 + int(text) if text else 0
    return born, stated


def known_births(reader: "Reader", columns: "ClaimColumns", tokens: Ints, asked: bool) -> tuple[Ints, Ints]:
    """Returns ``births``, and where a claim states neither what the register knows, if any policy asks for ages."""
    born, stated = births(columns)
    if asked:
        unstated = np.flatnonzero((born == 0) & (stated == 0) & (tokens > 0))
        if len(unstated):
            born[unstated] = registered_births(reader, tokens[unstated])
    return born, stated


def registered_births(reader: "Reader", tokens: Ints) -> Ints:
    """Returns the day of birth (yyyymmdd) the register has last of each person by token, 0 where it has none."""
    persons, of_claim = np.unique(tokens, return_inverse=True)
    born = np.zeros(len(persons), np.int64)
    last = np.zeros(len(persons), np.int64)
    streams = [described_stream(token) for token in persons.tolist()]
    rows = reader.lookup("stored_events", "originator_id", "originator_version, topic, state", streams)
    for at, version, topic, state in rows:
        event = decode_event(str(topic), bytes(state))
        if isinstance(event, PersonDescribed) and version > last[at]:
            last[at], born[at] = version, event.brdy
    return born[of_claim]
