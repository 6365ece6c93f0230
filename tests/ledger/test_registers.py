"""Registers by day: institutions, members, entitlements and filings, and what they refuse, flag and reach back to."""

from pathlib import Path

import pytest

from core_ext.layout import AMOUNT, HOW
from ledger import create
from ledger.acts import read_acts
from ledger.events import MemberEnrolled
from ledger.policy import shipped
from ledger.refusals import Refusal
from ledger.register_events import (
    ENROLMENT_AS_STATED,
    ENROLMENT_EXEMPT,
    ENROLMENT_LATE,
    ENROLMENT_NEWBORN,
    ClaimFlagged,
    FilingEnded,
    InstitutionChanged,
    InstitutionRegistered,
    InstitutionSuspended,
    InstitutionTerminated,
    MemberChanged,
)
from ledger.reports import Registered
from tests.ledger.registry import CLINIC, MEMBERS, SETTLED, on, profile, registered, taken, told
from tests.ledger.test_platform import check, expected, outcomes
from tests.ledger.worlds import clock, opened, refund
from tests.samples import shared
from tests.settle.platform import policy_documents

INSTITUTION = (
    "fixmedins_code,fixmedins_name,region,hosp_lv,capabilities,from,status,settlement_grade,bank_account,reason",
    f"{CLINIC},Clinic,260101,2,11 21,2024-01-01,,,6222 0001,",
    f"{CLINIC},,,,,2024-02-01,suspended,,,inspection",
    f"{CLINIC},,,,,2024-03-01,in_network,,,",
    f"{CLINIC},,,,,2024-04-01,terminated,,,contract ended",
)


def test_an_institution_may_settle_what_it_may_on_the_day(store_url: str, tmp_path: Path) -> None:
    """An unsettled claim is refused by name at an unknown, suspended, terminated or incapable institution."""
    rows = [
        on("2024-01-05", 1),
        on("2023-12-31", 2),
        on("2024-02-01", 3),
        on("2024-02-29", 4),
        on("2024-03-01", 5),
        on("2024-04-01", 6),
        on("2024-01-05", 7, med_type="14"),
        on("2024-01-05", 8, fixmedins_code="H26010199999"),
    ]
    with opened(store_url) as book:
        assert registered(book, tmp_path, *INSTITUTION).new == 4
        kinds = [
            type(event) for event in told(book, InstitutionRegistered, InstitutionSuspended, InstitutionTerminated)
        ]
        assert kinds == [InstitutionRegistered, InstitutionSuspended, InstitutionTerminated]
        assert [event.begin for event in told(book, InstitutionChanged)] == [20240301]
        assert taken(book, tmp_path, rows, 'institutions = "registered"') == {
            1: "booked",
            2: "institution_unknown",
            3: "institution_suspended",
            4: "institution_suspended",
            5: "booked",
            6: "institution_terminated",
            7: "institution_incapable",
            8: "institution_unknown",
        }
        assert book.replay(202401).differences == ()


def test_a_paid_claim_is_booked_and_flagged(store_url: str, tmp_path: Path) -> None:
    """What its source has paid is booked as given, with a finding for every register that would have refused it."""
    rows = [
        on("2024-02-05", 1, **SETTLED),
        on("2024-02-05", 2, **SETTLED, fixmedins_code="X1"),
        on("2024-01-05", 3, **SETTLED, med_type="11"),
        on("2024-02-05", 4, **SETTLED, med_type="14"),
    ]
    with opened(store_url) as book:
        registered(book, tmp_path, *INSTITUTION)
        lines = ('institutions = "registered"', 'chronic = "entitled"')
        assert set(taken(book, tmp_path, rows, *lines).values()) == {"booked"}
        found = [event for event in told(book, ClaimFlagged) if isinstance(event, ClaimFlagged)]
        assert [(event.row, Refusal(event.reason).code) for event in found] == [
            (1, "institution_suspended"),
            (2, "institution_unknown"),
            (4, "institution_suspended"),
            (4, "entitlement_missing"),
        ]
        back = refund(rows[0], 11, medfee_sumamt="-10000.00", inscp_scp_amt="-10000.00", hosp_part_amt="0.00")
        back |= {name: f"-{text}" for name, text in SETTLED.items()}
        assert set(taken(book, tmp_path, [back], *lines).values()) == {"booked"}
        assert len(told(book, ClaimFlagged)) == len(found), "a refund follows its original whatever registers say"
        assert book.replay(202402).differences == () == book.replay(202401).differences


