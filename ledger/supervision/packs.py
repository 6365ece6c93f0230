"""Reads rule packs: TOML in the terms of ``ledger.supervision.terms``, every fault with file, line and key."""

import datetime
import hashlib
import re
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from ledger.file_kinds import document_at
from ledger.policy import digest_of
from ledger.policy_errors import UNREADABLE, collecting, convert, expect, resting
from ledger.policy_faults import PolicyFault, located, no_toml
from ledger.refusals import Refusal, Refused
from ledger.supervision.terms import (
    GROUPS,
    KINDS,
    OWN_KEYS,
    SCOPED,
    STAYS,
    TOGETHER,
    VISITS,
    Case,
    CaseVisit,
    PackHeader,
    Rule,
)

_CODE = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,23}")
_ITEM = re.compile(r"#visit|#stay|[A-Za-z0-9._-]{1,49}\*?")
_CASE_LINE = re.compile(r"(\S+)(?: x([0-9.]+))?(?: @(\d{4}-\d\d-\d\d))?(?: =([0-9.]+))?")
#: Counts are stored in 1e-4, prices in 1e-6 yuan, amounts in fen.
_DECIMALS = {"count": 4, "dose": 4, "beyond_possible": 4, "price": 6, "amount": 2}


class Pack(msgspec.Struct, frozen=True):
    """Is a pack that was read: what it says of itself, its rules in order, its first day of service."""

    header: PackHeader
    rules: tuple[Rule, ...]
    begin: int
    digest: bytes


def shipped_packs() -> tuple[str, ...]:
    """Returns the names of the packs that come with the package."""
    entries = files("ledger.rulepacks").iterdir()
    return tuple(sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".toml")))


def read_document(pack: str | Path) -> tuple[str, str]:
    """Returns (text, where it is from) of a pack's file, or of a shipped pack by its name; raises Refused."""
    path = Path(pack)
    if not path.suffix and not path.exists():
        if str(pack) not in shipped_packs():
            raise Refused(
                Refusal.RULES_INVALID, f"expected a file or one of {', '.join(shipped_packs())}, got {str(pack)!r}"
            )
        return (files("ledger.rulepacks") / f"{pack}.toml").read_text(encoding="utf-8"), str(pack)
    return document_at(pack, Refusal.RULES_INVALID), str(pack)


def version_of(rule: Rule) -> bytes:
    """Returns 8 bytes over what a rule says, its title and cases left out: another version finds other things."""
    said = msgspec.structs.replace(rule, title="", hit=(), miss=())
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).digest()[:8]


def read_pack(document: str, where: str) -> Pack:
    """Returns the pack a document states; raises Refused (rules_invalid) that names the first of its faults."""
    pack, faults = _read(document, where)
    if pack is None or faults:
        more = f" (and {len(faults) - 1} more: `settlement rules check` lists them)" if len(faults) > 1 else ""
        raise Refused(Refusal.RULES_INVALID, f"{faults[0]}{more}")
    return pack


def pack_faults(document: str, where: str) -> list[PolicyFault]:
    """Returns everything wrong with a pack, by line; ``where`` is its file."""
    return _read(document, where)[1]


def _read(document: str, where: str) -> tuple[Pack | None, list[PolicyFault]]:
    try:
        tree = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        return None, [no_toml(document, where, error)]
    pack = None
    with collecting() as faults, resting():
        pack = _pack(tree, where, digest_of(document))
    return pack, located(document, where, faults) if faults else []


def _pack(tree: dict[str, Any], where: str, digest: bytes) -> Pack | None:
    for name in tree.keys() - {"pack", "rule"}:
        expect(False, where, name, "one of pack, rule", name)
    header = convert(tree.get("pack", {}), PackHeader, where, "pack", None)
    begin = 0
    if header is not UNREADABLE:
        expect(bool(re.fullmatch(r"[a-z0-9-]{1,40}", header.name)), where, "pack.name", "a-z, 0-9 and -", header.name)
        begin = day_number(header.begin)
        expect(begin > 0, where, "pack.begin", "a day as YYYY-MM-DD", header.begin)
        expect(bool(header.extends) or not header.drops, where, "pack.drops", "a pack it extends", header.drops)
    listed = tree.get("rule", [])
    if not expect(isinstance(listed, list) and bool(listed), where, "rule", "[[rule]] tables", None):
        return None
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    for at, table in enumerate(listed):
        rule = convert(table, Rule, where, f"rule[{at}]", None)
        if rule is UNREADABLE:
            continue
        first = seen.setdefault(rule.code, at)
        expect(first == at, where, f"rule[{at}].code", f"a code of its own, as rule[{first}] has it", rule.code)
        _check(rule, where, f"rule[{at}]", header is UNREADABLE or header.cases)
        rules.append(rule)
    return None if header is UNREADABLE else Pack(header, tuple(rules), begin, digest)


