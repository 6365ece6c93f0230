"""Makes a month with lines in which violations and near misses are planted, and stores that hold it."""

from pathlib import Path

from ledger.service import Ledger
from tests.ledger.worlds import claim, opened, write
from tests.lines.files import line, write_lines, write_register

#: A pack of one rule a kind that the planted month meets.
PACK = """
[pack]
name = "planted"
title = "rules of the planted month"
begin = "2024-01-01"
source = "made for a test"
cases = false
"""

RULES = {
    "SEX": 'kind = "over_scope"\nby = "sex"\nitems = ["A-SEX"]\nallowed = ["female"]',
    "AGE": 'kind = "over_scope"\nby = "age"\nitems = ["A-AGE"]\nages = [0, 14]',
    "LEVEL": 'kind = "over_scope"\nby = "level"\nitems = ["A-LEVEL"]\nallowed = ["3"]',
    "DOSE": 'kind = "over_standard"\nby = "dose"\nitems = ["A-DOSE"]\nlimit = "3"',
    "DAY": 'kind = "over_standard"\nby = "count"\nwindow = "day"\nitems = ["A-DAY"]\nlimit = "1"',
    "MONTH": 'kind = "over_standard"\nby = "frequency"\nwindow = "month"\nitems = ["A-MONTH"]\nlimit = "2"',
    "YEAR": 'kind = "over_standard"\nby = "amount"\nwindow = "year"\nitems = ["A-Y*"]\nlimit = "150.00"',
    "PRICE": 'kind = "over_standard"\nby = "price"\nitems = ["A-PRICE"]\nlimit = "90.00"',
    "DOUBLE": 'kind = "duplicate"\nwindow = "day"\nitems = ["A-PART"]\nothers = ["A-WHOLE"]',
    "ALONE": 'kind = "missing_association"\nwindow = "visit"\nitems = ["A-ANAESTHESIA"]\nothers = ["33*"]',
    "FALSE": 'kind = "false"\nby = "outside_stay"\nitems = ["A-BED"]',
    "SPLIT": 'kind = "split"\nby = "parts"\nwindow = "day"\nitems = ["A-P1", "A-P2", "A-P3"]\nleast = 3',
    "SAME": 'kind = "same_price"\nwindow = "month"\nitems = ["A-SAME"]',
    "OVERLAP": 'kind = "overlapping_stays"',
    "DEATH": 'kind = "after_death"',
    "LATE": 'kind = "over_time"\ndays = 30',
    "LOCAL": 'kind = "local_manual"',
}

DAY4 = "2024-01-04 10:00:00"
DAY5 = "2024-01-05 09:00:00"

#: (rule, lines that violate it, fen, lines that nearly do); a line is its cells beside those of ``tests.lines.files``.
LINES: tuple[tuple[str, tuple[dict[str, str], ...], int, tuple[dict[str, str], ...]], ...] = (
    ("SEX", ({"med_list_codg": "A-SEX"},), 10_000, ()),
    ("AGE", ({"med_list_codg": "A-AGE"},), 10_000, ()),
    ("LEVEL", ({"med_list_codg": "A-LEVEL"},), 10_000, ()),
    ("DOSE", ({"med_list_codg": "A-DOSE", "cnt": "4"},), 10_000, ({"med_list_codg": "A-DOSE", "cnt": "3"},)),
    (
        "DAY",
        ({"med_list_codg": "A-DAY"}, {"med_list_codg": "A-DAY", "cnt": "0.5"}),
        5_000,
        (
            {"med_list_codg": "A-DAY"},
            {"med_list_codg": "A-DAY", "fee_ocur_time": DAY4},
            {"med_list_codg": "A-DAY", "cnt": "0.5", "fee_ocur_time": DAY5},
            {"med_list_codg": "A-DAY", "fee_ocur_time": DAY5},
            # Half of what the day has too much is given back.
            {"med_list_codg": "A-DAY", "cnt": "-0.5", "fee_ocur_time": DAY5},
        ),
    ),
    (
        "MONTH",
        tuple({"med_list_codg": "A-MONTH", "fee_ocur_time": at} for at in ("2024-01-03", "2024-01-04", "2024-01-05")),
        10_000,
        tuple({"med_list_codg": "A-MONTH", "fee_ocur_time": at} for at in ("2024-01-04", "2024-01-05")),
    ),
    (
        "YEAR",
        ({"med_list_codg": "A-Y1"}, {"med_list_codg": "A-Y2", "pric": "50.01"}),
        1,
        ({"med_list_codg": "A-Y1"}, {"med_list_codg": "A-Y2", "pric": "50.00"}),
    ),
    ("PRICE", ({"med_list_codg": "A-PRICE"},), 1_000, ({"med_list_codg": "A-PRICE", "pric": "90"},)),
    (
        "DOUBLE",
        ({"med_list_codg": "A-PART"}, {"med_list_codg": "A-WHOLE"}),
        10_000,
        ({"med_list_codg": "A-PART"}, {"med_list_codg": "A-WHOLE", "fee_ocur_time": DAY4}),
    ),
    (
        "ALONE",
        ({"med_list_codg": "A-ANAESTHESIA"},),
        10_000,
        ({"med_list_codg": "A-ANAESTHESIA"}, {"med_list_codg": "331003022", "fee_ocur_time": DAY4}),
    ),
    (
        "FALSE",
        ({"med_list_codg": "A-BED", "fee_ocur_time": "2024-01-06"},),
        10_000,
        ({"med_list_codg": "A-BED", "fee_ocur_time": "2024-01-05"},),
    ),
    (
        "SPLIT",
        tuple({"med_list_codg": f"A-P{at}"} for at in (1, 2, 3)),
        30_000,
        (*({"med_list_codg": f"A-P{at}"} for at in (1, 2)), {"med_list_codg": "A-P3", "fee_ocur_time": DAY4}),
    ),
    (
        "SAME",
        ({"med_list_codg": "A-SAME", "pric": "80"}, {"med_list_codg": "A-SAME", "fee_ocur_time": DAY4}),
        2_000,
        ({"med_list_codg": "A-SAME"}, {"med_list_codg": "A-SAME", "fee_ocur_time": DAY4}),
    ),
)

