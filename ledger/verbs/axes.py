"""Are the questions on three axes: the log under another policy version, and what one claim is on each axis."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.axes.answering import Answers
    from ledger.axes.asking import Repriced
    from ledger.intake import Progress


class Axes(Base):
    """Asks; writes nothing."""

    def priced(
        self,
        policy: str | None = None,
        *,
        regions: Sequence[int] = (),
        enacted_to: int | None = None,
        position: int | None = None,
        progress: "Progress | None" = None,
    ) -> "AbstractContextManager[Repriced]":
        """Gives the log up to ``position`` (None: its head) priced under another policy version, for as long as open.

        ``policy`` is a file, a shipped name or the beginning of an enacted document's digest, and stands in for
        ``regions`` (those under a document of its name unless given); or every region is priced under what was enacted
        for it up to the position ``enacted_to``. ``projections`` adds it to what it folds.
        """
        from ledger.axes.asking import PolicyVersion, priced_log

        return priced_log(self, PolicyVersion(policy, tuple(regions), enacted_to), position, progress)

    def answers(self, claim: int, person: Sequence[int]) -> "Answers":
        """Returns what the claim filed at a position is on each axis, and why the answers differ.

        ``person`` are the positions of every act of its person, as ``Projections.acts_of_person`` gives them.
        """
        from ledger.axes.answering import answers

        return answers(self, claim, person)
