"""Two ways, one log: columns and Structs, compiled kernels and references, both stores write the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core_ext.layout import ACCUMULATORS, AMOUNT, FACT
from ledger.acts import read_acts
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.intake import run_intake
from ledger.mapper import decode_event, encode_event
from ledger.postings import checked_postings
from ledger.profile import load_profile
from ledger.service import Ledger
from tests.ledger.worlds import REPOSITORY, claim, events_of, opened, refund, rows_of, sign, write


def some_claims() -> list[dict[str, str]]:
    """Returns claims of three persons over two years, in three places, with refunds and source-settled rows."""
    rows = []
    for i in range(60):
        cells = {"psn_no": f"P{i % 3:06d}", "insutype": ("310", "390")[i % 2], "psn_type": ("11", "15")[i % 2]}
        cells |= {"mdtrtarea_admvs": ("260101", "260201", "470101")[i % 3], "med_type": ("21", "11", "41")[i % 3]}
        cells |= {"setl_time": ("2023-12-30 08:00:00", "2024-01-05 08:00:00")[i % 7 == 0]}
        fee = f"{1200 + 311 * i}.{i:02d}"
        cells |= {"medfee_sumamt": fee, "inscp_scp_amt": fee}
        if i % 5 == 0:
            cells |= {"fund_pay_sumamt": "100.00", "hifp_pay": "100.00"}
        rows.append(claim(i, **cells))
    return [*rows, refund(rows[3], 100), refund(rows[10], 101, setl_time="2024-02-01 00:00:00")]


def test_columns_and_structs_write_the_same_bytes(store_url: str, tmp_path: Path) -> None:
    """Every event the columnar path wrote reads as its Struct and encodes back to the very bytes of the log."""
    with opened(store_url) as book:
        report = book.intake(write(tmp_path / "claims.csv", some_claims()))
        assert report.booked == 62
        seen = set()
        for _, _, _, topic, state in events_of(book):
            assert encode_event(decode_event(topic, state)) == state
            seen.add(topic)
        assert {ClaimFiled.TOPIC, ClaimSettled.TOPIC, ClaimReversed.TOPIC, "settlement-differs/1"} <= seen


def test_both_stores_hold_the_same_log(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    """The same commands leave the same events, to the byte, and the same persons and state on both stores."""
    path = write(tmp_path / "claims.csv", some_claims())
    held = []
    for url in (sqlite_url, postgres_url):
        with opened(url) as book:
            book.intake(path)
            book.close(202312)
            sign(book, 202312)
            book.pay(202312)
            book.reverse("260100/S000007", "filed twice")
            tables = [
                rows_of(book, *of) for of in (("person", "token"), ("person_year", "key"), ("message", "position"))
            ]
            held.append((events_of(book), tables))
    assert held[0] == held[1]


PROGRAM = """
import hashlib, json, sys
sys.path.insert(0, {root!r})
from tests.ledger.worlds import events_of, opened
with opened("sqlite:///" + sys.argv[1]) as book:
    book.intake(sys.argv[2])
    replayed = [book.replay(period).differences for period in (202312, 202401)]
    digest = hashlib.sha256(repr(events_of(book)).encode()).hexdigest()
