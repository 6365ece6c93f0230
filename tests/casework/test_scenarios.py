"""Published years of supervision, replayed through the command line on more than a thousand generated cases each."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

import ledger
from console.main import main
from tests.ledger.worlds import claim, write
from tests.lines.files import filed, line, write_lines

WAN = 1_000_000
DIGEST = "ab" * 32
ACTS = (
    *("act", "case", "on", "source", "claims", "person", "owner", "evidence", "members", "accepted", "kind", "amount"),
    *("multiple", "receipt", "reason"),
)
Row = dict[str, str]


class Office:
    """Runs the command line on a store with a thousand and more claims."""

    def __init__(self, url: str, folder: Path, capsys: pytest.CaptureFixture[str], claims: int) -> None:
        self.url, self.folder, self.capsys = url, folder, capsys
        self.files = 0
        amounts = {"medfee_sumamt": "300000.00", "inscp_scp_amt": "300000.00"}
        rows = [claim(at, **amounts, fixmedins_code=f"H260101{at % 50:05d}") for at in range(1, claims + 1)]
        self("init")
        self("policy", "enact", "national-default", "--regions", "260100", "--assumed")
        self("intake", str(write(folder / "claims.csv", rows)))
        self("case", "terms", "national-2021")

    def __call__(self, *words: str, who: str = "wang") -> str:
        """Returns what a command printed; it succeeds."""
        status = main([*words, "--store", self.url, "--actor", who])
        said = self.capsys.readouterr()
        assert status == 0, said
        return said.out

    def json(self, *words: str) -> Any:
        """Returns what a command printed as JSON."""
        return json.loads(self(*words, "--json"))

    def run(self, who: str, *rows: Row) -> str:
        """Takes acts from a file as one actor."""
        self.files += 1
        path = self.folder / f"acts-{self.files}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ACTS, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return self("case", "run", str(path), who=who)

    def table(self, *words: str) -> dict[str, list[str]]:
        """Returns the report in 万 yuan: the cells of each kind's row, and of the totals by their title."""
        lines = self("recoveries", "--wan", "--on", "2024-12-31", *words).splitlines()
        return {cells[0]: cells[1:] for text in lines if (cells := text.split())}

    def total(self, *words: str) -> list[str]:
        """Returns the total row of what comes back to the funds."""
        lines = self("recoveries", "--wan", "--on", "2024-12-31", *words).split("apart from")[0].splitlines()
        return next(text.split() for text in reversed(lines) if any(cell.isdigit() for cell in text))


