"""Fixed amounts, DRG, DIP and packages: agency and institution money beside a benefit that stays itemised."""

import json
from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.benefit_events import InstitutionPaymentSet
from ledger.refusals import Refusal, Refused
from ledger.register_file import RegisterError
from ledger.service import Ledger
from projections.institution_payments import InstitutionPayments
from tests.ledger.registry import registered, told
from tests.ledger.test_benefit_year import enacted
from tests.ledger.worlds import claim, refund, sign, write

PACKAGE = (
    '{ method = "package", name = "community", med_types = ["inpatient"], covers = "fund_part", per_head = "2.50",'
    ' heads = [{ institution = "PKG", persons = 1000 }, { institution = "IDLE", persons = 3 }] }'
)
DRG = (
    '{ method = "drg", name = "DRG", med_types = ["inpatient"], clr_type = 21, rate = "7000.33",'
    ' groups = [{ group = "FM19", weight = "1.2345" }] }'
)
RULES = f"\n[clearing.institution_payment]\n2023-01-01 = [{PACKAGE}, {DRG}]\n"
ANCHOR = "[resident.account_pays]"


def world(url: str, folder: Path, rules: str = RULES) -> Ledger:
    """Returns a ledger under the plain policy (600.00 off, then 84 %) whose agency pays by these rules."""
    return enacted(url, folder, (ANCHOR, rules + ANCHOR))


def booked(book: Ledger, folder: Path, *rows: dict[str, str]) -> None:
    """Books claims and closes January."""
    assert book.intake(write(folder / "claims.csv", rows)).quarantined == 0
    book.close(202401)


def grouped(book: Ledger, folder: Path, *lines: str) -> int:
    """Registers groupings; returns how many were new."""
    return registered(book, folder, "insured_region,setl_id,group,weight", *lines).new


def shown(url: str, claims: bool = False) -> InstitutionPayments:
    """Returns what institutions are paid for January, once log, books and tables agree."""
    with projections.open(url) as views:
        views.catch_up()
        assert views.verify() == []
        return views.institution_payments(202401, claims=claims)


def balances(url: str) -> dict[str, int]:
    """Returns every account that holds something."""
    with projections.open(url) as views:
        return {name: fen for name, fen in views.balances().accounts.items() if fen}


def test_a_drg_pays_the_institution_and_leaves_the_person(store_url: str, tmp_path: Path) -> None:
    """Weight times rate, less the person's part, is paid; the difference has an account, the benefit is itemised."""
    with world(store_url, tmp_path) as book:
        booked(book, tmp_path, claim(1), claim(2, fixmedins_code="H2"))
        assert grouped(book, tmp_path, "260100,S000001,FM19,", "260100,S000002,FM20,0.5000") == 2
        assert grouped(book, tmp_path, "260100,S000001,FM19,") == 0
        report = book.set_institutions(202401)
        # 1.2345 x 7,000.33 = 8,641.91 less the person's 2,104.00; 0.5 x 7,000.33 = 3,500.17 (half-up) less 2,104.00.
        assert report.ungrouped == ()
        assert len(told(book, InstitutionPaymentSet)) == report.changed == 4
        assert book.set_institutions(202401).changed == 0
    lines = {line.institution: line for line in shown(store_url).lines}
    assert (lines["H26010100001"].standard_fen, lines["H26010100001"].payable_fen) == (864_191, 653_791)
    assert (lines["H2"].standard_fen, lines["H2"].payable_fen, lines["H2"].clr_type) == (350_017, 139_617, 21)
    accounts = balances(store_url)
    assert accounts["expense:260100:390100"] == 2 * 789_600
    assert accounts["difference:260100:H2"] == 139_617 - 789_600
    assert accounts["payable:260100:H2"] == -139_617
    assert sum(accounts.values()) == 0


