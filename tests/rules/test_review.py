"""The review of a period: planted violations all found to the fen, near misses none, once, and kept up with the log."""

import json
from pathlib import Path
from typing import Any

import pytest

import ledger
import projections
from console.main import main
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from ledger.supervision import reviewing
from ledger.supervision.bills import BilledClaim, BilledLine
from ledger.supervision.events import PeriodReviewed, ViolationFound, ViolationLifted
from tests.ledger.worlds import claim, opened, write
from tests.lines.files import found, line, write_lines, write_register
from tests.rules.worlds import RULES, pack_of, plant


def listed(url: str, period: int = 202401) -> dict[str, list[tuple[str, int]]]:
    """Returns {rule: [(claim, fen)]} of what stands open."""
    by_rule: dict[str, list[tuple[str, int]]] = {}
    with projections.open(url) as read:
        for each in read.violations(period):
            claims = {charge.claim for charge in each.charges}
            assert len(claims) == 1
            assert each.amount_fen == sum(charge.amount_fen for charge in each.charges)
            by_rule.setdefault(each.rule, []).append((claims.pop(), each.amount_fen))
    return by_rule


def size_of(book: Ledger) -> int:
    with book.store.read() as reader:
        return reader.size


def test_every_planted_violation_is_found_and_no_near_miss(store_url: str, tmp_path: Path) -> None:
    """One violation of every kind, each with its claim and fen; what only nearly violates is not there."""
    book, expected = plant(store_url, tmp_path)
    with book:
        book.enact_rules(tmp_path / "planted.toml")
        done = book.review_period(202401)
        assert (done.found, done.lifted, done.open) == (len(RULES), 0, len(RULES))
        events = [each for each in found(book, ViolationFound) if isinstance(each, ViolationFound)]
        assert {each.period for each in events} == {202401}
    assert listed(store_url) == expected
    with projections.open(store_url) as read:
        assert read.verify() == []


def test_a_review_of_the_same_log_writes_nothing(store_url: str, tmp_path: Path) -> None:
    """The second review says so and leaves the log as it is."""
    book, _ = plant(store_url, tmp_path)
    with book:
        book.enact_rules(tmp_path / "planted.toml")
        first = book.review_period(202401)
        size = size_of(book)
        again = book.review_period(202401)
        assert size_of(book) == size
        assert again.already
        assert (again.open, again.amount_fen) == (first.open, first.amount_fen)


def test_of_two_reviews_at_once_the_later_one_is_told_to_look_again(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A review that another one overtakes is refused by name and writes nothing; asked again it finds all said."""
    book, _ = plant(store_url, tmp_path)
    with book, ledger.open(store_url, actor="other") as other:
        book.enact_rules(tmp_path / "planted.toml")
        first, collect = [], reviewing.collect

        def overtaken(*given: Any) -> Any:
            monkeypatch.undo()
            first.append(other.review_period(202401))
            return collect(*given)

        monkeypatch.setattr(reviewing, "collect", overtaken)
        with pytest.raises(Refused) as refused:
            book.review_period(202401)
        assert refused.value.refusal == Refusal.RUN_OUTDATED
        assert len(found(book, PeriodReviewed)) == 1
        again = book.review_period(202401)
        assert again.already and (again.open, again.amount_fen) == (first[0].open, first[0].amount_fen)


def test_what_comes_later_is_reviewed_and_nothing_else(store_url: str, tmp_path: Path) -> None:
    """New lines bring their person's violation; a refund lifts what was found about its claim."""
    book, expected = plant(store_url, tmp_path)
    with book:
        book.enact_rules(tmp_path / "planted.toml")
        book.review_period(202401)
        late = [line(4, 9, med_list_codg="A-DOSE", cnt="5")]
        assert book.lines(write_lines(tmp_path / "late.csv", late)).booked == 1
        done = book.review_period(202401)
        assert (done.persons, done.found, done.lifted) == (1, 1, 0)
        (claim_of_dose, _), *_ = expected["DOSE"]
        book.reverse(claim_of_dose, "billed in error")
        done = book.review_period(202401)
        assert (done.persons, done.found, done.lifted) == (1, 0, 1)
        assert [event.rule for event in found(book, ViolationLifted) if isinstance(event, ViolationLifted)] == ["DOSE"]
        assert len(found(book, PeriodReviewed)) == 3
    now = listed(store_url)
    assert now["DAY"] == expected["DAY"]
    assert claim_of_dose not in {claim for claim, _ in now.get("DOSE", [])}


def test_a_service_meets_the_rules_of_its_own_day(store_url: str, tmp_path: Path) -> None:
    """A rule of a pack that begins in February does not find January's lines, however late they are reviewed."""
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(pack_of("DOSE", name="first"), encoding="utf-8")
    second.write_text(pack_of("PRICE", begin="2024-02-01", name="second", extends="first"), encoding="utf-8")
    with opened(store_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1), claim(2, enddate="2024-02-03")]))
        rows = [
            line(at, row, med_list_codg=item, cnt="4", fee_ocur_time=day)
            for at, day in ((1, "2024-01-04"), (2, "2024-02-02"))
            for row, item in enumerate(("A-DOSE", "A-PRICE"), 1)
        ]
        book.lines(write_lines(tmp_path / "lines.csv", rows))
        assert book.enact_rules(first).in_force == 1
        assert book.enact_rules(second).in_force == 2
        assert book.enact_rules(second).already
        book.review_period(202401)
        with pytest.raises(Refused) as refused:
            book.enact_rules(_written(tmp_path, pack_of("SAME", begin="2024-01-15", name="between")))
        assert refused.value.refusal == Refusal.RULES_OUT_OF_ORDER
    assert listed(store_url) == {
        "DOSE": [("260100/S000001", 10_000), ("260100/S000002", 10_000)],
        "PRICE": [("260100/S000002", 4_000)],
    }


