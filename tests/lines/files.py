"""Makes small files of fee lines and reads back what the ledger makes of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from ledger.events import Event, JobBatch
from ledger.line_columns import Lines, lines_of
from ledger.line_events import LinesDiffer, LinesFiled, TraceCodeRepeated
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.service import Ledger
from tests.ledger.worlds import events_of, write

Found = TypeVar("Found", bound=Event)

HEADER = (
    *("setl_id", "insu_admdvs", "feedetl_sn", "med_list_codg", "chrgitm_lv", "list_type", "lmt_used_flag"),
    *("hosp_appr_flag", "trdn_flag", "fee_ocur_time", "pric", "cnt", "selfpay_prop", "pric_uplmt_amt"),
    *("det_item_fee_sumamt", "fulamt_ownpay_amt", "overlmt_amt", "preselfpay_amt", "inscp_scp_amt"),
    "drug_trac_codg",
)


def line(claim: int, serial: int, **cells: str) -> dict[str, str]:
    """Returns a line of claim ``S00000n``: a drug of class 乙 for 100.00; ``cells`` say what is otherwise."""
    row = dict.fromkeys(HEADER, "")
    row |= {
        "setl_id": f"S{claim:06d}",
        "insu_admdvs": "260101",
        "feedetl_sn": f"F{claim}-{serial}",
        "med_list_codg": "XA10BAE074A001",
        "chrgitm_lv": "02",
        "list_type": "101",
        "fee_ocur_time": "2024-01-03 10:00:00",
        "pric": "100.00",
        "cnt": "1",
        "selfpay_prop": "0.1",
        "pric_uplmt_amt": "999999",
    }
    return row | cells


def write_lines(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    """Writes fee lines as a CSV file and returns its path."""
    return write(path, rows, HEADER)


def write_register(path: Path, header: str, *rows: str) -> Path:
    """Writes a register file and returns its path."""
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def found(book: Ledger, *kinds: type[Found]) -> list[Found]:
    """Returns the events of some kinds in log order, without the job that made them."""
    topics = {kind.TOPIC for kind in kinds}
    events = [decode_event(topic, state) for _, _, _, topic, state in events_of(book) if topic in topics]
    return [event for event in events if isinstance(event, kinds)]


def filed(book: Ledger) -> list[Lines]:
    """Returns the lines of every LinesFiled in log order."""
    return [lines_of(event) for event in found(book, LinesFiled)]


def differences(book: Ledger) -> list[LinesDiffer]:
    """Returns every LinesDiffer in log order."""
    return found(book, LinesDiffer)


def repeats(book: Ledger) -> list[TraceCodeRepeated]:
    """Returns every TraceCodeRepeated in log order."""
    return found(book, TraceCodeRepeated)


def line_outcomes(book: Ledger, job: int) -> dict[int, str]:
    """Returns what became of every row that was not filed."""
    said: dict[int, str] = {}
    for event in found(book, JobBatch):
        assert isinstance(event, JobBatch)
        if event.cause == job:
            said |= {row: Refusal(reason).code for row, reason, _ in event.quarantined}
            said |= {row: "duplicate" for row, _ in event.duplicates}
    return said
