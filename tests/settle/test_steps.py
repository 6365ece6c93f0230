"""Every switch of steps 2 to 12 by a figure worked by hand, by both twins."""

import pytest

from tests.settle.claims import TWINS, Claim, Outcome, Settle, book_of, settle_claims
from tests.settle.test_worked_checks import TWO_STAYS

FIRST = 'first_stay = { 1 = "600.00" }'
SEGMENTS = '[{ above = "0", ratio = { resident = { 1 = "0.84" } } }]'


@pytest.fixture(params=TWINS)
def settle(request: pytest.FixtureRequest) -> Settle:
    """Returns each twin in turn."""
    return TWINS[request.param]


def policy(*changes: tuple[str, str], more: str = "") -> str:
    """Returns a plain policy (600.00 less 100.00 a stay, then 84 %) with changes to its text."""
    text = TWO_STAYS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text + more


def settled(settle: Settle, text: str, *claims: Claim, balance: str = "0") -> Outcome:
    """Returns claims settled under a document."""
    return settle_claims(settle, book_of((text, 441800)), claims, balance=balance)


def stay(begin: int, end: int, fee: str = "8700.00", level: int = 1) -> Claim:
    """Returns an inpatient stay from one day to another, wholly in scope."""
    return Claim(fee, hosp_lv=level, setl_time=end * 10**6, facts={"begndate": begin, "enddate": end})


def amounts(out: Outcome, name: str) -> list[str]:
    """Returns one amount of every row."""
    return [out.amount(row, name) for row in range(len(out.code))]


READMISSION = (FIRST, FIRST + "\nreadmission_days = 15")
LEVELS = (FIRST, 'first_stay = { 1 = "600.00", 2 = "900.00" }\ntransfer_days = 1')
BOTH = (SEGMENTS, SEGMENTS.replace('1 = "0.84"', '1 = "0.84", 2 = "0.80"'))


def test_a_readmission_is_one_stay_with_the_last(settle: Settle) -> None:
    """Back at the same level within 15 days a person owes no deductible again; on the sixteenth it is a new stay."""
    text = policy(READMISSION)
    out = settled(settle, text, stay(20240101, 20240105), stay(20240120, 20240125), stay(20240210, 20240211))
    assert amounts(out, "act_pay_dedc") == ["600.00", "0.00", "500.00"]
    assert out.year(0, "stays") == 2
    leap = settled(settle, text, stay(20240220, 20240225), stay(20240311, 20240312), stay(20240328, 20240330))
    assert amounts(leap, "act_pay_dedc") == ["600.00", "0.00", "500.00"]


def test_a_readmission_owes_what_the_first_left_of_its_deductible(settle: Settle) -> None:
    """A stay below its deductible took 200.00; the readmission that is one stay with it owes the other 400.00."""
    out = settled(settle, policy(READMISSION), stay(20240101, 20240105, "200.00"), stay(20240106, 20240109),
                  stay(20240110, 20240112))  # fmt: skip
    assert amounts(out, "act_pay_dedc") == ["200.00", "400.00", "0.00"]
    assert out.year(0, "stays") == 1


def test_a_transfer_to_a_higher_level_pays_the_difference(settle: Settle) -> None:
    """Transferred from level 1 to 2 the person pays 900.00 - 600.00, back down nothing; a week later all of it."""
    text = policy(LEVELS, BOTH)
    up = settled(settle, text, stay(20240101, 20240105), stay(20240105, 20240109, level=2),
                 stay(20240110, 20240112), stay(20240201, 20240202, level=2))  # fmt: skip
    assert amounts(up, "act_pay_dedc") == ["600.00", "300.00", "0.00", "800.00"]
    assert up.year(0, "stays") == 2


def test_a_refund_of_the_last_stay_lets_the_one_before_be_continued(settle: Settle) -> None:
    """A stay refunded and settled again continues what it continued: nothing is owed twice."""
    text = policy(READMISSION)
    first, second = stay(20240101, 20240105), stay(20240110, 20240112)
    gone = Claim("-8700.00", setl_time=20240113_000000, refunds=1)
    out = settled(settle, text, first, second, gone, second)
    assert amounts(out, "act_pay_dedc") == ["600.00", "0.00", "0.00", "0.00"]
    assert out.year(0, "stays") == 1


def test_deductibles_of_a_year_end_at_their_cap(settle: Settle) -> None:
    """With a yearly cap of 1,000.00 the third stay owes what the first two left of it."""
    text = policy((FIRST, FIRST + '\nyearly_cap = "1150.00"'))
    out = settled(settle, text, *(stay(20240101 + 100 * at, 20240103 + 100 * at) for at in range(4)))
    assert amounts(out, "act_pay_dedc") == ["600.00", "500.00", "50.00", "0.00"]


