"""Makes ledgers with the clock of manual reimbursement, claims as a person hands them in, and whole applications."""

from pathlib import Path

import msgspec
import pytest

from ledger.manual.acts import Act
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, opened

DOCUMENTS = (b"\x01" * 32, b"\x02" * 32)
ON = 20240401
#: Who does each step: nobody two that are kept apart.
WHO = {
    **dict.fromkeys(("accept", "archive"), "wang"),
    "enter": "li",
    "review": "zhao",
    **dict.fromkeys(("settle", "recover", "collect", "request", "complete"), "wang"),
    "confirm": "qian",
    "pay": "sun",
}
STEPS = ("accept", "archive", "enter", "review", "settle", "confirm", "pay")
OFF_SITE = {"insu_admdvs": "470101"}


def office(url: str) -> Ledger:
    """Returns a fresh ledger with a policy for two regions and the clock of Tai'an."""
    book = opened(url)
    book.enact_handling_terms("taian")
    return book


def handed_in(serial: int = 1, **cells: str) -> dict[str, str]:
    """Returns the cells of a claim that nobody has settled."""
    row = claim(serial, **cells)
    return {name: cell for name, cell in row.items() if cell}


def act(verb: str, application: str = "A1", on: int = ON, **values: object) -> Act:
    """Returns an act with what its step needs, unless it says otherwise."""
    needed: dict[str, dict[str, object]] = {
        "accept": {"psn_no": "P000001", "insu_admdvs": 260101},
        "archive": {"evidence": DOCUMENTS},
        "enter": {"claim": handed_in()},
        "pay": {"account": "ICBC ****6789"},
        "recover": {"reason": "the invoice was altered"},
    }
    said = {"act": verb, "application": application, "on": on, **needed.get(verb, {}), **values}
    return msgspec.convert(said, Act)


def do(book: Ledger, *acts: Act) -> None:
    """Takes each act as who does such a step."""
    for each in acts:
        Ledger(book.store, WHO[each.act], book.clock_us).manual_act(each)
    book.forget()


def take_to(book: Ledger, step: str, application: str = "A1", serial: int = 1, **cells: str) -> None:
    """Takes a person's application through its steps up to and with one."""
    own: dict[str, dict[str, object]] = {
        "accept": {"psn_no": f"P{serial:06d}", "insu_admdvs": int(cells.get("insu_admdvs", "260101"))},
        "enter": {"claim": handed_in(serial, **cells)},
    }
    do(book, *(act(each, application, **own.get(each, {})) for each in STEPS[: STEPS.index(step) + 1]))


def payment_of(book: Ledger, application: str = "A1") -> str:
    """Returns the payment that an application was instructed by."""
    from ledger.manual.docket import read_application

    with book.store.read() as reader:
        instructed = read_application(reader, application).instructed
    assert instructed is not None
    return instructed.payment


def refused(book: Ledger, what: Act, why: Refusal, who: str = "") -> str:
    """Checks that an act is refused for a reason and writes nothing; returns the text."""
    before = len(events_of(book))
    with pytest.raises(Refused) as caught:
        Ledger(book.store, who or WHO[what.act], book.clock_us).manual_act(what)
    assert caught.value.refusal == why, caught.value
    assert len(events_of(book)) == before
    return str(caught.value)


def claim_file(folder: Path, **cells: str) -> Path:
    """Writes one claim as a person hands it in, and returns the file."""
    row = handed_in(1, **cells)
    path = folder / "claim.csv"
    path.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    return path
