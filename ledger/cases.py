"""Runs cases written as data: a policy, members, claims in order, and what each claim is expected to settle to.

A domain reader writes them in TOML and needs no Python (docs/policy.md). Every case is booked in a store of its own,
claim by claim, as the ledger would book it.
"""

import csv
import datetime
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from core_ext.layout import AMOUNTS, FACTS, HOW
from ledger.explanation import SPLIT
from ledger.money import fen_from_text, yuan_text
from ledger.policy import read_policy
from ledger.policy_errors import faults_in
from ledger.policy_terms import INSUTYPES, MED_TYPES
from ledger.refusals import LedgerError
from ledger.regions import RELATIONS
from ledger.register_file import COLUMNS
from ledger.registers import FILING_CLASSES
from ledger.toml_lines import key_lines, line_of

if TYPE_CHECKING:
    from ledger.service import Ledger

#: What a claim may be expected to be, beside its amounts.
WORDS = ("outcome", "reason", "relation", "filing", "period", "lines")
YUAN = (*AMOUNTS, "medfee_sumamt", "balc", "hosp_part_amt", "first_selfpay", "over_ceiling")

#: The class of person (psn_type) by what a case calls the person.
PERSONS = {"active": 11, "retired": 12, "child": 14, "adult": 15, "elderly": 16}

_MONEY = FACTS[FACTS.index("medfee_sumamt") :]
_AFTERNOON = datetime.time(15)


class CaseError(LedgerError):
    """Is a case file that does not say what it must: file, key, expected, got."""


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is the base of everything a case file holds."""


class Member(Written, frozen=True):
    """Is a person: ``opening`` is what the benefit year of the first claim held before it, by accumulator.

    ``birth`` is the day of birth as the register of persons has it, for claims that state no age.
    """

    person: str
    region: int
    insutype: str = "resident"
    status: str = "adult"
    assistance: int = 0
    account: str = "0.00"
    opening: dict[str, str | int] = {}
    birth: datetime.date | None = None


class Filing(Written, frozen=True):
    """Is an off-site filing (备案); without ``to`` it has no end."""

    person: str
    type: str
    region: int
    since: datetime.date
    to: datetime.date | None = None


class Line(Written, frozen=True):
    """Is a fee line of a claim: its price, count, ratio paid first, price cap, and class 01 甲, 02 乙, 03 丙."""

    price: str
    count: str = "1"
    selfpay: str = "0"
    cap: str = "999999"
    level: str = "02"


class Claim(Written, frozen=True):
    """Is one claim, in the order of the log.

    ``settled`` is its settlement day; ``source`` the amounts it arrives with, if its source settled it; ``refunds``
    names the claim it refunds; ``closes`` the periods closed before it; ``age`` the person's age and ``disease`` the
    chronic disease it states; ``lines`` its fee lines, which ``agree`` with its split or ``differ``.
    """

    name: str
    settled: datetime.date
    expect: dict[str, str | int]
    person: str = ""
    treatment: int = 0
    kind: str = "inpatient"
    level: int = 3
    begin: datetime.date | None = None
    end: datetime.date | None = None
    money: dict[str, str] = {}
    source: dict[str, str] = {}
    refunds: str = ""
    closes: tuple[int, ...] = ()
    age: int | None = None
    disease: str = ""
    lines: tuple[Line, ...] = ()


class Case(Written, frozen=True):
    """Is one story: who, and what happens in order."""

    name: str
    members: tuple[Member, ...]
    claim: tuple[Claim, ...]
    filings: tuple[Filing, ...] = ()


class CaseFile(Written, frozen=True):
    """Is a file of cases under one policy: a shipped one, a file beside it, or ``policy_text`` itself."""

    title: str
    case: tuple[Case, ...]
    policy: str = ""
    policy_text: str = ""
    regions: tuple[int, ...] = ()


class Missed(NamedTuple):
    """Is one expectation that is not met."""

    file: str
    case: str
    claim: str
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Returns it as one line."""
        return f"{self.file}: {self.case}: {self.claim}: {self.field}: expected {self.expected}, got {self.got}"


class CaseResult(NamedTuple):
    """Is one case that was run: how many claims it has, and which expectations are not met."""

    file: str
    case: str
    claims: int
    missed: tuple[Missed, ...]


