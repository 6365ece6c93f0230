"""Takes the values of a policy apart by the types of the language: the single figures and words in them.

A leaf is what stands behind one key of a document. ``leaves`` writes them for a reader; ``variations`` gives a value
with one of its leaves changed, to see what hangs on it.
"""

import types
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from core_ext.plan import NO_LIMIT
from ledger.money import yuan_display
from ledger.payment_terms import PointValue, Weight
from ledger.policy_terms import (
    EVERY_LEVEL,
    ByFiling,
    ByLevel,
    Factor,
    Fen,
    FenAtLevel,
    FenByLevel,
    Limit,
    Ratio,
    RatioByLevel,
)

#: What the entries of a table by level or by filing class are.
_ENTRIES: dict[type, type] = {FenAtLevel: Fen, FenByLevel: Fen, RatioByLevel: Ratio, ByFiling: Factor}


class Leaf(NamedTuple):
    """Is one figure or word of a value: the key path behind the value's own, and how it is written for a reader."""

    path: str
    text: str


class Variation(NamedTuple):
    """Is a value with one leaf changed, and the key path of that leaf behind the value's own."""

    path: str
    value: Any


def leaves(value: Any, path: str = "") -> Iterator[Leaf]:
    """Yields the leaves of a value in the order of the document; raises TypeError for a type that is not known."""
    if value is None:
        return
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        if config.tag is not None:
            yield Leaf(f"{path}.{config.tag_field}", str(config.tag))
        for field in msgspec.structs.fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.encode_name}")
    elif isinstance(value, ByLevel | ByFiling):
        entry = _ENTRIES[type(value)]
        for name, part in value.values.items():
            yield Leaf(path if name == EVERY_LEVEL else f"{path}.{name}", written(entry(part)))
    elif isinstance(value, tuple) and any(isinstance(part, msgspec.Struct) for part in value):
        for at, part in enumerate(value):
            yield from leaves(part, f"{path}[{at}]")
    else:
        yield Leaf(path, written(value))


def written(value: Any) -> str:
    """Returns a figure or word for a reader: amounts in yuan, ratios in per cent; raises TypeError for others."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Limit() if value == NO_LIMIT:
            return "no limit"
        case Fen() | Limit():
            return f"{yuan_display(value)} yuan"
        case Ratio() | Factor():
            return per_cent(value, 10_000)
        case Weight() | PointValue():
            whole, rest = divmod(value, 10_000)
            return f"{whole:,}.{rest:04d}"
        case str() | int():
            return str(value)
        case tuple():
            return ", ".join(map(written, value)) or "none"
    raise TypeError(f"expected a value of the policy language, got {type(value).__name__}")


def per_cent(ratio: int, one: int) -> str:
    """Returns a ratio of ``one`` parts in per cent, exact, without trailing zeros."""
    whole, rest = divmod(ratio * 100, one)
    if not rest:
        return f"{whole} %"
    decimals = str(rest * 10**12 // one).rjust(12, "0").rstrip("0")
    return f"{whole}.{decimals} %"


def variations(value: Any, kind: Any) -> Iterator[Variation]:
    """Yields a value of a type with each of its leaves changed in turn, within what the type allows."""
    yield from (Variation(path, changed) for path, changed in _varied(value, kind, ""))


def _varied(value: Any, kind: Any, path: str) -> Iterator[tuple[str, Any]]:
    if get_origin(kind) in (Union, types.UnionType):
        yield from _other_kinds(value, kind, path)
    if isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int):
        yield path, type(value)(value - 1 if value > 1 else value + 1)
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            for inner, part in _varied(getattr(value, field.name), field.type, f"{path}.{field.encode_name}"):
                yield inner, msgspec.structs.replace(value, **{field.name: part})
    elif isinstance(value, ByLevel | ByFiling):
        for name, part in value.values.items():
            inner = path if name == EVERY_LEVEL else f"{path}.{name}"
            yield inner, type(value)(value.values | {name: part - 1 if part > 1 else part + 1})
    elif isinstance(value, tuple):
        yield from _varied_tuple(value, kind, path)
    elif isinstance(value, str):
        yield from ((path, other) for other in _words(kind) if other != value)


def _varied_tuple(value: tuple[Any, ...], kind: Any, path: str) -> Iterator[tuple[str, Any]]:
    if get_origin(kind) in (Union, types.UnionType):
        kind = next((part for part in get_args(kind) if get_origin(part) is tuple), None)
    entry = get_args(kind)[0] if get_args(kind) else None
    words = _words(entry) or tuple(part for part in value if isinstance(part, str))
    for word in words:
        yield path, tuple(each for each in value if each != word) if word in value else (*value, word)
    for at, part in enumerate(value):
        if not isinstance(part, str):
            for inner, changed in _varied(part, entry, f"{path}[{at}]"):
                yield inner, (*value[:at], changed, *value[at + 1 :])


def _other_kinds(value: Any, kind: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields plain values of the other types of a union of tables: the leaf that changes is the tag."""
    for other in get_args(kind):
        config = getattr(other, "__struct_config__", None)
        if config is None or config.tag is None or isinstance(value, other):
            continue
        fields = [field for field in msgspec.structs.fields(other) if field.required]
        if all(isinstance(field.type, type) and issubclass(field.type, int) for field in fields):
            yield f"{path}.{config.tag_field}", other(**{field.name: field.type(100) for field in fields})


def _words(kind: Any) -> tuple[str, ...]:
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(word for part in get_args(kind) for word in _words(part))
    return get_args(kind) if get_origin(kind) is Literal else ()