PERSONS = "psn_no,gend,brdy,die_date"


def pack_of(*codes: str, begin: str = "2024-01-01", name: str = "planted", extends: str = "") -> str:
    """Returns a pack of some of RULES."""
    head = PACK.replace('"2024-01-01"', f'"{begin}"').replace('"planted"', f'"{name}"')
    if extends:
        head += f'extends = "{extends}"\n'
    rules = (
        f'[[rule]]\ncode = "{code}"\ntitle = "{code.lower()}"\nresult = "definite"\n{RULES[code]}\n' for code in codes
    )
    return head + "\n" + "\n".join(rules)


def plant(url: str, tmp_path: Path) -> tuple[Ledger, dict[str, list[tuple[str, int]]]]:
    """Returns a ledger with the planted month and {rule: [(claim, fen)]} of what a review has to find in it.

    Each rule's violation is a claim of its own person, its near miss another one's; a control claim has nothing.
    """
    claims, lines, persons = [], [], []
    expected: dict[str, list[tuple[str, int]]] = {}
    serial = 0
    for rule, bad, fen, near in LINES:
        for rows, hits in ((bad, True), (near, False)):
            serial += 1
            level = "3" if rule == "LEVEL" and not hits else "2"
            claims.append(claim(serial, hosp_lv=level))
            # A near miss of what a person or a hospital is has the same lines.
            lines += [line(serial, at, **cells) for at, cells in enumerate(rows or bad, 1)]
            if rule in ("SEX", "AGE"):
                gend, birth = ("1", "2009-01-03") if hits else ("2", "2009-01-04")
                persons.append(f"P{serial:06d},{gend},{birth},")
            if hits:
                expected[rule] = [(f"260100/S{serial:06d}", fen)]
    for rule, hits in (("OVERLAP", True), ("OVERLAP", False), ("DEATH", True), ("DEATH", False)):
        serial += 1
        claims.append(claim(serial))
        if rule == "OVERLAP":
            begin = "2024-01-04" if hits else "2024-01-05"
            later = claim(serial + 1, psn_no=f"P{serial:06d}", begndate=begin, enddate="2024-01-08")
            claims.append(later | {"setl_time": "2024-01-08 08:00:00"})
            serial += 1
        else:
            persons.append(f"P{serial:06d},9,1940-01-01,{'2024-01-01' if hits else '2024-01-02'}")
        if hits:
            expected[rule] = [(f"260100/S{serial:06d}", 1_000_000)]
    manual = []
    for hits in (True, False):
        serial += 1
        away = {} if hits else {"mdtrtarea_admvs": "470101"}
        claims.append(claim(serial, **away))
        manual.append(f"S{serial:06d},260101,{'2024-02-05' if hits else '2024-02-04'}")
        if hits:
            expected["LATE"] = expected["LOCAL"] = [(f"260100/S{serial:06d}", 1_000_000)]
    book = opened(url)
    report = book.intake(write(tmp_path / "planted.csv", claims))
    assert (report.booked, report.quarantined) == (len(claims), 0)
    filed = book.lines(write_lines(tmp_path / "planted-lines.csv", lines))
    assert filed.booked == len(lines)
    book.register(write_register(tmp_path / "persons.csv", PERSONS, *persons))
    book.register(write_register(tmp_path / "manual.csv", "setl_id,insu_admdvs,applied", *manual))
    (tmp_path / "planted.toml").write_text(pack_of(*RULES), encoding="utf-8")
    return book, expected
