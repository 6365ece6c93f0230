"""Age, hospital share, births and limits of chronic diseases, from the file through intake, books and replay."""

import csv
from pathlib import Path

import pytest

import projections
from core_ext.layout import AMOUNT, HOW
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.benefit_events import DiseaseLimitUsed
from ledger.register_file import RegisterError
from ledger.service import Ledger
from ledger.supervision.events import PersonDescribed
from tests.ledger.registry import MEMBERS, profile, registered, told
from tests.ledger.test_benefit_year import enacted
from tests.ledger.worlds import HEADER, claim, refund

SHARES = "[resident.account_pays]"
DEDUCTIBLE = 'first_stay = { 2 = "600.00" }'
RATIO = 'ratio = { resident = { 2 = "0.84" } }'
CHRONIC = """
[resident.chronic.deductible]
2023-01-01 = { kind = "none" }
[resident.chronic.deductible_place]
2023-01-01 = "subtracted_first"
[resident.chronic.position]
2023-01-01 = "per_claim"
[resident.chronic.segments]
2023-01-01 = [{ above = "0", ratio = { resident = { 2 = "0.50" } } }]
[resident.disease_limits]
2023-01-01 = [
    { disease = "M01600", yearly_cap = "1000.00", monthly_cap = "400.00" },
    { disease = "M03900", yearly_cap = "50.00" },
]
"""
BIRTHS = """
[employee.maternity.deductible]
2023-01-01 = { kind = "none" }
[employee.maternity.deductible_place]
2023-01-01 = "subtracted_first"
[employee.maternity.position]
2023-01-01 = "per_claim"
[employee.maternity.segments]
2023-01-01 = [{ above = "0", ratio = { active = { 2 = "1" }, retired = { 2 = "1" } } }]
"""


RULES_OF_EMPLOYEES = """
[employee.off_site]
2023-01-01 = {{ variant = "none", no_filing_needed = [] }}
[employee.first_selfpay_counts_toward]
2023-01-01 = []
[employee.deductible_exempt_classes]
2023-01-01 = []
[employee.deductible_after_ceiling]
2023-01-01 = "taken"
[employee.stay_below_deductible_counts]
2023-01-01 = true
[employee.ceiling_yearly_payment]
2023-01-01 = "none"
[employee.over_ceiling_amount]
2023-01-01 = "cut_payment"
[employee.further_funds_in_order]
2023-01-01 = []
[employee.account_pays]
2023-01-01 = "nothing"
[employee.maternity_paid_from]
2023-01-01 = "{}"
"""


def taken(
    book: Ledger, tmp_path: Path, rows: list[dict[str, str]], *more: str, under: Path | str = "national"
) -> dict[str, dict[str, int]]:
    """Takes claims in, some columns more than usual; returns what each act booked and how, once all come out again."""
    path = tmp_path / f"claims-{rows[0]['setl_id']}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*HEADER, *more])
        writer.writeheader()
        writer.writerows(rows)
    book.intake(path, under)
    for period in book.periods():
        assert book.replay(period.period).differences == ()
    with book.store.read() as reader:
        return {
            text_at(acts.texts["setl_id"], row): {
                **{name: int(acts.booked[row, at]) for name, at in AMOUNT.items()},
                **{f"how.{name}": int(acts.how[row, at]) for at, name in enumerate(HOW)},
            }
            for acts in read_acts(reader) for row in range(len(acts))
        }  # fmt: skip


def sound(url: str) -> None:
    """Asserts that log, books and tables agree."""
    with projections.open(url) as views:
        views.catch_up()
        assert views.verify() == []


@pytest.mark.parametrize(
    ("said", "paid"),
    [
        ({"brdy": "1954-01-06"}, 789_600),  # 69 until the day after
        ({"brdy": "1954-01-05"}, 846_000),  # 70 on the day
        ({"age": "70"}, 846_000),
        ({"age": "69"}, 789_600),
        ({"brdy": "1954-01-05", "age": "12"}, 846_000),
        ({}, 789_600),
    ],
)
def test_a_ratio_by_age(sqlite_url: str, tmp_path: Path, said: dict[str, str], paid: int) -> None:
    """From the day a person is 70 another ratio holds; an unknown age has none, and no day of birth is in the log."""
    aged = RATIO + ', exceptions = [{ age_from = 70, ratio = { 2 = "0.90" } }]'
    with enacted(sqlite_url, tmp_path, (RATIO, aged)) as book:
        (act,) = taken(book, tmp_path, [claim(1) | said], *said).values()
        assert act["hifp_pay"] == paid
        assert act["how.age"] == (0 if not said else 70 if paid == 789_600 else 71)
        with book.store.read() as reader:
            states = [
                bytes(row[0])
                for row in reader.query("SELECT state FROM stored_events WHERE topic <> ?", ("policy-enacted/1",))
            ]
        assert not any(b"1954" in state for state in states)
    sound(sqlite_url)


