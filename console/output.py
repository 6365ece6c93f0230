"""Prints: JSON for programs, aligned tables for people, progress on stderr where somebody watches."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from rich.console import Console

    from console.options import Asked

#: Enough for any table: a figure that wraps is legible, a figure that is cut off is wrong.
WIDTH = 400


def count(number: int) -> str:
    """Returns a count with thousands separators."""
    return f"{number:,}"


def yuan_grouped(text: str) -> str:
    """Returns yuan text with thousands separated; text that is no amount with cents stays as it is."""
    whole, point, cents = text.lstrip("-").partition(".")
    if not point:
        return text
    return f"{'-' if text.startswith('-') else ''}{int(whole):,}.{cents}"


def day_text(day: int) -> str:
    """Returns a day yyyymmdd as text, nothing for 0."""
    return f"{day // 10_000:04d}-{day // 100 % 100:02d}-{day % 100:02d}" if day else ""


class Column(NamedTuple):
    """Is a table column: English heading, the field's Chinese term, and how its cells are written."""

    heading: str
    term: str = ""
    write: Callable[[Any], str] = str
    right: bool = False

    @property
    def is_number(self) -> bool:
        """Returns whether the cells stand on the right: amounts, counts, and text that is said to be a figure."""
        return self.right or self.write in (yuan, count, yuan_grouped)


def plain(value: Any) -> Any:
    """Returns ``value`` as JSON values: structs as objects, bytes as hex, enums as their names."""
    match value:
        case None | bool() | str():
            return value
        case Enum():
            return value.name.lower()
        case int():
            return int(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case PurePath():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__struct_fields__"):
        config = value.__struct_config__
        tag = {} if config.tag is None else {config.tag_field: config.tag}
        return tag | {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"expected a value that JSON can carry, got {type(value).__name__}")


def print_json(value: Any) -> None:
    """Prints one JSON value and a line end on stdout."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=_is_narrow(sys.stdout), indent=2) + "\n")


def print_json_line(value: Any) -> None:
    """Prints one JSON value on one line of stdout, for a stream of them."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=_is_narrow(sys.stdout)) + "\n")


def print_line(text: str) -> None:
    """Prints one line of text on stdout, exactly as it is."""
    sys.stdout.write(text + "\n")


def answer(options: "Asked", value: Any, text: str) -> None:
    """Prints what a command did: ``value`` where JSON was asked for, else ``text`` on a line."""
    if options.json:
        print_json(value)
    else:
        print_line(text)


def print_table(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], *, title: str = "", total: Sequence[Any] | None = None
) -> None:
    """Prints rows under their headings, numbers on the right, a total below a rule; nothing is ever cut off."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD if total is None else box.SIMPLE_HEAVY,
        title=title or None,
        title_justify="left",
        title_style="bold",
        show_footer=total is not None,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for at, column in enumerate(columns):
        table.add_column(
            Text(f"{column.heading}\n{column.term}" if any(each.term for each in columns) else column.heading),
            justify="right" if column.is_number else "left",
            no_wrap=True,
            footer=Text("" if total is None or total[at] is None else _cell(column, total[at])),
        )
    for row in rows:
        table.add_row(*(Text(_cell(column, cell)) for column, cell in zip(columns, row, strict=True)))
    screen().print(table)


def print_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Prints names and values in two aligned columns."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for name, value in pairs:
        grid.add_row(Text(name, style="dim"), Text(value))
    screen().print(grid)


def screen() -> "Console":
    """Returns stdout as rich sees it: colours only on a terminal, nothing wrapped or cropped."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Screen(highlight=False, width=WIDTH, soft_wrap=True)


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None] | None]:
    """Yields what to call with the number of rows done, or None where nobody watches stderr."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=total)
        yield lambda done: bars.update(task, completed=done)


def make_printable(stream: TextIO) -> None:
    """Makes a stream that cannot hold Chinese print escapes rather than fail."""
    if _is_narrow(stream) and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def _is_narrow(stream: TextIO) -> bool:
    return (stream.encoding or "ascii").lower().replace("_", "-") not in ("utf-8", "utf8", "gb18030")


def _cell(column: Column, value: Any) -> str:
    return "" if value is None else column.write(value)
