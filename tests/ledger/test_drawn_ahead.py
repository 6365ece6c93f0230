"""Whatever a file holds and whatever others do meanwhile, deciding ahead leaves the log of deciding in turn."""

import csv
import random
from pathlib import Path

import pytest

import ledger
import projections
from ledger import accounts, intake, knowledge, person_years
from ledger.claim import Claim
from ledger.profile import load_profile
from ledger.service import Ledger
from ledger.store import run_writer
from tests.ledger.registry import CLINIC, MEMBERS, SETTLED, profile, registered
from tests.ledger.test_benefit_year import enacted
from tests.ledger.test_decided_ahead import NOON, Counted, state_of
from tests.ledger.test_divided_stays import DIVIDES, stay, turning
from tests.ledger.test_intake import run
from tests.ledger.test_persons_and_limits import CHRONIC, chronic
from tests.ledger.worlds import HEADER, claim, opened, refund, rows_of, write
from tests.settle.test_worked_checks import TWO_STAYS

SUSPENDED = f"{CLINIC[:-1]}2"
STAYS = (("2024-01-02", "2024-01-05"), ("2024-02-02", "2024-02-05"), ("2023-12-28", "2024-01-03"))


def drawn(seed: int, count: int = 70) -> list[dict[str, str]]:
    """Returns claims of few persons and new ones, paid, unpaid, late, at a suspended place, without a policy, damaged;
    refunds near and far, twice or of somebody else; repeated rows, keys and message ids."""
    draw = random.Random(seed)
    rows: list[dict[str, str]] = []
    for serial in range(1, count + 1):
        what = draw.choices(
            ("claim", "refund", "same", "key", "message", "free"), (55, 22, 6, 5, 5, 7), k=1)[0]  # fmt: skip
        near = rows[-draw.randint(1, min(len(rows), draw.choice((2, 4, 30)))) :] if rows else []
        other = near[0] if near else claim(serial)
        begin, end = draw.choice(STAYS)
        own = claim(
            serial,
            psn_no=draw.choice((f"P{draw.randint(0, 5)}", f"N{serial}", f"N{serial // 5}")),
            begndate=begin,
            enddate=end,
            setl_time=f"{end} 08:00:00",
            med_type=draw.choice(("21", "21", "11", "14")),
            insutype="390",
            mdtrtarea_admvs=draw.choice(("260101", "470101", "260101")),
            insu_admdvs=draw.choice(("260101",) * 9 + ("990101",)),
            fixmedins_code=draw.choice((CLINIC, CLINIC, SUSPENDED)),
            **(SETTLED if draw.random() < 0.4 else {}),
        )
        own["dise_codg"] = draw.choice(("M01600", "M03900", "")) if own["med_type"] == "14" else ""
        if what == "refund":
            own = refund(other, serial, **({"psn_no": "P9"} if draw.random() < 0.1 else {}))
        elif what == "same":
            own = dict(other)
        elif what == "key":
            own["setl_id"] = other["setl_id"]
        elif what == "message":
            own["medins_setl_id"] = other["medins_setl_id"]
        elif what == "free":
            own |= draw.choice(({"medfee_sumamt": "1.00"}, {"begndate": "soon"}, {"psn_no": ""}))
        rows.append(own)
    return rows


def office(url: str, folder: Path) -> Ledger:
    """Returns a ledger with two institutions, one of them suspended, and members with accounts or entitlements."""
    book = opened(url)
    book.clock_us = lambda: NOON
    registered(
        book, folder, "fixmedins_code,fixmedins_name,region,hosp_lv,capabilities,from,status,reason",
        f"{CLINIC},Clinic,260101,2,11 14 21,2023-01-01,,", f"{SUSPENDED},Other,260101,2,11 14 21,2023-01-01,,",
        f"{SUSPENDED},,,,,2024-01-01,suspended,inspection",
    )  # fmt: skip
    members = [f"P{i},某,260101,390,15,,{i}00.00" for i in range(4)]
    registered(book, folder, f"{MEMBERS},account_balance", *members)
    before = [claim(800, psn_no="P1", setl_time="2023-12-05 08:00:00"), claim(801, psn_no="P2")]
    book.intake(write(folder / "before.csv", before))
    book.close(202312)
    book.close(202401)
    registered(book, folder, "psn_no,disease,from,to", "P1,M01600,2023-01-01,", "P2,M03900,2024-01-01,2024-12-31")
    return book


