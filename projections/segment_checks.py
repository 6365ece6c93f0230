"""Holds sealed periods against the log: their digests made anew, their files, and the tree they were taken from."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.knowledge import Knowledge
from ledger.refusals import StoreError
from ledger.segments.making import make
from ledger.segments.reading import Segment
from ledger.segments.sealing import sealed_periods, segment_path
from projections import proof

if TYPE_CHECKING:
    from ledger.store import Reader
    from projections.findings import Findings


def check_segments(reader: "Reader", folder: Path | None, tree_size: int, found: "Findings") -> None:
    """Names each sealed period that the log does not come to, whose files are missing or altered, or whose root is
    not the log's. Without ``folder`` no files are looked at."""
    sealed = sealed_periods(reader)
    if not sealed:
        return
    known = Knowledge()
    known.refresh(reader)
    tree = proof.tree_of(reader, tree_size)
    for period, event in sorted(sealed.items()):
        where = f"period {period}"
        if 0 < event.tree_size <= tree_size and (root := tree.root(event.tree_size)) != event.root:
            found.other("sealed-root", where, event.root.hex(), root.hex())
        reach = (known.periods.opened[period], known.periods.closed[period])
        with tempfile.TemporaryDirectory(prefix="ledger-verify-") as scratch:
            made = make(reader, known.policies, [period], reach, None, scratch=Path(scratch))
        if made.digest != event.digest:
            found.other("sealed-digest", where, event.digest.hex(), made.digest.hex())
        if folder is None:
            continue
        path = segment_path(folder, event)
        if not path.is_dir():
            found.other(
                "missing-segment", str(path), f"the files of {where}: `settlement seal` makes them anew", "none"
            )
            continue
        try:
            digest = Segment(path).digest().hex()
        except StoreError as error:
            digest = str(error)
        except (OSError, ValueError, KeyError, IndexError) as error:
            digest = f"files that cannot be read: {error}"
        if digest != event.digest.hex():
            found.other("altered-segment", str(path), event.digest.hex(), digest)
