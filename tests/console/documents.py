"""Reads the fenced blocks of a document, so that a test can run what the document promises."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """Is one command of a console block and the lines the document shows below it."""

    command: str
    shown: tuple[str, ...]


def blocks(document: str, language: str) -> list[str]:
    """Returns the fenced blocks of a language, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [body for found, body in _FENCE.findall(text) if found == language]


def examples(document: str) -> list[Example]:
    """Returns every ``$ command`` of the console blocks with its shown output; ``\\`` continues a command."""
    found: list[Example] = []
    for block in blocks(document, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                found.append(Example(line[2:], ()))
            elif line.strip():
                found[-1] = found[-1]._replace(shown=(*found[-1].shown, line))
    return found


def differences(shown: tuple[str, ...], printed: str) -> list[str]:
    """Returns the shown lines that the output does not have, in order; a ``…`` in a line stands for anything."""
    left = [line.rstrip() for line in printed.splitlines()]
    missing = []
    for line in shown:
        if line.strip() == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")))
        at = next((at for at, candidate in enumerate(left) if pattern.fullmatch(candidate)), None)
        if at is None:
            missing.append(line)
        else:
            left = left[at + 1 :]
    return missing


class Mention(NamedTuple):
    """Is a command written in running text, `` `pay confirm KEY --receipt R` ``: its words and its options."""

    document: str
    text: str
    words: tuple[str, ...]
    options: tuple[str, ...]


def mentions(document: str, known: set[tuple[str, ...]]) -> list[Mention]:
    """Returns the commands named between backticks, with or without ``settlement``; what begins as none is no command.

    A single word such as `close` counts only behind ``settlement`` or before an option.
    """
    text = re.sub(r"^```.*?^```$", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = []
    for code in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text):
        tokens = code.replace("\n", " ").split()
        named = tokens[:1] == ["settlement"]
        tokens = tokens[1:] if named else tokens
        # Options of every command may stand before it.
        while named and len(tokens) > 1 and tokens[0] in ("--store", "--segments"):
            tokens = tokens[2:]
        bare = [token for token in tokens if not token.startswith("--")]
        options = tuple(token.partition("=")[0].rstrip("],") for token in tokens if token.startswith("--"))
        words = next((tuple(bare[:n]) for n in (3, 2, 1) if len(bare) >= n and tuple(bare[:n]) in known), ())
        if named or (words and (len(words) > 1 or options)):
            found.append(Mention(document, code, words, options))
    return found
