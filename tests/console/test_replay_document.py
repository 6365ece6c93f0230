"""docs/replay.md cannot lie: it runs from the question to the booked correction, as it stands there."""

import shlex
import shutil
from pathlib import Path

import pytest

from console.main import main
from ledger.policy import shipped
from tests.console.documents import ROOT, blocks, differences, examples

DOCUMENT = "docs/replay.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives a folder with the files of the example and the proposal as the page's difference makes it."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    (change,) = blocks(DOCUMENT, "diff")
    old, new = (line[1:].strip() for line in change.splitlines())
    policy = shipped("qingyuan")
    assert policy.count(old) == 1
    (tmp_path / "changed.toml").write_text(policy.replace(old, new), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("SETTLEMENT_STORE", "SETTLEMENT_SEGMENTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_policy_change_goes_from_question_to_booked_correction(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command of the page works in order and prints what is shown."""
    tour = examples(DOCUMENT)
    assert len(tour) >= 15
    for command, shown in tour:
        status = main(shlex.split(command)[1:])
        captured = capsys.readouterr()
        assert (status, captured.err) == (0, ""), f"{command}: {captured.err}"
        assert differences(shown, captured.out) == [], f"{command}\n{captured.out}"
    assert (folder / "diff.csv").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "202402"], "belong to --policy"),
        (["--policy", "changed.toml", "--reprice"], "question of its own"),
        (["--policy", "changed.toml", "--commit"], "--reason"),
        (["--policy", "changed.toml", "--diff", "diff.txt"], ".parquet or .csv"),
        (["--policy", "nothing.toml"], "nothing.toml"),
    ],
)
def test_a_mistaken_question_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """A question that cannot be asked says what was expected, and shows no traceback."""
    for command, _ in examples(DOCUMENT)[:5]:
        main(shlex.split(command)[1:])
    capsys.readouterr()
    assert main(["replay", "--period", "202401", *words]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir() if "part" in path.name) == []
