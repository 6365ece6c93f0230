"""Somebody who may write the database makes the ledger show what is not so: whoever kept a checkpoint finds it."""

import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

import ledger
import projections
from ledger import store
from ledger.events import CommandRecorded
from ledger.mapper import decode_event, encode_event
from ledger.segments.sealing import sealed_periods, segment_path
from ledger.store import copy
from ledger.store.schema import GUARDS
from ledger.store.seals import SALT, seals_of
from projections.checkpoint import Checkpoint, check_signatures
from projections.signing import Signer
from tests.faults.plan import report
from tests.faults.whole import whole_ledger
from tests.ledger.worlds import claim, opened, sign, write
from tests.projections.test_verify import unguarded

#: A generation on: 2056, in microseconds since 1970 UTC.
GENERATION_US = 2_714_929_600_000_000
DAY_US = 86_400_000_000


@dataclass
class World:
    """Is a store that somebody attacks, with its sealed segment, and what an outsider kept of it before."""

    url: str
    folder: Path
    kept: Checkpoint
    segments: Path

    def found(self, now_us: int | None = None) -> list[str]:
        """Returns the kinds of what the verification finds, with the checkpoint that was kept."""
        with projections.open(self.url, segments=self.segments) as read:
            return [finding.kind for finding in read.verify([self.kept], now_us)]

    def rebuilt(self) -> None:
        """Derives everything anew, as an attacker would who wants it to fit."""
        with projections.open(self.url, segments=self.segments) as read:
            read.rebuild()

    @property
    def on_sqlite(self) -> bool:
        """Returns whether it is a file."""
        return self.url.startswith("sqlite:")


