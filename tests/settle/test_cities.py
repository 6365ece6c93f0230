"""Cities through intake and settle: Qingyuan to the fen, Tai'an around its change of rules, Dali's four classes."""

import csv
from collections.abc import Iterable
from pathlib import Path

import ledger
from core_ext.layout import AMOUNT
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.service import Ledger
from tests.ledger.worlds import claim, clock, write

#: What is published: (insutype, psn_type), hospital level, percent local or with a filing that counts, percent unfiled.
QINGYUAN = [
    *((("310", "11"), level, 87, 67) for level in (1, 2, 3)),
    (("310", "12"), 1, 95, 75), (("310", "12"), 2, 92, 72), (("310", "12"), 3, 90, 70),
    *((("390", psn_type), level, local, away) for psn_type in ("14", "15", "16")
      for level, local, away in ((1, 90, 80), (2, 75, 65), (3, 60, 50))),
]  # fmt: skip
DALI = Path(__file__).parents[1] / "policies" / "dali.toml"


def fens(count: int) -> Iterable[int]:
    """Returns odd amounts in fen, from one fen to some ten thousand yuan."""
    return (1 + 2 * (at * at * at * 97 % 2_000_003) if at else 1 for at in range(count))


def yuan(fen: int) -> str:
    """Returns fen as decimal yuan."""
    return f"{fen // 100}.{fen % 100:02}"


def register(path: Path, names: str, rows: Iterable[tuple[str, ...]]) -> Path:
    """Writes a register as CSV and returns its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names.split(","), *rows])
    return path


def amounts(book: Ledger, *names: str) -> dict[str, tuple[int, ...]]:
    """Returns named amounts of every act by its setl_id, in fen."""
    with book.store.read() as reader:
        return {
            text_at(acts.texts["setl_id"], row): tuple(int(acts.booked[row, AMOUNT[name]]) for name in names)
            for acts in read_acts(reader)
            for row in range(len(acts))
        }


def test_qingyuan_over_levels_classes_and_filings(sqlite_url: str, tmp_path: Path) -> None:
    """Every published ratio of Qingyuan, on 200 odd amounts each, at home, filed and unfiled, comes out to the fen."""
    rows, expected, persons = [], {}, set()
    for (insutype, psn_type), level, local, away in QINGYUAN:
        for state, percent in (("home", local), ("long_term", local), ("referral", 0), ("unfiled", away)):
            percent = percent or (local if insutype == "310" else away)
            person = f"P{insutype}{psn_type}{state}"
            persons.add((person, insutype, psn_type, state))
            for fen in fens(200):
                row = claim(len(rows) + 1, psn_no=person, insutype=insutype, psn_type=psn_type, hosp_lv=str(level),
                            insu_admdvs="441802", mdtrtarea_admvs="441802" if state == "home" else "440106",
                            medfee_sumamt=yuan(fen), inscp_scp_amt=yuan(fen))  # fmt: skip
                expected[row["setl_id"]] = ((fen * percent + 50) // 100,)
                rows.append(row)
    outpatient = [claim(len(rows) + 1 + at, insutype="310", psn_type="11", med_type="11", insu_admdvs="441802",
                        mdtrtarea_admvs="441802", medfee_sumamt=yuan(fen), inscp_scp_amt=yuan(fen))
                  for at, fen in enumerate(fens(200))]  # fmt: skip
    expected |= {row["setl_id"]: ((fen * 55 + 50) // 100,) for row, fen in zip(outpatient, fens(200), strict=True)}
    filed = [(person, state, "440100", "2024-01-01", "") for person, _, _, state in sorted(persons)
             if state in ("long_term", "referral")]  # fmt: skip
    members = [(person, "某人", "441802", insutype, psn_type, "") for person, insutype, psn_type, _ in sorted(persons)]
    with ledger.create(sqlite_url, actor="tester", clock_us=clock()) as book:
        book.enact("qingyuan", [441800])
        names = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class"
        book.register(register(tmp_path / "members.csv", names, members))
        book.register(register(tmp_path / "filings.csv", "psn_no,type,region,from,to", filed))
        report = book.intake(write(tmp_path / "claims.csv", [*rows, *outpatient]))
        assert (report.booked, report.quarantined) == (15 * 4 * 200 + 200, 0)
        assert amounts(book, "hifp_pay") == expected


def test_taian_around_its_change_of_rules(sqlite_url: str, tmp_path: Path) -> None:
    """Unfiled care inside the province leaves 10 % to the person until 2021, nothing from 2022; outside it does."""
    days = ("2021-12-31 23:59:59", "2022-01-01 00:00:00")
    places = ("370902", "370102", "110101")
    rows = [
        claim(1 + at, psn_no=f"P{at}", insu_admdvs="370902", mdtrtarea_admvs=place, setl_time=day)
        for at, (day, place) in enumerate((day, place) for day in days for place in places)
    ]
    with ledger.create(sqlite_url, actor="tester", clock_us=clock()) as book:
        book.enact("taian", [370900])
        book.intake(write(tmp_path / "claims.csv", rows))
        paid = [paid for _, (paid,) in sorted(amounts(book, "hifp_pay").items())]
    # 10,000.00, or 9,000.00 after the first self-pay, less 1,500.00, at 60 %.
    assert paid == [510_000, 450_000, 450_000, 510_000, 510_000, 450_000]


def test_four_classes_of_dali(sqlite_url: str, tmp_path: Path) -> None:
    """Assistance pays each of Dali's four classes its own ratio above its threshold, over the year, within its cap."""
    members = [(f"P{at}", "某人", "532901", "390", "15", str(at or "")) for at in range(5)]
    rows = [
        claim(1 + 10 * stay + at, psn_no=f"P{at}", insu_admdvs="532901", mdtrtarea_admvs="532901",
              medfee_sumamt=fee, inscp_scp_amt=fee)
        for stay, fee in enumerate(("10000.00", "30000.01", "200000.00")) for at in range(5)
    ]  # fmt: skip
    with ledger.create(sqlite_url, actor="tester", clock_us=clock()) as book:
        book.enact(DALI, [532900])
        names = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class"
        book.register(register(tmp_path / "members.csv", names, members))
        book.intake(write(tmp_path / "claims.csv", rows))
        found = [paid for _, paid in sorted(amounts(book, "act_pay_dedc", "hifp_pay", "maf_pay").items())]
    assert found[:5] == [
        (50_000, 570_000, 0),
        (0, 600_000, 400_000),
        (0, 600_000, 320_000),
        (50_000, 570_000, 91_000),  # 70 % of 4,300.00 - 3,000.00
        (50_000, 570_000, 0),
    ]
    assert found[5:10] == [
        (50_000, 1_770_001, 0),
        (0, 1_800_001, 1_200_000),
        (0, 1_800_001, 960_000),
        (50_000, 1_770_001, 861_000),  # 70 % of 12,300.00: the year is above its threshold
        (50_000, 1_770_001, 396_000),  # 60 % of 4,300.00 + 12,300.00 - 10,000.00
    ]
    caps = [maf for _, _, maf in found[10:]]
    assert caps == [0, 8_000_000, 5_000_000 - 1_280_000, 3_000_000 - 952_000, 2_000_000 - 396_000]
