"""Keeps Ed25519 keys as text and signs notes with them, in the forms of C2SP's signed-note.

A public key is ``name+id+base64(0x01 ‖ 32 bytes)``, a private one ``PRIVATE+KEY+`` before the same with its seed; the
id is the first 4 bytes of SHA-256 of name, line end, 0x01 and the public key. A signature line is an em dash, the
name, and base64(id ‖ 64 bytes). The private key lies in a file of its owner alone (mode 0600).
"""

import binascii
import os
import re
import stat
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from ledger.refusals import LedgerError

#: The signature algorithm of the note format: Ed25519.
ALGORITHM = b"\x01"
PRIVATE = "PRIVATE+KEY+"
#: What follows the name of a private key file, for the public key beside it.
PUBLIC_SUFFIX = ".pub"
SEED_BYTES, KEY_BYTES, SIGNATURE_BYTES, ID_BYTES = 32, 32, 64, 4

_NAME = re.compile(r"[^\s+]+")


class ProofError(LedgerError):
    """Is a key, checkpoint or proof that cannot be read or does not hold: expected, got, what to do."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Is who may sign for an origin; ``str()`` of it is what is pinned."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """Returns the 4 bytes by which a signature line names its key."""
        return sha256(self.name.encode() + b"\n" + ALGORITHM + self.raw).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_text(ALGORITHM + self.raw)}"

    def signed(self, text: str, signature: bytes) -> bool:
        """Returns whether the 64 bytes are this key's signature of a text."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """Is a private key; ``repr()`` of it shows the public one."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """Returns the key others verify with."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return PublicKey(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Returns the signature line of a text, with its line end."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"— {self.name} {_text(self.public.id + signature)}\n"


def create_key(path: str | Path, name: str) -> PublicKey:
    """Writes a new private key to ``path``, readable by its owner alone, and the public one beside it; returns that.

    ``name`` is the origin its checkpoints state, such as ``ledger.example.gov.cn/guangdong``. Raises ProofError for a
    name with spaces or a plus sign, FileExistsError where either file is there: a key is never overwritten.
    """
    if not _NAME.fullmatch(name):
        raise ProofError(f"expected an origin without spaces and plus signs, got {name!r}")
    path = Path(path)
    signer = Signer(name, os.urandom(SEED_BYTES))
    public = signer.public
    text = f"{PRIVATE}{name}+{public.id.hex()}+{_text(ALGORITHM + signer.seed)}\n"
    beside = path.with_name(path.name + PUBLIC_SUFFIX)
    if beside.exists():
        raise FileExistsError(17, "file exists", str(beside))
    _write_new(path, text, 0o600)
    _write_new(beside, f"{public}\n", 0o644)
    return public


def _write_new(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_signer(path: str | Path) -> Signer:
    """Returns the private key of a file; raises ProofError for anything else, and where others may read the file."""
    path = Path(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ProofError(
            f"{path}: expected a key that its owner alone may read (mode 600), got mode {mode:o}: chmod 600 it"
        )
    text = _read(path)
    name, key_id, raw = _parts(text.removeprefix(PRIVATE)) if text.startswith(PRIVATE) else ("", b"", b"")
    if len(raw) != SEED_BYTES or Signer(name, raw).public.id != key_id:
        raise ProofError(f"{path}: expected a private key as `settlement key new` writes it")
    return Signer(name, raw)


def read_public_key(text: str | Path) -> PublicKey:
    """Returns a public key from its text or from the file that holds it; raises ProofError."""
    given = str(text).strip()
    if not given.count("+") or Path(given).is_file():
        given = _read(Path(given))
    name, key_id, raw = _parts(given) if not given.startswith(PRIVATE) else ("", b"", b"")
    if len(raw) != KEY_BYTES or PublicKey(name, raw).id != key_id:
        raise ProofError("expected a public key as name+id+base64, as `settlement key new` writes it beside the key")
    return PublicKey(name, raw)


def decoded(text: str) -> bytes:
    """Returns the bytes of base64 in its one form, no unused bits set; raises ProofError."""
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or _text(raw) != text:
        raise ProofError(f"expected base64, got {text[:40]!r}")
    return raw


def _parts(text: str) -> tuple[str, bytes, bytes]:
    """Returns (name, id, key bytes) of a key's text; nothing as key where it is none."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]) or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        return "", b"", b""
    raw = decoded(parts[2])
    return parts[0], bytes.fromhex(parts[1]), raw[1:] if raw[:1] == ALGORITHM else b""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ProofError(f"{path}: expected a key as text, got other bytes") from None


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
