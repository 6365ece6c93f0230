"""docs/reconcile.md cannot lie: its commands run as they stand there, and its files are the example's own."""

import shlex
import shutil
from pathlib import Path

import pytest

from console.main import main
from tests.console.documents import ROOT, blocks, differences, examples

DOCUMENT = "docs/reconcile.md"


def test_the_document_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command of the document prints what is shown, and the mismatch file is the one that is shown."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SETTLEMENT_STORE", raising=False)
    for words in ("init", "policy enact qingyuan --regions 441800", "register members.csv", "intake claims.csv"):
        assert main(words.split()) == 0
    capsys.readouterr()
    tour = examples(DOCUMENT)
    assert len(tour) == 5
    for command, shown in tour:
        status = main(shlex.split(command)[1:])
        printed = capsys.readouterr()
        assert (status, printed.err) == (int(command.startswith("settlement reconcile")), ""), command
        assert differences(shown, printed.out) == [], printed.out
    totals, details, mismatches = blocks(DOCUMENT, "csv")
    assert (tmp_path / "totals_440100.csv").read_text(encoding="utf-8") == totals
    assert (tmp_path / "details_440100.csv").read_text(encoding="utf-8").startswith(details)
    assert (tmp_path / "details_440100.mismatch.csv").read_text(encoding="utf-8") == mismatches
