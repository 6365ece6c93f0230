"""Marks of rows lead to exactly the rows that differ, however a table is cut into pages."""

from collections.abc import Iterator, Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core_ext.codec_fields import Int64s
from core_ext.text import texts_from_list
from ledger.keys import message_key
from projections.row_marks import Marker, Marks
from projections.state_sums import Latest, marked_messages

Cells = tuple[int, int]

KEYS = st.integers(1, 40)
VALUES = st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 3))
ROWS = st.lists(st.tuples(KEYS, VALUES), max_size=60)


def columns(rows: list[tuple[int, Cells]]) -> tuple[Int64s, Int64s]:
    """Returns keys and values as columns."""
    return np.array([key for key, _ in rows], np.int64), np.array([v for _, v in rows], np.int64).reshape(-1, 2)


def unlike(one: Mapping[int, object], other: Mapping[int, object]) -> set[int]:
    """Returns the keys of which two tables have other rows."""
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


@given(ROWS, st.integers(1, 61), st.dictionaries(KEYS, st.tuples(st.integers(0, 2), VALUES), max_size=3), st.data())
def test_what_stands_last_is_compared_by_key(
    rows: list[tuple[int, Cells]], page: int, edited: dict[int, tuple[int, Cells]], data: st.DataObject
) -> None:
    """The keys named are those whose count or last values a table has otherwise, has too many of, or has not."""
    marker, latest = Marker(), Latest()
    expected: dict[int, tuple[int, Cells]] = {}
    for start in range(0, len(rows), page):
        keys, values = columns(rows[start : start + page])
        latest.add(keys, marker.of_cells(values), np.arange(start, start + len(keys)))
    for key, values in rows:
        expected[key] = (expected.get(key, (0,))[0] + 1, values)
    held = {**expected, **edited}
    for key in data.draw(st.sets(st.sampled_from(sorted(held)), max_size=2)) if held else ():
        del held[key]
    listed = list(held.items())

    def tables() -> Iterator[tuple[Int64s, Int64s, Marks]]:
        for start in range(0, len(listed), 7):
            part = listed[start : start + 7]
            keys, values = columns([(key, each) for key, (_, each) in part])
            yield keys, np.array([count for _, (count, _) in part], np.int64), marker.of_cells(values)

    assert latest.unlike(tables(), True) == unlike(expected, held)
    moved, kept = ({key: cells for key, (_, cells) in table.items() if any(cells)} for table in (expected, held))
    assert latest.unlike(tables(), False) == unlike(moved, kept)


@given(ROWS, st.dictionaries(KEYS, VALUES))
def test_what_a_key_began_with_counts_and_stands_alone(rows: list[tuple[int, Cells]], begun: dict[int, Cells]) -> None:
    """What is told of the beginning behind the last row is as if it had been told before the first."""
    marker, before, behind = Marker(), Latest(), Latest()
    first, last = columns(list(begun.items())), columns(rows)
    before.add(first[0], marker.of_cells(first[1]), np.zeros(len(begun), np.int64))
    for latest in (before, behind):
        latest.add(last[0], marker.of_cells(last[1]), np.arange(1, len(rows) + 1))
    behind.begin(first[0], marker.of_cells(first[1]))
    n = len(before.keys)
    assert behind.unlike(iter([(before.keys.held, before.counts[:n], before.marks[:n])]), True) == set()


@given(st.lists(st.one_of(st.text("0123456789HX", min_size=30, max_size=30), st.text(max_size=40)), max_size=9))
def test_a_message_id_and_its_key_have_one_mark(msgids: list[str]) -> None:
    """Ids as they came and as the store keys them are marked alike, and two ids never are."""
    marker = Marker()
    turned = marked_messages(marker, texts_from_list(msgids))
    assert turned.tolist() == marker.of_texts(texts_from_list([message_key(each) for each in msgids])).tolist()
    assert len(set(turned.tolist())) == len(set(msgids))
