"""A person is sealed: number and name are bound to the token for ever, and once the row is gone nobody can try them."""

import hashlib
import itertools
import shutil
import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import projections
from ledger.store import connect, create, upgrade
from ledger.store.seals import SALT, SEAL, cut, digests_of, read_seals, seals_of
from tests.golden.make_store import HERE

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def framed(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


@given(st.lists(st.tuples(st.integers(1, 2**40), TEXT, TEXT, st.binary(min_size=SALT, max_size=SALT)), max_size=5))
def test_a_seal_is_a_hash_of_who_it_is_and_a_salt(persons: list[tuple[int, str, str, bytes]]) -> None:
    """SHA-256 of a zero byte, token, version 0, number, the word person, salt and name, as leaves are framed."""
    expected = [
        hashlib.sha256(
            b"\0" + token.to_bytes(8, "big") + bytes(8) + framed(number) + framed("person") + salt + name.encode()
        ).digest()
        for token, number, name, salt in persons
    ]
    tokens, numbers = [token for token, *_ in persons], [number for _, number, *_ in persons]
    names, salts = [name for *_, name, _ in persons], [salt for *_, salt in persons]
    assert cut(seals_of(tokens, numbers, names, salts), SEAL) == expected


def test_every_token_has_a_seal_and_a_salt_of_its_own(store_url: str) -> None:
    """Batches of persons leave one row of seals each; the same person in another store has another seal."""
    salts = itertools.count(1)
    with create(store_url) as store:
        store.random = lambda size: bytes(next(salts) % 256 for _ in range(size))
        for batch in ([("a", "甲"), ("b", "乙")], [("b", "乙"), ("c", "丙")], [("a", "甲")]):
            with store.begin() as tx:
                tx.add_persons(batch)
        with store.read() as reader:
            rows = reader.query("SELECT token, psn_no, psn_name, salt FROM person ORDER BY token")
            seals = list(read_seals(reader))
            every = b"".join(run for _, run in seals)
            assert [first for first, _ in seals] == [1, 3]
            assert every == seals_of(*(list(column) for column in zip(*rows, strict=True)))
            assert len({salt for *_, salt in rows}) == 3 == len({*cut(every, SEAL)})
            digests = digests_of(reader, [0, 1, 2, 3, 4])
            assert digests == {n: hashlib.sha256(every[: n * SEAL]).digest() for n in range(4)}


def test_a_store_without_seals_gets_them_on_its_way_up(tmp_path: Path) -> None:
    """Every person of an older store is sealed; a token nobody has gets a seal of nobody, and is named if no command
    says why."""
    path = tmp_path / "ledger.db"
    shutil.copy(HERE / "store-3.db", path)
    url = f"sqlite:///{path}"
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM person WHERE token = 1")
    upgrade(url)
    with connect(url) as store, store.read() as reader:
        given_ = reader.tokens_given
        assert sum(len(seals) for _, seals in read_seals(reader)) == given_ * SEAL
        assert all(len(salt) == SALT for (salt,) in reader.query("SELECT salt FROM person"))
    with projections.open(url) as read:
        assert [(each.kind, each.where) for each in read.verify()] == [("missing-person", "person token=1")]


def test_persons_who_go_in_together_stand_as_those_who_go_one_by_one(store_url: str, tmp_path: Path) -> None:
    """Numbers, names, salts and seals are the same, be a name without a letter, of many bytes or with a line's end."""
    names = ["甲", "", "O'Brien\n", "乙" * 300, 'a"b\\c', "x" * 66_000]
    # Somebody whose name is that long is not put together with others.
    persons = [(f"身份-{i:04d}", names[i % (5 if i < 200 else 6)]) for i in range(400)]
    salts = cut(bytes(range(256)) * 25, SALT)
    found = []
    for url, each in ((store_url, 200), (f"sqlite:///{tmp_path / 'one.db'}", 1)):
        drawn = iter(salts)
        with create(url) as store:
            store.random = lambda size, drawn=drawn: b"".join(itertools.islice(drawn, size // SALT))
            with store.begin() as tx:
                for first in range(0, len(persons), each):
                    tx.add_persons(persons[first : first + each])
            with store.read() as reader:
                rows = reader.query("SELECT token, psn_no, psn_name, salt FROM person ORDER BY token")
                found.append((rows, b"".join(seals for _, seals in read_seals(reader))))
    assert found[0] == found[1]
    assert [(token, number, name) for token, number, name, _ in found[0][0]] == [
        (token, *person) for token, person in enumerate(persons, 1)
    ]
