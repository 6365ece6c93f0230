"""Says what a policy document gets wrong: the first fault as an error, or every fault where a reader asks for all.

``read_policy`` states each rule once, through ``expect`` and ``convert``. While ``collecting`` is in force a broken
rule is noted and reading goes on; otherwise it raises.
"""

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from ledger.refusals import Refusal, Refused

Decode = Callable[[Any, Any], Any] | None

#: Stands for a value that could not be read, while faults are collected.
UNREADABLE: Any = object()


class Fault(NamedTuple):
    """Is one thing wrong with a document: where in the file it is, by key path, what was expected and what came."""

    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Returns the fault as one line."""
        return f"{self.path}: expected {self.expected}" + (f", got {self.got}" if self.got else "")


class PolicyInvalidError(Refused):
    """Is a policy document that does not say what it must: file, key path, expected, got."""

    def __init__(self, text: str) -> None:
        super().__init__(Refusal.POLICY_INVALID, text)


_FOUND: ContextVar[list[Fault] | None] = ContextVar("faults found", default=None)


@contextmanager
def collecting() -> Iterator[list[Fault]]:
    """Yields the list that every fault of a reading goes to."""
    found: list[Fault] = []
    token = _FOUND.set(found)
    try:
        yield found
    finally:
        _FOUND.reset(token)


def expect(holds: bool, where: str, path: str, expected: str, got: object) -> bool:
    """Returns ``holds``; where it is false, notes the fault, or raises PolicyInvalidError if nobody collects."""
    if not holds:
        found = _FOUND.get()
        if found is None:
            raise PolicyInvalidError(f"{where}: {path}: expected {expected}, got {got!r}")
        found.append(Fault(path, expected, "nothing" if got is None else repr(got)))
    return holds


@contextmanager
def resting() -> Iterator[None]:
    """Ends the block where it goes on from a fault it has just noted and fails over it; any other failure is raised."""
    found = _FOUND.get()
    before = 0 if found is None else len(found)
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        if found is None or len(found) == before:
            raise


@contextmanager
def following() -> Iterator[None]:
    """Drops faults noted in the block that follow from an earlier one: at the same key, or at a table around it."""
    found = _FOUND.get()
    before = 0 if found is None else len(found)
    yield
    if found is not None:
        kept = found[:before]
        for fault in found[before:]:
            around = (fault.path, f"{fault.path}.", f"{fault.path}[")
            if not any(each.path == around[0] or each.path.startswith(around[1:]) for each in kept):
                kept.append(fault)
        found[:] = kept


def convert(value: Any, kind: Any, where: str, path: str, decode: Decode) -> Any:
    """Returns a TOML value as a type of the language, or UNREADABLE where its faults were noted.

    Raises PolicyInvalidError if nobody collects; ``decode`` reads the language's own types.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=decode)
    except msgspec.ValidationError as error:
        found = _FOUND.get()
        if found is None:
            raise PolicyInvalidError(f"{where}: {path}: {error}") from None
        found += faults_in(value, kind, path, decode)
        return UNREADABLE


def faults_in(value: Any, kind: Any, path: str, decode: Decode) -> list[Fault]:
    """Returns every fault of a value, each at the innermost key that is wrong."""
    try:
        msgspec.convert(value, kind, dec_hook=decode)
    except msgspec.ValidationError as error:
        return list(_inside(value, kind, path, decode)) or [_leaf(value, kind, path, str(error))]
    return []


def _inside(value: Any, kind: Any, path: str, decode: Decode) -> Iterator[Fault]:
    """Yields the faults of the parts of a value that has parts."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = _meant(value, get_args(kind))
    origin = get_origin(kind)
    if origin is tuple and isinstance(value, list):
        for at, part in enumerate(value):
            yield from faults_in(part, get_args(kind)[0], f"{path}[{at}]", decode)
    elif origin is dict and isinstance(value, dict):
        for name, part in value.items():
            yield from faults_in(part, get_args(kind)[1], f"{path}.{name}", decode)
    elif isinstance(kind, type) and isinstance(value, dict):
        if issubclass(kind, msgspec.Struct):
            yield from _in_table(value, kind, path, decode)
        else:
            yield from _by_name(value, kind, path, decode)


def _by_name(value: dict[str, Any], kind: Any, path: str, decode: Decode) -> Iterator[Fault]:
    """Yields the faults of a table by level or by filing class, reading each entry as if it were alone."""
    for name, part in value.items():
        try:
            msgspec.convert({name: part}, kind, dec_hook=decode)
        except msgspec.ValidationError as error:
            yield _leaf(part, kind, f"{path}.{name}", str(error).removeprefix(f"{name}: "))


def _in_table(value: dict[str, Any], kind: type[msgspec.Struct], path: str, decode: Decode) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    for name, part in value.items():
        if name in fields:
            yield from faults_in(part, fields[name].type, f"{path}.{name}", decode)
        elif name != tag:
            yield Fault(f"{path}.{name}", f"one of {', '.join(fields)}", repr(name))
    for name, field in fields.items():
        if field.required and name not in value:
            yield Fault(path, f"a value for {name}", "nothing")


def _meant(value: Any, kinds: tuple[Any, ...]) -> Any:
    """Returns the one of several types that a value is meant to be: by its tag, or the only one there is."""
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if isinstance(value, dict) and len(kinds) > 1:
        for kind in kinds:
            config = getattr(kind, "__struct_config__", None)
            if config is not None and config.tag is not None and value.get(config.tag_field) == config.tag:
                return kind
    return kinds[0] if len(kinds) == 1 else None


def _leaf(value: Any, kind: Any, path: str, text: str) -> Fault:
    text, _, place = text.partition(" - at `$")
    if get_origin(kind) is Literal:
        return Fault(path, f"one of {', '.join(get_args(kind))}", repr(value))
    if len(place) > 1 and isinstance(value, dict):
        path += place.rstrip("`")
    expected, comma, got = text.rpartition(", got ")
    expected = (expected if comma else text).removeprefix("Expected ").removeprefix("expected ")
    return Fault(path, expected.replace("`", ""), (got if comma else repr(value)).replace("`", ""))