def test_an_unrated_institution_takes_the_ratio_of_its_grade_on_the_day(store_url: str, tmp_path: Path) -> None:
    """A claim of a hospital without a level is priced by the settlement grade of its day, and replays so."""
    document = tmp_path / "qingyuan.toml"
    document.write_text(shipped("qingyuan"), encoding="utf-8")
    home = {"insu_admdvs": "441802", "mdtrtarea_admvs": "441802"}
    rows = [
        on("2024-01-05", 1, hosp_lv="9", **home),
        on("2024-02-05", 2, hosp_lv="9", **home),
        on("2024-03-05", 3, hosp_lv="9", **home),
        on("2024-02-05", 4, hosp_lv="1", **home),
        on("2024-02-05", 5, hosp_lv="9", fixmedins_code="X3", **home),
    ]
    with opened(store_url) as book:
        book.enact(document, [441800])
        registered(
            book,
            tmp_path,
            "fixmedins_code,region,hosp_lv,from,settlement_grade",
            f"{CLINIC},441802,9,,",
            f"{CLINIC},441802,9,2024-02-01,2",
            f"{CLINIC},441802,9,2024-03-01,3",
            "X3,441802,2,,1",
        )
        assert set(taken(book, tmp_path, rows).values()) == {"booked"}
        paid = {}
        with book.store.read() as reader:
            for acts in read_acts(reader):
                for at, row in enumerate(acts.row.tolist()):
                    paid[row] = (int(acts.booked[at, AMOUNT["hifp_pay"]]), int(acts.how[at, HOW.index("hosp_lv")]))
        assert paid == {1: (900_000, 0), 2: (750_000, 2), 3: (600_000, 3), 4: (900_000, 0), 5: (750_000, 2)}
        registered(book, tmp_path, "fixmedins_code,region,hosp_lv,from,settlement_grade", f"{CLINIC},441802,3,,3")
        for period in (202401, 202402, 202403):
            assert book.replay(period).differences == ()


