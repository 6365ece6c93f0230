"""A checkpoint that somebody else kept finds a log rewritten and signed anew; a signature holds for nothing else."""

import stat
from pathlib import Path

import pytest

import projections
from projections.checkpoint import UNSIGNED, Checkpoint, check_signatures, parse, read_checkpoint, state
from projections.findings import Finding
from projections.signing import (
    ProofError,
    PublicKey,
    Signer,
    create_key,
    read_public_key,
    read_signer,
)
from tests.projections.books import full_book
from tests.projections.test_verify import one_fen, only, unguarded

#: RFC 8032 section 7.1, test 1, as a key of C2SP's note format.
RFC_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

#: golang.org/x/mod/sumdb/note's own example: a verifier key, a text and its signature.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def signer(tmp_path: Path, name: str = "k", origin: str = "ledger.test/one") -> Signer:
    """Returns a new signer whose key lies in a file."""
    create_key(tmp_path / name, origin)
    return read_signer(tmp_path / name)


def test_keys_and_signatures_are_those_of_the_standards() -> None:
    """A seed gives RFC 8032's public key, and the note format's own example verifies under its key, unchanged."""
    assert Signer("x", RFC_SEED).public.raw == RFC_PUBLIC
    from base64 import b64decode

    key, raw = read_public_key(GO_KEY), b64decode(GO_SIGNATURE)
    assert str(key) == GO_KEY
    assert raw[:4] == key.id
    assert key.signed(GO_TEXT, raw[4:])
    assert not key.signed(GO_TEXT + "\n", raw[4:])


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A private key is written for its owner alone, never over another, and not read where others could."""
    public = create_key(tmp_path / "k", "ledger.test/one")
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert read_public_key(tmp_path / "k.pub") == read_public_key(str(public)) == public
    assert read_signer(tmp_path / "k").public == public
    assert RFC_SEED.hex() not in repr(Signer("x", RFC_SEED)) and str(RFC_SEED) not in repr(Signer("x", RFC_SEED))
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "k", "ledger.test/one")
    (tmp_path / "k").unlink()
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "k", "ledger.test/one")
    assert not (tmp_path / "k").exists()
    create_key(tmp_path / "other", "ledger.test/one")
    (tmp_path / "other").chmod(0o640)
    with pytest.raises(ProofError, match="owner alone may read"):
        read_signer(tmp_path / "other")
    for wrong in ("", "x", "a+b+c", f"PRIVATE+KEY+{public}", str(public)[:-4] + "AAA=", "two words+00000000+AA=="):
        (tmp_path / "wrong").write_text(wrong)
        (tmp_path / "wrong").chmod(0o600)
        with pytest.raises(ProofError):
            read_signer(tmp_path / "wrong")
        with pytest.raises(ProofError):
            read_public_key(tmp_path / "wrong")
    with pytest.raises(ProofError, match="without spaces"):
        create_key(tmp_path / "third", "two words")


def test_a_checkpoint_is_one_text(tmp_path: Path) -> None:
    """What a checkpoint states is read back; any change of its text is refused or no longer signed."""
    mine = signer(tmp_path)
    stated = state(7, b"\5" * 32, 1_700_000_000_000_000, mine, None)
    assert parse(stated.note) == stated
    assert stated.is_signed_by(mine.public)
    assert parse(stated.note.replace("\n", "\r\n")) == stated
    unsigned = state(7, b"\5" * 32, 1, None, None)
    assert parse(unsigned.note) == unsigned and unsigned.origin == UNSIGNED
    kept = tmp_path / "kept"
    kept.write_text(stated.note, encoding="utf-8")
    assert read_checkpoint(kept) == stated
    raw = stated.note.encode()
    believed = 0
    for at in range(len(raw)):
        for bit in (1, 32):
            tampered = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
            try:
                other = parse(tampered.decode())
            except (ProofError, UnicodeDecodeError):
                continue
            believed += other.is_signed_by(mine.public)
    assert believed == 0
    for text in ("", "x\n", stated.note[:-1], stated.note + "more\n", stated.note.replace("\n7\n", "\n07\n")):
        with pytest.raises(ProofError):
            parse(text)
    with pytest.raises(ProofError, match="got an empty one"):
        state(0, b"\5" * 32, 1, mine, None)


def test_a_witness_may_sign_beside(tmp_path: Path) -> None:
    """A note with another's signature line under the origin's still reads, and states the same."""
    mine, witness = signer(tmp_path), signer(tmp_path, "w", "auditor.test")
    stated = state(7, b"\5" * 32, 1, mine, None)
    assert parse(stated.note + witness.sign(stated.body)) == stated
    with pytest.raises(ProofError, match="signature line"):
        parse(f"{stated.body}\n{witness.sign(stated.body)}")


def test_a_new_key_is_believed_where_the_old_one_announced_it(tmp_path: Path) -> None:
    """Pinned to the old key one follows its announcement; a new key without one, the old key after it: refused."""
    old, new, third = (signer(tmp_path, name) for name in ("a", "b", "c"))
    root = b"\5" * 32
    first = state(5, root, 1, old, None)
    announcing = state(7, root, 1, old, new.public)
    later = state(9, root, 1, new, None)
    assert check_signatures([later, announcing, first], old.public) == []
    assert check_signatures([later], new.public) == []
    assert len(check_signatures([first, later], old.public)) == 1
    assert len(check_signatures([announcing, state(9, root, 1, old, None)], old.public)) == 1
    assert len(check_signatures([state(7, root, 1, third, new.public), later], old.public)) == 2
    assert len(check_signatures([state(7, root, 1, None, None)], old.public)) == 1
    foreign = signer(tmp_path, "d", "ledger.test/two")
    with pytest.raises(ProofError, match="same origin"):
        state(7, root, 1, old, foreign.public)
    with pytest.raises(ProofError, match="announce"):
        state(7, root, 1, None, new.public)
    other_name = Signer("ledger.test/two", old.seed)
    assert len(check_signatures([state(7, root, 1, other_name, None)], PublicKey("ledger.test/one", b"\1" * 32))) == 1


def checkpointed(url: str, mine: Signer) -> Checkpoint:
    with projections.open(url) as read:
        return read.checkpoint(mine)


def verified(url: str, *kept: Checkpoint) -> list[Finding]:
    with projections.open(url) as read:
        return read.verify(kept)


def test_a_log_rewritten_and_signed_anew_is_found_by_an_old_checkpoint(store_url: str, tmp_path: Path) -> None:
    """Whoever holds store and key rewrites a settlement, derives all anew and signs: only what others kept tells."""
    book = full_book()
    book.save(store_url)
    mine = signer(tmp_path)
    kept = checkpointed(store_url, mine)
    assert verified(store_url, kept) == []
    with unguarded(store_url) as writer:
        payment = len(book.log)
        writer.execute(
            "UPDATE stored_events SET originator_id = originator_id || ? WHERE notification_id = ?", ("x", payment)
        )
    with projections.open(store_url) as read:
        read.rebuild()
    forged = checkpointed(store_url, mine)
    assert forged.is_signed_by(mine.public) and forged.size == kept.size
    assert verified(store_url, forged) == verified(store_url) == []
    finding = only(verified(store_url, kept))
    assert finding.kind == "rewritten-log"
    assert finding.expected == f"root {kept.root.hex()}"


def test_a_log_cut_behind_a_checkpoint_is_found(store_url: str, tmp_path: Path) -> None:
    """Events cut off the end and everything derived anew: the checkpoint of the longer log finds it."""
    book = full_book()
    book.save(store_url)
    mine = signer(tmp_path)
    kept = checkpointed(store_url, mine)
    with unguarded(store_url) as writer:
        writer.execute("DELETE FROM stored_events WHERE notification_id = ?", (kept.size,))
        writer.execute("UPDATE log_head SET size = size - 1")
    with projections.open(store_url) as read:
        read.rebuild()
    ahead, shortened = verified(store_url, kept)
    assert (shortened.kind, ahead.kind) == ("shortened-log", "edited-row")
    assert ahead.where == "account token=1 and 7 more" and ahead.got == f"position {kept.size}"
    with unguarded(store_url) as writer:
        writer.execute("UPDATE account SET version = version - 1")
    assert verified(store_url) == []
    assert only(verified(store_url, kept)).kind == "shortened-log"


def test_an_edited_event_is_found_with_and_without_a_checkpoint(store_url: str, tmp_path: Path) -> None:
    """An event edited under its own tree is found by the tree; a checkpoint adds nothing false to it."""
    book = full_book()
    book.save(store_url)
    kept = checkpointed(store_url, signer(tmp_path))
    verified(store_url)
    with unguarded(store_url) as writer:
        one_fen(book, book.acts[0][0])(writer)
    assert only(verified(store_url, kept)).kind == "altered-event"
