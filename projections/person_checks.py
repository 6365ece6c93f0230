"""Holds persons against their seals, and the head of the log against the log: neither follows from events alone.

Every token ever given has a seal. Whoever has it is who the seal was made of, or an `erase` command in the log says
why nobody has it. A checkpoint that somebody kept states the digest of the seals, so that identities exchanged
together with their seals are found as a rewritten log is.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ledger.refusals import StoreError
from ledger.store.seals import SALT, SEAL, cut, digests_of, read_seals, seals_of
from projections.findings import Findings

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.store.link import Row
    from projections.checkpoint import Checkpoint

#: Persons read at a time.
PAGE = 8_192

SELECT_PERSONS = "SELECT token, psn_no, psn_name, salt FROM person WHERE token > ? ORDER BY token LIMIT {page}"


def check_persons(reader: "Reader", erased: frozenset[int], found: Findings) -> None:
    """Names every token without a seal, every seal too many, and every person who is not who the seal says.

    ``erased`` are the tokens that commands of the log erased. A role that may not read persons sees the seals alone.
    """
    persons = _persons(reader) if reader.may_read("person") else None
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
            return
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


def _nobody(token: int, found: Findings) -> None:
    found.other("edited-row", f"person token={token}", "no row: no such token was given", "a row")


def _persons(reader: "Reader") -> Iterator[tuple[int, bytes]]:
    """Yields (token, seal as it must be) of every person, by token; a row that cannot be sealed has an empty one."""
    after = -(2**63)
    while rows := reader.query(SELECT_PERSONS.format(page=PAGE), (after,)):
        after = rows[-1][0]
        yield from zip([row[0] for row in rows], _sealed(rows), strict=True)


def _sealed(rows: "Sequence[Row]") -> list[bytes]:
    if all(len(row[3]) == SALT and row[0] > 0 for row in rows):
        try:
            return cut(seals_of(*(list(column) for column in zip(*rows, strict=True))), SEAL)
        except StoreError:
            pass
    return [_sealed([row])[0] for row in rows] if len(rows) > 1 else [b""]


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