@pytest.fixture
def world(store_url: str, tmp_path: Path) -> World:
    segments = tmp_path / "segments"
    with whole_ledger(store_url, tmp_path / "files") as book, projections.open(store_url) as read:
        book.segments = segments
        book.seal(202401)
        read.segments = segments
        assert read.verify(now_us=time.time_ns() // 1_000) == []
        return World(store_url, tmp_path, read.checkpoint(), segments)


def exchanged(world: World) -> None:
    """Gives one person another's number: what is paid from now on goes to somebody else."""
    with unguarded(world.url) as writer:
        writer.execute("UPDATE person SET psn_no = 'P0-' WHERE token = 1")
        writer.execute("UPDATE person SET psn_no = 'P0' WHERE token = 2")
        writer.execute("UPDATE person SET psn_no = 'P1' WHERE token = 1")


def exchanged_and_sealed(world: World) -> None:
    """Does the same, and makes the seals anew."""
    exchanged(world)
    with unguarded(world.url) as writer:
        rows = writer.query("SELECT token, psn_no, psn_name, salt FROM person ORDER BY token")
        seals = seals_of(*(list(column) for column in zip(*rows, strict=True)))
        writer.execute("UPDATE person_seal SET seals = ?", (seals,))
        assert len(rows[0][3]) == SALT


def forgotten(world: World) -> None:
    """Deletes a person without a command that says so."""
    with unguarded(world.url) as writer:
        writer.execute("DELETE FROM person WHERE token = 3")


def remembered(world: World) -> None:
    """Puts a person back who was erased."""
    with ledger.open(world.url, actor="archivist") as book:
        with book.store.read() as reader:
            row = reader.query("SELECT token, psn_no, psn_name, salt FROM person WHERE token = 3")[0]
        book.erase("P2", retention_years=0, reason="by decree")
    with unguarded(world.url) as writer:
        writer.execute("INSERT INTO person (token, psn_no, psn_name, salt) VALUES (?, ?, ?, ?)", row)


def invented(world: World) -> None:
    """Adds a person whose token was never given."""
    with unguarded(world.url) as writer:
        writer.execute("INSERT INTO person (token, psn_no, psn_name) VALUES (77, 'P77', 'x')")


def rewritten(world: World) -> None:
    """Has somebody else have asked for the payment, and derives everything anew."""
    with unguarded(world.url) as writer:
        for position, state in writer.query(
            "SELECT notification_id, state FROM stored_events WHERE topic = ?", (CommandRecorded.TOPIC,)
        ):
            event = decode_event(CommandRecorded.TOPIC, state)
            assert isinstance(event, CommandRecorded)
            other = encode_event(msgspec.structs.replace(event, actor="somebody else"))
            writer.execute("UPDATE stored_events SET state = ? WHERE notification_id = ?", (other, position))
    world.rebuilt()


def cut(world: World) -> None:
    """Takes the last events away, turns the head back and derives everything anew."""
    with unguarded(world.url) as writer:
        size = writer.size - 2
        writer.execute("DELETE FROM stored_events WHERE notification_id > ?", (size,))
        writer.execute("UPDATE log_head SET size = ?", (size,))
    world.rebuilt()


def restored(world: World) -> None:
    """Restores an old backup, here the store without its last events, and lets other events follow."""
    cut(world)
    with ledger.open(world.url, actor="tester") as book:
        book.clawback_collect("case-1", 100, "R3")
        book.clawback_collect("case-1", 100, "R4")


def slipped_in(world: World) -> None:
    """Inserts an event behind the head, past the triggers."""
    with unguarded(world.url) as writer:
        at = writer.size + 1
        writer.execute(
            "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
            " SELECT ?, 'payment-made-up', 1, topic, state FROM stored_events WHERE notification_id = 1",
            (at,),
        )


def below_the_first(world: World) -> None:
    """Inserts an event at position 0, which no page begins with."""
    with unguarded(world.url) as writer:
        writer.execute(
            "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
            " SELECT 0, 'payment-made-up', 1, topic, state FROM stored_events WHERE notification_id = 1"
        )


def far_away(world: World) -> None:
    """Moves the last event so far away that whoever counts to it never ends."""
    with unguarded(world.url) as writer:
        writer.execute("UPDATE stored_events SET notification_id = ? WHERE notification_id = ?", (2**61, writer.size))


def disarmed(world: World) -> None:
    """Leaves the guard in its place and takes what it does away."""
    with store.connect(world.url) as held, held.write() as writer:
        if world.on_sqlite:
            writer.execute("DROP TRIGGER stored_events_refuse_update")
            harmless = GUARDS["sqlite"]["stored_events_refuse_update"].replace("BEGIN SELECT", "WHEN 0 BEGIN SELECT")
            writer.execute(harmless)
        else:
            writer.execute(
                "CREATE OR REPLACE FUNCTION stored_events_refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN RETURN NULL; END$$"
            )


def narrowed(world: World) -> None:
    """Puts a guard in place that looks at less."""
    with store.connect(world.url) as held, held.write() as writer:
        name = "log_head_refuse_back"
        on = "" if world.on_sqlite else " ON log_head"
        writer.execute(f"DROP TRIGGER {name}{on}")
        writer.execute(GUARDS[held.dialect][name].replace("NEW.size < OLD.size OR ", ""))


def in_sql(world: World, sqlite: Sequence[str], postgres: Sequence[str]) -> None:
    """Executes the statements of the world's database, as whoever owns its tables."""
    with store.connect(world.url) as held, held.write() as writer:
        for statement in sqlite if world.on_sqlite else postgres:
            writer.execute(statement)


def listening(world: World) -> None:
    """Adds a trigger of one's own, which will change a balance when nobody looks."""
    in_sql(
        world,
        sqlite=[
            "CREATE TRIGGER later AFTER UPDATE ON account BEGIN"
            " UPDATE account SET balance_fen = balance_fen + 1 WHERE token = 1; END"
        ],
        postgres=[
            "CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN NEW.balance_fen = NEW.balance_fen + 1; RETURN NEW; END$$",
            "CREATE TRIGGER later BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION later()",
        ],
    )


def veiled(world: World) -> None:
    """Puts a view in a table's place, or hides rows from all but the owner."""
    in_sql(
        world,
        sqlite=[
            "ALTER TABLE balance RENAME TO balance_kept",
            "CREATE VIEW balance AS SELECT * FROM balance_kept",
        ],
        postgres=["ALTER TABLE balance ENABLE ROW LEVEL SECURITY"],
    )


def unkeyed(world: World) -> None:
    """Takes away the key that keeps two events from one place."""
    in_sql(
        world,
        sqlite=[
            "ALTER TABLE message RENAME TO message_kept",
            "CREATE TABLE message AS SELECT * FROM message_kept",
            "DROP TABLE message_kept",
        ],
        postgres=["ALTER TABLE stored_events DROP CONSTRAINT stored_events_originator_id_originator_version_key"],
    )


def turned_back(world: World) -> None:
    """Turns the tokens back: the next person would get the token of another."""
    with unguarded(world.url) as writer:
        writer.execute("UPDATE log_head SET tokens = tokens - 1")


def ahead_of_time(world: World) -> None:
    """Moves the head's time on, from which every later event takes its own."""
    with unguarded(world.url) as writer:
        writer.execute("UPDATE log_head SET recorded_at = ?", (GENERATION_US,))


def by_a_wrong_clock(world: World) -> None:
    """Sets the clock a generation on, to erase a person whose retention period runs."""
    with ledger.open(world.url, actor="archivist", clock_us=lambda: GENERATION_US) as book:
        book.erase("P2", reason="thirty years are over")


def in_another_segment(world: World) -> None:
    """Changes one number in a sealed segment's file, where only the bytes of its columns tell."""
    path = next(world.segments.glob("202401-*")) / "acts.arrow"
    raw = bytearray(path.read_bytes())
    value = (1_000_000).to_bytes(8, "little")
    raw[(at := raw.index(value)) : at + 8] = (1_000_001).to_bytes(8, "little")
    path.write_bytes(raw)


def of_another_ledger(world: World) -> None:
    """Puts another ledger's segment of the month in the place of this one's."""
    with store.connect(world.url) as held, held.read() as reader:
        mine = segment_path(world.segments, sealed_periods(reader)[202401])
    other = world.folder / "other"
    with opened(f"sqlite:///{world.folder / 'other.db'}") as book:
        book.segments = other
        book.intake(write(world.folder / "others.csv", [claim(7), claim(8, mdtrtarea_admvs="470101")]))
        book.close(202401)
        sign(book, 202401)
        theirs = book.seal(202401).folder
    shutil.rmtree(mine)
    shutil.copytree(theirs, mine)


def without_segments(world: World) -> None:
    """Removes the segments."""
    shutil.rmtree(world.segments)


def under_the_tree(world: World) -> None:
    """Plants a tile where the tree will come to one day."""
    with unguarded(world.url) as writer:
        writer.execute("INSERT INTO proof_tile (level, number, hashes, root) VALUES (2, 0, ?, ?)", (b"\1" * 32,) * 2)


ATTACKS: dict[str, tuple[Callable[[World], None], str]] = {
    "two persons' numbers exchanged": (exchanged, "edited-row"),
    "the same, sealed anew": (exchanged_and_sealed, "rewritten-persons"),
    "a person deleted": (forgotten, "missing-person"),
    "an erased person put back": (remembered, "erased-person"),
    "a person invented": (invented, "edited-row"),
    "events rewritten, all derived anew": (rewritten, "rewritten-log"),
    "the end cut off, all derived anew": (cut, "shortened-log"),
    "an old backup restored, others appended": (restored, "rewritten-log"),
    "an event inserted behind the head": (slipped_in, "beyond-head"),
    "an event inserted before the first": (below_the_first, "beyond-head"),
    "an event moved out of reach": (far_away, "missing-event"),
    "a guard emptied": (disarmed, "missing-guard"),
    "a guard narrowed": (narrowed, "missing-guard"),
    "a trigger of one's own": (listening, "foreign-trigger"),
    "rows hidden": (veiled, "edited-schema"),
    "a key dropped": (unkeyed, "edited-schema"),
    "tokens turned back": (turned_back, "log-head"),
    "the head's time moved on": (ahead_of_time, "log-head"),
    "a clock a generation ahead": (by_a_wrong_clock, "recorded-later"),
    "a number changed in a segment": (in_another_segment, "altered-segment"),
    "another ledger's segment": (of_another_ledger, "altered-segment"),
    "the segments removed": (without_segments, "missing-segment"),
    "a tile planted above the tree": (under_the_tree, "edited-row"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_an_insider_does_is_found(world: World, attack: str) -> None:
    """Each is named by the verification of whoever kept an old checkpoint and has a clock of his own."""
    does, kind = ATTACKS[attack]
    does(world)
    found = world.found(time.time_ns() // 1_000)
    report(f"{attack}, {'sqlite' if world.on_sqlite else 'postgres'}", tried=1, found=int(kind in found))
    assert kind in found


def test_what_nobody_kept_a_checkpoint_of_is_not_found(world: World) -> None:
    """The canary: the same rewriting fits, for whoever kept nothing."""
    rewritten(world)
    exchanged_and_sealed(world)
    assert {"rewritten-log", "rewritten-persons"} <= set(world.found())
    with projections.open(world.url, segments=world.segments) as read:
        assert {finding.kind for finding in read.verify()} <= {"sealed-root"}


def test_a_copy_is_bound_by_the_same_checkpoint(world: World) -> None:
    """Persons and their seals move with a store: the checkpoint kept of the one holds for the other."""
    target = f"sqlite:///{world.folder / 'moved.db'}"
    with store.connect(world.url) as held:
        copy(held, target)
    with projections.open(target, segments=world.segments) as read:
        assert read.verify([world.kept]) == []
        assert read.checkpoint().persons == world.kept.persons


def test_a_swapped_key_signs_for_nobody(world: World) -> None:
    """A checkpoint of another log signed with another key of the same name, or with other persons under the true
    signature, is not believed by who pinned the key."""
    true, other = Signer("ledger.test/one", b"\1" * 32), Signer("ledger.test/one", b"\2" * 32)
    with projections.open(world.url) as read:
        mine, theirs = read.checkpoint(true), read.checkpoint(other)
    assert check_signatures([mine], true.public) == []
    assert check_signatures([theirs], true.public) != []
    assert mine.persons is not None
    for persons in (None, (mine.persons[0], b"\0" * 32), (mine.persons[0] - 1, mine.persons[1])):
        assert check_signatures([dataclasses.replace(mine, persons=persons)], true.public) != []


def test_a_policy_file_changed_after_filing_changes_nothing(store_url: str, tmp_path: Path) -> None:
    """The log holds the document that was filed: nobody reads the file again, so what it says by now is no matter."""
    document = Path(ledger.__file__).parent / "policies" / "national-default.toml"
    policy = tmp_path / "mine.toml"
    policy.write_bytes(document.read_bytes())
    with opened(store_url, policy=str(policy)) as book, projections.open(store_url) as read:
        book.intake(write(tmp_path / "claims.csv", [claim(1), claim(2)]))
        before = read.balances().accounts
        policy.write_text(policy.read_text(encoding="utf-8").replace("0.", "1."), encoding="utf-8")
        assert policy.read_bytes() != document.read_bytes()
        book.intake(write(tmp_path / "more.csv", [claim(3)]))
        assert read.verify() == [] and not book.replay(202401).differences
        # The third claim is as the first two: each account has half as much again.
        assert read.balances().accounts == {account: fen * 3 // 2 for account, fen in before.items()}
