"""Checking a policy file: every fault at once, each with file, line, key path, what was expected and what came."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.policy import shipped, shipped_names
from ledger.policy_faults import policy_faults
from ledger.toml_lines import key_lines, line_of
from ledger.working_days import CalendarUnpublishedError, add_working_days, is_working_day, published_years
from tests.policy.documents import SMALL

# What is put wrong in one document, all at once, and the key path and expectation each comes back with.
WRONG = [
    ('{ 9 = "1" }', '{ 9 = "one" }', "policy.levels.9", "a level or 'default'"),
    ('variant = "V1"', 'variant = "V5"\nvar = "x"', "employee.off_site.2023-01-01.variant", "one of none, V1"),
    ('"100000.00"', '"1,00"', "employee.ceiling_yearly_payment.2023-01-01", "yuan as text like"),
    ('2023-07-01 = "none"', '2023-07-01 = "none"\n2023-03-01 = "none"', "employee.ceiling_yearly_payment.2023-03-01",
     "days in ascending"),
    ('temporary = "1.5", unfiled = "3"', 'temporary = "11", unfild = "3"',
     "employee.off_site.2024-01-01.cross_province.temporary", "a factor below 10"),
    ("[employee.hifob]", "[employee.hifbo]", "employee.hifbo", "one of off_site"),
    ('floor = "0"', 'flor = "0"', "employee.inpatient.deductible.2023-01-01.flor", "one of first_stay"),
    ('1 = "0.8575"', '1 = "1.01"', "employee.inpatient.segments.2023-01-01[0].ratio.active.1", "a ratio from 0 to 1"),
]  # fmt: skip
ALSO = {
    "employee.off_site.2023-01-01.var": "one of variant",
    "employee.off_site.2024-01-01.cross_province.unfild": "one of long_term",
    "employee.inpatient.deductible.2023-01-01": "a value for floor",
    "employee.hifob": "a value on 20230101",
}


def test_every_fault_is_found_at_once_and_on_its_line() -> None:
    """A document with many faults comes back with all of them, on the lines where they stand, and no others."""
    text = SMALL
    for old, new, _, _ in WRONG:
        assert old in text
        text = text.replace(old, new, 1)
    found = {fault.path: fault for fault in policy_faults(text, "wrong.toml")}
    expected = {path: words for _, _, path, words in WRONG} | ALSO
    assert set(found) == set(expected)
    lines = text.splitlines()
    for path, words in expected.items():
        assert found[path].expected.startswith(words), path
        assert found[path].file == "wrong.toml"
    for _, new, path, _ in WRONG:
        assert any(part in lines[found[path].line - 1] for part in new.split("\n")), path
    assert str(found["policy.levels.9"]) == ("wrong.toml:7: policy.levels.9: expected a level or 'default', got 'one'")


@pytest.mark.parametrize("old_new_expected", [
    ('above = "10000"', 'above = "12000"', "10000.00, where the piece before ends", "'12000.00'"),
    ('above = "10000"', 'above = "9000"', "10000.00, where the piece before ends", "'9000.00'"),
    (', up_to = "10000"', "", "nothing behind a piece without end", "'10000.00'"),
    ('up_to = "10000"', 'up_to = "0"', "more than 0.00", "'0.00'"),
], ids=["a gap", "an overlap", "behind the last", "edges out of order"])  # fmt: skip
def test_segments_follow_each_other(old_new_expected: tuple[str, str, str, str]) -> None:
    """A gap, an overlap, a segment behind the last and edges out of order are each named at the segment."""
    old, new, expected, got = old_new_expected
    found = policy_faults(SMALL.replace(old, new, 1), "x.toml")
    assert found
    assert (found[0].expected, found[0].got) == (expected, got)
    assert found[0].path.startswith("employee.inpatient.segments.2023-01-01[")


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_policies_have_no_fault(name: str) -> None:
    """Nothing is wrong with a policy that ships, and checking agrees with reading."""
    assert policy_faults(shipped(name), name) == []
    assert policy_faults(SMALL, "small.toml") == []


def test_text_that_is_no_toml_is_one_fault_on_its_line() -> None:
    """A syntax error, and a day that is written twice, name the line at which reading stopped."""
    (fault,) = policy_faults(SMALL.replace("[employee.hifob]", "[employee.hifob"), "x.toml")
    assert SMALL.splitlines()[fault.line - 1] == "[employee.hifob]"
    twice = SMALL.replace('2023-07-01 = "none"', '2023-01-01 = "none"')
    (fault,) = policy_faults(twice, "x.toml")
    assert (fault.expected, fault.got) == ("TOML", "Cannot overwrite a value")
    assert twice.splitlines()[fault.line - 1] == '2023-01-01 = "none"'


CLEARING = """
[clearing.working_days]
2024-01-01 = { submit = 5, transfer = 10, record = 5 }
"""


def test_a_year_without_a_published_calendar_is_a_fault_where_working_days_count() -> None:
    """Working days need the calendar of every year from their first to the last the document or the reader names."""
    assert policy_faults(SMALL + CLEARING, "x.toml") == []
    last = max(published_years())
    (fault,) = policy_faults(SMALL + CLEARING, "x.toml", until=last + 1)
    assert fault.path == "clearing.working_days.2024-01-01"
    assert "published working-day calendar" in fault.expected
    assert fault.got == str(last + 1)
    later = SMALL.replace("2024-01-01", f"{last + 2}-01-01")
    assert [each.got for each in policy_faults(later + CLEARING, "x.toml")] == [str(last + 1), str(last + 2)]
    assert policy_faults(later, "x.toml", until=last + 9) == []


def test_working_days_are_those_the_state_council_published() -> None:
    """Spring Festival is off, a Sunday worked in its stead is not, and an unpublished year has no working days."""
    from datetime import date

    assert not is_working_day(date(2024, 2, 13))
    assert is_working_day(date(2024, 2, 18))
    assert not is_working_day(date(2024, 2, 25))
    assert add_working_days(date(2024, 2, 9), 2) == date(2024, 2, 19)
    with pytest.raises(CalendarUnpublishedError, match="got 2099"):
        is_working_day(date(2099, 1, 1))


TOML = """\
title = "x" # a comment
"quoted.key" = 1
a.b = [ # numbers
  1, 2,
  { c = "}]#", d = ['x', \"\"\"
multi ] line\"\"\"] },
]

[t.u]
k = 1979-05-27 07:32:00
'lit' = '''
lines = 1
'''
[[many]]
x = 1
[[many]]
x = 2
[many.inner]
y = 3
"""


def test_lines_of_keys() -> None:
    """Each key, table and entry of an array is found on the line where it stands, whatever strings hold."""
    lines = key_lines(TOML)
    assert {path: lines[path] for path in (
        "title", "quoted.key", "a", "a.b", "a.b[0]", "a.b[1]", "a.b[2]", "a.b[2].c", "a.b[2].d[1]", "t.u", "t.u.k",
        "t.u.lit", "many", "many[0].x", "many[1]", "many[1].x", "many[1].inner.y",
    )} == {
        "title": 1, "quoted.key": 2, "a": 3, "a.b": 3, "a.b[0]": 4, "a.b[1]": 4, "a.b[2]": 5, "a.b[2].c": 5,
        "a.b[2].d[1]": 5, "t.u": 9, "t.u.k": 10, "t.u.lit": 11, "many": 14, "many[0].x": 15, "many[1]": 16,
        "many[1].x": 17, "many[1].inner.y": 19,
    }  # fmt: skip
    assert "lines" not in lines
    assert line_of(lines, "t.u.missing.deep[3]") == 9
    assert line_of(lines, "nothing") == 1


def paths(value: Any, path: str = "") -> set[str]:
    """Returns the key paths of everything tomllib read."""
    found = {path} if path else set()
    if isinstance(value, dict):
        for name, part in value.items():
            found |= paths(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            found |= paths(part, f"{path}[{at}]")
    return found


TEXTS = st.text(st.sampled_from("ab#\"'[]{}=,. \\n中"), max_size=6)
VALUES = st.recursive(
    st.integers() | st.booleans() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def toml(value: Any, spread: bool) -> str:
    """Returns a value as TOML; lists over several lines where ``spread``."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(part, False)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        gap = "\n  # , ] a comment\n" if spread else " "
        return "[" + "".join(f"{gap}{toml(part, spread)}," for part in value) + gap + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@given(st.dictionaries(st.sampled_from(["k", "l", '"q#"', "m.n"]), VALUES, min_size=1), st.booleans())
def test_the_scanner_sees_what_tomllib_reads(pairs: dict[str, Any], spread: bool) -> None:
    """On any document the scanner finds exactly the key paths that tomllib reads, in ascending lines at the top."""
    text = "[t]\n" + "\n".join(f"{key} = {toml(value, spread)}" for key, value in pairs.items())
    lines = key_lines(text)
    assert set(lines) == paths(tomllib.loads(text))
    tops = [lines[f"t.{key.strip(chr(34))}"] for key in pairs]
    assert tops == sorted(tops)
