"""Are the commands that detach a sealed month from the log and attach it again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.segments.detaching import Detached


class Detaching(Base):
    """Moves the bytes of sealed months out of the log's table and back."""

    def detach(self, period: int, *, reason: str = "", step: Callable[[str], None] | None = None) -> "Detached":
        """Moves the bytes of a sealed period's acts from PostgreSQL to an archive beside the segments.

        Everything reads the archive in their place, as long as it is there; who reads without it is told so. Only the
        owner of the log's table may. ``step`` is told each step that is done.
        """
        from ledger.segments.detaching import detach

        return detach(self, period, reason, step or (lambda _: None))

    def attach(self, period: int, *, reason: str = "", step: Callable[[str], None] | None = None) -> "Detached":
        """Puts the bytes of a detached period back into the log; the archive stays where it is."""
        from ledger.segments.detaching import attach

        return attach(self, period, reason, step or (lambda _: None))
