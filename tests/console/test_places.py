"""Places a user may not write, or that are something else than they seem: said by name, before anything is booked."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ledger
from ledger.refusals import SourceError
from tests.console.documents import ROOT

#: Linux: take a capability out of the bounding set, so that what is executed next has it no more, even as root.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def _as_anybody() -> None:
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def settlement(*words: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command as a user whom permissions bind, root or not."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "console", *words, "--actor", "tester"]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=120, preexec_fn=_as_anybody, check=False
    )


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Gives a store with the example's policy and members, beside its files."""
    shutil.copytree(ROOT / "docs" / "example", tmp_path, dirs_exist_ok=True)
    url = f"sqlite:///{tmp_path / 'book.db'}"
    with ledger.create(url, actor="tester") as book:
        book.enact("qingyuan", [441800])
        book.register(tmp_path / "members.csv")
    return url


def test_a_file_on_a_share_that_may_not_be_written_books_nothing(store: str, tmp_path: Path) -> None:
    """Bad rows go beside the file: where they cannot, the intake is refused first, and says where they could go."""
    share = tmp_path / "share"
    share.mkdir()
    shutil.copy(tmp_path / "claims.csv", share)
    share.chmod(0o555)
    refused = settlement("intake", str(share / "claims.csv"), "--store", store)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"settlement: not_allowed: {share}: expected a folder where the bad rows may be written, got one that may not"
        " be: name another place with --quarantine FILE\n"
    )
    with ledger.open(store, actor="tester") as book:
        assert book.jobs() == []
    taken = settlement("intake", str(share / "claims.csv"), "--store", store, "--quarantine", str(tmp_path / "q.csv"))
    assert (taken.returncode, taken.stderr) == (0, "")
    assert "identity_I1" in (tmp_path / "q.csv").read_text(encoding="utf-8")


def test_bad_rows_that_cannot_be_written_say_that_the_job_stands(store: str, tmp_path: Path) -> None:
    """A disk that fails at the end does not hide that the file is booked, nor how the bad rows come out."""
    with ledger.open(store, actor="tester") as book:
        with pytest.raises(SourceError, match=r"got: file name too long; job \d+ is complete and stays: take the same"):
            book.intake(tmp_path / "claims.csv", quarantine=tmp_path / f"{'q' * 250}.csv")
        (job,) = book.jobs()
        assert (job.completed, job.booked) == (True, 5)
        again = book.intake(tmp_path / "claims.csv", quarantine=tmp_path / "q.csv")
        assert (again.booked, again.quarantined) == (0, 1)


def test_a_folder_is_no_quarantine_file(store: str, tmp_path: Path) -> None:
    """A folder named as the quarantine file is refused before a row is booked."""
    refused = settlement("intake", str(tmp_path / "claims.csv"), "--store", store, "--quarantine", str(tmp_path))
    assert refused.returncode == 2
    assert "expected a file for the bad rows, got a folder" in refused.stderr


def test_a_reconciliation_that_cannot_hand_its_rows_back_records_nothing(store: str, tmp_path: Path) -> None:
    """The mismatch file goes beside the counterpart's: where it cannot, no break is found on record either."""
    share = tmp_path / "share"
    share.mkdir()
    shutil.copy(tmp_path / "details_440100.csv", share)
    share.chmod(0o555)
    with ledger.open(store, actor="tester") as book:
        book.intake(tmp_path / "claims.csv")
    words = ["reconcile", str(share / "details_440100.csv"), "--counterpart", "440100", "--period", "202401"]
    refused = settlement(*words, "--store", store)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "expected a folder where the rows that do not stand alike may be written" in refused.stderr
    assert "--mismatches FILE" in refused.stderr
    assert "0 breaks" in settlement("breaks", "--store", store).stdout
    done = settlement(*words, "--store", store, "--mismatches", str(tmp_path / "back.csv"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 breaks" in settlement("breaks", "--store", store).stdout
