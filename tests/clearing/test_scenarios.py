"""Two cities' reports, driven through the command line over three thousand generated claims."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from console.main import main
from ledger.money import fen_from_text
from tests.clearing.worlds import PERIOD, SHANWEI, TAIAN, Row, gathered, region


class Centre:
    """Is a clearing centre at its command line."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        """Runs a command and returns what it printed."""
        assert main([*words, "--store", self.url]) == status, self._capsys.readouterr().err
        said = self._capsys.readouterr()
        assert said.err == ""
        return said.out

    def sheets(self, kind: str, *words: str) -> list[list[dict[str, Any]]]:
        """Returns the rows of a statement's sheets."""
        told = json.loads(self("statement", "--period", str(PERIOD), "--kind", kind, *words, "--format", "json"))
        return [sheet["rows"] for sheet in told["sheets"]]


@pytest.fixture
def month(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Centre, list[Row]]:
    """Gives a centre whose month went from the file to the signature, by three people, and the month's rows."""
    rows = gathered(tmp_path / "claims.csv", source_percent=60)
    centre = Centre(sqlite_url, capsys)
    centre("init")
    provinces = {region(row[name]) for row in rows for name in ("insu_admdvs", "mdtrtarea_admvs")}
    regions = [f"{code:06d}" for code in sorted(provinces)]
    centre("policy", "enact", "national-default", "--regions", ",".join(regions), "--assumed", "--reason", "a test")
    centre("intake", str(tmp_path / "claims.csv"), "--actor", "clerk")
    for period in ("202402", str(PERIOD)):
        centre("close", "--period", period, "--actor", "clerk")
    centre("draft", "--period", str(PERIOD), "--actor", "clerk")
    centre("check", "--period", str(PERIOD), "--actor", "checker")
    centre("sign", "--period", str(PERIOD), "--actor", "director")
    return centre, rows


def of_march(rows: list[Row]) -> list[tuple[Row, Row, int]]:
    """Returns (row, the row its amounts are of, sign) of the month's claims and refunds."""
    by_id = {row["setl_id"]: row for row in rows}
    return [
        (row, by_id[row["init_setl_id"]] if row["init_setl_id"] else row, -1 if row["init_setl_id"] else 1)
        for row in rows
        if row["setl_time"].startswith("2024-03")
    ]


def test_shanwei_reports_both_roles(month: tuple[Centre, list[Row]], tmp_path: Path) -> None:
    """Shanwei as insured place and as treatment place: direct counts, rates and avoided advances are those of the file.

    The rows that carry their source's amounts were settled at the counter; the others came by hand.
    """
    centre, rows = month
    times: Counter[tuple[str, str, int]] = Counter()
    direct: Counter[tuple[str, str, int]] = Counter()
    avoided: Counter[tuple[str, str, int]] = Counter()
    for row, of, sign in of_march(rows):
        insured, treated = region(row["insu_admdvs"]), region(row["mdtrtarea_admvs"])
        if insured == treated or SHANWEI not in (insured, treated):
            continue
        scope = "same_province" if insured // 10_000 == treated // 10_000 else "cross_province"
        key = ("insured" if insured == SHANWEI else "treatment", scope, int(row["med_type"]))
        times[key] += sign
        if of["fund_pay_sumamt"]:
            direct[key] += sign
            avoided[key] += sign * (fen_from_text(of["fund_pay_sumamt"]) + fen_from_text(of["acct_pay"]))
    assert sum(times.values()) > 500 and {key[0] for key in times} == {"insured", "treatment"}
    (found,) = centre.sheets("roles", "--region", str(SHANWEI))
    got = {(row["role"], row["scope"], row["clr_type"]): row for row in found}
    assert {key: row["person_times"] for key, row in got.items()} == dict(times)
    assert {key: row["direct_times"] for key, row in got.items()} == {key: direct[key] for key in times}
    assert {key: row["avoided_fen"] for key, row in got.items()} == {key: avoided[key] for key in times}
    for key, row in got.items():
        assert row["direct_ratio"] == (20_000 * direct[key] + times[key]) // (2 * times[key])
    insured, treated = centre.sheets("detail", "--region", str(SHANWEI))
    assert {row["role"] for row in insured} == {"insured"}
    assert sum(row["due_fen"] for row in [*insured, *treated]) == sum(row["due_fen"] for row in found)
    path = tmp_path / "roles.xlsx"
    words = ("statement", "--period", str(PERIOD), "--kind", "roles", "--region", str(SHANWEI))
    centre(*words, "--format", "xlsx", "--out", str(path))
    assert "as issued" in centre("verify", str(path))
    text = centre(*words)
    assert "异地就医双角色报告" in text and "减少垫资" in text and "直接结算率" in text
    assert "avoided advances" in centre(*words, "--lang", "en")


