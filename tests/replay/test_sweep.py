"""Many policies in one pass: each comes out as if it had been asked about alone."""

import csv
import json
from pathlib import Path

import pytest

from console.main import main
from core_ext.layout import AMOUNT
from ledger.money import yuan_text
from ledger.refusals import Refused
from ledger.service import Ledger
from tests.ledger.worlds import opened, sign
from tests.replay.stories import february, january, other_policy

FUND = AMOUNT["fund_pay_sumamt"]


def policies(tmp_path: Path) -> dict[str, Path]:
    """Returns a folder of three documents, one of them what is in force, by name."""
    folder = tmp_path / "policies"
    folder.mkdir()
    changes = {
        "much": (('"500.00"', '"700.00"'), ('2 = "0.87"', '2 = "0.84"')),
        "none": (),
        "one": (('2 = "0.87"', '2 = "0.86"'),),
    }
    made = {}
    for name, each in changes.items():
        made[name] = other_policy(tmp_path, *each).rename(folder / f"{name}.toml")
    return made


def same(book: Ledger, made: dict[str, Path], first: int, last: int) -> None:
    """Holds every variant of a sweep against the same policy asked about alone."""
    found = book.sweep(next(iter(made.values())).parent, first, to=last)
    assert [each.name for each in found.variants] == sorted(made)
    for each in found.variants:
        alone = book.what_if(made[each.name], first, to=last)
        assert (found.acts, found.by_source, found.totals) == (alone.acts, alone.by_source, alone.totals)
        assert (each.changed, each.refused, each.totals, each.policy, each.regions) == (
            alone.changed, alone.refused, alone.totals_new, alone.policy, alone.regions,
        )  # fmt: skip
        assert (each.persons_gaining, each.persons_losing, each.gained_fen, each.lost_fen) == (
            alone.persons_gaining, alone.persons_losing, alone.gained_fen, alone.lost_fen,
        )  # fmt: skip
    by_name = {each.name: each for each in found.variants}
    assert by_name["much"].changed > by_name["one"].changed > 0
    assert (by_name["none"].changed, by_name["none"].totals) == (0, found.totals)


def test_every_policy_of_a_sweep_is_what_it_is_alone(store_url: str, tmp_path: Path) -> None:
    """A folder of policies priced in one pass gives each one's totals, of one month and of months carried along."""
    made = policies(tmp_path)
    with opened(store_url) as book:
        book.segments = tmp_path / "segments"
        book.intake(january(tmp_path))
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        book.intake(february(tmp_path))
        same(book, made, 202401, 202401)
        same(book, made, 202402, 202402)
        same(book, made, 202401, 202402)


def test_an_act_that_was_decided_wrongly_is_found_under_every_policy(tmp_path: Path) -> None:
    """What does not come out again under its own policy differs under each variant, as it does asked alone."""
    from core_ext.layout import AMOUNTS
    from ledger.knowledge import Knowledge
    from ledger.replaying.sweeping import Question, sweep
    from ledger.replaying.whatif import what_if
    from ledger.segments.making import make
    from ledger.segments.reading import Batch

    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(january(tmp_path))
        with book.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            folder = tmp_path / "acts"
            folder.mkdir()
            make(reader, known.policies, [202401], (0, reader.size), folder)
    digest = known.policies.digest_in_force(260100)
    assert digest is not None
    stored = Batch.lane

    def altered(self: Batch, name: str) -> object:
        lane = stored(self, name)
        if name == AMOUNTS[FUND]:
            lane = lane.copy()
            lane[0] += 1
        return lane

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batch, "lane", altered)
        instead = {260100: digest}
        found = sweep(folder, known.policies, [Question("same", (), instead)], periods=[202401])
        alone = what_if(folder, known.policies, instead, periods=[202401], kernel=b"")
    assert found.variants[0].changed == alone.changed == 1
    assert found.variants[0].totals == alone.totals_new


def test_a_grid_is_every_combination_of_its_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parameters of three and two values are six variants, in a CSV with a column for each parameter."""
    monkeypatch.chdir(tmp_path)
    grid = tmp_path / "grid.toml"
    key, other = grid_keys()
    grid.write_text(
        f'policy = "national-default"\n[grid]\n"{key}" = ["0.84", "0.86", "0.87"]\n"{other}" = ["300.00", "700.00"]\n'
    )
    with opened("sqlite:///ledger.db") as book:
        book.intake(january(tmp_path))
        found = book.sweep(grid, 202401)
        alone = book.what_if(other_policy(tmp_path, ('2 = "0.87"', '2 = "0.84"')), 202401)
    assert [each.settings for each in found.variants][:3] == [
        ("0.84", "300.00"),
        ("0.84", "700.00"),
        ("0.86", "300.00"),
    ]
    assert len({each.totals for each in found.variants}) > 3 and alone.changed
    command = ["sweep", "--policies", "grid.toml", "--period", "202401", "--out", "chart.csv"]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [each["totals"] for each in said["variants"]] == [list(each.totals) for each in found.variants]
    with (tmp_path / "chart.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["variant"] for line in lines] == ["booked", *(f"v{at}" for at in range(1, 7))]
    assert lines[1][key] == "0.84" and lines[1]["fund_pay_sumamt"] == yuan_text(found.variants[0].totals[FUND])
    assert main(command[:-2]) == 0
    assert "v6" in capsys.readouterr().out


def grid_keys() -> tuple[str, str]:
    """Returns two keys of the default policy that claims of January consult."""
    from ledger.policy import read_policy, shipped
    from ledger.policy_views import values_of

    values = values_of(read_policy(shipped("national-default"), "national-default"))
    ratio = next(key for key, text in values.items() if text == "87 %" and key.endswith(".2"))
    deductible = next(key for key, text in values.items() if text == "500.00 yuan")
    return ratio, deductible


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('policy = "national-default"\n[grid]\n"employee.nothing" = ["1"]\n', "as `policy diff` writes it"),
        ('policy = "national-default"\n[grid]\n"employee" = []\n', "a list of values"),
        ('policy = "national-default"\n[grid]\n', "lists of values by key"),
        ("policy = 3\n[grid]\na = [1]\n", "name of a shipped policy"),
        ('policy = "nowhere.toml"\n[grid]\na = [1]\n', "nowhere.toml"),
        ('policy = "national-default"\nmore = 1\n[grid]\na = [1]\n', "nothing else"),
    ],
)
def test_a_grid_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A mistaken grid says where it is, what was expected and what came."""
    grid = tmp_path / "grid.toml"
    grid.write_text(text)
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(january(tmp_path, 3))
        with pytest.raises((Refused, OSError), match=said):
            book.sweep(grid, 202401)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A folder without documents is no sweep."""
    (tmp_path / "empty").mkdir()
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book, pytest.raises(Refused, match="got none"):
        book.sweep(tmp_path / "empty", 202401)