def test_the_register_has_the_age_a_claim_does_not_state(store_url: str, tmp_path: Path) -> None:
    """A birth registered with a member, or with the person, counts where a claim states neither birth nor age."""
    aged = RATIO + ', exceptions = [{ age_from = 70, ratio = { 2 = "0.90" } }]'
    with enacted(store_url, tmp_path, (RATIO, aged)) as book:
        members = registered(book, tmp_path, f"{MEMBERS},birth", "P1,某,260101,390,15,,1950-02-03",
                             "P2,某,260101,390,15,,1990-02-03", "P3,某,260101,390,15,,")  # fmt: skip
        assert members.new == 3
        registered(book, tmp_path, "psn_no,gend,brdy,die_date", "P3,2,1930-01-01,2024-12-31")
        assert registered(book, tmp_path, f"{MEMBERS},birth", "P3,某,260101,390,15,,1931-01-01").new == 1
        assert registered(book, tmp_path, f"{MEMBERS},birth", "P3,某,260101,390,15,,1931-01-01").new == 0
        with pytest.raises(RegisterError, match="row 1, birth: expected the day of death"):
            registered(book, tmp_path, f"{MEMBERS},birth", "P3,某,260101,390,15,,2025-01-01")
        rows = [claim(1, psn_no="P1"), claim(2, psn_no="P2"), claim(3, psn_no="P3"), claim(4, psn_no="P4"),
                claim(5, psn_no="P1") | {"age": "30"}]  # fmt: skip
        acts = taken(book, tmp_path, rows, "age")
        assert [acts[name]["how.age"] for name in sorted(acts)] == [74, 34, 94, 0, 31]
        paid = [acts[name]["hifp_pay"] for name in sorted(acts)]
        assert paid == [846_000, 789_600, 846_000, 789_600, 798_000]
        last = told(book, PersonDescribed)[-1]
        assert (last.gend, last.brdy, last.die_date) == (2, 19310101, 20241231)
    sound(store_url)


def test_an_age_nobody_can_have_is_quarantined(sqlite_url: str, tmp_path: Path) -> None:
    """A day of birth or an age that is none refuses its row and no other; a policy without ages keeps no age."""
    with enacted(sqlite_url, tmp_path) as book:
        rows = [
            claim(1) | {"brdy": "1954-13-05"}, claim(2) | {"age": "151"}, claim(3) | {"age": "x"},
            claim(4) | {"brdy": "1990-02-03", "age": "33"},
        ]  # fmt: skip
        acts = taken(book, tmp_path, rows, "brdy", "age")
        assert list(acts) == ["S000004"]
        assert acts["S000004"]["how.age"] == 0


def test_the_hospital_shares_the_personal_part(sqlite_url: str, tmp_path: Path) -> None:
    """The hospital bears its ratio of the parts the policy names; a claim that states a share has that one alone."""
    more = '[resident.hospital_share]\n2023-01-01 = { ratio = "0.05", of = ["in_scope", "overlmt"] }\n' + SHARES
    parts = {"inscp_scp_amt": "9000.00", "overlmt_selfpay": "600.10", "fulamt_ownpay_amt": "399.90"}
    first = claim(1) | parts
    with enacted(sqlite_url, tmp_path, (SHARES, more)) as book:
        rows = [first, claim(2, hosp_part_amt="10.00") | parts, refund(first, 3)]
        acts = taken(book, tmp_path, rows)
        # 84 % of 9,000.00 - 600.00 is paid; 5 % of the other 1,944.00 and of 600.10 is 127.205, half-up.
        assert (acts["S000001"]["hifp_pay"], acts["S000001"]["how.hosp_part_amt"]) == (705_600, 12_721)
        assert acts["S000001"]["psn_part_amt"] == 1_000_000 - 705_600 - 12_721
        assert acts["S000002"]["how.hosp_part_amt"] == 0
        assert acts["S000002"]["psn_part_amt"] == 1_000_000 - acts["S000002"]["hifp_pay"] - 1_000
        assert acts["S000003"]["how.hosp_part_amt"] == -12_721
        explained = book.explain("S000001")
        assert explained.sum_fen() == 1_000_000
        (share,) = [step for step in explained.steps if step.field == "hosp_part_amt"]
        assert (share.amount_fen, share.rules[0].step) == (12_721, 10)
        assert share.rules[0].parameters[0].key.startswith("resident.hospital_share")
    sound(sqlite_url)


