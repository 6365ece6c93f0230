"""What a hostile reader of the ledger tried: each is refused, or comes out right, and stays that way."""

import csv
from pathlib import Path
from typing import Any

import pytest

import ledger
from core_ext.layout import AMOUNT
from ledger.acts import read_acts
from ledger.events import FLAG_LATE
from ledger.policy import shipped
from ledger.refusals import Refusal, Refused
from ledger.register_file import RegisterError
from ledger.service import Ledger
from tests.ledger.test_intake import run
from tests.ledger.worlds import claim, clock, opened, refund, rows_of, sign, write

SETTLED = {
    "insutype": "310",
    "psn_type": "11",
    "fund_pay_sumamt": "6000.00",
    "hifp_pay": "6000.00",
    "psn_part_amt": "4000.00",
    "acct_pay": "0.00",
    "psn_cash_pay": "4000.00",
}


def take(book: Ledger, path: Path, *rows: dict[str, str]) -> dict[str, int]:
    """Takes rows in and returns how many were refused, by reason."""
    return book.intake(write(path, rows)).reasons


def booked(book: Ledger, name: str) -> list[int]:
    """Returns one amount of every act in log order."""
    with book.store.read() as reader:
        return [fen for acts in read_acts(reader) for fen in acts.booked[:, AMOUNT[name]].tolist()]


@pytest.mark.parametrize(
    "cells",
    [
        {"fixmedins_code": "H99999999999"},
        {"mdtrtarea_admvs": "470101"},
        {"insutype": "390"},
        {"psn_no": "P999999"},
    ],
)
def test_a_refund_moves_the_money_of_its_original(store_url: str, tmp_path: Path, cells: dict[str, str]) -> None:
    """A refund that names another institution, place, insurance or person than its original is refused."""
    original = claim(1, **SETTLED)
    with opened(store_url) as book:
        assert take(book, tmp_path / "a.csv", original, claim(2, psn_no="P999999")) == {}
        assert take(book, tmp_path / "b.csv", refund(original, 3, **cells)) == {"refund_mismatch": 1}
        both = claim(5, **SETTLED)
        assert take(book, tmp_path / "c.csv", both, refund(both, 6, **cells)) == {"refund_mismatch": 1}


def test_a_claim_with_a_clawback_is_not_refunded(store_url: str, tmp_path: Path) -> None:
    """Funds that have money back by clawback do not get it back by refund, from a file or by reverse."""
    original, other = claim(1, **SETTLED), claim(2, **SETTLED)
    with opened(store_url) as book:
        take(book, tmp_path / "a.csv", original, other)
        book.clawback_raise("C1", "S000001", 100, "over scope")
        assert take(book, tmp_path / "b.csv", refund(original, 3)) == {"refund_clawed_back": 1}
        with pytest.raises(Refused, match="money back by clawback") as refused:
            book.reverse("S000001", "cancelled")
        assert refused.value.refusal is Refusal.REFUND_CLAWED_BACK
        assert book.reverse("S000002", "cancelled").amounts["hifp_pay"] == -600_000
        # Another claim's clawback takes nothing from this one's limit.
        take(book, tmp_path / "c.csv", claim(4, **SETTLED))
        assert book.clawback_raise("C2", "S000004", 600_000, "false items").outstanding_fen == 600_000
        with pytest.raises(Refused) as refused:
            book.clawback_raise("C3", "S000001", 599_901, "more than is left")
        assert refused.value.refusal is Refusal.CLAWBACK_TOO_LARGE


@pytest.mark.parametrize(
    "command",
    [
        lambda book: book.enact("national-default", ["470200"], assumed=True),
        lambda book: book.enact("national-default", [470200], assumed=True, reason=None),
        lambda book: book.clawback_raise("C1", "S000001", 1.5, "half a fen"),
        lambda book: book.reverse("S000001", None),
        lambda book: book.close(202401, reason=7),
    ],
)
def test_a_value_of_another_type_never_reaches_the_log(store_url: str, tmp_path: Path, command: Any) -> None:
    """A host's mistake in types is refused, names the field, and leaves a log that can be read."""
    with opened(store_url) as book:
        take(book, tmp_path / "a.csv", claim(1, **SETTLED))
        with pytest.raises((Refused, TypeError)):
            command(book)
        assert take(book, tmp_path / "b.csv", claim(2)) == {}
        assert book.replay(202401).differences == ()