from core_ext.kernels import BACKEND
print(json.dumps([BACKEND, digest, [len(found) for found in replayed]]))
"""


def run_program(folder: Path, name: str, path: Path, **environment: str) -> list[object]:
    """Returns what the program prints in a fresh process with more environment."""
    environ = {**os.environ, **environment}
    command = [sys.executable, "-c", PROGRAM.format(root=str(REPOSITORY)), str(folder / name), str(path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_references_write_the_same_log_as_compiled_kernels(tmp_path: Path) -> None:
    """With every kernel replaced by its plain-Python specification the log is the same to the byte."""
    path = write(tmp_path / "claims.csv", some_claims())
    compiled = run_program(tmp_path, "compiled.db", path, LEDGER_KERNELS="compiled")
    reference = run_program(tmp_path, "reference.db", path, LEDGER_KERNELS="reference")
    assert compiled[0] == "compiled" and reference[0] == "reference"
    assert compiled[1:] == reference[1:]
    assert compiled[2] == [0, 0]


def test_hostile_environment_variables_change_nothing(tmp_path: Path) -> None:
    """Variables that steer the event-sourcing library or database clients elsewhere leave the log as it is."""
    path = write(tmp_path / "claims.csv", some_claims())
    plain = run_program(tmp_path, "plain.db", path)
    hostile = run_program(
        tmp_path,
        "hostile.db",
        path,
        APP_SQLITE_DBNAME=str(tmp_path / "elsewhere.db"),
        SQLITE_DBNAME=str(tmp_path / "elsewhere.db"),
        PERSISTENCE_MODULE="eventsourcing.popo",
        COMPRESSOR_TOPIC="eventsourcing.compressor:ZlibCompressor",
        CIPHER_TOPIC="eventsourcing.cipher:AESCipher",
        IS_SNAPSHOTTING_ENABLED="y",
        ORIGINATOR_ID_TYPE="uuid",
        PGHOST="nowhere.invalid",
        PGDATABASE="other",
        TZ="America/New_York",
        LANG="tr_TR.UTF-8",
        PYTHONHASHSEED="7",
    )
    assert plain == hostile
    assert not (tmp_path / "elsewhere.db").exists()


CLAIM = st.fixed_dictionaries(
    {
        "person": st.integers(0, 2),
        "fee": st.integers(0, 9_000_000),
        "own": st.integers(0, 3),
        "level": st.sampled_from(["1", "2", "3"]),
        "med_type": st.sampled_from(["11", "14", "21", "41"]),
        "place": st.sampled_from(["260101", "260201", "470101"]),
        "day": st.sampled_from(["2023-12-31", "2024-01-01", "2024-02-03"]),
        "given": st.booleans(),
        "refund_of": st.none() | st.integers(0, 30),
    }
)


def yuan(fen: int) -> str:
    """Returns fen as the text a file carries."""
    return f"{fen // 100}.{fen % 100:02d}"


def drawn(specs: list[dict[str, object]]) -> list[dict[str, str]]:
    """Returns the claims of a drawn month; a refund names an earlier row, refunded or not."""
    rows: list[dict[str, str]] = []
    for serial, spec in enumerate(specs):
        target = spec["refund_of"]
        if isinstance(target, int) and target < len(rows):
            rows.append(refund(rows[target], serial + 500))
            continue
        fee = int(str(spec["fee"]))
        own = fee * int(str(spec["own"])) // 10
        cells = {
            "psn_no": f"P{spec['person']}",
            "insutype": "390" if spec["person"] == 2 else "310",
            "psn_type": ("11", "12", "15")[int(str(spec["person"]))],
            "hosp_lv": str(spec["level"]),
            "med_type": str(spec["med_type"]),
            "mdtrtarea_admvs": str(spec["place"]),
            "setl_time": f"{spec['day']} 10:00:00",
            "medfee_sumamt": yuan(fee),
            "preselfpay_amt": yuan(own),
            "inscp_scp_amt": yuan(fee - own),
        }
        if spec["given"]:
            cells |= {
                "fund_pay_sumamt": yuan(fee // 3),
                "hifp_pay": yuan(fee // 3),
                "psn_part_amt": yuan(fee - fee // 3),
            }
        rows.append(claim(serial, **cells))
    return rows


def conserved(book: Ledger) -> None:
    """Checks I1 to I5 on every act, that postings sum to zero, and that accumulators are the sum of deltas."""
    years: dict[tuple[int, int], list[int]] = {}
    for _, _, _, topic, state in events_of(book):
        if topic == ClaimFiled.TOPIC:
            filed = decode_event(topic, state)
        elif topic in (ClaimSettled.TOPIC, ClaimReversed.TOPIC):
            assert isinstance(filed, ClaimFiled)
            checked_postings(decode_event(topic, state), filed)
    with book.store.read() as reader:
        for acts in read_acts(reader):
            facts, booked = acts.facts, acts.booked
            fund, part = booked[:, AMOUNT["fund_pay_sumamt"]], booked[:, AMOUNT["psn_part_amt"]]
            assert (facts[:, FACT["medfee_sumamt"]] == fund + part + facts[:, FACT["hosp_part_amt"]]).all()
            assert (part == booked[:, AMOUNT["acct_pay"]] + booked[:, AMOUNT["psn_cash_pay"]]).all()
            assert (fund == booked[:, 1:9].sum(axis=1)).all()
            for at in range(len(acts)):
                key = int(facts[at, FACT["token"]]), int(acts.year[at])
                have = years.setdefault(key, [0] * len(ACCUMULATORS))
                assert acts.before[at].tolist() == have
                years[key] = (acts.before[at] + acts.delta[at]).tolist()


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(specs=st.lists(CLAIM, min_size=1, max_size=30))
def test_any_month_conserves_money_and_replays(
    tmp_path_factory: pytest.TempPathFactory, specs: list[dict[str, object]]
) -> None:
    """Whatever a month holds, money is conserved, replay equals what was booked, and batches of two equal one batch."""
    folder = tmp_path_factory.mktemp("drawn")
    path = write(folder / "claims.csv", drawn(specs))
    states = []
    for batch_rows in (2, 1000):
        with opened(f"sqlite:///{folder / f'{batch_rows}.db'}") as book:
            run_intake(
                book, path, load_profile(), reason="", retry=False, dry_run=False, progress=None, quarantine=None,
                batch_rows=batch_rows,
            )  # fmt: skip
            conserved(book)
            for period in book.periods():
                assert book.replay(period.period).differences == ()
            decided = {(e[1], e[2]) for e in events_of(book) if e[1].startswith("claim-")}
            states.append((rows_of(book, "person_year", "key"), decided))
    assert states[0] == states[1]
