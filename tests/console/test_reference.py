"""The command line documents itself, and the document is current."""

from pathlib import Path

import pytest

from console.main import application
from console.reference import commands, options, reference
from tests.console.documents import ROOT, mentions


def test_the_reference_is_current() -> None:
    """docs/cli.md is what the commands say today (else: run `make docs`)."""
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference()


def test_every_command_is_documented() -> None:
    """Each command has its section in the reference, and a sentence that says what it does."""
    text = reference()
    found = list(commands(application()))
    assert len(found) >= 20
    for words, app in found:
        assert f"## `settlement {' '.join(words)}`" in text
        assert (app.default_command.__doc__ or "").strip()


def test_every_argument_is_explained() -> None:
    """No option stands in the reference without a text."""
    bare = [line for line in reference().splitlines() if line.startswith("- `") and line.endswith("` ")]
    assert bare == []


def test_the_readme_names_every_command() -> None:
    """A newcomer finds each command in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [
        " ".join(words) for words, _ in commands(application()) if f"settlement {' '.join(words)}" not in readme
    ] == []


DOCUMENTS = [
    "README.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in ("cli.md", "events.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_running_text_is_one(document: str) -> None:
    """What a document says to type between backticks is a command, and every option there is one of its own."""
    known = {words: options(app) for words, app in commands(application())}
    groups = {words[:n] for words in known for n in range(1, len(words))}
    for mention in mentions(document, {*known, *groups}):
        assert mention.words, f"{document}: `{mention.text}`: expected a command"
        allowed = known.get(mention.words, frozenset(["--help"]))
        assert set(mention.options) <= allowed, f"{document}: `{mention.text}`: expected one of {sorted(allowed)}"


def test_a_command_that_is_none_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of running text with the commands can fail."""
    monkeypatch.setattr("tests.console.documents.ROOT", tmp_path)
    (tmp_path / "x.md").write_text(
        "Run `settlement setle` or `pay confirm KEY --recept R`, then `close`.", encoding="utf-8"
    )
    first, second = mentions("x.md", {words for words, _ in commands(application())})
    assert (first.words, second.words, second.options) == ((), ("pay", "confirm"), ("--recept",))
    assert "--recept" not in options(dict(commands(application()))["pay", "confirm"])
