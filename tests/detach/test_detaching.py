"""A sealed month leaves PostgreSQL and comes back byte for byte; whatever reads it reads on, or is told where it is."""

import hashlib
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import ledger
import projections
from console.main import main
from ledger.events import ClaimSettled
from ledger.refusals import Refused, StoreError
from ledger.segments.detaching import Detached
from ledger.service import Ledger
from tests.ledger.worlds import opened, sign
from tests.replay.stories import REGIONS, february, january, other_policy

STEPS = ("began", "written", "durable", "marked", "said")


def leaves(url: str, segments: Path | None) -> str:
    """Returns a digest of every event's bytes, as whoever reads the log gets them."""
    whole = hashlib.sha256()
    with ledger.open(url, actor="reader", segments=segments) as book, book.store.read() as reader:
        for page in reader.pages(limit=7):
            for row in page:
                whole.update(repr(row).encode())
    return whole.hexdigest()


def sealed(url: str, tmp_path: Path) -> Ledger:
    """Returns a store with January sealed, some of it booked anew and refunded in an open February."""
    book = opened(url)
    book.segments = book.store.archives.folder = tmp_path / "segments"
    book.intake(january(tmp_path))
    book.close(202401)
    policy = other_policy(tmp_path, ('"500.00"', '"700.00"'))
    book.enact(policy, list(REGIONS), assumed=True)
    found = book.correct(policy, 202401, "resolution 7").found.largest[0]
    book.reverse(f"{found.region:06d}/{found.setl_id}", "cancelled")
    sign(book, 202401)
    book.seal(202401)
    return book


def test_a_detached_month_is_read_from_its_archive(postgres_url: str, tmp_path: Path) -> None:
    """Replay, verify, trace, proof, statements, rebuild and a late refund see what they saw, without the bytes."""
    folder = tmp_path / "segments"
    with sealed(postgres_url, tmp_path) as book, projections.open(postgres_url, segments=folder) as read:
        root, statement = read.root(), read.statement()
        whole = leaves(postgres_url, folder)
        trace = read.trace("260100/S000002")
        found = book.detach(202401, reason="month paid")
        assert (found.events, found.already) == (126, False) and found.archive.is_file()
        assert book.detach(202401).already
        with psycopg.connect(server(postgres_url)) as link:
            place = sql.Identifier(postgres_url.rpartition("schema=")[2], "stored_events")
            rows = link.execute(sql.SQL("SELECT topic, length(state) FROM {}").format(place)).fetchall()
        assert sum(size for topic, size in rows if topic == ClaimSettled.TOPIC and size > 21) == 0
        assert sum(1 for _, size in rows if size == 21) == 126
        assert leaves(postgres_url, folder) != whole, "the log has grown by what says so"
        for from_log in (False, True):
            assert book.replay(202401, from_log=from_log).differences == ()
        assert read.verify() == []
        assert read.trace("260100/S000002").found == trace.found
        assert read.root(root[0]) == root
        checkpoint = read.checkpoint()
        read.prove("260100/S000002", checkpoint)
        assert read.statement(as_of=statement.position) == statement
        read.rebuild()
        assert read.statement().lines == statement.lines and read.root(root[0]) == root
        # The same file again books nothing, and a detached claim can still be refunded.
        assert book.intake(january(tmp_path)).booked == 0
        book.reverse("260100/S000005", "cancelled")
        assert read.verify() == []
        with pytest.raises(StoreError, match="attach first"):
            copied(postgres_url, tmp_path)


def copied(url: str, tmp_path: Path) -> None:
    """Copies a store into a SQLite file."""
    from ledger.store import connect, copy

    with connect(url) as store:
        copy(store, f"sqlite:///{tmp_path / 'copy.db'}")


def server(url: str) -> str:
    """Returns the URL of the server of a store."""
    return url.rpartition("schema=")[0].rstrip("?&")


def test_attached_again_every_byte_is_back(postgres_url: str, tmp_path: Path) -> None:
    """Detach, attach, detach: the events read the same with no archive there, and triggers refuse as ever."""
    folder = tmp_path / "segments"
    with sealed(postgres_url, tmp_path) as book:
        with book.store.read() as reader:
            before = reader.events_at(range(1, reader.size + 1))
        first = book.detach(202401)
        back = book.attach(202401, reason="auditors")
        assert (back.events, back.digest) == (first.events, first.digest)
        with pytest.raises(Refused, match="not detached"):
            book.attach(202401)
        kept = first.archive.read_bytes()
        first.archive.unlink()
        with book.store.read() as reader:
            assert {
                at: row for at, row in reader.events_at(range(1, reader.size + 1)).items() if at in before
            } == before
        with projections.open(postgres_url, segments=folder) as read:
            read.catch_up()
            assert read.verify() == []
        again = book.detach(202401)
        assert again.digest == first.digest and again.archive.read_bytes() == kept
        with pytest.raises(StoreError, match="append-only"), book.store.write() as writer:
            writer.execute("UPDATE stored_events SET state = ''")
        assert all(guards(postgres_url))