def act(book: Ledger, folder: Path, at: int) -> None:
    """Does, as somebody else, what a batch decided before it must not overlook."""
    if at == 3:
        own = claim(700, psn_no="P1", begndate="2024-01-02")
        (result,) = book.settle([Claim(**{k: v for k, v in own.items() if k in Claim.__struct_fields__})])
        assert result.outcome == "booked", result
    elif at == 5:
        registered(book, folder, MEMBERS, "N9,某,260101,390,15,")
    elif at == 7:
        text = TWO_STAYS.replace('1 = "600.00"', '2 = "600.00"').replace('1 = "0.84"', '2 = "0.84"')
        text = text.replace("2024-01-01", "2023-01-01").replace(*DIVIDES).replace(
            "[resident.account_pays]", CHRONIC + "[resident.account_pays]")  # fmt: skip
        (folder / "own.toml").write_text(text, encoding="utf-8")
        book.enact(folder / "own.toml", [260100])


def taken_in(url: str, folder: Path, path: Path, batch_rows: int, disturbed: bool) -> list[object]:
    """Returns the log and all that the write side keeps behind a job that others do things between the batches of."""
    calls = iter(range(1, 1_000))

    def between(row: int) -> None:
        with ledger.open(url, actor="other", clock_us=lambda: NOON) as other:
            act(other, folder, next(calls))

    with office(url, folder) as book:
        terms = load_profile(profile(folder, 'institutions = "registered"', 'chronic = "entitled"'))
        report = intake.run_intake(
            book, path, terms, reason="", retry=False, dry_run=False, quarantine=folder / "bad.csv",
            progress=between if disturbed else None, batch_rows=batch_rows,
        )  # fmt: skip
        assert report.booked > 20 and report.quarantined and report.duplicate
        found = [*state_of(book), rows_of(book, "reversal", "claim")]
    with projections.open(url) as read:
        assert read.verify() == []
        return [report, *found, read.root()]


@pytest.mark.parametrize("disturbed", [False, True])
@pytest.mark.parametrize(("batch_rows", "seed"), [(2, 1), (3, 2), (7, 3)])
def test_drawn_files_leave_what_they_leave_in_turn(
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batch_rows: int,
    seed: int,
    disturbed: bool,
) -> None:
    """Same report, events, root, persons, years (runs too), accounts, messages and reversals, little remembered or
    much."""
    counted = Counted(monkeypatch)
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(intake, "MOST_RUNS", 3)
    for kept, name in ((knowledge, "CACHED_PERSONS"), (person_years, "MOST"), (accounts, "MOST")):
        if seed % 2:
            monkeypatch.setattr(kept, name, 4)
    path = tmp_path / "claims.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*HEADER, "dise_codg"])
        writer.writeheader()
        writer.writerows(drawn(seed))
    found = taken_in(store_url, tmp_path, path, batch_rows, disturbed)
    assert counted.held >= 3 and (counted.dropped > 0) >= disturbed
    counted.off = True
    assert found == taken_in(f"sqlite:///{tmp_path / 'plain.db'}", tmp_path, path, batch_rows, disturbed)


LOOKED_FOR = {
    "limits of diseases": (
        ("[resident.account_pays]", CHRONIC + "[resident.account_pays]"),
        [chronic(serial, "600.00", "M01600") for serial in range(1, 5)],
    ),
    "stays over the turn of a year": (
        DIVIDES,
        [turning(1), stay(2, "2023-06-01", "2023-06-03"), refund(turning(1), 3), turning(4)],
    ),
}


@pytest.mark.parametrize("kind", LOOKED_FOR)
def test_what_is_looked_for_in_other_ways_is_decided_in_turn(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Claims that rest on what the batch before used of a limit, or counted in another year, are decided behind it."""
    change, rows = LOOKED_FOR[kind]
    path = write(tmp_path / "claims.csv", rows, [*HEADER, "dise_codg"])
    counted = Counted(monkeypatch)
    found = []
    for url in (sqlite_url, f"sqlite:///{tmp_path / 'plain.db'}"):
        with enacted(url, tmp_path, change) as book:
            book.clock_us = lambda: NOON
            run(book, path, 1)
            found.append(state_of(book))
        counted.off = True
    assert found[0] == found[1]
