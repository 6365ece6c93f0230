"""States what the log was: a checkpoint is its origin, size, root and recorded time as text, signed or not.

The text is C2SP's tlog-checkpoint inside a signed note, so that others' witnesses can read it::

    origin
    size
    base64 of the root
    recorded MICROSECONDS
    persons COUNT base64       (the digest of the first COUNT persons' seals; older notes have none)
    next-key PUBLIC KEY        (only where the key is about to change)

    — origin base64(key id ‖ signature)

A checkpoint is worth what its holder is: one that only the operator keeps proves nothing against the operator.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from projections.proof import SIZE
from projections.signing import (
    ID_BYTES,
    SIGNATURE_BYTES,
    ProofError,
    PublicKey,
    Signer,
    decoded,
    read_public_key,
)

#: The origin of a checkpoint that nobody has signed.
UNSIGNED = "unsigned"

_BODY = re.compile(
    r"([^\n]+)\n([1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\nrecorded ([0-9]{1,18})\n"
    r"(?:persons (0|[1-9][0-9]{0,18}) ([A-Za-z0-9+/]{43}=)\n)?(?:next-key (\S+)\n)?"
)
_SIGNATURE = re.compile(r"— ([^\s+]+) (\S+)\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Is a statement of what the first ``size`` events of a log are; ``recorded_at`` in microseconds since 1970 UTC.

    ``persons`` is how many persons had tokens, and the digest of their seals (``ledger.store.seals``).
    ``next_key`` is the key that signs after this one; ``signature`` is (key id, 64 bytes), or None where unsigned.
    """

    origin: str
    size: int
    root: bytes
    recorded_at: int
    next_key: PublicKey | None = None
    signature: tuple[bytes, bytes] | None = None
    persons: tuple[int, bytes] | None = None

    @property
    def body(self) -> str:
        """Returns the text that is signed."""
        lines = [self.origin, str(self.size), b64encode(self.root).decode(), f"recorded {self.recorded_at}"]
        if self.persons is not None:
            lines.append(f"persons {self.persons[0]} {b64encode(self.persons[1]).decode()}")
        if self.next_key is not None:
            lines.append(f"next-key {self.next_key}")
        return "".join(f"{line}\n" for line in lines)

    @property
    def note(self) -> str:
        """Returns the text to keep: the body, and its signature where there is one."""
        if self.signature is None:
            return self.body
        return f"{self.body}\n— {self.origin} {b64encode(b''.join(self.signature)).decode()}\n"

    def is_signed_by(self, key: PublicKey) -> bool:
        """Returns whether a key's own origin and signature stand in it."""
        if self.signature is None or self.origin != key.name:
            return False
        key_id, signature = self.signature
        return key_id == key.id and key.signed(self.body, signature)


def state(
    size: int,
    root: bytes,
    recorded_at: int,
    signer: Signer | None,
    next_key: PublicKey | None,
    persons: tuple[int, bytes] | None = None,
) -> Checkpoint:
    """Returns the checkpoint of a log of ``size`` events, signed where a key is given.

    Raises ProofError for an empty log, which has nothing to state, and for a next key without one that announces it.
    """
    if size < 1:
        raise ProofError("expected a log with events to state, got an empty one")
    if signer is None:
        if next_key is not None:
            raise ProofError("expected the present key to announce the next one, got none")
        return Checkpoint(UNSIGNED, size, root, recorded_at, persons=persons)
    if next_key is not None and next_key.name != signer.name:
        raise ProofError(f"expected a next key of the same origin {signer.name!r}, got {next_key.name!r}")
    stated = Checkpoint(signer.name, size, root, recorded_at, next_key, persons=persons)
    return parse(f"{stated.body}\n{signer.sign(stated.body)}")


def parse(note: str) -> Checkpoint:
    """Returns the checkpoint of a note, not yet verified; raises ProofError for any other text.

    Exactly one text stands for a checkpoint: what ``note`` would not write again is refused.
    """
    # Line ends of a mail or a Windows editor are not what was signed, but say the same.
    note = note.replace("\r\n", "\n")
    body, blank, tail = note.partition("\n\n")
    body = f"{body}\n" if blank else note
    found = _BODY.fullmatch(body)
    if found is None:
        raise ProofError(
            "expected a checkpoint (origin, size, root in base64, recorded time, then a blank line and its signature),"
            f" got {note[:60]!r}"
        )
    root = decoded(found[3])
    if len(root) != SIZE:
        raise ProofError(f"expected a root of {SIZE} bytes, got {len(root)}")
    signature = None
    if blank:
        # Witnesses add lines of their own; the origin's is the one that counts here.
        lines = [_SIGNATURE.fullmatch(line) for line in tail.splitlines(keepends=True)]
        named = [line[2] for line in lines if line is not None and line[1] == found[1]]
        if not named or None in lines:
            raise ProofError(f"expected a signature line of {found[1]!r} behind the blank line, got {tail[:60]!r}")
        raw = decoded(named[0])
        if len(raw) != ID_BYTES + SIGNATURE_BYTES:
            raise ProofError(f"expected a signature of {ID_BYTES + SIGNATURE_BYTES} bytes, got {len(raw)}")
        signature = raw[:ID_BYTES], raw[ID_BYTES:]
    persons = (int(found[5]), decoded(found[6])) if found[6] else None
    if persons is not None and len(persons[1]) != SIZE:
        raise ProofError(f"expected a digest of {SIZE} bytes, got {len(persons[1])}")
    next_key = read_public_key(found[7]) if found[7] else None
    return Checkpoint(found[1], int(found[2]), root, int(found[4]), next_key, signature, persons)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Returns the checkpoint of a file, not yet verified; raises ProofError."""
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ProofError(f"{path}: expected a checkpoint as text, got other bytes") from None
    except ProofError as error:
        raise ProofError(f"{path}: {error}") from None


def check_signatures(checkpoints: Sequence[Checkpoint], pinned: PublicKey) -> list[str]:
    """Returns what is wrong with the signatures of checkpoints in order of size, under a pinned public key.

    Where one announces a next key, that key signs all that are larger, and the old one none of them.
    """
    wrong: list[str] = []
    key = pinned
    for checkpoint in sorted(checkpoints, key=lambda each: each.size):
        if not checkpoint.is_signed_by(key):
            got = "no signature" if checkpoint.signature is None else f"key {checkpoint.signature[0].hex()}"
            wrong.append(
                f"checkpoint of size {checkpoint.size}: expected the signature of {key.name} with key {key.id.hex()},"
                f" got {got} of {checkpoint.origin}, or another text than was signed"
            )
        elif checkpoint.next_key is not None:
            key = checkpoint.next_key
    return wrong
