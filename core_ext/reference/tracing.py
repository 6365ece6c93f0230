"""Evaluates the specification of a benefit while it writes down how every amount came about.

Nothing is computed here: a private copy of ``core_ext.reference.benefit`` runs with its functions wrapped, so what is
told is what was evaluated, whatever steps that module has.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib.util import find_spec, module_from_spec
from typing import Any, NamedTuple

from core_ext.plan import RATIO_ONE
from core_ext.reference.benefit import Benefit, Row

SPECIFICATION = "core_ext.reference.benefit"


class Product(NamedTuple):
    """Is one rounding: ``fen`` × ``ratio`` (of RATIO_ONE parts) = ``paid`` fen."""

    fen: int
    ratio: int
    paid: int


class Working(NamedTuple):
    """Is one evaluated rule of the specification.

    ``rule`` is its own words; ``inputs`` the named amounts it read, in fen: facts, the year so far, amounts of earlier
    steps; ``columns`` the columns of the plan it read; ``amount`` what it gave.
    """

    name: str
    rule: str
    inputs: dict[str, int]
    columns: tuple[str, ...]
    products: tuple[Product, ...]
    amount: int


class Written(NamedTuple):
    """Is an amount of the settlement, by its national name, and the rules evaluated for it, in order."""

    field: str
    amount: int
    workings: tuple[Working, ...]


class _Named(int):
    """Is an integer that knows the column it was read from."""

    column: str
    kind: str


class _Watched(Mapping[str, int]):
    """Is a row whose reads are noted: columns of the plan, and named amounts."""

    def __init__(self, row: Mapping[str, int], name: str, trace: "_Trace") -> None:
        self._row, self._name, self._trace = row, name, trace

    def __getitem__(self, key: str) -> int:
        value = self._row[key]
        self._trace.read(self._name, key, value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


class _Trace:
    """Is what one evaluation has noted so far."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self.workings: list[Working] = []
        self.depth = 0
        self.inputs: dict[str, int] = {}
        self.columns: dict[str, None] = {}
        self.products: list[Product] = []

    def read(self, name: str, key: str, value: int) -> None:
        if isinstance(value, _Named):
            name, key = value.kind, value.column
        if name == "plan":
            self.columns.setdefault(key)
        else:
            self.inputs[f"year.{key}" if name == "year" else key] = int(value)

    def write(self, field: str, amount: int) -> None:
        self.written.append(Written(field, amount, tuple(self.workings)))
        self.workings = []


class Evaluation:
    """Is the specification, ready to be evaluated with its working shown; one claim after the other, by one thread."""

    def __init__(self) -> None:
        self._trace = _Trace()
        spec = find_spec(SPECIFICATION)
        assert spec is not None
        assert spec.loader is not None
        copy = module_from_spec(spec)
        spec.loader.exec_module(copy)
        inner = {name: each for name, each in vars(copy).items() if inspect.isfunction(each)}
        self._benefit = inner.pop("benefit")
        for name, function in inner.items():
            setattr(copy, name, _noted(function, self._trace))
        vars(copy)["dict"] = _amounts_of(self._trace)

    def benefit(self, plan: Row, facts: Row, year: Row, balance: int) -> tuple[Benefit, list[Written]]:
        """Returns what ``benefit`` returns, and every amount in the order in which it was written."""
        self._trace.written, self._trace.workings = [], []
        gives = self._benefit(_named(plan, "plan"), _named(facts, "facts"), _named(year, "year"), balance)
        amounts = {name: int(fen) for name, fen in gives.amounts.items()}
        return Benefit(amounts, *gives[1:]), self._trace.written


def _named(row: Row, kind: str) -> dict[str, int]:
    named: dict[str, int] = {}
    for column, value in row.items():
        named[column] = each = _Named(value)
        each.column, each.kind = column, kind
    return named


def _amounts_of(trace: _Trace) -> type[dict[str, int]]:
    """Returns the type of the amounts of a settlement: a dict that notes what is written into it."""

    class Amounts(dict[str, int]):
        def __setitem__(self, field: str, amount: int) -> None:
            trace.write(field, int(amount) - self.get(field, 0))
            super().__setitem__(field, int(amount))

        @classmethod
        def fromkeys(cls, names: Any, value: Any = None) -> Any:
            return cls((name, value) for name in names)

    return Amounts


def _noted(function: Callable[..., Any], trace: _Trace) -> Callable[..., Any]:
    """Returns a rule of the specification that notes what it reads and gives; rules inside it are part of it."""
    names = tuple(inspect.signature(function).parameters)
    rule = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split()).removeprefix("Returns ")

    @wraps(function)
    def evaluated(*given: Any) -> Any:
        if trace.depth == 0:
            trace.inputs, trace.columns, trace.products = {}, {}, []
            for name, each in zip(names, given, strict=False):
                if isinstance(each, int):
                    trace.inputs[name] = int(each)
        watched = [
            _Watched(each, name, trace) if isinstance(each, Mapping) and not isinstance(each, _Watched) else each
            for name, each in zip(names, given, strict=False)
        ]
        trace.depth += 1
        try:
            result = function(*watched)
        finally:
            trace.depth -= 1
        if function.__name__ == "share" and given[0] and given[1] not in (0, RATIO_ONE):
            trace.products.append(Product(int(given[0]), int(given[1]), int(result)))
        if trace.depth == 0:
            _note(trace, function.__name__, rule, result)
        return int(result) if isinstance(result, int) and not isinstance(result, bool) else result

    return evaluated


def _note(trace: _Trace, name: str, rule: str, result: Any) -> None:
    """Notes a rule that gave an amount, or parts of one; what only prepares other rules is not a step."""
    if isinstance(result, list) and result and isinstance(result[0], tuple):
        amount = sum(int(part[-1]) for part in result)
    elif isinstance(result, int) and not isinstance(result, bool):
        amount = int(result)
    else:
        return
    trace.workings.append(Working(name, rule, dict(trace.inputs), tuple(trace.columns), tuple(trace.products), amount))
