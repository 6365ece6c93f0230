"""Reads dated documents of terms, in TOML with ``name`` and ``begin``, and puts them in force as events."""

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from ledger.file_kinds import document_at
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.policy import digest_of
from ledger.refusals import Refusal, Refused
from ledger.register_file import number_of

if TYPE_CHECKING:
    from ledger.casework.events import CaseTermsEnacted
    from ledger.manual.events import HandlingTermsEnacted
    from ledger.store import Reader
    from ledger.verbs.base import Base


class Dated(Protocol):
    """Is a document that holds from a day on."""

    @property
    def name(self) -> str:
        """Returns what it is called."""

    @property
    def begin(self) -> date:
        """Returns its first day."""


Kind = TypeVar("Kind", bound=Dated)


def parsed(document: str, where: str, kind: type[Kind], refusal: Refusal) -> Kind:
    """Returns a document as terms of a kind; raises Refused for the given reason where it is none."""
    try:
        return msgspec.convert(tomllib.loads(document), kind)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise Refused(refusal, f"{where}: {error}") from None


def invalid(refusal: Refusal, where: str, key: str, expected: str, got: object) -> Refused:
    """Returns why a document's key is refused."""
    return Refused(refusal, f"{where}: {key}: expected {expected}, got {got}")


def read_document(terms: str | Path, shipped: Path, refusal: Refusal) -> tuple[str, str]:
    """Returns (text, where) of a file, or of that name among the shipped; raises Refused where there is neither."""
    path = Path(terms)
    if not path.suffix:
        path = shipped / f"{terms}.toml"
    try:
        return document_at(path, refusal, path.name), path.name
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in shipped.glob("*.toml")))
        raise Refused(refusal, f"expected a file of terms or one of {known}, got {str(terms)!r}") from None


def enacted(
    reader: "Reader",
    prefix: str,
    event_class: "type[CaseTermsEnacted] | type[HandlingTermsEnacted]",
    read: Callable[[str, str], Kind],
) -> list[Kind]:
    """Returns the terms enacted in the streams of a prefix, the earliest first day first."""
    found = []
    for _, _, _, topic, state in streams_with_prefix(reader, prefix):
        event = decode_event(topic, state)
        assert isinstance(event, event_class)
        found.append(read(event.document, event.name))
    return sorted(found, key=lambda each: each.begin)


def enact(
    book: "Base",
    verb: str,
    document: str,
    terms: Dated,
    stream_of: Callable[[bytes], str],
    event_class: "type[CaseTermsEnacted] | type[HandlingTermsEnacted]",
    reason: str,
) -> str:
    """Puts a document in force, once, by the command of a verb; returns its digest."""
    digest, begin = digest_of(document), number_of(terms.begin)
    with book.transaction() as tx:
        stream = stream_of(digest)
        if not tx.stream_heads([stream]):
            cause, command = book.command(tx, verb, reason, {"begin": begin}, terms.name, digest)
            book.append(tx, [command, (stream, 1, event_class(cause, 0, digest, terms.name, begin, document))])
    return digest.hex()
