"""A city's manual reimbursements through the command line: more than a thousand applications from files of acts."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from console.main import main
from tests.ledger.worlds import claim

COUNT = 1_100
DIGEST = "ab" * 32


class City:
    """Runs the command line on a store."""

    def __init__(self, url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.folder, self.capsys, self.files = url, folder, capsys, 0
        self("init")
        self("policy", "enact", "national-default", "--regions", "260100", "--assumed")
        self("manual", "terms", "taian")

    def __call__(self, *words: str, who: str = "wang", status: int = 0) -> str:
        """Returns what a command printed."""
        found = main([*words, "--store", self.url, "--actor", who])
        said = self.capsys.readouterr()
        assert found == status, said
        return said.out + said.err

    def json(self, *words: str) -> Any:
        """Returns what a command printed as JSON."""
        return json.loads(self(*words, "--json"))

    def run(self, who: str, rows: list[dict[str, str]], status: int = 0) -> str:
        """Takes acts from a file as one actor."""
        self.files += 1
        path = self.folder / f"acts-{self.files}.csv"
        names = list(dict.fromkeys(name for row in rows for name in row))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return self("manual", "run", str(path), who=who, status=status)


def acts(verb: str, on: str, first: int = 1, **cells: str) -> list[dict[str, str]]:
    """Returns one act on each application from a number on."""
    return [{"act": verb, "application": f"A{at:05d}", "on": on} | cells for at in range(first, COUNT + 1)]


def test_a_city_reimburses_by_the_clock(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1,100 applications in eight files; who is past the clock is named."""
    city = City(sqlite_url, tmp_path, capsys)
    accepted = acts("accept", "2024-04-01", insu_admdvs="260101")
    entered = acts("enter", "2024-04-02")
    for at, (one, other) in enumerate(zip(accepted, entered, strict=True), 1):
        facts = {name: cell for name, cell in claim(at).items() if cell and name not in ("psn_no", "psn_name")}
        one["psn_no"], amount = f"P{at:06d}", f"{1_000 + at}.00"
        other.update(facts | {"medfee_sumamt": amount, "inscp_scp_amt": amount})
    city.run("wang", [*accepted, *acts("archive", "2024-04-01", evidence=DIGEST)])
    assert "manual_same_person" in city.run("li", [*entered, *acts("review", "2024-04-03")], status=2)
    city.run("li", entered)
    city.run("zhao", acts("review", "2024-04-03"))
    city.run("wang", acts("settle", "2024-04-03"))
    # A hundred wait for their confirmation, and past the limit their owner is late with them.
    city.run("qian", acts("confirm", "2024-04-07", first=101))
    city.run("sun", acts("pay", "2024-04-08", first=101, account="6222000011116789"))
    found = city.json("manual", "list", "--on", "2024-04-09")
    stages = [line["stage"] for line in found["lines"]]
    assert (stages.count("settled"), stages.count("instructed")) == (100, 1_000)
    assert found["late"] == [
        {"owner": "复核岗", "applications": 100, "since": 20240407, "amount_fen": found["late"][0]["amount_fen"]}
    ]
    assert found["late"][0]["amount_fen"] == sum(line["amount_fen"] for line in found["lines"] if line["late"])
    said = city("manual", "list", "--late", "--on", "2024-04-17")
    assert "1,100 applications, 1,100 late" in said
    assert "复核岗" in said and "sun" in said
    payment = found["lines"][-1]["payment"]
    city("pay", "confirm", payment, "--receipt", "BANK-1")
    assert city.json("manual", "list", "--on", "2024-04-17")["lines"][-1]["stage"] == "paid"
    assert city.json("verify") == [] or city("verify")