def test_another_pack_lifts_what_is_no_violation_by_it(store_url: str, tmp_path: Path) -> None:
    """When a pack drops a rule from a day on, what the rule had found from that day on is lifted."""
    base = _written(tmp_path, pack_of("DOSE", "PRICE", name="base"))
    after = pack_of("SAME", begin="2024-01-04", name="after", extends="base").replace(
        'extends = "base"', 'extends = "base"\ndrops = ["DOSE"]'
    )
    with opened(store_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1), claim(2)]))
        rows = [line(at, 1, med_list_codg="A-DOSE", cnt="4", fee_ocur_time=f"2024-01-0{at + 2}") for at in (1, 2)]
        book.lines(write_lines(tmp_path / "lines.csv", rows))
        book.enact_rules(base)
        assert book.review_period(202401).found == 2
        book.enact_rules(_written(tmp_path, after, "after.toml"))
        done = book.review_period(202401)
        assert (done.found, done.lifted, done.open) == (0, 1, 1)
    assert listed(store_url) == {"DOSE": [("260100/S000001", 10_000)]}


def _written(tmp_path: Path, document: str, name: str = "pack.toml") -> Path:
    path = tmp_path / name
    path.write_text(document, encoding="utf-8")
    return path


def test_a_year_counts_claims_of_earlier_periods(store_url: str, tmp_path: Path) -> None:
    """What January used of a year's amount is gone in February: February's line violates, in February's review."""
    with opened(store_url) as book:
        february = claim(2, psn_no="P000001", begndate="2024-02-02", enddate="2024-02-02")
        book.intake(write(tmp_path / "claims.csv", [claim(1), february | {"setl_time": "2024-02-02 08:00:00"}]))
        rows = [line(1, 1, med_list_codg="A-Y1"), line(2, 1, med_list_codg="A-Y2", fee_ocur_time="2024-02-02")]
        book.lines(write_lines(tmp_path / "lines.csv", rows))
        book.enact_rules(_written(tmp_path, pack_of("YEAR")))
        assert book.review_period(202401).found == 0
        assert book.review_period(202402).found == 1
        (event,) = found(book, ViolationFound)
        assert isinstance(event, ViolationFound)
        assert (event.window, event.amount_fen, len(event.charges)) == (2024, 5_000, 1)
    assert listed(store_url, 202402) == {"YEAR": [("260100/S000002", 5_000)]}


