"""Reads the policies of a sweep: the documents of a folder, one document, or a grid over parameters of one.

A grid names a policy (a file beside it, or a shipped one) and lists values by key, as `policy diff` writes keys::

    policy = "qingyuan"
    [grid]
    "resident.inpatient.segments.2020-01-01[0].ratio.resident.3" = ["0.60", "0.65", "0.70"]

Every combination of the values is a variant; the last key varies fastest.
"""

import copy
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ledger.policy import Policy, digest_of, document_tree, policy_of, read_policy, shipped_names
from ledger.refusals import Refusal, Refused
from ledger.verbs.policies import read_document

#: How many variants one sweep takes: each is compiled whole.
MOST = 4_096

_STEP = re.compile(r"([^.\[\]]+)((?:\[\d+\])*)")


class Variant(NamedTuple):
    """Is one policy of a sweep: its name, the grid's value of each key, the policy, and what names it."""

    name: str
    settings: tuple[str, ...]
    policy: Policy
    digest: bytes


def read_variants(policies: str | Path) -> tuple[tuple[str, ...], list[Variant]]:
    """Returns the keys of the grid, none where there is no grid, and the variants in order.

    Raises Refused for a folder without documents, a grid that is none, and a document that is no policy.
    """
    path = Path(policies)
    if path.is_dir():
        files = sorted(path.glob("*.toml"))
        _expect(bool(files), str(path), "policy documents (.toml)", "none")
        return (), [_document(file.stem, file) for file in files]
    text, where = read_document(policies)
    tree = document_tree(text, where)
    return _grid(tree, where, path.parent) if "grid" in tree else ((), [_document(path.stem, policies)])


def _document(name: str, file: str | Path) -> Variant:
    text, where = read_document(file)
    return Variant(name, (), read_policy(text, where), digest_of(text))


def _grid(tree: dict[str, Any], where: str, folder: Path) -> tuple[tuple[str, ...], list[Variant]]:
    _expect(set(tree) == {"policy", "grid"}, where, "policy and [grid] and nothing else", ", ".join(sorted(tree)))
    base, grid = tree["policy"], tree["grid"]
    _expect(isinstance(base, str), f"{where}: policy", "a file or the name of a shipped policy", repr(base))
    _expect(isinstance(grid, dict) and bool(grid), f"{where}: grid", "lists of values by key", repr(grid))
    number = 1
    for key, values in grid.items():
        _expect(isinstance(values, list) and bool(values), f"{where}: grid.{key}", "a list of values", repr(values))
        number *= len(values)
    _expect(number <= MOST, f"{where}: grid", f"at most {MOST:,} variants", f"{number:,}")
    text, origin = read_document(base if base in shipped_names() else folder / base)
    document = document_tree(text, origin)
    return tuple(grid), list(_combined(document, grid, where, text))


def _combined(document: dict[str, Any], grid: dict[str, list[Any]], where: str, text: str) -> Iterator[Variant]:
    for at, values in enumerate(itertools.product(*grid.values()), 1):
        changed = copy.deepcopy(document)
        for key, value in zip(grid, values, strict=True):
            _put(changed, key, value, where)
        settings = tuple(each if isinstance(each, str) else json.dumps(each) for each in values)
        said = ", ".join(f"{key} = {value}" for key, value in zip(grid, settings, strict=True))
        stated = json.dumps([text, list(grid), values], sort_keys=True)
        yield Variant(f"v{at}", settings, policy_of(changed, f"{where}: {said}"), digest_of(stated))


def _put(tree: Any, key: str, value: Any, where: str) -> None:
    """Puts a value behind a key that the document has; raises Refused where it has none."""
    steps: list[str | int] = []
    for name, places in _STEP.findall(key):
        steps += [name, *(int(each) for each in re.findall(r"\d+", places))]
    at = tree
    for number, step in enumerate(steps):
        there = step in at if isinstance(at, dict) else isinstance(at, list) and step in range(len(at))
        if not there:
            have = ", ".join(map(str, at)) if isinstance(at, dict) else f"{len(at)} entries" if at else "no table"
            so_far = ".".join(map(str, steps[:number])) or "the document"
            known = f"a key of the policy, as `policy diff` writes it: {so_far} has {have}"
            _expect(False, f"{where}: grid.{key}", known, str(step))
        if number + 1 < len(steps):
            at = at[step]
    _expect(bool(steps), f"{where}: grid", "a key of the policy", repr(key))
    at[steps[-1]] = value


def _expect(holds: bool, where: str, expected: str, got: str) -> None:
    if not holds:
        raise Refused(Refusal.SWEEP_INVALID, f"{where}: expected {expected}, got {got}")
