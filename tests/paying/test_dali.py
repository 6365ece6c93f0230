"""Dali's books driven through the command line over a generated month: income − spend = change, accounts apart."""

import csv
from collections import Counter
from pathlib import Path

import pytest

import ledger
from console.generate import generate
from ledger.money import fen_from_text, round_half_up, yuan_text
from ledger.paying.bank_file import profile_document
from ledger.postings import FUND_CODES
from tests.clearing.worlds import region, write
from tests.paying.worlds import Centre

DALI = 532900
PERIOD = "202403"
#: The provinces whose residents are taken for Dali's.
OURS = ("13", "14", "22", "36", "43", "53")
OPENED, INCOME = 900_000_000, 12_345_678


def month(path: Path) -> list[dict[str, str]]:
    """Writes a generated month of 1,500 claims, all settled by their source, many of Dali's residents."""
    made = path.with_suffix(".made")
    generate(made, 1_500, 11, "2024-03", persons=400, faults=0, off_site_percent=60, source_percent=100)
    with made.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["insu_admdvs"][:2] in OURS:
            row["insu_admdvs"] = f"5329{row['insu_admdvs'][4:]}"
    write(path, rows)
    return rows


def spent_by(rows: list[dict[str, str]]) -> Counter[int]:
    """Returns what the file says Dali's funds and accounts paid, by fund; a refund takes its original's back."""
    by_id = {row["setl_id"]: row for row in rows}
    sums: Counter[int] = Counter()
    for row in rows:
        if region(row["insu_admdvs"]) != DALI:
            continue
        of, sign = (by_id[row["init_setl_id"]], -1) if row["init_setl_id"] else (row, 1)
        codes = {"hifp_pay": int(row["insutype"]) * 1000 + 100, "acct_pay": 310200} | FUND_CODES
        for name, code in codes.items():
            sums[code] += sign * fen_from_text(of.get(name) or "0")
    return Counter({code: fen for code, fen in sums.items() if fen})


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    """Gives the month's rows, written to claims.csv."""
    return month(tmp_path / "claims.csv")


def signed(centre: Centre, rows: list[dict[str, str]], folder: Path) -> None:
    """Takes the month from the file to the signature, one tenth retained."""
    (folder / "terms.toml").write_text('name = "Dali"\n[retention]\nratio = "0.10"\n', encoding="utf-8")
    places = sorted({region(row[name]) for row in rows for name in ("insu_admdvs", "mdtrtarea_admvs")})
    centre("init")
    regions = ",".join(f"{code:06d}" for code in places)
    centre("policy", "enact", "national-default", "--regions", regions, "--assumed", "--reason", "a test")
    centre("terms", "set", str(folder / "terms.toml"), "--begin", "202401")
    centre("intake", str(folder / "claims.csv"), "--actor", "clerk")
    for period in ("202402", PERIOD):
        centre("close", "--period", period)
        centre("draft", "--period", period)
        centre("check", "--period", period, "--actor", "checker", "--reason", "looked at")
        centre("sign", "--period", period, "--actor", "director")


def test_dali_income_less_spend_is_the_change(
    rows: list[dict[str, str]], sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each fund's change is its income less what the file says it paid, before and after the month is paid."""
    centre, spent = Centre(sqlite_url, capsys), spent_by(rows)
    assert len(rows) >= 1_000 and sum(spent.values()) > 0 and {310100, 390100, 310200} <= spent.keys()
    signed(centre, rows, tmp_path)
    for fund in spent:
        words = (str(fund), "--region", str(DALI), "--period", "202402")
        centre("fund", "open", *words, "--amount", yuan_text(OPENED))
        income = ("fund", "income", *words, "--kind", "contribution", "--amount", yuan_text(INCOME + fund))
        centre(*income, "--document", f"D-{fund}")
        assert "booked before" in centre(*income, "--document", f"D-{fund}")
    listed = ("fund", "list", "--begin", "202402", "--to", "202412", "--region", str(DALI))
    before = centre.json(*listed)
    found = {each["fund_pay_type"]: each for each in before}
    assert found.keys() == spent.keys()
    for fund, each in found.items():
        assert each["spend_fen"] == spent[fund]
        assert each["change_fen"] == INCOME + fund - spent[fund]
        assert each["closing_fen"] == OPENED + each["change_fen"] == each["booked_fen"]
        assert each["account"] == (fund == 310200)
    text = centre(*listed)
    assert "个人账户" in text and "统筹基金" in text and "可支付月数" in text
    pay_and_answer(centre, tmp_path)
    assert centre.json(*listed) == before
    centre("verify")


def pay_and_answer(centre: Centre, folder: Path) -> None:
    """Pays the month through bank files: every third row fails, is sent again and is then paid."""
    paid = centre.json("pay", "--period", PERIOD)
    institutions = [each for each in paid if each["kind"] == "institution"]
    assert len(institutions) > 100
    for each in institutions:
        assert each["retained_fen"] == round_half_up(each["fund_fen"], 10)
    own = folder / "bank.toml"
    own.write_text(profile_document("bank").replace('account = "required"', 'account = "optional"'), encoding="utf-8")
    bank = ("--profile", str(own))
    sent = [each for each in paid if each["amount_fen"] > 0]
    for attempt in (1, 2):
        file = folder / f"bank-{attempt}.csv"
        centre("pay-file", "--period", PERIOD, "--out", str(file), *bank)
        with file.open(encoding="utf-8", newline="") as opened:
            orders = list(csv.DictReader(opened))
        assert sum(fen_from_text(row["金额"]) for row in orders) == sum(each["amount_fen"] for each in sent)
        answers = [answer(row, failed=attempt == 1 and at % 3 == 0) for at, row in enumerate(orders)]
        back = write(folder / f"back-{attempt}.csv", answers)
        done = centre.json("bank-return", str(back), *bank)
        assert (done["accepted"] + done["failed"], done["refused"]) == (len(sent), [])
        again = centre.json("bank-return", str(back), *bank)
        assert (again["duplicate"], again["accepted"], again["failed"]) == (len(sent), 0, 0)
        sent = [each for each in centre.json("pay", "list", "--period", PERIOD) if each["state"] == "failed"]
        with ledger.open(centre.url, actor="clerk") as book:
            for each in sent:
                book.resend(each["key"], of=each["failure"])
    assert not sent
    listed = centre.json("pay", "list", "--period", PERIOD)
    assert sum(each["transit_fen"] for each in listed if each["amount_fen"] > 0) == 0


def answer(row: dict[str, str], *, failed: bool) -> dict[str, str]:
    """Returns the bank's answer to a row of a file."""
    outcome = {"处理结果": "失败", "银行流水号": "", "失败原因": "账号不符"} if failed else {
        "处理结果": "成功", "银行流水号": f"W{row['凭证号']}", "失败原因": "",
    }  # fmt: skip
    return {"凭证号": row["凭证号"], "金额": row["金额"], **outcome}
