"""Figures on three axes: a policy version, a day of service and a moment each give what a store of their own would."""

import json
from pathlib import Path

import pytest
from msgspec import structs

import ledger
import projections
from console.main import main
from core_ext.layout import AMOUNT
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.mapper import decode_event
from ledger.refusals import Refused, StoreError
from ledger.service import Ledger
from projections.reader import Balances
from projections.statement import StatementLine
from tests.ledger.test_replay import alter
from tests.ledger.worlds import claim, clock, events_of, opened, refund, write
from tests.replay.stories import REGIONS, february, january, other_policy

CHANGES = (('"500.00"', '"700.00"'), ('2 = "0.87"', '2 = "0.84"'))
Figures = tuple[tuple[StatementLine, ...], dict[str, int]]


def fresh(tmp_path: Path, policy: Path | str, files: list[Path]) -> Figures:
    """Returns the statement and the balances of a store filed under a policy from the start."""
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    with ledger.create(url, actor="tester", clock_us=clock()) as book:
        book.enact(policy, list(REGIONS), assumed=True)
        for file in files:
            book.intake(file)
    with projections.open(url) as read:
        return read.statement().lines, moved(read.balances())


def moved(balances: Balances) -> dict[str, int]:
    """Returns the accounts that stand at something."""
    return {account: fen for account, fen in balances.accounts.items() if fen}


def under(url: str, book: Ledger, policy: str | None = None, **axis: int) -> Figures:
    """Returns the statement and the balances of a store priced under another policy version."""
    with projections.open(url) as read:
        with book.priced(policy, **axis) as repriced:
            lines = read.statement(as_of=repriced.position, changes=repriced.changes).lines
        with book.priced(policy, **axis) as repriced:
            return lines, moved(read.balances(as_of=repriced.position, changes=repriced.changes))


def test_figures_under_another_policy_are_those_of_a_store_filed_under_it(store_url: str, tmp_path: Path) -> None:
    """Months of stays, refunds and late claims, priced as if another policy had held, equal its own store's figures."""
    policy, files = other_policy(tmp_path, *CHANGES), [january(tmp_path), february(tmp_path)]
    with opened(store_url) as book:
        for file in files:
            book.intake(file)
        then = fresh(tmp_path, policy, files)
        assert under(store_url, book, str(policy)) == then
        with projections.open(store_url) as read:
            assert read.statement().lines != then[0]


def test_a_correction_counts_once_under_the_policy_it_came_from(tmp_path: Path) -> None:
    """A month booked anew, some of it refunded since, is priced anew from its claims: no correction counts twice."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    policy, files = other_policy(tmp_path, *CHANGES), [january(tmp_path), february(tmp_path)]
    with opened(url) as book:
        book.intake(files[0])
        position = book.enact(policy, list(REGIONS), assumed=True)
        assert position
        booked = book.correct(policy, 202401, "resolution 7")
        assert booked.booked > 20
        with book.store.read() as reader:
            stop = reader.size
        assert under(url, book, str(policy)) == fresh(tmp_path, policy, files[:1])
        with projections.open(url) as read:
            assert moved(read.balances(as_of=stop)) == under(url, book, str(policy))[1]
        largest = booked.found.largest[0]
        refunded = book.reverse(f"{largest.region:06d}/{largest.setl_id}", "cancelled")
        assert refunded.amounts["fund_pay_sumamt"] == -largest.fund_new_fen
        book.intake(files[1])
        digest = booked.found.policy
        before = under(url, book, digest[:16])[1]
        with projections.open(url) as read:
            assert before == moved(read.balances())
        first = under(url, book, "national-default")[1]
        assert first != before
        assert {account: fen for account, fen in first.items() if account.startswith("bank")} == {}


def test_policies_as_enacted_up_to_a_position_price_every_claim(tmp_path: Path) -> None:
    """What was in force at a position prices claims that came before and after; before any enactment none is priced."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    policy, files = other_policy(tmp_path, *CHANGES), [january(tmp_path), february(tmp_path)]
    with opened(url) as book:
        with book.store.read() as reader:
            first = reader.size
        book.intake(files[0])
        book.enact(policy, list(REGIONS), assumed=True)
        with book.store.read() as reader:
            second = reader.size
        book.intake(files[1])
        assert under(url, book, enacted_to=first) == fresh(tmp_path / "", "national-default", files)
        (tmp_path / "fresh.db").unlink()
        assert under(url, book, enacted_to=second) == fresh(tmp_path, policy, files)
        assert under(url, book, enacted_to=0)[1] == {}
        with book.priced(enacted_to=0) as repriced:
            assert list(repriced.changes)
            assert repriced.counts.unpriced == repriced.counts.acts - 3 > 90
        with pytest.raises(Refused, match="got both"), book.priced("national-default", enacted_to=first):
            pass
        with pytest.raises(Refused, match="digest of an enacted policy"), book.priced("0123456789abcdef"):
            pass


