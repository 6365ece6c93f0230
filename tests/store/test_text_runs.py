"""Message ids in runs, on both databases: each is found by itself, whatever number it shares with another."""

from collections.abc import Sequence

import numpy as np
import pytest

from core_ext.kernels import load
from core_ext.text import texts_from_list, to_list
from ledger import known_messages
from ledger.known_messages import KnownMessages
from ledger.store import Store, run_writer, text_runs, tidying
from ledger.store.faults import KeyTaken
from ledger.store.text_runs import MESSAGE_RUNS, fold_texts, joined, merge_texts, text_rows
from ledger.store.tidying import tidy_runs
from tests.store.samples import block_of, many

#: Three pairs of ids, as their keys are formed, of one number each.
ALIKE = (
    ("202401050809589716729633919725", "202401050229382214560495283314"),
    ("202401050520555816054022540877", "202401050424834779383963363640"),
    ("202401050526230137071237784422", "202401050273093403904176132360"),
)
ODD = (
    "x",
    "",
    "20240105",
    "2024010５-八个数字",
    "Ä" * 30,
    "2024-01-05 08:00",
    "0" * 200,
    "20240105080000H260101000019999",
)
HELD = "SELECT (SELECT COUNT(*) FROM message), (SELECT COUNT(*) FROM message_run)"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every batch of two ids a run, and a page two."""
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(text_runs, "PAGE_ROWS", 2)
    monkeypatch.setattr(text_runs, "MERGED_ROWS", 3)


def note(store: Store, known: KnownMessages | None, msgids: Sequence[str]) -> dict[str, int]:
    """Appends an event for each id and notes them, as looked up where no memory is given; returns where they stand."""
    with store.begin() as tx:
        first = tx.append(block_of(many(f"claim-{tx.size}", len(msgids))))
        messages = text_rows(texts_from_list(msgids), np.arange(first, first + len(msgids), dtype=np.int64))
        if known is not None:
            known.check(tx, messages)
            known.remember(messages)
        tx.save_messages(messages)
    return dict(zip(msgids, range(first, first + len(msgids)), strict=True))


def test_runs_of_many_small_jobs_do_not_pile_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of one day each leave runs that never lie over each other: past the most there may be they are merged."""
    monkeypatch.setattr(tidying, "MOST_RUNS", 3)
    written: dict[str, int] = {}
    for day in range(1, 5):
        written |= note(store, KnownMessages(), [f"202401{day:02}08000{at}H260101000019999"[:30] for at in range(2)])
        tidy_runs(store)
        assert held(store) == ((0, day) if day < 4 else (8, 0))
    check(store, written, ["20240109080000H260101000019999"])


def held(store: Store) -> tuple[int, int]:
    """Returns how many ids the table has, and how many runs stand."""
    with store.read() as reader:
        ((rows, runs),) = reader.query(HELD)
    return int(rows), int(runs)


def check(store: Store, written: dict[str, int], absent: Sequence[str]) -> None:
    """Checks that each id is found where it was noted, alone and with all others, and none that was not."""
    with store.read() as reader:
        assert reader.find_messages([*absent, *written, *absent]) == written
        for msgid in (*written, *absent):
            assert reader.find_messages([msgid]) == {key: at for key, at in written.items() if key == msgid}


def test_the_pairs_share_their_numbers() -> None:
    """Two ids of one number are no mere thought: these are some."""
    for pair in ALIKE:
        one, two = load("index").day_keys(texts_from_list(pair)).tolist()
        assert one == two and pair[0] != pair[1]


def test_ids_of_one_number_are_told_apart(store: Store) -> None:
    """Of two ids with one number each has its own claim: in one run, in two, over two folded ones, and in the table."""
    first, second = [pair[0] for pair in ALIKE], [pair[1] for pair in ALIKE]
    written = note(store, None, first)
    check(store, written, second)
    written |= note(store, KnownMessages(), second)
    check(store, written, ["202401050000000000000000000000"])
    assert held(store) == (0, 2)
    fold_texts(store, MESSAGE_RUNS)
    assert held(store) == (0, 3)
    check(store, written, ["202401050000000000000000000000"])
    merge_texts(store, MESSAGE_RUNS)
    assert held(store) == (6, 0)
    check(store, written, [])


