"""Checkpoints and proofs on the command line: kept by others, they find what the operator's own store hides."""

import json
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.console.test_commands import EXAMPLE, Shell


@pytest.fixture
def shell(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Gives a shell on a SQLite store with the example booked."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    return Shell(sqlite_url, tmp_path, capsys).booked()


def key(shell: Shell, name: str = "log.key") -> str:
    """Makes a key and returns its file's name; no store is needed for it."""
    path = shell.folder / name
    made = json.loads(_apart(shell, "key", "new", str(path), "--origin", "ledger.test/gd", "--json"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (shell.folder / f"{name}.pub").read_text(encoding="utf-8").strip() == made["public_key"]
    return str(path)


def _apart(shell: Shell, *words: str, status: int = 0) -> str:
    """Returns what a command prints that opens no store."""
    from console.main import main

    assert main([*words]) == status
    return str(shell.capsys.readouterr().out)


def test_an_auditor_keeps_a_checkpoint_and_checks_proofs(shell: Shell) -> None:
    """Checkpoint, tail, proof: each says what it anchors, and the proof is checked without the store."""
    mine, kept, proof = key(shell), str(shell.folder / "kept"), str(shell.folder / "proof.json")
    assert "internally consistent only" in shell("verify")
    note = shell("checkpoint", "--key", mine, "--out", kept)
    assert note == Path(kept).read_text(encoding="utf-8")
    assert note.splitlines()[0] == "ledger.test/gd"
    assert "every event is anchored" in shell("verify", "--checkpoint", kept, "--public-key", f"{mine}.pub")
    shell("close", "--period", "202401")
    said = shell("verify", "--checkpoint", kept, "--public-key", f"{mine}.pub")
    assert "signed by ledger.test/gd" in said and "2 events behind it are not yet anchored" in said
    assert "signature not checked" in shell("verify", "--checkpoint", kept)
    counted = shell.json("verify", "--checkpoint", kept)
    assert counted["unanchored"] == counted["size"] - counted["anchored"] == 2
    shell("proof", "441800/S0002", "--checkpoint", kept, "--out", proof)
    Path(shell.url.removeprefix("sqlite:///")).unlink()
    said = _apart(shell, "verify", "--proof", proof, "--public-key", f"{mine}.pub")
    assert "claim-settled/1 of claim-441800-S0002" in said and "under the pinned key" in said
    assert "not checked: give --public-key" in _apart(shell, "verify", "--proof", proof)
    assert "the one you kept" in _apart(shell, "verify", "--proof", proof, "--checkpoint", kept)
    other = key(shell, "other.key")
    assert "does not hold" in _apart(shell, "verify", "--proof", proof, "--public-key", f"{other}.pub", status=1)


def test_a_rewritten_log_exits_with_a_finding(shell: Shell) -> None:
    """Rewritten, guarded again, rebuilt and signed with the true key: the store verifies, not beside the old note."""
    mine, kept = key(shell), str(shell.folder / "kept")
    shell("checkpoint", "--key", mine, "--out", kept)
    with sqlite3.connect(shell.url.removeprefix("sqlite:///")) as raw:
        named = ("SELECT sql FROM sqlite_master WHERE name = ?", ("stored_events_refuse_update",))
        (guard,) = raw.execute(*named).fetchone()
        raw.execute("DROP TRIGGER stored_events_refuse_update")
        raw.execute("UPDATE stored_events SET originator_id = 'command-9' WHERE originator_id = 'command-1'")
    # A log without its guard is a finding in itself.
    assert "stored_events_refuse_update" in shell("verify", status=1)
    with sqlite3.connect(shell.url.removeprefix("sqlite:///")) as raw:
        raw.execute(guard)
    shell("rebuild")
    new = str(shell.folder / "new")
    shell("checkpoint", "--key", mine, "--out", new)
    assert "0 findings" in shell("verify", "--checkpoint", new, "--public-key", f"{mine}.pub")
    assert "rewritten-log" in shell("verify", "--checkpoint", kept, "--public-key", f"{mine}.pub", status=1)


def test_a_key_is_changed_by_announcement(shell: Shell) -> None:
    """The old key's last checkpoint announces the next key; pinned to the old one, both are believed."""
    old, new = key(shell), key(shell, "new.key")
    notes = [str(shell.folder / name) for name in ("one", "two")]
    shell("checkpoint", "--key", old, "--next-key", f"{new}.pub", "--out", notes[0])
    shell("close", "--period", "202401")
    shell("checkpoint", "--key", new, "--out", notes[1])
    pinned = ("--public-key", f"{old}.pub")
    shell("verify", "--checkpoint", *notes, *pinned)
    assert "expected the signature" in shell("verify", "--checkpoint", notes[1], *pinned, status=1)


def test_mistakes_are_refused_in_a_line(shell: Shell) -> None:
    """A key over another, a note over another, a key as a checkpoint, an unknown key of the log: one line each."""
    mine, kept = key(shell), str(shell.folder / "kept")
    shell("checkpoint", "--key", mine, "--out", kept)
    assert "is there already, and nothing is overwritten" in shell.refused("checkpoint", "--out", kept)
    assert shell.refused("verify", "--checkpoint", f"{mine}.pub").startswith("proof: ")
    assert shell.refused("verify", "--public-key", f"{mine}.pub").startswith("usage: ")
    assert shell.refused("proof", "nothing").startswith("proof: ")
    assert shell.refused("proof", "1", "--key", mine, "--checkpoint", kept).startswith("usage: ")
    assert shell.refused("checkpoint", "--key", f"{mine}.pub").startswith("proof: ")
    assert json.loads(shell("proof", "1"))["checkpoint"].startswith("unsigned\n")


def test_a_ledger_moves_and_is_the_same_there(
    shell: Shell, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy says the root it shares; onto a ledger it is refused; roles belong to PostgreSQL."""
    kept = str(shell.folder / "kept")
    shell("checkpoint", "--out", kept)
    copied = shell.json("copy", "--to", postgres_url)
    assert copied["same"] and copied["events"] > 0
    there = Shell(postgres_url, shell.folder, capsys)
    assert "every event is anchored" in there("verify", "--checkpoint", kept)
    assert shell.refused("copy", "--to", postgres_url).startswith("store_not_empty: ")
    assert shell.refused("init", "--roles").startswith("usage: ")
    assert "kept the ledger" in there("init", "--roles")
    assert "up to date" in shell("upgrade")