def test_the_statement_says_what_institutions_are_paid_instead(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clearing statement shows the difference account; the command that sets it exits 1 for what stays itemised."""
    with world(sqlite_url, tmp_path) as book:
        booked(book, tmp_path, claim(1), claim(2))
        grouped(book, tmp_path, "260100,S000001,FM19,")
    assert main(["institutions", "set", "--period", "202401", "--store", sqlite_url]) == 1
    assert "1 claims stay itemised" in capsys.readouterr().out
    assert main(["statement", "--period", "202401", "--store", sqlite_url]) == 0
    said = "institutions are paid 9,045.41 for 7,896.00 itemised, difference account 差额 1,149.41"
    assert said in capsys.readouterr().out
    assert main(["statement", "--period", "202401", "--json", "--store", sqlite_url]) == 0
    assert json.loads(capsys.readouterr().out)["institution_difference_fen"] == 114_941
    assert main(["institutions", "show", "--period", "202401", "--claims", "--store", sqlite_url]) == 0
    assert "8,641.91" in capsys.readouterr().out


def test_the_payment_follows_what_is_set(sqlite_url: str, tmp_path: Path) -> None:
    """An institution is instructed what is set for it, an idle package as well; a later change is refused."""
    with world(sqlite_url, tmp_path) as book:
        booked(book, tmp_path, claim(1), claim(2, fixmedins_code="PKG"), claim(3, fixmedins_code="PKG"))
        grouped(book, tmp_path, "260100,S000001,FM19,")
        book.set_institutions(202401)
        sign(book, 202401)
        paid = {payment.payee: payment.amount_fen for payment in book.pay(202401)}
        assert paid == {"H26010100001": 653_791, "PKG": 250_000, "IDLE": 750}
        assert grouped(book, tmp_path, "260100,S000001,FM19,2.0000") == 1
        with book.store.read() as reader:
            head = reader.size
        with pytest.raises(Refused) as refused:
            book.set_institutions(202401)
        assert refused.value.refusal is Refusal.PAYMENT_INSTRUCTED
        with book.store.read() as reader:
            assert reader.size == head
        for payment in ("PKG", "IDLE"):
            book.confirm(f"payment-2-202401-260100-{payment}", "R" + payment)
    accounts = balances(sqlite_url)
    assert accounts["bank:260100"] == -250_750
    assert "payable:260100:PKG" not in accounts
    assert accounts["difference:260100:PKG"] == 250_000 - 2 * 789_600


def test_what_nothing_groups_stays_itemised_and_is_named(sqlite_url: str, tmp_path: Path) -> None:
    """A claim without a group, or in a group without weight, is listed and paid as itemised until it is grouped."""
    with world(sqlite_url, tmp_path) as book:
        booked(book, tmp_path, claim(1), claim(2))
        grouped(book, tmp_path, "260100,S000002,XX99,")
        report = book.set_institutions(202401)
        assert [(each.setl_id, each.rule) for each in report.ungrouped] == [("S000001", "DRG"), ("S000002", "DRG")]
        grouped(book, tmp_path, "260100,S000002,XX99,1.0000")
        assert book.set_institutions(202401).change_fen == 700_033 - 210_400 - 789_600
        # A weight mended later books the difference to what stands alone.
        grouped(book, tmp_path, "260100,S000002,XX99,1.5000")
        assert book.set_institutions(202401).change_fen == 1_050_050 - 700_033
    (line,) = [each for each in shown(sqlite_url, claims=True).lines if each.rule == "DRG"]
    assert (line.payable_fen, line.group) == (1_050_050 - 210_400, "XX99")


def test_a_refund_gives_back_what_its_original_was_paid(sqlite_url: str, tmp_path: Path) -> None:
    """A refund of the same period or of a later one takes back the amount set for its original, whatever it was."""
    first, second = claim(1), claim(2)
    with world(sqlite_url, tmp_path) as book:
        booked(book, tmp_path, first, second, refund(first, 3))
        grouped(book, tmp_path, "260100,S000001,FM19,", "260100,S000002,FM19,")
        book.set_institutions(202401)
        book.intake(write(tmp_path / "late.csv", [refund(second, 4)]))
        book.close(202402)
        assert book.set_institutions(202402).ungrouped == ()
    accounts = balances(sqlite_url)
    assert {name for name in accounts if name.startswith(("payable", "difference"))} == {
        "difference:260100:IDLE", "difference:260100:PKG", "payable:260100:IDLE", "payable:260100:PKG",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "paid"),
    [
        ('method = "fixed", covers = "fund_part", amount = { 2 = "80.00", default = "100.00" }', 8_000),
        ('method = "fixed", amount = "9000.01"', 900_001 - 210_400),
        ('method = "fixed", amount = "1000.00"', 0),  # the person bears more than the whole
        ('method = "fixed", covers = "fund_part", insutypes = ["employee"], amount = "80.00"', 789_600),
        ('method = "dip", covers = "fund_part", point_value = "96.1234"', 408_524),  # 42.5 points, 4,085.2445
    ],
)
def test_every_method(sqlite_url: str, tmp_path: Path, rule: str, paid: int) -> None:
    """A fixed amount by level, a value by points; a rule for others leaves the claim itemised."""
    rules = f'[clearing.institution_payment]\n2023-01-01 = [{{ name = "A", med_types = ["inpatient"], {rule} }}]\n'
    with world(sqlite_url, tmp_path, rules) as book:
        booked(book, tmp_path, claim(1))
        grouped(book, tmp_path, "260100,S000001,I10,42.5")
        book.set_institutions(202401)
    assert -balances(sqlite_url).get("payable:260100:H26010100001", 0) == paid


def test_persons_insured_elsewhere_are_paid_as_itemised_unless_the_policy_says_so(
    sqlite_url: str, tmp_path: Path
) -> None:
    """The treatment place's agency pays local claims by its rules; off-site ones only with ``off_site``."""
    rule = 'method = "fixed", name = "A", med_types = ["inpatient"], covers = "fund_part", amount = "80.00"'
    for at, more in enumerate(("", ", off_site = true")):
        rules = f"[clearing.institution_payment]\n2023-01-01 = [{{ {rule}{more} }}]\n"
        folder = tmp_path / str(at)
        folder.mkdir()
        url = f"{sqlite_url}{at}"
        with enacted(url, folder, (ANCHOR, rules + ANCHOR), regions=(260100, 260200)) as book:
            booked(book, folder, claim(1, mdtrtarea_admvs="260201"))
            book.set_institutions(202401)
            sign(book, 202401)
            paid = {payment.payee: payment.amount_fen for payment in book.pay(202401)}
        assert paid == {"260200": 789_600, "H26010100001": 8_000 if more else 789_600}


def test_a_grouping_of_no_claim_and_an_open_period_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    """A grouping names a booked claim; amounts are set for a closed period."""
    with world(sqlite_url, tmp_path) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1)]))
        with pytest.raises(RegisterError, match="row 1, setl_id: expected a claim that is booked"):
            grouped(book, tmp_path, "260100,S9,FM19,")
        with pytest.raises(RegisterError, match="weight"):
            grouped(book, tmp_path, "260100,S000001,FM19,1.23456")
        with pytest.raises(Refused) as refused:
            book.set_institutions(202401)
        assert refused.value.refusal is Refusal.PERIOD_NOT_CLOSED
