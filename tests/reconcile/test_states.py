"""What may become of a break: every step from every state, decided without a store."""

import msgspec
import pytest

from ledger.reconciling.events import CORRECTED, MISSING_HERE, MISSING_THERE, NOBODY, WRITTEN_OFF, BreakFound
from ledger.reconciling.states import (
    BreakState,
    Status,
    decide_assign,
    decide_carry,
    decide_explain,
    decide_found,
    decide_gone,
    decide_resolve,
    evolve,
)
from ledger.refusals import Refusal

FOUND = BreakFound(
    cause=1, row=2, period=202411, day=20241105, counterpart="410100", own=0, role=0, kind=MISSING_HERE,
    insured_region=440100, setl_id="S1", refund=0, ours_fen=0, theirs_fen=500, booked_period=0, copies=0, fields=(),
    texts=(), digest=b"one",
)  # fmt: skip

STEPS = {
    "explain": lambda state: decide_explain(state, 9, "why"),
    "carry": lambda state: decide_carry(state, 9, "later"),
    "correct": lambda state: decide_resolve(state, 9, CORRECTED, NOBODY, "done"),
    "write off": lambda state: decide_resolve(state, 9, WRITTEN_OFF, NOBODY, "small"),
    "assign": lambda state: decide_assign(state, 9, "chen", "hers"),
}

#: From each state, what each step leads to: a state, or why it is refused.
TABLE: dict[tuple[str, ...], dict[str, Status | Refusal]] = {
    (): dict.fromkeys(STEPS, Refusal.BREAK_UNKNOWN),
    ("found",): {
        "explain": Status.EXPLAINED, "carry": Status.CARRIED, "correct": Status.CORRECTED,
        "write off": Status.WRITTEN_OFF, "assign": Status.FOUND,
    },
    ("found", "explain"): {
        "explain": Status.EXPLAINED, "carry": Status.CARRIED, "correct": Status.CORRECTED,
        "write off": Status.WRITTEN_OFF, "assign": Status.EXPLAINED,
    },
    ("found", "carry"): {
        "explain": Status.CARRIED, "carry": Status.CARRIED, "correct": Status.CORRECTED,
        "write off": Status.WRITTEN_OFF, "assign": Status.CARRIED,
    },
    ("found", "carry", "carry"): {"carry": Refusal.BREAK_CARRIED_OUT, "write off": Status.WRITTEN_OFF},
    ("found", "correct"): dict.fromkeys(STEPS, Refusal.BREAK_ENDED),
    ("found", "write off"): dict.fromkeys(STEPS, Refusal.BREAK_ENDED),
}  # fmt: skip


def reached(*steps: str) -> BreakState:
    """Returns the state after some steps."""
    state = BreakState("break-202411-410100-440100-S1")
    for at, step in enumerate(steps, 10):
        event = FOUND if step == "found" else STEPS[step](state)
        assert not isinstance(event, Refusal)
        evolve(state, at, event)
    return state


@pytest.mark.parametrize("path", TABLE, ids=lambda path: "-".join(path) or "nothing")
def test_every_step_from_every_state(path: tuple[str, ...]) -> None:
    """A step leads where the table says, or is refused with its reason, and a refusal changes nothing."""
    for step, expected in TABLE[path].items():
        state = reached(*path)
        decided = STEPS[step](state)
        if isinstance(expected, Refusal):
            assert decided == expected, step
        else:
            assert not isinstance(decided, Refusal)
            assert evolve(state, 20, decided).status is expected, step


def test_carrying_moves_the_break_over_the_year_and_counts() -> None:
    """Carried twice from November it stands in January; another number of periods is a parameter."""
    state = reached("found", "carry", "carry")
    assert (state.standing, state.carried) == (202501, 2)
    assert not isinstance(decide_carry(state, 9, "agreed", most=3), Refusal)
    assert decide_carry(reached("found"), 9, "no", most=0) == Refusal.BREAK_CARRIED_OUT


def test_an_owner_has_a_name() -> None:
    """A break is not given to nobody."""
    assert decide_assign(reached("found"), 9, " ", "why") == Refusal.BAD_VALUE
    assert evolve(reached("found"), 11, STEPS["assign"](reached("found"))).owner == "chen"


def test_what_a_run_sees_again_says_something_new_or_nothing() -> None:
    """Equal figures say nothing new while open or written off; other figures, or another file, open it again."""
    other_file = msgspec.structs.replace(FOUND, digest=b"two", row=7, cause=5)
    other_fen = msgspec.structs.replace(FOUND, theirs_fen=600)
    assert decide_found(BreakState("b"), FOUND) == FOUND
    for path in (("found",), ("found", "explain"), ("found", "carry"), ("found", "write off")):
        assert decide_found(reached(*path), other_file) is None
        assert decide_found(reached(*path), other_fen) == other_fen
    corrected = reached("found", "correct")
    assert decide_found(corrected, FOUND) is None
    assert decide_found(corrected, other_file) == other_file
    again = evolve(corrected, 30, other_file)
    assert (again.status, again.is_open, again.standing) == (Status.FOUND, True, 202411)


def test_a_break_that_is_gone_was_put_right_on_one_side() -> None:
    """What was missing here and is booked was put right here, everything else there; the amount at stake is kept."""
    here = decide_gone(reached("found"), 9, 202411, is_here=True)
    there = decide_gone(reached("found"), 9, 202411, is_here=False)
    assert (here.how, here.side, here.amount_fen) == (CORRECTED, 1, 500)
    assert there.side == 2
    missing_there = msgspec.structs.replace(FOUND, kind=MISSING_THERE, ours_fen=500, theirs_fen=0)
    state = evolve(BreakState("b"), 1, missing_there)
    assert decide_gone(state, 9, 202411, is_here=True).side == 2
