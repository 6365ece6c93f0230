"""Ages, hospital shares, pools and limits of diseases from a sealed month, and corrected under another policy."""

from pathlib import Path

import pytest

import ledger
import projections
from core_ext.layout import AMOUNT, HOW
from ledger.events import ClaimSettled
from ledger.mapper import decode_event
from ledger.postings import postings
from ledger.replaying.events import ClaimResettled
from ledger.service import Ledger
from ledger.store import connect
from projections.clearing.lines import POOL
from tests.ledger.test_benefit_faults import alter, unguarded
from tests.ledger.test_benefit_year import enacted
from tests.ledger.test_persons_and_limits import BIRTHS, CHRONIC, RATIO, RULES_OF_EMPLOYEES, SHARES, chronic, taken
from tests.ledger.worlds import claim, events_of, refund, sign

AGED = RATIO + ', exceptions = [{ age_from = 70, ratio = { 2 = "0.90" } }]'
SHARED = '[resident.hospital_share]\n2023-01-01 = { ratio = "0.05", of = ["in_scope"] }\n'
RULES = (
    (RATIO, AGED),
    (SHARES, SHARED + CHRONIC + SHARES),
    ("[resident.off_site]", RULES_OF_EMPLOYEES.format("employee_pool") + BIRTHS + "[resident.off_site]"),
)


def sealed(url: str, tmp_path: Path) -> Ledger:
    """Returns a ledger whose January has every kind of claim, each settled by what only some policies ask for."""
    book = enacted(url, tmp_path, *RULES)
    book.segments = tmp_path / "segments"
    birth = claim(4, insutype="510", psn_type="11", med_type="52", medfee_sumamt="500.00", inscp_scp_amt="500.00")
    rows = [
        claim(1, psn_no="P2") | {"age": "70"}, claim(2, psn_no="P3") | {"age": "69"}, claim(3, psn_no="P4"),
        birth, refund(birth, 5), birth | {"setl_id": "S000006", "mdtrt_id": "M6", "medins_setl_id": "X6"},
        chronic(7, "600.00", "M01600"), chronic(8, "600.00", "M01600"),
        refund(claim(2, psn_no="P3"), 9, setl_time="2024-01-20 08:00:00"),
    ]  # fmt: skip
    assert len(taken(book, tmp_path, rows, "age", "dise_codg")) == len(rows)
    return book


def test_a_sealed_month_replays_with_ages_pools_shares_and_limits(store_url: str, tmp_path: Path) -> None:
    """Every act comes out again from the segment alone, and a policy that is equal changes no claim."""
    with sealed(store_url, tmp_path) as book:
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        report = book.replay(202401)
        assert (report.read, report.acts, report.differences) == ("segment", 9, ())
        assert book.replay(202401, from_log=True).differences == ()
        assert book.what_if(tmp_path / "policy.toml", 202401).changed == 0


@pytest.mark.parametrize(("nth", "name"), [(0, "age"), (1, "hosp_part_amt"), (3, "pool"), (6, "limit")])
def test_an_altered_circumstance_is_listed_alike_from_segment_and_log(tmp_path: Path, nth: int, name: str) -> None:
    """An age in another band, a share, a pool or a limit by 1.00 yuan: from the segment as from the log."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with sealed(url, tmp_path) as book:
        settled = [
            (at, decode_event(topic, state))
            for at, _, _, topic, state in events_of(book)
            if topic == ClaimSettled.TOPIC
        ]
    position, event = settled[nth]
    assert isinstance(event, ClaimSettled)
    at = HOW.index(name)
    by = {"age": -20, "pool": 80}.get(name, -10_000)
    with unguarded(url) as writer:
        alter(position, how=(*event.how[:at], event.how[at] + by, *event.how[at + 1 :]))(writer)
    with ledger.open(url, actor="auditor") as book:
        book.segments = tmp_path / "segments"
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        report, from_log = book.replay(202401), book.replay(202401, from_log=True)
        assert report.read == "segment" and report.differences == from_log.differences
        assert position in {each.position for each in report.differences}


def test_a_correction_moves_shares_and_pools(store_url: str, tmp_path: Path) -> None:
    """Booked anew, a birth leaves one pool for another and the hospital bears another share; all checks agree."""
    with sealed(store_url, tmp_path) as book:
        book.close(202401)
        sign(book, 202401)
        book.seal(202401)
        text = (tmp_path / "policy.toml").read_text(encoding="utf-8")
        for old, new in (
            ('"employee_pool"', '"maternity_fund"'), ('ratio = "0.05"', 'ratio = "0.10"'),
            ("active = { 2 = \"1\" }", "active = { 2 = \"0.5\" }"), ('2 = "0.90"', '2 = "0.80"'),
        ):  # fmt: skip
            assert old in text
            text = text.replace(old, new)
        policy = tmp_path / "other.toml"
        policy.write_text(text, encoding="utf-8")
        book.enact(policy, [260100])
        done = book.correct(policy, 202401, "the text was misread")
        assert done.booked and not done.refused
        events = [
            event
            for _, _, _, topic, state in events_of(book)
            if topic == ClaimResettled.TOPIC
            for event in (decode_event(topic, state),)
            if isinstance(event, ClaimResettled)
        ]
        (birth,) = [event for event in events if event.setl_id == "S000006"]
        assert (birth.reversed_pool, birth.how[HOW.index("pool")], birth.reversed[1]) == (310, 0, 50_000)
        posted = [(each.account, each.amount_fen) for each in postings(birth) if each.account.startswith("expense")]
        assert posted == [("expense:260100:310100", -50_000), ("expense:260100:510100", birth.amounts[1])]
        (shared,) = [event for event in events if event.setl_id == "S000001"]
        assert shared.how[HOW.index("hosp_part_amt")] > shared.reversed_hospital_fen > 0
        assert shared.amounts[AMOUNT["hifp_pay"]] < shared.reversed[AMOUNT["hifp_pay"]]
        month = book.replay(done.period, from_log=True)
        assert month.acts == done.booked and month.differences == ()
        assert book.replay(202401).differences == ()
        assert book.correct(policy, 202401, "once more").booked == 0
        book.reverse("S000006", "another person's")
        assert book.replay(done.period, from_log=True).differences == ()
        book.close(done.period)
        sign(book, done.period)
        book.seal(done.period)
        assert book.replay(done.period).differences == ()
    with projections.open(store_url, segments=tmp_path / "segments") as views:
        accounts = views.balances().accounts
        assert accounts.get("expense:260100:310100", 0) == accounts.get("expense:260100:510100", 0) == 0
        assert views.verify() == []
        assert isinstance(views.findings(), list)
        views.catch_up()
    with connect(store_url) as store, store.read() as reader:
        paid = [(period, pool, fen) for period, _, _, pool, fen in reader.query(POOL.select())]
    assert paid == [(202401, 310, 50_000), (done.period, 310, -50_000)]