def parts(total: int, count: int, seed: int) -> list[int]:
    """Returns ``count`` amounts above zero that sum to a total exactly, drawn by a seed."""
    draw = random.Random(seed)
    shifts = [draw.randint(0, total // count // 3) for _ in range(count // 2)]
    found = [total // count + sign * shift for shift in shifts for sign in (1, -1)]
    return [*found[:-1], total - sum(found[:-1])]


def yuan(fen: int) -> str:
    """Returns fen as the text of a cell."""
    return f"{fen // 100}.{fen % 100:02d}"


def case_rows(act: str, cases: list[tuple[str, int, int]], on: str, **cells: str) -> list[Row]:
    """Returns one act on each case (number, claim, fen)."""
    return [{"act": act, "case": case, "on": on, "evidence": DIGEST} | cells for case, _, _ in cases]


def close(office: Office, cases: list[tuple[str, int, int]], **cells: str) -> None:
    """Takes cases to their close; every tenth was opened for more than the first review upholds."""
    opened = []
    for at, (case, serial, fen) in enumerate(cases):
        found = fen + (50_000 if at % 10 == 0 else 0)
        claims = f"260100/S{serial:06d}={yuan(found)}"
        opened.append({"act": "open", "case": case, "on": "2024-03-01", "owner": "wang", "claims": claims} | cells)
    office.run("wang", *opened, *case_rows("submit", cases, "2024-03-04", owner="li"))
    decided = case_rows("decide", cases, "2024-03-06")
    for row, (_, serial, fen) in zip(decided, cases, strict=True):
        row["claims"] = f"260100/S{serial:06d}={yuan(fen)}"
    office.run("li", *decided, *case_rows("close", cases, "2024-03-08", accepted="yes"))


def money(act: str, cases: list[tuple[str, int, int]], kind: str, **cells: str) -> list[Row]:
    """Returns one act on the money of each case."""
    return [row | {"kind": kind, "evidence": ""} for row in case_rows(act, cases, "2024-04-01", **cells)]


def numbered(prefix: str, amounts: list[int], first: int) -> list[tuple[str, int, int]]:
    """Returns cases with a claim of their own each, from claim number ``first`` on."""
    return [(f"{prefix}-{at:04d}", first + at, fen) for at, fen in enumerate(amounts)]


def test_shanwei(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """汕尾: 3,565.97 clawed back and 920.66 returned are 4,486.63; fines of 2,089.49 stand apart (万)."""
    once = parts(1089_490_000, 300, 1)
    twice = parts(500_000_000, 200, 2)
    rest = parts(356_597 * 10_000 - 1589_490_000, 500, 3)
    office = Office(sqlite_url, tmp_path, capsys, 1_200)
    single, double, other = numbered("A", once, 1), numbered("B", twice, 301), numbered("C", rest, 501)
    own = numbered("Z", parts(92_066 * 10_000, 200, 4), 1_001)
    close(office, single + double + other, source="joint_inspection")
    close(office, own, source="self_inspection")
    office.run("wang", *money("raise", single + double + other, "clawed_back"), *money("raise", own, "voluntary"))
    office.run("fisc", *money("raise", single, "fine", multiple="1"), *money("raise", double, "fine", multiple="2"))
    report = office.table()
    assert report["clawed_back"][:2] == ["1,000", "3,565.97"]
    assert report["voluntary"][:2] == ["200", "920.66"]
    assert report["fine"][:2] == ["500", "2,089.49"]
    assert office.total()[:2] == ["1,200", "4,486.63"]
    accounts = office.json("balances")["accounts"]
    fines = {name: fen for name, fen in accounts.items() if name.startswith("fine")}
    assert all(":treasury-260100" in name for name in fines) and sum(fines.values()) == 0
    office("verify")


def test_qingyuan(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """清远: 3,005.80 planned to be returned, 2,371.76 received, 634.04 outstanding (万)."""
    planned = parts(300_580 * 10_000, 1_000, 5)
    office = Office(sqlite_url, tmp_path, capsys, 1_000)
    cases = numbered("Q", planned, 1)
    close(office, cases, source="self_inspection")
    office.run("wang", *money("raise", cases, "voluntary"))
    left = 237_176 * 10_000
    received = []
    for row, (case, _, fen) in zip(money("collect", cases, "voluntary"), cases, strict=True):
        came = min(fen, left)
        left -= came
        if came:
            received.append(row | {"amount": yuan(came), "receipt": f"R-{case}"})
    office.run("cashier", *received)
    row = office.table()["voluntary"]
    assert (row[0], row[1], row[2], row[7]) == ("1,000", "3,005.80", "2,371.76", "634.04")
    assert office.json("recoveries")["principal"][0]["outstanding_fen"] == 63_404 * 10_000
    office("verify")


def test_guiyang(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """贵阳: every stage has its limit, what is late is listed and moved on; 953 refused and 553 back are 1,506 (万)."""
    refused = numbered("R", parts(953 * WAN, 600, 6), 1)
    back = numbered("K", parts(553 * WAN, 400, 7), 601)
    cases = refused + back
    office = Office(sqlite_url, tmp_path, capsys, 1_000)
    opened = case_rows("open", cases, "2024-03-01", owner="wang")
    for row, (_, serial, fen) in zip(opened, cases, strict=True):
        row["claims"] = f"260100/S{serial:06d}={yuan(fen)}"
    office.run("wang", *opened)
    early, late = cases[:900], cases[900:]
    office.run("wang", *case_rows("submit", early, "2024-03-05", owner="li"))
    assert len(office.json("cases", "--due", "--on", "2024-03-11")) == len(late)
    assert office.json("case", "expire", "--on", "2024-03-11")["events"] == len(late)
    office.run("li", *case_rows("decide", cases, "2024-03-12"))
    appealed = cases[::10]
    office.run("hospital", *case_rows("appeal", appealed, "2024-03-20", owner="zhao", reason="indicated"))
    office.run("zhao", *case_rows("decide", appealed, "2024-03-22"))
    office.run("chair", *case_rows("decide", appealed[:50], "2024-04-02", members="qian sun zhou"))
    due = office.json("cases", "--due", "--on", "2024-04-30")
    assert {line["stage"] for line in due} == {"appeal", "panel"} and len(due) == 950
    assert office.json("case", "expire", "--on", "2024-04-30")["events"] == 950
    assert {line["stage"] for line in office.json("cases")} == {"concluded"}
    office.run("wang", *case_rows("close", cases, "2024-05-06"))
    later = [row | {"on": "2024-05-07"} for row in money("raise", refused, "refused")]
    office.run("wang", *later, *(row | {"on": "2024-05-07"} for row in money("raise", back, "clawed_back")))
    report = office.table()
    assert (report["refused"][1], report["clawed_back"][1]) == ("953.00", "553.00")
    assert office.total()[:2] == ["1,000", "1,506.00"]
    office("verify")


def test_dali(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """大理: institutions owe 2,802, persons 28.16 (万); 44 capped drugs are found past their yearly maximum."""
    office = Office(sqlite_url, tmp_path, capsys, 1_100)
    institutions = numbered("I", parts(2_802 * WAN, 1_000, 8), 1)
    persons = numbered("P", parts(2_816 * 10_000, 100, 9), 1_001)
    close(office, institutions)
    close(office, persons, person="yes")
    office.run("wang", *money("raise", institutions + persons, "clawed_back"))
    caps = ["med_list_codg,window,maximum,from,to"] + [f"DRUG-{at:02d},year,60.00,2024-01-01," for at in range(1, 45)]
    (tmp_path / "caps.csv").write_text("\n".join([*caps, ""]), encoding="utf-8")
    assert office.json("register", str(tmp_path / "caps.csv"))["new"] == 44
    over = [line(at, 1, med_list_codg=f"DRUG-{at:02d}", selfpay_prop="") for at in range(1, 45)]
    office("lines", str(write_lines(tmp_path / "lines.csv", over)))
    with ledger.open(sqlite_url, actor="wang") as book:
        assert [lines.split[:, 1].tolist() for lines in filed(book)] == [[4_000]] * 44
    lines = office("recoveries", "--wan", "--by", "debtors").splitlines()
    rows = [text.split() for text in lines if text.startswith("clawed_back")]
    assert [row[1:4] for row in rows] == [["institution", "1,000", "2,802.00"], ["person", "100", "28.16"]]
    office("verify")