def read_cases(path: Path) -> CaseFile:
    """Returns a case file; raises CaseError naming file and key, OSError where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CaseError(f"{path}: expected TOML in UTF-8: {error}") from None
    for fault in faults_in(tree, CaseFile, "", None):
        key = fault.path.removeprefix(".")
        line = line_of(key_lines(text), key)
        raise CaseError(f"{path}:{line}: {key or 'the file'}: expected {fault.expected}, got {fault.got}")
    found: CaseFile = msgspec.convert(tree, CaseFile)
    if bool(found.policy) == bool(found.policy_text):
        raise CaseError(f"{path}: expected policy or policy_text, got {'both' if found.policy else 'neither'}")
    for case in found.case:
        _check(case, str(path))
    return found


def _check(case: Case, where: str) -> None:
    """Raises CaseError where a case names what is not there."""

    def expect(holds: bool, key: str, expected: str, got: object) -> None:
        if not holds:
            raise CaseError(f"{where}: {case.name}: {key}: expected {expected}, got {got!r}")

    persons = {member.person for member in case.members}
    for member in case.members:
        expect(member.insutype in INSUTYPES, f"{member.person}.insutype", f"one of {', '.join(INSUTYPES)}",
               member.insutype)  # fmt: skip
        expect(member.status in PERSONS, f"{member.person}.status", f"one of {', '.join(PERSONS)}", member.status)
    seen: set[str] = set()
    for claim in case.claim:
        expect(claim.name not in seen, claim.name, "a name of its own for each claim", claim.name)
        expect(not claim.person or claim.person in persons, f"{claim.name}.person", "a member", claim.person)
        expect(bool(claim.person) or len(persons) == 1, f"{claim.name}.person", "which member it is", "")
        expect(claim.kind in MED_TYPES, f"{claim.name}.kind", f"one of {', '.join(MED_TYPES)}", claim.kind)
        expect(not claim.refunds or claim.refunds in seen, f"{claim.name}.refunds", "an earlier claim", claim.refunds)
        expect(bool(claim.expect), f"{claim.name}.expect", "at least one expectation", {})
        for names, known, key in (
            (claim.money, _MONEY, "money"),
            (claim.source, AMOUNTS, "source"),
            (claim.expect, (*WORDS, *YUAN), "expect"),
        ):
            for name in names:
                expect(name in known, f"{claim.name}.{key}.{name}", f"one of {', '.join(known)}", name)
        seen.add(claim.name)


def run_file(path: Path) -> list[CaseResult]:
    """Returns the outcome of every case of a file; raises CaseError, or PolicyInvalidError for its policy."""
    from ledger.verbs.policies import read_document

    found = read_cases(path)
    beside = path.parent / found.policy
    document, where = (
        (found.policy_text, str(path))
        if found.policy_text
        else read_document(beside if found.policy and beside.is_file() else found.policy)
    )
    header = read_policy(document, where).header
    regions = found.regions or tuple(int(region) for region in header.regions)
    return [_run(case, path, document, regions) for case in found.case]


def _run(case: Case, path: Path, document: str, regions: tuple[int, ...]) -> CaseResult:
    """Books one case in a store of its own."""
    from ledger import create

    missed: list[Missed] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        policy = folder / "policy.toml"
        policy.write_text(document, encoding="utf-8")
        with create(f"sqlite:///{folder / 'case.db'}", actor="case") as book:
            book.enact(policy, regions)
            _register(book, folder, case)
            rows: dict[str, dict[str, str]] = {}
            for number, claim in enumerate(case.claim, start=1):
                for period in claim.closes:
                    book.close(period)
                rows[claim.name] = row = _row(case, claim, number, rows)
                got = _book(book, folder, row)
                if claim.lines:
                    got["lines"] = _lines(book, folder, row, claim)
                for field, expected in claim.expect.items():
                    wanted = _yuan(str(expected)) if field in YUAN else str(expected)
                    if got.get(field, "") != wanted:
                        came = got.get(field) or f"nothing: {got['outcome']} {got['reason']}".rstrip()
                        missed.append(Missed(str(path), case.name, claim.name, field, wanted, came))
    return CaseResult(str(path), case.name, len(case.claim), tuple(missed))


def _yuan(text: str) -> str:
    return yuan_text(fen_from_text(text))


MEMBERS, FILED = COLUMNS["members"][0], COLUMNS["filings"][0]


def _register(book: "Ledger", folder: Path, case: Case) -> None:
    accumulators = sorted({name for member in case.members for name in member.opening})
    header = (*MEMBERS, "account_balance", *(f"acc_{name}" for name in accumulators), "acc_year")
    first = case.claim[0].settled.year if case.claim else 0
    members = [
        (member.person, "", member.region, INSUTYPES[member.insutype], PERSONS[member.status],
         member.assistance or "", member.account, *(member.opening.get(name, 0) for name in accumulators), first)
        for member in case.members
    ]  # fmt: skip
    keep = len(header) if accumulators else len(MEMBERS) + 1
    book.register(_write(folder / "members.csv", header[:keep], [row[:keep] for row in members]))
    births = [(member.person, "", member.birth) for member in case.members if member.birth]
    if births:
        book.register(_write(folder / "persons.csv", ("psn_no", "gend", "brdy"), births))
    if case.filings:
        filings = [(each.person, each.type, each.region, each.since, each.to or "") for each in case.filings]
        book.register(_write(folder / "filings.csv", FILED, filings))


def _write(path: Path, header: tuple[str, ...], rows: Any) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _row(case: Case, claim: Claim, number: int, earlier: Mapping[str, dict[str, str]]) -> dict[str, str]:
    """Returns the claim as a row of the national layout; a refund negates the row it refunds."""
    member = next(each for each in case.members if claim.person in ("", each.person))
    moment = f"{claim.settled} {_AFTERNOON}"
    own = {"setl_id": f"S{number}", "mdtrt_id": f"M{number}", "setl_time": moment, "psn_no": member.person}
    if claim.refunds:
        original = earlier[claim.refunds]
        money = {name: f"-{original[name]}" for name in _MONEY if fen_from_text(original[name])}
        return original | dict.fromkeys(AMOUNTS, "") | money | own | {"init_setl_id": original["setl_id"]}
    money = dict.fromkeys(_MONEY, "0.00") | {name: _yuan(text) for name, text in claim.money.items()}
    if "medfee_sumamt" not in claim.money:
        money["medfee_sumamt"] = yuan_text(sum(fen_from_text(money[name]) for name in SPLIT))
    return {
        "init_setl_id": "",
        "insutype": str(INSUTYPES[member.insutype]),
        "psn_type": str(PERSONS[member.status]),
        "insu_admdvs": f"{member.region:06d}",
        "mdtrtarea_admvs": f"{claim.treatment or member.region:06d}",
        "fixmedins_code": "H1",
        "hosp_lv": str(claim.level),
        "med_type": str(MED_TYPES[claim.kind]),
        "begndate": str(claim.begin or claim.end or claim.settled),
        "enddate": str(claim.end or claim.settled),
        **dict.fromkeys(AMOUNTS, ""),
        **money,
        **claim.source,
        **own,
        "age": "" if claim.age is None else str(claim.age),
        "dise_codg": claim.disease,
    }


def _lines(book: "Ledger", folder: Path, row: Mapping[str, str], claim: Claim) -> str:
    """Files a claim's fee lines; returns whether they agree with its split."""
    header = ("setl_id", "insu_admdvs", "feedetl_sn", "med_list_codg", "chrgitm_lv", "fee_ocur_time", "pric", "cnt",
              "selfpay_prop", "pric_uplmt_amt")  # fmt: skip
    rows = [
        (row["setl_id"], row["insu_admdvs"], f"F{at}", "ITEM", line.level, f"{row['begndate']} {_AFTERNOON}",
         line.price, line.count, line.selfpay, line.cap)
        for at, line in enumerate(claim.lines, 1)
    ]  # fmt: skip
    path = _write(folder / f"{row['setl_id']}.lines.csv", header, rows)
    report, differing = book.lines_that_differ(path, quarantine=folder / f"{row['setl_id']}.lines.quarantine.csv")
    if report.booked < len(rows):
        return "refused: " + ", ".join(report.reasons)
    return "differ" if differing else "agree"


