"""Acts of a case in any order, appeals among them, conserve money fund by fund."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import projections
from ledger.casework.acts import Act
from ledger.refusals import Refused
from ledger.service import Ledger
from tests.casework.test_money import balances, expense, money
from tests.casework.worlds import act, by, key, month

AMOUNTS = st.one_of(st.integers(-5, 130_000), st.sampled_from((1, 40_000, 60_000, 100_000)))
#: Forward is the next of submit, decide, close and raise that is not refused; an appeal stands or falls at a review.
VERBS = ("forward", "forward", "appeal", "collect", "offset", "instal", "write_off", "reverse")
STEPS = st.lists(st.tuples(st.sampled_from(VERBS), AMOUNTS, st.booleans()), min_size=6, max_size=24)


def acts(verb: str, fen: int, accepted: bool, at: int) -> list[Act]:
    """Returns the acts of a drawn step, of which the first that is not refused is done."""
    panel = ("chen", "liu", "zhou")
    forward = [
        act("submit"),
        act("decide", members=panel, claims=((key(1), max(fen, 1)),)),
        act("decide", members=panel),
        act("close", accepted=accepted),
        act("raise", kind="clawed_back"),
    ]
    return {
        "forward": forward,
        "appeal": [act("appeal", reason="not ours")],
        "collect": [money("collect", fen, receipt=f"R{at}")],
        "offset": [money("offset", fen)],
        "instal": [money("instal", instalments=((20240501, max(fen, 1)),))],
        "write_off": [money("write_off", fen, reason="insolvent")],
        "reverse": [money("reverse", fen, reason="the appeal was won")],
    }[verb]


def do_first(book: Ledger, steps: list[Act], at: int) -> None:
    """Does the first of some acts that is not refused, each step by somebody else."""
    for each in steps:
        try:
            by(book, f"actor-{at}").case_act(each)
        except Refused:
            continue
        return


@settings(max_examples=25)
@given(steps=STEPS, appealed=st.booleans())
def test_acts_in_any_order_conserve_money_per_fund(steps: list[tuple[str, int, bool]], appealed: bool) -> None:
    """What is raised came in, was written off or reversed, or is outstanding; funds get back what stands."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        with month(url, Path(folder)) as book:
            spent = expense(balances(url), 260100)
            by(book, "li").case_act(act("open", claims=((key(1), 100_000),)))
            forward = ("forward", 100_000, True)
            natural = [forward] * 2 + [("appeal", 0, True)] * appealed + [forward] * 4
            for at, (verb, fen, accepted) in enumerate([*steps[:1], *natural, *steps]):
                do_first(book, acts(verb, fen, accepted, at), at)
            with projections.open(url) as read:
                found = read.recoveries(20240601)
            assert found.principal and found.funds
            for line in found.principal:
                came_in = line.collected_fen + line.offset_fen
                assert line.raised_fen == came_in + line.written_off_fen + line.cancelled_fen + line.outstanding_fen
                assert 0 <= line.repaid_fen <= came_in <= line.raised_fen <= 100_000
                assert min(line.written_off_fen, line.cancelled_fen, line.outstanding_fen) >= 0
            for fund in found.funds:
                assert min(fund.came_in_fen, fund.written_off_fen, fund.outstanding_fen) >= 0
            standing = sum(
                line.raised_fen - line.written_off_fen - line.cancelled_fen - line.repaid_fen
                for line in found.principal
            )
            assert expense(balances(url), 260100) == spent - standing
