"""Reads the policy language: what a pooling area pays, as dated parameters in one TOML file.

A parameter is a table, its path is its name, and every value in it is keyed by the day it starts::

    [employee.outpatient.deductible]
    2023-01-01 = { kind = "annual_cumulative", amount = "700.00" }
    2024-03-01 = { kind = "annual_cumulative", amount = "350.00" }

Values are never edited, only followed; a version of the policy is the values in force on a day. Amounts and ratios
are decimal text. ``[policy]`` names the document and states in words everything it assumes.
``ledger.policy_terms`` lists the parameters.
"""

import hashlib
import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Any, NamedTuple

from core_ext.layout import AMOUNTS, FUND_PARTS
from core_ext.plan import NO_LIMIT
from ledger.payment_terms import PointValue, Weight
from ledger.policy_checks import check_bases, check_treatment, check_value, check_year_start
from ledger.policy_errors import UNREADABLE, following, resting
from ledger.policy_errors import PolicyInvalidError as PolicyInvalidError
from ledger.policy_errors import convert as _convert_with
from ledger.policy_errors import expect as _expect
from ledger.policy_sections import SECTIONS
from ledger.policy_terms import (
    DEFAULT_LEVEL,
    DEFAULTS,
    EVERY_LEVEL,
    FUNDS,
    INSUTYPES,
    MED_TYPES,
    OTHER_LEVEL,
    STATUSES,
    TREATMENT_TYPES,
    ByFiling,
    ByLevel,
    Factor,
    Fen,
    FenAtLevel,
    FenByLevel,
    Header,
    Limit,
    Ratio,
    RatioByLevel,
    Rules,
    Treatment,
    form_of,
)
from ledger.registers import FILING_CLASSES

_YUAN = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
_RATIO = re.compile(r"[0-9](\.[0-9]{1,4})?")
_WEIGHT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,4})?")
_LEVEL = re.compile(r"[0-9]{1,2}")


class Dated(NamedTuple):
    """Is one parameter: the days its values start, ascending, and the values."""

    days: tuple[int, ...]
    values: tuple[Any, ...]

    def at(self, day: int) -> Any:
        """Returns the value in force on a day (yyyymmdd), None before the first."""
        found = bisect_right(self.days, day)
        return self.values[found - 1] if found else None


class Policy:
    """Is one policy document, read and checked; ``days`` are the days (yyyymmdd) on which a version starts."""

    def __init__(self, header: Header, parameters: Mapping[str, Dated]) -> None:
        self.header = header
        self.parameters = dict(parameters)
        self.days = tuple(sorted({day for dated in parameters.values() for day in dated.days}))
        #: What was asked for, by version: thousands of cases stand under the same few rules.
        self._rules: dict[tuple[str, int], Rules | None] = {}
        self._treatments: dict[tuple[str, int], Treatment | None] = {}

    def version_on(self, day: int) -> int:
        """Returns the day (yyyymmdd) from which the version in force on ``day`` holds, 0 if there is none."""
        found = bisect_right(self.days, day)
        return self.days[found - 1] if found else 0

    def rules_on(self, insutype: str, day: int) -> Rules | None:
        """Returns the rules of an insurance type (a key of INSUTYPES) in force on a day."""
        asked = insutype, self.version_on(day)
        if asked not in self._rules:
            values = self._values(insutype, Rules._fields, day)
            stated = any(value is not None for value in values)
            self._rules[asked] = Rules(*_completed(Rules._fields, values)) if stated else None
        return self._rules[asked]

    def treatment_on(self, insutype: str, treatment: str, day: int) -> Treatment | None:
        """Returns the parameters of a kind of treatment (a key of MED_TYPES) in force on a day."""
        path = f"{insutype}.{treatment}"
        asked = path, self.version_on(day)
        if asked not in self._treatments:
            values = self._values(path, Treatment._fields, day)
            stated = any(value is not None for value in values)
            self._treatments[asked] = Treatment(*_completed(Treatment._fields, values)) if stated else None
        return self._treatments[asked]

    def level(self, table: ByLevel, hosp_lv: int) -> int | None:
        """Returns a table's value for a hospital level; one not listed is read as ``[policy.levels]`` says."""
        if EVERY_LEVEL in table.values:
            return table.values[EVERY_LEVEL]
        levels = self.header.levels
        name = str(hosp_lv)
        if name not in table.values:
            name = levels.get(name, levels.get(OTHER_LEVEL, name))
        return table.values.get(name)

    def _values(self, path: str, names: tuple[str, ...], day: int) -> list[Any]:
        dated = (self.parameters.get(f"{path}.{name}") for name in names)
        return [None if parameter is None else parameter.at(day) for parameter in dated]