@pytest.mark.parametrize(("paid_from", "own", "merged"), [("employee_pool", 310, 310), ("maternity_fund", 510, 510)])
def test_births_are_paid_from_the_pool_the_policy_names(
    sqlite_url: str, tmp_path: Path, paid_from: str, own: int, merged: int
) -> None:
    """An employee's birth, filed under 310 or 510, is an expense of the pool named; its refund and clawback too."""
    rules = RULES_OF_EMPLOYEES.format(paid_from) + BIRTHS
    with enacted(sqlite_url, tmp_path, ("[resident.off_site]", rules + "[resident.off_site]")) as book:
        one = claim(1, insutype="310", psn_type="11", med_type="52", medfee_sumamt="3000.00", inscp_scp_amt="3000.00")
        two = claim(2, insutype="510", psn_type="11", med_type="52", medfee_sumamt="500.00", inscp_scp_amt="500.00")
        three = refund(two, 3)
        acts = taken(book, tmp_path, [one, two, three])
        assert {act["how.pool"] for act in (acts["S000002"], acts["S000003"])} == {0 if own == 510 else 310}
        wrong = claim(4, insutype="510", psn_type="11", med_type="21")
        assert len(taken(book, tmp_path, [wrong])) == 3, "the maternity fund pays births alone"
        book.clawback_raise("C1", "S000001", 10_000, "checked")
    with projections.open(sqlite_url) as views:
        accounts = views.balances().accounts
    assert accounts[f"expense:260100:{merged}100"] == 290_000
    other = 820 - merged
    assert accounts.get(f"expense:260100:{other}100", 0) == 0
    sound(sqlite_url)


def chronic(serial: int, fee: str, disease: str, day: str = "2024-01-05", **cells: str) -> dict[str, str]:
    """Returns a chronic claim of one person."""
    row = claim(serial, psn_no="P1", med_type="14", medfee_sumamt=fee, inscp_scp_amt=fee, begndate=day, enddate=day,
                setl_time=f"{day} 08:00:00")  # fmt: skip
    return row | {"dise_codg": disease} | cells


def test_a_disease_has_its_own_limit_of_month_and_year(store_url: str, tmp_path: Path) -> None:
    """The basic fund pays each disease within its month and year, in commit order; a refund frees what it used."""
    rows = [
        chronic(1, "600.00", "M01600"),  # 300.00 of 400.00 a month
        chronic(2, "600.00", "M01600"),  # 100.00: the month is full
        chronic(3, "600.00", "M03900"),  # another disease: 50.00 in its year
        chronic(4, "600.00", "M99999"),  # no limit
        chronic(5, "2000.00", "M01600", "2024-02-05"),  # 400.00
        chronic(6, "2000.00", "M01600", "2024-03-05"),  # 200.00: the year is full
        chronic(7, "2000.00", "M01600", "2024-04-05"),
    ]
    with enacted(store_url, tmp_path, ("[resident.account_pays]", CHRONIC + "[resident.account_pays]")) as book:
        acts = taken(book, tmp_path, rows, "dise_codg")
        assert [act["hifp_pay"] for act in acts.values()] == [30_000, 10_000, 5_000, 30_000, 40_000, 20_000, 0]
        assert [act["how.limit"] for act in acts.values()] == [40_001, 10_001, 5_001, 0, 40_001, 20_001, 1]
        back = refund(chronic(6, "2000.00", "M01600", "2024-03-05"), 8, setl_time="2024-04-06 08:00:00")
        acts = taken(book, tmp_path, [back, chronic(9, "2000.00", "M01600", "2024-04-08")], "dise_codg")
        assert acts["S000008"]["hifp_pay"] == -20_000
        assert acts["S000009"]["hifp_pay"] == 20_000
        assert acts["S000009"]["act_pay_dedc"] == 0
        used = [event.used_fen for event in told(book, DiseaseLimitUsed) if isinstance(event, DiseaseLimitUsed)]
        assert used == [30_000, 10_000, 5_000, 40_000, 20_000, 0, -20_000, 20_000]
        steps = {step.field for step in book.explain("S000009").steps}
        assert "hifp_pay" in steps
    sound(store_url)


def test_an_entitlement_is_to_the_disease_a_claim_names(sqlite_url: str, tmp_path: Path) -> None:
    """Where entitlements are asked for, that of another disease does not count; a claim that names none has any."""
    with enacted(sqlite_url, tmp_path, ("[resident.account_pays]", CHRONIC + "[resident.account_pays]")) as book:
        registered(book, tmp_path, f"{MEMBERS},from", "P1,某,260101,390,15,,")
        registered(book, tmp_path, "psn_no,disease,from,to", "P1,M01600,2024-01-01,2024-01-31")
        entitled = profile(tmp_path, 'chronic = "entitled"')
        rows = [
            chronic(1, "100.00", "M01600"), chronic(2, "100.00", "M03900"), chronic(3, "100.00", ""),
            chronic(4, "100.00", "M01600", "2024-02-01"),
        ]  # fmt: skip
        acts = taken(book, tmp_path, rows, "dise_codg", under=entitled)
        assert list(acts) == ["S000001", "S000003"]
