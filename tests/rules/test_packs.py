"""Packs of rules as data: every kind shown at work by a hit and a near miss, every fault found with its line."""

import datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.main import main
from ledger.refusals import Refusal, Refused
from ledger.supervision.bills import run_cases
from ledger.supervision.book import Book, in_force
from ledger.supervision.charges import Bill, net
from ledger.supervision.days import ages, month_number, ordinal
from ledger.supervision.packs import Pack, pack_faults, read_document, read_pack, shipped_packs, version_of
from ledger.supervision.terms import KINDS
from ledger.supervision.volume import generated_pack

HEAD = '[pack]\nname = "p"\ntitle = "t"\nbegin = "2024-01-01"\nsource = "s"\ncases = false\n\n[[rule]]\n'


def shipped() -> list[Pack]:
    """Returns the shipped packs in the order they follow each other."""
    packs = [read_pack(*read_document(name)) for name in shipped_packs()]
    return sorted(packs, key=lambda pack: pack.begin)


def test_the_shipped_packs_grow_from_76_to_158_rules() -> None:
    """The first pack has 76 rules, with the second there are 158; together they show every kind there is."""
    packs = shipped()
    assert [len(state) for state in in_force(packs)] == [76, 158]
    shown = {(rule.kind, rule.by) for pack in packs for rule in pack.rules}
    assert shown == {(kind, by) for kind, forms in KINDS.items() for by in forms}


def test_every_shipped_rule_hits_its_case_and_spares_its_near_miss() -> None:
    """Each of the 158 rules has a case that violates it and one that nearly does; all come out."""
    packs = shipped()
    for pack in packs:
        assert all(rule.hit and rule.miss for rule in pack.rules)
        count, missed = run_cases(pack, Book(packs))
        assert missed == []
        assert count >= 2 * len(pack.rules)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_cases_notice_when_a_rule_is_not_the_one_they_show(kind: str) -> None:
    """With hits and near misses exchanged, every case of every kind is reported."""
    packs = shipped()
    rules = [rule for pack in packs for rule in pack.rules if rule.kind == kind]
    turned = tuple(msgspec.structs.replace(rule, hit=rule.miss, miss=rule.hit) for rule in rules)
    count, missed = run_cases(msgspec.structs.replace(packs[0], rules=turned), Book(packs))
    assert len(missed) == count > 0


FAULTS = {
    "unknown kind": ('code = "A"\nkind = "odd"\ntitle = "t"\nresult = "definite"\n', 10, "rule[0].kind"),
    "unknown result": ('code = "A"\nkind = "after_death"\ntitle = "t"\nresult = "odd"\n', 12, "rule[0].result"),
    "unknown key": ('code = "A"\nkind = "after_death"\ntitle = "t"\nresult = "definite"\nodd = 1\n', 13, "rule[0].odd"),
    "bad code": ('code = "a b"\nkind = "after_death"\ntitle = "t"\nresult = "definite"\n', 9, "rule[0].code"),
    "wrong by": (
        'code = "A"\nkind = "over_scope"\ntitle = "t"\nresult = "definite"\nby = "height"\nitems = ["X"]\n',
        13,
        "rule[0].by",
    ),
    "needs a limit": (
        'code = "A"\nkind = "over_standard"\ntitle = "t"\nresult = "definite"\nby = "dose"\nitems = ["X"]\n',
        8,
        "rule[0].limit",
    ),
    "limit too fine": (
        'code = "A"\nkind = "over_standard"\n'
        'title = "t"\nresult = "definite"\nby = "dose"\nitems = ["X"]\nlimit = "1.00001"\n',
        15,
        "rule[0].limit",
    ),
    "limit of another kind": (
        'code = "A"\nkind = "after_death"\ntitle = "t"\nresult = "definite"\nlimit = "3"\n',
        13,
        "rule[0].limit",
    ),
    "needs a window": (
        'code = "A"\nkind = "same_price"\ntitle = "t"\nresult = "definite"\nitems = ["X"]\n',
        8,
        "rule[0].window",
    ),
    "window of another kind": (
        'code = "A"\nkind = "after_death"\ntitle = "t"\nresult = "definite"\nwindow = "day"\n',
        13,
        "rule[0].window",
    ),
    "unknown name": (
        'code = "A"\nkind = "over_scope"\n'
        'title = "t"\nresult = "definite"\nby = "sex"\nitems = ["X"]\nallowed = ["x"]\n',
        15,
        "rule[0].allowed[0]",
    ),
    "unknown scope": (
        'code = "A"\nkind = "after_death"\ntitle = "t"\nresult = "definite"\nscope = { level = ["4"] }\n',
        13,
        "rule[0].scope.level[0]",
    ),
    "more parts than items": (
        'code = "A"\nkind = "split"\n'
        'title = "t"\nresult = "definite"\nby = "parts"\nwindow = "day"\n'
        'items = ["X", "Y"]\nleast = 3\n',
        16,
        "rule[0].least",
    ),
    "ages upside down": (
        'code = "A"\nkind = "over_scope"\n'
        'title = "t"\nresult = "definite"\nby = "age"\nitems = ["X"]\nages = [14, 3]\n',
        15,
        "rule[0].ages",
    ),
    "a line of a case": (
        'code = "A"\nkind = "after_death"\n'
        'title = "t"\nresult = "definite"\nhit = [\n  { lines = ["X times 2"] },\n]\n',
        14,
        "rule[0].hit[0].lines[0]",
    ),
    "no TOML": ("code = \n", 9, "the document"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_line_and_key(name: str) -> None:
    """Each thing a pack can get wrong is one fault: file, line, key, expected, got; reading such a pack is refused."""
    body, line, path = FAULTS[name]
    found = pack_faults(HEAD + body, "p.toml")
    assert [(each.file, each.line, each.path) for each in found] == [("p.toml", line, path)]
    with pytest.raises(Refused) as refused:
        read_pack(HEAD + body, "p.toml")
    assert refused.value.refusal == Refusal.RULES_INVALID
    assert str(refused.value).startswith(f"p.toml:{line}: {path}: expected ")


def test_a_code_stands_once_and_a_rule_shows_its_cases() -> None:
    """The second rule of one code is a fault, and so is a rule of a hand-written pack without cases."""
    rule = 'code = "A"\nkind = "after_death"\ntitle = "t"\nresult = "definite"\n'
    twice = pack_faults(f"{HEAD}{rule}\n[[rule]]\n{rule}", "p.toml")
    assert [(each.line, each.path) for each in twice] == [(15, "rule[1].code")]
    silent = pack_faults(HEAD.replace("cases = false\n", "") + rule, "p.toml")
    assert sorted(each.path for each in silent) == ["rule[0].hit", "rule[0].miss"]


def test_a_generated_pack_is_the_size_asked_for_and_always_the_same() -> None:
    """7,566 instances of at least eight kinds, half of them with a window, without a fault."""
    document = generated_pack(7_566, 2_000)
    assert document == generated_pack(7_566, 2_000)
    pack = read_pack(document, "generated")
    assert len(pack.rules) == 7_566
    assert len({(rule.kind, rule.by) for rule in pack.rules}) >= 8
    assert sum(rule.window is not None for rule in pack.rules) >= 0.3 * 7_566
    assert len({version_of(rule) for rule in pack.rules}) > 7_000


def test_a_title_is_no_version_and_a_limit_is() -> None:
    """Another title leaves a rule the version it was; another limit makes it another one."""
    (rule, *_) = (rule for rule in shipped()[0].rules if rule.limit)
    assert version_of(msgspec.structs.replace(rule, title="x", hit=(), miss=())) == version_of(rule)
    assert version_of(msgspec.structs.replace(rule, limit="999")) != version_of(rule)


DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2200, 1, 1))


