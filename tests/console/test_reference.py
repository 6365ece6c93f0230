"""The command line documents itself, and the document is current."""

from console.main import application
from console.reference import commands, reference
from tests.console.documents import ROOT


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
