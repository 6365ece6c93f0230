"""Maps events to the bytes of the log and back: one msgpack array a state, the class chosen by its topic alone."""

from typing import Any

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent

from ledger.event import Event
from ledger.refusals import Refusal, Refused, StoreError
from ledger.topics import TOPICS
from ledger.upcasting import PAST, upcast

_ENCODER = msgspec.msgpack.Encoder()
_DECODERS = {topic: msgspec.msgpack.Decoder(event) for topic, event in TOPICS.items()}


def encode_event(event: Event) -> bytes:
    """Returns the state of an event: the msgpack array of its fields, integers in their shortest form."""
    return _ENCODER.encode(event)


def checked_state(event: Event) -> bytes:
    """Returns the state of an event that a command made, once it is known to read back as its class.

    A Struct does not check its fields; a value of another type would be in the log for ever. Raises Refused naming
    the field, what was expected and what came.
    """
    try:
        state = _ENCODER.encode(event)
        _DECODERS[event.TOPIC].decode(state)
    except (msgspec.ValidationError, TypeError, OverflowError, UnicodeEncodeError) as error:
        text = str(error)
        for at, name in enumerate(event.__struct_fields__):
            text = text.replace(f"$[{at}]", name)
        raise Refused(Refusal.BAD_VALUE, f"{event.TOPIC}: {text}; nothing was written") from None
    return state


def decode_event(topic: str, state: bytes) -> Event:
    """Returns the event of a state, in its present version where the topic is a past one.

    Raises StoreError for an unknown topic or a state that does not fit its class.
    """
    decoder = _DECODERS.get(topic)
    past = PAST.get(topic) if decoder is None else None
    if past is not None:
        decoder = msgspec.msgpack.Decoder(past.event)
    if decoder is None:
        raise StoreError(
            f"expected a topic of ledger.topics, got {topic!r}: the log was written by another version"
            " of this package, read it with that or a later one"
        )
    try:
        event = decoder.decode(state)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
        # A damaged SQLite file may have a cell that is not even bytes.
        got = f"{len(state)} bytes that are none" if isinstance(state, bytes) else type(state).__name__
        raise StoreError(f"expected a {topic} event, got {got}: {error}") from error
    return event if past is None else upcast(event)


def present_state(topic: str, state: bytes, event: Event) -> bytes:
    """Returns the state of a decoded event under its present topic: as stored, unless the event was of a past one."""
    return state if topic == event.TOPIC else encode_event(event)


class RecordedEvent(msgspec.Struct, frozen=True):
    """Is an event with its place: the stream (``originator_id``) and its version in it, from 1."""

    originator_id: str
    originator_version: int
    event: Event


class EventMapper(Mapper[str]):
    """Maps a RecordedEvent to the stored event of the library and back, for its EventStore.

    No transcoder, compressor or cipher takes part: what the log holds are the bytes of ``encode_event``.
    """

    def __init__(self) -> None:
        # The base class would ask for a transcoder, and nothing of it is used but its place in EventStore.
        pass

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Returns the stored event of a RecordedEvent."""
        recorded: Any = domain_event
        return StoredEvent(
            originator_id=recorded.originator_id,
            originator_version=recorded.originator_version,
            topic=recorded.event.TOPIC,
            state=encode_event(recorded.event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:
        """Returns the RecordedEvent; raises MapperDeserialisationError naming stream, version and what was wrong."""
        try:
            event = decode_event(stored_event.topic, stored_event.state)
        except StoreError as error:
            where = f"stream {stored_event.originator_id!r}, version {stored_event.originator_version}"
            raise MapperDeserialisationError(f"{where}: {error}") from error
        return RecordedEvent(str(stored_event.originator_id), stored_event.originator_version, event)
