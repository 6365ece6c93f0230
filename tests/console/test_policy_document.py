"""docs/policy.md cannot lie: its policy is checked, its commands run, and every key of the language stands in it."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from console.main import main
from ledger.policy_faults import policy_faults
from ledger.policy_sections import SECTIONS
from ledger.policy_terms import TREATMENT_TYPES, Header
from tests.console.documents import ROOT, blocks, differences, examples

DOCUMENT = "docs/policy.md"
STATUS = re.compile(r"\(exit status (\d)\)")


def policy() -> str:
    """Returns the document that the page's blocks are, one after the other."""
    return "\n".join(block for block in blocks(DOCUMENT, "toml") if "[[case]]" not in block)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives a folder with the files the page speaks of, and works in it."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    (tmp_path / "shanshui.toml").write_text(policy(), encoding="utf-8")
    wrong = policy().replace('"0.87"', '"1.87"', 1).replace("floor", "flor", 1)
    (tmp_path / "wrong.toml").write_text(wrong, encoding="utf-8")
    (cases,) = [block for block in blocks(DOCUMENT, "toml") if "[[case]]" in block]
    (tmp_path / "cases.toml").write_text(cases, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SETTLEMENT_STORE", raising=False)
    return tmp_path


def test_the_policy_of_the_page_has_no_fault() -> None:
    """The blocks of the page are one sound policy."""
    assert policy_faults(policy(), "shanshui.toml") == []


def test_every_command_of_the_page_prints_what_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each console block runs, in order, with the output and exit status it shows."""
    commands = examples(DOCUMENT)
    assert len(commands) >= 8
    for command, lines in commands:
        found = [int(match[1]) for line in lines if (match := STATUS.fullmatch(line))]
        shown = tuple(line for line in lines if not STATUS.fullmatch(line))
        status = main(shlex.split(command)[1:])
        captured = capsys.readouterr()
        assert (status, captured.err) == (found[0] if found else 0, ""), f"{command}: {captured}"
        assert differences(shown, captured.out) == [], f"{command}:\n{captured.out}"


def test_every_key_of_the_language_is_on_the_page() -> None:
    """Whatever a policy may say, the page says what it means."""
    page = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    named = set(re.findall(r"`\"?(\w+)\"?`", page))
    kinds = [kind for section in SECTIONS.values() for kind in section.values()]
    words = {*SECTIONS, *TREATMENT_TYPES, *(name for section in SECTIONS.values() for name in section)}
    words |= {key for kind in (Header, *kinds, *TREATMENT_TYPES.values()) for key in keys_of(kind)}
    assert words - named == set()


def keys_of(kind: Any) -> Iterator[str]:
    """Yields the keys and words of a type of the language, through everything it is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield field.encode_name
            yield from keys_of(field.type)
    elif isinstance(kind, str):
        yield kind
    for part in get_args(kind):
        yield from keys_of(part)