def _completed(names: tuple[str, ...], values: list[Any]) -> list[Any]:
    """Returns values with what holds where a document does not state one."""
    return [DEFAULTS.get(name) if value is None else value for name, value in zip(names, values, strict=True)]


def digest_of(document: str) -> bytes:
    """Returns what names a document in events: its SHA-256, cut to 16 bytes."""
    return hashlib.sha256(document.encode()).digest()[:16]


def shipped_names() -> tuple[str, ...]:
    """Returns the names of the policies that come with the package."""
    return tuple(
        sorted(entry.name[:-5] for entry in files("ledger.policies").iterdir() if entry.name.endswith(".toml"))
    )


def shipped(name: str) -> str:
    """Returns the text of a policy that comes with the package; raises PolicyInvalidError for an unknown name."""
    if name not in shipped_names():
        raise PolicyInvalidError(f"policy: expected a file or one of {', '.join(shipped_names())}, got {name!r}")
    return (files("ledger.policies") / f"{name}.toml").read_text(encoding="utf-8")


def read_policy(document: str, where: str) -> Policy:
    """Returns the policy a document states; ``where`` (its file) begins every error.

    Raises PolicyInvalidError naming file and key path, what was expected and what came.
    """
    return policy_of(document_tree(document, where), where)


def document_tree(document: str, where: str) -> dict[str, Any]:
    """Returns a TOML document as tables; raises PolicyInvalidError where it is no TOML."""
    try:
        return tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalidError(f"{where}: expected TOML: {error}") from None


def policy_of(tree: Mapping[str, Any], where: str) -> Policy:
    """Returns the policy that tables state, as ``read_policy`` does of their text."""
    tree = dict(tree)
    header = _convert(tree.pop("policy", {}), Header, where, "policy")
    if header is not UNREADABLE:
        _check_header(header, where)
    parameters: dict[str, Dated] = {}
    for insutype, tables in tree.items():
        if not _expect(insutype in SECTIONS, where, insutype, f"one of policy, {', '.join(SECTIONS)}", insutype):
            continue
        own_types = SECTIONS[insutype]
        treatments = MED_TYPES if insutype in INSUTYPES else {}
        for name, table in _table(tables, where, insutype).items():
            path = f"{insutype}.{name}"
            if name in own_types:
                parameters[path] = _dated(table, own_types[name], where, path)
                continue
            if not _expect(name in treatments, where, path, f"one of {', '.join((*own_types, *treatments))}", name):
                continue
            for parameter, values in _table(table, where, path).items():
                key = f"{path}.{parameter}"
                if _expect(parameter in TREATMENT_TYPES, where, key, f"one of {', '.join(TREATMENT_TYPES)}", parameter):
                    parameters[key] = _dated(values, TREATMENT_TYPES[parameter], where, key)
    policy = Policy(header, parameters)
    _expect(bool(parameters), where, "employee or resident", "at least one parameter", "none")
    for day in policy.days:
        with following(), resting():
            _check_version(policy, day, where)
    return policy


def _table(value: Any, where: str, path: str) -> dict[str, Any]:
    return dict(value) if _expect(isinstance(value, dict), where, path, "a table", value) else {}


def _dated(table: Any, kind: Any, where: str, path: str) -> Dated:
    """Returns a parameter's values by the day they start."""
    values: dict[int, Any] = {}
    entries = _table(table, where, path)
    _expect(bool(entries), where, path, "a value and the day it starts", entries)
    last = 0
    for key, value in entries.items():
        try:
            day = int(date.fromisoformat(key).strftime("%Y%m%d")) if len(key) == 10 else 0
        except ValueError:
            day = 0
        if not _expect(day > 0, where, f"{path}.{key}", "the day a value starts as its key, like 2023-01-01", key):
            continue
        _expect(day > last, where, f"{path}.{key}", "days in ascending order, each value behind the one it follows",
                key)  # fmt: skip
        last = max(last, day)
        read = _convert(value, form_of(kind, value), where, f"{path}.{key}")
        if read is not UNREADABLE:
            values[day] = read
            with resting():
                check_value(read, where, f"{path}.{key}")
    days = sorted(values)
    return Dated(tuple(days), tuple(values[day] for day in days))


def _convert(value: Any, kind: Any, where: str, path: str) -> Any:
    return _convert_with(value, kind, where, path, _decode)