def test_taian_sends_up_and_is_sent_down(month: tuple[Centre, list[Row]]) -> None:
    """Tai'an's residents' care elsewhere goes up to Shandong (上解), others' care in Tai'an comes down (下拨)."""
    centre, rows = month
    sent, received, own, other = centre.sheets("chain", "--region", str(TAIAN))
    details = centre.sheets("detail", "--region", str(TAIAN))
    owed, earned = (sum(row["due_fen"] for row in side) for side in details)
    assert len(details[0]) + len(details[1]) > 300
    (up,) = [row for row in sent if row["payer"] == f"{TAIAN:06d}"]
    (down,) = [row for row in own if row["payee"] == f"{TAIAN:06d}"]
    assert (up["payee"], up["due_fen"]) == ("370000", owed)
    assert (down["payer"], down["due_fen"]) == ("370000", earned)
    across_out = sum(row["due_fen"] for row in received if row["payer"] == "370000")
    across_in = sum(row["due_fen"] for row in received if row["payee"] == "370000")
    inside = sum(row["due_fen"] for row in details[0] if row["treatment_region"] // 10_000 == 37)
    inside_in = sum(row["due_fen"] for row in details[1] if row["insured_region"] // 10_000 == 37)
    assert (across_out, across_in) == (owed - inside, earned - inside_in)
    (paid,) = [row for row in other if row["payer"] == f"{TAIAN:06d}"]
    institutions = centre.sheets("institutions", "--region", str(TAIAN))[0]
    assert paid["due_fen"] == sum(row["due_fen"] for row in institutions)
    by_city: defaultdict[int, int] = defaultdict(int)
    for row, _, sign in of_march(rows):
        if region(row["insu_admdvs"]) == TAIAN != region(row["mdtrtarea_admvs"]):
            by_city[region(row["mdtrtarea_admvs"])] += sign
    (payable,) = centre.sheets("payable", "--region", str(TAIAN))
    assert {row["counterpart"]: row["person_times"] for row in payable} == dict(by_city)
    assert "上解表" in centre("statement", "--period", str(PERIOD), "--kind", "chain", "--region", str(TAIAN))


def test_a_signed_month_is_paid_and_stays_as_it_was_issued(month: tuple[Centre, list[Row]], tmp_path: Path) -> None:
    """The checker may not sign nor the clerk pay early; once paid, a clearing is not withdrawn, and its files hold."""
    centre, _ = month
    file = tmp_path / "notices.csv"
    words = ("statement", "--period", str(PERIOD), "--kind", "notices", "--format", "csv", "--out", str(file))
    centre(*words)
    payments = json.loads(centre("pay", "--period", str(PERIOD), "--to", "regions", "--json"))
    (notices,) = centre.sheets("notices")
    assert {(f"{row['payer']:06d}", row["payee"], row["amount_fen"]) for row in payments} == {
        (row["payer"], row["payee"], row["amount_fen"]) for row in notices
    }
    assert (
        json.loads(centre("calendar", "--period", str(PERIOD), "--on", "2024-05-02", "--json"))[0]["step"]
        == "reconcile"
    )
    assert "as issued" in centre("verify", str(file))
    edited = tmp_path / "edited.csv"
    edited.write_text(
        file.read_text(encoding="utf-8").replace("元整", "元正", 1).replace("角", "分", 1), encoding="utf-8"
    )
    assert "edited-line" in centre("verify", str(edited), status=1)


def test_the_national_summary_is_of_provinces(month: tuple[Centre, list[Row]]) -> None:
    """At the province grain what stays inside a province is left out, and the rest is the same money as across."""
    centre, _ = month
    cities, _, _, owes, owed, net, _ = centre.sheets("summary")
    _, across, _, _ = centre.sheets("chain")
    assert sum(row["due_fen"] for row in owes) == sum(row["due_fen"] for row in across)
    assert sum(row["receivable_fen"] for row in owed) == sum(row["due_fen"] for row in owes)
    assert sum(row["net_fen"] for row in net) == 0
    assert sum(row["due_fen"] for row in cities) > sum(row["due_fen"] for row in owes)
    (one,) = [row for row in owes if row["region"] == TAIAN // 10_000 * 10_000]
    assert one["due_fen"] == sum(row["due_fen"] for row in across if row["payer"] == f"{one['region']:06d}")
    assert len(centre.sheets("summary", "--region", str(TAIAN))) == 4


def test_a_city_pays_its_own_payments_alone(month: tuple[Centre, list[Row]]) -> None:
    """Payments of other regions' agencies, which its store knows of, stay uninstructed until somebody asks for them."""
    centre, _ = month
    words = ("pay", "--period", str(PERIOD), "--json")
    own = json.loads(centre(*words, "--payer", str(SHANWEI)))
    assert own and {each["payer"] for each in own} == {SHANWEI}
    rest = json.loads(centre(*words))
    assert SHANWEI not in {each["payer"] for each in rest} and len(rest) > len(own)