def test_deductibles_by_class_and_floors_by_level(settle: Settle) -> None:
    """Children have their own deductible, the class that owes none none, and each level its own floor."""
    text = policy(
        (FIRST, 'first_stay = { 1 = "600.00", 2 = "900.00" }\n'
                'exceptions = [{ psn_types = ["14"], first_stay = { 1 = "100.00", 2 = "300.00" } }]'),
        ('floor = "0"', 'floor = { 1 = "450.00", 2 = "850.00" }'), BOTH,
        more='[resident.deductible_exempt_psn_types]\n2024-01-01 = ["16"]\n',
    )  # fmt: skip
    claims = [Claim("8700.00", psn_type=15, hosp_lv=level) for level in (1, 2, 1, 2)]
    out = settled(settle, text, *claims)
    assert amounts(out, "act_pay_dedc") == ["600.00", "850.00", "450.00", "850.00"]
    text = text.replace('floor = { 1 = "450.00", 2 = "850.00" }', 'floor = "0"')
    out = settled(settle, text, *(Claim("8700.00", psn_type=kind) for kind in (14, 1402, 16, 15)))
    assert amounts(out, "act_pay_dedc") == ["100.00", "0.00", "0.00", "300.00"]


def test_segments_by_class(settle: Settle) -> None:
    """The elderly get 90 % where all others get 84 %; the first exception that holds is the one."""
    ratio = SEGMENTS.replace('"0.84" } }', '"0.84" } }, exceptions = [{ psn_types = ["16"], ratio = { 1 = "0.90" } },'
                             ' { assist_classes = ["1"], ratio = { 1 = "1" } }]')  # fmt: skip
    text = policy((SEGMENTS, ratio), ('1 = "600.00"', '1 = "0"'))
    claims = [Claim("100.00", psn_type=kind, assist=assist) for kind, assist in ((15, 0), (16, 1), (15, 1))]
    assert amounts(settled(settle, text, *claims), "hifp_pay") == ["84.00", "90.00", "100.00"]


def test_segment_edges_on_the_payment(settle: Settle) -> None:
    """Edges on the payment: the first 840.00 paid take 1,000.00 of cost at 84 %, all behind it is paid at 50 %."""
    segments = ('[{ above = "0", up_to = "840.00", ratio = { resident = { 1 = "0.84" } } },'
                ' { above = "840.00", ratio = { resident = { 1 = "0.5" } } }]')  # fmt: skip
    text = policy((SEGMENTS, segments), ('1 = "600.00"', '1 = "0"'),
                  more='[resident.inpatient.segment_edges]\n2024-01-01 = "payment"\n')  # fmt: skip
    out = settled(settle, text, Claim("1000.00"), Claim("1001.00"), Claim("0.01"))
    assert amounts(out, "hifp_pay") == ["840.00", "840.50", "0.01"]
    year = text.replace('"per_claim"', '"year_to_date_of_all_kinds"')
    out = settled(settle, year, Claim("500.00"), Claim("1000.00"), Claim("1000.00"))
    assert amounts(out, "hifp_pay") == ["420.00", "670.00", "500.00"]


def test_a_ceiling_on_cost_met_exactly(settle: Settle) -> None:
    """Of 10,000.00 in scope a year nothing is above; one fen more is, and costs behind it are wholly above."""
    text = policy(('1 = "600.00"', '1 = "0"'), more='[resident.ceiling_yearly_cost]\n2024-01-01 = "10000.00"\n')
    out = settled(settle, text, Claim("9999.99"), Claim("0.01"), Claim("0.01"), Claim("500.00"))
    assert amounts(out, "hifp_pay") == ["8399.99", "0.01", "0.00", "0.00"]
    assert out.how[:, 3].tolist() == [0, 0, 1, 50_000]


def test_a_ceiling_on_payment_met_exactly(settle: Settle) -> None:
    """A payment of exactly the ceiling is whole; one fen more is cut, and no deductible is owed behind it."""
    text = policy(('yearly_payment]\n2024-01-01 = "none"', 'yearly_payment]\n2024-01-01 = "840.00"'),
                  ('after_ceiling]\n2024-01-01 = "taken"', 'after_ceiling]\n2024-01-01 = "none"'))  # fmt: skip
    out = settled(settle, text, Claim("1600.00"), Claim("1600.00"))
    assert amounts(out, "hifp_pay") == ["840.00", "0.00"]
    assert amounts(out, "act_pay_dedc") == ["600.00", "0.00"]
    assert out.how[:, 3].tolist() == [0, 134_400]


