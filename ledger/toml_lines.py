"""Finds the line on which each key of a TOML document stands: tomllib reads values, not places.

A key path is written as the policy language's errors write it: names joined by dots, an entry of an array as
``[0]`` behind the array. The document must be TOML that tomllib reads.
"""

import re
import tomllib
from bisect import bisect_right

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def key_lines(document: str) -> dict[str, int]:
    """Returns the line, from 1, on which each key path first stands, tables and entries of arrays included."""
    scan = _Scan(document)
    scan.run()
    return scan.lines


def line_of(lines: dict[str, int], path: str) -> int:
    """Returns the line of a key path, or of the nearest table or array around it that the document has; else 1."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 1)


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[str, int] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._arrays: dict[str, int] = {}

    def run(self) -> None:
        table = ""
        while self._skip(_BLANK) < len(self.text):
            start = self.at
            if self.text.startswith("[[", start):
                self.at += 2
                table = self._array_entry(self._key(), start)
                self.at += 2
            elif self.text[start] == "[":
                self.at += 1
                table = self._note("", self._key(), start)
                self.at += 1
            else:
                self._pair(table)

    def _pair(self, table: str) -> None:
        start = self.at
        path = self._note(table, self._key(), start)
        self.at += 1  # the equals sign
        self._value(path)

    def _value(self, path: str) -> None:
        self._skip(_SPACE)
        opening = self.text[self.at]
        if opening == "{":
            self.at += 1
            while self._skip_commas() != "}":
                self._pair(path)
            self.at += 1
        elif opening == "[":
            self.at += 1
            entry = 0
            while self._skip_commas() != "]":
                self.lines.setdefault(f"{path}[{entry}]", self._line(self.at))
                self._value(f"{path}[{entry}]")
                entry += 1
            self.at += 1
        else:
            for pattern in (*_STRINGS, _SCALAR):
                found = pattern.match(self.text, self.at)
                if found is not None:
                    self.at = found.end()
                    return

    def _skip_commas(self) -> str:
        """Returns the next character that is neither blank, comment nor comma."""
        while self.text[self._skip(_BLANK)] == ",":
            self.at += 1
        return self.text[self.at]

    def _key(self) -> list[str]:
        """Returns the parts of a dotted key and stands behind it."""
        parts = []
        while True:
            self._skip(_SPACE)
            for pattern in (_BARE_KEY, *_STRINGS[2:]):
                found = pattern.match(self.text, self.at)
                if found is not None:
                    break
            assert found is not None
            self.at = found.end()
            text = found[0]
            parts.append(next(iter(tomllib.loads(f"{text} = 0"))))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _note(self, table: str, parts: list[str], start: int) -> str:
        """Returns the path of a key in a table and notes its line; a part that is an array means its last entry."""
        path = table
        for part in parts:
            path = f"{path}.{part}" if path else part
            self.lines.setdefault(path, self._line(start))
            if path in self._arrays:
                path = f"{path}[{self._arrays[path] - 1}]"
        return path

    def _array_entry(self, parts: list[str], start: int) -> str:
        around = self._note("", parts[:-1], start)
        path = f"{around}.{parts[-1]}" if around else parts[-1]
        entry = self._arrays.get(path, 0)
        self._arrays[path] = entry + 1
        self.lines.setdefault(path, self._line(start))
        self.lines[f"{path}[{entry}]"] = self._line(start)
        return f"{path}[{entry}]"

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return self.at

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at)