def _check(rule: Rule, where: str, path: str, cases: bool) -> None:
    expect(bool(_CODE.fullmatch(rule.code)), where, f"{path}.code", "A-Z, 0-9, . and -, at most 24", rule.code)
    forms = KINDS[rule.kind]
    names = [name for name in forms if name]
    if not expect(rule.by in forms, where, f"{path}.by", f"one of {', '.join(names)}" if names else "nothing", rule.by):
        return
    need = forms[rule.by]
    plain = msgspec.structs.asdict(Rule("", rule.kind, "", rule.result))
    for key in OWN_KEYS:
        given = getattr(rule, key) != plain[key]
        if key in need.keys:
            expect(given, where, f"{path}.{key}", f"a value, as {rule.kind} {rule.by}".rstrip() + " needs one", None)
        elif key != "together" or (rule.kind, rule.by) not in TOGETHER:
            expect(not given, where, f"{path}.{key}", f"nothing, as {rule.kind} {rule.by}".rstrip(), getattr(rule, key))
    windowed = rule.window is not None
    expect(windowed == need.windows, where, f"{path}.window", "a window" if need.windows else "none", rule.window)
    for key in ("items", "others"):
        for at, item in enumerate(getattr(rule, key)):
            expect(
                bool(_ITEM.fullmatch(item)), where, f"{path}.{key}[{at}]", "a code, or the start of codes and *", item
            )
    _check_values(rule, where, path)
    for group in SCOPED:
        _check_names(where, f"{path}.scope.{group}", group, getattr(rule.scope, group))
    for key in ("hit", "miss") if cases else ():
        expect(bool(getattr(rule, key)), where, f"{path}.{key}", "a case at least", None)
    for key in ("hit", "miss"):
        for at, case in enumerate(getattr(rule, key)):
            _check_case(case, where, f"{path}.{key}[{at}]")


def _check_values(rule: Rule, where: str, path: str) -> None:
    if rule.allowed:
        _check_names(where, f"{path}.allowed", rule.by, rule.allowed)
    if rule.ages is not None:
        low, high = rule.ages
        expect(0 <= low <= high <= 200, where, f"{path}.ages", "two ages in years, the lower first", list(rule.ages))
    for key, decimals in (("limit", _DECIMALS.get(rule.by, 0)), ("cost", 6), ("markup", 4)):
        text = getattr(rule, key)
        if text:
            expected = f"a number of at most {decimals} decimals" if decimals else "a whole number"
            expect(scaled(text, decimals) is not None, where, f"{path}.{key}", expected, text)
    if rule.least:
        expect(2 <= rule.least <= len(rule.items), where, f"{path}.least", f"2 to {len(rule.items)} items", rule.least)
    expect(rule.days >= 0, where, f"{path}.days", "a number of days", rule.days)
    special = any(item in (VISITS, STAYS) for item in rule.items)
    expect(not special or not rule.together, where, f"{path}.together", "items that are no visits", rule.items)


def _check_names(where: str, path: str, group: str, names: tuple[str, ...]) -> None:
    for at, name in enumerate(names):
        expect(name in GROUPS[group], where, f"{path}[{at}]", f"one of {', '.join(GROUPS[group])}", name)


def _check_case(case: Case, where: str, path: str) -> None:
    for group in (*SCOPED, *(("sex",) if case.sex else ())):
        _check_names(where, f"{path}.{group}", group, (getattr(case, group),))
    for key in ("begin", "end", "birth", "death", "applied"):
        text = getattr(case, key)
        expect(not text or day_number(text) > 0, where, f"{path}.{key}", "a day as YYYY-MM-DD", text)
    visits: tuple[CaseVisit | Case, ...] = (case, *case.visits)
    for number, visit in enumerate(visits):
        inside = path if not number else f"{path}.visits[{number - 1}]"
        for at, line in enumerate(visit.lines):
            expected = "ITEM [xCOUNT] [@YYYY-MM-DD] [=PRICE]"
            expect(_case_line_reads(line), where, f"{inside}.lines[{at}]", expected, line)


def _case_line_reads(line: str) -> bool:
    found = _CASE_LINE.fullmatch(line)
    return (
        found is not None
        and (found[2] is None or scaled(found[2], 4) is not None)
        and (found[3] is None or day_number(found[3]) > 0)
        and (found[4] is None or scaled(found[4], 6) is not None)
    )


def case_line(text: str) -> tuple[str, int, int, int]:
    """Returns (item, count in 1e-4, day or 0, price in 1e-6 yuan) of a line of a case."""
    found = _CASE_LINE.fullmatch(text)
    assert found is not None
    count, price = scaled(found[2] or "1", 4), scaled(found[4] or "100", 6)
    assert count is not None and price is not None
    return found[1], count, day_number(found[3]) if found[3] else 0, price


def scaled(text: str, decimals: int) -> int | None:
    """Returns decimal text as an integer of 10**-decimals, None where it is no such number below 1e12."""
    try:
        value = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        return None
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value < 10 ** (12 + decimals):
        return None
    return int(value)


def limit_of(rule: Rule) -> int:
    """Returns a rule's limit in the unit its charges have."""
    value = scaled(rule.limit, _DECIMALS.get(rule.by, 0))
    assert value is not None
    return value


def day_number(text: str) -> int:
    """Returns YYYY-MM-DD as yyyymmdd, 0 for another text."""
    try:
        return int(datetime.date.fromisoformat(text).strftime("%Y%m%d")) if len(text) == 10 else 0
    except ValueError:
        return 0


def chain_of(pack: Pack, find: Callable[[str], Pack]) -> Iterator[Pack]:
    """Yields the packs a pack rests on, the first one first, and then the pack; ``find`` gives one by its name."""
    if pack.header.extends:
        yield from chain_of(find(pack.header.extends), find)
    yield pack
