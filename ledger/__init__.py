"""The write side of the settlement ledger: open a store, and one short method a command.

>>> with ledger.open("sqlite:///ledger.db", actor="centre") as book:        # doctest: +SKIP
...     book.intake("claims.csv")

Importing this package loads no database driver, no numpy and no pyarrow.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.claim import Claim, Settled

if TYPE_CHECKING:
    from ledger.service import Ledger

__all__ = ["Claim", "Settled", "create", "open", "price"]


def open(
    url: str,
    *,
    actor: str,
    clock_us: Callable[[], int] | None = None,
    create: bool = False,
    segments: str | Path | None = None,
) -> "Ledger":
    """Returns the ledger at ``url`` (``sqlite:///path`` or ``postgresql://…``); raises StoreError where there is none.

    ``actor`` is recorded with every command; ``clock_us`` gives microseconds since 1970 UTC, the wall clock unless
    another is given. Recorded time never goes back, whatever the clock says. ``segments`` is the folder of the sealed
    segments: needed on PostgreSQL to seal and to replay, beside the file on SQLite unless another is given.
    """
    from ledger.service import Ledger, wall_clock_us
    from ledger.store import connect
    from ledger.store.url import segments_folder
    from ledger.verbs.base import check_actor

    folder = Path(segments) if segments is not None else None
    archives = segments_folder(url, folder)
    check_actor(actor)
    book = Ledger(connect(url, create=create), actor, clock_us or wall_clock_us)
    book.segments, book.store.archives.folder = folder, archives
    return book


def create(url: str, *, actor: str, clock_us: Callable[[], int] | None = None) -> "Ledger":
    """Returns the ledger at ``url``, created where nothing is there yet."""
    return open(url, actor=actor, clock_us=clock_us, create=True)


def price(
    policy: str | Path, claims: str | Path, *, register: str | Path | None = None, explain: bool = False
) -> Iterator[dict[str, Any]]:
    """Yields what each claim of a file would settle to under one policy, without a store; amounts as text in yuan.

    ``explain`` adds each step: the rule, the parameters it hangs on, its inputs and its amount.
    """
    from ledger.pricing import price as run

    return run(policy, claims, register=register, explain=explain)
