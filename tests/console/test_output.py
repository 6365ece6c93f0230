"""What people and programs read: aligned tables, exact amounts, one JSON value."""

import io
import json
import sys

import pytest
from rich.cells import cell_len

from console import output
from console.failures import UserError
from console.options import Options, options_last
from console.output import Column, count, yuan

COLUMNS = (Column("region", "就医地"), Column("acts", "笔数", count), Column("due", "应付", yuan))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_tables_align_where_chinese_stands_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    """The right edge of a money column is the same on every line, wide characters or not."""
    rows = [("440100 广州市", 12, 123_456_789), ("北京", 1, -5), ("a", 1_234, 0)]
    output.print_table(COLUMNS, rows, total=("total 合计", 1_247, 123_456_784))
    lines = [line for line in printed(capsys) if line.strip()]
    figures = [line for line in lines if line.rstrip().endswith(("89", "05", "00", "84"))]
    assert len(figures) == 4
    assert len({cell_len(line.rstrip()) for line in figures}) == 1
    assert "1,234,567.89" in figures[0]
    assert figures[1].rstrip().endswith("-0.05")


def test_a_table_is_never_cut_off_or_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a narrow screen the figures are still all there."""
    monkeypatch.setenv("COLUMNS", "20")
    output.print_table(COLUMNS, [("x" * 100, 1, 2)])
    text = "\n".join(printed(capsys))
    assert "x" * 100 in text
    assert "…" not in text


def test_json_has_hex_for_bytes_and_names_for_enums(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON carries fen as integers, digests as hex, tuples as arrays."""
    output.print_json({"digest": b"\x01\xff", "amount_fen": 10, "periods": (202401, 202402)})
    assert json.loads(capsys.readouterr().out) == {"digest": "01ff", "amount_fen": 10, "periods": [202401, 202402]}


def test_json_refuses_what_it_cannot_say() -> None:
    """A value without a JSON form is an error and not a guess."""
    with pytest.raises(TypeError, match="expected a value that JSON can carry"):
        output.plain(1.5)


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal on stderr there is no progress bar."""
    with output.progress("intake", 10) as done:
        assert done is None
    assert capsys.readouterr() == ("", "")


def test_a_terminal_without_chinese_shows_escapes_and_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that cannot hold Chinese prints escapes."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    output.make_printable(stream)
    monkeypatch.setattr(sys, "stdout", stream)
    output.print_line("应付")
    output.print_json({"term": "应付"})
    assert raw.getvalue().isascii()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--store", "u", "balances"], ["balances", "--store", "u"]),
        (["--json", "--actor=x", "trace", "K"], ["trace", "K", "--json", "--actor=x"]),
        (["--json", "trace", "--", "-K"], ["trace", "--json", "--", "-K"]),
        (["--help"], ["--help"]),
        (["--store"], ["--store"]),
    ],
)
def test_shared_options_may_stand_before_the_command(argv: list[str], expected: list[str]) -> None:
    """``settlement --store URL balances`` is ``settlement balances --store URL``."""
    assert options_last(argv) == expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db/x", "postgresql://ann:***@db/x"),
        ("postgresql://ann@db/x", "postgresql://ann@db/x"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_no_password_reaches_the_screen(url: str, shown: str) -> None:
    """A store is shown without its password."""
    assert Options(store=url).shown_store == shown


def test_some_commands_are_never_recorded_without_a_reason() -> None:
    """A reversal or a clawback without a reason is refused before anything is opened."""
    with pytest.raises(UserError, match="--reason"):
        Options(reason="  ").why("reverse")
