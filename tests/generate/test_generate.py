"""Promises of the generator: one seed one file, sound claims but for the planted rows, the shape of a platform."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from console import generate as module
from console.generate import PLANTED, Summary, generate, generate_members
from console.places import regions

Row = dict[str, str]
ROWS = 20_000
PARTS = ("hifp_pay", "hifob_pay", "hifmi_pay", "maf_pay")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, list[Row], dict[str, Row]]:
    """Returns the summary, the claims and the members of one generated month."""
    folder = tmp_path_factory.mktemp("month")
    summary = generate(folder / "claims.csv", ROWS)
    generate_members(folder / "members.csv", summary.persons)
    with (folder / "claims.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with (folder / "members.csv").open(encoding="utf-8") as file:
        members = {row["psn_no"]: row for row in csv.DictReader(file)}
    return summary, rows, members


def fen(text: str) -> int:
    yuan, _, part = text.partition(".")
    assert len(part) == 2
    return int(yuan + part)


def sound(month: tuple[Summary, list[Row], dict[str, Row]]) -> list[Row]:
    planted = {row for rows in month[0].planted.values() for row in rows}
    return [row for number, row in enumerate(month[1], 1) if number not in planted]


def test_one_seed_gives_one_file(tmp_path: Path) -> None:
    """The same seed and size give the same bytes; another seed another file."""
    digests = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        generate(tmp_path / name, 3000, seed)
        generate_members(tmp_path / f"{name}m", 1000, seed)
        digests.append([hashlib.sha256((tmp_path / f"{name}{x}").read_bytes()).hexdigest() for x in ("", "m")])
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]
    assert digests[0][1] != digests[2][1]


def test_files_numbered_apart_share_no_key(tmp_path: Path) -> None:
    """Two files of one store have claims, visits and messages of their own, refunds among them."""
    keys: list[set[str]] = []
    for at in (0, 1):
        generate(tmp_path / "claims.csv", 3000, 5, numbered_from=1 + at * 3000, faults=0)
        with (tmp_path / "claims.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        keys.append({row[name] for row in rows for name in ("setl_id", "mdtrt_id", "medins_setl_id")})
        assert {row["init_setl_id"] for row in rows} - {""} <= keys[at]
        assert len({row["setl_id"] for row in rows}) == 3000
    assert not keys[0] & keys[1]


def test_the_file_has_the_national_header_and_the_rows_it_counts(month: tuple[Summary, list[Row], dict]) -> None:
    """What the summary says is what stands in the file."""
    summary, rows, _ = month
    good = sound(month)
    assert len(rows) == summary.rows == ROWS
    assert len(rows[0]) == 32
    assert summary.claims + summary.refunds + sum(map(len, summary.planted.values())) == ROWS
    assert summary.refunds == sum(row["refd_setl_flag"] == "1" for row in good)
    assert summary.source_settled == sum(row["fund_pay_sumamt"] != "" for row in good)
    assert summary.late == sum(row["setl_time"] < "2024-03-01" for row in good)
    assert Counter(int(row["med_type"]) for row in good) == summary.med_types


def test_the_mix_is_a_platforms(month: tuple[Summary, list[Row], dict]) -> None:
    """Kinds, off-site and settled shares are those of DOMAIN section 11 and the brief, within a point."""
    summary, rows, _ = month
    shares = {21: 5, 11: 64, 14: 4, 41: 27}
    for kind, percent in shares.items():
        assert abs(summary.med_types[kind] * 100 / ROWS - percent) < 1.5
    assert abs(summary.off_site * 100 / ROWS - 30) < 1.5
    assert 0 < summary.same_province < summary.off_site
    assert abs(summary.source_settled * 100 / ROWS - 15) < 1.5
    assert abs(summary.refunds * 100 / ROWS - 1) < 0.3
    assert summary.late == ROWS // 200
    assert {row["psn_type"] for row in rows} == {"11", "12", "14", "15", "16"}
    assert {row["hosp_lv"] for row in rows} == {"1", "2", "3"}
    means = {
        kind: np.mean([fen(r["medfee_sumamt"]) for r in sound(month) if r["med_type"] == kind])
        for kind in ["21", "11", "41"]
    }
    assert means["21"] > 20 * means["11"] > 20 * means["41"]


def test_every_sound_claim_keeps_the_identities(month: tuple[Summary, list[Row], dict]) -> None:
    """I1 holds everywhere, I2, I3 and I5 wherever a source settled, to the fen; nothing but a refund is negative."""
    for row in sound(month):
        splits = [
            fen(row[name]) for name in ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
        ]
        assert fen(row["medfee_sumamt"]) == sum(splits)
        if row["refd_setl_flag"] == "0":
            assert min(splits) >= 0
            assert fen(row["medfee_sumamt"]) > 0
        if not row["fund_pay_sumamt"]:
            continue
        fund, personal = fen(row["fund_pay_sumamt"]), fen(row["psn_part_amt"])
        assert fund == sum(fen(row[name]) for name in PARTS)
        assert fen(row["medfee_sumamt"]) == fund + personal + fen(row["hosp_part_amt"])
        assert personal == fen(row["acct_pay"]) + fen(row["psn_cash_pay"])
        assert min(personal, fen(row["acct_pay"]), fen(row["psn_cash_pay"]), *(fen(row[name]) for name in PARTS)) >= 0


def test_keys_are_unique_and_rise_with_time(month: tuple[Summary, list[Row], dict]) -> None:
    """Rows come in the order of settlement, so keys are written in order; a sender's number says where and when."""
    rows = sound(month)
    assert len({row["setl_id"] for row in rows}) == len({row["medins_setl_id"] for row in rows}) == len(rows)
    for name in ("setl_time", "setl_id"):
        assert [row[name] for row in rows] == sorted(row[name] for row in rows)
    for row in rows[:: len(rows) // 200]:
        moment = "".join(part for part in row["setl_time"] if part.isdigit())
        assert row["medins_setl_id"].startswith(row["fixmedins_code"] + moment)
        assert len(row["medins_setl_id"]) == 30
        assert row["setl_id"].startswith("S" + moment[:8])
        assert row["begndate"] <= row["enddate"] <= row["setl_time"][:10]
        assert row["enddate"] == row["setl_time"][:10] or row["refd_setl_flag"] == "1"


def test_a_refund_negates_the_facts_of_an_earlier_claim(month: tuple[Summary, list[Row], dict]) -> None:
    """Every refund names one earlier claim, no claim is refunded twice, and every fact is its exact negative."""
    earlier: dict[str, Row] = {}
    refunded = set()
    money = (
        "medfee_sumamt",
        "fulamt_ownpay_amt",
        "overlmt_selfpay",
        "preselfpay_amt",
        "inscp_scp_amt",
        "hosp_part_amt",
    )
    alike = (
        "psn_no",
        "insutype",
        "psn_type",
        "insu_admdvs",
        "mdtrtarea_admvs",
        "fixmedins_code",
        "hosp_lv",
        "med_type",
    )
    for row in sound(month):
        if row["refd_setl_flag"] == "1":
            original = earlier[row["init_setl_id"]]
            assert original["refd_setl_flag"] == "0"
            assert row["init_setl_id"] not in refunded
            refunded.add(row["init_setl_id"])
            assert [fen(row[name]) for name in money] == [-fen(original[name]) for name in money]
            assert [row[n] for n in (*alike, "begndate", "mdtrt_id")] == [
                original[n] for n in (*alike, "begndate", "mdtrt_id")
            ]
            assert row["hifp_pay"] == row["fund_pay_sumamt"] == row["psn_cash_pay"] == ""
        else:
            assert row["init_setl_id"] == ""
        earlier[row["setl_id"]] = row


def test_planted_rows_are_what_the_summary_calls_them(month: tuple[Summary, list[Row], dict]) -> None:
    """Each fault stands where the summary says, and is the only one of its row."""
    summary, rows, _ = month
    assert {kind: len(places) for kind, places in summary.planted.items()} == dict.fromkeys(PLANTED, 2)
    at = {kind: [(rows[number - 1], rows[number - 2]) for number in places] for kind, places in summary.planted.items()}
    assert all(row["begndate"] == "2024-02-30" for row, _ in at["bad_date"])
    assert all(row["medfee_sumamt"] == "12.3x" for row, _ in at["amount_text"])
    assert all(row["psn_no"] == "" for row, _ in at["missing_psn_no"])
    assert all(row["insutype"] == "999" for row, _ in at["unknown_insutype"])
    assert all(row == before for row, before in at["duplicate"])
    for row, before in at["setl_id_conflict"]:
        assert row["setl_id"] == before["setl_id"]
        assert fen(row["medfee_sumamt"]) == fen(before["medfee_sumamt"]) + 100
    for row, _ in at["identity_I1"]:
        splits = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
        assert fen(row["medfee_sumamt"]) + 1 == sum(fen(row[name]) for name in splits)


def test_members_are_the_persons_of_the_claims(month: tuple[Summary, list[Row], dict]) -> None:
    """Every claim's person is a member, with the name, place, insurance and class the claim says."""
    summary, _, members = month
    assert len(members) == summary.persons
    shared = ("psn_name", "insu_admdvs", "insutype", "psn_type")
    for row in sound(month):
        assert [row[name] for name in shared] == [members[row["psn_no"]][name] for name in shared]
    assert {row["assist_class"] for row in members.values()} == {"", "1", "2", "3", "4"}
    assert all((fen(row["account_balance"]) > 0) <= (row["insutype"] == "310") for row in members.values())


def test_chunks_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of many chunks keep order, unique keys and refunds across the edges of chunks."""
    monkeypatch.setattr(module, "CHUNK", 300)
    summary = generate(tmp_path / "claims.csv", 4000, refund_percent=20, faults=3)
    with (tmp_path / "claims.csv").open(encoding="utf-8") as file:
        month = summary, list(csv.DictReader(file)), {}
    test_keys_are_unique_and_rise_with_time(month)
    test_a_refund_negates_the_facts_of_an_earlier_claim(month)
    assert summary.refunds > 400
    assert {kind: len(places) for kind, places in summary.planted.items()} == dict.fromkeys(PLANTED, 3)


def test_sizes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """A file too small for its planted rows, or too large for unique serials, is refused before it is written."""
    for claims, faults in ((50, 0), (1000, 20), (10**9, 2)):
        with pytest.raises(ValueError, match="claims: expected 100 to"):
            generate(tmp_path / "claims.csv", claims, faults=faults)
    assert not list(tmp_path.iterdir())


def test_places_are_the_pooling_areas_of_all_provinces() -> None:
    """31 provinces, municipalities whole, codes that are unique and in order, names in both languages."""
    places = regions()
    assert len({place.province for place in places}) == 31
    assert [place.code for place in places] == sorted({place.code for place in places})
    assert [place.code for place in places if place.code % 10_000 == 0] == [110000, 120000, 310000, 500000]
    assert all(place.code // 10_000 == place.province and place.name_zh and place.name_en for place in places)
