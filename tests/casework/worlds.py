"""Makes months with claims to open cases on, and the acts that take a case to its end."""

from pathlib import Path

import msgspec
import pytest

from ledger.casework.acts import Act
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, opened, write

EVIDENCE = (b"\x01" * 32,)
#: A settled claim pays 8,000.00 or so; what its funds paid is read from the log where it matters.
OFF_SITE = {"insu_admdvs": "470101"}


def month(url: str, tmp_path: Path, count: int = 4, **cells: str) -> Ledger:
    """Returns a ledger with claims S000001… of one institution, the last of them insured elsewhere, and terms."""
    book = opened(url)
    rows = [claim(serial, **cells) for serial in range(1, count)] + [claim(count, **(cells | OFF_SITE))]
    report = book.intake(write(tmp_path / "claims.csv", rows))
    assert (report.booked, report.quarantined) == (count, 0)
    book.enact_case_terms("national-2021")
    return book


def key(serial: int, region: int = 260100) -> str:
    """Returns a claim as people call it."""
    return f"{region}/S{serial:06d}"


def act(verb: str, case: str = "C1", on: int = 20240401, **values: object) -> Act:
    """Returns an act with a document and an owner, unless it says otherwise."""
    return msgspec.structs.replace(Act(act=verb, case=case, on=on, owner="wang", evidence=EVIDENCE), **values)


def by(book: Ledger, who: str) -> Ledger:
    """Returns the ledger with another actor."""
    book.actor = who
    return book


def closed(book: Ledger, case: str, *claims: tuple[str, int], **values: object) -> None:
    """Takes a case from its opening to its close, everything upheld and accepted in writing."""
    by(book, "li").case_acts(
        [
            act("open", case, claims=claims, **values),
            act("submit", case),
            act("decide", case),
            act("close", case, accepted=True),
        ]
    )


def refused(book: Ledger, what: Act, why: Refusal) -> None:
    """Checks that an act is refused for a reason and writes nothing."""
    before = len(events_of(book))
    with pytest.raises(Refused) as caught:
        book.case_act(what)
    assert caught.value.refusal == why
    assert len(events_of(book)) == before
