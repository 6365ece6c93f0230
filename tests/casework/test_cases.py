"""Cases run from 机审 to 关闭: owner, evidence and limit at every stage, and nobody judges twice."""

from pathlib import Path

import pytest

import projections
from ledger.casework.events import CaseOpened, CaseStageExpired
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.register_events import InstitutionSuspended
from tests.casework.worlds import EVIDENCE, act, by, closed, key, month, refused
from tests.ledger.worlds import events_of


def stage(url: str, on: int = 20240401) -> tuple[str, str, int, int]:
    """Returns stage, owner, limit and amount of the only case."""
    with projections.open(url) as read:
        (line,) = read.cases(on)
    return line.stage, line.owner, line.due, line.amount_fen


def test_a_case_runs_through_every_stage(store_url: str, tmp_path: Path) -> None:
    """机审, 初审, 申诉, 复审, 合议, 关闭: each has its owner and its working-day limit, over the Qingming holiday."""
    with month(store_url, tmp_path) as book:
        book.case_act(act("open", claims=((key(1), 100_000), (key(2), 50_000))))
        assert stage(store_url) == ("machine", "wang", 20240409, 150_000)
        book.case_act(act("submit", on=20240402, owner="li"))
        assert stage(store_url) == ("first", "li", 20240417, 150_000)
        by(book, "li").case_act(act("decide", on=20240403, owner="", claims=((key(1), 80_000),)))
        assert stage(store_url) == ("appeal", "H26010100001", 20240418, 130_000)
        by(book, "hospital").case_act(act("appeal", on=20240418, owner="zhao", reason="indicated"))
        assert stage(store_url)[:2] == ("second", "zhao")
        by(book, "zhao").case_act(act("decide", on=20240422, claims=((key(2), 0),)))
        assert stage(store_url)[0] == "panel"
        by(book, "chair").case_act(act("decide", on=20240423, members=("qian", "sun", "zhou")))
        assert stage(store_url)[0] == "concluded"
        book.case_act(act("close", on=20240424))
        assert stage(store_url) == ("closed", "", 0, 80_000)
    with projections.open(store_url) as read:
        assert read.verify() == []


def test_nobody_decides_both_reviews_or_sits_on_a_panel_after_one(store_url: str, tmp_path: Path) -> None:
    """Who decided the first review neither owns nor decides the second, nor is a member of the panel."""
    with month(store_url, tmp_path) as book:
        by(book, "li").case_acts([act("open", claims=((key(1), 100),)), act("submit"), act("decide")])
        refused(book, act("appeal", owner="li", reason="no"), Refusal.CASE_SAME_PERSON)
        book.case_act(act("appeal", owner="zhao", reason="no"))
        refused(book, act("decide"), Refusal.CASE_SAME_PERSON)
        by(book, "zhao").case_act(act("decide"))
        by(book, "chair")
        refused(book, act("decide", members=("li", "qian", "sun")), Refusal.CASE_SAME_PERSON)
        refused(book, act("decide", members=("qian", "sun", "sun")), Refusal.CASE_PANEL)
        book.case_act(act("decide", members=("qian", "sun", "zhou")))


def test_an_act_outside_its_stage_day_or_amount_is_refused(store_url: str, tmp_path: Path) -> None:
    """A stage is not skipped, time does not run back, an appeal is not late, and no decision costs more."""
    with month(store_url, tmp_path) as book:
        book.case_act(act("open", claims=((key(1), 100),)))
        refused(book, act("open", claims=((key(2), 100),)), Refusal.STREAM_EXISTS)
        refused(book, act("decide"), Refusal.CASE_STAGE)
        refused(book, act("submit", "C9"), Refusal.UNKNOWN_KEY)
        refused(book, act("submit", on=20240331), Refusal.CASE_DAY)
        refused(book, act("submit", owner=""), Refusal.CASE_OWNER)
        refused(book, act("submit", claims=((key(1), 10**9),)), Refusal.CASE_AMOUNT)
        refused(book, act("submit", claims=((key(2), 1),)), Refusal.CASE_MIXED)
        book.case_act(act("submit"))
        refused(book, act("decide", claims=((key(1), 101),)), Refusal.CASE_AMOUNT)
        refused(book, act("decide", evidence=()), Refusal.CASE_EVIDENCE)
        book.case_act(act("decide"))
        refused(book, act("close"), Refusal.CASE_STAGE)
        refused(book, act("appeal", reason=""), Refusal.CASE_EVIDENCE)
        refused(book, act("appeal", on=20240601, reason="late"), Refusal.CASE_LATE)


def test_expiry_does_what_the_terms_say(store_url: str, tmp_path: Path) -> None:
    """The machine stage passes, a late first review is noted once, an appeal not made leaves what stands."""
    with month(store_url, tmp_path) as book:
        book.case_act(act("open", claims=((key(1), 100),)))
        assert book.expire_cases(20240409).events == 0
        with projections.open(store_url) as read:
            assert [line.case for line in read.cases(20240410, due=True)] == ["C1"]
            assert read.cases(20240409, due=True) == []
        assert book.expire_cases(20240410).events == 1
        assert stage(store_url)[0] == "first"
        assert book.expire_cases(20240601).events == 1
        assert book.expire_cases(20240602).events == 0
        assert stage(store_url)[0] == "first"
        by(book, "li").case_act(act("decide", on=20240603))
        book.expire_cases(20240701)
        assert stage(store_url) == ("concluded", "li", 0, 100)
        found = [decode_event(row[3], row[4]) for row in events_of(book) if row[3] == CaseStageExpired.TOPIC]
        assert [event.stage for event in found if isinstance(event, CaseStageExpired)] == [1, 2, 3]