def test_class_and_status_hold_from_their_day(store_url: str, tmp_path: Path) -> None:
    """Assistance class, class, suspension and end are looked up by the claim's day, in whatever order they came."""
    rows = [on(day, serial, psn_no="P1") for serial, day in enumerate(
        ("2023-12-31", "2024-01-31", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"), 1
    )]  # fmt: skip
    with opened(store_url) as book:
        registered(
            book,
            tmp_path,
            f"{MEMBERS},from,status",
            "P1,某,260101,390,15,,2024-04-01,active",
            "P1,某,260101,390,15,,2024-01-01,",
            "P1,某,260101,390,16,2,2024-02-01,",
            "P1,某,260101,390,15,,2024-03-01,suspended",
            "P1,某,260101,390,15,,2024-05-01,ended",
        )
        lines = ('persons = "registered"', 'psn_class = "register"')
        assert taken(book, tmp_path, rows, *lines) == {
            1: "member_not_covered",
            2: "booked",
            3: "booked",
            4: "member_suspended",
            5: "booked",
            6: "member_ended",
        }
        with book.store.read() as reader:
            (acts,) = read_acts(reader)
            columns = [HOW.index("assist_class"), HOW.index("psn_type")]
            assert acts.how[:, columns].tolist() == [[0, 0], [2, 16], [0, 0]]
        registered(book, tmp_path, f"{MEMBERS},from", "P1,某,260101,390,15,4,2024-01-01")
        for period in (202401, 202402, 202404):
            assert book.replay(period).differences == ()


def test_newborns_late_ones_and_exceptions(store_url: str, tmp_path: Path) -> None:
    """Enrolled within 90 days a newborn is covered from birth; a late enrolment pays from the next month."""
    rules = ("region,insutype,from,newborn_days,on_time_until,late_months,exempt_classes",
             "260100,390,2024-01-01,90,02-28,1,veteran newly_poor")  # fmt: skip
    rows = (
        "N1,新,260101,390,14,,2024-03-31,2024-01-01,",
        "N2,新,260101,390,14,,2024-04-01,2024-01-01,",
        "L1,迟,260101,390,15,,2024-12-10,,",
        "V1,兵,260101,390,15,,2024-05-10,,veteran",
        "T1,早,260101,390,15,,2024-02-28,,",
        "O1,早,260101,390,15,,2023-12-31,2023-12-01,",
    )
    with opened(store_url) as book:
        assert registered(book, tmp_path, *rules).new == 1
        assert registered(book, tmp_path, *rules).new == 0
        header = f"{MEMBERS},enrolled,birth,enrolment_class"
        assert registered(book, tmp_path, header, *rows).new == 6
        assert registered(book, tmp_path, header, *rows) == Registered("members", 6, 0, 0)
        events = [event for event in told(book, MemberEnrolled) if isinstance(event, MemberEnrolled)]
        assert [(event.begin, event.covered_from, event.rule) for event in events] == [
            (20240101, 20240101, ENROLMENT_NEWBORN),
            (20240401, 20240501, ENROLMENT_LATE),
            (20241210, 20250101, ENROLMENT_LATE),
            (20240510, 20240510, ENROLMENT_EXEMPT),
            (20240228, 20240228, ENROLMENT_AS_STATED),
            (20231231, 20231231, ENROLMENT_AS_STATED),
        ]
        claims = [
            on("2024-01-01", 1, psn_no="N1"),
            on("2024-04-30", 2, psn_no="N2"),
            on("2024-05-01", 3, psn_no="N2"),
            on("2024-05-09", 4, psn_no="V1"),
        ]
        outcome = taken(book, tmp_path, claims, 'persons = "registered"')
        assert [outcome[row] for row in (1, 2, 3, 4)] == [
            "booked",
            "member_not_covered",
            "booked",
            "member_not_covered",
        ]
        registered(book, tmp_path, f"{MEMBERS},from", "L1,迟,260101,390,16,1,2025-02-01")
        (change,) = told(book, MemberChanged)
        assert isinstance(change, MemberChanged) and change.covered_from == 20250101


def test_chronic_care_needs_an_entitlement_on_its_day(store_url: str, tmp_path: Path) -> None:
    """A chronic claim is booked while its person has an entitlement, and refused by name before and after."""
    rows = [on(day, serial, psn_no="P1", med_type="14") for serial, day in enumerate(
        ("2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01"), 1
    )]  # fmt: skip
    with opened(store_url) as book:
        registered(book, tmp_path, MEMBERS, "P1,某,260101,390,15,")
        header = "psn_no,disease,from,to"
        assert registered(book, tmp_path, header, "P1,M01600,2024-02-01,2024-02-29").new == 1
        assert registered(book, tmp_path, header, "P1,M01600,2024-02-01,2024-02-29").new == 0
        outcome = taken(book, tmp_path, rows, 'chronic = "entitled"')
        assert [outcome[row] for row in range(1, 5)] == [
            "entitlement_missing",
            "booked",
            "booked",
            "entitlement_missing",
        ]


@pytest.mark.samples
def test_the_platforms_institutions_change_none_of_its_outcomes(store_url: str, tmp_path: Path) -> None:
    """With its institutions registered and demanded, the platform's file books the same rows and the same amounts."""
    strict = profile(tmp_path, 'persons = "registered"', 'institutions = "registered"', "insutypes = [310, 390]")
    lines = expected()
    with create(store_url, actor="tester", clock_us=clock()) as book:
        for region, text in policy_documents().items():
            document = tmp_path / f"{region}.toml"
            document.write_text(text, encoding="utf-8")
            book.enact(document, [region])
        for name in ("members", "filings", "institutions"):
            first = book.register(shared("platform", f"{name}.csv"))
            assert first.new > 0 and first.refused == ()
            assert book.register(shared("platform", f"{name}.csv")) == Registered(name, first.rows, 0, 0)
        report = book.intake(shared("platform", "claims.csv"), strict, quarantine=tmp_path / "refused.csv")
        assert outcomes(book, report.job) == {e["row"]: e.get("reason", e["outcome"]) for e in lines}
        booked = {e["row"]: e for e in lines if e["outcome"] == "booked" and e["basis"] != "source"}
        seen = 0
        with book.store.read() as reader:
            for acts in read_acts(reader):
                for at, row in enumerate(acts.row.tolist()):
                    if row in booked:
                        check(booked[row], acts, at, None)
                        seen += 1
        assert seen == len(booked)
        assert told(book, ClaimFlagged) == []
        assert told(book, FilingEnded) != [], "some of the platform's filings overlap"