def _book(book: "Ledger", folder: Path, row: dict[str, str]) -> dict[str, str]:
    """Books one claim and returns what became of it, by the names an expectation may have."""
    from ledger.acts import read_acts

    with book.store.read() as reader:
        head = reader.size
    path = _write(folder / f"{row['setl_id']}.csv", tuple(row), [row.values()])
    report = book.intake(path, quarantine=folder / f"{row['setl_id']}.quarantine.csv")
    if not report.booked:
        outcome = "duplicate" if report.duplicate else "refused"
        return {"outcome": outcome, "reason": "".join(report.reasons)}
    with book.store.read() as reader:
        (acts,) = read_acts(reader, after=head)
        return dict(_became(acts))


def _became(acts: Any) -> Iterator[tuple[str, str]]:
    how = dict(zip(HOW, acts.how[0].tolist(), strict=True))
    yield "outcome", "refunded" if acts.reversed[0] else "settled"
    yield "reason", ""
    yield "relation", RELATIONS[how["relation"]]
    yield "filing", FILING_CLASSES[how["filing"]]
    yield "period", str(acts.period[0])
    yield from ((name, yuan_text(fen)) for name, fen in zip(AMOUNTS, acts.booked[0].tolist(), strict=True))
    yield "medfee_sumamt", yuan_text(int(acts.facts[0, FACTS.index("medfee_sumamt")]))
    yield "balc", yuan_text(int(acts.balc[0]))
    yield from ((name, yuan_text(how[name])) for name in ("first_selfpay", "over_ceiling"))
    hospital = int(acts.facts[0, FACTS.index("hosp_part_amt")]) + how["hosp_part_amt"]
    yield "hosp_part_amt", yuan_text(hospital)
