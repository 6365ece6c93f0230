"""Holds persons against their seals, and the head of the log against the log: neither follows from events alone.

Every token ever given has a seal. Whoever has it is who the seal was made of, or an `erase` command in the log says
why nobody has it. A checkpoint that somebody kept states the digest of the seals, so that identities exchanged
together with their seals are found as a rewritten log is.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from core_ext.text import Texts, texts_from_list, to_list
from ledger.refusals import StoreError
from ledger.store.person_blocks import Block, each_block, whole
from ledger.store.seals import SALT, SEAL, cut, digests_of, read_seals, sealed, seals_of
from ledger.store.text_runs import NUMBER_RUNS, each_run
from projections.findings import Findings
from projections.row_marks import Marker, Marks

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.store.link import Ints, Row
    from projections.checkpoint import Checkpoint

#: Persons read at a time.
PAGE = 8_192

SELECT_PERSONS = "SELECT token, psn_no, psn_name, salt FROM person WHERE token > ? ORDER BY token LIMIT {page}"
SELECT_NUMBERS = "SELECT psn_no, token FROM person_number WHERE psn_no {compare} ? ORDER BY psn_no LIMIT {page}"


def check_persons(reader: "Reader", erased: frozenset[int], found: Findings) -> int:
    """Names every token without a seal, every seal too many, and every person who is not who the seal says.

    ``erased`` are the tokens that commands of the log erased. A role that may not read persons sees the seals alone.
    Returns how many tokens have a seal, as far as seals are whole.
    """
    persons = _persons(reader, found) if reader.may_read("person") else None
    person = next(persons, None) if persons is not None else None
    expected = 1
    for first, seals in read_seals(reader):
        if first != expected or not seals or len(seals) % SEAL:
            found.other(
                "edited-row",
                f"person_seal first={first}",
                f"whole seals from token {expected} on",
                f"{len(seals)} bytes",
            )
            return expected - 1
        for token, seal in enumerate(cut(seals, SEAL), first):
            if persons is None:
                continue
            while person is not None and person[0] < token:
                _nobody(person[0], found)
                person = next(persons, None)
            if person is not None and person[0] == token:
                if token in erased:
                    found.other("erased-person", f"person token={token}", "no row: the log says it was erased", "a row")
                elif person[1] != seal:
                    found.other("edited-row", f"person token={token}", f"who seal {seal.hex()} was made of", "another")
                person = next(persons, None)
            elif token not in erased:
                found.other("missing-person", f"person token={token}", "a row, or a command that erased it", "neither")
        expected = first + len(seals) // SEAL
    while persons is not None and person is not None:
        _nobody(person[0], found)
        person = next(persons, None)
    if reader.tokens_given != expected - 1:
        found.other("log-head", "log_head.tokens", f"{expected - 1}, the tokens sealed", str(reader.tokens_given))
    return expected - 1


def _nobody(token: int, found: Findings) -> None:
    found.other("edited-row", f"person token={token}", "no row: no such token was given", "a row")


def _persons(reader: "Reader", found: Findings) -> Iterator[tuple[int, bytes]]:
    """Yields (token, seal as it must be) of every person, by token; a row that cannot be sealed has an empty one."""
    return merge(_of_rows(reader), _of_blocks(reader, found), key=itemgetter(0))


def _of_rows(reader: "Reader") -> Iterator[tuple[int, bytes]]:
    after = -(2**63)
    while rows := reader.query(SELECT_PERSONS.format(page=PAGE), (after,)):
        after = rows[-1][0]
        yield from zip([row[0] for row in rows], _sealed(rows), strict=True)


def _of_blocks(reader: "Reader", found: Findings) -> Iterator[tuple[int, bytes]]:
    for row in each_block(reader):
        read = _whole(row)
        if read is None:
            found.other("edited-row", f"person_block first={row[0]}", "whole columns of persons", "others")
            continue
        block, seals = read
        yield from ((token, seals[token - block.first]) for token in block.tokens().tolist())


def _whole(row: "Row") -> tuple[Block, list[bytes]] | None:
    """Returns a block out of its row, and its seals as they must be; None where it cannot be read or sealed."""
    try:
        block = whole(row)
        return block, cut(sealed(block.first, block.numbers, block.names, block.salts), SEAL)
    except (StoreError, UnicodeDecodeError):
        return None


def _sealed(rows: "Sequence[Row]") -> list[bytes]:
    if all(len(row[3]) == SALT and row[0] > 0 for row in rows):
        try:
            return cut(seals_of(*(list(column) for column in zip(*rows, strict=True))), SEAL)
        except StoreError:
            pass
    return [_sealed([row])[0] for row in rows] if len(rows) > 1 else [b""]


def check_numbers(reader: "Reader", taken: int, found: Findings) -> None:
    """Names every token in a block that its number does not lead to, and every one that another number leads to.

    Tokens 1 to ``taken`` have seals; what the head says of them may be anything. A role that may not read persons sees
    none of it.
    """
    if not reader.may_read("person"):
        return
    marker = Marker()
    stand, lead = (np.zeros(taken + 1, np.uint64) for _ in range(2))
    for row in each_block(reader):
        read = _whole(row)
        if read is None or read[0].first < 1 or read[0].first + len(read[0]) - 1 > taken:
            continue
        block = read[0]
        here = slice(block.first, block.first + len(block))
        there = np.diff(block.numbers.offsets) > 0
        stand[here] = np.where(there, _marked(marker, block.numbers), np.uint64(0))
        for at, token in reader.lookup("person", "psn_no", "token", to_list(block.numbers)) if there.any() else ():
            twice = f"person token={token}", "a number of its own", f"that of token {block.first + at}"
            found.other("edited-row", *twice)
    for texts, tokens in _numbers(reader):
        given = (tokens > 0) & (tokens <= taken)
        for token in tokens[~given].tolist():
            found.other("edited-row", f"person_number token={token}", "no number: no such token was given", "a number")
        # Two numbers of one token come to another sum than either.
        np.add.at(lead, tokens[given], _marked(marker, texts)[given])
    for alike in _alike(stand):
        numbers = reader.persons(alike)
        if len({number for number, _ in numbers.values()}) < len(numbers):
            named = " and ".join(map(str, alike))
            found.other("edited-row", f"person_block token={alike[-1]}", "a number of its own", f"one of {named}")
    for token in np.flatnonzero(stand != lead).tolist():
        got = "none" if not lead[token] else "another, or several"
        expected = "the number in its block" if stand[token] else "no number: nobody in a block has the token"
        found.other("edited-row", f"person_number token={token}", expected, got)


def _alike(marks: Marks) -> Iterator[list[int]]:
    """Yields the rows of each mark that several have, zero aside."""
    order = np.argsort(marks, kind="stable")
    same = np.flatnonzero((marks[order[1:]] == marks[order[:-1]]) & (marks[order[1:]] != 0))
    for at in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else ():
        yield order[at[0] : at[-1] + 2].tolist()


def _marked(marker: Marker, texts: Texts) -> Marks:
    return marker.of_texts(texts) | np.uint64(1)


def _numbers(reader: "Reader") -> "Iterator[tuple[Texts, Ints]]":
    """Yields the numbers that lead to tokens, and the tokens, of the table and of the runs."""
    after, compare = "", ">="
    while rows := reader.query(SELECT_NUMBERS.format(compare=compare, page=PAGE), (after,)):
        numbers, tokens = zip(*rows, strict=True)
        yield texts_from_list(numbers), np.array(tokens, np.int64)
        after, compare = numbers[-1], ">"
    for run in each_run(reader, NUMBER_RUNS):
        yield run.texts, run.values


def check_recorded_at(reader: "Reader", last: int, found: Findings) -> None:
    """Names a head whose recorded time is not that of the log's last event that has one."""
    if reader.recorded_at != last:
        found.other("log-head", "log_head.recorded_at", f"{last}, that of the last event", str(reader.recorded_at))


def check_kept(reader: "Reader", checkpoints: "Sequence[Checkpoint]", found: Findings) -> None:
    """Names every checkpoint whose persons are not those of the store: their first so many seals."""
    stated = {kept.persons[0] for kept in checkpoints if kept.persons is not None}
    digests = digests_of(reader, sorted(stated)) if stated else {}
    for kept in checkpoints:
        if kept.persons is None:
            continue
        count, digest = kept.persons
        got = digests.get(count)
        if got != digest:
            where = f"checkpoint of size {kept.size}"
            text = f"{reader.tokens_given} persons" if got is None else f"digest {got.hex()}"
            found.other("rewritten-persons", where, f"digest {digest.hex()} of {count} persons", text)