def test_a_violation_names_what_a_case_needs(sqlite_url: str, tmp_path: Path) -> None:
    """Each charge of a violation leads to its claim, its line and its institution; the rule's version is kept."""
    book, expected = plant(sqlite_url, tmp_path)
    with book:
        book.enact_rules(tmp_path / "planted.toml")
        book.review_period(202401)
        versions = {held.rule.code: held.version.hex() for held in book.rule_book().held}
    with projections.open(sqlite_url) as read:
        (found_,) = read.violations(202401, "DAY")
        assert (found_.version, found_.definite, found_.window_kind, found_.window) == (
            versions["DAY"],
            True,
            "day",
            20240103,
        )
        (charge,) = found_.charges
        assert (charge.claim, charge.amount_fen) == expected["DAY"][0]
        assert (charge.feedetl_sn, charge.med_list_codg) == ("F9-2", "A-DAY")
        assert charge.fixmedins_code == "H26010100001"
        with read._store.read() as reader:
            ((_, _, topic, state),) = reader.stream(found_.stream)
        assert decode_event(topic, state).TOPIC == ViolationFound.TOPIC


def test_a_review_needs_rules_and_claims(sqlite_url: str, tmp_path: Path) -> None:
    """Without a pack, or for a period without claims, the review is refused and writes nothing."""
    with opened(sqlite_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1)]))
        size = size_of(book)
        with pytest.raises(Refused) as refused:
            book.review_period(202401)
        assert refused.value.refusal == Refusal.RULES_NOT_ENACTED
        with pytest.raises(Refused) as refused:
            book.review_period(202405)
        assert refused.value.refusal == Refusal.PERIOD_EMPTY
        assert size_of(book) == size


def billed(*lines: BilledLine, day: int = 20240103) -> BilledClaim:
    """Returns a claim that is not settled yet."""
    return BilledClaim(lines, 390, 11, 2, day, day, 260100, 260100, "H1", sum(line.amount_fen for line in lines))


def test_a_claim_is_reviewed_before_it_is_settled(sqlite_url: str, tmp_path: Path) -> None:
    """The same pack answers for a claim that is no event yet; with a history, windows count it too."""
    dose = BilledLine("A-DOSE", 20240103, 40_000, 10**8, 40_000)
    price = BilledLine("A-PRICE", 20240103, 10_000, 9 * 10**7, 9_000)
    year = BilledLine("A-Y1", 20240103, 10_000, 10**8, 10_000)
    with opened(sqlite_url) as book:
        with pytest.raises(Refused):
            book.review(billed(dose))
        book.enact_rules(_written(tmp_path, pack_of(*RULES)))
        size = size_of(book)
        assert [(each.rule, each.line, each.fen) for each in book.review(billed(price, dose))] == [("DOSE", 1, 10_000)]
        assert book.review(billed(price)) == ()
        assert book.review(billed(year)) == ()
        (breach,) = book.review(billed(year), (billed(year, day=20240102),))
        assert (breach.rule, breach.window, breach.fen) == ("YEAR", "year", 5_000)
        assert size_of(book) == size


def test_the_commands_review_and_list(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rules enact`, `review` and `violations` say the same as the library, as a table and as JSON."""
    book, expected = plant(sqlite_url, tmp_path)
    book.close_store()
    store = ["--store", sqlite_url]
    assert main(["rules", "enact", str(tmp_path / "planted.toml"), *store]) == 0
    assert f"{len(RULES):,} in force" in capsys.readouterr().out
    assert main(["review", "--period", "202401", *store, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["review"]["open"] == len(RULES)
    assert {each["rule"]: each["amount_fen"] for each in said["rules"]} == {
        rule: sum(fen for _, fen in claims) for rule, claims in expected.items()
    }
    assert main(["review", "--period", "202401", *store]) == 0
    assert "nothing had come since the last review" in capsys.readouterr().out
    assert main(["violations", "--period", "202401", "--rule", "PRICE", *store]) == 0
    shown = capsys.readouterr().out
    assert "A-PRICE" in shown and "10.00" in shown and "1 violations, 1 lines" in shown


def test_persons_and_manual_claims_register_once(sqlite_url: str, tmp_path: Path) -> None:
    """The same file registers nothing again; a manual claim that is not booked refuses its file, naming the cell."""
    book, _ = plant(sqlite_url, tmp_path)
    with book:
        for name in ("persons.csv", "manual.csv"):
            assert book.register(tmp_path / name).new == 0
        wrong = write_register(tmp_path / "wrong.csv", "setl_id,insu_admdvs,applied", "S999999,260101,2024-02-05")
        with pytest.raises(Exception, match=r"wrong\.csv row 1, setl_id: expected a booked claim, got 'S999999'"):
            book.register(wrong)