FUNDS = """\
[resident.hifes.2024-01-01]
base = "over_ceiling"
counts = "claim"
med_types = ["inpatient"]
classes = [{ tiers = [{ above = "0", ratio = "0.50" }], yearly_cap = "3000.00" }]
[resident.cvlserv.2024-01-01]
base = "remaining_in_scope_personal"
counts = "year"
med_types = ["inpatient"]
over_ceiling_counts = true
classes = [
    { psn_types = ["16"], threshold = "1000.00", tiers = [
        { above = "0", up_to = "1000.00", ratio = "0.30" }, { above = "1000.00", ratio = "0.60" },
    ] },
]
[resident.oth.2024-01-01]
base = "in_scope_personal"
counts = "claim"
med_types = ["inpatient"]
over_ceiling_counts = false
classes = [{ tiers = [{ above = "0", ratio = "1" }] }]
"""


def test_further_funds_in_their_order(settle: Settle) -> None:
    """Over-ceiling money within its cap, then tiers on what the year leaves a class, then all that is left in scope."""
    text = policy(('1 = "600.00"', '1 = "0"'),
                  ('yearly_payment]\n2024-01-01 = "none"', 'yearly_payment]\n2024-01-01 = "4000.00"'),
                  ("in_order]\n2024-01-01 = []", 'in_order]\n2024-01-01 = ["hifes", "cvlserv", "oth"]'),
                  more='[resident.ceiling_yearly_cost]\n2024-01-01 = "none"\n' + FUNDS)  # fmt: skip
    out = settled(settle, text, Claim("10000.00", psn_type=16), Claim("4000.00", psn_type=16), Claim("100.00"))
    # First: 8,400.00 cut to 4,000.00, 4,400.00 above; hifes 2,200.00; 3,800.00 left: 300.00 + 60 % of 1,800.00;
    # in-scope personal 6,000.00 less 4,400.00 above: 1,600.00.
    assert [out.amount(0, name) for name in ("hifp_pay", "hifes_pay", "cvlserv_pay", "oth_pay")] == [
        "4000.00", "2200.00", "1380.00", "1600.00",
    ]  # fmt: skip
    # Second: 3,360.00 above, hifes 1,680.00 within 3,000.00 - 2,200.00: 800.00; 3,200.00 left, at 60 % of all of it.
    assert [out.amount(1, name) for name in ("hifes_pay", "cvlserv_pay", "oth_pay")] == ["800.00", "1920.00", "640.00"]
    assert out.year(0, "further") == 380_000 + 320_000
    assert out.amount(2, "fund_pay_sumamt") == "16.00"


def test_an_account_pays_what_its_policy_lets_it(settle: Settle) -> None:
    """Each part switched on adds its amount; the deductible stays out where the policy says so."""
    claim = Claim("1000.00", fulamt="100.00", overlmt="10.00", preself="1.00")
    for pays, paid in (
        ('"nothing"', "0.00"), ('"in_scope"', "646.24"), ('"in_scope_and_preself"', "647.24"), ("[]", "0.00"),
        ('["fulamt", "overlmt"]', "110.00"), ('["in_scope_after_deductible", "fulamt"]', "146.24"),
    ):  # fmt: skip
        text = policy(('account_pays]\n2024-01-01 = "nothing"', f"account_pays]\n2024-01-01 = {pays}"))
        assert amounts(settled(settle, text, claim, balance="5000.00"), "acct_pay") == [paid]
    text += '[resident.account_med_types]\n2024-01-01 = ["pharmacy"]\n'
    assert amounts(settled(settle, text, claim, balance="5000.00"), "acct_pay") == ["0.00"]


def test_family_sharing_is_allowed_or_a_difference(settle: Settle) -> None:
    """Where a policy forbids a relative's account to pay, that a source says it did is a difference, and is booked."""
    given = {"hifp_pay": "84.00", "fund_pay_sumamt": "84.00", "acct_pay": "10.00", "acct_mulaid_pay": "4.00"}
    claim = Claim("100.00", given=given)
    text = policy(
        ('1 = "600.00"', '1 = "0"'), ('account_pays]\n2024-01-01 = "nothing"', 'account_pays]\n2024-01-01 = "in_scope"')
    )
    for switch, expected in (("", "4.00"), ('"allowed"', "4.00"), ('"forbidden"', "0.00")):
        more = f"[resident.family_sharing]\n2024-01-01 = {switch}\n" if switch else ""
        out = settled(settle, text + more, claim, balance="10.00")
        assert (out.amount(0, "acct_mulaid_pay"), out.expected(0, "acct_mulaid_pay")) == ("4.00", expected)
    broken = Claim("100.00", given=given | {"acct_mulaid_pay": "10.01"})
    assert settled(settle, text, broken, balance="10.00").code[0] != 0