def number(day: datetime.date) -> int:
    """Returns a date as yyyymmdd."""
    return int(day.strftime("%Y%m%d"))


@given(DAYS, DAYS)
def test_days_are_as_far_apart_as_the_calendar_says(a: datetime.date, b: datetime.date) -> None:
    """Ordinals, months and ages follow the calendar, leap days included."""
    assert ordinal(number(a)) - ordinal(number(b)) == (a - b).days
    assert month_number(number(a)) == a.year * 12 + a.month - 1
    age = int(ages(np.array([number(b)]), np.array([number(a)]))[0])
    assert age < 0 if a < b else age == a.year - b.year - ((a.month, a.day) < (b.month, b.day))


def test_what_is_given_back_takes_away_from_the_latest_lines() -> None:
    """Three pieces and two, of which four are given back, leave one of the first; other items stay."""
    bill = Bill(
        visit=np.array([0, 0, 0, 0, 1]),
        items=["A", "A", "B", "A", "A"],
        day=np.array([1, 2, 2, 3, 2]),
        cnt=np.array([30_000, 20_000, 10_000, -40_000, 10_000]),
        pric=np.full(5, 10**6),
        amount=np.array([300, 200, 100, -400, 100]),
    )
    left = net(bill)
    assert left.cnt.tolist() == [10_000, 0, 10_000, 0, 10_000]
    assert left.amount.tolist()[:3] == [100, 0, 100]


def test_the_commands_check_show_test_and_generate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rules check|test` exit 0 for the shipped packs and 1 for a wrong one; `show` lists, `generate` writes a pack."""
    names = list(shipped_packs())
    assert main(["rules", "check", *names]) == 0
    assert "2 packs, nothing is wrong" in capsys.readouterr().out
    assert main(["rules", "test", *names]) == 0
    assert "158 rules, 381 cases, 0 missed" in capsys.readouterr().out
    wrong = tmp_path / "wrong.toml"
    document = read_document("national-2024-01")[0]
    wrong.write_text(document.replace('allowed = ["female"]', 'allowed = ["male"]', 1), encoding="utf-8")
    assert main(["rules", "check", str(wrong)]) == 0
    assert main(["rules", "test", str(wrong)]) == 1
    assert "SX01 hit 1: expected a violation, got none" in capsys.readouterr().out
    wrong.write_text(document.replace('allowed = ["female"]', 'allowed = ["women"]', 1), encoding="utf-8")
    assert main(["rules", "check", str(wrong)]) == 1
    assert "rule[0].allowed[0]: expected one of male, female, got 'women'" in capsys.readouterr().out
    assert main(["rules", "show", "national-2024-07", "--on", "2024-06-30"]) == 0
    assert "76 rules" in capsys.readouterr().out
    assert main(["rules", "show", "national-2024-07", "--rule", "PE03"]) == 0
    assert "impossible_frequency" in capsys.readouterr().out
    made = tmp_path / "made.toml"
    assert main(["rules", "generate", str(made), "--rules", "50"]) == 0
    assert main(["rules", "check", str(made)]) == 0


def test_the_document_on_rules_shows_what_there_is(tmp_path: Path) -> None:
    """docs/rules.md names every kind and form, its example is a pack without a fault whose cases come out."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    for kind, forms in KINDS.items():
        assert kind in text
        assert all(by in text for by in forms)
    document = text.split("```toml\n")[1].split("```")[0]
    pack = read_pack(document, "docs/rules.md")
    assert run_cases(pack, Book([pack])) == (2, [])
