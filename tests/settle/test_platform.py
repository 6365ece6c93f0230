"""The shared platform set: every row that is booked, by both twins, equals what is expected of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from core_ext.layout import AMOUNT, AMOUNTS, HOW
from core_ext.reference import benefit
from core_ext.reference import settle as reference
from ledger.plans import PolicyBook
from ledger.policy import read_policy
from ledger.refusals import Refusal
from ledger.regions import RELATIONS
from ledger.registers import FILING_CLASSES
from tests.settle import platform
from tests.settle.claims import TWINS, yuan

#: Every one of them reads it.
pytestmark = pytest.mark.samples


@pytest.fixture(scope="module")
def book() -> PolicyBook:
    """Returns a book with the policies of every area."""
    return platform.policy_book()


@pytest.fixture(scope="module")
def claims(book: PolicyBook) -> platform.Platform:
    """Returns the platform's claims as tables."""
    return platform.load(book)


def named(row: Any, names: Mapping[str, Any]) -> dict[str, str]:
    """Returns those amounts of a row that an expectation names, as yuan text."""
    return {name: yuan(int(row[AMOUNT[name]])) for name in AMOUNTS if name in names}


def differences(out: platform.Settled, claims: platform.Platform) -> list[tuple[int, object, object]]:
    """Returns (row, expected, got) of every row that comes out otherwise."""
    found: list[tuple[int, object, object]] = []
    for row, line in enumerate(claims.expected):
        if line["outcome"] == "booked":
            expected = {name: line[name] for name in AMOUNTS if name in line} | {"balc": line["balc"]}
            got = named(out.booked[row], line) | {"balc": yuan(int(out.balc[row]))}
            if out.code[row]:
                got = {"refused": Refusal(int(out.code[row])).code}
            if "how" in line:
                how = dict(zip(HOW, out.how[row].tolist(), strict=True))
                expected["how"] = {name: text for name, text in line["how"].items() if name != "policy_from"}
                got["how"] = {
                    "relation": RELATIONS[how["relation"]],
                    "filing": FILING_CLASSES[how["filing"]],
                    "first_selfpay": yuan(how["first_selfpay"]),
                    "over_ceiling": yuan(how["over_ceiling"]),
                }
            if "computed" in line:
                expected |= {"computed": line["computed"], "differs": line["differs"]}
                got["computed"] = named(out.computed[row], line["computed"])
                got["differs"] = {
                    name: yuan(int(out.booked[row, at] - out.computed[row, at]))
                    for name, at in AMOUNT.items()
                    if out.booked[row, at] != out.computed[row, at]
                }
            elif "how" in line:
                expected["computed"], got["computed"] = named(out.booked[row], AMOUNT), named(out.computed[row], AMOUNT)
        else:
            kernel = line.get("reason") in platform.KERNEL_REASONS
            expected, got = (line["reason"], Refusal(int(out.code[row])).code) if kernel else (0, int(out.code[row]))
            if out.booked[row].any() or out.delta[row].any():
                got = "has an effect"
        if expected != got:
            found.append((row + 1, expected, got))
    return found


@pytest.mark.parametrize("twin", TWINS)
def test_every_row_equals_its_expectation(book: PolicyBook, claims: platform.Platform, twin: str) -> None:
    """All 8,278 booked rows, and what the kernel refuses, come out as the platform says."""
    out = platform.settle_all(TWINS[twin], book, claims)
    assert differences(out, claims) == []
    assert sum(line["outcome"] == "booked" for line in claims.expected) >= 8000


def test_versions_are_those_of_the_platform(claims: platform.Platform) -> None:
    """The version in force on the day of setl_time is the one the platform names."""
    policies = {region: read_policy(text, str(region)) for region, text in platform.policy_documents().items()}
    for row, line in enumerate(claims.expected):
        if "how" in line:
            facts = claims.facts[row]
            version = policies[int(facts[3])].version_on(int(facts[11]) // 10**6)
            assert version == platform.digits(line["how"]["policy_from"])


@pytest.mark.parametrize(
    ("altered", "name"),
    [
        (lambda fen, ratio: fen * ratio // benefit.RATIO_ONE, "share"),
        (lambda payment, ratio: payment * benefit.RATIO_ONE // ratio, "cost_of"),
    ],
)
def test_an_altered_rounding_is_caught(
    book: PolicyBook, claims: platform.Platform, monkeypatch: pytest.MonkeyPatch, altered: Any, name: str
) -> None:
    """A copy of the specification that cuts instead of rounding half-up does not pass for the platform's."""
    monkeypatch.setattr(benefit, name, altered)
    assert differences(platform.settle_all(reference.settle, book, claims), claims)