def test_ids_of_one_number_in_one_run_and_over_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three that begin alike stand in one run, or on both sides of where one folded run ends."""
    monkeypatch.setattr(text_runs, "PAGE_ROWS", 3)
    written = note(store, None, [*ALIKE[0], *ALIKE[1], *ALIKE[2]])
    check(store, written, [])
    fold_texts(store, MESSAGE_RUNS)
    assert held(store) == (0, 2)
    check(store, written, ["x"])


def test_ids_of_any_shape_are_noted(store: Store) -> None:
    """Ids that name no time, are long or not in ASCII are found like any other, in runs and once merged."""
    odd = [msgid for msgid in ODD if msgid]
    written = note(store, KnownMessages(), odd[:4]) | note(store, KnownMessages(), odd[4:])
    assert held(store) == (0, 2)
    check(store, written, ["y", "Ä", "0" * 199])
    fold_texts(store, MESSAGE_RUNS)
    check(store, written, ["y", "Ä", "0" * 199])
    merge_texts(store, MESSAGE_RUNS)
    check(store, written, ["y", "Ä", "0" * 199])


def test_parts_are_joined_as_they_stand() -> None:
    """What a transaction wrote in pieces is one list of ids, each with its own number and claim, empty pieces too."""
    pieces = [ODD[:3], (), ODD[3:6], ("",), ODD[6:]]
    parts = [text_rows(texts_from_list(piece), np.arange(len(piece), dtype=np.int64)) for piece in pieces]
    whole = joined(parts)
    assert sorted(to_list(whole.texts)) == sorted((*ODD, ""))
    assert whole.keys.tolist() == load("index").day_keys(whole.texts).tolist()
    assert whole.listed() == [pair for part in parts for pair in part.listed()]
    for piece, part in zip(pieces, parts, strict=True):
        assert dict(part.listed()) == {msgid: at for at, msgid in enumerate(piece)}


@pytest.mark.parametrize("stands", ["run", "table", "both", "folded", "merged"])
@pytest.mark.parametrize("remembers", [False, True], ids=["new", "remembers"])
@pytest.mark.parametrize("rows", [1, 4])
def test_an_id_that_stands_anywhere_is_taken(store: Store, stands: str, remembers: bool, rows: int) -> None:
    """A batch that was not looked up is refused whole where one of its ids is in a run, in the table or in either."""
    known = KnownMessages()
    fresh = [f"20240105090000H2601010000{i:05d}" for i in range(20)]
    if remembers:
        note(store, known, fresh[:1])
    written = note(store, None, [ODD[0]]) if stands in ("table", "both") else {}
    if stands != "table":
        written |= note(store, known if remembers else None, [fresh[1], ODD[7], ODD[3]])
        written |= note(store, known if remembers else None, [fresh[2], ODD[4]])
    if stands == "folded":
        fold_texts(store, MESSAGE_RUNS)
    if stands == "merged":
        merge_texts(store, MESSAGE_RUNS)
    for taken in written:
        with pytest.raises(KeyTaken, match=r"look them up|refused"):
            note(store, known if remembers else KnownMessages(), [*fresh[10 : 9 + rows], taken])
    with store.read() as reader:
        assert reader.find_messages(list(written)) == written
        assert reader.find_messages(fresh[10:]) == {}
    note(store, known if remembers else KnownMessages(), fresh[10 : 10 + rows])


def test_an_id_that_shares_a_number_with_a_known_one_books(store: Store) -> None:
    """A number in memory is a reason to look, no reason to refuse: another id of that number is noted."""
    known = KnownMessages()
    written = note(store, known, [pair[0] for pair in ALIKE])
    written |= note(store, known, [pair[1] for pair in ALIKE])
    check(store, written, [])
    for taken in written:
        with pytest.raises(KeyTaken):
            note(store, known, [taken, "z"])


@pytest.mark.parametrize("most", [0, 3, 1_000])
def test_what_is_remembered_is_bounded_and_read_again(store: Store, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that starts anew, at every batch or at some, refuses the same ids."""
    monkeypatch.setattr(known_messages, "MOST", most)
    known, written = KnownMessages(), {}
    for batch in range(6):
        written |= note(store, known, [f"20240105090000H26010{batch:05d}{i:05d}" for i in range(1 + batch % 3)])
        if batch == 3:
            fold_texts(store, MESSAGE_RUNS)
        if batch == 4:
            merge_texts(store, MESSAGE_RUNS)
    for taken in written:
        with pytest.raises(KeyTaken):
            note(store, known, ["20240105090000H2601099999999999", taken])
    check(store, written, [])


def test_what_a_job_wrote_itself_is_remembered(store: Store) -> None:
    """Ids that stand in runs alone are refused to whoever read the runs before these were written, and to nobody else.

    No row of the table is near them, so nothing but the memory of their numbers has them looked for.
    """
    known, written = KnownMessages(), {}
    for batch in range(4):
        written |= note(store, known, [f"20240105090000H26010{batch:05d}{i:05d}" for i in range(3)])
        assert held(store) == (0, batch + 1)
    for taken in written:
        with pytest.raises(KeyTaken, match="look them up"):
            note(store, known, ["20240105090000H2601099999999999", taken])
    note(store, known, ["20240105090000H2601099999999999", "20240105090000H2601099999999998"])
    assert held(store) == (0, 5)