def test_money_is_owed_to_a_place_and_an_institution(store_url: str, tmp_path: Path) -> None:
    """A treatment code that names no region, an institution that is not named and a year out of time are refused."""
    rows = (claim(1, mdtrtarea_admvs="7"), claim(2, fixmedins_code=""), claim(3, setl_time="9999-12-31 00:00:00"))
    with opened(store_url) as book:
        assert take(book, tmp_path / "a.csv", *rows) == {"bad_code": 2, "bad_date": 1}
        with (tmp_path / "a.quarantine.csv").open(encoding="utf-8", newline="") as file:
            fields = [row["field"] for row in csv.DictReader(file)]
        assert fields == ["mdtrtarea_admvs", "fixmedins_code", "setl_time"]


def test_a_policy_taken_back_is_in_force_again(store_url: str, tmp_path: Path) -> None:
    """Enacting A, then B, then A again settles under A; the same enactment twice changes nothing."""
    other = tmp_path / "other.toml"
    other.write_text(shipped("national-default").replace('"employee catastrophic"', '"x"') + "\n", encoding="utf-8")
    with opened(store_url) as book:
        assert not book.enact(other, [260100], assumed=True).already
        assert not book.enact("national-default", [260100], assumed=True).already
        assert book.enact("national-default", [260100], assumed=True).already
        first, last = book.policies()[0], book.policies()[-1]
        assert (first.digest, last.digest) == (last.digest, first.digest)


def test_a_region_keeps_its_codes_once_it_has_claims(store_url: str, tmp_path: Path) -> None:
    """A policy whose prefixes would move booked claims to another region is refused."""
    text = shipped("national-default").replace("[policy]\n", '[policy]\nregions = ["260000"]\nprefixes = ["26"]\n')
    wide = tmp_path / "wide.toml"
    wide.write_text(text, encoding="utf-8")
    with opened(store_url) as book:
        take(book, tmp_path / "a.csv", claim(1))
        with pytest.raises(Refused, match="260100, which has claims"):
            book.enact(wide, [260000])


def test_a_reversal_leaves_nobody_elses_token_behind(store_url: str, tmp_path: Path) -> None:
    """A person whose number looks like a token is a person of its own."""
    with opened(store_url) as book:
        take(book, tmp_path / "a.csv", claim(1))
        book.reverse("S000001", "cancelled")
        take(book, tmp_path / "b.csv", claim(2, psn_no="#1"))
        assert [row[1] for row in rows_of(book, "person", "token")] == ["P000001", "#1"]


