"""Writes docs/cli.md from the commands themselves: ``python -m console.reference docs/cli.md``."""

import sys
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App, ArgumentCollection
from docstring_parser import parse

from console.main import EPILOGUE, PARAMETERS, application
from console.options import Options

HEAD = """# The command line

Written by `make docs` from the commands themselves; a test fails when it is not current.

Amounts on the command line are yuan with at most two decimals; amounts in `--json` are integers of fen, named `…_fen`.
Progress goes to stderr, and only to a terminal. Errors are one line on stderr, `settlement: <code>: <text>`;
with `--json` they are the object `{"error": code, "message": text}` on stdout.
"""


def commands(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Yields every command with its words, in the order of ``--help``; a group that does nothing itself is left out."""
    for name in app:
        if name.startswith("-"):
            continue
        child = app[name]
        if child.default_command is not None:
            yield (*path, name), child
        yield from commands(child, (*path, name))


def options(app: App) -> frozenset[str]:
    """Returns every name of a command's options, those of every command among them."""
    return frozenset(name for argument in _collected(app) for name in argument.names if name.startswith("--"))


def reference() -> str:
    """Returns the whole reference as Markdown."""
    parts = [HEAD, EPILOGUE, "", "## Options of every command", ""]
    parts += [f"- `{names}` {text}" for names, text in _shared()]
    for words, app in commands(application()):
        parts += ["", f"## `settlement {' '.join(words)}`", "", *_command(app)]
    return "\n".join(parts) + "\n"


def _command(app: App) -> Iterator[str]:
    parsed = parse(app.default_command.__doc__ or "")
    yield from (line for line in (parsed.short_description, parsed.long_description) if line)
    shared = _shared()
    own = [each for each in _arguments(_collected(app)) if each not in shared]
    if own:
        yield ""
    for names, text in own:
        yield f"- `{names}` {text}"


def _shared() -> list[tuple[str, str]]:
    def nothing(*, options: Options) -> None:
        """Take every shared option."""

    return list(_arguments(_collected(App(default_command=nothing))))


def _collected(app: App) -> ArgumentCollection:
    return app.assemble_argument_collection(default_parameter=PARAMETERS, parse_docstring=True)


def _arguments(arguments: ArgumentCollection) -> Iterator[tuple[str, str]]:
    for argument in arguments:
        if not argument.show:
            continue
        notes = []
        if argument.required:
            notes.append("required")
        elif argument.field_info.default not in (None, "", False):
            notes.append(f"default `{argument.field_info.default}`")
        notes += [f"environment `{name}`" for name in argument.parameter.env_var or ()]
        text = " ".join((argument.parameter.help or "").split())
        yield ", ".join(argument.names), f"{text} ({', '.join(notes)})" if notes else text


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
