"""A proof stands by itself: events, paths and checkpoint in one file, checked without a store, refused once touched."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

import projections
from ledger.events import ClaimFiled, ClaimSettled, PaymentInstructed
from projections.checkpoint import Checkpoint, state
from projections.evidence import Proof, check_proof, read_proof, write_proof
from projections.signing import ProofError, Signer
from tests.projections.books import Book, full_book
from tests.projections.test_checkpoint import signer
from tests.projections.test_verify import place


def proven(url: str, key: str, mine: Signer) -> Proof:
    """Returns a proof as it comes back from its file."""
    with projections.open(url) as read:
        return read_proof(write_proof(read.prove(key, read.checkpoint(mine))))


def saved(url: str) -> Book:
    book = full_book()
    book.save(url)
    return book


def test_claims_payments_and_positions_are_proven_without_a_store(store_url: str, tmp_path: Path) -> None:
    """The proof of each key holds the log's own events, and verifies under the pinned key from its file alone."""
    book, mine = saved(store_url), signer(tmp_path)
    position, filed, decision = next(act for act in book.acts if isinstance(act[2], ClaimSettled))
    payment = book.log[place(book, PaymentInstructed) - 1][0]
    for key, expected in (
        (f"{filed.insured_region:06d}/{filed.setl_id}", [filed, decision]),
        (payment, [event for stream, _, event in book.log if stream == payment]),
        (str(position + 1), [decision]),
        ("1", [book.log[0][2]]),
    ):
        proof = proven(store_url, key, mine)
        assert [event.event for event in proof.events][: len(expected)] == expected
        assert [book.log[event.index] for event in proof.events] == [
            (event.stream, event.version, event.event) for event in proof.events
        ]
        assert check_proof(proof, pinned=mine.public) == []


def test_what_cannot_be_proven_is_refused(store_url: str, tmp_path: Path) -> None:
    """No key of the log, a key of too many things, a checkpoint of another log or one too old: no proof is written."""
    book, mine = saved(store_url), signer(tmp_path)
    with projections.open(store_url) as read:
        now = read.checkpoint(mine)
        with pytest.raises(ProofError, match="nothing there has it"):
            read.prove("no-such-key", now)
        with pytest.raises(ProofError, match="expected the key of a claim"):
            read.prove("claims.csv", now)
        with pytest.raises(ProofError, match="another root"):
            read.prove("1", state(now.size, b"\5" * 32, 1, mine, None))
        with pytest.raises(ProofError, match="another root"):
            read.prove("1", state(now.size + 1, now.root, 1, mine, None))
        old = Checkpoint("ledger.test/one", 10, read.root(10)[1], 1)
        assert check_proof(read.prove("10", old)) == []
        with pytest.raises(ProofError, match="not yet anchored"):
            read.prove("11", old)
    assert len(book.log) > 11


def test_a_touched_proof_does_not_hold(store_url: str, tmp_path: Path) -> None:
    """Every byte of every part counts: place, stream, version, topic, state, path, size and checkpoint."""
    book, mine = saved(store_url), signer(tmp_path)
    filed = book.log[place(book, ClaimFiled) - 1][2]
    assert isinstance(filed, ClaimFiled)
    proof = proven(store_url, f"{filed.insured_region:06d}/{filed.setl_id}", mine)
    whole = json.loads(write_proof(proof))
    first = whole["events"][0]
    other = b64encode(b"\7" * 32).decode()
    edits: list[tuple[str, object]] = [
        ("index", first["index"] + 1),
        ("index", -1),
        ("index", 2**63),
        ("stream", first["stream"] + "x"),
        ("stream", "s" * 70_000),
        ("version", 2),
        ("version", -1),
        ("topic", "claim-settled/1"),
        ("topic", "claim-filed/9"),
        ("state", b64encode(b"\x93").decode()),
        ("path", first["path"][::-1]),
        ("path", first["path"][1:]),
        ("path", [*first["path"], other]),
        ("path", [other, *first["path"][1:]]),
        ("path", [first["path"][0], *first["path"]]),
        ("path", [*first["path"][:-1], b64encode(b"short").decode()]),
        ("path", []),
    ]
    for name, value in edits:
        touched = {**whole, "events": [{**first, name: value}, *whole["events"][1:]]}
        try:
            assert check_proof(read_proof(json.dumps(touched))) != [], (name, value)
        except ProofError:
            assert value == 2**63
    for touched in (
        {**whole, "size": whole["size"] + 1},
        {**whole, "events": []},
        {**whole, "events": [first, first]},
    ):
        assert check_proof(read_proof(json.dumps(touched))) != []
    # Another size may have the same path: size and root are believed together, by the signature or not at all.
    longer = whole["checkpoint"].replace(f"\n{whole['size']}\n", f"\n{whole['size'] + 1}\n")
    moved = read_proof(json.dumps({**whole, "checkpoint": longer, "size": whole["size"] + 1}))
    assert check_proof(moved, pinned=mine.public) != []
    for text in ("", "{}", "[]", json.dumps({**whole, "format": "settlement-proof/9"}), json.dumps({**whole, "x": 1})):
        with pytest.raises(ProofError):
            read_proof(text)


def test_a_proof_from_a_made_up_log_needs_its_own_key(store_url: str, tmp_path: Path) -> None:
    """A whole proof of another log holds together, but not under the pinned key nor beside a kept checkpoint."""
    saved(store_url)
    mine, theirs = signer(tmp_path), signer(tmp_path, "theirs")
    with projections.open(store_url) as read:
        kept = read.checkpoint(mine)
    forged = proven(store_url, "1", theirs)
    assert check_proof(forged) == []
    assert len(check_proof(forged, pinned=mine.public)) == 1
    elsewhere = state(kept.size, b"\5" * 32, 1, mine, None)
    assert len(check_proof(forged, [elsewhere])) == 1
    announced = state(kept.size - 1, b"\5" * 32, 1, mine, theirs.public)
    assert check_proof(forged, [announced], mine.public) == []
