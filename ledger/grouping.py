"""Commits single commands together: whoever comes first takes along all that wait, and all are durable at once.

A commit waits for the disk, and a hundred commands can wait for it together. No command is answered before the
commit that holds it has returned.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ledger.refusals import OutcomeUnknown

Command = TypeVar("Command")
Answer = TypeVar("Answer")


class _Waiting(Generic[Command, Answer]):
    """Is a command on its way, its answer or what it raised, and how its thread is woken."""

    __slots__ = ("answer", "command", "done", "error", "leads", "woken")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.done = self.leads = False
        self.woken = threading.Lock()
        self.woken.acquire()


class Group(Generic[Command, Answer]):
    """Runs commands of many threads in groups, in the order they came.

    ``run`` takes commands and returns their answers once all are durable; where it raises, nothing of the group was
    written or nobody knows, as with one command. ``alike`` tells which commands may share a group.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Command]], Sequence[Answer]],
        alike: Callable[[Command], object],
        most: int,
    ) -> None:
        self._run = run
        self._alike = alike
        self._most = most
        self._lock = threading.Lock()
        self._queue: list[_Waiting[Command, Answer]] = []
        self._led = False
        # How many, at the head of the queue, are under way.
        self._running = 0

    @property
    def waiting(self) -> int:
        """Returns how many commands are waiting or under way."""
        return len(self._queue)

    def submit(self, command: Command) -> Answer:
        """Returns a command's answer once it is durable; raises what its group, or it alone, raised."""
        own: _Waiting[Command, Answer] = _Waiting(command)
        with self._lock:
            self._queue.append(own)
            own.leads = not self._led
            self._led = True
        try:
            if not own.leads:
                own.woken.acquire()
            while not own.done:
                self._lead()
        except BaseException:
            self._leave(own)
            raise
        if own.error is not None:
            raise own.error
        assert own.answer is not None
        return own.answer

    def _leave(self, own: _Waiting[Command, Answer]) -> None:
        """Takes a command whose thread was interrupted out of the queue, unless it is under way; the next one leads."""
        following = None
        with self._lock:
            if own in self._queue[self._running :]:
                self._queue.remove(own)
                if own.leads:
                    following = self._following()
        if following is not None:
            following.woken.release()

    def _following(self) -> _Waiting[Command, Answer] | None:
        """Returns the command that leads next, to be woken; None where none waits. The lock is held."""
        self._led = bool(self._queue)
        if not self._queue:
            return None
        self._queue[0].leads = True
        return self._queue[0]

    def _lead(self) -> None:
        """Runs the group at the head of the queue and hands the lead on."""
        with self._lock:
            key = self._alike(self._queue[0].command)
            size = 1
            while size < min(len(self._queue), self._most) and self._alike(self._queue[size].command) == key:
                size += 1
            group = self._queue[:size]
            self._running = size
        try:
            answers = self._run([waiting.command for waiting in group])
            for waiting, answer in zip(group, answers, strict=True):
                waiting.answer = answer
        except BaseException as error:
            for waiting in group:
                waiting.error = error
            if not isinstance(error, Exception):
                # This thread is to end; those behind it only learn that nobody has an answer for them.
                for waiting in group[1:]:
                    waiting.error = OutcomeUnknown(
                        f"the thread that committed for this one was ended by {type(error).__name__}: look whether the"
                        " command is in the log before repeating it"
                    )
        with self._lock:
            del self._queue[:size]
            self._running = 0
            for waiting in group:
                waiting.done = True
            following = self._following()
        for waiting in group:
            waiting.woken.release()
        if following is not None:
            following.woken.release()
