"""Reconciliation on the command line: a generated month against a counterpart's file with planted differences."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from console.generate import generate
from console.main import main
from core_ext.layout import AMOUNTS

Row = dict[str, str]

INSURED, TREATMENT = "440100", "410100"


class Shell:
    """Runs commands of one store in-process."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.capsys = url, capsys

    def __call__(self, *words: str | Path, status: int = 0) -> str:
        got = main([*map(str, words), "--store", self.url, "--actor", "reconciler"])
        said = self.capsys.readouterr()
        assert got == status, said
        return said.out + said.err

    def json(self, *words: str | Path, status: int = 0) -> Any:
        return json.loads(self(*words, "--json", status=status))


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(path: Path, rows: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def generated(folder: Path, claims: int) -> list[Row]:
    """Returns a generated month of persons of one city treated in another, refunds with their amounts."""
    generate(folder / "generated.csv", claims, 7, "2024-03", faults=0, source_percent=100, refund_percent=3)
    rows = read(folder / "generated.csv")
    by_id = {row["setl_id"]: row for row in rows}
    for row in rows:
        row |= {"insu_admdvs": "440103", "mdtrtarea_admvs": "410102", "fixmedins_code": "H41010200001"}
        if (original := by_id.get(row["init_setl_id"])) is not None:
            for name in AMOUNTS:
                if name in row and original[name]:
                    row[name] = original[name] if original[name].strip("0.") == "" else f"-{original[name]}"
    march = {row["setl_id"] for row in rows if row["setl_time"].startswith("2024-03")}
    return [row for row in rows if row["setl_id"] in march and row["init_setl_id"] in {"", *march}]


@pytest.fixture
def month(tmp_path: Path) -> list[Row]:
    return generated(tmp_path, 1500)


@pytest.fixture
def shell(store_url: str, tmp_path: Path, month: list[Row], capsys: pytest.CaptureFixture[str]) -> Shell:
    """Gives a shell on a store that has the month."""
    made = Shell(store_url, capsys)
    made("init")
    made("policy", "enact", "national-default", "--regions", INSURED, TREATMENT, "--assumed")
    (taken,) = made.json("intake", written(tmp_path / "ours.csv", month))
    assert taken["quarantined"] == 0
    return made


def test_a_generated_month_is_reconciled_and_its_breaks_followed_up(
    shell: Shell, tmp_path: Path, month: list[Row]
) -> None:
    """Planted differences of over a thousand claims come out one by one, and each ends as its officer says."""
    assert len(month) >= 1_000
    theirs = [dict(row) for row in month]
    dropped, changed, twice = 17, 400, 900
    cents = int(theirs[changed]["acct_pay"].replace(".", "")) + 1
    theirs[changed]["acct_pay"] = f"{cents // 100}.{cents % 100:02d}"
    extra = dict(theirs[5], setl_id="X-1", medins_setl_id="", mdtrt_id="X-1")
    sent = [row for at, row in enumerate(theirs) if at != dropped] + [dict(theirs[twice]), extra]
    file = written(tmp_path / "theirs.csv", sent)
    ask = ("reconcile", file, "--counterpart", TREATMENT, "--period", "202403")

    report = shell.json(*ask, status=1)
    assert report["outcomes"] == {
        "matched": len(month) - 2, "missing_here": 1, "missing_there": 1, "differs": 1, "duplicate": 1,
        "other_period": 0, "unreadable": 0,
    }  # fmt: skip
    by_kind = {each["kind"]: each for each in report["breaks"]}
    assert by_kind["missing_here"]["claim"] == f"{INSURED}/X-1"
    assert by_kind["missing_there"]["claim"] == f"{INSURED}/{month[dropped]['setl_id']}"
    assert by_kind["duplicate"]["claim"] == f"{INSURED}/{month[twice]['setl_id']}"
    assert by_kind["differs"]["fields"] == [["acct_pay", str(cents - 1), str(cents)]]
    assert by_kind["differs"]["difference_fen"] == 1
    assert len(read(tmp_path / "theirs.mismatch.csv")) == 4

    assert "nothing new" in shell(*ask, status=1)
    listed = shell.json("breaks", "--period", "202403")
    assert listed["totals"]["count"] == 4
    assert listed["totals"]["difference_fen"] == sum(each["difference_fen"] for each in report["breaks"])

    keys = {kind: each["key"] for kind, each in by_kind.items()}
    shell("break", "assign", keys["differs"], "--owner", "chen", "--reason", "her region")
    shell("break", "explain", keys["differs"], "--reason", "account shared in the family")
    shell("break", "carry", keys["missing_there"], "--reason", "they book it next month")
    shell("break", "write-off", "X-1", "--reason", "below the limit")
    shell("break", "correct", keys["duplicate"], "--reason", "they send a new file")
    assert [each["key"] for each in shell.json("breaks", "--owner", "chen")["breaks"]] == [keys["differs"]]
    states = {each["kind"]: each["status"] for each in shell.json("breaks", "--state", "all")["breaks"]}
    assert states == {
        "differs": "explained", "missing_there": "carried", "missing_here": "written_off", "duplicate": "corrected",
    }  # fmt: skip
    assert "2 breaks" in shell("breaks")
    assert "is written off already" in shell("break", "carry", keys["missing_here"], "--reason", "no", status=2)
    again = shell.json("breaks", "--period", "202404")["breaks"]
    assert [each["key"] for each in again] == [keys["missing_there"]]
    shell("verify")
    shell("rebuild")
    assert shell.json("breaks", "--state", "all")["totals"]["count"] == 4


def test_totals_alone_say_whether_details_are_needed(shell: Shell, tmp_path: Path, month: list[Row]) -> None:
    """Totals by insurance type agree to the fen, and one fen off is a difference, named by its insurance type."""

    def fen(text: str) -> int:
        return int(text.replace(".", "")) if text else 0

    def totals(rows: list[Row], off: int = 0, **cells: str) -> list[Row]:
        lines = []
        for insutype in ("310", "390"):
            own = [row for row in rows if row["insutype"] == insutype]
            sums = {
                name: sum(fen(row[name]) for row in own) for name in ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
            }
            sums["fund_pay_sumamt"] += off if insutype == "390" else 0
            line = {"insutype": insutype, "fixmedins_setl_cnt": str(len(own))}
            line |= {name: f"{value // 100}.{value % 100:02d}" for name, value in sums.items()}
            lines.append(line | cells)
        return lines

    ask = ("--counterpart", TREATMENT, "--period", "202403")
    report = shell.json("reconcile", written(tmp_path / "t.csv", totals(month)), *ask)
    assert [line["agrees"] for line in report["totals"]] == [True, True]
    report = shell.json("reconcile", written(tmp_path / "off.csv", totals(month, off=1)), *ask, status=1)
    assert [(line["insutype"], line["agrees"]) for line in report["totals"]] == [(310, True), (390, False)]
    assert report["breaks"] == []

    # Without refunds, as REFD_SETL_FLAG 0 says.
    kept = [row for row in month if not row["init_setl_id"]]
    assert len(kept) < len(month)
    flagged = written(tmp_path / "flagged.csv", totals(kept, refd_setl_flag="0"))
    assert shell.json("reconcile", flagged, *ask)["refunds"] is False
    plain = written(tmp_path / "plain.csv", totals(kept))
    shell("reconcile", plain, *ask, "--without-refunds")
    shell("reconcile", plain, *ask, status=1)

    # A totals file that is not the sum of the rows beside it: said, and nothing is taken for corrected.
    details = written(tmp_path / "details.csv", month)
    assert "is not the sum of the rows" in shell("reconcile", details, *ask, "--totals", tmp_path / "off.csv", status=1)
    shell("reconcile", details, *ask, "--totals", tmp_path / "t.csv")
    wrong = written(tmp_path / "wrong.csv", totals(month, stmt_begndate="2024-02-01"))
    assert "stmt_begndate: expected a day of 202403, got '2024-02-01'" in shell("reconcile", wrong, *ask, status=2)


def test_the_short_shape_of_the_interface_is_compared_by_what_it_states(
    shell: Shell, tmp_path: Path, month: list[Row]
) -> None:
    """Message 3202 names person, visit, settlement, message and three amounts: those are compared, and nothing else."""
    names = ("psn_no", "mdtrt_id", "setl_id")
    short = [
        {name: row[name] for name in names}
        | {"msgid": row["medins_setl_id"], "stmt_rslt": "", "refd_setl_flag": row["refd_setl_flag"], "memo": ""}
        | {name: row[name] for name in ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")}
        for row in month
    ]
    ask = ("--counterpart", "H41010200001", "--period", "202403")
    shell("reconcile", written(tmp_path / "short.csv", short), *ask)
    short[3]["msgid"] = "of another message"
    short[4]["psn_no"] = "of nobody"
    short[6]["fund_pay_sumamt"] = "12.3x"
    short[8]["setl_id"] = ""
    report = shell.json("reconcile", written(tmp_path / "short.csv", short), *ask, status=1)
    assert {name: count for name, count in report["outcomes"].items() if count} == {
        "matched": len(month) - 4, "differs": 2, "unreadable": 2, "missing_there": 1,
    }  # fmt: skip
    fields = {each["claim"][7:]: [field[0] for field in each["fields"]] for each in report["breaks"]}
    assert fields == {
        month[3]["setl_id"]: ["medins_setl_id"], month[4]["setl_id"]: ["psn_no"],
        month[6]["setl_id"]: ["fund_pay_sumamt"], month[8]["setl_id"]: [],
    }  # fmt: skip
    sent_back = read(tmp_path / "short.mismatch.csv")
    assert list(sent_back[0]) == list(short[0])
    assert [row["stmt_rslt"] for row in sent_back] == ["103", "103", "103", "103", "101"]
    assert sent_back[-1]["psn_no"] == month[8]["psn_no"]


def test_what_cannot_be_reconciled_is_refused_in_words(shell: Shell, tmp_path: Path, month: list[Row]) -> None:
    """A user's mistake is one line that says what was expected, and nothing is written."""
    file = written(tmp_path / "theirs.csv", month)
    month_asked = ("--period", "202403")
    says = {
        (
            "reconcile",
            file,
            "--counterpart",
            TREATMENT,
        ): "either --period yyyymm or --day yyyymmdd",
        ("reconcile", file, "--counterpart", "4 1", *month_asked): "expected a counterpart as a region of six digits",
        ("reconcile", file, "--counterpart", TREATMENT, "--own", TREATMENT, *month_asked): "other than the own region",
        ("reconcile", file, "--counterpart", TREATMENT, "--day", "20240230"): "expected a day such as 2024-01-01",
        ("reconcile", tmp_path / "none.csv", "--counterpart", TREATMENT, *month_asked): "expected a readable file",
        ("break", "carry", "break-x", "--reason", "r"): "expected the key of a break",
        ("break", "carry", "break-x"): "expects --reason",
    }
    before = shell.json("balances")["position"]
    for words, text in says.items():
        assert text in shell(*words, status=2)
    (tmp_path / "thin.csv").write_text("setl_id,fee\nS1,2\n", encoding="utf-8")
    thin = shell("reconcile", tmp_path / "thin.csv", "--counterpart", TREATMENT, *month_asked, status=2)
    assert "expected the columns medfee_sumamt, fund_pay_sumamt in the header" in thin
    assert shell.json("balances")["position"] == before