def test_terms_are_dated_and_checked(store_url: str, tmp_path: Path) -> None:
    """A case of a day without terms is refused; a later document holds from its own day; a fault names its key."""
    shipped = Path("ledger/casework/national-2021.toml").read_text(encoding="utf-8")
    with month(store_url, tmp_path) as book:
        refused(book, act("open", on=20210430, claims=((key(1), 1),)), Refusal.CASE_TERMS_MISSING)
        later = shipped.replace("2021-05-01\nsource", "2024-04-02\nsource").replace(
            "machine = { days = 5", "machine = { days = 1"
        )
        (tmp_path / "later.toml").write_text(later, encoding="utf-8")
        book.enact_case_terms(tmp_path / "later.toml")
        book.case_act(act("open", claims=((key(1), 1),)))
        assert stage(store_url)[2] == 20240409
        book.case_act(act("open", "C2", on=20240402, claims=((key(2), 1),)))
        with projections.open(store_url) as read:
            assert [line.due for line in read.cases(20240402)] == [20240409, 20240403]
        (tmp_path / "bad.toml").write_text(shipped.replace('"remind"', '"forget"', 1), encoding="utf-8")
        with pytest.raises(Refused, match=r"stage\.first\.expiry"):
            book.enact_case_terms(tmp_path / "bad.toml")


def test_a_sample_is_drawn_by_its_seed(store_url: str, tmp_path: Path) -> None:
    """The same seed draws the same claims and opens no case twice; another seed draws others."""
    with month(store_url, tmp_path, count=40) as book:
        first = book.sample_cases(202401, 5, 7, "wang", on=20240401)
        assert first.events == 5
        assert book.sample_cases(202401, 5, 7, "wang", on=20240401).events == 0
        other = book.sample_cases(202401, 5, 8, "wang", on=20240401)
        drawn = [{case.rpartition("-")[2] for case in taken.cases} for taken in (first, other)]
        assert drawn[0] != drawn[1]
        events = [decode_event(row[3], row[4]) for row in events_of(book) if row[3] == CaseOpened.TOPIC]
        assert {event.seed for event in events if isinstance(event, CaseOpened)} == {7, 8}


def test_a_tip_off_is_rewarded_by_the_treasury_and_an_institution_suspended(store_url: str, tmp_path: Path) -> None:
    """The reward stands in the treasury's book only; the suspension is in the register from its day on."""
    from tests.lines.files import write_register

    with month(store_url, tmp_path) as book:
        closed(book, "C1", (key(1), 100_000), source="tip_off")
        refused(book, act("reward", amount_fen=10**9, receipt="R"), Refusal.REWARD_TOO_LARGE)
        book.case_act(act("reward", amount_fen=20_000, receipt="R"))
        refused(book, act("sanction", status="suspended", reason="false bills"), Refusal.INSTITUTION_UNKNOWN)
        head = "fixmedins_code,fixmedins_name,region,hosp_lv,from"
        book.register(write_register(tmp_path / "inst.csv", head, "H26010100001,甲医院,260101,2,2020-01-01"))
        book.case_act(act("sanction", status="suspended", begin=20240501, reason="false bills"))
        last = decode_event(*events_of(book)[-1][3:])
        assert isinstance(last, InstitutionSuspended) and last.begin == 20240501
        with book.store.read() as reader:
            rows = reader.query("SELECT begin, status FROM institution ORDER BY begin")
        assert [tuple(row) for row in rows] == [(20200101, 1), (20240501, 2)]
    with projections.open(store_url) as read:
        accounts = read.balances().accounts
        assert accounts["reward:treasury-260100"] == 20_000
        assert accounts["bank:treasury-260100"] == -20_000
        assert read.verify() == []


def test_what_follows_a_case_waits_for_its_end(store_url: str, tmp_path: Path) -> None:
    """No institution is suspended, and nobody is rewarded, by a case that is still under way."""
    with month(store_url, tmp_path) as book:
        book.case_act(act("open", claims=((key(1), 100),)))
        refused(book, act("sanction", status="suspended", reason="false bills"), Refusal.CASE_NOT_CLOSED)


def test_a_file_of_acts_is_taken_whole_or_not_at_all(store_url: str, tmp_path: Path) -> None:
    """A refused row names its file and row, and nothing of the file is written."""
    file = tmp_path / "acts.csv"
    digest = EVIDENCE[0].hex()
    rows = [
        "act,case,on,claims,owner,evidence",
        f"open,C1,2024-04-01,{key(1)}=100.00,wang,{digest}",
        "submit,C1,2024-04-01,,li,",
        "submit,C1,2024-04-01,,li,",
    ]
    with month(store_url, tmp_path) as book:
        file.write_text("\n".join(rows), encoding="utf-8")
        before = len(events_of(book))
        with pytest.raises(Refused, match=r"acts.csv, row 3: case C1"):
            book.case_file(file)
        assert len(events_of(book)) == before
        file.write_text("\n".join(rows[:3]), encoding="utf-8")
        assert book.case_file(file).events == 2
        file.write_text(rows[0] + "\nopen,C2,2024-04-01,x,wang,zz", encoding="utf-8")
        with pytest.raises(Refused, match="row 1, evidence"):
            book.case_file(file)
