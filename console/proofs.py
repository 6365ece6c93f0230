"""Commands that make the log provable: verify, checkpoint, proof, key new."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

import projections
from console import failures, output
from console.clearing_statements import verify_file
from console.failures import UserError
from console.options import NO_OPTIONS, NOT_ASKED, Asked, Options
from console.output import Column, count

if TYPE_CHECKING:
    from projections.checkpoint import Checkpoint
    from projections.evidence import Proof
    from projections.findings import Finding
    from projections.signing import PublicKey

Files = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]

UNANCHORED = "internally consistent only: give --checkpoint FILE, one that somebody else kept"


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(verify)
    app.command(checkpoint)
    app.command(proof)
    key = App(name="key", help="Make the keys that sign checkpoints.")
    key.command(key_new, name="new")
    app.command(key)


def verify(
    file: Path | None = None,
    /,
    *,
    checkpoint: Files = (),
    public_key: str = "",
    proof: Path | None = None,
    options: Options = NO_OPTIONS,
) -> int:
    """Check the log and every derived table, a statement file, or a proof; exit status 1 if anything is wrong.

    Parameters
    ----------
    file
        A file that `statement` wrote: it is drawn up again from the log and compared, cell by cell or line by line.
    checkpoint
        Checkpoints that somebody else kept: the log must begin with what each states.
    public_key
        The pinned public key, as text or as a file: every checkpoint given must be signed by it, or by a key that
        an earlier one of them announces.
    proof
        A file that `proof` wrote: checked by itself, no store is opened.
    """
    from ledger.store.store import system_clock_us
    from projections.checkpoint import check_signatures, read_checkpoint
    from projections.signing import read_public_key

    if file is not None:
        if checkpoint or public_key or proof is not None:
            raise UserError("usage", "expected a statement FILE alone: the log and proofs have runs of their own")
        return verify_file(file, options)
    kept = [read_checkpoint(path) for path in checkpoint]
    pinned = read_public_key(public_key) if public_key else None
    if proof is not None:
        return _verify_proof(proof, kept, pinned, as_json=options.json)
    if pinned is not None and not kept:
        raise UserError("usage", "expected --checkpoint FILE beside --public-key: a log carries no signature itself")
    wrong = check_signatures(kept, pinned) if pinned is not None else []
    with projections.open(options.store, segments=options.segments) as read:
        findings = read.verify(kept, system_clock_us())
        size = read.root()[0] if not findings else 0
        unseen = read.unseen_segments() if not findings else []
    anchored = max((each.size for each in kept), default=0)
    if options.json:
        behind = size - anchored if not findings else None
        output.print_json(
            {
                "findings": findings,
                "signatures": wrong,
                "size": size,
                "anchored": anchored,
                "unanchored": behind,
                "unseen_segments": unseen,
            }
        )
    else:
        _print_findings(findings, wrong)
        if not findings and not wrong:
            print_anchor(size, anchored, pinned)
            if unseen:
                periods = ", ".join(map(str, unseen))
                output.print_line(f"the files of sealed periods {periods} were not looked at: give --segments DIR")
    return failures.CHECK_FAILED if findings or wrong else failures.OK


def _print_findings(findings: "list[Finding]", wrong: list[str]) -> None:
    if findings:
        columns = (Column("finding"), Column("where"), Column("expected"), Column("got"))
        output.print_table(columns, [(each.kind, each.where, each.expected, each.got) for each in findings])
    for text in wrong:
        output.print_line(text)
    if findings or wrong:
        output.print_line(f"{len(findings) + len(wrong)} findings")


def print_anchor(size: int, anchored: int, pinned: "PublicKey | None") -> None:
    """Says how far a clean log is anchored, and by whom."""
    whole = "0 findings: the log is whole and every derived table follows from it"
    if not anchored:
        output.print_line(f"{whole} ({UNANCHORED})")
        return
    output.print_line(f"{whole}; it begins with what the checkpoint of size {count(anchored)} states")
    signed = f"signed by {pinned.name}, key {pinned.id.hex()} or its successors" if pinned else "signature not checked"
    tail = "every event is anchored" if size == anchored else f"{count(size - anchored)} events behind it are not yet"
    output.print_line(f"{signed}; {tail}" + ("" if size == anchored else " anchored"))


def _verify_proof(path: Path, kept: "list[Checkpoint]", pinned: "PublicKey | None", *, as_json: bool) -> int:
    from projections.checkpoint import parse
    from projections.evidence import check_proof, read_proof

    proof = read_proof(path.read_bytes())
    wrong = check_proof(proof, kept, pinned)
    stated = parse(proof.checkpoint)
    if as_json:
        events = [] if wrong else [{"position": each.position, "event": each.event} for each in proof.events]
        checked = {"origin": stated.origin, "size": stated.size, "root": stated.root, "signed": pinned is not None}
        output.print_json({"wrong": wrong, "checkpoint": checked, "events": events})
    elif wrong:
        for text in wrong:
            output.print_line(text)
        output.print_line(f"{len(wrong)} findings: the proof does not hold")
    else:
        _print_proven(proof, stated, pinned, kept)
    return failures.CHECK_FAILED if wrong else failures.OK


def _print_proven(proof: "Proof", stated: "Checkpoint", pinned: "PublicKey | None", kept: "list[Checkpoint]") -> None:
    from console.event_words import fields_in_words

    for each in proof.events:
        output.print_line(f"position {count(each.position)}: {each.topic} of {each.stream}, version {each.version}")
        output.print_fields((f"  {name}", text) for name, text in fields_in_words(each.event))
    output.print_line(
        f"{len(proof.events)} events are in the log of size {count(stated.size)}, root {stated.root.hex()}"
    )
    if pinned is not None:
        output.print_line(f"its checkpoint is signed by {stated.origin}, under the pinned key {pinned.id.hex()}")
    elif any(each.size == stated.size for each in kept):
        output.print_line("its checkpoint is the one you kept; signature not checked")
    else:
        output.print_line(
            "its checkpoint is not checked: give --public-key KEY, or a --checkpoint of its size you kept"
        )


def checkpoint(
    *,
    key: Path | None = None,
    next_key: str = "",
    out: Path | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """State what the log is, as a note for others to keep: origin, size, root, recorded time, and a signature.

    Parameters
    ----------
    key
        The private key that signs (see `key new`); without one the note is unsigned.
    next_key
        The public key that signs from now on, as text or as a file: the note announces it.
    out
        Write the note there as well; an existing file is never overwritten.
    """
    from projections.signing import read_public_key, read_signer

    signer = read_signer(key) if key is not None else None
    announced = read_public_key(next_key) if next_key else None
    with projections.open(options.store, segments=options.segments) as read:
        stated = read.checkpoint(signer, announced)
    if out is not None:
        _write_new(out, stated.note)
    output.answer(
        options,
        {
            **{name: getattr(stated, name) for name in ("origin", "size", "root", "recorded_at")},
            "key_id": stated.signature[0] if stated.signature else None,
            "note": stated.note,
        },
        stated.note.removesuffix("\n"),
    )


def proof(
    of: Annotated[str, Parameter(name="KEY")],
    /,
    *,
    key: Path | None = None,
    checkpoint: Path | None = None,
    out: Path | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Prove that a claim, a payment or any event is in the log: a JSON file that `verify --proof` checks by itself.

    Parameters
    ----------
    of
        A claim (REGION/SETL_ID, SETL_ID or message id), a payment, a clawback case or a log position.
    key
        The private key that signs a checkpoint of the log as it stands.
    checkpoint
        Prove against this checkpoint, which somebody else may hold, rather than make one.
    out
        Write the proof there; it is printed otherwise. An existing file is never overwritten.
    """
    from projections.checkpoint import read_checkpoint
    from projections.evidence import write_proof
    from projections.signing import read_signer

    if key is not None and checkpoint is not None:
        raise UserError("usage", "expected --key or --checkpoint, got both")
    with projections.open(options.store, segments=options.segments) as read:
        stated = (
            read_checkpoint(checkpoint)
            if checkpoint is not None
            else read.checkpoint(read_signer(key) if key is not None else None)
        )
        proven = read.prove(of, stated)
    text = write_proof(proven)
    if out is None:
        output.print_line(text.removesuffix("\n"))
        return
    _write_new(out, text)
    output.answer(
        options,
        {"file": out, "events": len(proven.events), "size": stated.size, "root": stated.root},
        f"{out}: {len(proven.events)} events of {of} in the log of size {count(stated.size)}",
    )


def key_new(file: Path, /, *, origin: str, asked: Asked = NOT_ASKED) -> None:
    """Make a key that signs checkpoints: FILE for its owner alone, and FILE.pub for everybody else to pin.

    Parameters
    ----------
    file
        Where the private key goes; never overwritten.
    origin
        The log's name in every checkpoint, such as ledger.example.org/guangdong: no spaces, no plus sign.
    """
    from projections.signing import PUBLIC_SUFFIX, create_key

    public = create_key(file, origin)
    if asked.json:
        output.print_json({"file": file, "public_key": str(public), "key_id": public.id})
    else:
        output.print_line(f"{file}: the private key, for its owner alone")
        output.print_line(f"{file}{PUBLIC_SUFFIX}: {public}")


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