def test_services_up_to_a_day_are_a_sum_over_claims(store_url: str, tmp_path: Path) -> None:
    """Only claims served up to the day count, a refund with the claim it takes back, however late it came."""
    early = claim(1, psn_no="P1", begndate="2024-01-02", enddate="2024-01-05")
    late = claim(2, psn_no="P1", begndate="2024-01-20", enddate="2024-01-22", setl_time="2024-01-22 09:00:00")
    back = refund(early, 3, enddate="2024-01-30", setl_time="2024-01-30 08:00:00")
    with opened(store_url) as book, projections.open(store_url) as read:
        book.intake(write(tmp_path / "claims.csv", [early, late, back]))
        filed: dict[int, ClaimFiled] = {}
        served = {20240110: 0, 20240131: 0}
        for position, _, _, topic, state in events_of(book):
            event = decode_event(topic, state)
            if isinstance(event, ClaimFiled):
                filed[position] = event
            elif isinstance(event, ClaimSettled | ClaimReversed):
                of = filed[event.original or event.claim]
                for day in served:
                    served[day] += event.amounts[AMOUNT["fund_pay_sumamt"]] * (of.enddate <= day)
        assert served[20240110] == 0 < served[20240131]
        for day, fund in served.items():
            found = read.statement(served_to=day)
            assert found.totals.fund_pay_sumamt == fund
            assert sum(read.balances(served_to=day).accounts.values()) == 0
        assert read.statement(served_to=20240131).lines == read.statement().lines
        assert read.statement(served_to=20240110).totals.refunds == 1
        assert read.statement(served_to=20240101).lines == ()


def test_an_account_that_does_not_follow_from_the_act_before_is_not_priced(tmp_path: Path) -> None:
    """Figures under another policy rest on what every person had: a balance altered in the log is named instead."""
    url, members = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "members.csv"
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance"
    members.write_text(f"{header}\nP1,某人,260101,310,11,,300.00\n", encoding="utf-8")
    with opened(url) as book:
        book.register(members)
        rows = [claim(i, psn_no="P1", insutype="310", psn_type="11", med_type="11") for i in range(1, 5)]
        book.intake(write(tmp_path / "january.csv", rows))
        (altered,) = alter(book, tmp_path / "ledger.db", lambda e: structs.replace(e, balc=e.balc + 7), [1])
    with ledger.open(url, actor="auditor") as book:
        policy = other_policy(tmp_path, *CHANGES)
        named = pytest.raises(StoreError, match=rf"position {altered}: expected .* run verify")
        with named, book.priced(str(policy)) as repriced:
            list(repriced.changes)


def test_axes_are_asked_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Balances and statements take each axis, say where they stand, and refuse what is no place on it."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    policy = other_policy(tmp_path, *CHANGES)
    with opened(url) as book:
        book.intake(january(tmp_path))
    place = ["--store", url]
    assert main(["statement", *place, "--under-policy", str(policy), "--served-to", "2024-01-05", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["served_to"] == 20240105 and said["changed"] > 20 and set(said["policies"]) == {"260100"}
    assert main(["balances", *place, "--totals", "--enacted-to", "2024-01-01T00:00:00+08:00"]) == 0
    shown = capsys.readouterr().out
    assert "priced under no policy (none was in force): 260100, 470100" in shown and "count as nothing" in shown
    for arguments, text in (
        (["--under-policy", "x", "--enacted-to", "3"], "got both"),
        (["--enacted-to", "yesterday"], "--enacted-to: expected a position or a moment"),
        (["--enacted-to", "99999"], "--enacted-to: expected a position from 0 to"),
        (["--served-to", "2024-13-01"], "expected a day"),
    ):
        assert main(["balances", *place, *arguments]) == 2
        captured = capsys.readouterr()
        assert text in " ".join((captured.out + captured.err).split())
    assert main(["statement", *place, "--kind", "pairs", "--served-to", "2024-01-05"]) == 2