def _decode(kind: Any, value: Any) -> Any:
    """Returns the language's own types from text; raises ValueError that says what was expected."""
    if kind is Fen or kind is Limit:
        return kind(_fen(value, kind is Limit))
    if kind is Ratio:
        return Ratio(_basis_points(value, 10_000))
    if kind is Factor:
        return Factor(_basis_points(value, 99_999))
    if kind is Weight or kind is PointValue:
        return kind(_ten_thousandths(value))
    if kind is FenByLevel or kind is RatioByLevel:
        return kind(_by_name(value, Fen if kind is FenByLevel else Ratio, "a hospital level or 'default'", _is_level))
    if kind is FenAtLevel:
        at_level = isinstance(value, dict)
        return FenAtLevel(_decode(FenByLevel, value).values if at_level else {EVERY_LEVEL: _fen(value, False)})
    if kind is ByFiling:
        return ByFiling(
            _by_name(value, Factor, f"one of {', '.join(FILING_CLASSES[1:])}", FILING_CLASSES[1:].__contains__)
        )
    raise AssertionError(f"expected a type of the policy language, got {kind!r}")


def _is_level(name: str) -> bool:
    return name == DEFAULT_LEVEL or _LEVEL.fullmatch(name) is not None


def _by_name(value: Any, kind: Any, names: str, known: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"expected a table by {names}, got {value!r}")
    decoded = {}
    for name, entry in value.items():
        if not known(name):
            raise ValueError(f"expected {names}, got {name!r}")
        try:
            decoded[name] = int(_decode(kind, entry))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return decoded


def _fen(value: Any, unlimited: bool) -> int:
    if unlimited and value == "none":
        return NO_LIMIT
    if not isinstance(value, str) or _YUAN.fullmatch(value) is None:
        also = ' or "none"' if unlimited else ""
        raise ValueError(f'expected yuan as text like "1200.00"{also}, got {value!r}')
    yuan, _, cents = value.partition(".")
    return int(yuan) * 100 + int(cents.ljust(2, "0"))


def _ten_thousandths(value: Any) -> int:
    if not isinstance(value, str) or _WEIGHT.fullmatch(value) is None:
        raise ValueError(f'expected a number as text like "1.2345", got {value!r}')
    whole, _, rest = value.partition(".")
    return int(whole) * 10_000 + int(rest.ljust(4, "0"))


def _basis_points(value: Any, largest: int) -> int:
    if isinstance(value, str) and _RATIO.fullmatch(value) is not None:
        whole, _, rest = value.partition(".")
        points = int(whole) * 10_000 + int(rest.ljust(4, "0"))
        if points <= largest:
            return points
    kind = 'a ratio from 0 to 1 as text like "0.8575"' if largest == 10_000 else 'a factor below 10 as text like "1.2"'
    raise ValueError(f"expected {kind}, got {value!r}")


def _check_header(header: Header, where: str) -> None:
    """Raises PolicyInvalidError where ``[policy]`` names no region, prefix, level or fund that can be."""
    parts = tuple(AMOUNTS[at] for at in FUND_PARTS)

    def expect(holds: bool, key: str, expected: str, got: object) -> None:
        _expect(holds, where, f"policy.{key}", expected, got)

    expect(sorted(header.clawback_order) == sorted(parts), "clawback_order", f"each of {', '.join(parts)} once",
           list(header.clawback_order))  # fmt: skip
    check_year_start(header.benefit_year_starts, where)
    for region in header.regions:
        expect(re.fullmatch(r"[0-9]{6}", region) is not None, "regions", "six digits", region)
    for prefix in header.prefixes:
        expect(re.fullmatch(r"[0-9]{2,4}", prefix) is not None, "prefixes", "two to four digits", prefix)
    expect(not header.prefixes or len(header.regions) == 1, "regions", "one region that owns the prefixes",
           list(header.regions))  # fmt: skip
    for level, reads_as in header.levels.items():
        expect(
            level == OTHER_LEVEL or _LEVEL.fullmatch(level) is not None, "levels", f"a level or {OTHER_LEVEL!r}", level
        )
        expect(_is_level(reads_as), f"levels.{level}", f"a level or {DEFAULT_LEVEL!r}", reads_as)


def _check_version(policy: Policy, day: int, where: str) -> None:
    """Raises PolicyInvalidError where the values in force on a day leave a question open."""
    for insutype in INSUTYPES:
        rules = policy.rules_on(insutype, day)
        if rules is not None:
            needed = [name for name in Rules._fields if name not in FUNDS]
            for name in (*needed, *(rules.further_funds_in_order or ())):
                _expect(getattr(rules, name) is not None, where, f"{insutype}.{name}", f"a value on {day}", None)
            check_bases(rules, day, where, insutype)
        for name in MED_TYPES:
            treatment = policy.treatment_on(insutype, name, day)
            if treatment is not None:
                if rules is None:
                    _expect(False, where, insutype, f"rules behind its {name} on {day}", None)
                else:
                    check_treatment(treatment, rules, STATUSES[insutype], day, where, f"{insutype}.{name}")