def test_a_full_token_cache_starts_anew(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few persons are remembered, everyone's claims stay theirs."""
    monkeypatch.setattr(ledger.knowledge, "CACHED_PERSONS", 1)
    monkeypatch.setattr(ledger.person_years, "MOST", 2)
    path = write(tmp_path / "a.csv", [claim(i, psn_no=f"P{i % 5}") for i in range(1, 40)])
    with opened(store_url) as book:
        run(book, path, 7)
        assert len(rows_of(book, "person", "token")) == 5
        assert book.replay(202401).differences == ()
    with opened(f"sqlite:///{tmp_path / 'whole.db'}") as book:
        run(book, path, 100)
        whole = rows_of(book, "person_year", "key")
    with ledger.open(store_url, actor="tester", clock_us=clock()) as book:
        assert rows_of(book, "person_year", "key") == whole


def test_a_sources_refund_carries_the_sources_amounts(store_url: str, tmp_path: Path) -> None:
    """Under an assumed policy a refund of what the source settled still negates it to the fen."""
    original = claim(1, **SETTLED)
    with opened(store_url) as book:
        take(book, tmp_path / "a.csv", original)
        less = refund(original, 2, hifp_pay="-5999.00", fund_pay_sumamt="-5999.00", psn_part_amt="-4001.00")
        assert take(book, tmp_path / "b.csv", less) == {"refund_mismatch": 1}


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_outcomes_do_not_depend_on_what_else_stands_in_a_batch(store_url: str, tmp_path: Path, batch_rows: int) -> None:
    """A refund finds its original past rows of its key that cannot book; a late claim finds the period just opened."""
    first = claim(1)
    with opened(store_url) as book:
        run(book, write(tmp_path / "a.csv", [first]), batch_rows)
        conflict = claim(1, medfee_sumamt="1.00", inscp_scp_amt="1.00")
        report = run(book, write(tmp_path / "b.csv", [conflict, refund(first, 2)]), batch_rows)
        assert report.reasons == {"setl_id_conflict": 1}
        third = claim(3)
        rows = [third, claim(3, psn_name="=1"), refund(third, 4)]
        assert run(book, write(tmp_path / "c.csv", rows), batch_rows).reasons == {"unsafe_text": 1}
        book.close(202401)
        rows = [claim(5, setl_time="2024-03-05 08:00:00"), claim(6)]
        report = run(book, write(tmp_path / "d.csv", rows), batch_rows)
        assert (report.periods, report.late) == ((202403,), 1)
        with book.store.read() as reader:
            flags = [flag for acts in read_acts(reader) for flag in acts.flags.tolist()]
        assert [flag & FLAG_LATE for flag in flags[-2:]] == [0, FLAG_LATE]
        assert book.replay(202403).differences == ()


def test_a_job_is_resumed_with_its_own_profile_or_abandoned(store_url: str, tmp_path: Path) -> None:
    """Another profile cannot finish a job; a job that can never complete is ended by name, and periods close again."""
    path = write(tmp_path / "a.csv", [claim(i) for i in range(1, 8)])
    other = tmp_path / "other.toml"
    other.write_text('no_policy = "book_unchecked"\n', encoding="utf-8")

    class KilledError(Exception):
        pass

    def kill(done: int) -> None:
        raise KilledError

    with opened(store_url) as book:
        with pytest.raises(KilledError):
            book.intake(path, progress=kill)
        book.store.close()
    with ledger.open(store_url, actor="tester", clock_us=clock()) as book:
        (job,) = book.jobs()
        assert not job.completed and job.booked == 7
        with pytest.raises(Refused, match="profile"):
            book.intake(path, other)
        with pytest.raises(Refused, match="job-intake"):
            book.close(202401)
        ended = book.abandon(job.job, "the file is lost")
        assert ended.abandoned and not ended.completed
        assert book.close(202401).acts == job.booked
        with pytest.raises(Refused, match="unfinished job"):
            book.abandon(job.job, "again")


def test_payments_leave_out_what_books_after_the_close(store_url: str, tmp_path: Path) -> None:
    """A period pays what it had when it closed; a late claim is paid with the period it books into."""
    with opened(store_url) as book:
        take(book, tmp_path / "a.csv", claim(1, **SETTLED))
        book.close(202401)
        take(book, tmp_path / "b.csv", claim(2, **SETTLED))
        sign(book, 202401)
        assert [(payment.acts, payment.amount_fen) for payment in book.pay(202401)] == [(1, 600_000)]
        book.close(202402)
        sign(book, 202402)
        assert [(payment.acts, payment.amount_fen) for payment in book.pay(202402)] == [(1, 600_000)]


def test_a_half_mended_quarantine_file_is_never_replaced(sqlite_url: str, tmp_path: Path) -> None:
    """A second intake writes its quarantine beside the one a clerk is mending; a missing folder is refused."""
    path = write(tmp_path / "a.csv", [claim(1), claim(2, begndate="soon")])
    with opened(sqlite_url) as book:
        first = Path(book.intake(path).quarantine_path or "")
        assert Path(book.intake(path).quarantine_path or "") == first
        first.write_text(first.read_text(encoding="utf-8").replace("soon", "2024-01-02"), encoding="utf-8")
        mended = first.read_bytes()
        second = Path(book.intake(path).quarantine_path or "")
        assert second.name == "a.quarantine-2.csv" and first.read_bytes() == mended
        with pytest.raises(Refused, match="expected a folder"):
            book.intake(path, quarantine=tmp_path / "nowhere" / "q.csv")
        store = tmp_path / "ledger.db"
        content = store.read_bytes()[:16]
        book.intake(path, quarantine=store)
        assert store.read_bytes()[:16] == content


@pytest.mark.parametrize("setl_id", ["bad id", "x" * 65, "a,b", "a\tb"])
def test_a_reversal_is_filed_under_a_sound_id(sqlite_url: str, tmp_path: Path, setl_id: str) -> None:
    """The refund a reversal files has an id that a file could carry."""
    with opened(sqlite_url) as book:
        take(book, tmp_path / "a.csv", claim(1))
        with pytest.raises(Refused) as refused:
            book.reverse("S000001", "cancelled", setl_id=setl_id)
        assert refused.value.refusal is Refusal.BAD_KEY


def test_an_altered_account_balance_is_found_by_replay(sqlite_url: str, tmp_path: Path) -> None:
    """A balance that does not follow from the act before is a difference of that act."""
    from tests.ledger.test_replay import alter

    members = tmp_path / "members.csv"
    members.write_text(
        "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance\nP1,某,260101,310,11,,500.00\n",
        encoding="utf-8",
    )
    import msgspec

    rows = [claim(i, psn_no="P1", insutype="310", psn_type="11", med_type="11") for i in range(1, 5)]
    with opened(sqlite_url) as book:
        book.register(members)
        take(book, tmp_path / "a.csv", *rows)
        assert sum(booked(book, "acct_pay")) == 50_000
        (altered,) = alter(book, tmp_path / "ledger.db", lambda e: msgspec.structs.replace(e, balc=e.balc + 7), [2])
    with ledger.open(sqlite_url, actor="auditor") as book:
        assert [difference.position for difference in book.replay(202401).differences] == [altered]


def test_a_filing_for_a_place_counts_for_its_region(store_url: str, tmp_path: Path) -> None:
    """A person files for a district and is treated in another one of that city: the filing counts."""
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class\n"
    (tmp_path / "members.csv").write_text(f"{header}P1,某,260101,310,11,\nP2,某,260101,310,11,\n", encoding="utf-8")
    filing = "psn_no,type,region,from,to\nP1,long_term,470106,2024-01-01,\n"
    (tmp_path / "filings.csv").write_text(filing, encoding="utf-8")
    cells = {"insutype": "310", "psn_type": "11", "mdtrtarea_admvs": "470101"}
    with opened(store_url) as book:
        book.register(tmp_path / "members.csv")
        book.register(tmp_path / "filings.csv")
        take(book, tmp_path / "a.csv", claim(1, psn_no="P1", **cells), claim(2, psn_no="P2", **cells))
        filed, unfiled = booked(book, "hifp_pay")
        assert filed > unfiled


@pytest.mark.parametrize(
    "cells",
    ["-1.00,,", "1.00,18408,5.00", "1.00,2024,-5.00", "1.00,2024,5.00\nP1,某,260101,310,11,,2.00,2024,5.00"],
)
def test_openings_that_make_no_sense_open_nothing(sqlite_url: str, tmp_path: Path, cells: str) -> None:
    """A balance below zero, a year out of time or two openings of one person: the file is refused whole."""
    path = tmp_path / "members.csv"
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance,acc_year,acc_hifp\n"
    path.write_text(f"{header}P1,某,260101,310,11,,{cells}\n", encoding="utf-8")
    with opened(sqlite_url) as book:
        with pytest.raises(RegisterError, match="row"):
            book.register(path)
        assert rows_of(book, "person", "token") == []