def guards(url: str) -> list[bool]:
    """Returns whether each trigger of the log's table is on."""
    with psycopg.connect(server(url)) as link:
        schema = url.rpartition("schema=")[2]
        sql = "SELECT tgenabled = 'O' FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal"
        return [row[0] for row in link.execute(sql, (f"{schema}.stored_events",))]


@pytest.mark.parametrize("at", STEPS)
def test_a_crash_leaves_a_month_detached_or_not(postgres_url: str, tmp_path: Path, at: str) -> None:
    """Whatever step a crash comes behind, every event reads as before, triggers are on, and doing it again ends it."""
    folder = tmp_path / "segments"

    def crash(step: str) -> None:
        if step == at:
            raise KeyboardInterrupt

    with sealed(postgres_url, tmp_path) as book:
        with book.store.read() as reader:
            before = reader.events_at(range(1, reader.size + 1))
        for run in (book.detach, book.attach):
            if run == book.attach and at not in ("marked", "said"):
                continue
            with pytest.raises(KeyboardInterrupt):
                run(202401, step=crash)
            with ledger.open(postgres_url, actor="tester", segments=folder) as other:
                with other.store.read() as reader:
                    assert (202401 in reader.detached) == ((run == book.detach) == (at == "said"))
                    held = reader.events_at(range(1, reader.size + 1))
                assert {place: row for place, row in held.items() if place in before} == before
                assert all(guards(postgres_url))
                finish(other, run == book.detach)


def finish(book: Ledger, detaching: bool) -> None:
    """Does again what a crash broke off."""
    if detaching:
        assert isinstance(book.detach(202401), Detached)
    else:
        with book.store.read() as reader:
            standing = 202401 in reader.detached
        if standing:
            book.attach(202401)


def test_without_its_archive_a_month_says_where_it_is(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Replay of the segment works on; what needs the bytes names the file it wants; a damaged one is refused."""
    folder = tmp_path / "segments"
    place = ["--store", postgres_url, "--segments", str(folder)]
    sealed(postgres_url, tmp_path).close_store()
    assert main(["detach", *place, "--period", "202401", "--reason", "paid"]) == 0
    assert "detached 202401: 126 events" in capsys.readouterr().out
    (archive,) = folder.glob("*.detached")
    away = tmp_path / archive.name
    shutil.move(archive, away)
    assert main(["replay", *place, "--period", "202401"]) == 0
    for command in (["replay", "--period", "202401", "--from-log"], ["verify"], ["explain", "260100/S000002"]):
        assert main([command[0], *place, *command[1:]]) != 0
        captured = capsys.readouterr()
        assert f"the events of 202401 are detached: expected their archive {archive.name}" in " ".join(
            (captured.out + captured.err).split()
        )
    raw = bytearray(away.read_bytes())
    raw[100] ^= 1
    archive.write_bytes(raw)
    assert main(["attach", *place, "--period", "202401"]) == 2
    assert "archive_damaged" in capsys.readouterr().err
    assert main(["verify", *place]) == 1
    shutil.move(away, archive)
    assert main(["verify", *place]) == 0
    assert main(["attach", *place, "--period", "202401", "--json"]) == 0


def test_only_the_owner_of_a_sealed_month_on_postgresql_detaches(postgres_url: str, tmp_path: Path) -> None:
    """A SQLite file, a month that is not sealed, the writer's role: each is refused, and nothing changes."""
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(january(tmp_path, 3))
        with pytest.raises(Refused, match="PostgreSQL"):
            book.detach(202401)
    with sealed(postgres_url, tmp_path) as book:
        book.intake(february(tmp_path))
        with pytest.raises(Refused, match="not sealed"):
            book.detach(202402)
        projections.grant_roles(postgres_url)
        as_writer = f"{postgres_url}&options=-c%20role%3Dledger_writer"
        with (
            ledger.open(as_writer, actor="writer", segments=tmp_path / "segments") as other,
            pytest.raises(Refused, match="owner"),
        ):
            other.detach(202401)
