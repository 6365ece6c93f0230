"""Makes small claim files and reads back what the ledger makes of them."""

import csv
import io
from importlib import import_module

import pytest

from ledger.refusals import Refusal
from ledger.source import ClaimColumns, Source

#: A sound claim, cell by cell; tests change what they are about.
SOUND = {
    "setl_id": "S1",
    "mdtrt_id": "M1",
    "medins_setl_id": "H1",
    "init_setl_id": "",
    "refd_setl_flag": "0",
    "psn_no": "1001",
    "psn_name": "参保人一",
    "fixmedins_code": "H4702",
    "hosp_lv": "2",
    "insutype": "310",
    "psn_type": "11",
    "insu_admdvs": "470299",
    "mdtrtarea_admvs": "470201",
    "med_type": "21",
    "begndate": "2024-02-28",
    "enddate": "2024-02-29",
    "setl_time": "2024-02-29 10:11:12",
    "medfee_sumamt": "100.00",
    "fulamt_ownpay_amt": "10.00",
    "overlmt_selfpay": "0.00",
    "preselfpay_amt": "5.5",
    "inscp_scp_amt": "84.50",
    "hosp_part_amt": "0",
    "hifp_pay": "80.00",
    "fund_pay_sumamt": "80.00",
    "psn_part_amt": "20.00",
    "acct_pay": "",
    "psn_cash_pay": "20.00",
}


def claim_file(*changes: dict[str, str]) -> bytes:
    """Returns a CSV file of the sound claim, once for each dict of changed cells."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(SOUND), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**SOUND, **change} for change in changes)
    return text.getvalue().encode()


def whole(source: Source) -> ClaimColumns:
    """Returns all claims of a small file as one batch."""
    (batch,) = source.batches(100_000)
    return batch


def faults_of(source: Source) -> list[list[str]]:
    """Returns the names of each row's faults, lowest first."""
    return [
        [refusal.code for refusal in Refusal if refusal and bits >> refusal & 1]
        for batch in source.batches()
        for bits in batch.faults.tolist()
    ]


def use_twins(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Makes sources read with the compiled kernels or with their specifications."""
    package = {"compiled": "core_ext._", "reference": "core_ext.reference."}[name]
    for reader in ("ledger.source", "ledger.records"):
        monkeypatch.setattr(f"{reader}.load", lambda kernel: import_module(package + kernel))
